//! Opening a hub.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    thread,
};

use parking_lot::{Mutex, RwLock};

use super::{
    Clock, Closer, Hub, HubClock, Presences, Shared, SystemClock, hour::HourCount,
    permits::Permits, queue::Queue, writer::Writer,
};
use crate::{
    limits::{CATCH_UPS_MAX, Limits},
    store::{SqliteStore, Store, StoreError},
    subscribe::{Entry, Rings, Signal, Window},
};

/// The settings of a hub.
#[derive(Default)]
pub struct Builder {
    limits: Limits,
    clock: Option<Box<dyn Clock>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How many of the newest events the window is filled with at the start.
const WARM_EVENTS: usize = 2_000;

impl Builder {
    /// Other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
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
        let history = store.history();
        let clock: Box<dyn Clock> = self.clock.unwrap_or_else(|| Box::new(SystemClock::default()));
        let clock = HubClock::new(clock, loaded.state.now());
        let head = loaded.state.head();

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

        let warm = history.newest_events(WARM_EVENTS, self.limits.window_bytes_max)?;
        let floor = warm.first().map_or(head, |stamped| stamped.seq - 1);
        let (window, rings) = (
            Window::new(self.limits.window_bytes_max, head),
            Rings::new(self.limits.rings_bytes_max, floor),
        );
        let warm: Vec<_> = warm.into_iter().map(|stamped| Arc::new(Entry::new(stamped))).collect();
        window.extend(&warm);
        rings.extend(&warm);

        let shared = Arc::new(Shared {
            durable: RwLock::new(loaded.state.clone()),
            window,
            rings,
            signal: Signal::default(),
            oldest_seq: history.oldest_seq()?,
            history,
            epoch: loaded.epoch,
            catch_ups: Permits::new(CATCH_UPS_MAX),
            queue: Queue::default(),
            presence,
            clock,
            hour,
            degraded: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            commits: AtomicU64::new(0),
        });
        let writer = Writer::new(shared.clone(), Box::new(store), loaded.state);
        let thread = thread::Builder::new()
            .name("coordhub-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| StoreError::Io { path: "the writer's thread".to_owned(), source })?;
        let closer = Closer { shared: shared.clone(), writer: Mutex::new(Some(thread)) };
        Ok(Hub { shared, _closer: Arc::new(closer) })
    }
}
