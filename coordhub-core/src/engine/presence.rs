//! Who is there: soft, in memory, cheap enough for every call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::{
    hub::SoftFacts,
    ids::EntityId,
    model::{EntityType, Presence, Status},
    time::Timestamp,
};

/// For how long after a call an entity counts as online.
const ONLINE_MILLIS: i64 = 90_000;
/// For how long after a call an entity counts as idle.
pub(in crate::engine) const IDLE_MILLIS: i64 = 180_000;

/// What is known of everybody's presence.
#[derive(Debug, Default)]
pub struct Presences {
    cells: RwLock<BTreeMap<EntityId, Arc<Cell>>>,
    counts: Arc<Counts>,
}

/// How many are online by type, and how many sockets are open: asked for with every message.
#[derive(Debug, Default)]
struct Counts {
    online: [AtomicU64; 4],
    sockets: AtomicU64,
}

/// One entity's presence. An unregistered one is kept only while it has a socket.
#[derive(Debug)]
struct Cell {
    /// Its [`EntityType`] as a number, or [`NO_TYPE`].
    kind: AtomicU8,
    last_seen: AtomicI64,
    sockets: AtomicU32,
    /// Whether it is counted in [`Counts::online`].
    is_counted: AtomicBool,
    /// Whether `last_seen` is newer than what is on disk.
    is_unsaved: AtomicBool,
    activity: Mutex<Option<String>>,
}

const NO_TYPE: u8 = u8::MAX;

impl Cell {
    fn new(kind: u8, last_seen: Timestamp) -> Self {
        Self {
            kind: AtomicU8::new(kind),
            last_seen: AtomicI64::new(last_seen.millis()),
            sockets: AtomicU32::new(0),
            is_counted: AtomicBool::new(false),
            is_unsaved: AtomicBool::new(false),
            activity: Mutex::new(None),
        }
    }

    fn is_registered(&self) -> bool {
        self.kind.load(Relaxed) != NO_TYPE
    }

    fn see(&self, now: Timestamp) {
        self.last_seen.fetch_max(now.millis(), Relaxed);
        self.is_unsaved.store(true, Relaxed);
    }

    fn status(&self, now: Timestamp) -> Status {
        let since = now.millis() - self.last_seen.load(Relaxed);
        if self.sockets.load(Relaxed) > 0 || since <= ONLINE_MILLIS {
            Status::Online
        } else if since <= IDLE_MILLIS {
            Status::Idle
        } else {
            Status::Offline
        }
    }
}

impl Counts {
    /// Counts the cell in, or out, where it is not already.
    fn count(&self, cell: &Cell, online: Status) {
        let Some(count) = self.online.get(usize::from(cell.kind.load(Relaxed))) else { return };
        let counts_now = online == Status::Online;
        if cell.is_counted.load(Relaxed) == counts_now {
            return;
        }
        if cell.is_counted.swap(counts_now, Relaxed) != counts_now {
            if counts_now {
                count.fetch_add(1, Relaxed);
            } else {
                count.fetch_sub(1, Relaxed);
            }
        }
    }
}

impl Presences {
    /// Takes in a registered entity: at its registration, or when the hub starts.
    pub(crate) fn register(&self, id: &EntityId, kind: EntityType, last_seen: Timestamp) {
        let mut cells = self.cells.write();
        let cell = cells
            .entry(id.clone())
            .or_insert_with(|| Arc::new(Cell::new(NO_TYPE, Timestamp::default())));
        cell.kind.store(kind as u8, Relaxed);
        cell.last_seen.fetch_max(last_seen.millis(), Relaxed);
    }

    /// Forgets a removed entity. Its open sockets are left to whoever holds them.
    pub(crate) fn forget(&self, id: &EntityId) {
        if let Some(cell) = self.cells.write().remove(id) {
            self.counts.count(&cell, Status::Offline);
        }
    }

    /// Notes that an entity acted. Whether it is registered.
    pub(crate) fn touch(&self, id: &EntityId, now: Timestamp) -> bool {
        let cells = self.cells.read();
        let Some(cell) = cells.get(id) else { return false };
        cell.see(now);
        self.counts.count(cell, Status::Online);
        cell.is_registered()
    }

    pub(crate) fn set_activity(&self, id: &EntityId, activity: String) {
        if let Some(cell) = self.cells.read().get(id) {
            *cell.activity.lock() = Some(activity).filter(|text| !text.is_empty());
        }
    }

    /// Notes a live socket, until the returned value is dropped.
    pub(crate) fn connect(self: &Presences, id: &EntityId, now: Timestamp) -> Connection {
        let cell = {
            let mut cells = self.cells.write();
            let cell = cells.entry(id.clone()).or_insert_with(|| Arc::new(Cell::new(NO_TYPE, now)));
            cell.sockets.fetch_add(1, Relaxed);
            cell.see(now);
            // Under the lock: an entity that is removed meanwhile must be counted out after this.
            self.counts.count(cell, Status::Online);
            cell.clone()
        };
        self.counts.sockets.fetch_add(1, Relaxed);
        Connection { cell, counts: self.counts.clone() }
    }

    /// Counts out whoever has not been heard of for too long, and forgets unregistered ones who left.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let mut gone = Vec::new();
        for (id, cell) in self.cells.read().iter() {
            self.counts.count(cell, cell.status(now));
            if !cell.is_registered() && cell.sockets.load(Relaxed) == 0 {
                gone.push(id.clone());
            }
        }
        if gone.is_empty() {
            return;
        }
        let mut cells = self.cells.write();
        for id in gone {
            let left = |cell: &Arc<Cell>| !cell.is_registered() && cell.sockets.load(Relaxed) == 0;
            if cells.get(&id).is_some_and(left) {
                cells.remove(&id);
            }
        }
    }

    /// Takes what has to be written: entities seen since it was last taken.
    pub(crate) fn take_unsaved(&self) -> Vec<(EntityId, Timestamp)> {
        let cells = self.cells.read();
        let unsaved = cells
            .iter()
            .filter(|(_, cell)| cell.is_registered() && cell.is_unsaved.swap(false, Relaxed));
        unsaved
            .map(|(id, cell)| (id.clone(), Timestamp::from_millis(cell.last_seen.load(Relaxed))))
            .collect()
    }

    /// Gives back what could not be written.
    pub(crate) fn mark_unsaved(&self, seen: &[(EntityId, Timestamp)]) {
        let cells = self.cells.read();
        seen.iter().filter_map(|(id, _)| cells.get(id)).for_each(|cell| {
            cell.is_unsaved.store(true, Relaxed);
        });
    }

    /// The presence of one entity, where it is known.
    pub fn of(&self, id: &EntityId, now: Timestamp) -> Option<Presence> {
        let cells = self.cells.read();
        let cell = cells.get(id)?;
        Some(Presence {
            status: cell.status(now),
            activity: cell.activity.lock().clone(),
            last_seen: Timestamp::from_millis(cell.last_seen.load(Relaxed)),
        })
    }

    pub(crate) fn open_sockets(&self) -> u64 {
        self.counts.sockets.load(Relaxed)
    }
}

impl SoftFacts for Presences {
    fn is_connected(&self, id: &EntityId) -> bool {
        self.cells.read().get(id).is_some_and(|cell| cell.sockets.load(Relaxed) > 0)
    }

    fn last_seen(&self, id: &EntityId) -> Option<Timestamp> {
        let cells = self.cells.read();
        cells.get(id).map(|cell| Timestamp::from_millis(cell.last_seen.load(Relaxed)))
    }

    fn online(&self, kind: EntityType) -> u64 {
        self.counts.online[kind as usize].load(Relaxed)
    }

    fn is_online(&self, id: &EntityId) -> bool {
        self.cells.read().get(id).is_some_and(|cell| cell.is_counted.load(Relaxed))
    }
}

/// A live socket of an entity. The entity is online while this lives.
#[derive(Debug)]
pub struct Connection {
    cell: Arc<Cell>,
    counts: Arc<Counts>,
}

impl Connection {
    /// Notes that something came over the socket.
    pub fn touch(&self, now: Timestamp) {
        self.cell.see(now);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cell.sockets.fetch_sub(1, Relaxed);
        self.counts.sockets.fetch_sub(1, Relaxed);
    }
}
