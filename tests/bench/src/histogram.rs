//! Latencies in fixed memory, whatever the length of the run.

use std::time::Duration;

/// Buckets per doubling: a quantile is at most 1/32 above the truth.
const BUCKETS_PER_DOUBLING: u64 = 32;
const BUCKETS: usize = 64 * BUCKETS_PER_DOUBLING as usize;

/// Counts of microseconds, in buckets that are exact below 32 and grow with the value above.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.total += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The microseconds that `per_mille` of the recorded values do not exceed, to the bucket's upper end.
    pub(crate) fn quantile_micros(&self, per_mille: u64) -> u64 {
        let wanted = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_end(index as u64);
            }
        }
        0
    }
}

fn bucket(micros: u64) -> usize {
    let doubling =
        u64::from((micros / BUCKETS_PER_DOUBLING).checked_ilog2().map_or(0, |log| log + 1));
    let within =
        if doubling == 0 { micros } else { (micros >> (doubling - 1)) - BUCKETS_PER_DOUBLING };
    (doubling * BUCKETS_PER_DOUBLING + within) as usize
}

fn upper_end(index: u64) -> u64 {
    let (doubling, within) = (index / BUCKETS_PER_DOUBLING, index % BUCKETS_PER_DOUBLING);
    if doubling == 0 { within } else { ((BUCKETS_PER_DOUBLING + within + 1) << (doubling - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for micros in (0..100_000).chain([1 << 40, u64::MAX / 2]) {
            let index = bucket(micros);
            let end = upper_end(index as u64);
            assert!(micros <= end, "{micros} is in the bucket that ends at {end}");
            assert!(
                end - micros <= micros / BUCKETS_PER_DOUBLING,
                "{micros} is too far below {end}"
            );
            assert_eq!(bucket(end), index);
            assert_eq!(bucket(end + 1), index + 1);
        }
    }

    #[test]
    fn quantiles_of_one_to_a_thousand() {
        let mut histogram = Histogram::new();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        assert!((500..=516).contains(&histogram.quantile_micros(500)));
        assert!((990..=1023).contains(&histogram.quantile_micros(990)));
    }
}
