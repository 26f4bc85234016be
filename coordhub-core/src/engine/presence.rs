//! Who is there: soft, in memory, cheap enough for every call.

mod journal;

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::{Mutex, RwLock};

use self::journal::Journal;
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
    journal: Journal,
}

/// What an entity's presence has become.
#[derive(Clone, Debug, PartialEq)]
pub struct PresenceChange {
    /// Whose it is.
    pub entity_id: EntityId,
    /// What it is now. That of an entity that was removed is offline.
    pub presence: Presence,
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
    /// The [`Status`] it was last found in, as a number: it is counted, and followers are told, by
    /// this.
    found: AtomicU8,
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
            found: AtomicU8::new(Status::Offline as u8),
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

    fn found(&self) -> Status {
        Status::ALL.get(usize::from(self.found.load(Relaxed))).copied().unwrap_or(Status::Offline)
    }

    fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Relaxed))
    }

    fn presence(&self, status: Status) -> Presence {
        Presence { status, activity: self.activity.lock().clone(), last_seen: self.last_seen() }
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
            self.find(id, &cell, Status::Offline);
            self.journal.note_removal(id, cell.last_seen());
        }
    }

    /// Notes that an entity acted. Whether it is registered.
    pub(crate) fn touch(&self, id: &EntityId, now: Timestamp) -> bool {
        let cells = self.cells.read();
        let Some(cell) = cells.get(id) else { return false };
        cell.see(now);
        self.find(id, cell, Status::Online);
        cell.is_registered()
    }

    /// Notes what an entity says it is doing; with an empty text it says nothing any more.
    pub(crate) fn set_activity(&self, id: &EntityId, activity: String) {
        let cells = self.cells.read();
        let Some(cell) = cells.get(id) else { return };
        let activity = Some(activity).filter(|text| !text.is_empty());
        let before = mem::replace(&mut *cell.activity.lock(), activity.clone());
        if before != activity && cell.is_registered() {
            self.journal.note(id);
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
            self.find(id, cell, Status::Online);
            cell.clone()
        };
        self.counts.sockets.fetch_add(1, Relaxed);
        Connection { cell, counts: self.counts.clone() }
    }

    /// Finds out who has not been heard of for too long, and forgets unregistered ones who left.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let mut gone = Vec::new();
        for (id, cell) in self.cells.read().iter() {
            self.find(id, cell, cell.status(now));
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
        unsaved.map(|(id, cell)| (id.clone(), cell.last_seen())).collect()
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
        Some(cell.presence(cell.status(now)))
    }

    /// The version of the newest change.
    pub(crate) fn version(&self) -> u64 {
        self.journal.version()
    }

    /// What the presence of those has become that changed after a version, and the version that this
    /// has come to.
    pub(crate) fn changes(&self, version: u64) -> (Vec<PresenceChange>, u64) {
        let (changed, reached) = self.journal.since(version);
        if changed.is_empty() {
            return (Vec::new(), reached);
        }
        let cells = self.cells.read();
        let changes = changed.into_iter().filter_map(|entry| {
            let cell = cells.get(&entry.entity_id).filter(|cell| cell.is_registered());
            let presence = match (cell, entry.removed) {
                // As it was found and not as it is this moment: a difference is a change to come.
                (Some(cell), _) => cell.presence(cell.found()),
                (None, Some(last_seen)) => {
                    Presence { status: Status::Offline, activity: None, last_seen }
                }
                // It was removed since the look into the journal; the next look tells that.
                (None, None) => return None,
            };
            Some(PresenceChange { entity_id: entry.entity_id, presence })
        });
        (changes.collect(), reached)
    }

    pub(crate) fn open_sockets(&self) -> u64 {
        self.counts.sockets.load(Relaxed)
    }

    /// Counts a registered entity by the status it was found in, and notes a change. Called for
    /// everything that anybody does: where nothing changed it costs two loads.
    fn find(&self, id: &EntityId, cell: &Cell, status: Status) {
        let Some(online) = self.counts.online.get(usize::from(cell.kind.load(Relaxed))) else {
            return;
        };
        let status = status as u8;
        if cell.found.load(Relaxed) == status {
            return;
        }
        let before = cell.found.swap(status, Relaxed);
        if before == status {
            return;
        }
        if status == Status::Online as u8 {
            online.fetch_add(1, Relaxed);
        } else if before == Status::Online as u8 {
            online.fetch_sub(1, Relaxed);
        }
        self.journal.note(id);
    }
}

impl SoftFacts for Presences {
    fn is_connected(&self, id: &EntityId) -> bool {
        self.cells.read().get(id).is_some_and(|cell| cell.sockets.load(Relaxed) > 0)
    }

    fn last_seen(&self, id: &EntityId) -> Option<Timestamp> {
        let cells = self.cells.read();
        cells.get(id).map(|cell| cell.last_seen())
    }

    fn online(&self, kind: EntityType) -> u64 {
        self.counts.online[kind as usize].load(Relaxed)
    }

    fn is_online(&self, id: &EntityId) -> bool {
        self.cells.read().get(id).is_some_and(|cell| cell.found() == Status::Online)
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
