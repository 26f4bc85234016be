//! What every handler has at hand.

use std::{sync::Arc, time::Instant};

use coordhub_core::{Hub, Timestamp};

use crate::{
    access::{
        fair::{Buckets, Seats},
        origin::Origins,
        session::Sessions,
    },
    config::Config,
    http::request_id::RequestIds,
    metrics::Metrics,
    net::{Connections, Drain},
    places::Places,
    sockets::Sockets,
};

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
    metrics: Metrics,
    places: Arc<Places>,
    connections: Arc<Connections>,
    ids: RequestIds,
    sessions: Sessions,
    buckets: Buckets,
    seats: Seats,
    started: Instant,
    started_at: Timestamp,
}

impl App {
    /// A server's state around a hub.
    pub fn new(hub: Hub, config: Config, drain: Drain) -> Self {
        Self::with_connections(hub, config, drain, Arc::default())
    }

    /// The same, with what is counted of its connections.
    pub fn with_connections(
        hub: Hub,
        config: Config,
        drain: Drain,
        connections: Arc<Connections>,
    ) -> Self {
        let started_at = hub.now();
        let places = Places::new(config.connections.connections_max);
        let (buckets, seats) = (Buckets::new(&config.fair), Seats::new(&config.fair));
        let inner = Inner {
            sessions: Sessions::new(hub.epoch()),
            buckets,
            seats,
            hub,
            config,
            drain,
            sockets: Sockets::default(),
            metrics: Metrics::default(),
            places,
            connections,
            ids: RequestIds::default(),
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

    /// Who is signed in to the page.
    pub fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// How much everybody may still ask for.
    pub fn buckets(&self) -> &Buckets {
        &self.inner.buckets
    }

    /// How much everybody keeps open.
    pub fn seats(&self) -> &Seats {
        &self.inner.seats
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
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// What is counted of connections; nothing, where the server is part of another program.
    pub fn connections(&self) -> &Connections {
        &self.inner.connections
    }

    /// How far the followers have come.
    pub fn places(&self) -> &Arc<Places> {
        &self.inner.places
    }

    /// Where requests get their names.
    pub fn request_ids(&self) -> &RequestIds {
        &self.inner.ids
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
