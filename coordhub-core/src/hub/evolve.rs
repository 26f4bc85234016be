//! How events change the state: the one way it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    proposals,
    state::{Cursors, State},
};
use crate::{
    event::{
        EntityRegistered, EntityRemoved, EntityUpdated, Event, ReadCursorMoved, Stamped,
        TaskReopened, TaskUpdated, VoteCast,
    },
    ids::{ProposalId, Seq, TaskId},
    model::{Channel, Entity, Message, Proposal, ProposalStatus, Task, TaskStatus},
    time::Timestamp,
};

impl State {
    /// Makes an event true. Cannot fail; reads nothing but the event and the state.
    pub fn evolve(&mut self, stamped: &Stamped) {
        debug_assert_eq!(stamped.seq, self.head + 1, "events are counted without holes");
        self.head = stamped.seq;
        self.now = self.now.max(stamped.at);
        match &stamped.event {
            Event::EntityRegistered(event) => self.entity_registered(stamped, event),
            Event::EntityUpdated(event) => self.entity_updated(event),
            Event::EntityRemoved(event) => self.entity_removed(event),
            Event::MessageSent(message) => self.message_sent(message),
            Event::ReadCursorMoved(event) => self.cursor_moved(event),
            Event::TaskCreated(event) => self.task_created(stamped.seq, &event.task),
            Event::TaskUpdated(event) => self.task_updated(stamped.at, event),
            Event::TaskReopened(event) => self.task_reopened(event),
            Event::TaskClaimed(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::InProgress;
                task.claimed_by = Some(event.claimed_by.clone());
                task.claimed_at = Some(stamped.at);
                task.claim_token = event.claim_token;
            }),
            Event::TaskReleased(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::Open;
                task.claimed_by = None;
                task.claimed_at = None;
            }),
            Event::TaskCompleted(event) => {
                self.change_task(&event.task_id, stamped.at, |task| {
                    task.status = TaskStatus::Completed;
                    task.result = event.result.clone();
                    task.completed_at = Some(stamped.at);
                });
                self.unblock_dependents(&event.task_id, stamped.at);
            }
            Event::TaskFailed(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::Failed;
                task.attempts = event.attempts;
            }),
            Event::TaskCancelled(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::Cancelled;
            }),
            Event::TaskReady(event) => self.change_task(&event.task_id, stamped.at, |task| {
                task.status = TaskStatus::Open;
            }),
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
        self.touched.tasks.insert(task.task_id.clone());
        self.insert_task(Arc::new(task));
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

    /// A task is completed: those that waited for it wait for one less.
    fn unblock_dependents(&mut self, completed: &TaskId, at: Timestamp) {
        for id in self.dependents.get(completed).cloned().unwrap_or_default() {
            self.change_task(&id, at, |task| task.blocked_by.retain(|other| other != completed));
        }
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
        self.deadlines.remove(&(shared.deadline, id.clone()));
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
    }

    pub(super) fn insert_proposal(&mut self, proposal: Arc<Proposal>) {
        if proposal.status == ProposalStatus::Open {
            self.deadlines.insert((proposal.deadline, proposal.proposal_id.clone()));
        }
        self.proposals.insert(proposal.proposal_id.clone(), proposal);
    }
}

/// Takes `value` out of the set under `key`, and the set out of the map where that empties it.
fn remove_from<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
