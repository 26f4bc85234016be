//! Who did what, read from a file on which no hub need run. Writes nothing.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{UpkeepError, must_be_hub, no_file};
use crate::{
    ids::Seq,
    limits::AUDIT_LOOKS_MAX,
    model::{AuditEntry, Refusal},
    store::{
        AuditFilter, StoreError,
        check::{self, Found},
        connections::open_reader,
        damage,
        lock::{self, Origin, beside},
        rows, schema, sqlite, tail,
    },
};

/// The audit of a hub's file.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    conn: Connection,
}

impl AuditFile {
    /// Opens the hub's file `db` to read its audit, whether a hub runs on it or not.
    pub fn open(db: &Path) -> Result<Self, UpkeepError> {
        let path = sqlite::real_path(db)?;
        let origin = if beside(&path, ".lock").exists() { Origin::Found } else { Origin::Made };
        if check::look_outside(&path, origin)? == Found::Nothing {
            return Err(no_file(&path));
        }
        // A file to which somebody may write is read with its locks.
        let is_running = lock::holder_of(&path)?.is_some();
        let conn = if is_running { open_reader(&path) } else { check::open_settled(&path) };
        let conn = conn.map_err(|error| damage(&path, error))?;
        must_be_hub(&conn, &path)?;
        let version = schema::version(&conn).map_err(|error| damage(&path, error))?;
        if version < schema::SCHEMA_VERSION {
            let why = "is of an older version, which kept less; start this hub on it once";
            return Err(UpkeepError::NoHub { path: path.display().to_string(), why });
        }
        Ok(Self { path, conn })
    }

    /// The next page after a place, oldest first, and where to go on; `None` where that was the last.
    pub fn entries(
        &self,
        filter: &AuditFilter,
        after: Seq,
        limit: usize,
    ) -> Result<(Vec<AuditEntry>, Option<Seq>), StoreError> {
        self.read(|conn| {
            let head = rows::events::head(conn)?;
            if after < head {
                let found = rows::audit::read(conn, filter, after, limit)?;
                let next = match found.last() {
                    Some(last) if found.len() >= limit => last.seq,
                    _ => after.saturating_add(AUDIT_LOOKS_MAX).min(head),
                };
                return Ok((found, Some(next)));
            }
            // What was written last, and is still to come into the log.
            let waiting = tail::read(conn)?;
            let waiting = waiting.iter().filter(|stamped| stamped.seq > after);
            Ok((rows::audit::of_events(waiting, filter), None))
        })
    }

    /// What was refused, in the order in which the first of each was.
    pub fn refusals(&self) -> Result<Vec<Refusal>, StoreError> {
        self.read(rows::audit::read_refusals)
    }

    fn read<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        // One state of the file: what a running hub puts from the tail into the log meanwhile would be in
        // neither.
        let read = || {
            let transaction = self.conn.unchecked_transaction()?;
            body(&transaction)
        };
        read().map_err(|error| damage(&self.path, error))
    }
}
