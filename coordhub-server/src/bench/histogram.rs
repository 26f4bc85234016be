//! Latencies in fixed memory, whatever the length of the run: a histogram of high dynamic range.

use std::time::Duration;

/// Buckets per doubling: a quantile is at most 1/64 above the truth.
const BUCKETS_PER_DOUBLING: u64 = 64;
const BUCKETS: usize = 59 * BUCKETS_PER_DOUBLING as usize;

/// Counts of nanoseconds, in buckets that are exact below 64 and grow with the value above.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, longest: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.longest = self.longest.max(nanos);
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest of all, as it was.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }

    /// What `per_mille` of the recorded values do not exceed, to the bucket's upper end.
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let wanted = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(upper_end(index as u64).min(self.longest));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    let doubling =
        u64::from((nanos / BUCKETS_PER_DOUBLING).checked_ilog2().map_or(0, |log| log + 1));
    let within =
        if doubling == 0 { nanos } else { (nanos >> (doubling - 1)) - BUCKETS_PER_DOUBLING };
    (doubling * BUCKETS_PER_DOUBLING + within) as usize
}

fn upper_end(index: u64) -> u64 {
    let (doubling, within) = (index / BUCKETS_PER_DOUBLING, index % BUCKETS_PER_DOUBLING);
    if doubling == 0 {
        return within;
    }
    // The end of the last bucket of all is 2^64, which only the subtraction brings back.
    let end = u128::from(BUCKETS_PER_DOUBLING + within + 1) << (doubling - 1);
    u64::try_from(end - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for nanos in (0..100_000).chain([1 << 40, u64::MAX / 2]) {
            let index = bucket(nanos);
            let end = upper_end(index as u64);
            assert!(nanos <= end, "{nanos} is in the bucket that ends at {end}");
            assert!(end - nanos <= nanos / BUCKETS_PER_DOUBLING, "{nanos} is too far below {end}");
            assert_eq!(bucket(end), index);
            assert_eq!(bucket(end + 1), index + 1);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(upper_end(BUCKETS as u64 - 1), u64::MAX);
    }

    #[test]
    fn quantiles_of_one_to_a_thousand() {
        let mut histogram = Histogram::default();
        for nanos in 1..=1000 {
            histogram.record(Duration::from_nanos(nanos));
        }
        assert!((500..=508).contains(&histogram.quantile(500).as_nanos()));
        assert!((990..=1000).contains(&histogram.quantile(990).as_nanos()));
        assert_eq!(histogram.quantile(1000), histogram.longest());
        assert_eq!((histogram.total(), histogram.longest().as_nanos()), (1000, 1000));
        assert_eq!(Histogram::default().quantile(990), Duration::ZERO);
    }
}
