//! Looks at a file before anything is written to it. What is refused here stays as it was, byte for
//! byte, and gets no log or lock file beside it.
//!
//! The file is read as a file only while no connection of this process has it: closing it would give
//! up SQLite's locks. The hub's own lock, taken before, sees to that.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, types::ValueRef};

use super::{
    StoreError, damage, io_error,
    lock::{Origin, beside},
    schema,
};

/// What stands at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A hub's file that looks well.
    Hub,
    /// A file of the hub before this one.
    OldHub,
}

/// Every SQLite file begins with this.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How many of the newest rows of each table are read: they stand on the pages written last.
const ROWS_READ: u32 = 64;

/// Looks at the file, and refuses what cannot or must not be opened for writing.
pub(super) fn look(path: &Path, origin: Origin) -> Result<Found, StoreError> {
    if look_outside(path, origin)? == Found::Nothing {
        return Ok(Found::Nothing);
    }
    let conn = open_settled(path).map_err(|error| damage(path, error))?;
    identify(&conn, path)
}

/// The first half of [`look`]: what is seen without opening it. `Hub` is what may be one.
pub(super) fn look_outside(path: &Path, origin: Origin) -> Result<Found, StoreError> {
    let length = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(foreign(path, "it is a folder")),
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(io_error(path, error)),
    };
    let has_log = size(&beside(path, "-wal")) > 0;
    if length == 0 {
        // SQLite would delete the log of an empty file.
        return if has_log {
            Err(damaged(path, "it is empty, but a write-ahead log stands beside it"))
        } else {
            Ok(Found::Nothing)
        };
    }
    // The old hub, when killed, leaves a journal: SQLite rolls it back when the file is adopted.
    let is_unfinished = has_log || size(&beside(path, "-journal")) > 0;
    check_header(path, length, is_unfinished, origin)?;
    Ok(Found::Hub)
}

/// Whose an open file is, and whether its schema and newest rows can be read.
pub(super) fn identify(conn: &Connection, path: &Path) -> Result<Found, StoreError> {
    let found = || -> rusqlite::Result<(i32, i64, Vec<String>)> {
        let id = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok((id, schema::version(conn)?, tables))
    };
    let (id, version, tables) = found().map_err(|error| damage(path, error))?;
    if id != schema::APPLICATION_ID {
        if id == 0 && version == 0 && is_old_hub(conn, &tables) {
            return Ok(Found::OldHub);
        }
        return Err(foreign(path, "it is an SQLite database of another program"));
    }
    if version > schema::SCHEMA_VERSION {
        let path = path.display().to_string();
        return Err(StoreError::Newer { path, found: version, known: schema::SCHEMA_VERSION });
    }
    if version < 1 {
        return Err(damaged(path, "it has no schema"));
    }
    let is_missing = |name: &&str| !tables.iter().any(|table| table == name);
    if let Some(missing) = schema::tables(version).find(is_missing) {
        return Err(damaged(path, &format!("its table {missing:?} is missing")));
    }
    schema::tables(version)
        .try_for_each(|table| read_newest(conn, table))
        .map_err(|error| damage(path, error))?;
    Ok(Found::Hub)
}

/// Whether these are the three tables of the old hub. Other tables beside them are no obstacle.
fn is_old_hub(conn: &Connection, tables: &[String]) -> bool {
    let old = ["entities", "messages", "tasks"];
    old.iter().all(|name| {
        tables.iter().any(|table| table == name)
            && conn.prepare(&format!("SELECT data FROM {name} LIMIT 1")).is_ok()
    })
}

/// Reads the last rows of a table, every byte of them. A table without rowids is small, and read
/// from its end all the same: the order is that of its key.
fn read_newest(conn: &Connection, table: &str) -> rusqlite::Result<()> {
    let key = match table {
        "channel_members" | "channels" | "cursors" | "idempotency_keys" | "late_results"
        | "meta" | "private_channels" | "receipts" | "votes" => "1",
        _ => "rowid",
    };
    let mut select =
        conn.prepare(&format!("SELECT * FROM {table} ORDER BY {key} DESC LIMIT {ROWS_READ}"))?;
    let columns = select.column_count();
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            if let ValueRef::Text(bytes) = row.get_ref(column)? {
                std::hint::black_box(bytes);
            }
        }
    }
    Ok(())
}

/// Magic, page size, and size against page count. Where a log stands beside the file, the newest
/// pages are in that, and the file may be shorter than its header says: a hub that was killed while
/// copying pages leaves it so.
fn check_header(
    path: &Path,
    length: u64,
    is_unfinished: bool,
    origin: Origin,
) -> Result<(), StoreError> {
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    if let Err(error) = read {
        if error.kind() != std::io::ErrorKind::UnexpectedEof {
            return Err(io_error(path, error));
        }
        header = [0; 100];
    }
    if header[..16] != *MAGIC {
        return Err(match origin {
            Origin::Found => damaged(path, "its header is not that of an SQLite database"),
            Origin::Made => foreign(path, "it is not an SQLite database"),
        });
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        page => page,
    };
    if page < 512 || !page.is_power_of_two() {
        return Err(damaged(path, "its header names an impossible page size"));
    }
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    // The count is to be believed where its writer has noted the same change at both places.
    let pages = if word(24) == word(92) { u64::from(word(28)) } else { 0 };
    if !is_unfinished && (length < pages * page || !length.is_multiple_of(page)) {
        let why = format!("it has {length} bytes, and its header says {pages} pages of {page}");
        return Err(damaged(path, &why));
    }
    Ok(())
}

/// Opens a file to which nobody writes, so that nothing on disk changes. Where there is a log it must
/// be read, too, and its index beside it may be made anew; where there is none the file is taken as it
/// is.
pub(super) fn open_settled(path: &Path) -> rusqlite::Result<Connection> {
    let has_log = size(&beside(path, "-wal")) > 0;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if has_log {
        return Connection::open_with_flags(path, flags);
    }
    let uri = immutable_uri(path);
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

/// The path as a URI that says that nobody else writes to the file now.
fn immutable_uri(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri.into()
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

fn foreign(path: &Path, why: &str) -> StoreError {
    StoreError::Foreign { path: path.display().to_string(), why: why.to_owned() }
}

fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Damaged { path: path.display().to_string(), why: why.to_owned() }
}
