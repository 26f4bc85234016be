//! Adopts the file of the hub before this one: tables `entities`, `messages` and `tasks`, each row a
//! JSON text.
//!
//! A copy of the file is left beside it. The new file is made of another copy, the old tables kept
//! aside in it, and takes the old one's name when it is complete: whatever is cut short before that
//! leaves the old file, to be adopted at the next start.

mod old;

use std::{fs, path::Path};

use rusqlite::Connection;

use old::{Happening, Old};

use super::{
    Batch, StoreError, create, damage, file_time, io_error, lock::beside, rows, schema, sqlite,
};
use crate::{
    command::Auth,
    event::{Stamped, Trace},
    hub::State,
    limits::Limits,
    time::Timestamp,
};

/// How many events are written at a time.
const EVENTS_A_BATCH: usize = 1_000;

/// Makes a hub's file of the old hub's file at `path`.
pub(super) fn adopt(path: &Path) -> Result<(), StoreError> {
    let written_at = last_written(path)?;
    recover(path).map_err(|error| damage(path, error))?;
    let kept = create::free_name(path, ".old-hub");
    create::whole(path, &kept, |fresh| create::copy(path, fresh))?;
    let mut report = Report::default();
    create::whole(path, path, |fresh| {
        create::copy(path, fresh)?;
        create::fill(fresh, |conn| {
            // The whole is made durable once, when it is complete.
            conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")?;
            set_aside(conn)?;
            schema::migrate(conn)?;
            report = import(conn, written_at)?;
            schema::prepare_writer(conn)
        })
    })?;
    report.log(path, &kept);
    Ok(())
}

/// When the old hub last wrote, as the file system says: nothing in its file happened later. What it
/// left unfinished counts.
fn last_written(path: &Path) -> Result<Timestamp, StoreError> {
    let modified = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    let mut last = modified(path).map_err(|error| io_error(path, error))?;
    for suffix in ["-wal", "-journal"] {
        last = modified(&beside(path, suffix)).map_or(last, |at| at.max(last));
    }
    Ok(file_time(last))
}

/// Lets SQLite finish what the old hub left unfinished, so that the file is all there is.
fn recover(path: &Path) -> rusqlite::Result<()> {
    let conn = Connection::open(path)?;
    conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    conn.close().map_err(|(_, error)| error)
}

/// Gives every table whose name this hub needs another one.
fn set_aside(conn: &Connection) -> rusqlite::Result<()> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    for table in schema::tables(schema::SCHEMA_VERSION) {
        if conn.query_row(exists, [table], |row| row.get(0))? {
            conn.execute_batch(&format!("ALTER TABLE {table} RENAME TO old_hub_{table}"))?;
        }
    }
    Ok(())
}

/// What became of the old rows.
#[derive(Debug, Default)]
struct Report {
    entities: u64,
    messages: u64,
    tasks: u64,
    /// Rows that do not fit, and why the first few do not.
    left_out: u64,
    reasons: Vec<String>,
}

impl Report {
    const REASONS_MAX: usize = 5;

    fn leave_out(&mut self, reason: String) {
        self.left_out += 1;
        if self.reasons.len() < Self::REASONS_MAX {
            self.reasons.push(reason);
        }
    }

    fn log(&self, path: &Path, kept: &Path) {
        let Self { entities, messages, tasks, left_out, reasons } = self;
        let (path, kept, reasons) = (path.display(), kept.display(), reasons.join("; "));
        tracing::warn!(
            "adopted the old hub's file {path}: {entities} entities, {messages} messages, {tasks} \
             tasks; {left_out} rows left out ({reasons}); its tables stay in it as old_hub_*, and a \
             copy is {kept}"
        );
    }
}

/// Makes events of the old rows, in the order of their times, and writes them as any others.
fn import(conn: &mut Connection, latest: Timestamp) -> rusqlite::Result<Report> {
    let mut report = Report::default();
    let old = Old::read(conn, latest, &mut report)?;
    let mut state = State::new(Limits::default());
    let transaction = conn.transaction()?;
    let mut batch = Vec::new();
    let mut happened = old.happenings.into_iter().peekable();
    while let Some(happening) = happened.next() {
        let stamped = stamp(happening, &state);
        state.evolve(&stamped);
        batch.push(stamped);
        if batch.len() == EVENTS_A_BATCH || happened.peek().is_none() {
            sqlite::write_batch(&transaction, &Batch { events: &batch, state: &state })?;
            state.settle();
            batch.clear();
        }
    }
    rows::entities::write_seen(&transaction, &old.seen)?;
    transaction.commit()?;
    Ok(report)
}

/// Gives an old happening its place in the log. Hub time never runs back.
fn stamp(happening: Happening, state: &State) -> Stamped {
    let seq = state.head() + 1;
    let at: Timestamp = happening.at.max(state.now());
    let event = old::place(happening.event, seq);
    Stamped {
        seq,
        at,
        actor: happening.actor,
        auth: Auth::Open,
        event,
        key: None,
        trace: Trace::default(),
    }
}
