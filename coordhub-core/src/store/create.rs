//! Makes new files.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::Path,
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
    let fresh = beside(db, ".new");
    let failed = |error| io_error(&fresh, error);
    for leftover in ["", "-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(&fresh, leftover)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    make(&fresh)?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, target).map_err(failed)?;
    sync_folder(target)
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
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the name of a new file durable. Only Unix lets a folder be opened and synced.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| io_error(folder, error))
}
