//! Holders of reservations who are gone: what they reserved is freed, so that nobody waits for them.
//!
//! Presence is soft and lives outside the hub's state. The writer looks once a second at those alone
//! who have reserved something, and what it finds becomes a command of its own that names them: what
//! was decided then stands in the log.

use super::{
    batch::Decided,
    presence::{IDLE_MILLIS, Presences},
    writer::Writer,
};
use crate::{
    command::Command,
    hub::State,
    ids::EntityId,
    limits::{GONE_SECONDS, START_GRACE_SECONDS},
    model::Status,
    time::Timestamp,
};

/// From when on somebody counts as gone.
pub(super) struct Absence {
    /// After a start everyone is given time to come back.
    nobody_before: Timestamp,
    /// When the clock last jumped. Nobody could be heard of in the time that it left out, so everyone
    /// counts as heard of then.
    jumped_at: Timestamp,
}

impl Absence {
    pub(super) fn new(started_at: Timestamp) -> Self {
        let nobody_before = started_at.plus_millis(i64::from(START_GRACE_SECONDS) * 1_000);
        Self { nobody_before, jumped_at: Timestamp::default() }
    }

    pub(super) fn jumped(&mut self, now: Timestamp) {
        self.jumped_at = now;
    }

    /// Those who have reserved something and have been offline for [`GONE_SECONDS`]. Of whoever never
    /// registered nothing is known, and only time ends what it reserved.
    fn gone(&self, state: &State, presence: &Presences, now: Timestamp) -> Vec<EntityId> {
        if now < self.nobody_before {
            return Vec::new();
        }
        let patience_millis = IDLE_MILLIS + i64::from(GONE_SECONDS) * 1_000;
        let is_gone = |id: &&EntityId| {
            let Some(known) = presence.of(id, now).filter(|_| state.entity(id).is_some()) else {
                return false;
            };
            // What was handed to somebody who is away is kept for it as long as what it took itself.
            let newest = state.reservations().newest_of(id).unwrap_or_default();
            let heard_of = known.last_seen.max(self.jumped_at).max(newest);
            known.status == Status::Offline && now.millis() - heard_of.millis() > patience_millis
        };
        state.reservations().holders().filter(is_gone).cloned().collect()
    }
}

impl Writer {
    /// Frees what those have reserved who are gone.
    pub(super) fn free_of_gone(&mut self, now: Timestamp) {
        if self.rests_until.is_some() {
            return;
        }
        let gone = self.absence.gone(&self.ahead, &self.shared.presence, now);
        if gone.is_empty() {
            return;
        }
        let mut decided = Decided::default();
        self.decide_own(Command::FreeReservations(gone), now, &mut decided);
        self.commit_alone(decided);
    }
}
