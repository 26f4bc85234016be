//! How long to wait before asking again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(50);
/// The longest.
const MOST: Duration = Duration::from_secs(3);
/// The longest that is waited because somebody asked for it.
const ASKED_MAX: Duration = Duration::from_secs(3_600);

/// Waits that grow, each somewhere between half of it and all of it: clients that lost the same hub do not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How often a wait was asked for.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// The next wait: at least as long as whoever answered asked for, an hour at most.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let grown = FIRST.saturating_mul(1 << self.tries.min(16)).min(MOST);
        self.tries = self.tries.saturating_add(1);
        let part = f64::from(random_byte()) / 510.0;
        asked.unwrap_or_default().min(ASKED_MAX) + grown.mul_f64(0.5 + part)
    }
}

fn random_byte() -> u8 {
    let mut byte = [127];
    // Without chance it is the middle.
    let _filled = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_growing() {
        let mut backoff = Backoff::default();
        for (least, most) in [(25, 50), (50, 100), (100, 200), (200, 400)] {
            let wait = backoff.next(None).as_millis();
            assert!((least..=most).contains(&wait), "{wait}");
        }
        while backoff.tries() < 100 {
            assert!(backoff.next(None) <= MOST);
        }
        let asked = Duration::from_secs(7);
        assert!((asked + MOST / 2..=asked + MOST).contains(&backoff.next(Some(asked))));
        assert!(backoff.next(Some(Duration::MAX)) <= ASKED_MAX + MOST);
    }
}
