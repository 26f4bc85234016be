//! Leases: claims that end by themselves unless their holder goes on saying that it is at work. What
//! gives them more time gives it to reservations, too.

use super::{Answer, Decision, Desk, Rejection, State, endings};
use crate::{
    command::{MoveLeases, RenewLease},
    event::{
        Event, LeaseRenewed, LeasesMoved, MoveReason, MovedLease, MovedReservation, ReleaseReason,
        TaskReleased,
    },
    ids::EntityId,
    limits::{LEASE_SECONDS_MAX, LEASE_SECONDS_MIN, START_GRACE_SECONDS},
    model::{Reservation, Task},
    time::Timestamp,
};

impl Desk<'_> {
    pub(super) fn renew_lease(&self, command: &RenewLease) -> Result<Decision, Rejection> {
        let task = self.task(&command.task_id)?;
        let holder = self.holder(task, command.claim_token)?;
        let renewed = self.renewed(task, holder);
        let lease_expires_at =
            renewed.as_ref().map(|event| event.lease_expires_at).or(task.lease_expires_at);
        let answer = Answer::Lease { task_id: task.task_id.clone(), lease_expires_at };
        Ok(Decision::of(renewed.map(Event::LeaseRenewed).into_iter().collect(), answer))
    }

    pub(super) fn renew_leases(&self) -> Result<Decision, Rejection> {
        let holder = self.caller()?;
        let renewed = self.state.claims(holder).filter_map(|task| self.renewed(task, holder));
        Ok(Decision::of(renewed.map(Event::LeaseRenewed).collect(), Answer::Done))
    }

    /// The renewal of a lease that is due for one. To write each would cost a disk write for every
    /// sign of life.
    fn renewed(&self, task: &Task, holder: &EntityId) -> Option<LeaseRenewed> {
        let seconds = task.lease_seconds.filter(|_| is_due(task, self.now))?;
        Some(LeaseRenewed {
            task_id: task.task_id.clone(),
            created_by: task.created_by.clone(),
            claimed_by: holder.clone(),
            claim_token: task.claim_token,
            lease_expires_at: end(self.now, seconds),
        })
    }

    pub(super) fn move_leases(&self, why: MoveLeases) -> Decision {
        let later = |ends: Timestamp, seconds: u32| {
            let later = match why {
                MoveLeases::ClockJumped { by_millis } => ends.plus_millis(by_millis),
                MoveLeases::Started => end(self.now, seconds.min(START_GRACE_SECONDS)),
            };
            (later > ends).then_some(later)
        };
        let moved = |task: &Task| {
            let lease_expires_at = later(task.lease_expires_at?, task.lease_seconds?)?;
            Some(MovedLease { task_id: task.task_id.clone(), lease_expires_at })
        };
        let leases: Vec<_> = self.state.leases().filter_map(|task| moved(task)).collect();
        let moved = |one: &Reservation| {
            let expires_at = later(one.expires_at, one.ttl_seconds)?;
            Some(MovedReservation { reservation_id: one.reservation_id.clone(), expires_at })
        };
        let reservations = self.state.reservations().in_order(..);
        let reservations: Vec<_> = reservations.filter_map(|one| moved(one)).collect();
        let reason = match why {
            MoveLeases::ClockJumped { .. } => MoveReason::ClockJumped,
            MoveLeases::Started => MoveReason::Started,
        };
        let event = (!leases.is_empty() || !reservations.is_empty()).then_some(LeasesMoved {
            reason,
            leases,
            reservations,
        });
        Decision::of(event.map(Event::LeasesMoved).into_iter().collect(), Answer::Done)
    }

    /// What becomes of a task whose lease has lapsed. That was an attempt; whoever made it may still
    /// bring its result until another takes the task.
    pub(super) fn lapsed(&self, task: &Task, holder: &EntityId) -> Vec<Event> {
        let attempts = task.attempts + 1;
        if task.max_attempts.is_some_and(|most| attempts >= most) {
            return self.given_up(endings::lapsed_for_good(task, holder, attempts));
        }
        vec![Event::TaskReleased(TaskReleased {
            task_id: task.task_id.clone(),
            title: task.title.clone(),
            created_by: task.created_by.clone(),
            claimed_by: holder.clone(),
            reason: ReleaseReason::Lapsed,
            attempts: Some(attempts),
        })]
    }
}

/// Whether an entity's sign of life must reach the disk: one of its leases has less than two thirds
/// left.
pub fn needs_renewal(state: &State, holder: &EntityId, now: Timestamp) -> bool {
    state.claims(holder).any(|task| is_due(task, now))
}

fn is_due(task: &Task, now: Timestamp) -> bool {
    let (Some(ends), Some(seconds)) = (task.lease_expires_at, task.lease_seconds) else {
        return false;
    };
    let left_millis = ends.millis() - now.millis();
    left_millis * 3 < i64::from(seconds) * 1_000 * 2
}

/// When a lease that begins now ends.
pub(super) fn end(now: Timestamp, seconds: u32) -> Timestamp {
    now.plus_millis(i64::from(seconds) * 1_000)
}

/// Whether a lease may be so long.
pub(super) fn check_seconds(seconds: u32) -> Result<u32, Rejection> {
    if (LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    let detail = format!("lease_seconds must be from {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX}");
    Err(Rejection::invalid("lease_seconds", detail))
}
