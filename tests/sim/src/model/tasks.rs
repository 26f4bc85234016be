//! Tasks: made, changed, withdrawn, opened again.

use std::collections::BTreeMap;

use coordhub_core::{
    JsonText, Timestamp,
    command::{CreateTask, UpdateTask},
    ids::{EntityId, Seq, TaskId},
    model::{OnBlockerFailed, Priority, Question, TaskStatus},
};

use super::{Answer, Feed, Model, Refused, Told, Who};

/// A task.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct Task {
    pub id: TaskId,
    pub title: String,
    pub description: String,
    pub status: TaskStatus,
    pub priority: Priority,
    pub created_by: Option<EntityId>,
    pub claimed_by: Option<EntityId>,
    pub requires_human: bool,
    pub requires_ai: bool,
    pub tags: Vec<String>,
    pub capabilities: Vec<String>,
    pub depends_on: Vec<TaskId>,
    pub metadata: JsonText,
    pub result: Option<JsonText>,
    pub attempts: u32,
    pub max_attempts: Option<u32>,
    pub retry_delay_seconds: Option<u32>,
    pub not_before: Option<Timestamp>,
    /// The length and the end of its claim's lease.
    pub lease: Option<(u32, Timestamp)>,
    pub cancels_with_blocker: bool,
    pub question: Option<Question>,
    pub created_at: Timestamp,
    pub created_seq: Seq,
    pub claimed_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// The token of its newest claim.
    pub token: u64,
    /// Who made each claim.
    pub claimers: BTreeMap<u64, EntityId>,
    /// Whether its newest claim lapsed.
    pub lapsed: bool,
    pub notes: Vec<(Seq, Option<EntityId>, String)>,
    /// What came too late, by the token of the claim.
    pub late_results: Vec<(u64, Option<JsonText>)>,
}

/// A claim, as its caller is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Of which task.
    pub task_id: TaskId,
    /// Its token.
    pub token: u64,
    /// When it lapses.
    pub lease_expires_at: Option<Timestamp>,
    /// Whether the caller held it already.
    pub already: bool,
}

impl Task {
    /// Whether somebody holds it.
    pub fn is_held_by(&self, id: &EntityId) -> bool {
        self.status == TaskStatus::InProgress && self.claimed_by.as_ref() == Some(id)
    }

    /// Opened again, a question would be ended at once by a deadline that has passed.
    pub(super) fn forget_past_deadline(&mut self, now: Timestamp) {
        if let Some(question) = &mut self.question {
            question.deadline = question.deadline.filter(|deadline| *deadline > now);
        }
    }
}

impl Model {
    /// Those of a task's dependencies that are not completed.
    pub fn blockers(&self, task: &Task) -> Vec<TaskId> {
        let open = |id: &&TaskId| {
            self.tasks.get(*id).is_none_or(|other| other.status != TaskStatus::Completed)
        };
        task.depends_on.iter().filter(open).cloned().collect()
    }

    /// Where a task stands that nobody holds and that is not finished.
    pub(super) fn resting(&self, task: &Task) -> TaskStatus {
        if !self.blockers(task).is_empty() {
            TaskStatus::Blocked
        } else if task.not_before.is_some_and(|at| at > self.now) {
            TaskStatus::Scheduled
        } else {
            TaskStatus::Open
        }
    }

    pub(super) fn task_mut(&mut self, id: &TaskId) -> &mut Task {
        self.tasks.get_mut(id).expect("the task was looked for")
    }

    pub(super) fn find_task(&self, id: &TaskId) -> Result<&Task, Refused> {
        self.tasks.get(id).ok_or(Refused::one(404, "unknown_task"))
    }

    /// Makes tasks, all or none; later ones may depend on earlier ones.
    pub(super) fn create_tasks(
        &mut self,
        who: Who<'_>,
        commands: &[CreateTask],
        feed: &Feed<'_>,
    ) -> Result<Vec<TaskId>, Refused> {
        let mut fresh = feed.task_ids();
        let mut made: Vec<Task> = Vec::new();
        for command in commands {
            let logged = fresh.pop_front();
            let id = command.task_id.clone().or(logged);
            let id = id.unwrap_or_else(|| {
                TaskId::parse(&format!("task-not-in-the-log-{}", made.len())).expect("an id")
            });
            let has =
                |id: &TaskId| self.tasks.contains_key(id) || made.iter().any(|task| task.id == *id);
            let mut refused = Refused::default();
            refused.add(command.title.trim().is_empty(), 422, "invalid_field");
            let unknown = command.depends_on.iter().any(|id| !has(id));
            refused.add(unknown, 422, "invalid_field");
            refused.add(command.depends_on.contains(&id), 422, "invalid_field");
            refused.add(command.max_attempts == Some(0), 422, "invalid_field");
            let asked_too_late = command
                .question
                .as_ref()
                .and_then(|question| question.deadline)
                .is_some_and(|deadline| deadline <= self.now);
            refused.add(asked_too_late, 422, "invalid_field");
            refused.add(has(&id), 409, "task_exists");
            // Those before it stand: the first that is refused is the one that is told.
            refused.check()?;
            made.push(self.new_task(who, id, command));
        }
        let ids: Vec<TaskId> = made.iter().map(|task| task.id.clone()).collect();
        for task in made {
            let id = task.id.clone();
            self.tasks.insert(id.clone(), task);
            let status = self.resting(&self.tasks[&id]);
            self.task_mut(&id).status = status;
            self.tell("task_created", id.as_str());
            self.fall_with_blocker(&id);
        }
        Ok(ids)
    }

    /// Withdraws a new task at once, where one that it depends on has failed and it says so.
    fn fall_with_blocker(&mut self, id: &TaskId) {
        let task = &self.tasks[id];
        let fell = |id: &TaskId| {
            matches!(self.tasks[id].status, TaskStatus::Failed | TaskStatus::Cancelled)
        };
        if task.cancels_with_blocker && task.depends_on.iter().any(fell) {
            self.cancel_now(id);
        }
    }

    fn new_task(&self, who: Who<'_>, id: TaskId, command: &CreateTask) -> Task {
        Task {
            id,
            title: command.title.clone(),
            description: command.description.clone(),
            status: TaskStatus::Open,
            priority: command.priority,
            created_by: who.id.cloned(),
            claimed_by: None,
            requires_human: command.requires_human,
            requires_ai: command.requires_ai,
            tags: command.tags.clone(),
            capabilities: command.capabilities.clone(),
            depends_on: command.depends_on.clone(),
            metadata: command.metadata.clone(),
            result: None,
            attempts: 0,
            max_attempts: command.max_attempts,
            retry_delay_seconds: command.retry_delay_seconds,
            not_before: command.not_before,
            lease: None,
            cancels_with_blocker: command.on_blocker_failed == OnBlockerFailed::Cancel,
            question: command.question.clone(),
            created_at: self.now,
            created_seq: 0,
            claimed_at: None,
            completed_at: None,
            token: 0,
            claimers: BTreeMap::new(),
            lapsed: false,
            notes: Vec::new(),
            late_results: Vec::new(),
        }
    }

    pub(super) fn update_task(&mut self, who: Who<'_>, command: &UpdateTask) -> Answer {
        let task = self.find_task(&command.task_id)?;
        let mut refused = Refused::default();
        let blank = command.title.as_ref().is_some_and(|title| title.trim().is_empty());
        refused.add(blank, 422, "invalid_field");
        // Who held it to the end may be called its holder, or not.
        let is_holder = who.id.is_some() && who.id == task.claimed_by.as_ref();
        let may = self.acts_for(who, task.created_by.as_ref()) || is_holder;
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(task.status.is_finished(), 409, "task_not_open");
        refused.check()?;
        let by = who.id.cloned();
        let task = self.task_mut(&command.task_id);
        let mut changed = false;
        let mut set = |differs: bool| changed |= differs;
        if let Some(title) = &command.title {
            set(task.title != *title);
            task.title.clone_from(title);
        }
        if let Some(description) = &command.description {
            set(task.description != *description);
            task.description.clone_from(description);
        }
        if let Some(priority) = command.priority {
            set(task.priority != priority);
            task.priority = priority;
        }
        if let Some(tags) = &command.tags {
            set(task.tags != *tags);
            task.tags.clone_from(tags);
        }
        if let Some(metadata) = &command.metadata {
            set(task.metadata != *metadata);
            task.metadata = metadata.clone();
        }
        if let Some(note) = &command.note {
            set(true);
            task.notes.push((0, by, note.clone()));
        }
        if changed {
            self.tell("task_updated", command.task_id.as_str());
        }
        Ok(Told::Task(command.task_id.clone(), !changed))
    }

    pub(super) fn cancel(&mut self, who: Who<'_>, id: &TaskId) -> Answer {
        let task = self.find_task(id)?;
        let mut refused = Refused::default();
        let may = self.acts_for(who, task.created_by.as_ref());
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        if task.status == TaskStatus::Cancelled {
            refused.check()?;
            return Ok(Told::Task(id.clone(), true));
        }
        refused.add(task.status.is_finished(), 409, "task_not_open");
        refused.check()?;
        self.cancel_now(id);
        Ok(Told::Task(id.clone(), false))
    }

    /// Withdraws a task, and those that are withdrawn with it.
    fn cancel_now(&mut self, id: &TaskId) {
        let task = self.task_mut(id);
        task.status = TaskStatus::Cancelled;
        task.lease = None;
        // What is withdrawn is no longer to be completed under a claim that lapsed before.
        task.lapsed = false;
        self.tell("task_cancelled", id.as_str());
        self.blocker_failed(id);
    }

    /// Withdraws what depends on a task that failed or was withdrawn, where it says so.
    pub(super) fn blocker_failed(&mut self, id: &TaskId) {
        let dependents: Vec<TaskId> = self
            .tasks
            .values()
            .filter(|task| task.status == TaskStatus::Blocked && task.cancels_with_blocker)
            .filter(|task| task.depends_on.contains(id))
            .map(|task| task.id.clone())
            .collect();
        for dependent in dependents {
            if self.tasks[&dependent].status == TaskStatus::Blocked {
                self.cancel_now(&dependent);
            }
        }
    }

    pub(super) fn reopen(&mut self, who: Who<'_>, id: &TaskId) -> Answer {
        let task = self.find_task(id)?;
        let mut refused = Refused::default();
        let may = self.acts_for(who, task.created_by.as_ref());
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        let reopenable = matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled);
        refused.add(!reopenable, 409, "task_not_reopenable");
        refused.check()?;
        let (status, now) = (self.resting(task), self.now);
        let task = self.task_mut(id);
        task.status = status;
        task.forget_past_deadline(now);
        task.claimed_by = None;
        task.claimed_at = None;
        task.result = None;
        // Whoever opens it again wants it tried again.
        task.attempts = 0;
        self.tell("task_reopened", id.as_str());
        Ok(Told::Task(id.clone(), false))
    }

    pub(super) fn reassign(&mut self, who: Who<'_>, id: &TaskId) -> Answer {
        let task = self.find_task(id)?;
        let mut refused = Refused::default();
        let may = self.acts_for(who, task.created_by.as_ref());
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(task.status != TaskStatus::InProgress, 409, "task_not_claimed");
        refused.check()?;
        self.free(id);
        Ok(Told::Task(id.clone(), false))
    }

    /// Puts a claimed task back into the pool. Counts no attempt.
    pub(super) fn free(&mut self, id: &TaskId) {
        let task = self.task_mut(id);
        task.status = TaskStatus::Open;
        task.claimed_by = None;
        task.claimed_at = None;
        task.lease = None;
        self.tell("task_released", id.as_str());
    }
}
