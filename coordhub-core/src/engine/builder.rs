//! Opening a hub.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    thread,
};

use parking_lot::Mutex;

use super::{
    Clock, Closer, Hub, HubClock, Presences, Shared, SystemClock,
    behind::{Behind, CaughtUp},
    counts::Counts,
    hour::HourCount,
    indexer::Indexer,
    queue::Queue,
    refusals::Refusals,
    writer::Writer,
};
use crate::{
    limits::Limits,
    model::Retention,
    store::{History, SqliteStore, Store, StoreError, search::Index},
    subscribe::Published,
};

/// The settings of a hub.
#[derive(Default)]
pub struct Builder {
    limits: Limits,
    retention: Retention,
    clock: Option<Box<dyn Clock>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Builder {
    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the past is kept; for ever where nothing is said.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Box::new(clock));
        self
    }

    /// Opens the hub kept in the file at `path`, which is made where there is none.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Hub, StoreError> {
        let store = SqliteStore::open(path.as_ref())?;
        self.with_store(store)
    }

    /// Opens a hub that is gone with its last handle.
    pub fn in_memory(self) -> Result<Hub, StoreError> {
        let store = SqliteStore::in_memory()?;
        self.with_store(store)
    }

    /// Opens a hub on a store of the caller's: tests put one here that breaks.
    pub fn with_store(self, mut store: impl Store + 'static) -> Result<Hub, StoreError> {
        let loaded = store.load(&self.limits)?;
        let queue = Arc::new(Queue::default());
        let behind = Arc::new(Behind::new(queue.clone()));
        let history = Arc::new(CaughtUp::new(store.history(), behind.clone()));
        let clock: Box<dyn Clock> = self.clock.unwrap_or_else(|| Box::new(SystemClock::default()));
        let clock = HubClock::new(clock, loaded.state.now());

        let presence = Presences::default();
        for (_, entity) in loaded.state.entities() {
            presence.register(&entity.entity_id, entity.entity_type, entity.registered_at);
        }
        for (id, seen) in &loaded.last_seen {
            if let Some(entity) = loaded.state.entity(id) {
                presence.register(id, entity.entity_type, *seen);
            }
        }
        let hour = HourCount::new(clock.now());
        let hour_ago = clock.now().plus_millis(-60 * 60 * 1_000);
        hour.add(clock.now(), history.count_messages_since(hour_ago)?);

        let published = Published::new(loaded.state.clone(), loaded.epoch, history)?;
        let shared = Arc::new(Shared {
            published: Arc::new(published),
            index: Arc::new(Index::new(store.index_path())),
            queue,
            behind,
            presence,
            refusals: Refusals::new(loaded.refusals),
            clock,
            hour,
            degraded: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            waiters: AtomicU64::new(0),
            ends_waits: AtomicBool::new(false),
            counts: Counts::default(),
            is_pruning: AtomicBool::new(false),
        });
        let indexer = Indexer::start(shared.published.clone(), shared.index.clone())
            .map_err(|source| StoreError::Io { path: "the indexer's thread".to_owned(), source })?;
        let mut writer = Writer::new(shared.clone(), Box::new(store), loaded.state, self.retention);
        writer.start();
        let thread = thread::Builder::new()
            .name("coordhub-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| {
                // The indexer may be waiting for it.
                shared.behind.close();
                StoreError::Io { path: "the writer's thread".to_owned(), source }
            })?;
        let closer = Closer { shared: shared.clone(), indexer, writer: Mutex::new(Some(thread)) };
        Ok(Hub { shared, _closer: Arc::new(closer) })
    }
}
