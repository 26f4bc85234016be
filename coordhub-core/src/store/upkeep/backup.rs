//! A copy of a hub's file, by SQLite's own backup, while the hub goes on or stands still.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{Copied, HistoryName, UpkeepError, history_name, length, must_be_hub, no_file, verify};
use crate::store::{connections::open_reader, create, damage, io_error, lock::beside, sqlite};

/// How many pages are copied at a time. One read transaction holds all of them together.
const PAGES_A_STEP: std::ffi::c_int = 4_096;

/// Copies the hub's file `db` to `target`, whether a hub runs on it or not. The copy is made under
/// another name, opened, checked and synced before it gets its own; what is there is not written over.
pub fn backup(db: &Path, target: &Path) -> Result<Copied, UpkeepError> {
    let db = sqlite::real_path(db)?;
    if std::fs::metadata(&db).map_or(0, |found| found.len()) == 0 {
        return Err(no_file(&db));
    }
    let target = sqlite::real_path(target)?;
    if target.exists() {
        return Err(UpkeepError::Exists(target.display().to_string()));
    }
    let partial = Partial::begin(&target)?;
    let history = copy(&db, &partial.path)?;
    verify(&partial.path, &db, &history)?;
    let bytes = length(&partial.path)?;
    partial.finish(&target)?;
    Ok(Copied { path: target, bytes, history })
}

/// Copies what one read transaction sees of `db`, the log beside it included.
pub(super) fn copy(db: &Path, fresh: &Path) -> Result<HistoryName, UpkeepError> {
    let source = open_reader(db).map_err(|error| damage(db, error))?;
    // Held to the end: without it the copy would begin anew whenever somebody writes.
    let snapshot = source.unchecked_transaction().map_err(|error| damage(db, error))?;
    must_be_hub(&snapshot, db)?;
    let history = history_name(&snapshot).map_err(|error| damage(db, error))?;
    copy_pages(&snapshot, fresh).map_err(|error| damage(db, error))?;
    Ok(history)
}

/// Copies all pages that a connection sees to a file that nobody else knows yet.
pub(super) fn copy_pages(source: &Connection, fresh: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(fresh)?;
    // It is synced once, when it is whole.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    {
        let steps = Backup::new(source, &mut target)?;
        while steps.step(PAGES_A_STEP)? != StepResult::Done {
            // More, or somebody has the file locked for a moment.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    target.close().map_err(|(_, error)| error)
}

/// A file on its way to its name. What a backup left that was cut short is written over by the next
/// one; two at a time exclude each other.
pub(super) struct Partial {
    path: PathBuf,
    /// Holds the lock. Closed after SQLite has closed the file.
    file: File,
    is_finished: bool,
}

impl Partial {
    pub(super) fn begin(target: &Path) -> Result<Self, UpkeepError> {
        let path = beside(target, ".partial");
        let failed = |error| io_error(&path, error);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        create::set_private(&mut options);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(UpkeepError::UnderWay(target.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        if !is_at(&file, &path).map_err(failed)? {
            // Another one had it when it was opened, and has given it its name since.
            return Err(UpkeepError::UnderWay(target.display().to_string()));
        }
        file.set_len(0).map_err(failed)?;
        Ok(Self { path, file, is_finished: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn finish(mut self, target: &Path) -> Result<(), UpkeepError> {
        self.file.sync_all().map_err(|error| io_error(&self.path, error))?;
        if target.exists() {
            return Err(UpkeepError::Exists(target.display().to_string()));
        }
        std::fs::rename(&self.path, target).map_err(|error| io_error(target, error))?;
        self.is_finished = true;
        Ok(create::sync_folder(target)?)
    }
}

/// Whether an open file is still the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    let there = std::fs::metadata(path);
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())))
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> std::io::Result<bool> {
    Ok(path.exists())
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished {
            // Where that fails the next backup writes it over.
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}
