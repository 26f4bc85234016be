//! The state, and the one way it changes.
//!
//! Getters are nouns; [`State::evolve`] makes an event true; [`State::settle`] forgets what a commit
//! has made cold. Memory holds what decisions need: entities, unfinished tasks, open proposals, read
//! cursors, channels. History is on disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::RangeBounds,
    sync::Arc,
};

use super::{
    credentials::{Credentials, Sealed},
    keys::{KeptKey, KeyId},
    private::PrivateChannels,
    ready::Ready,
    reserved::Reservations,
};
use crate::{
    ids::{
        BUILT_IN_CHANNELS, ChannelName, EntityId, InviteId, MessageId, ProposalId, ReservationId,
        Seq, TaskId, TokenId,
    },
    limits::Limits,
    model::{
        Channel, Entity, EntityType, Horizons, Invite, Membership, Proposal, ProposalStatus,
        Reservation, RollCall, Task, Token,
    },
    time::Timestamp,
};

/// What the hub knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    limits: Limits,
    pub(super) head: Seq,
    pub(super) now: Timestamp,
    pub(super) entities: BTreeMap<EntityId, Arc<Entity>>,
    pub(super) entity_order: BTreeMap<Seq, EntityId>,
    pub(super) cursors: BTreeMap<EntityId, Cursors>,
    pub(super) channels: BTreeMap<ChannelName, Channel>,
    /// Who belongs to the private ones. Shared with whoever reads by it, so that reading holds up nobody.
    pub(super) private: Arc<PrivateChannels>,
    pub(super) tasks: BTreeMap<TaskId, Arc<Task>>,
    pub(super) task_order: BTreeMap<Seq, TaskId>,
    /// Blocked tasks by each task that blocks them, whether that is in memory or not.
    pub(super) dependents: BTreeMap<TaskId, BTreeSet<TaskId>>,
    pub(super) claims: BTreeMap<EntityId, BTreeSet<TaskId>>,
    pub(super) ready: Ready,
    /// All that hold. Shared with whoever looks at it, so that looking holds up nobody.
    pub(super) reservations: Arc<Reservations>,
    pub(super) proposals: BTreeMap<ProposalId, Arc<Proposal>>,
    pub(super) roll_calls: BTreeMap<MessageId, Arc<RollCall>>,
    /// Open roll-calls by who has not answered them.
    pub(super) acks_owed: BTreeMap<EntityId, BTreeSet<MessageId>>,
    /// Who may act as whom, and who may come to.
    pub(super) credentials: Credentials,
    /// What time alone will decide, in the order in which it does.
    pub(super) deadlines: BTreeSet<(Timestamp, Due)>,
    /// What was kept since the tables were last written; older ones are on disk.
    pub(super) fresh: Fresh,
    pub(super) totals: Totals,
    pub(super) horizons: Horizons,
    pub(super) touched: Touched,
}

/// What time decides when it comes to it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Due {
    /// The lease of a claim lapses.
    Lease(TaskId),
    /// A reservation lapses.
    Reservation(ReservationId),
    /// A scheduled task can be claimed.
    Task(TaskId),
    /// A question is answered by its default, or fails.
    Question(TaskId),
    /// A roll-call should have been answered.
    RollCall(MessageId),
    /// A proposal is decided.
    Proposal(ProposalId),
}

/// What is on disk only, but for what was decided since the tables were last written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fresh {
    pub(super) keys: BTreeMap<KeyId, Arc<KeptKey>>,
    pub(super) acked: BTreeSet<(MessageId, EntityId)>,
    pub(super) redacted: BTreeSet<MessageId>,
    pub(super) late_results: BTreeSet<(TaskId, u64)>,
}

/// How much there is of everything, history included.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Totals {
    /// Registered entities, by type in the order of [`EntityType::ALL`].
    pub entities: [u64; 4],
    /// Messages ever sent.
    pub messages: u64,
    /// Tasks ever created.
    pub tasks: u64,
    /// Proposals ever made.
    pub proposals: u64,
}

impl Totals {
    /// Registered entities of one type.
    pub fn entities_of(&self, kind: EntityType) -> u64 {
        self.entities[kind as usize]
    }
}

/// How far one entity has read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cursors {
    /// Everything up to here is read; begins at the registration.
    pub all: Seq,
    /// Channels that were read further.
    pub channels: BTreeMap<ChannelName, Seq>,
    /// Direct messages up to here are read.
    pub direct: Seq,
}

impl Cursors {
    /// How far `channel` is read.
    pub fn channel(&self, channel: &ChannelName) -> Seq {
        self.channels.get(channel).copied().unwrap_or(0).max(self.all)
    }

    /// How far direct messages are read.
    pub fn direct(&self) -> Seq {
        self.direct.max(self.all)
    }
}

/// What the events since the tables were last written have changed: the rows to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touched {
    /// Entities that registered, changed or went.
    pub entities: BTreeSet<EntityId>,
    /// Entities whose cursors moved.
    pub cursors: BTreeSet<EntityId>,
    /// Channels that were posted to, or made.
    pub channels: BTreeSet<ChannelName>,
    /// Private channels whose members changed.
    pub members: BTreeSet<ChannelName>,
    /// Tasks that changed.
    pub tasks: BTreeSet<TaskId>,
    /// Proposals that changed.
    pub proposals: BTreeSet<ProposalId>,
    /// Roll-calls that changed.
    pub roll_calls: BTreeSet<MessageId>,
    /// Reservations that changed, or ended.
    pub reservations: BTreeSet<ReservationId>,
    /// Tokens that changed, or were revoked.
    pub tokens: BTreeSet<TokenId>,
    /// Invites that changed, or were revoked.
    pub invites: BTreeSet<InviteId>,
    /// Whether something of the past was given up.
    pub horizons: bool,
}

impl State {
    /// A hub where nothing has happened yet.
    pub fn new(limits: Limits) -> Self {
        let built_in = Channel { created_at: None, created_by: None, head: 0, messages: 0 };
        let channels = BUILT_IN_CHANNELS
            .iter()
            .map(|name| (ChannelName::trusted(name), built_in.clone()))
            .collect();
        Self { limits, channels, ..Self::default() }
    }

    // Getters.

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The `seq` of the newest event, 0 where there is none.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// When the newest event happened.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How much there is of everything.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Up to where the past was given up.
    pub fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// A registered entity.
    pub fn entity(&self, id: &EntityId) -> Option<&Arc<Entity>> {
        self.entities.get(id)
    }

    /// Registered entities in the order of their registration, with its `seq`.
    pub fn entities(&self) -> impl DoubleEndedIterator<Item = (Seq, &Arc<Entity>)> {
        self.entities_in(..)
    }

    /// Those registered within a range of `seq`.
    pub fn entities_in(
        &self,
        range: impl RangeBounds<Seq>,
    ) -> impl DoubleEndedIterator<Item = (Seq, &Arc<Entity>)> {
        self.entity_order
            .range(range)
            .filter_map(|(seq, id)| self.entities.get(id).map(|entity| (*seq, entity)))
    }

    /// How far a registered entity has read.
    pub fn cursors(&self, id: &EntityId) -> Option<&Cursors> {
        self.cursors.get(id)
    }

    /// A channel that exists.
    pub fn channel(&self, name: &ChannelName) -> Option<&Channel> {
        self.channels.get(name)
    }

    /// Every channel, by name.
    pub fn channels(&self) -> &BTreeMap<ChannelName, Channel> {
        &self.channels
    }

    /// Who belongs to which private channel.
    pub fn private_channels(&self) -> &Arc<PrivateChannels> {
        &self.private
    }

    /// A task that is hot: unfinished, or finished since the tables were last written.
    pub fn task(&self, id: &TaskId) -> Option<&Arc<Task>> {
        self.tasks.get(id)
    }

    /// Unfinished tasks in the order of their creation.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = &Arc<Task>> {
        self.tasks_in(..)
    }

    /// Those created within a range of `seq`.
    pub fn tasks_in(
        &self,
        range: impl RangeBounds<Seq>,
    ) -> impl DoubleEndedIterator<Item = &Arc<Task>> {
        self.task_order.range(range).filter_map(|(_, id)| self.tasks.get(id))
    }

    /// How many tasks are unfinished.
    pub fn active_tasks(&self) -> usize {
        self.task_order.len()
    }

    /// The tasks that an entity holds.
    pub fn claims(&self, holder: &EntityId) -> impl Iterator<Item = &Arc<Task>> {
        self.claims.get(holder).into_iter().flatten().filter_map(|id| self.tasks.get(id))
    }

    /// The tasks that wait for this one.
    pub fn dependents(&self, blocker: &TaskId) -> impl Iterator<Item = &Arc<Task>> {
        self.dependents.get(blocker).into_iter().flatten().filter_map(|id| self.tasks.get(id))
    }

    /// What is reserved.
    pub fn reservations(&self) -> &Arc<Reservations> {
        &self.reservations
    }

    /// Tokens and invites, and whose id is not to be had again.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A proposal that is hot: open, or closed since the tables were last written.
    pub fn proposal(&self, id: &ProposalId) -> Option<&Arc<Proposal>> {
        self.proposals.get(id)
    }

    /// Every hot proposal, by id.
    pub fn proposals(&self) -> impl Iterator<Item = &Arc<Proposal>> {
        self.proposals.values()
    }

    /// An open roll-call, or one that was closed since the tables were last written.
    pub fn roll_call(&self, id: &MessageId) -> Option<&Arc<RollCall>> {
        self.roll_calls.get(id)
    }

    /// Every hot roll-call, by the id of its message.
    pub fn roll_calls(&self) -> impl Iterator<Item = &Arc<RollCall>> {
        self.roll_calls.values()
    }

    /// How many roll-calls are open, or were before the tables were last written.
    pub fn open_roll_calls(&self) -> usize {
        self.roll_calls.len()
    }

    /// The open roll-calls that an entity has not answered.
    pub fn acks_owed(&self, id: &EntityId) -> impl Iterator<Item = &Arc<RollCall>> {
        self.acks_owed.get(id).into_iter().flatten().filter_map(|id| self.roll_calls.get(id))
    }

    pub(super) fn key(&self, id: &KeyId) -> Option<&KeptKey> {
        self.fresh.keys.get(id).map(Arc::as_ref)
    }

    /// Whether a key was kept since the tables were last written.
    pub fn has_key(&self, id: &KeyId) -> bool {
        self.fresh.keys.contains_key(id)
    }

    pub(super) fn has_acked(&self, receipt: &(MessageId, EntityId)) -> bool {
        self.fresh.acked.contains(receipt)
    }

    pub(super) fn was_redacted(&self, id: &MessageId) -> bool {
        self.fresh.redacted.contains(id)
    }

    pub(super) fn has_late_result(&self, claim: &(TaskId, u64)) -> bool {
        self.fresh.late_results.contains(claim)
    }

    /// What is due first of all that time decides, and when.
    pub fn first_due(&self) -> Option<&(Timestamp, Due)> {
        self.deadlines.first()
    }

    /// Every claim with a lease, the first to lapse first.
    pub(super) fn leases(&self) -> impl Iterator<Item = &Arc<Task>> {
        let leased = |(_, due): &(Timestamp, Due)| match due {
            Due::Lease(id) => self.tasks.get(id),
            _ => None,
        };
        self.deadlines.iter().filter_map(leased)
    }

    /// When something is to be decided that nobody asks for.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// What has changed since the last [`settle`](Self::settle).
    pub fn touched(&self) -> &Touched {
        &self.touched
    }

    // What changes it: `evolve`, in a file of its own, and these.

    /// Forgets what has changed since the tables were last written, and what is history with that.
    pub fn settle(&mut self) {
        let touched = mem::take(&mut self.touched);
        self.fresh = Fresh::default();
        for id in touched.tasks {
            if self.tasks.get(&id).is_some_and(|task| task.status.is_finished()) {
                self.tasks.remove(&id);
            }
        }
        for id in touched.proposals {
            let closed = |proposal: &Arc<Proposal>| proposal.status != ProposalStatus::Open;
            if self.proposals.get(&id).is_some_and(closed) {
                self.proposals.remove(&id);
            }
        }
        for id in touched.roll_calls {
            if self.roll_calls.get(&id).is_some_and(|roll_call| !roll_call.is_open()) {
                self.roll_calls.remove(&id);
            }
        }
    }

    /// A state put together from what a store kept. The inverse of writing what [`Touched`] names.
    pub fn restored(limits: Limits, kept: Kept) -> Self {
        let mut state = Self::new(limits);
        state.head = kept.head;
        state.now = kept.now;
        state.totals = kept.totals;
        state.horizons = kept.horizons;
        state.channels.extend(kept.channels);
        let mut private = PrivateChannels::default();
        for (channel, membership) in kept.private {
            private.insert(channel, membership);
        }
        state.private = Arc::new(private);
        state.cursors = kept.cursors;
        kept.entities.into_iter().for_each(|entity| state.insert_entity(Arc::new(entity)));
        kept.tasks.into_iter().for_each(|task| state.insert_task(Arc::new(task)));
        kept.proposals.into_iter().for_each(|proposal| state.insert_proposal(Arc::new(proposal)));
        let reservations = kept.reservations.into_iter();
        reservations.for_each(|reservation| state.insert_reservation(Arc::new(reservation)));
        kept.roll_calls.into_iter().for_each(|call| state.insert_roll_call(Arc::new(call)));
        kept.tokens.into_iter().for_each(|token| state.credentials.insert_token(token));
        kept.invites.into_iter().for_each(|invite| state.credentials.insert_invite(invite));
        kept.removed.into_iter().for_each(|id| state.credentials.set_removed(id));
        state
    }
}

/// What a store keeps of a state: its hot part, row by row.
#[derive(Debug, Default)]
pub struct Kept {
    /// See [`State::head`].
    pub head: Seq,
    /// See [`State::now`].
    pub now: Timestamp,
    /// See [`State::totals`].
    pub totals: Totals,
    /// See [`State::horizons`].
    pub horizons: Horizons,
    /// Registered entities.
    pub entities: Vec<Entity>,
    /// Their cursors.
    pub cursors: BTreeMap<EntityId, Cursors>,
    /// Channels that were posted to, or made.
    pub channels: BTreeMap<ChannelName, Channel>,
    /// Who belongs to the private ones.
    pub private: BTreeMap<ChannelName, Membership>,
    /// Unfinished tasks.
    pub tasks: Vec<Task>,
    /// Open proposals.
    pub proposals: Vec<Proposal>,
    /// Open roll-calls.
    pub roll_calls: Vec<RollCall>,
    /// Reservations that hold.
    pub reservations: Vec<Reservation>,
    /// Tokens that are good.
    pub tokens: Vec<Sealed<Token>>,
    /// Invites that were not revoked.
    pub invites: Vec<Sealed<Invite>>,
    /// Ids whose entities were removed.
    pub removed: Vec<EntityId>,
}
