//! What an operator does with a hub's file: back it up, restore it, take it out and in as text, look
//! whether it is well, and what its audit says.
//!
//! None of it needs the hub's lock where it only reads: SQLite lets other processes read beside the
//! one that writes. What makes a file holds the lock of the file that it makes.

mod backup;
mod revocations;
mod restore;
mod lines;
mod export;
mod import;
mod examine;
mod audit;

use std::path::{Path, PathBuf};

pub use audit::AuditFile;
pub use backup::backup;
pub use examine::{Depth, Examined, Finding, Health, examine};
pub use export::export;
pub use import::import;
pub use restore::{IfThere, Restored, restore};
pub use revocations::{Revocations, Tokens};

use rusqlite::Connection;

use super::{
    StoreError,
    check::{self, Found},
    damage, io_error, rows, tail,
};
use crate::{hub::State, ids::Seq};

/// A file that was made, and looked at once it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub bytes: u64,
    /// What it holds.
    pub history: HistoryName,
}

/// What went out of a hub's file, or into one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transferred {
    /// What the file holds.
    pub history: HistoryName,
    /// How many lines it took.
    pub lines: u64,
}

/// Which history a file holds, and how far it goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HistoryName {
    /// Its epoch.
    pub epoch: String,
    /// Its newest event; 0 where nothing has happened.
    pub head: Seq,
}

/// What an operator asked for was not done; nothing is left half done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// The file to make is there already.
    #[error("{0} is there already; choose another name")]
    Exists(String),
    /// A hub's file would be written over.
    #[error("{0} is there already; --replace puts it aside and restores in its place")]
    WouldReplace(String),
    /// The same file is being made by another.
    #[error("{0} is being written by another backup")]
    UnderWay(String),
    /// There is no hub's file to read.
    #[error("{path} {why}")]
    NoHub {
        /// The file.
        path: String,
        /// What it is instead.
        why: &'static str,
    },
    /// The copy does not hold what it was made of.
    #[error("the copy of {path} is not what it should be, and was removed: {why}")]
    BadCopy {
        /// What was copied.
        path: String,
        /// How that shows.
        why: String,
    },
    /// A line of an import is wrong.
    #[error("line {number}: {why}; nothing was imported")]
    Line {
        /// Which, from 1.
        number: u64,
        /// What is wrong.
        why: String,
    },
    /// An export has no end.
    #[error("the export was cut short after {lines} lines; nothing was imported")]
    Incomplete {
        /// How many lines there are.
        lines: u64,
    },
    /// All lines are as they should be, and together they are not.
    #[error("what was imported is no hub: {why}; nothing is left of it")]
    NotAHub {
        /// How that shows.
        why: String,
    },
    /// What is to be imported cannot be read.
    #[error("the export cannot be read: {0}")]
    Input(std::io::Error),
    /// What is exported cannot be written.
    #[error("the export cannot be written: {0}")]
    Output(std::io::Error),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose an open file is: it must be a hub's.
fn must_be_hub(conn: &Connection, path: &Path) -> Result<(), UpkeepError> {
    match check::identify(conn, path)? {
        Found::Hub => Ok(()),
        Found::OldHub => {
            let why = "is a file of the old hub; start this hub on it once, which adopts it";
            Err(UpkeepError::NoHub { path: path.display().to_string(), why })
        }
        Found::Nothing => Err(no_file(path)),
    }
}

fn no_file(path: &Path) -> UpkeepError {
    UpkeepError::NoHub { path: path.display().to_string(), why: "does not exist, or is empty" }
}

fn history_name(conn: &Connection) -> rusqlite::Result<HistoryName> {
    // What stands in the tail is part of the history: whoever opens the file takes it in.
    let newest = tail::read(conn)?.last().map(|stamped| stamped.seq);
    let head = newest.map_or_else(|| rows::events::head(conn), Ok)?;
    Ok(HistoryName { epoch: rows::meta::epoch(conn)?, head })
}

/// SQLite's own full check.
fn check_integrity(conn: &Connection) -> rusqlite::Result<Result<(), String>> {
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    Ok(if found == "ok" { Ok(()) } else { Err(found) })
}

/// Whether the log and the messages that stand in it fit each other, and the log has no holes.
fn sound(conn: &Connection, state: &State) -> rusqlite::Result<Result<(), String>> {
    let horizons = state.horizons();
    let count =
        |sql: &str, after: Seq| conn.query_row(sql, [rows::int(after)], |row| row.get::<_, i64>(0));
    let without = count(
        "SELECT count(*) FROM messages m WHERE seq > ?1
         AND NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = m.seq AND e.data IS NULL)",
        horizons.events,
    )? + count(
        "SELECT count(*) FROM events e WHERE seq > ?1 AND data IS NULL
         AND NOT EXISTS (SELECT 1 FROM messages m WHERE e.seq = m.seq)",
        horizons.messages,
    )?;
    let events = count("SELECT count(*) FROM events WHERE seq > ?1", horizons.events)?;
    let expected = rows::int(state.head() - horizons.events.min(state.head()));
    Ok(match (without, events) {
        (0, events) if events == expected => Ok(()),
        (0, events) => Err(format!("the log has {events} events where there should be {expected}")),
        _ => Err(format!("{without} messages and their events do not stand together")),
    })
}

/// Looks at a copy that nobody else knows yet: whole, a hub's, and of the history it was made of.
fn verify(copy: &Path, source: &Path, expected: &HistoryName) -> Result<(), UpkeepError> {
    let bad = |why: String| UpkeepError::BadCopy { path: source.display().to_string(), why };
    let conn = check::open_settled(copy).map_err(|error| damage(copy, error))?;
    must_be_hub(&conn, copy)?;
    let looked = || Ok((check_integrity(&conn)?, history_name(&conn)?));
    let (integrity, found) = looked().map_err(|error| damage(copy, error))?;
    integrity.map_err(bad)?;
    if found != *expected {
        return Err(bad(format!("it holds {found:?} instead of {expected:?}")));
    }
    Ok(())
}

/// How many bytes a file has.
fn length(path: &Path) -> Result<u64, StoreError> {
    Ok(std::fs::metadata(path).map_err(|error| io_error(path, error))?.len())
}

/// The tables whose rows are exported, and those whose are not.
#[cfg(test)]
pub(super) fn tables_told_of() -> impl Iterator<Item = &'static str> {
    lines::KINDS.iter().map(|(_, table)| *table).chain(lines::LEFT_OUT.iter().copied())
}
