//! Deciding what tasks there are, and what they say. [`TaskStatus`] has the table of transitions.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Answer, Decision, Desk, Rejection,
    claims::{task_answer, unchanged},
    endings::cancelled,
};
use crate::{
    command::{CreateTask, UpdateTask},
    event::{Event, TaskCreated, TaskReopened, TaskUpdated},
    ids::{EntityId, TaskId},
    limits::{ATTEMPTS_MAX, OPTIONS_MAX, RETRY_DELAY_SECONDS_MAX},
    model::{OnBlockerFailed, Question, Task, TaskStatus},
    time::Timestamp,
};

impl Desk<'_> {
    pub(super) fn create_task(&self, command: &CreateTask) -> Result<Decision, Rejection> {
        let made = self.make_task(command, 0, &Drafts::new())?;
        let answer = task_answer(&made.task);
        Ok(Decision::of(made.into_events(), answer))
    }

    /// All of them, or none. A later one may depend on an earlier one.
    pub(super) fn create_tasks(&self, commands: &[CreateTask]) -> Result<Decision, Rejection> {
        let (mut drafts, mut ids, mut events) = (Drafts::new(), Vec::new(), Vec::new());
        for (nth, command) in commands.iter().enumerate() {
            let made = self.make_task(command, nth, &drafts).map_err(|why| why.in_item(nth))?;
            ids.push(made.task.task_id.clone());
            drafts.insert(made.task.task_id.clone(), made.status());
            events.extend(made.into_events());
        }
        Ok(Decision::of(events, Answer::Tasks(ids)))
    }

    /// The task that a command asks for. `nth` counts the tasks that one command makes, and `drafts`
    /// are those it has made.
    pub(super) fn make_task(
        &self,
        command: &CreateTask,
        nth: usize,
        drafts: &Drafts,
    ) -> Result<Made, Rejection> {
        self.check_title("title", &command.title)?;
        self.check_text("description", &command.description)?;
        self.check_labels("tags", &command.tags)?;
        self.check_labels("capabilities", &command.capabilities)?;
        self.check_metadata(&command.metadata)?;
        check_attempts(command)?;
        self.check_question(command.question.as_ref())?;
        let fresh = || TaskId::trusted(&self.fresh_id("task", nth));
        let task_id = command.task_id.clone().unwrap_or_else(fresh);
        let status_of = |id: &TaskId| {
            let known = || self.known.task(self.state, id).map(|task| task.status);
            drafts.get(id).copied().or_else(known)
        };
        let depends_on = self.dependencies(&task_id, &command.depends_on, status_of)?;
        if command.task_id.is_some() && status_of(&task_id).is_some() {
            return Err(Rejection::TaskExists(task_id));
        }
        let blocked_by = not_completed(&depends_on, status_of);
        let fell = |id: &&TaskId| {
            matches!(status_of(id), Some(TaskStatus::Failed | TaskStatus::Cancelled))
        };
        let falls = command.on_blocker_failed == OnBlockerFailed::Cancel;
        let blocker = blocked_by.iter().find(fell).filter(|_| falls).cloned();
        let task = Task {
            task_id,
            title: command.title.clone(),
            description: command.description.clone(),
            status: self.waiting_status(&blocked_by, command.not_before),
            priority: command.priority,
            created_by: self.envelope.caller.id.clone(),
            claimed_by: None,
            requires_human: command.requires_human || command.question.is_some(),
            requires_ai: command.requires_ai,
            tags: command.tags.clone(),
            capabilities: command.capabilities.clone(),
            depends_on,
            blocked_by,
            metadata: command.metadata.clone(),
            result: None,
            attempts: 0,
            max_attempts: command.max_attempts,
            retry_delay_seconds: command.retry_delay_seconds,
            not_before: command.not_before,
            lease_expires_at: None,
            on_blocker_failed: command.on_blocker_failed,
            question: command.question.clone(),
            stale: false,
            created_at: self.now,
            claimed_at: None,
            completed_at: None,
            updated_at: self.now,
            created_seq: 0,
            claim_token: 0,
            lease_seconds: None,
            lapsed_holder: None,
        };
        Ok(Made { task, blocker })
    }

    fn check_question(&self, question: Option<&Question>) -> Result<(), Rejection> {
        let Some(Question { options, deadline, default }) = question else { return Ok(()) };
        if options.len() > OPTIONS_MAX {
            let detail = format!("a question offers at most {OPTIONS_MAX} options");
            return Err(Rejection::invalid("options", detail));
        }
        options.iter().try_for_each(|option| self.check_title("options", option))?;
        if let Some(default) = default {
            self.check_text("default", default)?;
            if deadline.is_none() {
                let detail = "default is taken at the deadline; give a deadline, too";
                return Err(Rejection::invalid("default", detail));
            }
            if !options.is_empty() && !options.contains(default) {
                let detail = format!("default must be one of {}", options.join(", "));
                return Err(Rejection::invalid("default", detail));
            }
        }
        match deadline {
            Some(at) if *at <= self.now => {
                let detail =
                    format!("the deadline {at} is past; by the hub's clock it is {}", self.now);
                Err(Rejection::invalid("deadline", detail))
            }
            _ => Ok(()),
        }
    }

    /// The tasks to wait for: each exists, none stands twice, none is the task itself.
    fn dependencies(
        &self,
        own: &TaskId,
        asked: &[TaskId],
        status_of: impl Fn(&TaskId) -> Option<TaskStatus>,
    ) -> Result<Vec<TaskId>, Rejection> {
        let most = self.state.limits().depends_on_max;
        if asked.len() > most {
            let detail =
                format!("depends_on has {} entries; at most {most} are taken", asked.len());
            return Err(Rejection::invalid("depends_on", detail));
        }
        let mut seen = BTreeSet::new();
        for id in asked {
            if id == own || status_of(id).is_none() {
                let detail = format!("depends_on names {id:?}, and there is no such task yet");
                return Err(Rejection::invalid("depends_on", detail));
            }
            seen.insert(id);
        }
        let mut in_order = asked.to_vec();
        in_order.retain(|id| seen.remove(id));
        Ok(in_order)
    }

    /// Where a task stands that nobody has claimed.
    fn waiting_status(&self, blocked_by: &[TaskId], not_before: Option<Timestamp>) -> TaskStatus {
        match (blocked_by, not_before) {
            ([_, ..], _) => TaskStatus::Blocked,
            ([], Some(time)) if time > self.now => TaskStatus::Scheduled,
            ([], _) => TaskStatus::Open,
        }
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
        if let Some(note) = &command.note {
            self.check_text("note", note)?;
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
            note: command.note.clone(),
        };
        let nothing_new = event.title == task.title
            && event.description.is_none()
            && event.priority.is_none()
            && event.tags.is_none()
            && event.metadata.is_none()
            && event.note.is_none();
        if nothing_new {
            return Ok(unchanged(task));
        }
        Ok(Decision::new(Event::TaskUpdated(event), task_answer(task)))
    }

    pub(super) fn cancel_task(&self, task_id: &TaskId) -> Result<Decision, Rejection> {
        let task = self.task(task_id)?;
        self.caller()?;
        if !self.may_act_for(task.created_by.as_ref()) {
            return Err(not_yours("cancel", task));
        }
        if task.status == TaskStatus::Cancelled {
            return Ok(unchanged(task));
        }
        self.check_unfinished(task)?;
        let mut events = vec![cancelled(task, None)];
        events.extend(self.fallen(task_id));
        Ok(Decision::of(events, task_answer(task)))
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
        // Whoever opens it again wants it tried as if it were new.
        Ok(Decision::new(self.reopened(task, 0), task_answer(task)))
    }

    /// The task as it is when it is opened again: with so many attempts behind it, and no deadline that
    /// has passed.
    pub(super) fn reopened(&self, task: &Task, attempts: u32) -> Event {
        // It was there when this one was made. What was pruned since was finished, and holds nobody up.
        let status_of = |id: &TaskId| {
            let blocker = self.known.task(self.state, id);
            Some(blocker.map_or(TaskStatus::Completed, |task| task.status))
        };
        let blocked_by = not_completed(&task.depends_on, status_of);
        let question = task.question.clone().map(|question| Question {
            deadline: question.deadline.filter(|at| *at > self.now),
            ..question
        });
        let reopened = Task {
            status: self.waiting_status(&blocked_by, task.not_before),
            blocked_by,
            claimed_by: None,
            claimed_at: None,
            attempts,
            question,
            updated_at: self.now,
            ..task.clone()
        };
        Event::TaskReopened(TaskReopened {
            claim_token: task.claim_token,
            created_seq: task.created_seq,
            lapsed_holder: task.lapsed_holder.clone(),
            task: reopened,
        })
    }
}

/// Where the tasks stand that a command has made so far.
pub(super) type Drafts = BTreeMap<TaskId, TaskStatus>;

/// A task that is about to be.
pub(super) struct Made {
    pub(super) task: Task,
    /// The task that failed before this one was made, and makes it fall at once.
    blocker: Option<TaskId>,
}

impl Made {
    pub(super) fn status(&self) -> TaskStatus {
        if self.blocker.is_some() { TaskStatus::Cancelled } else { self.task.status }
    }

    /// How it comes to be.
    pub(super) fn into_events(self) -> Vec<Event> {
        let falls = self.blocker.map(|blocker| cancelled(&self.task, Some(blocker)));
        let created = Event::TaskCreated(TaskCreated { task: self.task });
        std::iter::once(created).chain(falls).collect()
    }
}

fn not_completed(ids: &[TaskId], status_of: impl Fn(&TaskId) -> Option<TaskStatus>) -> Vec<TaskId> {
    ids.iter().filter(|id| status_of(id) != Some(TaskStatus::Completed)).cloned().collect()
}

fn check_attempts(command: &CreateTask) -> Result<(), Rejection> {
    if command.max_attempts.is_some_and(|most| !(1..=ATTEMPTS_MAX).contains(&most)) {
        let detail = format!("max_attempts must be from 1 to {ATTEMPTS_MAX}");
        return Err(Rejection::invalid("max_attempts", detail));
    }
    if command.retry_delay_seconds.is_some_and(|seconds| seconds > RETRY_DELAY_SECONDS_MAX) {
        let detail = format!("retry_delay_seconds must be from 0 to {RETRY_DELAY_SECONDS_MAX}");
        return Err(Rejection::invalid("retry_delay_seconds", detail));
    }
    Ok(())
}

pub(super) fn not_yours(verb: &str, task: &Task) -> Rejection {
    let owner = task.created_by.as_ref().map_or("nobody", EntityId::as_str);
    Rejection::NotAllowed(format!(
        "task {:?} was created by {owner:?}: its creator or a human may {verb} it",
        task.task_id
    ))
}
