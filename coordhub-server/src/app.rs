//! What every handler has at hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use coordhub_core::{Hub, Timestamp};
use parking_lot::Mutex;

use crate::{access::origin::Origins, config::Config, net::Drain, sockets::Sockets};

/// The hub, and what this server adds to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hub: Hub,
    config: Config,
    drain: Drain,
    sockets: Sockets,
    counters: Counters,
    started: Instant,
    started_at: Timestamp,
}

/// What is counted of requests.
#[derive(Debug)]
pub struct Counters {
    requests: AtomicU64,
    started: Instant,
    /// Requests by second for a minute, and failures by minute for an hour.
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    requests: Slots,
    errors: Slots,
}

/// Sixty slots of time, each with a count; old ones are emptied as time goes on.
#[derive(Debug)]
struct Slots {
    counts: [u64; 60],
    newest: u64,
}

impl Slots {
    fn at(&mut self, slot: u64) -> &mut [u64; 60] {
        for passed in (self.newest + 1..=slot).rev().take(60) {
            self.counts[(passed % 60) as usize] = 0;
        }
        self.newest = self.newest.max(slot);
        &mut self.counts
    }
}

impl Default for Counters {
    fn default() -> Self {
        let slots = || Slots { counts: [0; 60], newest: 0 };
        Self {
            requests: AtomicU64::new(0),
            started: Instant::now(),
            recent: Mutex::new(Recent { requests: slots(), errors: slots() }),
        }
    }
}

impl Counters {
    /// Counts a request that was answered.
    pub fn answered(&self, status: u16) {
        self.requests.fetch_add(1, Relaxed);
        let second = self.started.elapsed().as_secs();
        let mut recent = self.recent.lock();
        recent.requests.at(second)[(second % 60) as usize] += 1;
        if status >= 500 {
            let minute = second / 60;
            recent.errors.at(minute)[(minute % 60) as usize] += 1;
        }
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// How many of them within the last minute.
    pub fn requests_last_minute(&self) -> u64 {
        let second = self.started.elapsed().as_secs();
        self.recent.lock().requests.at(second).iter().sum()
    }

    /// How many within the last hour failed for a reason of the hub's.
    pub fn errors_last_hour(&self) -> u64 {
        let minute = self.started.elapsed().as_secs() / 60;
        self.recent.lock().errors.at(minute).iter().sum()
    }
}

impl App {
    /// A server's state around a hub.
    pub fn new(hub: Hub, config: Config, drain: Drain) -> Self {
        let started_at = hub.now();
        let inner = Inner {
            hub,
            config,
            drain,
            sockets: Sockets::default(),
            counters: Counters::default(),
            started: Instant::now(),
            started_at,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    /// How it was set up.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Whose pages may call.
    pub fn origins(&self) -> &Origins {
        &self.inner.config.origins
    }

    /// Says when the hub is stopping.
    pub fn drain(&self) -> &Drain {
        &self.inner.drain
    }

    /// The open sockets by entity.
    pub fn sockets(&self) -> &Sockets {
        &self.inner.sockets
    }

    /// What is counted.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// For how long this server has run.
    pub fn uptime_seconds(&self) -> f64 {
        self.inner.started.elapsed().as_secs_f64()
    }

    /// When this server started, by the hub's clock.
    pub fn started_at(&self) -> Timestamp {
        self.inner.started_at
    }
}
