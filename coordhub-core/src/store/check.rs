//! Looks at a file before anything is written to it, and makes a new one where there is none.

use std::{
    fs::{File, OpenOptions},
    path::Path,
};

use rusqlite::Connection;

use super::{
    StoreError, damage, io_error,
    lock::{Origin, beside},
    schema,
};

/// Sees to it that `path` is a hub's file that can be opened for writing, or refuses it unchanged.
pub(super) fn prepare(path: &Path, _origin: Origin) -> Result<(), StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > 0 => Ok(()),
        Ok(_) => create(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path),
        Err(error) => Err(io_error(path, error)),
    }
}

/// Makes a new file under another name and then gives it its own, so that there never is half a one.
fn create(path: &Path) -> Result<(), StoreError> {
    let fresh = beside(path, ".new");
    let failed = |error| io_error(&fresh, error);
    for leftover in ["", "-journal", "-wal", "-shm"] {
        match std::fs::remove_file(beside(&fresh, leftover)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    private().open(&fresh).map_err(failed)?;
    let made = || {
        let mut conn = Connection::open(&fresh)?;
        schema::prepare_writer(&conn)?;
        schema::migrate(&mut conn)?;
        conn.close().map_err(|(_, error)| error)
    };
    made().map_err(|error| damage(&fresh, error))?;
    std::fs::rename(&fresh, path).map_err(failed)?;
    sync_folder(path)
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
