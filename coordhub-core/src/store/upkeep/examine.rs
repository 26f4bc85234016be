//! Whether a hub's file is well, and what to do where it is not. Reads only, beside a running hub too.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{no_file, sound};
use crate::{
    hub::invariants,
    ids::Seq,
    limits::Limits,
    store::{
        StoreError, check,
        check::Found,
        connections::open_reader,
        damage,
        lock::{self, Origin, beside},
        rows, schema, search, sqlite, tail,
    },
    time::Timestamp,
};

/// The hub's time may be ahead of the clock by this before it is worth a word.
const AHEAD_MILLIS_MAX: i64 = 60_000;
/// A log that is longer than this could not be copied for long.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// What to do with a file that is damaged.
const RESTORE: &str = "restore a backup: coordhub restore FILE --replace";

/// Something that was looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What was looked at: one word.
    pub check: &'static str,
    /// Whether it is as it should be.
    pub health: Health,
    /// What was found, in a sentence.
    pub found: String,
    /// What to do, where there is something.
    pub advice: Option<String>,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Health {
    /// It is.
    Well,
    /// The hub works, and somebody should look at it.
    Warning,
    /// The hub does not work, or not for long.
    Bad,
}

impl Health {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

impl Finding {
    /// Nothing is wrong.
    pub fn well(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, health: Health::Well, found: found.into(), advice: None }
    }

    /// Something is, and this is what to do.
    pub fn of(
        check: &'static str,
        health: Health,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { check, health, found: found.into(), advice: Some(advice.into()) }
    }
}

/// How thoroughly the pages of a file are looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Depth {
    /// All of them, and every index against its table.
    #[default]
    Full,
    /// All of them, but for the indexes.
    Quick,
}

/// What came of looking at a file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Examined {
    /// Everything that was looked at, in order.
    pub findings: Vec<Finding>,
    /// Whether a hub runs on it.
    pub is_in_use: bool,
}

/// Looks at the hub's file `db` and what stands beside it. `now` is what the wall clock says.
pub fn examine(db: &Path, depth: Depth, now: Timestamp) -> Examined {
    let mut findings = Vec::new();
    let db = match sqlite::real_path(db) {
        Ok(db) => db,
        Err(error) => {
            findings.push(bad("file", &error.to_string(), "name another with --db"));
            return Examined { findings, is_in_use: false };
        }
    };
    let is_in_use = examine_lock(&db, &mut findings);
    if let Some(conn) = open(&db, is_in_use, &mut findings) {
        findings.push(examine_pages(&conn, depth));
        findings.push(examine_log_length(&db));
        findings.extend(examine_modes(&db));
        match examine_state(&conn) {
            Ok((finding, known)) => {
                findings.push(finding);
                findings.push(examine_clock(known.now, now));
                findings.push(examine_index(&db, &known));
            }
            Err(finding) => findings.push(finding),
        }
    }
    Examined { findings, is_in_use }
}

fn bad(check: &'static str, found: &str, advice: &str) -> Finding {
    Finding::of(check, Health::Bad, found, advice)
}

/// Whether a hub runs on the file.
fn examine_lock(db: &Path, findings: &mut Vec<Finding>) -> bool {
    let (finding, is_running) = match lock::holder_of(db) {
        Ok(None) => (Finding::well("lock", "no hub runs on it"), false),
        Ok(Some(holder)) => (Finding::well("lock", format!("a hub runs on it: {holder}")), true),
        Err(error) => {
            let advice = "run this as the user that the hub runs as";
            (Finding::of("lock", Health::Warning, error.to_string(), advice), false)
        }
    };
    findings.push(finding);
    is_running
}

/// What a start looks at before it opens a file for writing.
fn open(db: &Path, is_running: bool, findings: &mut Vec<Finding>) -> Option<Connection> {
    let origin = if beside(db, ".lock").exists() { Origin::Found } else { Origin::Made };
    let opened = || -> Result<_, StoreError> {
        if check::look_outside(db, origin)? == Found::Nothing {
            return Ok((None, Found::Nothing));
        }
        // A file to which somebody may write is read with its locks.
        let conn = if is_running { open_reader(db) } else { check::open_settled(db) };
        let conn = conn.map_err(|error| damage(db, error))?;
        let found = check::identify(&conn, db)?;
        Ok((Some(conn), found))
    };
    let (found, advice) = match opened() {
        Ok((Some(conn), Found::Hub)) => {
            let version = schema::version(&conn).unwrap_or(0);
            let is_old = version < schema::SCHEMA_VERSION;
            let note = if is_old { ", which the next start brings up to date" } else { "" };
            let found = format!("{} is a hub's, of schema {version}{note}", db.display());
            findings.push(Finding::well("file", found));
            return Some(conn);
        }
        Ok((_, Found::OldHub)) => {
            let found = format!("{} is the old hub's; the next start adopts it", db.display());
            findings.push(Finding::well("file", found));
            return None;
        }
        Ok(_) => {
            let advice = "name the hub's file with --db; `coordhub serve` makes a new one";
            (no_file(db).to_string(), advice)
        }
        Err(error) => (error.to_string(), advice_on(&error)),
    };
    findings.push(bad("file", &found, advice));
    None
}

fn advice_on(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged { .. } => RESTORE,
        StoreError::Newer { .. } => "use the version that wrote it, or a newer one",
        StoreError::Foreign { .. } => "name the hub's file with --db",
        _ => "see that the file may be read, and run this as the user that the hub runs as",
    }
}

fn examine_pages(conn: &Connection, depth: Depth) -> Finding {
    let (name, pragma) = match depth {
        Depth::Full => ("full", "integrity_check"),
        Depth::Quick => ("quick", "quick_check"),
    };
    let said: rusqlite::Result<String> =
        conn.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0));
    match said {
        Ok(said) if said == "ok" => {
            Finding::well("pages", format!("SQLite's {name} check finds nothing"))
        }
        Ok(said) => bad("pages", &said, RESTORE),
        Err(error) => bad("pages", &error.to_string(), RESTORE),
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

fn examine_log_length(db: &Path) -> Finding {
    let (file, log) = (length(db), length(&beside(db, "-wal")));
    let found = format!("{file} bytes, and {log} in the log beside them");
    if log <= LOG_BYTES_MAX {
        return Finding::well("size", found);
    }
    let advice = "end the program that holds a read transaction on the file";
    Finding::of("size", Health::Warning, found, advice)
}

/// Files that others may read.
#[cfg(unix)]
fn examine_modes(db: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let suffixes = ["", "-wal", "-shm", ".lock", ".search", ".search-wal", ".search-shm"];
    let is_open = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    };
    let open = suffixes.iter().map(|suffix| beside(db, suffix)).filter(is_open);
    let open: Vec<String> = open.map(|path| path.display().to_string()).collect();
    if open.is_empty() {
        return Some(Finding::well("modes", "only their owner may read the files"));
    }
    let found = format!("others may read {}", open.join(", "));
    let advice = format!("chmod 600 {}", open.join(" "));
    Some(Finding::of("modes", Health::Warning, found, advice))
}

#[cfg(not(unix))]
fn examine_modes(_db: &Path) -> Option<Finding> {
    None
}

/// What the rest is held against.
struct Known {
    epoch: String,
    head: Seq,
    now: Timestamp,
}

/// Loads what a start would, and holds it against what is true of every state.
fn examine_state(conn: &Connection) -> Result<(Finding, Known), Finding> {
    let unreadable = |error: rusqlite::Error| bad("state", &error.to_string(), RESTORE);
    let transaction = conn.unchecked_transaction().map_err(unreadable)?;
    let mut loaded = sqlite::load(&transaction, &Limits::default()).map_err(unreadable)?;
    let epoch = rows::meta::epoch(&transaction).map_err(unreadable)?;
    let whole = sound(&transaction, &loaded.state).map_err(unreadable)?;
    // As the next start does.
    let tail = tail::read(&transaction).map_err(unreadable)?;
    tail.iter().for_each(|stamped| loaded.state.evolve(stamped));
    loaded.state.settle();
    let known = Known { epoch, head: loaded.state.head(), now: loaded.state.now() };
    if let Err(why) = invariants::check(&loaded.state).and(whole) {
        return Ok((bad("state", &why, RESTORE), known));
    }
    let state = &loaded.state;
    let from = if state.head() == 0 { 0 } else { state.horizons().oldest_seq() };
    let found = format!(
        "events {} to {}; {} entities, {} unfinished tasks, {} open proposals",
        from,
        state.head(),
        state.entities().count(),
        state.active_tasks(),
        state.proposals().count(),
    );
    Ok((Finding::well("state", found), known))
}

fn examine_clock(hub: Timestamp, wall: Timestamp) -> Finding {
    let ahead = hub.millis() - wall.millis();
    if hub == Timestamp::default() {
        return Finding::well("clock", format!("nothing has happened yet, and it is {wall}"));
    }
    if ahead <= AHEAD_MILLIS_MAX {
        return Finding::well("clock", format!("the newest event is of {hub}, and it is {wall}"));
    }
    let found =
        format!("the newest event is of {hub}, {} s after what the clock says", ahead / 1_000);
    let advice = "set the clock; until it gets there the hub's time goes on from that event";
    Finding::of("clock", Health::Warning, found, advice)
}

fn examine_index(db: &Path, known: &Known) -> Finding {
    let path = beside(db, ".search");
    let anew = "nothing to be done: the hub makes it anew";
    match search::look(&path) {
        Ok(None) => Finding::well("index", "there is none; the next start makes it"),
        Ok(Some(found)) if found.epoch != known.epoch => {
            let said = "the search index is of another history";
            Finding::of("index", Health::Warning, said, anew)
        }
        Ok(Some(found)) => {
            let (up_to, head) = (found.up_to, known.head);
            Finding::well("index", format!("words up to event {up_to} of {head} are in the file"))
        }
        Err(why) => {
            let advice = "stop the hub, remove the file, and start it; it makes the index anew";
            let said = format!("the search index cannot be read: {why}");
            Finding::of("index", Health::Warning, said, advice)
        }
    }
}
