//! The write-ahead log: every commit syncs it, now and then it is copied into the file, and it is
//! kept from growing.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::{
    StoreError,
    connections::{Gate, Pool},
    damage, io_error,
    lock::beside,
    schema,
};

/// How many pages of 4 KiB the log may hold before a commit copies them into the file: the log stays
/// at about 8 MiB.
///
/// Measured on two cores under full load, 1,000, 4,000 and 12,000 pages gave the same sustained rate
/// (50,000 rows/s in batches of 16, 105,000 in batches of 64), so the copying is not worth a thread of
/// its own. What differs is how long the one commit takes that copies: 4, 20 and 38 ms. A disk that
/// syncs slowly wants few copies, so this is above SQLite's own 1,000.
const PAGES_MAX: u32 = 2_000;

/// A log that became longer than this is cut when it begins anew.
const BYTES_KEPT: u64 = 16 << 20;

/// A log that is longer than this is made to begin anew.
const BYTES_MAX: u64 = 64 << 20;

/// Sets how a connection that writes treats the log.
pub(super) fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "wal_autocheckpoint", PAGES_MAX)?;
    conn.pragma_update(None, "journal_size_limit", BYTES_KEPT.cast_signed())
}

/// How many commits pass between two looks at how long the log is. Each look has the file system note
/// the time of the next write to it exactly, which then is one more block for the next sync to wait for:
/// looked at with every commit, the log cost a lone sender a quarter of its rate.
const COMMITS_BETWEEN_LOOKS: u32 = 64;

/// How long the log may become. SQLite copies it beside the readers, and begins it anew only at a
/// moment when none of them reads from it: where somebody always reads, it would grow for ever.
#[derive(Debug)]
pub(super) struct Bound {
    log: PathBuf,
    bytes_max: u64,
    /// Longer than `bytes_max` after an attempt that failed: the next one waits for as much again.
    bytes_now_max: u64,
    /// Commits between two looks, and until the next.
    looks_after: u32,
    looks_in: u32,
}

impl Bound {
    pub(super) fn new(db: &Path) -> Self {
        Self {
            log: beside(db, "-wal"),
            bytes_max: BYTES_MAX,
            bytes_now_max: BYTES_MAX,
            looks_after: COMMITS_BETWEEN_LOOKS,
            looks_in: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn set(&mut self, bytes_max: u64) {
        (self.bytes_max, self.bytes_now_max) = (bytes_max, bytes_max);
        (self.looks_after, self.looks_in) = (0, 0);
    }

    /// After a commit, now and then: where the log is too long, lets no read begin, copies it and cuts
    /// it. Asking for its length opens nothing.
    pub(super) fn keep(&mut self, conn: &Connection, pool: &Pool) {
        if self.looks_in > 0 {
            self.looks_in -= 1;
            return;
        }
        self.looks_in = self.looks_after;
        let length = || std::fs::metadata(&self.log).map_or(0, |found| found.len());
        if length() <= self.bytes_now_max {
            return;
        }
        pool.pause();
        // Other programs are not waited for: whoever forgets a reading shell would stop the hub.
        let copied = schema::without_waiting(conn, copy);
        pool.set(Gate::Open);
        // What was committed is in the log, and stays there where this fails.
        let why = match copied {
            Ok(Copied::Whole) => {
                self.bytes_now_max = self.bytes_max;
                return;
            }
            Ok(Copied::InPart) => "another program has the file open".to_owned(),
            Err(error) => error.to_string(),
        };
        self.bytes_now_max = length() + self.bytes_max;
        tracing::warn!(why, "the write-ahead log is long, and could not be copied and cut");
    }
}

/// After a start: syncs the log that was found and copies it into the file. Where the disk has no
/// room for the copy the log was synced before, and goes on holding what the file lacks: nothing is
/// lost, and a hub that starts on a full disk can be read, unless it left something in the tail that finds
/// no room. So it is where another program reads.
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

/// After a write that found no room: what the log takes may be room enough once it is in the file. Whether
/// it is worth trying again.
pub(super) fn make_room(conn: &Connection) -> bool {
    schema::without_waiting(conn, copy).is_ok_and(|copied| copied == Copied::Whole)
}

fn copy(conn: &Connection) -> rusqlite::Result<Copied> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get("busy"))?;
    Ok(if busy == 0 { Copied::Whole } else { Copied::InPart })
}
