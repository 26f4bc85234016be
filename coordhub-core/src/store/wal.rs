//! The write-ahead log: every commit syncs it, now and then it is copied into the file, and it is
//! kept from growing.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::{StoreError, damage, io_error, schema};

/// How many pages of 4 KiB the log may hold before a commit copies them into the file: the log stays
/// at about 8 MiB.
///
/// Measured on two cores under full load, 1,000, 4,000 and 12,000 pages gave the same sustained rate
/// (50,000 rows/s in batches of 16, 105,000 in batches of 64), so the copying is not worth a thread of
/// its own. What differs is how long the one commit takes that copies: 4, 20 and 38 ms. A disk that
/// syncs slowly wants few copies, so this is above SQLite's own 1,000.
const PAGES_MAX: u32 = 2_000;

/// Sets how a connection that writes treats the log.
pub(super) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "wal_autocheckpoint", PAGES_MAX)
}

/// After a start: syncs the log that was found and copies it into the file. Where the disk has no
/// room for the copy the log was synced before, and goes on holding what the file lacks: nothing is
/// lost, and a hub that starts on a full disk can be read. So it is where another program reads.
pub(super) fn copy_if_possible(conn: &Connection) -> rusqlite::Result<()> {
    let why = match copy(conn) {
        Ok(Copied::Whole) => return Ok(()),
        Ok(Copied::InPart) => "another program has the file open",
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => "the disk is full",
        Err(error) => return Err(error),
    };
    tracing::warn!("{why}: the write-ahead log could not be copied into the file");
    Ok(())
}

/// After a failed sync: all of the log must be in the file, and synced there, before anyone goes by
/// what it holds. Waits for nobody: whoever calls this tries again.
pub(super) fn copy_whole(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    match schema::without_waiting(conn, copy).map_err(|error| damage(path, error))? {
        Copied::Whole => Ok(()),
        Copied::InPart => {
            let why = "another program keeps the write-ahead log from being copied into the file";
            Err(io_error(path, std::io::Error::other(why)))
        }
    }
}

/// How much of the log is in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Copied {
    /// All of it; the log is empty now.
    Whole,
    /// Perhaps not all: somebody else reads or writes.
    InPart,
}

fn copy(conn: &Connection) -> rusqlite::Result<Copied> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy"))?;
    Ok(if busy == 0 { Copied::Whole } else { Copied::InPart })
}
