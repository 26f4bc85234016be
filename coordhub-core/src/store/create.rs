//! Makes new files.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{StoreError, damage, io_error, lock::beside, schema};

/// Makes an empty hub's file at `path`.
pub(super) fn hub(path: &Path) -> Result<(), StoreError> {
    whole(path, path, |fresh| {
        private().open(fresh).map_err(|error| io_error(fresh, error))?;
        fill(fresh, |conn| {
            schema::prepare_writer(conn)?;
            schema::migrate(conn)
        })
    })
}

/// Makes a file under another name and then gives it the name `target`, so that there is a whole one
/// or none. The caller holds the lock of `db`, so that nobody else makes one.
pub(super) fn whole(
    db: &Path,
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let fresh = Fresh::begin(db)?;
    make(fresh.path())?;
    fresh.sync()?;
    fresh.take_name(target)
}

/// A file beside a hub's that is being made. Whoever makes it holds the hub's lock. It is gone when it
/// is dropped before it has got its name.
pub(super) struct Fresh {
    path: PathBuf,
    has_name: bool,
}

impl Fresh {
    /// Removes what an attempt left that was cut short.
    pub(super) fn begin(db: &Path) -> Result<Self, StoreError> {
        let fresh = Self { path: beside(db, ".new"), has_name: false };
        fresh.remove()?;
        Ok(fresh)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|error| io_error(&self.path, error))
    }

    /// After [`sync`](Self::sync): from here on it stands there under its name.
    pub(super) fn take_name(mut self, target: &Path) -> Result<(), StoreError> {
        std::fs::rename(&self.path, target).map_err(|error| io_error(&self.path, error))?;
        self.has_name = true;
        sync_folder(target)
    }

    fn remove(&self) -> Result<(), StoreError> {
        let files = ["", "-journal", "-wal", "-shm"];
        files.iter().try_for_each(|suffix| remove(&beside(&self.path, suffix)))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.has_name {
            // Where that fails the next one begins with it.
            let _removed = self.remove();
        }
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

/// The first name for what is kept beside `db` that is not taken: nothing is written over.
pub(super) fn free_name(db: &Path, suffix: &str) -> PathBuf {
    let plain = beside(db, suffix);
    let numbered = (2_u32..).map(|n| beside(db, &format!("{suffix}-{n}")));
    std::iter::once(plain.clone()).chain(numbered).find(|name| !name.exists()).unwrap_or(plain)
}

/// Writes to a database that nobody else knows yet. Closing its last connection copies the log into
/// the file and removes it.
pub(super) fn fill(
    fresh: &Path,
    body: impl FnOnce(&mut Connection) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let filled = || {
        let mut conn = Connection::open(fresh)?;
        body(&mut conn)?;
        conn.close().map_err(|(_, error)| error)
    };
    filled().map_err(|error| damage(fresh, error))
}

/// Copies a file that no connection has open.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = || {
        let mut source = File::open(from)?;
        let mut target = private().open(to)?;
        std::io::copy(&mut source, &mut target)
    };
    copied().map(|_| ()).map_err(|error| io_error(to, error))
}

/// How to make a file that only its owner can read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    set_private(&mut options);
    options
}

/// Whatever is made so can be read and written by its owner only. SQLite makes the files beside it
/// alike.
pub(super) fn set_private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

/// Makes the name of a new file durable. Only Unix lets a folder be opened and synced.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_error(folder, error))
}
