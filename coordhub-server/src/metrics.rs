//! What this server counts, in one place: atomics only.
//!
//! The hub answers tens of thousands of requests a second. Counting one of them is a handful of relaxed additions to
//! cells that are found by the route's position in [`ROUTES`]: no map, no lock, no text. Text is made of it by
//! [`monitor`](crate::monitor) when somebody asks.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use coordhub_core::engine::Histogram;

use crate::http::router::ROUTES;

/// Bounds of the time to the head of an answer, in microseconds.
const ANSWER_BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    10_000_000, 60_000_000,
];
/// The code of an answer that was refused because too much waits.
const BUSY: &str = "busy";

/// The codes of refusals that are the caller's to mend, as in the documents. What is not here is counted as `other`.
pub const REFUSAL_CODES: [&str; 58] = [
    "not_json",
    "unauthorized",
    "caller_needed",
    "caller_mismatch",
    "observer",
    "invite_needed",
    "invite_refused",
    "not_allowed",
    "channel_forbidden",
    "reserved_type",
    "requires_human",
    "requires_ai",
    "missing_capabilities",
    "not_in_electorate",
    "origin_not_allowed",
    "address_not_allowed",
    "too_fast",
    "too_many_open",
    "host_not_allowed",
    "unknown_path",
    "unknown_entity",
    "unknown_recipient",
    "unknown_message",
    "unknown_channel",
    "unknown_task",
    "unknown_proposal",
    "unknown_reservation",
    "unknown_token",
    "unknown_invite",
    "method_not_allowed",
    "too_slow",
    "type_is_fixed",
    "channel_exists",
    "task_exists",
    "proposal_exists",
    "task_already_claimed",
    "task_not_open",
    "task_blocked",
    "task_not_claimed",
    "not_holder",
    "stale_claim",
    "claim_token_required",
    "task_scheduled",
    "not_a_question",
    "ack_not_asked",
    "no_roll_call",
    "already_completed",
    "task_not_reopenable",
    "reservation_conflict",
    "proposal_closed",
    "not_decided_yet",
    "last_admin_token",
    "body_too_large",
    "too_large",
    "invalid_field",
    "idempotency_key_reused",
    "upgrade_required",
    "other",
];
const OTHER: usize = REFUSAL_CODES.len() - 1;

/// The classes of statuses, as they are shown.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is counted of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    /// Answers, by [`CLASSES`].
    pub answers: [AtomicU64; CLASSES.len()],
    /// The time to the head of an answer, in microseconds.
    pub micros: Histogram<{ ANSWER_BOUNDS.len() }>,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self {
            answers: array::from_fn(|_| AtomicU64::new(0)),
            micros: Histogram::new(ANSWER_BOUNDS),
        }
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    /// By position in [`ROUTES`]; the last for what is of no route.
    routes: Box<[RouteMetrics]>,
    refused: [AtomicU64; REFUSAL_CODES.len()],
    shed: AtomicU64,
    /// The second in which an answer of 503 was last logged.
    shed_logged: AtomicU64,
    streams: AtomicU64,
    /// When the async runtime last ran what it runs every second, in milliseconds after the start.
    beat_millis: AtomicU64,
    /// Requests by second for a minute, and failures by minute for an hour.
    seconds: Slots,
    minutes: Slots,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            routes: (0..=ROUTES.len()).map(|_| RouteMetrics::default()).collect(),
            refused: array::from_fn(|_| AtomicU64::new(0)),
            shed: AtomicU64::new(0),
            shed_logged: AtomicU64::new(u64::MAX),
            streams: AtomicU64::new(0),
            beat_millis: AtomicU64::new(0),
            seconds: Slots::default(),
            minutes: Slots::default(),
        }
    }
}

impl Metrics {
    // Counting.

    /// Counts a request that was answered: the position of its route, the status, and how long it took.
    pub fn answered(&self, route: Option<usize>, status: u16, began: Instant) -> Duration {
        let now = Instant::now();
        let (took, second) = (now - began, (now - self.started).as_secs());
        let cells = &self.routes[route.unwrap_or(ROUTES.len())];
        if let Some(count) = cells.answers.get(usize::from(status / 100).wrapping_sub(1)) {
            count.fetch_add(1, Relaxed);
        }
        cells.micros.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.seconds.add(second);
        if status >= 500 {
            self.minutes.add(second / 60);
        }
        took
    }

    /// Counts a refusal by its code.
    pub fn refused(&self, status: u16, code: &str) {
        if status < 500 {
            let known = REFUSAL_CODES.iter().position(|known| *known == code);
            self.refused[known.unwrap_or(OTHER)].fetch_add(1, Relaxed);
        } else if code == BUSY {
            self.shed.fetch_add(1, Relaxed);
        }
    }

    /// Whether an answer of 503 is to be logged: one a second, for when it rains, it pours.
    pub fn is_first_this_second(&self) -> bool {
        let second = self.started.elapsed().as_secs();
        self.shed_logged.swap(second, Relaxed) != second
    }

    /// A stream was opened.
    pub fn stream_opened(&self) {
        self.streams.fetch_add(1, Relaxed);
    }

    /// A stream has ended.
    pub fn stream_closed(&self) {
        self.streams.fetch_sub(1, Relaxed);
    }

    /// The async runtime works.
    pub fn beat(&self) {
        self.beat_millis.store(self.elapsed_millis(), Relaxed);
    }

    // What was counted.

    /// Each route with its cells; `None` for what is of no route.
    pub fn routes(
        &self,
    ) -> impl Iterator<Item = (Option<&'static crate::http::router::Route>, &RouteMetrics)> {
        self.routes.iter().enumerate().map(|(position, cells)| (ROUTES.get(position), cells))
    }

    /// Each code with the number of refusals that bore it.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        REFUSAL_CODES.iter().copied().zip(self.refused.iter().map(|count| count.load(Relaxed)))
    }

    /// How many requests and calls were refused because too much waited.
    pub fn shed(&self) -> u64 {
        self.shed.load(Relaxed)
    }

    /// How many streams are open.
    pub fn streams(&self) -> u64 {
        self.streams.load(Relaxed)
    }

    /// For how long the async runtime has not run what it runs every second.
    pub fn since_beat(&self) -> Duration {
        Duration::from_millis(self.elapsed_millis().saturating_sub(self.beat_millis.load(Relaxed)))
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.routes.iter().map(|cells| cells.micros.count()).sum()
    }

    /// How many of them within the last minute.
    pub fn requests_last_minute(&self) -> u64 {
        self.seconds.sum(self.started.elapsed().as_secs())
    }

    /// How many within the last hour failed for a reason of the hub's.
    pub fn errors_last_hour(&self) -> u64 {
        self.minutes.sum(self.started.elapsed().as_secs() / 60)
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The newest sixty slots of time, each with a count. A cell holds the number of its slot above, and the count below.
#[derive(Debug)]
struct Slots {
    cells: [AtomicU64; 60],
}

const COUNT_BITS: u32 = 32;

impl Default for Slots {
    fn default() -> Self {
        Self { cells: array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Slots {
    fn add(&self, slot: u64) {
        let cell = &self.cells[(slot % 60) as usize];
        let held = cell.load(Relaxed);
        if held >> COUNT_BITS != slot {
            let first = (slot << COUNT_BITS) + 1;
            if cell.compare_exchange(held, first, Relaxed, Relaxed).is_ok() {
                return;
            }
            // Somebody else has begun the slot.
        }
        cell.fetch_add(1, Relaxed);
    }

    fn sum(&self, now: u64) -> u64 {
        let held = self.cells.iter().map(|cell| cell.load(Relaxed));
        held.filter(|held| now.saturating_sub(held >> COUNT_BITS) < 60)
            .map(|held| held & ((1 << COUNT_BITS) - 1))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_counted_and_then_forgotten() {
        let slots = Slots::default();
        [0, 0, 1, 59].into_iter().for_each(|slot| slots.add(slot));
        assert_eq!([0, 59, 60, 61, 118, 119].map(|now| slots.sum(now)), [4, 4, 2, 1, 1, 0]);
        slots.add(60);
        assert_eq!([60, 119, 120].map(|now| slots.sum(now)), [3, 1, 0]);
    }

    #[test]
    fn every_documented_refusal_has_a_count() {
        let document = include_str!("../../docs/http-api.md");
        let (_, table) = document.split_once("\n## Refusals\n").expect("a section Refusals");
        let table = table.split("\n## ").next().unwrap_or_default();
        let rows = table.lines().filter(|line| line.starts_with("| 4"));
        let codes: Vec<&str> = rows
            .flat_map(|row| row.split('|').nth(2).unwrap_or_default().split('`').skip(1).step_by(2))
            .collect();
        assert!(codes.len() > 30, "{codes:?}");
        for code in codes {
            assert!(REFUSAL_CODES.contains(&code), "{code} would be counted as other");
        }
    }

    #[test]
    fn answers_are_counted_by_route_and_class() {
        let metrics = Metrics::default();
        metrics.answered(Some(0), 200, Instant::now());
        metrics.answered(Some(0), 503, Instant::now());
        metrics.answered(None, 404, Instant::now());
        let classes = |position: usize| {
            metrics.routes[position].answers.each_ref().map(|count| count.load(Relaxed))
        };
        assert_eq!((classes(0), classes(ROUTES.len())), ([0, 1, 0, 0, 1], [0, 0, 0, 1, 0]));
        assert_eq!((metrics.requests(), metrics.requests_last_minute()), (3, 3));
        assert_eq!(metrics.errors_last_hour(), 1);
        for (status, code) in
            [(409, "task_not_open"), (499, "new"), (503, "busy"), (500, "internal")]
        {
            metrics.refused(status, code);
        }
        let refused: Vec<_> = metrics.refusals().filter(|(_, count)| *count > 0).collect();
        assert_eq!((refused, metrics.shed()), (vec![("task_not_open", 1), ("other", 1)], 1));
    }
}
