//! What the hub counts of itself, for whoever watches it: atomics only, so that counting costs next to
//! nothing and reading waits for nobody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The bounds of [`Hub::batch_sizes`](super::Hub::batch_sizes), in commands.
const BATCH_BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
/// The bounds of [`Hub::commit_micros`](super::Hub::commit_micros).
const COMMIT_BOUNDS: [u64; 11] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 10_000_000];

/// How many values fell below each of some bounds, and their sum.
///
/// ```
/// use coordhub_core::engine::Histogram;
///
/// let histogram = Histogram::new([1, 10]);
/// [0, 1, 7, 100].into_iter().for_each(|value| histogram.record(value));
/// assert_eq!(histogram.cumulated().collect::<Vec<_>>(), [(1, 2), (10, 3)]);
/// assert_eq!((histogram.count(), histogram.sum()), (4, 108));
/// ```
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    /// An empty one with these bounds, which must ascend; each belongs to what it bounds.
    pub const fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: [const { AtomicU64::new(0) }; N],
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        bucket.map_or(&self.above, |bucket| &self.counts[bucket]).fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Each bound with the number of values up to it, in ascending order.
    pub fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.counts.iter().scan(0, |total, count| {
            *total += count.load(Relaxed);
            Some(*total)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        let below: u64 = self.counts.iter().map(|count| count.load(Relaxed)).sum();
        below + self.above.load(Relaxed)
    }

    /// The sum of the values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

/// What the writer counts.
#[derive(Debug)]
pub(super) struct Counts {
    /// Commands by batch.
    pub(super) batches: Histogram<11>,
    /// How long commits took, in microseconds, those that failed included.
    pub(super) commits: Histogram<11>,
    /// Commits that failed.
    pub(super) failures: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            batches: Histogram::new(BATCH_BOUNDS),
            commits: Histogram::new(COMMIT_BOUNDS),
            failures: AtomicU64::new(0),
        }
    }
}
