//! The one writer: drains the queue, decides, commits, publishes, answers. Everything that is true of
//! the hub became true here.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{
    HubError, Made, Outcome, Reply, Shared,
    batch::{Decided, Moves, Pending},
    gone::Absence,
    queue::{Drained, Job},
    retention::Pruning,
    waiters::Waiters,
};
use crate::{
    command::{Command, MoveLeases},
    event::Event,
    hub::State,
    limits::KEY_HOURS,
    model::Retention,
    store::{Batch, CommitError, Store, Written},
    subscribe::Entry,
    time::{Timestamp, deadline_in},
};

/// How often the writer looks up from an empty queue: to sweep presence, and to try a store that
/// refused a write.
const IDLE: Duration = Duration::from_secs(1);
/// How often `last_seen` reaches the disk.
const SAVE_PRESENCE_MILLIS: i64 = 30_000;
/// How often idempotency keys that are too old to count are forgotten, some at a time.
const FORGET_KEYS_MILLIS: i64 = 1_000;

/// A batch of so many needs no company.
const YIELDS_BELOW: usize = 64;

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Box<dyn Store>,
    /// The durable state, and what this batch has decided on top of it.
    pub(super) ahead: State,
    /// Those who wait for something to claim.
    pub(super) waiters: Waiters,
    /// What gives leases more time and is not on disk yet.
    pub(super) moves: Moves,
    /// Whether those who wait are to be looked at again: what was decided since they were may have come
    /// to nothing.
    pub(super) reconsiders: bool,
    pub(super) absence: Absence,
    /// When the tables are brought up to the log, where they are behind it.
    pub(super) folds_at: Option<Duration>,
    /// Whether that failed when it was tried last.
    pub(super) failed_to_fold: bool,
    /// How many commands the last batch had.
    last_batch: usize,
    pub(super) pruning: Pruning,
    forgot_at: Timestamp,
    swept_at: Timestamp,
    saved_at: Timestamp,
    /// Until when what is due is not tried again, after a commit that failed.
    pub(super) rests_until: Option<Timestamp>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Box<dyn Store>,
        ahead: State,
        retention: Retention,
    ) -> Self {
        let now = shared.clock.now();
        Self {
            shared,
            store,
            ahead,
            waiters: Waiters::default(),
            // Nobody could renew a lease while the hub was down.
            moves: vec![MoveLeases::Started],
            reconsiders: false,
            absence: Absence::new(now),
            folds_at: None,
            failed_to_fold: false,
            last_batch: 0,
            pruning: Pruning::new(retention),
            forgot_at: now,
            swept_at: now,
            saved_at: now,
            rests_until: None,
        }
    }

    /// Gives leases the time that they have after a start, before anybody sees the hub.
    pub(super) fn start(&mut self) {
        self.turn(Vec::new());
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _closes = ClosesWhenDropped(self.shared.clone());
        let mut jobs = Vec::new();
        loop {
            // Those who were just answered get to speak before the next batch begins, where the
            // processors are short: fewer, larger batches cost less.
            if (2..YIELDS_BELOW).contains(&self.last_batch) {
                thread::yield_now();
            }
            let drained = self.shared.queue.drain(&mut jobs, deadline_in(self.patience()));
            self.last_batch = jobs.len();
            self.turn(mem::take(&mut jobs));
            if drained == Drained::Closed {
                break;
            }
        }
        let waiting = self.waiters.all();
        self.tell_nothing(waiting);
        self.fold();
        self.save_presence();
        while self.save_refusals() == Saved::More {}
    }

    /// One batch, and what is done now and then. A panic is a fault of the hub's own: it costs the
    /// batch its answers, never the hub its writer. How far it came nobody knows, as after a failed
    /// sync, and the way out is the same.
    fn turn(&mut self, jobs: Vec<Job>) {
        let is_idle = jobs.is_empty();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let now = self.shared.clock.now();
            let by_millis = self.shared.clock.take_jump();
            if by_millis > 0 {
                self.moves.push(MoveLeases::ClockJumped { by_millis });
                self.absence.jumped(now);
            }
            self.batch(jobs, now);
            self.keep_up();
            self.end_waits();
            self.housekeeping(now);
            self.prune(now, is_idle);
        }));
        if ended.is_err() {
            tracing::error!(
                "the writer panicked; its commands were answered with an internal error"
            );
            self.recover();
        }
    }

    /// How long to wait for a command: until something is due, a waiter's time is up, or a look round
    /// is due.
    fn patience(&self) -> Duration {
        let now = self.shared.clock.now();
        let is_due = !self.moves.is_empty() || self.reconsiders;
        let due = if is_due { Some(now) } else { self.ahead.next_deadline() };
        let due = due.filter(|_| self.rests_until.is_none());
        let until_due = due.map_or(IDLE, |due| {
            Duration::from_millis(u64::try_from(due.millis() - now.millis()).unwrap_or(0))
        });
        let end = self.waiters.next_end();
        let until = |at: Option<Duration>| {
            at.map_or(IDLE, |at| at.saturating_sub(self.shared.clock.monotonic()))
        };
        let prunes = self.pruning.patience(&self.shared);
        until_due.min(until(end)).min(until(self.folds_at)).min(prunes).min(IDLE)
    }

    fn batch(&mut self, jobs: Vec<Job>, now: Timestamp) {
        // What is due waits a moment after a commit that failed; a disk that stays full must not have
        // the same decision tried without pause.
        self.rests_until = self.rests_until.filter(|until| now < *until);
        let is_due = !self.moves.is_empty()
            || self.reconsiders
            || self.ahead.next_deadline().is_some_and(|due| due <= now);
        if !jobs.is_empty() || (is_due && self.rests_until.is_none()) {
            if !jobs.is_empty() {
                self.shared.counts.batches.record(jobs.len() as u64);
            }
            self.decide_and_commit(jobs, now);
        }
    }

    fn decide_and_commit(&mut self, jobs: Vec<Job>, now: Timestamp) {
        let mut decided = self.decide_due(now);
        for job in jobs {
            self.decide_job(job, now, &mut decided);
        }
        if decided.events.is_empty() {
            // What these were decided on has been committed before them.
            self.moves.drain(..decided.moves);
            return self.give(decided.answers);
        }
        match self.commit(&decided) {
            Ok(written) => self.publish(decided, written),
            Err(CommitError::Refused(why)) => {
                tracing::error!(why, "the store refused a batch; replaying it one by one");
                self.step_back();
                self.replay(decided.answers, now);
            }
            Err(failure) => self.fail(decided.answers, failure),
        }
    }

    /// The commit failed for the disk's sake. Until it takes writes again nobody can renew a lease,
    /// so that all have the time of a start afterwards.
    fn fail(&mut self, answers: Vec<Pending>, failure: CommitError) {
        if !self.moves.contains(&MoveLeases::Started) {
            self.moves.push(MoveLeases::Started);
        }
        match failure {
            CommitError::Unknown(why) => {
                self.degrade(&why);
                fail(answers, HubError::OutcomeUnknown(why));
                self.recover();
            }
            CommitError::Disk(why) | CommitError::Refused(why) => {
                self.degrade(&why);
                self.step_back();
                fail(answers, HubError::Unavailable(why));
            }
        }
    }

    /// The batch is on disk: readers and subscribers see it, then callers are told, in this order.
    fn publish(&mut self, decided: Decided, written: Written) {
        if written == Written::Tail {
            self.fell_behind();
        }
        self.moves.drain(..decided.moves);
        let now = self.ahead.now();
        let mut messages = 0;
        {
            let mut durable = self.shared.published.durable.write();
            let known = durable.head();
            for stamped in decided.events.iter().filter(|stamped| stamped.seq > known) {
                durable.evolve(stamped);
                match &stamped.event {
                    Event::MessageSent(_) => messages += 1,
                    Event::EntityRegistered(event) => {
                        let (id, kind) = (&event.entity.entity_id, event.entity.entity_type);
                        self.shared.presence.register(id, kind, now);
                        self.shared.presence.touch(id, now);
                    }
                    Event::EntityRemoved(event) => self.shared.presence.forget(&event.entity_id),
                    _ => {}
                }
            }
        }
        if written == Written::Tables {
            self.caught_up();
        }
        if messages > 0 {
            self.shared.hour.add(now, messages);
        }
        let shown = self.shared.published.window.head();
        let fresh = decided.events.into_iter().filter(|stamped| stamped.seq > shown);
        let entries: Vec<Arc<Entry>> = fresh.map(|stamped| Arc::new(Entry::new(stamped))).collect();
        let private = self.shared.published.private_channels();
        self.shared.published.rings.extend(&entries, &private);
        self.shared.published.window.extend(&entries);
        for entry in &entries {
            if let Some(Event::MessageRedacted(redacted)) = entry.event() {
                self.shared.published.redact(redacted);
                self.shared.published.forget_taken();
            }
            if let Some(Event::HistoryPruned(_)) = entry.event() {
                self.shared.is_pruning.store(true, Ordering::Release);
                self.shared.published.forget_old(self.ahead.horizons());
            }
        }
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        // A store that takes what is new, and does not fold, is not well.
        if !self.failed_to_fold {
            self.shared.degraded.store(false, Ordering::Release);
        }
        let mut answers = decided.answers;
        answers.iter_mut().for_each(|pending| attach_json(pending, &entries));
        // From here on whoever looks sees it. The bell only wakes those who wait, and there may be
        // thousands: the caller, who may have more to say, is not made to stand behind them.
        self.give(answers);
        self.shared.published.signal.ring();
    }

    /// The store refused a batch for what is in it: each command alone, so that the culprit alone
    /// fails.
    fn replay(&mut self, answers: Vec<Pending>, now: Timestamp) {
        let again =
            |Pending { envelope, answerer, place, .. }| Job::again(envelope, answerer, place);
        // Who waited waits again, where it was: what was opened for it may not be opened this time.
        let mut jobs = Vec::new();
        for job in answers.into_iter().map(again) {
            jobs.extend(self.waiters.put_back(job, &self.ahead));
        }
        // What these open they have a right to before all others; then those are looked at.
        self.reconsiders = false;
        let due = self.decide_due(now);
        self.commit_alone(due);
        for job in jobs {
            let mut alone = Decided::default();
            self.decide_job(job, now, &mut alone);
            self.commit_alone(alone);
        }
        self.reconsiders = true;
    }

    /// One transaction, counted and timed.
    fn commit(&mut self, Decided { events, .. }: &Decided) -> Result<Written, CommitError> {
        let started = self.shared.clock.monotonic();
        let committed = self.store.commit(&Batch { events, state: &self.ahead });
        let took = self.shared.clock.monotonic().saturating_sub(started);
        let counts = &self.shared.counts;
        counts.commits.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if committed.is_err() {
            counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    pub(super) fn commit_alone(&mut self, alone: Decided) {
        if alone.events.is_empty() {
            return self.give(alone.answers);
        }
        match self.commit(&alone) {
            Ok(written) => self.publish(alone, written),
            Err(CommitError::Refused(why)) => {
                tracing::error!(why, "the store refused a command");
                self.step_back();
                fail(alone.answers, HubError::Internal);
            }
            Err(failure) => self.fail(alone.answers, failure),
        }
    }

    /// Tells everyone what came of their commands. A claim that nobody waits for any more goes back:
    /// its holder would never know of it. Under a key it stays: the holder asks again, and is told.
    fn give(&self, answers: Vec<Pending>) {
        for Pending { envelope, answerer, answer, .. } in answers {
            let Some(untaken) = answerer.answer(answer) else { continue };
            if envelope.key.is_none() && matches!(envelope.command, Command::ClaimNext(_)) {
                self.shared.take_back(&envelope.caller, envelope.origin, untaken);
            }
        }
    }

    /// Tells those whose time is up that there was nothing; everybody, where waits are to end.
    fn end_waits(&mut self) {
        let ended = if self.waiters.is_empty() {
            Vec::new()
        } else if self.shared.ends_waits() {
            self.waiters.all()
        } else {
            self.waiters.ended(self.shared.clock.monotonic())
        };
        self.tell_nothing(ended);
        self.shared.waiters.store(self.waiters.len() as u64, Ordering::Relaxed);
    }

    fn tell_nothing(&self, jobs: Vec<Job>) {
        let seq = self.ahead.head();
        for Job { answerer, .. } in jobs {
            let nothing = Reply { seq, outcome: Outcome::NoTask, made: Made::Now };
            let _nobody = answerer.answer(Ok(nothing));
        }
    }

    /// Forgets what was decided and not committed.
    fn step_back(&mut self) {
        self.rests_until = Some(self.shared.clock.now().plus_millis(IDLE.as_millis() as i64));
        self.ahead = self.shared.published.durable.read().clone();
        self.reconsiders = true;
    }

    pub(super) fn degrade(&self, why: &str) {
        if !self.shared.degraded.swap(true, Ordering::AcqRel) {
            tracing::error!(why, "the store does not take writes; reads go on");
        }
    }

    /// After a failed sync nobody knows what is on disk: opens the file again, and takes what
    /// recovery found for true. Tries until it works; commands that come meanwhile are refused.
    pub(super) fn recover(&mut self) {
        loop {
            match self.reload() {
                Ok(()) => {
                    tracing::warn!("the store was opened again after a failed sync");
                    self.shared.degraded.store(false, Ordering::Release);
                    return;
                }
                Err(why) => {
                    tracing::error!(%why, "the store cannot be opened again yet");
                    self.shared.behind.fail(why.to_string());
                }
            }
            let mut jobs = Vec::new();
            let drained = self.shared.queue.drain(&mut jobs, deadline_in(IDLE));
            let why = "the file is being opened again after a failed sync";
            for job in jobs {
                let _nobody = job.answerer.answer(Err(HubError::Unavailable(why.to_owned())));
            }
            if drained == Drained::Closed {
                return;
            }
        }
    }

    /// Opens the store again, and publishes what it has that was never published.
    fn reload(&mut self) -> Result<(), HubError> {
        self.store.reopen()?;
        let limits = self.ahead.limits().clone();
        let loaded = self.store.load(&limits)?;
        // A panic may have come between the two.
        let (durable, shown) =
            (self.shared.published.durable.read().head(), self.shared.published.window.head());
        let mut found = Vec::new();
        let mut position = durable.min(shown);
        while position < loaded.state.head() {
            let page = self.store.history().events(position, 512)?;
            let Some(last) = page.last() else { break };
            position = last.seq;
            found.extend(page);
        }
        self.step_back();
        for stamped in found.iter().filter(|stamped| stamped.seq > durable) {
            self.ahead.evolve(stamped);
        }
        // Loading has brought the tables up to the log.
        self.publish(Decided { events: found, ..Decided::default() }, Written::Tables);
        Ok(())
    }

    /// What is done now and then: presence is swept and saved, what the gone have reserved is freed, and
    /// a store that refused is tried.
    fn housekeeping(&mut self, now: Timestamp) {
        if now.millis() - self.swept_at.millis() < IDLE.as_millis() as i64 {
            return;
        }
        self.swept_at = now;
        self.shared.presence.sweep(now);
        self.free_of_gone(now);
        if self.shared.degraded.load(Ordering::Acquire) {
            match self.store.probe() {
                Ok(()) if self.failed_to_fold => {}
                Ok(()) => {
                    tracing::info!("the store takes writes again");
                    self.shared.degraded.store(false, Ordering::Release);
                }
                Err(CommitError::Unknown(_)) => self.recover(),
                Err(_) => {}
            }
        }
        if now.millis() - self.forgot_at.millis() >= FORGET_KEYS_MILLIS {
            self.forgot_at = now;
            self.forget_keys(now);
        }
        if now.millis() - self.saved_at.millis() >= SAVE_PRESENCE_MILLIS {
            self.saved_at = now;
            self.save_presence();
            self.save_refusals();
        }
    }

    fn forget_keys(&mut self, now: Timestamp) {
        let past = now.plus_millis(-KEY_HOURS * 60 * 60 * 1_000);
        let Err(why) = self.store.forget_keys(past) else { return };
        tracing::warn!(%why, "old idempotency keys were not forgotten; it will be tried again");
        if matches!(why, CommitError::Unknown(_)) {
            self.recover();
        }
    }

    fn save_presence(&mut self) {
        let seen = self.shared.presence.take_unsaved();
        if seen.is_empty() {
            return;
        }
        let Err(why) = self.store.save_presence(&seen) else { return };
        tracing::warn!(%why, "presence was not saved; it will be tried again");
        self.shared.presence.mark_unsaved(&seen);
        if matches!(why, CommitError::Unknown(_)) {
            self.recover();
        }
    }

    fn save_refusals(&mut self) -> Saved {
        let unsaved = self.shared.refusals.take_unsaved();
        if unsaved.is_empty() {
            return Saved::All;
        }
        let saved = self.store.save_refusals(&unsaved.changed, &unsaved.gone);
        let Err(why) = saved else { return Saved::More };
        tracing::warn!(%why, "what was refused was not saved; it will be tried again");
        self.shared.refusals.mark_unsaved(unsaved);
        if matches!(why, CommitError::Unknown(_)) {
            self.recover();
        }
        Saved::All
    }
}

/// Whether there may be more to write.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Saved {
    More,
    All,
}

/// However the writer ends, nobody waits for it in vain.
struct ClosesWhenDropped(Arc<Shared>);

impl Drop for ClosesWhenDropped {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.queue.clear();
        self.0.published.close();
        self.0.behind.close();
    }
}

/// Gives the reply to a send the bytes of the messages.
fn attach_json(pending: &mut Pending, entries: &[Arc<Entry>]) {
    let (Ok(Reply { outcome: Outcome::Sent(sent), .. }), Some(first)) =
        (&mut pending.answer, entries.first())
    else {
        return;
    };
    for sent in sent.iter_mut().filter(|sent| sent.json.is_empty()) {
        let place = sent.message.seq.checked_sub(first.seq());
        let entry = place.and_then(|place| entries.get(place as usize));
        sent.json = entry.and_then(|entry| entry.message_json()).unwrap_or_default();
    }
}

/// Tells everyone in the batch that it failed: refusals too, for they were decided on what is not.
fn fail(answers: Vec<Pending>, error: HubError) {
    for Pending { answerer, .. } in answers {
        let _nobody = answerer.answer(Err(error.clone()));
    }
}
