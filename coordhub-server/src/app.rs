//! What every handler has at hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use coordhub_core::{Hub, Timestamp};

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
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
}

impl Counters {
    /// Counts a request that was answered.
    pub fn answered(&self, status: u16) {
        self.requests.fetch_add(1, Relaxed);
        if status >= 500 {
            self.errors.fetch_add(1, Relaxed);
        }
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// How many of them failed by a fault of the hub's.
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
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
