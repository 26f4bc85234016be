//! Makes new files.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::Path,
};

use rusqlite::Connection;

use super::{StoreError, damage, io_error, lock::beside, schema};

/// Makes an empty hub's file at `path`, whole or not at all.
pub(super) fn hub(path: &Path) -> Result<(), StoreError> {
    whole(path, path, |conn| {
        schema::prepare_writer(conn)?;
        schema::migrate(conn)
    })
}

/// Makes a database under another name and then gives it the name `target`, so that there never is
/// half a one. The caller holds the lock of `db`, and nobody else uses names that begin with it.
pub(super) fn whole(
    db: &Path,
    target: &Path,
    fill: impl FnOnce(&mut Connection) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let fresh = beside(db, ".new");
    let failed = |error| io_error(&fresh, error);
    for leftover in ["", "-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(&fresh, leftover)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    private().open(&fresh).map_err(failed)?;
    let made = || {
        let mut conn = Connection::open(&fresh)?;
        fill(&mut conn)?;
        // Closing the last connection copies the log into the file and removes it.
        conn.close().map_err(|(_, error)| error)
    };
    made().map_err(|error| damage(&fresh, error))?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, target).map_err(failed)?;
    sync_folder(target)
}

/// How to make a file that only its owner can read.
fn private() -> OpenOptions {
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
