//! Hub time: advanced by the monotonic clock, held to the wall clock, never running back.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;

use crate::time::Timestamp;

/// The one place where the world's clocks are asked.
pub trait Clock: Send + Sync {
    /// What the wall clock says.
    fn wall(&self) -> Timestamp;
    /// How long this clock has run; never goes back, whatever happens to the wall clock.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock at the edge")]
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock at the edge")]
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A jump forward by more than this is believed only when the wall clock has agreed with itself for
/// [`AGREEMENT`].
const BELIEVED_JUMP_MILLIS: i64 = 60 * 60 * 1_000;
/// How long a far jump must last to be believed.
const AGREEMENT: Duration = Duration::from_secs(5 * 60);
/// Differences below this are the clock being slewed, not jumping.
const JUMP_MILLIS: i64 = 1_000;

/// Hub time is the later of what was last recorded and the wall clock, advanced by the monotonic
/// clock.
pub struct HubClock {
    clock: Box<dyn Clock>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Hub time when `monotonic` was read.
    hub: Timestamp,
    monotonic: Duration,
    /// Since when the wall clock has been too far ahead to be believed, and by how much.
    doubted: Option<(Duration, i64)>,
    /// Whether the wall clock is behind, and that has been logged.
    is_behind: bool,
    /// By how much hub time has jumped ahead since that was last asked for.
    jumped_millis: i64,
}

impl fmt::Debug for HubClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubClock").finish_non_exhaustive()
    }
}

impl HubClock {
    /// A clock that goes on from what was last recorded.
    pub fn new(clock: Box<dyn Clock>, recorded: Timestamp) -> Self {
        let inner = Inner {
            hub: recorded.max(clock.wall()),
            monotonic: clock.monotonic(),
            doubted: None,
            is_behind: false,
            jumped_millis: 0,
        };
        Self { clock, inner: Mutex::new(inner) }
    }

    /// How long the clock has run, for measuring: nothing that is decided depends on it.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// By how much hub time has jumped ahead since this was last asked: nobody could work meanwhile.
    pub(crate) fn take_jump(&self) -> i64 {
        std::mem::take(&mut self.inner.lock().jumped_millis)
    }

    /// The hub's time.
    pub fn now(&self) -> Timestamp {
        let mut inner = self.inner.lock();
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        let elapsed = monotonic.saturating_sub(inner.monotonic).as_millis();
        let advanced = inner.hub.plus_millis(i64::try_from(elapsed).unwrap_or(i64::MAX));
        let ahead = wall.millis() - advanced.millis();
        inner.note(ahead, monotonic);
        if ahead > 0 && inner.doubted.is_none() {
            if ahead > JUMP_MILLIS {
                inner.jumped_millis += ahead;
            }
            inner.hub = wall;
            inner.monotonic = monotonic;
        } else if elapsed >= 1 {
            // Whole milliseconds move over; the rest stays to be counted next time.
            inner.hub = advanced;
            inner.monotonic += Duration::from_millis(u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
        inner.hub
    }
}

impl Inner {
    /// Judges how far the wall clock is ahead of hub time, and says once what it made of it.
    fn note(&mut self, ahead: i64, monotonic: Duration) {
        if ahead <= BELIEVED_JUMP_MILLIS {
            self.doubted = None;
        } else {
            // A clock that goes on jumping does not agree with itself.
            let same = |doubted: i64| (ahead - doubted).abs() <= JUMP_MILLIS;
            self.doubted = match self.doubted.filter(|(_, doubted)| same(*doubted)) {
                Some((since, _)) if monotonic.saturating_sub(since) >= AGREEMENT => None,
                Some(still) => Some(still),
                None => {
                    tracing::warn!(
                        ahead_ms = ahead,
                        "the wall clock is far ahead; not believed yet"
                    );
                    Some((monotonic, ahead))
                }
            };
        }
        if ahead > JUMP_MILLIS && self.doubted.is_none() {
            tracing::warn!(ahead_ms = ahead, "the wall clock jumped ahead; hub time follows");
        }
        let behind = ahead < -JUMP_MILLIS;
        if behind && !self.is_behind {
            tracing::warn!(
                behind_ms = -ahead,
                "the wall clock is behind hub time, which never runs back"
            );
        }
        self.is_behind = behind;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Hands {
        wall: Arc<AtomicI64>,
        monotonic: Arc<AtomicI64>,
    }

    impl Hands {
        fn pass(&self, millis: i64) {
            self.wall.fetch_add(millis, Ordering::Relaxed);
            self.monotonic.fetch_add(millis, Ordering::Relaxed);
        }

        fn jump(&self, millis: i64) {
            self.wall.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Clock for Hands {
        fn wall(&self) -> Timestamp {
            Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.monotonic.load(Ordering::Relaxed) as u64)
        }
    }

    fn clock(wall: i64, recorded: i64) -> (Hands, HubClock) {
        let hands = Hands::default();
        hands.jump(wall);
        let clock = HubClock::new(Box::new(hands.clone()), Timestamp::from_millis(recorded));
        (hands, clock)
    }

    #[test]
    fn starts_at_the_later_of_record_and_wall() {
        assert_eq!(clock(5_000, 3_000).1.now().millis(), 5_000);
        assert_eq!(clock(5_000, 9_000).1.now().millis(), 9_000);
    }

    #[test]
    fn never_runs_back_and_goes_on_by_the_monotonic_clock() {
        let (hands, clock) = clock(100_000, 0);
        hands.jump(-50_000);
        assert_eq!(clock.now().millis(), 100_000);
        hands.pass(1_500);
        assert_eq!(clock.now().millis(), 101_500);
    }

    #[test]
    fn follows_a_jump_of_up_to_an_hour_at_once() {
        let (hands, clock) = clock(100_000, 0);
        hands.jump(BELIEVED_JUMP_MILLIS);
        assert_eq!(clock.now().millis(), 100_000 + BELIEVED_JUMP_MILLIS);
    }

    #[test]
    fn believes_a_far_jump_only_after_five_minutes() {
        let (hands, clock) = clock(100_000, 0);
        hands.jump(BELIEVED_JUMP_MILLIS * 2);
        assert_eq!(clock.now().millis(), 100_000);
        hands.pass(299_000);
        assert_eq!(clock.now().millis(), 399_000);
        hands.pass(1_000);
        assert_eq!(clock.now().millis(), 400_000 + BELIEVED_JUMP_MILLIS * 2);
    }

    #[test]
    fn a_clock_that_goes_on_jumping_is_not_believed() {
        let (hands, clock) = clock(100_000, 0);
        hands.jump(BELIEVED_JUMP_MILLIS * 2);
        clock.now();
        hands.pass(299_000);
        hands.jump(BELIEVED_JUMP_MILLIS * 48);
        clock.now();
        hands.pass(1_000);
        assert_eq!(clock.now().millis(), 400_000);
        hands.pass(299_000);
        assert_eq!(clock.now().millis(), 699_000 + BELIEVED_JUMP_MILLIS * 50);
    }

    #[test]
    fn a_far_jump_that_is_taken_back_leaves_no_trace() {
        let (hands, clock) = clock(100_000, 0);
        hands.jump(BELIEVED_JUMP_MILLIS * 2);
        assert_eq!(clock.now().millis(), 100_000);
        hands.jump(-BELIEVED_JUMP_MILLIS * 2);
        hands.pass(600_000);
        assert_eq!(clock.now().millis(), 700_000);
    }
}
