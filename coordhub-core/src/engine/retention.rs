//! What is old goes: by the configured age, or because an operator said so.
//!
//! First a horizon is moved, by a command like any other: it stands in the log, readers do not see
//! behind it any more, and a restart knows it. Then the rows behind it go, a few in each transaction,
//! and fewer while there is something else to write.

use std::{
    sync::atomic::Ordering::{AcqRel, Acquire, Release},
    time::Duration,
};

use super::{Hub, HubError, Shared, batch::Decided, queue::Job, writer::Writer};
use crate::{
    command::{Caller, Command, Envelope, Prune},
    ids::EntityId,
    model::{HistoryKind, Horizons, Retention},
    store::{CommitError, Sweep},
    time::Timestamp,
};
use ulid::Ulid;

/// How many rows go in one transaction: some milliseconds.
const ROWS_A_STEP: usize = 500;
/// How long the writer waits between two steps where it has nothing else to do.
const RESTS: Duration = Duration::from_millis(2);
/// How often a step is taken where there is always something else to do.
const STEP_EVERY_MILLIS: i64 = 1_000;
/// What is kept for a day is looked at each hour, and nothing less often.
const LOOKS_A_TERM: i64 = 24;
const LOOK_EVERY_MILLIS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;
/// What stayed because it was still needed goes some time later.
const SWEEP_AGAIN_MILLIS: i64 = 3_600_000;

/// What the writer knows of what is to go.
pub(super) struct Pruning {
    retention: Retention,
    looked_at: Timestamp,
    stepped_at: Timestamp,
    swept_at: Timestamp,
    /// Behind these nothing is left that can go.
    swept: Horizons,
}

impl Pruning {
    pub(super) fn new(retention: Retention) -> Self {
        let never = Timestamp::default();
        let swept = Horizons::default();
        Self { retention, looked_at: never, stepped_at: never, swept_at: never, swept }
    }

    /// How long until it is to be looked at again.
    pub(super) fn patience(&self, shared: &Shared) -> Duration {
        let is_behind = shared.is_pruning.load(Acquire) && !shared.degraded.load(Acquire);
        if is_behind { RESTS } else { Duration::MAX }
    }

    /// How often the ages are looked at.
    fn look_every_millis(&self) -> Option<i64> {
        let terms = HistoryKind::ALL.iter().filter_map(|kind| self.retention.of(*kind));
        let (least, most) = LOOK_EVERY_MILLIS.into_inner();
        terms.min().map(|shortest| (shortest / LOOKS_A_TERM).clamp(least, most))
    }
}

impl Writer {
    /// Moves horizons that are due, and takes a step towards them. `is_idle` says that nobody waits.
    pub(super) fn prune(&mut self, now: Timestamp, is_idle: bool) {
        if self.rests_until.is_some() || self.shared.degraded.load(Acquire) {
            return;
        }
        let since = |then: Timestamp| now.millis() - then.millis();
        if self
            .pruning
            .look_every_millis()
            .is_some_and(|every| since(self.pruning.looked_at) >= every)
        {
            self.pruning.looked_at = now;
            self.move_horizons(now);
        }
        if since(self.pruning.swept_at) >= SWEEP_AGAIN_MILLIS {
            self.pruning.swept = Horizons::default();
        }
        if is_idle || since(self.pruning.stepped_at) >= STEP_EVERY_MILLIS {
            self.sweep(now);
        }
    }

    fn move_horizons(&mut self, now: Timestamp) {
        for what in HistoryKind::ALL.iter().copied() {
            let Some(millis) = self.pruning.retention.of(what) else { continue };
            let before = now.plus_millis(-millis);
            let found = prunable(&self.shared, what, before, Least::Worthwhile);
            match found {
                Ok(Some(order)) => {
                    let mut decided = Decided::default();
                    self.decide_own(Command::Prune(order), now, &mut decided);
                    self.commit_alone(decided);
                }
                Ok(None) => {}
                Err(why) => tracing::warn!(%why, "what is old cannot be looked for; it will be"),
            }
        }
    }

    /// Removes some of what is behind the horizons.
    fn sweep(&mut self, now: Timestamp) {
        let horizons = self.ahead.horizons();
        if self.pruning.swept == *horizons {
            return;
        }
        self.pruning.stepped_at = now;
        let held: Vec<_> = self.ahead.cold_blockers().collect();
        let sweep = Sweep { horizons, held: &held, rows_max: ROWS_A_STEP };
        match self.store.sweep(&sweep) {
            Ok(rows) if rows < ROWS_A_STEP => {
                self.pruning.swept = horizons.clone();
                self.pruning.swept_at = now;
                self.shared.is_pruning.store(false, Release);
            }
            Ok(_) => drop(self.shared.is_pruning.swap(true, AcqRel)),
            Err(why) => {
                tracing::warn!(%why, "what is old was not removed; it will be tried again");
                self.shared.is_pruning.store(false, Release);
                self.degrade(&why.to_string());
                if matches!(why, CommitError::Unknown(_)) {
                    self.recover();
                }
            }
        }
    }
}

/// How much must have come together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Least {
    /// Anything.
    One,
    /// More than what says that the rest went.
    Worthwhile,
}

/// What would go of a kind, if anything.
fn prunable(
    shared: &Shared,
    what: HistoryKind,
    before: Timestamp,
    least: Least,
) -> Result<Option<Prune>, HubError> {
    let published = &shared.published;
    let horizons = published.durable.read().horizons().clone();
    let found = published.history.newest_before(what, before)?;
    let up_to = found.map(|seq| seq.min(published.window.head()));
    let order = |up_to| Some(Prune { what, before, up_to });
    Ok(match (what, up_to) {
        (_, None) => None,
        (HistoryKind::Messages, Some(seq)) if seq > horizons.messages => order(Some(seq)),
        (HistoryKind::Events, Some(seq)) => {
            let least = if least == Least::One { 0 } else { 1 };
            if seq > horizons.events + least { order(Some(seq)) } else { None }
        }
        (HistoryKind::Messages, Some(_)) => None,
        (HistoryKind::Tasks | HistoryKind::Proposals, Some(_)) => order(None),
    })
}

impl Hub {
    /// Gives up what is older than `before`. What is left of it is removed little by little:
    /// [`is_pruning`](Self::is_pruning) says how long. Whether there was anything.
    pub fn prune(&self, what: HistoryKind, before: Timestamp) -> Result<bool, HubError> {
        // What was written last is looked for in the tables, too.
        self.shared.behind.wait()?;
        let Some(order) = prunable(&self.shared, what, before, Least::One)? else {
            return Ok(false);
        };
        let (caller, command) = (Caller::named(EntityId::system()), Command::Prune(order));
        let envelope = Envelope { caller, fresh: Ulid::nil(), command, key: None, origin: None };
        let (job, ticket) = Job::new(envelope, Duration::ZERO);
        self.shared.queue.push(job)?;
        ticket.wait().map(|_| true)
    }

    /// Whether there is something left to remove of what was given up.
    pub fn is_pruning(&self) -> bool {
        self.shared.is_pruning.load(Acquire)
    }
}
