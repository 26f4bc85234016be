//! Deciding who holds a task.

use std::sync::Arc;

use super::{
    Answer, Decision, Desk, Rejection, State, leases,
    policy::{self, Standing},
    ready::Wants,
};
use crate::{
    command::{ClaimNext, ClaimTask, ReleaseTask, ReturnClaim},
    event::{Event, ReleaseReason, TaskClaimed, TaskReleased},
    ids::{EntityId, TaskId},
    model::{Task, TaskStatus},
};

impl<'a> Desk<'a> {
    pub(super) fn claim_task(&self, command: &ClaimTask) -> Result<Decision, Rejection> {
        let task = self.task(&command.task_id)?;
        let lease_seconds = command.lease_seconds.map(leases::check_seconds).transpose()?;
        let claimer = self.caller()?;
        if task.status == TaskStatus::InProgress && task.claimed_by.as_ref() == Some(claimer) {
            return self.claim_again(task, command.claim_token);
        }
        check_able(self.state, task, claimer)?;
        self.check_unfinished(task)?;
        check_claimable(task)?;
        Ok(self.claim(task, claimer, lease_seconds))
    }

    /// The holder claims what it holds. Two programs may use one name: under a lease only the one that
    /// shows the token is the holder.
    fn claim_again(&self, task: &Task, token: Option<u64>) -> Result<Decision, Rejection> {
        if let Some(shown) = token.filter(|shown| *shown != task.claim_token) {
            return Err(stale(task, shown));
        }
        if token.is_none() && task.lease_expires_at.is_some() {
            check_claimable(task)?;
        }
        Ok(Decision::nothing(Answer::Claimed {
            task_id: task.task_id.clone(),
            claim_token: task.claim_token,
            lease_expires_at: task.lease_expires_at,
            already: true,
        }))
    }

    pub(super) fn claim_next(&self, command: &ClaimNext) -> Result<Decision, Rejection> {
        let lease_seconds = leases::check_seconds(command.lease_seconds)?;
        self.check_labels("tags", &command.tags)?;
        self.check_labels("capabilities", command.capabilities.as_deref().unwrap_or_default())?;
        let claimer = self.caller()?;
        let wants = Wants::new(self.state, claimer, command);
        Ok(match self.state.next_task(&wants) {
            Some(task) => self.claim(task, claimer, Some(lease_seconds)),
            None => Decision::nothing(Answer::NoTask),
        })
    }

    fn claim(&self, task: &Task, claimer: &EntityId, lease_seconds: Option<u32>) -> Decision {
        let event = self.claimed(task, claimer, lease_seconds);
        let answer = Answer::Claimed {
            task_id: task.task_id.clone(),
            claim_token: event.claim_token,
            lease_expires_at: event.lease_expires_at,
            already: false,
        };
        Decision::new(Event::TaskClaimed(event), answer)
    }

    /// The claim of a task by somebody who may have it.
    pub(super) fn claimed(
        &self,
        task: &Task,
        claimer: &EntityId,
        lease_seconds: Option<u32>,
    ) -> TaskClaimed {
        TaskClaimed {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: claimer.clone(),
            claim_token: task.claim_token + 1,
            lease_seconds,
            lease_expires_at: lease_seconds.map(|seconds| leases::end(self.now, seconds)),
        }
    }

    pub(super) fn release_task(&self, command: &ReleaseTask) -> Result<Decision, Rejection> {
        let task = self.task(&command.task_id)?;
        let holder = self.holder(task, command.claim_token)?;
        let event = released(task, holder, ReleaseReason::Released);
        Ok(Decision::new(event, task_answer(task)))
    }

    pub(super) fn return_claim(&self, command: &ReturnClaim) -> Decision {
        let held = self.state.task(&command.task_id).filter(|task| {
            task.status == TaskStatus::InProgress && task.claim_token == command.claim_token
        });
        let Some((task, holder)) = held.and_then(|t| t.claimed_by.as_ref().map(|id| (t, id)))
        else {
            return Decision::nothing(Answer::Done);
        };
        Decision::new(released(task, holder, ReleaseReason::Undelivered), Answer::Done)
    }

    pub(super) fn reassign_task(&self, task_id: &TaskId) -> Result<Decision, Rejection> {
        let task = self.task(task_id)?;
        self.caller()?;
        if !self.may_act_for(task.created_by.as_ref()) {
            return Err(super::tasks::not_yours("reassign", task));
        }
        match &task.claimed_by {
            Some(holder) if task.status == TaskStatus::InProgress => {
                let event = released(task, holder, ReleaseReason::Reassigned);
                Ok(Decision::new(event, task_answer(task)))
            }
            _ => Err(not_claimed(task)),
        }
    }

    /// Who holds the task, where neither the caller nor the token contradicts it.
    pub(super) fn holder<'t>(
        &self,
        task: &'t Task,
        token: Option<u64>,
    ) -> Result<&'t EntityId, Rejection> {
        let Some(holder) =
            task.claimed_by.as_ref().filter(|_| task.status == TaskStatus::InProgress)
        else {
            let lost = |shown: u64| shown < task.claim_token || task.lapsed_holder.is_some();
            return Err(match token {
                Some(shown) if lost(shown) => stale(task, shown),
                _ => not_claimed(task),
            });
        };
        match (token, &self.envelope.caller.id) {
            (Some(shown), _) if shown != task.claim_token => Err(stale(task, shown)),
            (_, Some(named)) if named != holder => Err(not_holder(task, holder, named)),
            (None, _) if task.lease_expires_at.is_some() => {
                Err(Rejection::ClaimTokenRequired(task.task_id.clone()))
            }
            _ => Ok(holder),
        }
    }

    pub(super) fn task(&self, id: &TaskId) -> Result<&'a Arc<Task>, Rejection> {
        self.known.task(self.state, id).ok_or_else(|| Rejection::UnknownTask(id.clone()))
    }

    pub(super) fn check_unfinished(&self, task: &Task) -> Result<(), Rejection> {
        if task.status.is_finished() {
            let (task_id, status) = (task.task_id.clone(), task.status);
            return Err(Rejection::TaskNotOpen { task_id, status });
        }
        Ok(())
    }
}

/// Whether nobody holds the task, and it waits for nothing.
pub(super) fn check_claimable(task: &Task) -> Result<(), Rejection> {
    let task_id = task.task_id.clone();
    if let Some(holder) = &task.claimed_by {
        return Err(Rejection::TaskAlreadyClaimed { task_id, claimed_by: holder.clone() });
    }
    match (task.status, task.not_before) {
        (TaskStatus::Blocked, _) => {
            Err(Rejection::TaskBlocked { task_id, blocked_by: task.blocked_by.clone() })
        }
        (TaskStatus::Scheduled, Some(not_before)) => {
            Err(Rejection::TaskScheduled { task_id, not_before })
        }
        _ => Ok(()),
    }
}

/// Whether `claimer` is of the kind that the task needs, and can do what it asks for; if not, why.
pub fn check_able(state: &State, task: &Task, claimer: &EntityId) -> Result<(), Rejection> {
    let standing = policy::standing(state, Some(claimer));
    if !policy::is_of_the_kind(standing, task.requires_human, task.requires_ai) {
        let task_id = task.task_id.clone();
        return Err(if task.requires_human {
            Rejection::RequiresHuman(task_id)
        } else {
            Rejection::RequiresAi(task_id)
        });
    }
    let has: &[String] = match standing {
        Standing::Registered(_) => state.entity(claimer).map_or(&[], |e| &e.capabilities),
        Standing::Unregistered => &[],
    };
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

/// A claim that ended and costs no attempt.
pub(super) fn released(task: &Task, holder: &EntityId, reason: ReleaseReason) -> Event {
    Event::TaskReleased(TaskReleased {
        task_id: task.task_id.clone(),
        title: task.title.clone(),
        created_by: task.created_by.clone(),
        claimed_by: holder.clone(),
        reason,
        attempts: None,
    })
}

/// The task as it is once the events are true.
pub(super) fn task_answer(task: &Task) -> Answer {
    Answer::Task { task_id: task.task_id.clone(), already: false }
}

/// The task as it was already.
pub(super) fn unchanged(task: &Task) -> Decision {
    Decision::nothing(Answer::Task { task_id: task.task_id.clone(), already: true })
}

pub(super) fn stale(task: &Task, shown: u64) -> Rejection {
    Rejection::StaleClaim { task_id: task.task_id.clone(), shown }
}

pub(super) fn not_claimed(task: &Task) -> Rejection {
    Rejection::TaskNotClaimed { task_id: task.task_id.clone(), status: task.status }
}

pub(super) fn not_holder(task: &Task, holder: &EntityId, named: &EntityId) -> Rejection {
    Rejection::NotHolder {
        task_id: task.task_id.clone(),
        claimed_by: holder.clone(),
        named: named.clone(),
    }
}
