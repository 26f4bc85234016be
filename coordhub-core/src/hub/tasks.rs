//! Deciding about tasks. [`TaskStatus`] has the table of transitions.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Answer, Decision, Desk, Rejection, State,
    policy::{self, Standing},
};
use crate::{
    command::{ClaimTask, CompleteTask, CreateTask, FailTask, ReleaseTask, UpdateTask},
    event::{
        Event, ReleaseReason, TaskCancelled, TaskClaimed, TaskCompleted, TaskCreated, TaskFailed,
        TaskReady, TaskReleased, TaskReopened, TaskUpdated,
    },
    ids::{EntityId, TaskId},
    json::JsonText,
    model::{Task, TaskStatus},
};

impl<'a> Desk<'a> {
    pub(super) fn create_task(&self, command: &CreateTask) -> Result<Decision, Rejection> {
        self.check_title("title", &command.title)?;
        self.check_text("description", &command.description)?;
        self.check_labels("tags", &command.tags)?;
        self.check_labels("capabilities", &command.capabilities)?;
        self.check_metadata(&command.metadata)?;
        let fresh = || TaskId::trusted(&self.fresh_id("task"));
        let task_id = command.task_id.clone().unwrap_or_else(fresh);
        let depends_on = self.dependencies(&task_id, &command.depends_on)?;
        if command.task_id.is_some() && self.known.task(self.state, &task_id).is_some() {
            return Err(Rejection::TaskExists(task_id));
        }
        let blocked_by = self.not_completed(&depends_on);
        let task = Task {
            task_id: task_id.clone(),
            title: command.title.clone(),
            description: command.description.clone(),
            status: waiting_status(&blocked_by),
            priority: command.priority,
            created_by: self.envelope.caller.id.clone(),
            claimed_by: None,
            requires_human: command.requires_human,
            requires_ai: command.requires_ai,
            tags: command.tags.clone(),
            capabilities: command.capabilities.clone(),
            depends_on,
            blocked_by,
            metadata: command.metadata.clone(),
            result: None,
            attempts: 0,
            max_attempts: None,
            retry_delay_seconds: None,
            not_before: None,
            lease_expires_at: None,
            stale: false,
            created_at: self.now,
            claimed_at: None,
            completed_at: None,
            updated_at: self.now,
            created_seq: 0,
            claim_token: 0,
        };
        Ok(Decision::new(Event::TaskCreated(TaskCreated { task }), Answer::Task(task_id)))
    }

    /// The tasks to wait for: each exists, none stands twice, none is the task itself.
    fn dependencies(&self, own: &TaskId, asked: &[TaskId]) -> Result<Vec<TaskId>, Rejection> {
        let most = self.state.limits().depends_on_max;
        if asked.len() > most {
            let detail =
                format!("depends_on has {} entries; at most {most} are taken", asked.len());
            return Err(Rejection::invalid("depends_on", detail));
        }
        let mut seen = BTreeSet::new();
        for id in asked {
            if id == own || self.known.task(self.state, id).is_none() {
                let detail = format!("depends_on names {id:?}, and there is no such task yet");
                return Err(Rejection::invalid("depends_on", detail));
            }
            seen.insert(id);
        }
        let mut in_order = asked.to_vec();
        in_order.retain(|id| seen.remove(id));
        Ok(in_order)
    }

    fn not_completed(&self, ids: &[TaskId]) -> Vec<TaskId> {
        let completed = |id: &TaskId| {
            let task = self.known.task(self.state, id);
            task.is_some_and(|task| task.status == TaskStatus::Completed)
        };
        ids.iter().filter(|id| !completed(id)).cloned().collect()
    }

    pub(super) fn update_task(&self, command: &UpdateTask) -> Result<Decision, Rejection> {
        if let Some(description) = &command.description {
            self.check_text("description", description)?;
        }
        let task = self.task(&command.task_id)?;
        if let Some(title) = &command.title {
            self.check_title("title", title)?;
        }
        if let Some(tags) = &command.tags {
            self.check_labels("tags", tags)?;
        }
        if let Some(metadata) = &command.metadata {
            self.check_metadata(metadata)?;
        }
        let caller = self.caller()?;
        if task.claimed_by.as_ref() != Some(caller) && !self.may_act_for(task.created_by.as_ref()) {
            return Err(not_yours("change", task));
        }
        self.check_unfinished(task)?;
        let event = TaskUpdated {
            task_id: task.task_id.clone(),
            title: command.title.clone().unwrap_or_else(|| task.title.clone()),
            created_by: task.created_by.clone(),
            claimed_by: task.claimed_by.clone(),
            description: command.description.clone().filter(|new| *new != task.description),
            priority: command.priority.filter(|new| *new != task.priority),
            tags: command.tags.clone().filter(|new| *new != task.tags),
            metadata: command.metadata.clone().filter(|new| *new != task.metadata),
        };
        let nothing_new = event.title == task.title
            && event.description.is_none()
            && event.priority.is_none()
            && event.tags.is_none()
            && event.metadata.is_none();
        if nothing_new {
            return Ok(Decision::nothing(Answer::TaskUnchanged(task.clone())));
        }
        Ok(Decision::new(Event::TaskUpdated(event), Answer::Task(task.task_id.clone())))
    }

    pub(super) fn claim_task(&self, command: &ClaimTask) -> Result<Decision, Rejection> {
        let task = self.task(&command.task_id)?;
        let claimer = self.caller()?;
        let is_held = task.status == TaskStatus::InProgress;
        if is_held && task.claimed_by.as_ref() == Some(claimer) {
            return Ok(Decision::nothing(Answer::TaskUnchanged(task.clone())));
        }
        check_able(self.state, task, claimer)?;
        self.check_unfinished(task)?;
        if let Some(holder) = &task.claimed_by {
            return Err(Rejection::TaskAlreadyClaimed {
                task_id: task.task_id.clone(),
                claimed_by: holder.clone(),
            });
        }
        if task.status == TaskStatus::Blocked {
            return Err(Rejection::TaskBlocked {
                task_id: task.task_id.clone(),
                blocked_by: task.blocked_by.clone(),
            });
        }
        let event = TaskClaimed {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: claimer.clone(),
            claim_token: task.claim_token + 1,
        };
        Ok(Decision::new(Event::TaskClaimed(event), Answer::Task(task.task_id.clone())))
    }

    pub(super) fn complete_task(&self, command: &CompleteTask) -> Result<Decision, Rejection> {
        if let Some(result) = &command.result {
            self.check_text("result", result.as_str())?;
        }
        let task = self.task(&command.task_id)?;
        if task.status == TaskStatus::Completed {
            return self.complete_again(task, command.result.as_ref());
        }
        let holder = self.holder(task, command.claim_token)?;
        let mut events = vec![Event::TaskCompleted(TaskCompleted {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: holder.clone(),
            result: command.result.clone(),
        })];
        events.extend(
            self.state
                .dependents(&task.task_id)
                .filter(|waiting| waiting.blocked_by == [task.task_id.clone()])
                .map(|waiting| {
                    Event::TaskReady(TaskReady {
                        task_id: waiting.task_id.clone(),
                        title: waiting.title.clone(),
                        created_by: waiting.created_by.clone(),
                    })
                }),
        );
        Ok(Decision { events, answer: Answer::Task(task.task_id.clone()) })
    }

    fn complete_again(
        &self,
        task: &Arc<Task>,
        result: Option<&JsonText>,
    ) -> Result<Decision, Rejection> {
        if let (Some(named), Some(holder)) = (&self.envelope.caller.id, &task.claimed_by)
            && named != holder
        {
            return Err(not_holder(task, holder, named));
        }
        if task.result.as_ref() == result {
            return Ok(Decision::nothing(Answer::TaskUnchanged(task.clone())));
        }
        Err(Rejection::AlreadyCompleted(task.task_id.clone()))
    }

    pub(super) fn fail_task(&self, command: &FailTask) -> Result<Decision, Rejection> {
        if let Some(reason) = &command.reason {
            self.check_text("reason", reason)?;
        }
        let task = self.task(&command.task_id)?;
        let holder = self.holder(task, command.claim_token)?;
        let event = TaskFailed {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: holder.clone(),
            reason: command.reason.clone(),
            attempts: task.attempts + 1,
        };
        Ok(Decision::new(Event::TaskFailed(event), Answer::Task(task.task_id.clone())))
    }

    pub(super) fn release_task(&self, command: &ReleaseTask) -> Result<Decision, Rejection> {
        let task = self.task(&command.task_id)?;
        let holder = self.holder(task, command.claim_token)?;
        let event = TaskReleased {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: holder.clone(),
            reason: ReleaseReason::Released,
        };
        Ok(Decision::new(Event::TaskReleased(event), Answer::Task(task.task_id.clone())))
    }

    pub(super) fn cancel_task(&self, task_id: &TaskId) -> Result<Decision, Rejection> {
        let task = self.task(task_id)?;
        self.caller()?;
        if !self.may_act_for(task.created_by.as_ref()) {
            return Err(not_yours("cancel", task));
        }
        if task.status == TaskStatus::Cancelled {
            return Ok(Decision::nothing(Answer::TaskUnchanged(task.clone())));
        }
        self.check_unfinished(task)?;
        let event = TaskCancelled {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: task.claimed_by.clone(),
        };
        Ok(Decision::new(Event::TaskCancelled(event), Answer::Task(task.task_id.clone())))
    }

    pub(super) fn reopen_task(&self, task_id: &TaskId) -> Result<Decision, Rejection> {
        let task = self.task(task_id)?;
        self.caller()?;
        if !self.may_act_for(task.created_by.as_ref()) {
            return Err(not_yours("reopen", task));
        }
        if !matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled) {
            return Err(Rejection::TaskNotReopenable {
                task_id: task.task_id.clone(),
                status: task.status,
            });
        }
        let blocked_by = self.not_completed(&task.depends_on);
        let reopened = Task {
            status: waiting_status(&blocked_by),
            blocked_by,
            claimed_by: None,
            claimed_at: None,
            updated_at: self.now,
            ..task.as_ref().clone()
        };
        let event = TaskReopened {
            claim_token: task.claim_token,
            created_seq: task.created_seq,
            task: reopened,
        };
        Ok(Decision::new(Event::TaskReopened(event), Answer::Task(task.task_id.clone())))
    }

    fn task(&self, id: &TaskId) -> Result<&'a Arc<Task>, Rejection> {
        self.known.task(self.state, id).ok_or_else(|| Rejection::UnknownTask(id.clone()))
    }

    fn check_unfinished(&self, task: &Task) -> Result<(), Rejection> {
        if task.status.is_finished() {
            let (task_id, status) = (task.task_id.clone(), task.status);
            return Err(Rejection::TaskNotOpen { task_id, status });
        }
        Ok(())
    }

    /// Who holds the task, where neither the caller nor the token contradicts it.
    fn holder<'t>(&self, task: &'t Task, token: Option<u64>) -> Result<&'t EntityId, Rejection> {
        let holder = match (&task.claimed_by, task.status) {
            (Some(holder), TaskStatus::InProgress) => holder,
            (_, status) => {
                return Err(Rejection::TaskNotClaimed { task_id: task.task_id.clone(), status });
            }
        };
        match (token, &self.envelope.caller.id) {
            (Some(shown), _) if shown != task.claim_token => {
                Err(Rejection::StaleClaim { task_id: task.task_id.clone(), shown })
            }
            (_, Some(named)) if named != holder => Err(not_holder(task, holder, named)),
            _ => Ok(holder),
        }
    }
}

/// Whether `claimer` is of the kind that the task needs, and can do what it asks for; if not, why.
pub fn check_able(state: &State, task: &Task, claimer: &EntityId) -> Result<(), Rejection> {
    let standing = policy::standing(state, Some(claimer));
    if task.requires_human && !standing.is_human() {
        return Err(Rejection::RequiresHuman(task.task_id.clone()));
    }
    // The old create script sets `requires_ai` always, so a name that never registered passes, and
    // a task that needs both needs the human.
    let no_ai = matches!(standing, Standing::Registered(kind) if !kind.is_ai());
    if task.requires_ai && !task.requires_human && no_ai {
        return Err(Rejection::RequiresAi(task.task_id.clone()));
    }
    let has: &[String] = state.entity(claimer).map_or(&[], |entity| &entity.capabilities);
    let missing: Vec<String> =
        task.capabilities.iter().filter(|need| !has.contains(need)).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Rejection::MissingCapabilities {
        task_id: task.task_id.clone(),
        entity_id: claimer.clone(),
        missing,
    })
}

fn waiting_status(blocked_by: &[TaskId]) -> TaskStatus {
    if blocked_by.is_empty() { TaskStatus::Open } else { TaskStatus::Blocked }
}

fn not_holder(task: &Task, holder: &EntityId, named: &EntityId) -> Rejection {
    Rejection::NotHolder {
        task_id: task.task_id.clone(),
        claimed_by: holder.clone(),
        named: named.clone(),
    }
}

fn not_yours(verb: &str, task: &Task) -> Rejection {
    let owner = task.created_by.as_ref().map_or("nobody", EntityId::as_str);
    Rejection::NotAllowed(format!(
        "task {:?} was created by {owner:?}: its creator or a human may {verb} it",
        task.task_id
    ))
}
