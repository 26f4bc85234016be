//! Deciding how a task ends: completed, failed, answered, or given up.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    Answer, Decision, Desk, Rejection,
    claims::{check_able, check_claimable, not_claimed, not_holder, stale, task_answer, unchanged},
};
use crate::{
    command::{AnswerTask, CompleteTask, FailTask},
    event::{
        Event, FailCause, LateResultKept, TaskCancelled, TaskCompleted, TaskFailed, TaskReady,
    },
    ids::{EntityId, TaskId},
    json::JsonText,
    model::{OnBlockerFailed, Task, TaskStatus},
};

impl Desk<'_> {
    pub(super) fn complete_task(&self, command: &CompleteTask) -> Result<Decision, Rejection> {
        if let Some(result) = &command.result {
            self.check_text("result", result.as_str())?;
        }
        let task = self.task(&command.task_id)?;
        check_is_option(task, "result", command.result.as_ref())?;
        if let Some(shown) = command.claim_token.filter(|shown| self.has_lost(task, *shown)) {
            return self.late(task, shown, command.result.as_ref());
        }
        if task.status == TaskStatus::Completed {
            return self.complete_again(task, command.result.as_ref());
        }
        let lapsed = task.lapsed_holder.as_ref().filter(|_| command.claim_token.is_some());
        let (mut events, holder) = match lapsed {
            Some(holder) => {
                self.check_named(task, holder)?;
                // A failed task may have left memory: it comes back first.
                let failed = task.status == TaskStatus::Failed;
                let back = failed.then(|| self.reopened(task, task.attempts));
                (back.into_iter().collect(), holder)
            }
            None => (Vec::new(), self.holder(task, command.claim_token)?),
        };
        events.extend(self.completed(task, holder, command.result.clone()));
        Ok(Decision::of(events, task_answer(task)))
    }

    /// Whether the task is no longer to be completed under the claim of this token.
    fn has_lost(&self, task: &Task, shown: u64) -> bool {
        let held = task.status == TaskStatus::InProgress || task.lapsed_holder.is_some();
        let was_own = task.status == TaskStatus::Completed;
        shown != task.claim_token || !(held || was_own)
    }

    /// Somebody brings what is not wanted any more. It is refused, and kept: once for each claim.
    fn late(
        &self,
        task: &Task,
        shown: u64,
        result: Option<&JsonText>,
    ) -> Result<Decision, Rejection> {
        let was_claimed = (1..=task.claim_token).contains(&shown);
        let refusal =
            if shown == task.claim_token { not_claimed(task) } else { stale(task, shown) };
        let kept = self.known.has_late_result(self.state, &task.task_id, shown);
        let (Some(result), true, false) = (result, was_claimed, kept) else {
            return Err(refusal);
        };
        let event = LateResultKept {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            entity_id: self.envelope.caller.id.clone(),
            claim_token: shown,
            result: Some(result.clone()),
        };
        let events = vec![Event::LateResultKept(event)];
        let refusal = Some(Rejection::LateResultKept(Box::new(refusal)));
        Ok(Decision { refusal, ..Decision::of(events, Answer::Done) })
    }

    fn complete_again(
        &self,
        task: &Arc<Task>,
        result: Option<&JsonText>,
    ) -> Result<Decision, Rejection> {
        if let Some(holder) = &task.claimed_by {
            self.check_named(task, holder)?;
        }
        if task.result.as_ref() == result {
            return Ok(unchanged(task));
        }
        Err(Rejection::AlreadyCompleted(task.task_id.clone()))
    }

    fn check_named(&self, task: &Task, holder: &EntityId) -> Result<(), Rejection> {
        match &self.envelope.caller.id {
            Some(named) if named != holder => Err(not_holder(task, holder, named)),
            _ => Ok(()),
        }
    }

    pub(super) fn fail_task(&self, command: &FailTask) -> Result<Decision, Rejection> {
        if let Some(reason) = &command.reason {
            self.check_text("reason", reason)?;
        }
        let task = self.task(&command.task_id)?;
        let holder = self.holder(task, command.claim_token)?;
        let attempts = task.attempts + 1;
        let is_tried_again = task.max_attempts.is_some_and(|most| attempts < most);
        let rest = task.retry_delay_seconds.filter(|seconds| is_tried_again && *seconds > 0);
        let not_before = rest.map(|seconds| self.now.plus_millis(i64::from(seconds) * 1_000));
        let event = TaskFailed {
            reason: command.reason.clone(),
            status: match (is_tried_again, not_before) {
                (false, _) => TaskStatus::Failed,
                (true, None) => TaskStatus::Open,
                (true, Some(_)) => TaskStatus::Scheduled,
            },
            not_before,
            ..failure(task, Some(holder), attempts, FailCause::Reported)
        };
        Ok(Decision::of(self.given_up(event), task_answer(task)))
    }

    pub(super) fn answer_task(&self, command: &AnswerTask) -> Result<Decision, Rejection> {
        self.check_text("answer", &command.answer)?;
        let task = self.task(&command.task_id)?;
        let answer = JsonText::string(&command.answer);
        check_is_option(task, "answer", Some(&answer))?;
        let caller = self.caller()?;
        if !self.caller_standing().is_human() {
            return Err(Rejection::RequiresHuman(task.task_id.clone()));
        }
        check_able(self.state, task, caller)?;
        if !task.requires_human {
            return Err(Rejection::NotAQuestion(task.task_id.clone()));
        }
        let is_own = task.claimed_by.as_ref() == Some(caller);
        if task.status == TaskStatus::Completed && is_own {
            return self.complete_again(task, Some(&answer));
        }
        self.check_unfinished(task)?;
        if !is_own {
            check_claimable(task)?;
        }
        Ok(Decision::of(self.completed(task, caller, Some(answer)), task_answer(task)))
    }

    /// A question's deadline has passed.
    pub(super) fn unanswered(&self, task: &Task) -> Vec<Event> {
        match task.question.as_ref().and_then(|question| question.default.as_ref()) {
            Some(default) => {
                self.completed(task, &EntityId::system(), Some(JsonText::string(default)))
            }
            None => {
                let holder = task.claimed_by.as_ref();
                self.given_up(failure(task, holder, task.attempts, FailCause::Unanswered))
            }
        }
    }

    /// The task is completed, and those that waited for it alone can be done.
    fn completed(&self, task: &Task, by: &EntityId, result: Option<JsonText>) -> Vec<Event> {
        let mut events = vec![Event::TaskCompleted(TaskCompleted {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: by.clone(),
            result,
        })];
        let is_ready = |waiting: &&Arc<Task>| {
            waiting.blocked_by == [task.task_id.clone()]
                && waiting.not_before.is_none_or(|time| time <= self.now)
        };
        let waiting = self.state.dependents(&task.task_id).filter(is_ready);
        events.extend(waiting.map(|waiting| ready(waiting)));
        events
    }

    /// An attempt failed. Where it was the last, those that depend on the task may fall with it.
    pub(super) fn given_up(&self, event: TaskFailed) -> Vec<Event> {
        let (task_id, status) = (event.task_id.clone(), event.status);
        let mut events = vec![Event::TaskFailed(event)];
        if status == TaskStatus::Failed {
            events.extend(self.fallen(&task_id));
        }
        events
    }

    /// The tasks that are cancelled because one they depend on failed or was withdrawn, and those that
    /// depend on them in turn.
    pub(super) fn fallen(&self, root: &TaskId) -> Vec<Event> {
        let (mut events, mut seen) = (Vec::new(), BTreeSet::new());
        let mut blockers = VecDeque::from([root.clone()]);
        while let Some(blocker) = blockers.pop_front() {
            let falls = |task: &&Arc<Task>| task.on_blocker_failed == OnBlockerFailed::Cancel;
            for task in self.state.dependents(&blocker).filter(falls) {
                if seen.insert(task.task_id.clone()) {
                    blockers.push_back(task.task_id.clone());
                    events.push(cancelled(task, Some(blocker.clone())));
                }
            }
        }
        events
    }
}

/// A lease that lapsed at the last attempt.
pub(super) fn lapsed_for_good(task: &Task, holder: &EntityId, attempts: u32) -> TaskFailed {
    failure(task, Some(holder), attempts, FailCause::Lapsed)
}

fn failure(task: &Task, holder: Option<&EntityId>, attempts: u32, cause: FailCause) -> TaskFailed {
    TaskFailed {
        task_id: task.task_id.clone(),
        title: task.title.clone(),
        created_by: task.created_by.clone(),
        claimed_by: holder.cloned(),
        reason: None,
        attempts,
        cause,
        status: TaskStatus::Failed,
        not_before: None,
    }
}

/// The task can be claimed now.
pub(super) fn ready(task: &Task) -> Event {
    Event::TaskReady(TaskReady {
        task_id: task.task_id.clone(),
        title: task.title.clone(),
        created_by: task.created_by.clone(),
    })
}

/// The task is withdrawn, by somebody or because of a blocker.
pub(super) fn cancelled(task: &Task, blocker: Option<TaskId>) -> Event {
    Event::TaskCancelled(TaskCancelled {
        task_id: task.task_id.clone(),
        title: task.title.clone(),
        created_by: task.created_by.clone(),
        claimed_by: task.claimed_by.clone(),
        blocker,
    })
}

/// A question that offers answers takes one of them.
fn check_is_option(
    task: &Task,
    field: &'static str,
    answer: Option<&JsonText>,
) -> Result<(), Rejection> {
    let Some(question) = task.question.as_ref().filter(|question| !question.options.is_empty())
    else {
        return Ok(());
    };
    let is_one = |text: &JsonText| question.options.iter().any(|o| JsonText::string(o) == *text);
    if answer.is_some_and(is_one) {
        return Ok(());
    }
    let detail = format!("{field} must be one of {}", question.options.join(", "));
    Err(Rejection::invalid(field, detail))
}
