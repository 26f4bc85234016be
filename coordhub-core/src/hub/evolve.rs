//! How events change the state: the one way it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    proposals,
    state::{Cursors, Due, State},
};
use crate::{
    event::{
        ChannelCreated, ChannelMemberJoined, EntityRegistered, EntityRemoved, EntityUpdated, Event,
        FailCause, MessageAcked, MovedLease, MovedReservation, ReadCursorMoved, ReleaseReason,
        RollCallOpened, Stamped, TaskFailed, TaskReleased, TaskReopened, TaskUpdated, VoteCast,
    },
    ids::{EntityId, MessageId, ProposalId, Seq, TaskId},
    model::{
        Channel, Entity, Membership, Message, Proposal, ProposalStatus, RollCall, Task, TaskStatus,
    },
    time::Timestamp,
};

impl State {
    /// Makes an event true. Cannot fail; reads nothing but the event and the state.
    pub fn evolve(&mut self, stamped: &Stamped) {
        debug_assert_eq!(stamped.seq, self.head + 1, "events are counted without holes");
        self.head = stamped.seq;
        self.now = self.now.max(stamped.at);
        if let Some(key) = &stamped.key {
            self.fresh.keys.insert(key.id.clone(), key.clone());
        }
        match &stamped.event {
            Event::EntityRegistered(event) => self.entity_registered(stamped, event),
            Event::EntityUpdated(event) => self.entity_updated(event),
            Event::EntityRemoved(event) => self.entity_removed(event),
            Event::MessageSent(message) => self.message_sent(message),
            Event::MessageRedacted(event) => {
                self.fresh.redacted.insert(event.of.message_id.clone());
            }
            Event::RollCallOpened(event) => self.roll_call_opened(event),
            Event::MessageAcked(event) => self.message_acked(stamped.at, event),
            Event::RollCallOverdue(event) => {
                self.change_roll_call(&event.of.message_id, |call| call.is_overdue = true);
            }
            Event::RollCallResolved(event) => {
                self.change_roll_call(&event.of.message_id, |call| {
                    call.resolved_at = Some(stamped.at);
                    call.resolved_by = Some(event.resolved_by.clone());
                });
            }
            Event::KeyKept(_) => {}
            Event::InviteMade(_)
            | Event::InviteRevoked(_)
            | Event::TokenIssued(_)
            | Event::TokenUsed(_)
            | Event::TokenRotated(_)
            | Event::TokenRevoked(_) => self.credentials_changed(stamped),
            Event::ChannelCreated(event) => self.channel_created(stamped, event),
            Event::ChannelMemberJoined(event) => self.channel_member_joined(stamped.seq, event),
            Event::ChannelMemberLeft(event) => {
                Arc::make_mut(&mut self.private).leave(&event.channel, &event.entity_id);
                self.touched.members.insert(event.channel.clone());
            }
            Event::HistoryPruned(event) => {
                self.horizons.advance(event);
                self.touched.horizons = true;
            }
            Event::ReadCursorMoved(event) => self.cursor_moved(event),
            Event::TaskCreated(event) => self.task_created(stamped.seq, &event.task),
            Event::TaskUpdated(event) => self.task_updated(stamped.at, event),
            Event::TaskReopened(event) => self.task_reopened(event),
            Event::TaskClaimed(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::InProgress;
                task.claimed_by = Some(event.claimed_by.clone());
                task.claimed_at = Some(stamped.at);
                task.claim_token = event.claim_token;
                task.lease_seconds = event.lease_seconds;
                task.lease_expires_at = event.lease_expires_at;
                task.lapsed_holder = None;
            }),
            Event::LeaseRenewed(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.lease_expires_at = Some(event.lease_expires_at);
            }),
            Event::LeasesMoved(event) => {
                for MovedLease { task_id, lease_expires_at } in &event.leases {
                    self.change_task(task_id, stamped.at, |task| {
                        task.lease_expires_at = Some(*lease_expires_at);
                    });
                }
                for MovedReservation { reservation_id, expires_at } in &event.reservations {
                    self.set_reservation_end(reservation_id, *expires_at);
                }
            }
            Event::TaskReleased(event) => self.task_released(stamped.at, event),
            Event::TaskCompleted(event) => {
                self.change_task(&event.task_id, stamped.at, |task| {
                    end_claim(task);
                    task.status = TaskStatus::Completed;
                    // The hub itself holds nothing: it takes a default, or knows no better.
                    let by = Some(&event.claimed_by).filter(|id| **id != EntityId::system());
                    task.claimed_by = by.cloned();
                    task.result = event.result.clone();
                    task.completed_at = Some(stamped.at);
                });
                self.unblock_dependents(&event.task_id, stamped.at);
            }
            Event::TaskFailed(event) => self.task_failed(stamped.at, event),
            Event::TaskCancelled(event) => self.change_task(&event.task_id, stamped.at, |task| {
                end_claim(task);
                task.status = TaskStatus::Cancelled;
            }),
            Event::LateResultKept(event) => {
                self.fresh.late_results.insert((event.task_id.clone(), event.claim_token));
            }
            Event::TaskReady(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::Open;
            }),
            Event::ReservationAcquired(event) => self.reservation_acquired(stamped, event),
            Event::ReservationRenewed(event) => self.reservation_renewed(event),
            Event::ReservationReleased(event) => self.reservation_released(event),
            Event::ProposalCreated(event) => {
                let mut proposal = event.proposal.clone();
                proposal.created_seq = stamped.seq;
                proposal.open_electorate = event.open_electorate;
                proposal.default_quorum = event.default_quorum;
                proposal.human_electors = event.human_electors.iter().cloned().collect();
                self.totals.proposals += 1;
                self.touched.proposals.insert(proposal.proposal_id.clone());
                self.insert_proposal(Arc::new(proposal));
            }
            Event::VoteCast(event) => self.vote_cast(event),
            Event::ProposalDecided(event) => {
                self.close_proposal(&event.proposal_id, event.status, stamped.at);
                self.change_proposal(&event.proposal_id, |proposal| proposal.forced = event.forced);
            }
            Event::ProposalWithdrawn(event) => {
                self.close_proposal(&event.proposal_id, ProposalStatus::Withdrawn, stamped.at);
            }
        }
    }

    fn entity_registered(&mut self, stamped: &Stamped, event: &EntityRegistered) {
        let mut entity = event.entity.clone();
        entity.registered_seq = stamped.seq;
        let id = entity.entity_id.clone();
        for proposal_id in &event.joins {
            self.change_proposal(proposal_id, |proposal| {
                proposals::join(proposal, &id, entity.entity_type);
            });
        }
        self.totals.entities[entity.entity_type as usize] += 1;
        let cursors = Cursors { all: stamped.seq, ..Cursors::default() };
        self.cursors.insert(id.clone(), cursors);
        self.touched.cursors.insert(id.clone());
        self.credentials.unset_removed(&id);
        self.touched.entities.insert(id);
        self.insert_entity(Arc::new(entity));
    }

    fn entity_updated(&mut self, event: &EntityUpdated) {
        let Some(entity) = self.entities.get_mut(&event.entity_id) else { return };
        let entity = Arc::make_mut(entity);
        entity.name.clone_from(&event.name);
        entity.capabilities.clone_from(&event.capabilities);
        entity.metadata = event.metadata.clone();
        self.touched.entities.insert(event.entity_id.clone());
    }

    fn entity_removed(&mut self, event: &EntityRemoved) {
        let id = &event.entity_id;
        if let Some(entity) = self.entities.remove(id) {
            self.entity_order.remove(&entity.registered_seq);
            self.totals.entities[entity.entity_type as usize] -= 1;
        }
        self.cursors.remove(id);
        // Whoever takes the name next is another.
        if self.private.is_member_of_any(id) {
            let left = Arc::make_mut(&mut self.private).leave_all(id);
            self.touched.members.extend(left);
        }
        let open: Vec<ProposalId> = self
            .proposals()
            .filter(|proposal| {
                proposal.status == ProposalStatus::Open
                    && (proposal.open_electorate || proposal.electorate.contains(id))
            })
            .map(|proposal| proposal.proposal_id.clone())
            .collect();
        for proposal_id in open {
            self.change_proposal(&proposal_id, |proposal| proposals::depart(proposal, id));
        }
        self.credentials.set_removed(id.clone());
        self.touched.cursors.insert(id.clone());
        self.touched.entities.insert(id.clone());
    }

    fn message_sent(&mut self, message: &Message) {
        self.totals.messages += 1;
        let Some(name) = &message.channel else { return };
        let channel = self.channels.entry(name.clone()).or_insert_with(|| Channel {
            created_at: Some(message.timestamp),
            created_by: Some(message.from_entity.clone()),
            head: 0,
            messages: 0,
        });
        channel.head = message.seq;
        channel.messages += 1;
        if !self.touched.channels.contains(name) {
            self.touched.channels.insert(name.clone());
        }
    }

    fn channel_created(&mut self, stamped: &Stamped, event: &ChannelCreated) {
        let channel = Channel {
            created_at: Some(stamped.at),
            created_by: Some(event.created_by.clone()),
            head: 0,
            messages: 0,
        };
        self.channels.insert(event.channel.clone(), channel);
        let membership = Membership {
            members: event.members.iter().map(|id| (id.clone(), stamped.seq)).collect(),
            types: event.types.clone(),
        };
        Arc::make_mut(&mut self.private).insert(event.channel.clone(), membership);
        self.touched.channels.insert(event.channel.clone());
        self.touched.members.insert(event.channel.clone());
    }

    /// What stood there before is not unread: one begins to read a channel where one joins it, as one
    /// begins to read the others where one registers.
    fn channel_member_joined(&mut self, seq: Seq, event: &ChannelMemberJoined) {
        let (channel, id) = (&event.channel, &event.entity_id);
        Arc::make_mut(&mut self.private).join(channel, id, seq);
        self.touched.members.insert(channel.clone());
        if let Some(cursors) = self.cursors.get_mut(id) {
            cursors.channels.insert(channel.clone(), seq);
            self.touched.cursors.insert(id.clone());
        }
    }

    fn cursor_moved(&mut self, event: &ReadCursorMoved) {
        let Some(cursors) = self.cursors.get_mut(&event.entity_id) else { return };
        match (&event.channel, event.direct) {
            (Some(channel), _) => {
                cursors.channels.insert(channel.clone(), event.up_to);
            }
            (None, true) => cursors.direct = event.up_to,
            (None, false) => {
                cursors.all = event.up_to;
                cursors.channels.retain(|_, seq| *seq > event.up_to);
            }
        }
        self.touched.cursors.insert(event.entity_id.clone());
    }

    fn task_created(&mut self, seq: Seq, task: &Task) {
        let mut task = task.clone();
        task.created_seq = seq;
        self.totals.tasks += 1;
        self.touched.tasks.insert(task.task_id.clone());
        self.insert_task(Arc::new(task));
    }

    fn task_reopened(&mut self, event: &TaskReopened) {
        let mut task = event.task.clone();
        task.claim_token = event.claim_token;
        task.created_seq = event.created_seq;
        task.lapsed_holder.clone_from(&event.lapsed_holder);
        self.touched.tasks.insert(task.task_id.clone());
        self.insert_task(Arc::new(task));
    }

    fn task_released(&mut self, at: Timestamp, event: &TaskReleased) {
        self.change_task(&event.task_id, at, |task| {
            end_claim(task);
            task.status = TaskStatus::Open;
            task.claimed_by = None;
            task.claimed_at = None;
            if let Some(attempts) = event.attempts {
                task.attempts = attempts;
            }
            if event.reason == ReleaseReason::Lapsed {
                task.lapsed_holder = Some(event.claimed_by.clone());
            }
        });
    }

    fn task_failed(&mut self, at: Timestamp, event: &TaskFailed) {
        self.change_task(&event.task_id, at, |task| {
            end_claim(task);
            task.status = event.status;
            task.attempts = event.attempts;
            if !event.status.is_finished() {
                task.claimed_by = None;
                task.claimed_at = None;
                task.not_before = event.not_before;
            }
            if event.cause == FailCause::Lapsed {
                task.lapsed_holder.clone_from(&event.claimed_by);
            }
        });
    }

    fn task_updated(&mut self, at: Timestamp, event: &TaskUpdated) {
        self.change_task(&event.task_id, at, |task| {
            task.title.clone_from(&event.title);
            if let Some(description) = &event.description {
                task.description.clone_from(description);
            }
            if let Some(priority) = event.priority {
                task.priority = priority;
            }
            if let Some(tags) = &event.tags {
                task.tags.clone_from(tags);
            }
            if let Some(metadata) = &event.metadata {
                task.metadata = metadata.clone();
            }
        });
    }

    /// Changes a hot task, and moves it in the indexes where its claim or status moved.
    fn change_task(&mut self, id: &TaskId, at: Timestamp, change: impl FnOnce(&mut Task)) {
        let Some(mut shared) = self.tasks.remove(id) else { return };
        self.unindex_task(&shared);
        let task = Arc::make_mut(&mut shared);
        change(task);
        task.updated_at = at;
        self.touched.tasks.insert(id.clone());
        self.insert_task(shared);
    }

    /// A task is completed: those that waited for it wait for one less. One that waits for nothing
    /// any more is opened by an event of its own, unless its time has not come.
    fn unblock_dependents(&mut self, completed: &TaskId, at: Timestamp) {
        for id in self.dependents.get(completed).cloned().unwrap_or_default() {
            self.change_task(&id, at, |task| {
                task.blocked_by.retain(|other| other != completed);
                if task.blocked_by.is_empty() && task.not_before.is_some_and(|time| time > at) {
                    task.status = TaskStatus::Scheduled;
                }
            });
        }
    }

    fn roll_call_opened(&mut self, event: &RollCallOpened) {
        let of = &event.of;
        let roll_call = RollCall {
            message_id: of.message_id.clone(),
            seq: of.message_seq,
            from_entity: of.from_entity.clone(),
            to_entity: of.to_entity.clone(),
            channel: of.channel.clone(),
            recipients: event.recipients.iter().map(|id| (id.clone(), None)).collect(),
            deadline: event.deadline,
            is_overdue: false,
            resolved_at: None,
            resolved_by: None,
        };
        self.touched.roll_calls.insert(of.message_id.clone());
        self.insert_roll_call(Arc::new(roll_call));
    }

    fn message_acked(&mut self, at: Timestamp, event: &MessageAcked) {
        let (message, entity) = (&event.of.message_id, &event.entity_id);
        self.fresh.acked.insert((message.clone(), entity.clone()));
        let Some(shared) = self.roll_calls.get_mut(message) else { return };
        let call = Arc::make_mut(shared);
        let Some(acked) = call.recipients.get_mut(entity) else { return };
        *acked = Some(at);
        // One of many: the others stay where they are in the indexes.
        remove_from(&mut self.acks_owed, entity, message);
        if call.missing().next().is_none()
            && let Some(deadline) = call.deadline
        {
            self.deadlines.remove(&(deadline, Due::RollCall(message.clone())));
        }
        self.touched.roll_calls.insert(message.clone());
    }

    fn change_roll_call(&mut self, id: &MessageId, change: impl FnOnce(&mut RollCall)) {
        let Some(mut shared) = self.roll_calls.remove(id) else { return };
        self.unindex_roll_call(&shared);
        change(Arc::make_mut(&mut shared));
        self.touched.roll_calls.insert(id.clone());
        self.insert_roll_call(shared);
    }

    fn vote_cast(&mut self, event: &VoteCast) {
        self.change_proposal(&event.proposal_id, |proposal| {
            proposals::cast(proposal, event.vote.clone(), event.by_human);
        });
    }

    fn close_proposal(&mut self, id: &ProposalId, status: ProposalStatus, at: Timestamp) {
        self.change_proposal(id, |proposal| {
            proposal.status = status;
            proposal.decided_at = Some(at);
        });
    }

    fn change_proposal(&mut self, id: &ProposalId, change: impl FnOnce(&mut Proposal)) {
        let Some(mut shared) = self.proposals.remove(id) else { return };
        self.deadlines.remove(&(shared.deadline, Due::Proposal(id.clone())));
        change(Arc::make_mut(&mut shared));
        self.touched.proposals.insert(id.clone());
        self.insert_proposal(shared);
    }

    // Indexes. Loading a state from the store goes through these, too.

    pub(super) fn insert_entity(&mut self, entity: Arc<Entity>) {
        self.entity_order.insert(entity.registered_seq, entity.entity_id.clone());
        self.entities.insert(entity.entity_id.clone(), entity);
    }

    pub(super) fn insert_task(&mut self, task: Arc<Task>) {
        if !task.status.is_finished() {
            self.task_order.insert(task.created_seq, task.task_id.clone());
            for blocker in &task.blocked_by {
                self.dependents.entry(blocker.clone()).or_default().insert(task.task_id.clone());
            }
            if let Some(holder) = &task.claimed_by {
                self.claims.entry(holder.clone()).or_default().insert(task.task_id.clone());
            }
            self.ready.insert(&task);
            self.deadlines.extend(dues(&task));
        }
        self.tasks.insert(task.task_id.clone(), task);
    }

    fn unindex_task(&mut self, task: &Task) {
        self.task_order.remove(&task.created_seq);
        for blocker in &task.blocked_by {
            remove_from(&mut self.dependents, blocker, &task.task_id);
        }
        if let Some(holder) = &task.claimed_by {
            remove_from(&mut self.claims, holder, &task.task_id);
        }
        self.ready.remove(task);
        for due in dues(task) {
            self.deadlines.remove(&due);
        }
    }

    pub(super) fn insert_roll_call(&mut self, roll_call: Arc<RollCall>) {
        if roll_call.is_open() {
            for id in roll_call.missing() {
                let owed = self.acks_owed.entry(id.clone()).or_default();
                owed.insert(roll_call.message_id.clone());
            }
            self.deadlines.extend(due_of(&roll_call));
        }
        self.roll_calls.insert(roll_call.message_id.clone(), roll_call);
    }

    fn unindex_roll_call(&mut self, roll_call: &RollCall) {
        for id in roll_call.missing() {
            remove_from(&mut self.acks_owed, id, &roll_call.message_id);
        }
        if let Some(due) = due_of(roll_call) {
            self.deadlines.remove(&due);
        }
    }

    pub(super) fn insert_proposal(&mut self, proposal: Arc<Proposal>) {
        if proposal.status == ProposalStatus::Open {
            let due = Due::Proposal(proposal.proposal_id.clone());
            self.deadlines.insert((proposal.deadline, due));
        }
        self.proposals.insert(proposal.proposal_id.clone(), proposal);
    }
}

impl State {
    /// Whether the set of deadlines is what the tasks, proposals and roll-calls say.
    pub(super) fn deadlines_agree(&self) -> bool {
        let tasks = self.tasks().flat_map(|task| dues(task));
        let calls = self.roll_calls().filter(|call| call.is_open()).filter_map(|call| due_of(call));
        let open = self.proposals().filter(|p| p.status == ProposalStatus::Open);
        let proposals = open.map(|p| (p.deadline, Due::Proposal(p.proposal_id.clone())));
        let reserved = self.reservations.in_order(..);
        let reserved = reserved.map(|r| (r.expires_at, Due::Reservation(r.reservation_id.clone())));
        let all = tasks.chain(calls).chain(proposals).chain(reserved);
        let expected: BTreeSet<_> = all.collect();
        expected == self.deadlines
    }
}

/// A claim is over, however it ended.
fn end_claim(task: &mut Task) {
    task.lease_seconds = None;
    task.lease_expires_at = None;
    task.lapsed_holder = None;
}

/// What time will decide about an unfinished task.
fn dues(task: &Task) -> impl Iterator<Item = (Timestamp, Due)> {
    let id = || task.task_id.clone();
    let lease = task.lease_expires_at.map(|at| (at, Due::Lease(id())));
    let scheduled = task.not_before.filter(|_| task.status == TaskStatus::Scheduled);
    let question = task.question.as_ref().and_then(|question| question.deadline);
    lease
        .into_iter()
        .chain(scheduled.map(|at| (at, Due::Task(id()))))
        .chain(question.map(|at| (at, Due::Question(id()))))
}

/// When it is to be told that somebody has not answered: never, where everybody has.
fn due_of(roll_call: &RollCall) -> Option<(Timestamp, Due)> {
    let is_missed = !roll_call.is_overdue && roll_call.missing().next().is_some();
    let deadline = roll_call.deadline.filter(|_| is_missed)?;
    Some((deadline, Due::RollCall(roll_call.message_id.clone())))
}

/// Takes `value` out of the set under `key`, and the set out of the map where that empties it.
pub(super) fn remove_from<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
