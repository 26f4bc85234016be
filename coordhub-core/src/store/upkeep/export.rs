//! All that a hub's file holds, as lines of JSON.

use std::{io::Write, path::Path};

use rusqlite::Connection;
use serde_json::json;

use super::{
    HistoryName, Transferred, UpkeepError,
    backup::{Partial, copy},
    history_name,
    lines::{END, FORMAT, HEADER, KINDS, order, write_row},
    no_file,
};
use crate::store::{SqliteStore, StoreError, create, damage, lock::beside, schema, sqlite};

/// Writes everything in the hub's file `db`. Where a hub runs on it, a copy is made beside it first.
pub fn export(db: &Path, out: &mut dyn Write) -> Result<Transferred, UpkeepError> {
    let db = sqlite::real_path(db)?;
    if std::fs::metadata(&db).map_or(0, |found| found.len()) == 0 {
        return Err(no_file(&db));
    }
    // Through the store: that brings the tables up to date with whatever was written first.
    match SqliteStore::open(&db) {
        Ok(store) => export_store(&store, out),
        Err(StoreError::InUse { .. }) => export_copy(&db, out),
        Err(error) => Err(error.into()),
    }
}

fn export_copy(db: &Path, out: &mut dyn Write) -> Result<Transferred, UpkeepError> {
    // Its lock keeps two exports apart; what is at its path goes when it is dropped.
    let partial = Partial::begin(&beside(db, ".export"))?;
    copy(db, partial.path())?;
    let exported = {
        let store = SqliteStore::open(partial.path())?;
        export_store(&store, out)
    };
    for suffix in ["-wal", "-shm", ".lock"] {
        create::remove(&beside(partial.path(), suffix))?;
    }
    exported
}

fn export_store(store: &SqliteStore, out: &mut dyn Write) -> Result<Transferred, UpkeepError> {
    let mut written = Ok(None);
    store.readers.read(|conn| {
        written = write_all(conn, out).map(Some);
        Ok(())
    })?;
    let (history, lines) = written?.unwrap_or_default();
    Ok(Transferred { history, lines })
}

/// One read transaction, row by row.
fn write_all(conn: &Connection, out: &mut dyn Write) -> Result<(HistoryName, u64), UpkeepError> {
    let read = |error: rusqlite::Error| damage(Path::new("the hub's file"), error);
    let history = history_name(conn).map_err(read)?;
    let version = schema::version(conn).map_err(read)?;
    let header = json!({ "kind": HEADER, "row": {
        "format": FORMAT, "schema": version, "coordhub": env!("CARGO_PKG_VERSION"),
        "epoch": history.epoch, "head_seq": history.head,
    } });
    writeln!(out, "{header}").map_err(UpkeepError::Output)?;
    let mut lines = 1;
    for (kind, table) in KINDS {
        let sql = format!("SELECT * FROM {table} ORDER BY {}", order(table));
        let mut select = conn.prepare(&sql).map_err(read)?;
        let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
        let mut rows = select.query([]).map_err(read)?;
        while let Some(row) = rows.next().map_err(read)? {
            write_row(out, kind, &columns, row).map_err(UpkeepError::Output)?;
            lines += 1;
        }
    }
    lines += 1;
    let end = json!({ "kind": END, "row": { "lines": lines } });
    writeln!(out, "{end}").and_then(|()| out.flush()).map_err(UpkeepError::Output)?;
    Ok((history, lines))
}
