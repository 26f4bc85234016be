//! Reading tasks.

use std::sync::Arc;

use bytes::Bytes;

use super::{List, Window, take_from};
use crate::{
    engine::{Hub, HubError, presence::IDLE_MILLIS},
    hub::{Rejection, check_able},
    ids::{EntityId, TaskId},
    model::{LateResult, Note, Status, Task, TaskStatus},
    store::TaskFilter,
    subscribe::Entry,
    time::Timestamp,
};

impl Hub {
    /// Tasks in order of creation, if memory holds all that match: a filter on a status that is not
    /// final, or on who is ready for them.
    pub fn tasks_hot(
        &self,
        filter: &TaskFilter,
        ready_for: Option<&EntityId>,
        window: Window,
    ) -> Option<List<Task>> {
        let unfinished = filter.status.is_some_and(|status| !status.is_finished());
        if !unfinished && ready_for.is_none() {
            return None;
        }
        let (found, head) = self.with_state(|state| {
            let ready = |task: &Task| {
                ready_for.is_none_or(|id| {
                    task.status == TaskStatus::Open && check_able(state, task, id).is_ok()
                })
            };
            let matching =
                state.tasks_in(window.range()).filter(|task| filter.matches(task) && ready(task));
            // The texts of tasks are copied outside, where the writer need not wait for it.
            (take_from(matching.map(Arc::clone), window), state.head())
        });
        let now = self.now();
        let list = window.list(found, |task| task.created_seq, head);
        let copy = |task: Arc<Task>| {
            let mut task = Arc::unwrap_or_clone(task);
            self.mark_stale(&mut task, now);
            task
        };
        Some(List { items: list.items.into_iter().map(copy).collect(), next: list.next })
    }

    /// Tasks in order of creation.
    pub fn tasks(
        &self,
        filter: &TaskFilter,
        ready_for: Option<&EntityId>,
        window: Window,
    ) -> Result<List<Task>, HubError> {
        if let Some(hot) = self.tasks_hot(filter, ready_for, window) {
            return Ok(hot);
        }
        let (now, head) = (self.now(), self.head_seq());
        let mut found = self.shared.published.history.tasks(filter, &window.page())?;
        found.iter_mut().for_each(|task| self.mark_stale(task, now));
        Ok(window.list(found, |task| task.created_seq, head))
    }

    /// One task.
    pub fn task(&self, id: &TaskId) -> Result<Task, HubError> {
        let hot = self.with_state(|state| state.task(id).map(|task| Task::clone(task)));
        let mut task = match hot {
            Some(task) => task,
            None => self
                .shared
                .published
                .history
                .task(id)?
                .ok_or_else(|| Rejection::UnknownTask(id.clone()))?,
        };
        self.mark_stale(&mut task, self.now());
        Ok(task)
    }

    /// What happened to a task, oldest first, at most `limit` events, as the JSON of each.
    pub fn task_history(&self, id: &TaskId, limit: usize) -> Result<Vec<Bytes>, HubError> {
        let events = self.shared.published.history.task_history(id, limit)?;
        Ok(events.into_iter().map(|stamped| Entry::new(stamped).event_json()).collect())
    }

    /// The remarks on a task, oldest first, at most `limit`.
    pub fn task_notes(&self, id: &TaskId, limit: usize) -> Result<Vec<Note>, HubError> {
        Ok(self.shared.published.history.notes(id, limit)?)
    }

    /// What was brought for a task by those who had lost it.
    pub fn late_results(&self, id: &TaskId) -> Result<Vec<LateResult>, HubError> {
        Ok(self.shared.published.history.late_results(id)?)
    }

    /// A claim without a lease is stale while its holder is offline. Of a holder that never registered
    /// only the claim itself is known: it counts as a call made then.
    pub fn mark_stale(&self, task: &mut Task, now: Timestamp) {
        let (TaskStatus::InProgress, None) = (task.status, task.lease_expires_at) else { return };
        let Some(holder) = &task.claimed_by else { return };
        task.stale = match self.shared.presence.of(holder, now) {
            Some(presence) => presence.status == Status::Offline,
            None => task.claimed_at.is_none_or(|at| now.millis() - at.millis() > IDLE_MILLIS),
        };
    }
}
