//! The clocks of a machine, moved by hand; and what the contract says hub time makes of them.

use std::{cell::Cell, sync::Arc, time::Duration};

use coordhub_core::{Timestamp, engine::Clock};
use parking_lot::Mutex;

/// The hands of a wall clock and of a monotonic one, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Hands {
    at: Arc<Mutex<(i64, i64)>>,
}

thread_local! {
    /// What the monotonic clock said when this thread last asked the wall clock. Until it asks again, no
    /// time passes for it: the hands move far, and not in the midst of what the writer does.
    static SAME_MOMENT: Cell<Option<i64>> = const { Cell::new(None) };
}

impl Hands {
    pub(super) fn new(wall: i64) -> Self {
        Self { at: Arc::new(Mutex::new((wall, 0))) }
    }

    /// Time passes.
    pub(super) fn pass(&self, millis: i64) {
        let mut at = self.at.lock();
        at.0 += millis;
        at.1 += millis;
    }

    /// The wall clock is set.
    pub(super) fn jump(&self, millis: i64) {
        self.at.lock().0 += millis;
    }

    /// Wall clock and monotonic clock.
    pub(super) fn read(&self) -> (i64, i64) {
        *self.at.lock()
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        let (wall, monotonic) = self.read();
        SAME_MOMENT.set(Some(monotonic));
        Timestamp::from_millis(wall)
    }

    fn monotonic(&self) -> Duration {
        let monotonic = SAME_MOMENT.get().unwrap_or_else(|| self.read().1);
        Duration::from_millis(u64::try_from(monotonic).unwrap_or(0))
    }
}

/// Further ahead than this the wall clock is not believed at once.
const BELIEVED: i64 = 3_600_000;
/// For so long it must agree with itself to be believed.
const AGREEMENT: i64 = 300_000;
/// Up to this the clock is being slewed, and has not jumped.
const SLEWED: i64 = 1_000;

/// Hub time as the contract says it: it never runs back, follows jumps of up to an hour, and farther
/// ones once the wall clock has agreed with itself for five minutes.
#[derive(Clone, Debug)]
pub(super) struct HubTime {
    hub: i64,
    monotonic: i64,
    doubted: Option<(i64, i64)>,
}

impl HubTime {
    /// At a start: the later of what was recorded last and the wall clock.
    pub(super) fn start(recorded: Timestamp, hands: &Hands) -> Self {
        let (wall, monotonic) = hands.read();
        Self { hub: wall.max(recorded.millis()), monotonic, doubted: None }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.hub)
    }

    /// Looks at the clocks; by how much hub time has jumped.
    pub(super) fn look(&mut self, hands: &Hands) -> i64 {
        let (wall, monotonic) = hands.read();
        self.hub += monotonic - self.monotonic;
        self.monotonic = monotonic;
        let ahead = wall - self.hub;
        let is_believed = if ahead <= BELIEVED {
            self.doubted = None;
            true
        } else {
            let agrees = self.doubted.filter(|(_, before)| (ahead - before).abs() <= SLEWED);
            match agrees {
                Some((since, _)) if monotonic - since >= AGREEMENT => {
                    self.doubted = None;
                    true
                }
                Some(_) => false,
                None => {
                    self.doubted = Some((monotonic, ahead));
                    false
                }
            }
        };
        if !is_believed || ahead <= 0 {
            return 0;
        }
        self.hub = wall;
        if ahead > SLEWED { ahead } else { 0 }
    }
}
