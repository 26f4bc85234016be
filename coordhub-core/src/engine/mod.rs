//! Where the pure hub, the store and the subscribers meet: one writer, and handles to it.

mod clock;
mod counts;
mod presence;
mod queue;
mod behind;
mod ticket;
mod builder;
mod waiters;
mod writer;
mod batch;
mod folding;
mod gone;
mod retention;
mod prefetch;
mod indexer;
mod hour;
mod reply;
mod query;
mod access;
mod refusals;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::Mutex;
use ulid::Ulid;

pub use crate::store::search::SearchWords;
pub use access::Identity;
pub use builder::Builder;
pub use clock::{Clock, HubClock, SystemClock};
pub use counts::Histogram;
pub use presence::{Connection, PresenceChange, Presences};
pub use query::{
    Attention, EntityFilter, InboxQuery, List, MessageList, NoticesAmong, OnlyDirect, Order,
    RecentQuery, SearchQuery, SearchResults, Unread, Window as ListWindow,
};
pub use reply::{Claim, HubError, Made, Outcome, Reply, Sent};
pub use ticket::Ticket;

use crate::{
    command::{Caller, Command, Envelope, Key, Origin, ReturnClaim},
    hub::{self, Rejection, SoftFacts, State},
    ids::{EntityId, Seq},
    store::{StoreError, search::Index},
    subscribe::{Filter, Published, Start, Subscription},
    time::Timestamp,
};
use behind::Behind;
use counts::Counts;
use hour::HourCount;
use indexer::Indexer;
use queue::{Job, Queue};
use refusals::Refusals;

/// A hub in this process. Clones are handles to the same hub; it closes with [`close`](Self::close),
/// or when the last handle goes.
///
/// ```
/// use coordhub_core::{Hub, command::{Caller, Command, Send}};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::in_memory()?;
/// let ada = "ada".parse_entity()?;
/// let send = Send::on_channel(ada.clone(), "general".parse_channel()?, "Hello");
/// let reply = hub.call(Caller::named(ada), Command::Send(send))?;
/// assert_eq!(reply.seq, 1);
/// # Ok(())
/// # }
/// # use coordhub_core::ids::{ChannelName, EntityId, InvalidName};
/// # trait Names { fn parse_entity(&self) -> Result<EntityId, InvalidName>; fn parse_channel(&self) -> Result<ChannelName, InvalidName>; }
/// # impl Names for str {
/// #     fn parse_entity(&self) -> Result<EntityId, InvalidName> { EntityId::parse(self) }
/// #     fn parse_channel(&self) -> Result<ChannelName, InvalidName> { ChannelName::parse(self) }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
    /// Shared by handles alone, so that the last of them closes the hub.
    _closer: Arc<Closer>,
}

/// What handles and the writer share.
struct Shared {
    published: Arc<Published>,
    index: Arc<Index>,
    queue: Arc<Queue>,
    /// Whether the tables are behind what was published.
    behind: Arc<Behind>,
    presence: Presences,
    refusals: Refusals,
    clock: HubClock,
    hour: HourCount,
    degraded: AtomicBool,
    commits: AtomicU64,
    /// How many wait for something to claim.
    waiters: AtomicU64,
    /// Whether nobody is to wait any more.
    ends_waits: AtomicBool,
    counts: Counts,
    /// Whether rows are left of what was given up.
    is_pruning: AtomicBool,
}

impl Shared {
    fn ends_waits(&self) -> bool {
        self.ends_waits.load(Ordering::Acquire)
    }

    /// Gives a claim back that nobody waits for any more.
    fn take_back(&self, caller: &Caller, origin: Option<Arc<Origin>>, untaken: Reply) {
        let Outcome::Claimed(claim) = untaken.outcome else { return };
        if untaken.made == Made::Before || claim.already {
            return;
        }
        let task_id = claim.task.task_id.clone();
        let command = Command::ReturnClaim(ReturnClaim { task_id, claim_token: claim.claim_token });
        let (caller, fresh) = (caller.clone(), Ulid::nil());
        let envelope = Envelope { caller, fresh, command, key: None, origin };
        let (job, ticket) = Job::new(envelope, Duration::ZERO);
        // Where the queue takes nothing more the lease lapses instead.
        let _full = self.queue.push(job);
        drop(ticket);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("epoch", &self.published.epoch).finish_non_exhaustive()
    }
}

/// A command, and how it is to be done.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// For what.
    pub command: Command,
    /// Under which key it is to be done at most once.
    pub key: Option<Key>,
    /// How long to wait, where it is [`Command::ClaimNext`] and there is nothing to claim.
    pub wait: Duration,
    /// Where it came from, for the audit.
    pub origin: Option<Arc<Origin>>,
}

impl Request {
    /// A command without a key, and without waiting.
    pub fn new(caller: Caller, command: Command) -> Self {
        Self { caller, command, key: None, wait: Duration::ZERO, origin: None }
    }
}

#[derive(Debug)]
struct Closer {
    shared: Arc<Shared>,
    indexer: Indexer,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Closer {
    fn close(&self) {
        // First of all: once the writer has let go of the hub's file, another hub may have the index.
        self.indexer.close();
        self.shared.queue.close();
        if let Some(writer) = self.writer.lock().take() {
            // The writer catches its panics; there is nothing to learn from the join.
            let _ended = writer.join();
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Hub {
    /// A hub kept in the file at `path`, which is made where there is none.
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        Self::builder().open(path)
    }

    /// A hub that is gone with its last handle.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::builder().in_memory()
    }

    /// A hub with other than the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    // Changing it.

    /// Hands a command to the writer. The ticket is answered after the commit that decided it was
    /// synced. A caller may have many under way; they are decided in the order of these calls.
    pub fn submit(&self, caller: Caller, command: Command) -> Result<Ticket, HubError> {
        self.submit_request(Request::new(caller, command))
    }

    /// The same, under an idempotency key, or with time to wait for something to claim.
    ///
    /// A claim of `claim-next` whose ticket is dropped before its answer was taken goes back without
    /// counting as an attempt, unless it was asked for under a key: that will ask again.
    pub fn submit_request(&self, request: Request) -> Result<Ticket, HubError> {
        let Request { caller, command, key, wait, origin } = request;
        let is_own = matches!(
            command,
            Command::Tick
                | Command::MoveLeases(_)
                | Command::FreeReservations(_)
                | Command::Prune(_)
        );
        if is_own {
            let detail = "the hub decides by itself what is due";
            return Err(Rejection::NotAllowed(detail.to_owned()).into());
        }
        if let Some(id) = &caller.id {
            self.touch(id);
        }
        // Its time is the hub's, like every other.
        let millis = u64::try_from(self.now().millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, Ulid::generate().random());
        let is_lost_untaken = key.is_none() && matches!(command, Command::ClaimNext(_));
        let untaken = is_lost_untaken.then(|| {
            let (home, caller) = (Arc::downgrade(&self.shared), caller.clone());
            let origin = origin.clone();
            Box::new(move |reply| {
                if let Some(home) = home.upgrade() {
                    home.take_back(&caller, origin, reply);
                }
            })
        });
        let wait = wait.min(Duration::from_secs(crate::limits::WAIT_SECONDS_MAX));
        let (job, ticket) = Job::new(Envelope { caller, fresh, command, key, origin }, wait);
        self.shared.queue.push(job)?;
        Ok(match untaken {
            Some(then) => ticket.if_untaken(then),
            None => ticket,
        })
    }

    /// Tells everyone who waits for something to claim that there is nothing, now and from now on: the
    /// hub is about to stop.
    pub fn end_waits(&self) {
        self.shared.ends_waits.store(true, Ordering::Release);
        self.shared.queue.ring();
    }

    /// How many wait for something to claim.
    pub fn waiters(&self) -> u64 {
        self.shared.waiters.load(Ordering::Relaxed)
    }

    /// Whether a sign of life of this entity must be written, because a lease of its needs it: see
    /// [`Command::RenewLeases`].
    pub fn needs_renewal(&self, id: &EntityId) -> bool {
        let now = self.now();
        self.with_state(|state| hub::needs_renewal(state, id, now))
    }

    /// Hands a command to the writer, and waits for the answer.
    pub fn call(&self, caller: Caller, command: Command) -> Result<Reply, HubError> {
        self.submit(caller, command)?.wait()
    }

    // Presence.

    /// Notes that an entity acted. Touches memory only. Its `last_seen`, where it is registered.
    pub fn touch(&self, id: &EntityId) -> Option<Timestamp> {
        let now = self.now();
        self.shared.presence.touch(id, now).then_some(now)
    }

    /// Notes that an entity acted, and what it says it is doing.
    pub fn heartbeat(&self, id: &EntityId, activity: Option<String>) -> Option<Timestamp> {
        let seen = self.touch(id)?;
        if let Some(activity) = activity {
            self.shared.presence.set_activity(id, activity);
        }
        Some(seen)
    }

    /// Notes that an entity, registered or not, has a live socket, for as long as the value lives.
    pub fn connect(&self, id: &EntityId) -> Connection {
        self.shared.presence.connect(id, self.now())
    }

    /// The version of the newest change of anybody's presence: where to begin following.
    pub fn presence_version(&self) -> u64 {
        self.shared.presence.version()
    }

    /// What the presence of those registered entities has become that changed after a version: each
    /// once, up to 1,000 of them, and whoever changed last comes last. Ask again with the version
    /// that comes along; where there is nothing new, that costs a load.
    ///
    /// Coming and a new activity are changes at once; being idle and leaving are found out within a
    /// second or so.
    pub fn presence_changes(&self, version: u64) -> (Vec<PresenceChange>, u64) {
        self.shared.presence.changes(version)
    }

    // Following it.

    /// Everything from `start` on that passes the filter.
    pub fn subscribe(&self, filter: Filter, start: Start) -> Subscription {
        Subscription::new(self.shared.published.clone(), filter, start)
    }

    // Getters.

    /// The hub's time: never runs back.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Names this history of the hub.
    pub fn epoch(&self) -> &str {
        &self.shared.published.epoch
    }

    /// The `seq` of the newest event that everyone may know of.
    pub fn head_seq(&self) -> Seq {
        self.shared.published.window.head()
    }

    /// The `seq` from which on the log is whole: what is older may have been pruned.
    pub fn oldest_seq(&self) -> Seq {
        self.shared.published.oldest_seq()
    }

    /// Whether the store refuses writes. Reads go on.
    pub fn is_degraded(&self) -> bool {
        self.shared.degraded.load(Ordering::Acquire)
    }

    /// How many transactions were committed since the start.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// How many commits failed since the start.
    pub fn commit_failures(&self) -> u64 {
        self.shared.counts.failures.load(Ordering::Relaxed)
    }

    /// How long commits took, in microseconds.
    pub fn commit_micros(&self) -> &Histogram<11> {
        &self.shared.counts.commits
    }

    /// How many commands the writer took at a time.
    pub fn batch_sizes(&self) -> &Histogram<11> {
        &self.shared.counts.batches
    }

    /// How many commands wait for the writer.
    pub fn queue_depth(&self) -> u64 {
        self.shared.queue.depth()
    }

    /// How many pages subscribers who had fallen behind have read from the store.
    pub fn catch_ups(&self) -> u64 {
        self.shared.published.catch_ups_done.load(Ordering::Relaxed)
    }

    /// Everything up to this `seq` can be found by a search.
    pub fn indexed_up_to(&self) -> Seq {
        self.shared.index.up_to()
    }

    /// How many bytes the files of the search index take.
    pub fn index_bytes(&self) -> u64 {
        self.shared.index.bytes()
    }

    /// How many messages were sent within the last hour.
    pub fn messages_last_hour(&self) -> u64 {
        self.shared.hour.count(self.now())
    }

    /// How many registered entities are online.
    pub fn entities_online(&self) -> u64 {
        crate::model::EntityType::ALL.iter().map(|kind| self.shared.presence.online(*kind)).sum()
    }

    /// How many sockets are open.
    pub fn open_sockets(&self) -> u64 {
        self.shared.presence.open_sockets()
    }

    /// Looks at the state as of the last commit. Keep it short: the writer waits meanwhile.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.published.durable.read())
    }

    // Ending it.

    /// Takes no more commands, finishes those that were taken, saves presence, and lets go of the
    /// file. Calls on other handles fail from now on.
    pub fn close(&self) {
        self._closer.close();
    }
}

#[cfg(test)]
mod tests;
