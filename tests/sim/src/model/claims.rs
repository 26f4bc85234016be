//! Claims: exactly one holder, with or without a lease.

use coordhub_core::{
    command::{ClaimNext, ClaimTask, RenewLease, ReturnClaim},
    ids::{EntityId, TaskId},
    model::{EntityType, Priority, TaskStatus},
};

use super::{Answer, Claimed, Model, Refused, Task, Told, Who};

/// How much older than normal a task of high priority counts.
const HIGH_MILLIS: i64 = 15 * 60 * 1_000;
/// How much younger one of low priority counts.
const LOW_MILLIS: i64 = 4 * 60 * 60 * 1_000;

impl Model {
    /// Why somebody may not take a task, whatever its status.
    pub(super) fn unable(&self, task: &Task, id: &EntityId) -> Refused {
        let kind = self.type_of(Some(id));
        let mut refused = Refused::default();
        if task.requires_human {
            refused.add(kind != Some(EntityType::Human), 403, "requires_human");
        } else if task.requires_ai {
            refused.add(kind.is_some_and(|kind| !kind.is_ai()), 403, "requires_ai");
        }
        let has = self.entities.get(id).map_or(&[][..], |entity| &entity.capabilities);
        let lacks = task.capabilities.iter().any(|needed| !has.contains(needed));
        refused.add(lacks, 403, "missing_capabilities");
        refused
    }

    /// Whether a task stands in the list of those that are ready for somebody.
    pub fn is_ready_for(&self, task: &Task, id: &EntityId) -> bool {
        task.status == TaskStatus::Open && self.unable(task, id).check().is_ok()
    }

    pub(super) fn claim(&mut self, who: Who<'_>, command: &ClaimTask) -> Answer {
        let task = self.find_task(&command.task_id)?;
        let mut refused = Refused::default();
        let length = command.lease_seconds;
        refused.add(length.is_some_and(|s| !(5..=86_400).contains(&s)), 422, "invalid_field");
        let Some(id) = who.id else {
            refused.add(true, 403, "caller_needed");
            return Err(refused);
        };
        if task.is_held_by(id) {
            let (shown, leased) = (command.claim_token, task.lease.is_some());
            let wrong = shown.is_some_and(|token| token != task.token);
            refused.add(leased && shown.is_none(), 409, "claim_token_required");
            refused.add(wrong, 409, "stale_claim");
            refused.add(wrong || (leased && shown.is_none()), 409, "task_already_claimed");
            refused.check()?;
            return Ok(Told::Claimed(claimed(task, true)));
        }
        refused.join(self.unable(task, id));
        let code = match task.status {
            TaskStatus::Open => None,
            TaskStatus::InProgress => Some("task_already_claimed"),
            TaskStatus::Blocked => Some("task_blocked"),
            TaskStatus::Scheduled => Some("task_scheduled"),
            _ => Some("task_not_open"),
        };
        refused.add(code.is_some(), 409, code.unwrap_or_default());
        refused.check()?;
        let task_id = command.task_id.clone();
        Ok(self.give(&task_id, &id.clone(), command.lease_seconds))
    }

    /// Gives an open task to somebody.
    fn give(&mut self, task_id: &TaskId, to: &EntityId, lease_seconds: Option<u32>) -> Told {
        let now = self.now;
        let task = self.task_mut(task_id);
        task.status = TaskStatus::InProgress;
        task.claimed_by = Some(to.clone());
        task.claimed_at = Some(now);
        task.token += 1;
        task.claimers.insert(task.token, to.clone());
        task.lapsed = false;
        task.lease = lease_seconds.map(|s| (s, now.plus_millis(i64::from(s) * 1_000)));
        let told = Told::Claimed(claimed(task, false));
        self.tell("task_claimed", task_id.as_str());
        told
    }

    pub(super) fn claim_next(&mut self, who: Who<'_>, command: &ClaimNext) -> Answer {
        let mut refused = Refused::default();
        let length = command.lease_seconds;
        refused.add(!(5..=86_400).contains(&length), 422, "invalid_field");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.check()?;
        let id = who.id.expect("it was looked for").clone();
        match self.next_for(&id, command) {
            Some(task) => Ok(self.give(&task, &id, Some(command.lease_seconds))),
            None => Ok(Told::NoTask),
        }
    }

    /// The task that somebody is given next.
    pub(super) fn next_for(&self, id: &EntityId, command: &ClaimNext) -> Option<TaskId> {
        let offered = |task: &&Task| {
            let narrow = command.capabilities.as_ref();
            self.is_ready_for(task, id)
                && task.capabilities.iter().all(|c| narrow.is_none_or(|only| only.contains(c)))
                && command.tags.iter().all(|tag| task.tags.contains(tag))
        };
        let first = self.tasks.values().filter(offered).min_by_key(|task| turn(task));
        first.map(|task| task.id.clone())
    }

    pub(super) fn renew(&mut self, who: Who<'_>, command: &RenewLease) -> Answer {
        let task = self.find_task(&command.task_id)?;
        self.check_claim(who, task, command.claim_token).check()?;
        let renewed = self.renew_now(&command.task_id);
        if renewed {
            self.tell("lease_renewed", command.task_id.as_str());
        }
        let end = self.tasks[&command.task_id].lease.map(|(_, end)| end);
        Ok(Told::Lease(command.task_id.clone(), end))
    }

    /// Gives a lease its whole length again, where less than two thirds of it are left.
    fn renew_now(&mut self, id: &TaskId) -> bool {
        let now = self.now;
        let Some((length, end)) = &mut self.task_mut(id).lease else { return false };
        let whole = i64::from(*length) * 1_000;
        let left = end.millis() - now.millis();
        let renews = left * 3 < whole * 2;
        if renews {
            *end = now.plus_millis(whole);
        }
        renews
    }

    pub(super) fn renew_all(&mut self, who: Who<'_>) -> Answer {
        let Some(id) = who.id else { return Err(Refused::one(403, "caller_needed")) };
        let held: Vec<TaskId> =
            self.tasks.values().filter(|task| task.is_held_by(id)).map(|t| t.id.clone()).collect();
        for task in held {
            if self.renew_now(&task) {
                self.tell("lease_renewed", task.as_str());
            }
        }
        Ok(Told::Done)
    }

    /// Why a claim is not the caller's to end or renew.
    pub(super) fn check_claim(&self, who: Who<'_>, task: &Task, shown: Option<u64>) -> Refused {
        let mut refused = Refused::default();
        if task.status != TaskStatus::InProgress {
            refused.add(true, 409, "task_not_claimed");
            // Who shows a token learns as well that its claim is over.
            refused.add(shown.is_some(), 409, "stale_claim");
            return refused;
        }
        let another = who.id.is_some() && who.id != task.claimed_by.as_ref();
        refused.add(another, 409, "not_holder");
        refused.add(shown.is_some_and(|token| token != task.token), 409, "stale_claim");
        let needed = task.lease.is_some() && shown.is_none();
        refused.add(needed, 409, "claim_token_required");
        refused
    }

    /// The hub's own way to take back a claim that its holder never heard of.
    pub(super) fn return_claim(&mut self, command: &ReturnClaim) -> Told {
        let stands = self.tasks.get(&command.task_id).is_some_and(|task| {
            task.status == TaskStatus::InProgress && task.token == command.claim_token
        });
        if stands {
            self.free(&command.task_id);
        }
        Told::Done
    }
}

/// The place of a task in the order in which tasks are given out.
fn turn(task: &Task) -> (bool, i64, u64) {
    let created = task.created_at.millis();
    let counts = match task.priority {
        Priority::Urgent | Priority::Normal => created,
        Priority::High => created - HIGH_MILLIS,
        Priority::Low => created + LOW_MILLIS,
    };
    (task.priority != Priority::Urgent, counts, task.created_seq)
}

fn claimed(task: &Task, already: bool) -> Claimed {
    let lease_expires_at = task.lease.map(|(_, end)| end);
    Claimed { task_id: task.id.clone(), token: task.token, lease_expires_at, already }
}
