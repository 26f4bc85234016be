//! One hub a file: an exclusive lock on `<db>.lock`, held as long as the hub has the file.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    process,
};

use super::{StoreError, file_time, io_error};

/// The lock. Dropping it releases it; the file stays, since removing it would let two hubs each lock
/// a file of that name.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    origin: Origin,
}

/// Whether there was a lock file before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// A hub has had this file before.
    Found,
    /// This hub made it just now.
    Made,
}

impl Lock {
    /// Takes the lock of the hub's file `db`, or says who holds it.
    pub(super) fn take(db: &Path) -> Result<Self, StoreError> {
        let path = beside(db, ".lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        // As private as the file: whoever may open the lock can keep a hub from starting.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let (file, origin) = match options.clone().create_new(true).open(&path) {
            Ok(file) => (file, Origin::Made),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (options.open(&path).map_err(|error| io_error(&path, error))?, Origin::Found)
            }
            Err(error) => return Err(io_error(&path, error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(file);
                return Err(StoreError::InUse { path: db.display().to_string(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error(&path, error)),
        }
        let mut lock = Self { file, path, origin };
        lock.sign().map_err(|error| io_error(&lock.path, error))?;
        Ok(lock)
    }

    /// Whether a hub has had this file before.
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Gives the lock back for a file that turned out not to be a hub's, leaving no trace. Whoever
    /// waits for this lock will refuse the file, too, so removing the lock is harmless here.
    pub(super) fn abandon(self) {
        if self.origin == Origin::Made {
            // Nothing better can be done where it fails: the file stays, empty and unlocked.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Writes who holds it and since when. The file system says what time it is.
    fn sign(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        write!(self.file, "pid {}", process::id())?;
        let since = file_time(self.file.metadata()?.modified()?);
        writeln!(self.file, ", since {since}")
    }
}

/// Who has the hub's file `db` now, if anybody has. Leaves everything as it is, but for the moment that
/// it takes to ask.
pub(super) fn holder_of(db: &Path) -> Result<Option<String>, StoreError> {
    let path = beside(db, ".lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(&path, error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder(file))),
        Err(TryLockError::Error(error)) => Err(io_error(&path, error)),
    }
}

/// What a lock file says of who holds it.
fn holder(mut file: File) -> String {
    let mut text = String::new();
    // Half a line, or none, is still the best that can be said.
    let _ = file.read_to_string(&mut text);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { "which has not said who it is".to_owned() } else { line.to_owned() }
}

/// The file beside `db` whose name has `suffix` more.
pub(super) fn beside(db: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(db);
    name.push(suffix);
    name.into()
}
