//! How many messages the last hour has seen, without asking the store.

use parking_lot::Mutex;

use crate::time::Timestamp;

const MINUTE_MILLIS: i64 = 60_000;
const MINUTES: i64 = 60;

/// Messages by minute, for an hour.
#[derive(Debug)]
pub(crate) struct HourCount {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    minutes: [u64; MINUTES as usize],
    /// The minute that was counted last, since 1970.
    newest: i64,
}

impl HourCount {
    pub(crate) fn new(now: Timestamp) -> Self {
        let newest = now.millis() / MINUTE_MILLIS;
        Self { inner: Mutex::new(Inner { minutes: [0; MINUTES as usize], newest }) }
    }

    /// Counts messages sent at `at`; those of more than an hour ago do not count.
    pub(crate) fn add(&self, at: Timestamp, messages: u64) {
        let mut inner = self.inner.lock();
        let minute = at.millis() / MINUTE_MILLIS;
        inner.advance(minute);
        if inner.newest - minute < MINUTES {
            inner.minutes[(minute % MINUTES) as usize] += messages;
        }
    }

    /// How many messages the last sixty minutes have seen, the present one included.
    pub(crate) fn count(&self, now: Timestamp) -> u64 {
        let mut inner = self.inner.lock();
        inner.advance(now.millis() / MINUTE_MILLIS);
        inner.minutes.iter().sum()
    }
}

impl Inner {
    fn advance(&mut self, minute: i64) {
        for passed in (self.newest + 1..=minute).rev().take(MINUTES as usize) {
            self.minutes[(passed % MINUTES) as usize] = 0;
        }
        self.newest = self.newest.max(minute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_counted_and_then_forgotten() {
        let at = |minute: i64| {
            Timestamp::from_millis(1_000_000 * MINUTE_MILLIS + minute * MINUTE_MILLIS)
        };
        let hour = HourCount::new(at(0));
        hour.add(at(0), 5);
        hour.add(at(59), 2);
        assert_eq!(hour.count(at(59)), 7);
        hour.add(at(1), 1);
        assert_eq!(hour.count(at(59)), 8);
        assert_eq!(hour.count(at(60)), 3);
        assert_eq!(hour.count(at(1_000)), 0);
        hour.add(at(0), 9);
        assert_eq!(hour.count(at(1_000)), 0);
    }
}
