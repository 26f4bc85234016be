//! What time alone decides.

use super::{
    Answer, Decision, Desk, endings,
    proposals::{Force, decided, final_outcome},
    reservations::released,
    state::Due,
};
use crate::{
    event::{Event, ReservationEnd},
    ids::TaskId,
};

impl Desk<'_> {
    /// Decides what is due first, if it is due at or before now. One thing at a time: what it comes to
    /// may change what is due next. The event takes it out of what is due.
    pub(super) fn tick(&self) -> Decision {
        let due = self.state.first_due().filter(|(at, _)| *at <= self.now);
        let events = due.map(|(_, due)| self.due(due)).unwrap_or_default();
        Decision::of(events, Answer::Done)
    }

    fn due(&self, due: &Due) -> Vec<Event> {
        match due {
            Due::Lease(id) => self.lease_due(id),
            Due::Reservation(id) => {
                let reservation = self.state.reservations().get(id);
                let lapsed = |one| released(one, ReservationEnd::Lapsed);
                reservation.map(|one| lapsed(one)).into_iter().collect()
            }
            Due::Task(id) => {
                self.state.task(id).map(|task| endings::ready(task)).into_iter().collect()
            }
            Due::Question(id) => {
                self.state.task(id).map(|task| self.unanswered(task)).unwrap_or_default()
            }
            Due::RollCall(id) => self.overdue(id).into_iter().collect(),
            Due::Proposal(id) => {
                let proposal = self.state.proposal(id);
                let decide = |p| decided(p, final_outcome(p), Force::ByRule);
                proposal.map(|p| decide(p)).into_iter().collect()
            }
        }
    }

    fn lease_due(&self, id: &TaskId) -> Vec<Event> {
        let Some(task) = self.state.task(id) else { return Vec::new() };
        task.claimed_by.as_ref().map(|holder| self.lapsed(task, holder)).unwrap_or_default()
    }
}
