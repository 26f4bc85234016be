//! Comparisons that a machine with other work on it cannot spoil: this and that in turn, many times, and the median of
//! the ratios with its interval.

/// What came of measuring this and that in turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    /// The median of this.
    pub(crate) this: f64,
    /// The median of that.
    pub(crate) that: f64,
    /// The median of the ratios, this to that.
    pub(crate) median: f64,
    /// Between these the median lies with 95 % certainty, whatever the distribution.
    pub(crate) interval: (f64, f64),
}

impl Share {
    /// Of pairs of this and that.
    pub(crate) fn of(pairs: &[(f64, f64)]) -> Self {
        let sorted = |of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = pairs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let ratios = sorted(|(this, that)| if *that > 0.0 { this / that } else { 0.0 });
        Self {
            this: median(&sorted(|pair| pair.0)),
            that: median(&sorted(|pair| pair.1)),
            median: median(&ratios),
            interval: interval(&ratios),
        }
    }
}

/// The median of sorted values; 0 of none.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => (below + above) / 2.0,
        (_, Some(middle)) => *middle,
        _ => 0.0,
    }
}

/// The values that enclose the median with 95 % certainty: the number of values below it is that of heads among coins.
/// Of fewer than six values it is the first and the last, which is less certain.
fn interval(sorted: &[f64]) -> (f64, f64) {
    let count = sorted.len();
    let (mut ways, mut below, mut cut) = (1.0, 0.0, 0);
    for heads in 0..count {
        below += ways * 0.5_f64.powi(count as i32);
        if 2.0 * below > 0.05 {
            break;
        }
        cut = heads;
        ways *= (count - heads) as f64 / (heads + 1) as f64;
    }
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    (at(cut), at(count.saturating_sub(1 + cut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_median_of_ratios_and_not_the_ratio_of_medians() {
        let share = Share::of(&[(1.0, 2.0), (10.0, 10.0), (3.0, 30.0)]);
        assert_eq!((share.this, share.that, share.median), (3.0, 10.0, 0.5));
        assert_eq!(share.interval, (0.1, 1.0));
    }

    #[test]
    fn the_interval_leaves_out_what_it_may() {
        let sorted = |count: u32| (1..=count).map(f64::from).collect::<Vec<_>>();
        for (count, expected) in
            [(1, (1.0, 1.0)), (5, (1.0, 5.0)), (6, (1.0, 6.0)), (9, (2.0, 8.0)), (20, (6.0, 15.0))]
        {
            assert_eq!(interval(&sorted(count)), expected, "of {count}");
        }
        assert_eq!((median(&sorted(4)), median(&[])), (2.5, 0.0));
    }
}
