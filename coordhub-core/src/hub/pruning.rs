//! Giving up what is old. What is decided is up to where; the rows go afterwards, a few at a time.

use super::{Answer, Decision, Desk, Rejection, state::State};
use crate::{
    command::{GiveUp, Prune, Role},
    event::{Event, HistoryPruned},
    ids::TaskId,
    limits::KEY_HOURS,
    model::{HistoryKind, Horizons},
};

impl Desk<'_> {
    /// Moves a horizon, which never goes back.
    pub(super) fn prune(&self, command: &Prune) -> Decision {
        let Prune { what, before, up_to } = *command;
        let event = HistoryPruned { what, before, up_to };
        let mut moved = self.state.horizons().clone();
        moved.advance(&event);
        if moved == *self.state.horizons() || up_to.is_some_and(|seq| seq > self.state.head()) {
            return Decision::nothing(Answer::Done);
        }
        Decision::new(Event::HistoryPruned(event), Answer::Done)
    }
}

impl Desk<'_> {
    /// The same, because an admin says so. What is a day old is still needed: idempotency keys stand for
    /// it.
    pub(super) fn give_up(&self, command: &GiveUp) -> Result<Decision, Rejection> {
        let GiveUp { what, before } = *command;
        if self.envelope.caller.role != Role::Admin {
            let detail = "giving up what is old is for an admin";
            return Err(Rejection::NotAllowed(detail.to_owned()));
        }
        if before > self.now.plus_millis(-KEY_HOURS * 60 * 60 * 1_000) {
            let detail = format!("what is less than {KEY_HOURS} hours old is still needed");
            return Err(Rejection::invalid("before", detail));
        }
        let Some(newest) = self.known.newest_old else {
            return Ok(Decision::nothing(Answer::Done));
        };
        let up_to = match what {
            HistoryKind::Messages | HistoryKind::Events => Some(newest.min(self.state.head())),
            HistoryKind::Tasks | HistoryKind::Proposals => None,
        };
        Ok(self.prune(&Prune { what, before, up_to }))
    }
}

impl Horizons {
    pub(super) fn advance(&mut self, event: &HistoryPruned) {
        let up_to = event.up_to.unwrap_or(0);
        match event.what {
            HistoryKind::Messages => self.messages = self.messages.max(up_to),
            HistoryKind::Events => {
                self.events = self.events.max(up_to);
                self.messages = self.messages.max(up_to);
            }
            HistoryKind::Tasks => self.tasks = self.tasks.max(event.before),
            HistoryKind::Proposals => self.proposals = self.proposals.max(event.before),
        }
    }
}

impl State {
    /// Finished tasks that hold others up: they stay, however old, for they may be opened again.
    pub fn cold_blockers(&self) -> impl Iterator<Item = &TaskId> {
        let waited_for = self.dependents.iter().filter(|(_, waiting)| !waiting.is_empty());
        waited_for.map(|(id, _)| id).filter(|id| self.task(id).is_none())
    }
}
