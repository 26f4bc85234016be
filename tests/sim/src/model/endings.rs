//! How claims end: completed, failed, given back, answered.

use coordhub_core::{
    JsonText,
    command::{AnswerTask, CompleteTask, FailTask, ReleaseTask},
    ids::{EntityId, TaskId},
    model::TaskStatus,
};

use super::{Answer, Feed, Model, Refused, Task, Told, Who};

impl Model {
    pub(super) fn complete(
        &mut self,
        who: Who<'_>,
        command: &CompleteTask,
        feed: &Feed<'_>,
    ) -> Answer {
        let id = &command.task_id;
        let task = self.find_task(id)?;
        let shown = command.claim_token;
        // What a question is completed with is an answer.
        let options: &[String] = task.question.as_ref().map_or(&[], |question| &question.options);
        let is_option = |option: &String| Some(JsonText::string(option)) == command.result;
        if !options.is_empty() && !options.iter().any(is_option) {
            return Err(Refused::one(422, "invalid_field"));
        }
        let names_another = |holder: Option<&EntityId>| who.id.is_some() && who.id != holder;
        if task.status == TaskStatus::Completed {
            if task.result == command.result {
                // The contract does not say whether it matters who says so again.
                let own = !names_another(task.claimed_by.as_ref())
                    && shown.is_none_or(|token| token == task.token);
                if own || feed.refused != Some(true) {
                    return Ok(Told::Task(id.clone(), true));
                }
            }
            let mut refused = Refused::one(409, "already_completed");
            refused.add(shown.is_some(), 409, "stale_claim");
            refused.add(names_another(task.claimed_by.as_ref()), 409, "not_holder");
            self.keep_late(who, command, feed);
            return Err(refused);
        }
        let in_time = task.status == TaskStatus::InProgress;
        let lapsed = !in_time
            && task.status != TaskStatus::Cancelled
            && task.lapsed
            && shown == Some(task.token);
        if lapsed {
            let holder = task.claimers.get(&task.token).cloned();
            if names_another(holder.as_ref()) {
                let mut refused = Refused::one(409, "not_holder");
                refused.add(true, 409, "task_not_claimed");
                return Err(refused);
            }
            // One that had failed may be shown as opened again first.
            if feed.comes("task_reopened", id.as_str()) {
                let now = self.now;
                self.task_mut(id).forget_past_deadline(now);
                self.tell("task_reopened", id.as_str());
            }
            self.complete_now(id, holder, command.result.clone());
            return Ok(Told::Task(id.clone(), false));
        }
        let refused = self.check_claim(who, task, shown);
        if let Err(refused) = refused.check() {
            self.keep_late(who, command, feed);
            return Err(refused);
        }
        let holder = self.tasks[id].claimed_by.clone();
        self.complete_now(id, holder, command.result.clone());
        Ok(Told::Task(id.clone(), false))
    }

    /// Keeps a result that came too late. It must be kept where its claim was made by whoever brings
    /// it and has lapsed or been taken away; of other claims that are over it may be.
    fn keep_late(&mut self, who: Who<'_>, command: &CompleteTask, feed: &Feed<'_>) {
        let (Some(token), Some(result)) = (command.claim_token, &command.result) else { return };
        let task = &self.tasks[&command.task_id];
        let Some(claimer) = task.claimers.get(&token) else { return };
        let is_over = task.status != TaskStatus::InProgress || token < task.token;
        let is_own = who.id.is_none_or(|id| id == claimer);
        let is_new = task.late_results.iter().all(|(of, _)| *of != token);
        if !is_over || !is_new {
            return;
        }
        // Beyond what must be kept the hub may keep what it likes: look what it did.
        let taken_since = task.status == TaskStatus::InProgress && token < task.token;
        let must = taken_since && is_own;
        if must || feed.comes("late_result_kept", command.task_id.as_str()) {
            let result = Some(result.clone());
            self.task_mut(&command.task_id).late_results.push((token, result));
            self.tell("late_result_kept", command.task_id.as_str());
        }
    }

    pub(super) fn complete_now(
        &mut self,
        id: &TaskId,
        by: Option<EntityId>,
        result: Option<JsonText>,
    ) {
        let now = self.now;
        let task = self.task_mut(id);
        task.status = TaskStatus::Completed;
        task.claimed_by = by;
        task.completed_at = Some(now);
        task.result = result;
        task.lease = None;
        self.tell("task_completed", id.as_str());
        let freed: Vec<TaskId> = self
            .tasks
            .values()
            .filter(|task| task.status == TaskStatus::Blocked && self.blockers(task).is_empty())
            .map(|task| task.id.clone())
            .collect();
        for freed in freed {
            let status = self.resting(&self.tasks[&freed]);
            self.task_mut(&freed).status = status;
            if status == TaskStatus::Open {
                self.tell("task_ready", freed.as_str());
            }
        }
    }

    pub(super) fn fail(&mut self, who: Who<'_>, command: &FailTask) -> Answer {
        let task = self.find_task(&command.task_id)?;
        self.check_claim(who, task, command.claim_token).check()?;
        self.fail_now(&command.task_id);
        Ok(Told::Task(command.task_id.clone(), false))
    }

    /// Ends an attempt that was reported as failed.
    fn fail_now(&mut self, id: &TaskId) {
        let now = self.now;
        let task = self.task_mut(id);
        task.attempts += 1;
        task.lease = None;
        let again = task.max_attempts.is_some_and(|max| task.attempts < max);
        if !again {
            task.status = TaskStatus::Failed;
            self.tell("task_failed", id.as_str());
            return self.blocker_failed(id);
        }
        task.claimed_by = None;
        task.claimed_at = None;
        task.status = TaskStatus::Open;
        if let Some(seconds) = task.retry_delay_seconds.filter(|seconds| *seconds > 0) {
            task.not_before = Some(now.plus_millis(i64::from(seconds) * 1_000));
            task.status = TaskStatus::Scheduled;
        }
        self.tell("task_failed", id.as_str());
    }

    pub(super) fn release(&mut self, who: Who<'_>, command: &ReleaseTask) -> Answer {
        let task = self.find_task(&command.task_id)?;
        self.check_claim(who, task, command.claim_token).check()?;
        self.free(&command.task_id);
        Ok(Told::Task(command.task_id.clone(), false))
    }

    pub(super) fn answer(&mut self, who: Who<'_>, command: &AnswerTask, feed: &Feed<'_>) -> Answer {
        let task = self.find_task(&command.task_id)?;
        let mut refused = Refused::default();
        let options: &[String] = task.question.as_ref().map_or(&[], |question| &question.options);
        let outside = !options.is_empty() && !options.contains(&command.answer);
        refused.add(outside, 422, "invalid_field");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(!self.is_human(who.id), 403, "requires_human");
        refused.add(!self.is_human(who.id), 403, "not_allowed");
        // What a task needs of who claims it, it needs of who answers it.
        if let Some(id) = who.id {
            refused.join(self.unable(task, id));
        }
        refused.add(!task.requires_human, 409, "not_a_question");
        let result = JsonText::string(&command.answer);
        let same = task.status == TaskStatus::Completed && task.result.as_ref() == Some(&result);
        // Whether the same answer once more is one too many the contract does not say.
        if same && feed.refused != Some(true) {
            refused.check()?;
            return Ok(Told::Task(command.task_id.clone(), true));
        }
        refused.add(task.status == TaskStatus::Completed, 409, "already_completed");
        refused.add(task.status.is_finished(), 409, "task_not_open");
        // Who claimed a question is about to answer it.
        let held = task.status == TaskStatus::InProgress && task.claimed_by.as_ref() != who.id;
        refused.add(held, 409, "task_already_claimed");
        refused.add(held, 409, "not_holder");
        refused.add(task.status == TaskStatus::Blocked, 409, "task_blocked");
        refused.add(task.status == TaskStatus::Scheduled, 409, "task_scheduled");
        refused.check()?;
        let by = who.id.cloned();
        self.complete_now(&command.task_id, by, Some(result));
        Ok(Told::Task(command.task_id.clone(), false))
    }

    /// Whether a task waits for an answer.
    pub(super) fn is_asked(task: &Task) -> bool {
        task.question.is_some() && !task.status.is_finished()
    }
}
