//! The store that writes to SQLite: a file, or memory.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ffi};

use super::{
    Batch, CommitError, History, Loaded, Store, StoreError, Sweep, Written,
    check::{self, Found},
    connections::{Gate, Pool, Readers, open_writer},
    create, damage, io_error, legacy,
    lock::{Lock, beside},
    rows, schema, tail,
    tail::Tail,
    wal,
};
use crate::{
    Timestamp,
    event::Stamped,
    hub::{Kept, KeptKey, KeyId, KnownReceipt, State},
    ids::{EntityId, MessageId, ProposalId, TaskId},
    limits::Limits,
    model::{MessageHead, Proposal, Refusal, Task},
};

/// Keeps the hub in SQLite.
///
/// ```
/// use coordhub_core::{limits::Limits, store::{SqliteStore, Store}};
/// let mut store = SqliteStore::in_memory()?;
/// let loaded = store.load(&Limits::default())?;
/// assert_eq!(loaded.state.head(), 0);
/// # Ok::<(), coordhub_core::store::StoreError>(())
/// ```
pub struct SqliteStore {
    writer: Writer,
    tail: Tail,
    /// Whether the disk had room when the tail was begun.
    has_room: bool,
    pub(super) readers: Arc<Readers>,
}

/// The connection that writes.
enum Writer {
    File {
        /// `None` after the file could not be opened again.
        conn: Option<Connection>,
        path: PathBuf,
        log: Box<wal::Bound>,
        /// Held for as long as there is a connection: fields are dropped in this order.
        _lock: Lock,
    },
    Memory(Arc<Mutex<Connection>>),
}

impl SqliteStore {
    /// Opens a hub's file, or makes one where there is none. A file that is not a hub's, newer than
    /// this version or damaged is refused and left as it was.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = real_path(path)?;
        let lock = Lock::take(&path)?;
        let found = match check::look(&path, lock.origin()) {
            Ok(found) => found,
            Err(error) => {
                lock.abandon();
                return Err(error);
            }
        };
        match found {
            Found::Nothing => create::hub(&path)?,
            Found::OldHub => legacy::adopt(&path)?,
            Found::Hub => {}
        }
        let conn = connect(&path)?;
        // An earlier process may have died between writing the log and syncing it.
        wal::copy_if_possible(&conn).map_err(|error| damage(&path, error))?;
        let readers = Arc::new(Readers::File(Pool::new(&path)));
        let log = Box::new(wal::Bound::new(&path));
        let writer = Writer::File { conn: Some(conn), path, log, _lock: lock };
        let mut store = Self { writer, tail: Tail::default(), has_room: false, readers };
        store.take_in()?;
        Ok(store)
    }

    /// A store that forgets everything when it is dropped.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut conn = Connection::open_in_memory()?;
        schema::prepare_connection(&conn)?;
        schema::migrate(&mut conn)?;
        let conn = Arc::new(Mutex::new(conn));
        let readers = Arc::new(Readers::Memory(conn.clone()));
        Ok(Self { writer: Writer::Memory(conn), tail: Tail::default(), has_room: false, readers })
    }

    /// Runs `body` in a transaction that is on disk when this returns `Ok`.
    pub(super) fn write(
        &mut self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), CommitError> {
        match self.writer.conn() {
            Ok(conn) => transact(&conn, body)?,
            Err(error) => return Err(CommitError::Disk(error.to_string())),
        }
        if let Writer::File { conn: Some(conn), log, .. } = &mut self.writer
            && let Readers::File(pool) = &*self.readers
        {
            log.keep(conn, pool);
        }
        Ok(())
    }

    /// Whether what is committed may stand in the tail for now. Where the disk might be full before it is
    /// folded it goes to its tables at once: what was acknowledged can be read on a full disk, too. In
    /// memory there is no sync, and so nothing to be saved.
    fn may_wait(&mut self) -> bool {
        let Writer::File { path, .. } = &self.writer else { return false };
        // Looked at once for each fold.
        if self.tail.events().is_empty() {
            self.has_room = has_room(path);
        }
        self.has_room
    }

    /// Writes to the tables what stands in the tail of a file that was just opened.
    fn take_in(&mut self) -> Result<(), StoreError> {
        self.tail.clear();
        let found = self.read(tail::read)?;
        if found.is_empty() {
            return Ok(());
        }
        let mut state = self.read(|conn| load(conn, &Limits::default()))?.state;
        found.iter().for_each(|stamped| state.evolve(stamped));
        self.tail.extend(&found);
        self.fold(&state).map_err(|error| self.writer.behind(&error))
    }

    /// Bounds the log by less than a test can fill.
    #[cfg(test)]
    pub(super) fn bound_log(&mut self, bytes_max: u64) {
        if let Writer::File { log, .. } = &mut self.writer {
            log.set(bytes_max);
        }
    }

    fn read<T>(
        &mut self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let result = body(&*self.writer.conn()?);
        result.map_err(|error| self.writer.damage(error))
    }
}

impl Store for SqliteStore {
    fn load(&mut self, limits: &Limits) -> Result<Loaded, StoreError> {
        self.take_in()?;
        self.read(|conn| load(conn, limits))
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<Written, CommitError> {
        if batch.events.is_empty() {
            let is_folded = self.tail.events().is_empty();
            return Ok(if is_folded { Written::Tables } else { Written::Tail });
        }
        if self.tail.takes(batch.events) && self.may_wait() {
            let tail = mem::take(&mut self.tail);
            let outcome = self.write(|conn| tail.write(conn, batch.events));
            self.tail = tail;
            outcome?;
            self.tail.extend(batch.events);
            return Ok(Written::Tail);
        }
        let waiting = self.tail.events();
        let whole = [waiting, batch.events].concat();
        let events = if waiting.is_empty() { batch.events } else { &whole };
        let batch = Batch { events, state: batch.state };
        let written = self.write(|conn| {
            write_batch(conn, &batch)?;
            tail::wipe(conn, batch.events)
        });
        match written {
            Ok(()) => {
                self.tail.clear();
                Ok(Written::Tables)
            }
            // What stands in the tail may be at fault, which is no command's of this batch.
            Err(CommitError::Refused(why)) if !self.tail.events().is_empty() => {
                Err(CommitError::Disk(format!("the tables may be behind the log: {why}")))
            }
            Err(error) => Err(error),
        }
    }

    fn fold(&mut self, state: &State) -> Result<(), CommitError> {
        if self.tail.events().is_empty() {
            return Ok(());
        }
        let folded = mem::take(&mut self.tail);
        let batch = Batch { events: folded.events(), state };
        let write = |conn: &Connection| write_batch(conn, &batch);
        let mut outcome = self.write(write);
        if matches!(outcome, Err(CommitError::Disk(_)))
            && let Writer::File { conn: Some(conn), .. } = &self.writer
            && wal::make_room(conn)
        {
            outcome = self.write(write);
        }
        if outcome.is_err() {
            self.tail = folded;
        }
        outcome
    }

    fn tail(&self) -> &[Stamped] {
        self.tail.events()
    }

    fn save_presence(&mut self, seen: &[(EntityId, Timestamp)]) -> Result<(), CommitError> {
        if seen.is_empty() {
            return Ok(());
        }
        self.write(|conn| rows::entities::write_seen(conn, seen))
    }

    fn save_refusals(&mut self, changed: &[Refusal], gone: &[u64]) -> Result<(), CommitError> {
        if changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.write(|conn| rows::audit::write_refusals(conn, changed, gone))
    }

    fn probe(&mut self) -> Result<(), CommitError> {
        self.write(rows::meta::probe)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let Writer::File { conn, path, .. } = &mut self.writer else { return Ok(()) };
        let Readers::File(pool) = &*self.readers else { return Ok(()) };
        // Every connection goes, so that SQLite forgets what it thinks the file holds.
        pool.drain(Gate::Waiting);
        *conn = None;
        let opened = connect(path).and_then(|opened| {
            wal::copy_whole(&opened, path)?;
            Ok(opened)
        });
        match opened {
            Ok(opened) => {
                *conn = Some(opened);
                pool.set(Gate::Open);
                Ok(())
            }
            Err(error) => {
                // A reader would take what recovery finds for true, synced or not.
                pool.set(Gate::Failing);
                Err(error)
            }
        }
    }

    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.read(|conn| rows::tasks::read(conn, id))
    }

    fn proposal(&mut self, id: &ProposalId) -> Result<Option<Proposal>, StoreError> {
        self.read(|conn| rows::proposals::read(conn, id))
    }

    fn message(&mut self, id: &MessageId) -> Result<Option<MessageHead>, StoreError> {
        if let Some(head) = self.tail.message(id) {
            return Ok(Some(head));
        }
        self.read(|conn| {
            let columns = rows::events::HEAD_COLUMNS;
            conn.prepare_cached(&format!("SELECT {columns} FROM messages WHERE message_id = ?1"))?
                .query_row([id.as_str()], rows::events::message_head)
                .optional()
        })
    }

    fn is_redacted(&mut self, id: &MessageId) -> Result<bool, StoreError> {
        self.read(|conn| rows::events::is_redacted(conn, id))
    }

    fn receipt(
        &mut self,
        message: &MessageId,
        entity: &EntityId,
    ) -> Result<KnownReceipt, StoreError> {
        self.read(|conn| rows::roll_calls::receipt(conn, message, entity))
    }

    fn has_late_result(&mut self, task: &TaskId, claim_token: u64) -> Result<bool, StoreError> {
        self.read(|conn| rows::remarks::has_late_result(conn, task, claim_token))
    }

    fn key(&mut self, id: &KeyId) -> Result<Option<KeptKey>, StoreError> {
        self.read(|conn| rows::keys::read(conn, id))
    }

    fn forget_keys(&mut self, past: Timestamp) -> Result<(), CommitError> {
        self.write(|conn| rows::keys::forget(conn, past).map(drop))
    }

    fn sweep(&mut self, sweep: &Sweep<'_>) -> Result<usize, CommitError> {
        let mut removed = 0;
        self.write(|conn| {
            removed = rows::history::sweep(conn, sweep)?;
            Ok(())
        })?;
        Ok(removed)
    }

    fn history(&self) -> Arc<dyn History> {
        self.readers.clone()
    }

    fn index_path(&self) -> Option<PathBuf> {
        match &self.writer {
            Writer::File { path, .. } => Some(beside(path, ".search")),
            Writer::Memory(_) => None,
        }
    }
}

impl Drop for SqliteStore {
    /// Whoever still holds the reading side reads no more: another hub may have the file next.
    fn drop(&mut self) {
        if let Readers::File(pool) = &*self.readers {
            pool.drain(Gate::Closed);
        }
    }
}

impl Writer {
    fn conn(&self) -> Result<ConnRef<'_>, StoreError> {
        match self {
            Self::File { conn: Some(conn), .. } => Ok(ConnRef::Own(conn)),
            Self::File { conn: None, path, .. } => {
                Err(io_error(path, std::io::Error::other("the file could not be opened again")))
            }
            Self::Memory(conn) => Ok(ConnRef::Shared(conn.lock())),
        }
    }

    /// What was acknowledged last cannot be brought to where it can be read.
    fn behind(&self, error: &CommitError) -> StoreError {
        let path = match self {
            Self::File { path, .. } => path.as_path(),
            Self::Memory(_) => Path::new(":memory:"),
        };
        let why = format!("what was written last cannot be taken in: {error}");
        io_error(path, std::io::Error::other(why))
    }

    fn damage(&self, error: rusqlite::Error) -> StoreError {
        match self {
            Self::File { path, .. } => damage(path, error),
            Self::Memory(_) => StoreError::Sqlite(error),
        }
    }
}

/// The writing connection, for as long as it is used.
enum ConnRef<'a> {
    Own(&'a Connection),
    Shared(MutexGuard<'a, Connection>),
}

impl std::ops::Deref for ConnRef<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Own(conn) => conn,
            Self::Shared(conn) => conn,
        }
    }
}

/// How much room a disk must have for the tail to be used: many times what a fold may take.
const ROOM_BYTES_MIN: u64 = 64 << 20;

#[cfg(unix)]
fn has_room(path: &Path) -> bool {
    // Where it cannot be asked the tail is not worth the risk.
    rustix::fs::statvfs(path).is_ok_and(|found| found.f_bavail * found.f_frsize >= ROOM_BYTES_MIN)
}

#[cfg(not(unix))]
fn has_room(_path: &Path) -> bool {
    false
}

/// The path with its links followed, so that two names of one file have one lock.
pub(super) fn real_path(path: &Path) -> Result<PathBuf, StoreError> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let name = path.file_name().ok_or_else(|| {
        io_error(path, std::io::Error::new(std::io::ErrorKind::InvalidInput, "this names no file"))
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().map_err(|error| {
        let why = format!("the folder it should stand in cannot be used: {error}");
        io_error(path, std::io::Error::new(error.kind(), why))
    })?;
    Ok(folder.join(name))
}

/// Opens a file that was checked, and brings its schema up to date. Its log is still to be copied.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let mut conn = open_writer(path)?;
        schema::migrate(&mut conn)?;
        wal::prepare(&conn)?;
        Ok(conn)
    };
    open().map_err(|error| damage(path, error))
}

/// All that a hub needs to go on.
pub(super) fn load(conn: &Connection, limits: &Limits) -> rusqlite::Result<Loaded> {
    let meta = rows::meta::read(conn)?;
    let head = rows::events::head(conn)?;
    let (entities, seen): (Vec<_>, Vec<_>) = rows::entities::read_all(conn)?.into_iter().unzip();
    let last_seen = entities.iter().map(|entity| entity.entity_id.clone()).zip(seen).collect();
    let kept = Kept {
        head,
        now: meta.now,
        totals: meta.totals,
        horizons: meta.horizons,
        entities,
        cursors: rows::entities::read_cursors(conn)?,
        channels: rows::channels::read_all(conn)?,
        private: rows::channels::read_private(conn)?,
        tasks: rows::tasks::read_unfinished(conn)?,
        proposals: rows::proposals::read_open(conn)?,
        roll_calls: rows::roll_calls::read_open(conn)?,
        reservations: rows::reservations::read_all(conn)?,
        tokens: rows::credentials::read_tokens(conn)?,
        invites: rows::credentials::read_invites(conn)?,
        removed: rows::credentials::read_removed(conn)?,
    };
    let refusals = rows::audit::read_refusals(conn)?;
    let state = State::restored(limits.clone(), kept);
    Ok(Loaded { state, epoch: meta.epoch, last_seen, refusals })
}

/// Writes a batch: what happened, and what is so because of it.
pub(super) fn write_batch(conn: &Connection, batch: &Batch<'_>) -> rusqlite::Result<()> {
    rows::events::write(conn, batch.events)?;
    rows::entities::write(conn, batch.state)?;
    rows::entities::write_cursors(conn, batch.state)?;
    rows::channels::write(conn, batch.state)?;
    rows::channels::write_members(conn, batch.state)?;
    rows::tasks::write(conn, batch.state)?;
    rows::proposals::write(conn, batch.state)?;
    rows::proposals::write_votes(conn, batch.events)?;
    rows::roll_calls::write(conn, batch.state)?;
    rows::roll_calls::write_receipts(conn, batch.events)?;
    rows::reservations::write(conn, batch.state)?;
    rows::credentials::write(conn, batch.state)?;
    rows::remarks::write(conn, batch.events)?;
    rows::keys::write(conn, batch.events)?;
    rows::meta::write(conn, batch.state)
}

/// One transaction: all of it, or nothing.
fn transact(
    conn: &Connection,
    body: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> Result<(), CommitError> {
    let run = |sql| conn.prepare_cached(sql)?.execute([]).map(|_| ());
    let written = run("BEGIN IMMEDIATE").and_then(|()| body(conn)).map_err(before_commit);
    let outcome = written.and_then(|()| run("COMMIT").map_err(at_commit));
    if outcome.is_err() && !conn.is_autocommit() {
        // Without a rollback this connection can write nothing more: it must be opened anew.
        run("ROLLBACK").map_err(|error| CommitError::Unknown(error.to_string()))?;
    }
    outcome
}

/// Nothing of the batch is on disk. Whose fault it is decides what the hub does next: a batch is
/// tried again in parts only where the disk, the file and the machine are all well.
fn before_commit(error: rusqlite::Error) -> CommitError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure,
        ) => CommitError::Disk(error.to_string()),
        _ => CommitError::Refused(error.to_string()),
    }
}

/// The commit record is among the last of what is written, so a write that failed, or found no room,
/// leaves none. What fails after that leaves it open whether the batch is on disk: the sync, and
/// SQLite's noting in its index of the log what was written, which takes memory and room as well.
pub(super) fn at_commit(error: rusqlite::Error) -> CommitError {
    let is_write = error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_WRITE);
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) if !is_write => CommitError::Unknown(error.to_string()),
        Some(ErrorCode::OutOfMemory) => CommitError::Unknown(error.to_string()),
        _ => before_commit(error),
    }
}
