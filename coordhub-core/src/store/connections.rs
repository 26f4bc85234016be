//! Connections: one that writes, a few that read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, damage, io_error, schema};

/// How many reads run at the same time.
const READERS_MAX: usize = 4;

/// Opens a file to write to it. The file exists and was checked.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    schema::prepare_writer(&conn)?;
    Ok(conn)
}

/// Opens a file to read from it, whoever writes to it.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    schema::prepare_connection(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// The reading side of a store. Each read sees one state: it is one transaction.
pub(super) enum Readers {
    /// Connections of their own to a file: reading goes on while a batch is written.
    File(Pool),
    /// The one connection that a database in memory has. A commit holds it from its first write to
    /// its last, so that nobody reads half a batch.
    Memory(Arc<Mutex<Connection>>),
}

impl Readers {
    /// Runs one read.
    pub(super) fn read<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Memory(conn) => in_transaction(&conn.lock(), body).map_err(StoreError::Sqlite),
            Self::File(pool) => {
                let lease = pool.lease()?;
                in_transaction(lease.conn(), body).map_err(|error| damage(&pool.path, error))
            }
        }
    }
}

fn in_transaction<T>(
    conn: &Connection,
    body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // Rolled back when dropped, which for a read is as good as committed.
    let transaction = conn.unchecked_transaction()?;
    body(&transaction)
}

/// Read connections to a file, opened when they are first needed.
pub(super) struct Pool {
    path: PathBuf,
    state: Mutex<PoolState>,
    changed: Condvar,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<Connection>,
    leased: usize,
    gate: Gate,
}

/// Whether reads may begin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Gate {
    /// They may.
    #[default]
    Open,
    /// They wait for the writer, which will not be long.
    Waiting,
    /// They fail: the file could not be opened again yet, and what is in it may be taken back.
    Failing,
    /// Never again: the store was closed.
    Closed,
}

impl Pool {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Closes every connection, waiting for the reads that are under way, and sets the gate.
    pub(super) fn drain(&self, gate: Gate) {
        self.shut(gate).idle.clear();
    }

    /// Lets no read begin, and waits for those that are under way.
    pub(super) fn pause(&self) {
        drop(self.shut(Gate::Waiting));
    }

    /// Sets the gate while no read is under way.
    pub(super) fn set(&self, gate: Gate) {
        self.state.lock().gate = gate;
        self.changed.notify_all();
    }

    /// Where reads fail already, they are not made to wait again.
    fn shut(&self, gate: Gate) -> MutexGuard<'_, PoolState> {
        let mut state = self.state.lock();
        if (state.gate, gate) != (Gate::Failing, Gate::Waiting) {
            state.gate = gate;
        }
        self.changed.notify_all();
        while state.leased > 0 {
            self.changed.wait(&mut state);
        }
        state
    }

    fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let mut state = self.state.lock();
        loop {
            match state.gate {
                Gate::Failing => return Err(self.refusal("the file is being opened again")),
                Gate::Closed => return Err(self.refusal("the store is closed")),
                Gate::Open if !state.idle.is_empty() || state.leased < READERS_MAX => break,
                Gate::Open | Gate::Waiting => self.changed.wait(&mut state),
            }
        }
        state.leased += 1;
        let idle = state.idle.pop();
        drop(state);
        let mut lease = Lease { pool: self, conn: idle };
        if lease.conn.is_none() {
            lease.conn = Some(open_reader(&self.path).map_err(|error| damage(&self.path, error))?);
        }
        Ok(lease)
    }

    fn refusal(&self, why: &str) -> StoreError {
        io_error(&self.path, std::io::Error::other(why))
    }
}

/// A connection for one read; goes back to the pool when dropped.
struct Lease<'a> {
    pool: &'a Pool,
    /// `None` only while it is being opened.
    conn: Option<Connection>,
}

impl Lease<'_> {
    #[expect(clippy::expect_used, reason = "`lease` returns none without its connection")]
    fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("a lease holds a connection")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        state.leased -= 1;
        state.idle.extend(self.conn.take());
        drop(state);
        self.pool.changed.notify_all();
    }
}
