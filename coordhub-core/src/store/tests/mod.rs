//! What is written is what is read, whatever happened.

/// Loading, replaying and every query, against that history.
mod faithful;
/// What reading and writing cost.
mod cost;
/// New files, locked ones, and those that are refused.
mod files;
mod older;
mod upkeep;
/// The write-ahead log, and opening a file again.
mod log;
/// Files of the hub before this one.
mod adoption;
/// A hub that lives through a random history.
mod story;

use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteStore;

/// A folder with a store in it.
fn on_disk() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("hub.db")).expect("opens");
    (folder, store)
}

/// What SQLite's own full check says of a file.
fn integrity(path: &Path) -> String {
    let conn = Connection::open(path).expect("opens");
    conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer")
}
