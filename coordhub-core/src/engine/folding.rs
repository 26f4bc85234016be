//! Bringing the tables up to the log.

use std::{sync::atomic::Ordering, time::Duration};

use super::writer::Writer;
use crate::store::CommitError;

/// How long something may stand in the tail of the log alone while nobody asks for more.
const RESTS_IN_TAIL: Duration = Duration::from_millis(50);
/// How long a store that would not fold is left alone, whoever waits for it.
const RESTS_AFTER_FAILURE: Duration = Duration::from_millis(250);

impl Writer {
    /// Something stands in the tail alone since now.
    pub(super) fn fell_behind(&mut self) {
        self.shared.behind.fall();
        let due = self.shared.clock.monotonic() + RESTS_IN_TAIL;
        self.folds_at.get_or_insert(due);
    }

    /// The tables have all that is durable: what is finished need not be kept in memory.
    pub(super) fn caught_up(&mut self) {
        (self.folds_at, self.failed_to_fold) = (None, false);
        let mut durable = self.shared.published.durable.write();
        durable.settle();
        // What this batch has decided on top of it is still to be written.
        if self.ahead.head() == durable.head() {
            self.ahead.settle();
        }
        drop(durable);
        self.shared.behind.catch_up();
    }

    /// Brings the tables up to the log where somebody waits for it, or the tail has stood for a while.
    pub(super) fn keep_up(&mut self) {
        let Some(due) = self.folds_at else { return };
        let is_wanted = self.shared.behind.is_wanted() && !self.failed_to_fold;
        if is_wanted || self.shared.clock.monotonic() >= due {
            self.fold();
        }
    }

    /// Brings the tables up to the log, between two batches.
    pub(super) fn fold(&mut self) {
        if self.folds_at.is_none() {
            return;
        }
        let folded = self.store.fold(&self.shared.published.durable.read());
        let Err(why) = folded else { return self.caught_up() };
        tracing::debug!(%why, "the tables are behind the log; it will be tried again");
        self.folds_at = Some(self.shared.clock.monotonic() + RESTS_AFTER_FAILURE);
        self.failed_to_fold = true;
        self.shared.counts.failures.fetch_add(1, Ordering::Relaxed);
        self.degrade(&why.to_string());
        self.shared.behind.fail(why.to_string());
        if matches!(why, CommitError::Unknown(_)) {
            self.recover();
        }
    }
}
