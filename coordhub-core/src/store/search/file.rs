//! The file of the index: its own SQLite database, which may be dropped at any time.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params, types::Type};

use super::{
    pages::{self, NoPage, Pages},
    places::{Places, encode},
    query::Term,
    tail::{ScopeKey, Sorted, Tail},
};
use crate::{
    ids::{MessageId, Seq},
    store::{
        StoreError,
        connections::{Gate, Pool, Readers, open_reader, open_writer},
        create, damage, io_error,
        lock::beside,
        rows::{self, int},
        schema,
    },
};

/// Changes whenever the same log would make another index: with the tables, with what a word is, with
/// how pairs are put into drawers. An index of another version is dropped.
const VERSION: i64 = 1;

/// `position` is how far the log has been read. A block holds the places from `first` to the next
/// block. A row of `pages` has the terms from `first` to the next row of its scope; words and drawers
/// are apart. Rows stand in the order in which they are written, so that writing a block touches no
/// other.
const SCHEMA: &str = "
CREATE TABLE position (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch TEXT NOT NULL,
    up_to INTEGER NOT NULL,
    newest_seq INTEGER,
    newest_id TEXT
) STRICT;
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    is_full INTEGER NOT NULL
) STRICT;
CREATE TABLE pages (
    block INTEGER NOT NULL,
    scope TEXT NOT NULL,
    first TEXT NOT NULL,
    terms BLOB NOT NULL,
    PRIMARY KEY (block, scope, first)
) STRICT, WITHOUT ROWID;
";

const INSERT: &str = "INSERT INTO pages (block, scope, first, terms) VALUES (?1, ?2, ?3, ?4)";

const LOOK_UP: &str = "SELECT terms FROM pages WHERE block = ?1 AND scope = ?2 AND first <= ?3
    ORDER BY first DESC LIMIT 1";

/// How far the index has come, and in which log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::store) struct Position {
    /// The history that it is of.
    pub(in crate::store) epoch: String,
    /// Everything up to here is in it.
    pub(in crate::store) up_to: Seq,
    /// The newest message in it: a log that has another there is another log.
    pub(super) newest: Option<(Seq, MessageId)>,
}

/// Whether a block will grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Block {
    /// It is as it will stay.
    Full,
    /// It is taken back into memory at the next start.
    Unfinished,
}

/// Looks whether the file of an index is well, beside whoever uses it. `None` where there is none, or one
/// of another version.
pub(in crate::store) fn look(path: &Path) -> Result<Option<Position>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let looked = || {
        let conn = open_reader(path)?;
        let said: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if schema::version(&conn)? != VERSION {
            return Ok((said, None));
        }
        Ok((said, Some(read_position(&conn)?)))
    };
    match looked().map_err(|error: rusqlite::Error| error.to_string())? {
        (said, position) if said == "ok" => Ok(position),
        (said, _) => Err(said),
    }
}

/// What a file was found to hold.
pub(super) struct Found {
    pub(super) position: Position,
    /// Where each full block begins, oldest first.
    pub(super) blocks: Vec<Seq>,
    pub(super) tail: Tail,
}

/// An open index: one connection that writes, and some that read.
pub(super) struct File {
    path: Option<PathBuf>,
    writer: Arc<Mutex<Connection>>,
    readers: Readers,
}

impl File {
    /// Makes an empty index; what was there before is gone.
    pub(super) fn create(path: Option<&Path>, position: &Position) -> Result<Self, StoreError> {
        if let Some(path) = path {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                create::remove(&beside(path, suffix))?;
            }
            create::private().open(path).map_err(|error| io_error(path, error))?;
        }
        let file = Self::connect(path)?;
        file.write(|conn| {
            conn.execute_batch(SCHEMA)?;
            write_position(conn, position)?;
            conn.pragma_update(None, "user_version", VERSION)
        })?;
        Ok(file)
    }

    /// Opens what is there. `None` where that is not an index of this version.
    pub(super) fn open(path: &Path) -> Result<Option<(Self, Found)>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let file = Self::connect(Some(path))?;
        let found = file.readers.read(|conn| {
            if schema::version(conn)? != VERSION {
                return Ok(None);
            }
            find(conn).map(Some)
        })?;
        Ok(found.map(|found| (file, found)))
    }

    fn connect(path: Option<&Path>) -> Result<Self, StoreError> {
        let writer = match path {
            Some(path) => open_writer(path).map_err(|error| damage(path, error))?,
            None => Connection::open_in_memory()?,
        };
        // What a power cut takes is made again from the log, so no commit waits for the disk. What it
        // leaves is whole all the same: the log of this file is synced before it is copied.
        let pragmas = "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;";
        writer.execute_batch(pragmas)?;
        let writer = Arc::new(Mutex::new(writer));
        let readers = match path {
            Some(path) => Readers::File(Pool::new(path)),
            None => Readers::Memory(writer.clone()),
        };
        Ok(Self { path: path.map(Path::to_owned), writer, readers })
    }

    /// Writes the tail as a block, and how far the index has come.
    pub(super) fn write_block(
        &self,
        tail: &Tail,
        block: Block,
        position: &Position,
    ) -> Result<(), StoreError> {
        let first = int(tail.first());
        self.write(|conn| {
            // It may have been written unfinished before.
            conn.prepare_cached("DELETE FROM pages WHERE block = ?1")?.execute([first])?;
            conn.prepare_cached("DELETE FROM blocks WHERE first = ?1")?.execute([first])?;
            if !tail.is_empty() {
                conn.prepare_cached("INSERT INTO blocks (first, is_full) VALUES (?1, ?2)")?
                    .execute(params![first, block == Block::Full])?;
            }
            let mut insert = conn.prepare_cached(INSERT)?;
            for Sorted { scope, words, drawers } in tail.sorted() {
                let mut pages = Pages::new(|from: &str, page: &[u8]| {
                    insert.execute(params![first, scope.0, from, page]).map(drop)
                });
                words.iter().try_for_each(|(word, places)| pages.add(word, places))?;
                pages.end_page()?;
                let scope = of_drawers(&scope.0);
                let mut pages = Pages::new(|from: &str, page: &[u8]| {
                    insert.execute(params![first, scope, from, page]).map(drop)
                });
                drawers
                    .iter()
                    .try_for_each(|(drawer, places)| pages.add(&text(*drawer), places))?;
                pages.end_page()?;
            }
            write_position(conn, position)
        })
    }

    /// The newest places before `below` that have all the terms of one of the scopes, and the block that
    /// they are in. `blocks` are looked at from the last to the first.
    pub(super) fn newest_places(
        &self,
        blocks: &[Seq],
        wanted: &[(ScopeKey, Vec<Term>)],
        below: Seq,
    ) -> Result<Option<(Seq, Places)>, StoreError> {
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached(LOOK_UP)?;
            for first in blocks.iter().rev().filter(|first| **first < below) {
                let mut found: Option<Places> = None;
                for (scope, terms) in wanted {
                    let Some(all) = all_of(&mut select, *first, scope, terms)? else { continue };
                    match &mut found {
                        Some(found) => found.or(&all),
                        None => found = Some(all),
                    }
                }
                if let Some(mut found) = found {
                    found.cut(below - first);
                    if !found.is_empty() {
                        return Ok(Some((*first, found)));
                    }
                }
            }
            Ok(None)
        })
    }

    /// Forgets a place of a block. A message is removed once in a long while, so its terms are looked
    /// for in all of the block.
    pub(super) fn remove(&self, first: Seq, place: u16) -> Result<(), StoreError> {
        self.write(|conn| keep_places(conn, first, |other| other != place))
    }

    /// Forgets the blocks before this one, or all where none is left, and so many places at its begin.
    pub(super) fn forget(
        &self,
        first_left: Option<Seq>,
        places: Option<u64>,
    ) -> Result<(), StoreError> {
        self.write(|conn| {
            for sql in [
                "DELETE FROM pages WHERE block IN (SELECT first FROM blocks WHERE is_full AND first < ?1)",
                "DELETE FROM blocks WHERE is_full AND first < ?1",
            ] {
                conn.execute(sql, [first_left.map_or(i64::MAX, int)])?;
            }
            match (first_left, places) {
                (Some(first), Some(places)) if places > 0 => {
                    keep_places(conn, first, |place| u64::from(place) >= places)
                }
                _ => Ok(()),
            }
        })
    }

    /// How many bytes its files take; 0 in memory.
    pub(super) fn bytes(&self) -> u64 {
        let Some(path) = &self.path else { return 0 };
        let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        size(path) + size(&beside(path, "-wal"))
    }

    fn write(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut conn = self.writer.lock();
        let written = || {
            let transaction = conn.transaction()?;
            body(&transaction)?;
            transaction.commit()
        };
        written().map_err(|error| match &self.path {
            Some(path) => damage(path, error),
            None => StoreError::Sqlite(error),
        })
    }
}

impl Drop for File {
    /// The readers go first: the last connection to close tidies up.
    fn drop(&mut self) {
        if let Readers::File(pool) = &self.readers {
            pool.drain(Gate::Closed);
        }
    }
}

/// The scope under which the file has the drawers of a scope. No scope begins like this.
fn of_drawers(scope: &str) -> String {
    format!("~{scope}")
}

/// A drawer as the text that the file has it under.
fn text(drawer: u16) -> String {
    format!("{drawer:04x}")
}

/// The places in a scope of a block that have all of these terms.
fn all_of(
    select: &mut Statement<'_>,
    block: Seq,
    scope: &ScopeKey,
    terms: &[Term],
) -> rusqlite::Result<Option<Places>> {
    let mut all: Option<Places> = None;
    for term in terms {
        let (scope, term): (Cow<'_, str>, Cow<'_, str>) = match term {
            Term::Word(word) => (scope.0.as_str().into(), word.as_str().into()),
            Term::Drawer(drawer) => (of_drawers(&scope.0).into(), text(*drawer).into()),
        };
        let read =
            |row: &Row<'_>| pages::look_up(row.get_ref(0)?.as_blob()?, &term).map_err(unreadable);
        let found = select.query_row(params![int(block), scope, term], read).optional()?.flatten();
        match (&mut all, found) {
            (_, None) => return Ok(None),
            (Some(all), Some(places)) => all.and(&places),
            (none, Some(places)) => *none = Some(places),
        }
    }
    Ok(all)
}

/// Rewrites the pages of a block so that these places are left.
fn keep_places(conn: &Connection, first: Seq, keep: impl Fn(u16) -> bool) -> rusqlite::Result<()> {
    let mut changed = Vec::new();
    let mut select = conn.prepare("SELECT scope, first, terms FROM pages WHERE block = ?1")?;
    let mut rows = select.query([int(first)])?;
    while let Some(row) = rows.next()? {
        let (mut left, mut is_changed) = (Vec::new(), false);
        each_term(row, 2, |term, mut places| {
            let before = places.len();
            places.retain(|place| keep(*place));
            is_changed |= places.len() < before;
            if !places.is_empty() {
                pages::push(&mut left, term, &encode(&places));
            }
        })?;
        if is_changed {
            changed.push((row.get::<_, String>(0)?, row.get::<_, String>(1)?, left));
        }
    }
    drop(rows);
    let sql = "UPDATE pages SET terms = ?4 WHERE block = ?1 AND scope = ?2 AND first = ?3";
    for (scope, from, left) in changed {
        // A page that holds nothing any more stays: none of those before it has its terms.
        conn.execute(sql, params![int(first), scope, from, left])?;
    }
    Ok(())
}

/// Visits the terms of a page, with their places in ascending order.
fn each_term(
    row: &Row<'_>,
    at: usize,
    mut visit: impl FnMut(&str, Vec<u16>),
) -> rusqlite::Result<()> {
    let mut page = row.get_ref(at)?.as_blob()?;
    while !page.is_empty() {
        let (term, places) = pages::take(&mut page).ok_or(NoPage).map_err(unreadable)?;
        let mut places = Places::decode(places).ok_or(NoPage).map_err(unreadable)?.backwards();
        places.reverse();
        visit(term, places);
    }
    Ok(())
}

fn unreadable(error: NoPage) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error))
}

fn read_position(conn: &Connection) -> rusqlite::Result<Position> {
    let sql = "SELECT epoch, up_to, newest_seq, newest_id FROM position";
    conn.query_row(sql, [], |row| {
        let newest = match row.get::<_, Option<String>>(3)? {
            Some(id) => Some((rows::seq(row, 2)?, MessageId::trusted(&id))),
            None => None,
        };
        Ok(Position { epoch: row.get(0)?, up_to: rows::seq(row, 1)?, newest })
    })
}

fn find(conn: &Connection) -> rusqlite::Result<Found> {
    let position = read_position(conn)?;
    let blocks = |is_full: bool| {
        conn.prepare("SELECT first FROM blocks WHERE is_full = ?1 ORDER BY first")?
            .query_map([is_full], |row| rows::seq(row, 0))?
            .collect::<rusqlite::Result<Vec<Seq>>>()
    };
    let unfinished = blocks(false)?.pop();
    let mut tail = Tail::new(unfinished.unwrap_or(position.up_to + 1));
    if let Some(first) = unfinished {
        let mut select = conn.prepare("SELECT scope, terms FROM pages WHERE block = ?1")?;
        let mut rows = select.query([int(first)])?;
        while let Some(row) = rows.next()? {
            let kept: String = row.get(0)?;
            let (scope, is_of_drawers) = match kept.strip_prefix('~') {
                Some(scope) => (ScopeKey(scope.to_owned()), true),
                None => (ScopeKey(kept), false),
            };
            each_term(row, 1, |term, places| {
                let drawer = u16::from_str_radix(term, 16).ok().filter(|_| is_of_drawers);
                let term = drawer.map_or_else(|| Term::Word(term.to_owned()), Term::Drawer);
                tail.restore(scope.clone(), term, places);
            })?;
        }
    }
    Ok(Found { position, blocks: blocks(true)?, tail })
}

fn write_position(conn: &Connection, position: &Position) -> rusqlite::Result<()> {
    let newest = position.newest.as_ref();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO position (only, epoch, up_to, newest_seq, newest_id)
         VALUES (1, ?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        position.epoch,
        int(position.up_to),
        newest.map(|(seq, _)| int(*seq)),
        newest.map(|(_, id)| id.as_str()),
    ])
    .map(drop)
}
