//! A backup in the place of a hub's file, as another history.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    Copied, HistoryName, UpkeepError,
    backup::copy_pages,
    history_name, length, must_be_hub, no_file,
    revocations::{self, Known, Revocations, Tokens},
    verify,
};
use crate::store::{
    StoreError,
    check::{self, Found},
    create, damage, io_error,
    lock::{self, Lock, Origin, beside},
    schema, sqlite,
};

/// What is to become of a file that stands in the place already.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum IfThere {
    /// It stays, and nothing is restored.
    #[default]
    Refuse,
    /// It is kept beside the restored one, under another name.
    PutAside,
}

/// What came of a restore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restored {
    /// The hub's file, as it is now: the backup's events under another epoch.
    pub file: Copied,
    /// Which history the backup holds.
    pub epoch_before: String,
    /// Where the file is that stood there before.
    pub put_aside: Option<PathBuf>,
    /// What became of tokens and invites.
    pub revocations: Revocations,
}

/// Puts a copy of the backup in the place of the hub's file `db`, on which no hub may run. Its history
/// gets another epoch: what clients know of the old one's newest events need not be so any more.
pub fn restore(
    backup: &Path,
    db: &Path,
    if_there: IfThere,
    tokens: Tokens,
) -> Result<Restored, UpkeepError> {
    let db = sqlite::real_path(db)?;
    let backup = sqlite::real_path(backup)?;
    let lock = Lock::take(&db)?;
    let is_there = db.exists() || beside(&db, "-wal").exists();
    let restored = if is_there && if_there == IfThere::Refuse {
        Err(UpkeepError::WouldReplace(db.display().to_string()))
    } else {
        restore_locked(&backup, &db, tokens)
    };
    if restored.is_err() && !is_there {
        lock.abandon();
    }
    restored
}

fn restore_locked(backup: &Path, db: &Path, tokens: Tokens) -> Result<Restored, UpkeepError> {
    if let Some(holder) = lock::holder_of(backup)? {
        let path = backup.display().to_string();
        return Err(StoreError::InUse { path, holder }.into());
    }
    let fresh = create::Fresh::begin(db)?;
    let before = copy(backup, fresh.path())?;
    verify(fresh.path(), backup, &before)?;
    let known = Known::of(db);
    let (mut history, mut revocations) = (HistoryName::default(), Revocations::default());
    create::fill(fresh.path(), |conn| {
        revocations = revocations::apply(conn, tokens, &known, &before)?;
        schema::rename_history(conn)?;
        history = history_name(conn)?;
        Ok(())
    })?;
    let bytes = length(fresh.path())?;
    fresh.sync()?;
    // The index is of the other history. It goes first: a hub makes it anew where there is none.
    remove_index(db)?;
    let put_aside = put_aside(db)?;
    fresh.take_name(db)?;
    let file = Copied { path: db.to_owned(), bytes, history };
    Ok(Restored { file, epoch_before: before.epoch, put_aside, revocations })
}

/// A backup is taken as it is; one that somebody has opened since may have a log.
fn copy(backup: &Path, fresh: &Path) -> Result<HistoryName, UpkeepError> {
    if check::look_outside(backup, Origin::Made)? == Found::Nothing {
        return Err(no_file(backup));
    }
    create::private().open(fresh).map_err(|error| io_error(fresh, error))?;
    let source = check::open_settled(backup).map_err(|error| damage(backup, error))?;
    must_be_hub(&source, backup)?;
    let copied = || {
        let history = history_name(&source)?;
        copy_pages(&source, fresh)?;
        Ok(history)
    };
    copied().map_err(|error| damage(backup, error).into())
}

/// Keeps the file that is there under another name. A log beside it is copied into it first, so that
/// the name can pass from the one file to the other in one step and no moment is without a file.
fn put_aside(db: &Path) -> Result<Option<PathBuf>, UpkeepError> {
    let log = beside(db, "-wal");
    if !db.exists() && !log.exists() {
        return Ok(None);
    }
    let aside = create::free_name(db, ".replaced");
    settle(db);
    let is_settled = std::fs::metadata(&log).map_or(0, |found| found.len()) == 0;
    if is_settled && std::fs::hard_link(db, &aside).is_ok() {
        create::remove(&log)?;
        create::remove(&beside(db, "-shm"))?;
        return Ok(Some(aside));
    }
    // A damaged file, or a file system without links. Its log must not meet another file, so that it
    // goes along; a hub that starts between the two steps refuses a log without its file.
    rename(db, &aside)?;
    rename(&log, &beside(&aside, "-wal"))?;
    create::remove(&beside(db, "-shm"))?;
    Ok(Some(aside))
}

/// Copies the log into its file, and nothing else. Where that does not work the two stay as they are.
fn settle(db: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if beside(db, "-wal").exists()
        && let Ok(conn) = Connection::open_with_flags(db, flags)
    {
        let _copied: rusqlite::Result<()> =
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

fn remove_index(db: &Path) -> Result<(), StoreError> {
    let index = beside(db, ".search");
    ["", "-wal", "-shm", "-journal"]
        .iter()
        .try_for_each(|suffix| create::remove(&beside(&index, suffix)))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(from, error)),
        _ => Ok(()),
    }
}
