//! A hub's file made of an export, as another history.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{BufRead, Read},
    path::Path,
};

use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, Value},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Transferred, UpkeepError, check_integrity, history_name,
    lines::{END, FORMAT, HEADER, KINDS, is_json},
    sound,
};
use crate::{
    hub::invariants,
    ids::Seq,
    limits::Limits,
    store::{
        create, damage, io_error,
        lock::{Lock, beside},
        rows::{self, events::IS_WHOLE},
        schema, sqlite,
    },
};

/// The longest line that is read: several times what the largest row takes.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Makes the hub's file `db` of an export. There must be none yet, and there is none where any line is
/// wrong.
pub fn import(from: &mut dyn BufRead, db: &Path) -> Result<Transferred, UpkeepError> {
    let db = sqlite::real_path(db)?;
    let lock = Lock::take(&db)?;
    let is_there = db.exists() || beside(&db, "-wal").exists();
    let imported = if is_there {
        Err(UpkeepError::Exists(db.display().to_string()))
    } else {
        import_locked(from, &db)
    };
    if imported.is_err() && !is_there {
        lock.abandon();
    }
    imported
}

fn import_locked(from: &mut dyn BufRead, db: &Path) -> Result<Transferred, UpkeepError> {
    let fresh = create::Fresh::begin(db)?;
    create::private().open(fresh.path()).map_err(|error| io_error(fresh.path(), error))?;
    let mut imported = Err(UpkeepError::Incomplete { lines: 0 });
    create::fill(fresh.path(), |conn| {
        // It is synced once, when it is whole.
        conn.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
        imported = fill(conn, from);
        if imported.is_ok() { schema::prepare_writer(conn) } else { Ok(()) }
    })?;
    let imported = imported?;
    fresh.sync()?;
    fresh.take_name(db)?;
    Ok(imported)
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    row: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
    schema: i64,
}

#[derive(Deserialize)]
struct End {
    lines: u64,
}

/// Reads line by line; knows where it is.
struct Lines<'a> {
    from: &'a mut dyn BufRead,
    number: u64,
    text: Vec<u8>,
}

impl Lines<'_> {
    /// The next line; `None` at the end of the input.
    fn next(&mut self) -> Result<Option<&[u8]>, UpkeepError> {
        self.text.clear();
        let mut bounded = Read::take(&mut *self.from, LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut self.text).map_err(UpkeepError::Input)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == LINE_BYTES_MAX {
            return Err(self.bad(format!("it is longer than {LINE_BYTES_MAX} bytes")));
        }
        Ok(Some(&self.text))
    }

    fn bad(&self, why: impl std::fmt::Display) -> UpkeepError {
        UpkeepError::Line { number: self.number, why: why.to_string() }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("it is no line of an export: {error}"))
}

fn fill(conn: &mut Connection, from: &mut dyn BufRead) -> Result<Transferred, UpkeepError> {
    let mut lines = Lines { from, number: 0, text: Vec::new() };
    let header = read_header(&mut lines)?;
    let made = |error| damage(Path::new("the file that is made"), error);
    schema::migrate_to(conn, header.schema).map_err(made)?;
    let transaction = conn.transaction().map_err(made)?;
    let mut rows = Rows::new(&transaction, header.schema);
    loop {
        let Some(text) = lines.next()? else {
            return Err(UpkeepError::Incomplete { lines: lines.number });
        };
        let line = parse::<Line<'_>>(text);
        let taken = line.and_then(|line| match &*line.kind {
            END => end_of(&line).map(Some),
            _ => rows.take(&line).map(|()| None),
        });
        match taken.map_err(|why| lines.bad(why))? {
            Some(end) if end.lines == lines.number => break,
            Some(end) => {
                return Err(lines.bad(format!("an export of {} lines ends here", end.lines)));
            }
            None => {}
        }
    }
    if lines.next()?.is_some_and(|text| !text.trim_ascii().is_empty()) {
        return Err(lines.bad("something follows the end of the export"));
    }
    drop(rows);
    transaction.commit().map_err(made)?;
    schema::migrate(conn).map_err(made)?;
    check(conn)?;
    Ok(Transferred { history: history_name(conn).map_err(made)?, lines: lines.number })
}

fn read_header(lines: &mut Lines<'_>) -> Result<Header, UpkeepError> {
    #[derive(Deserialize)]
    struct First<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        row: &'a RawValue,
    }
    let Some(text) = lines.next()? else { return Err(UpkeepError::Incomplete { lines: 0 }) };
    let first = parse::<First<'_>>(text).and_then(|first| match &*first.kind {
        HEADER => parse::<Header>(first.row.get().as_bytes()),
        _ => Err("an export begins with its header, and this is none".to_owned()),
    });
    let Header { format, schema } = first.map_err(|why| lines.bad(why))?;
    if format != FORMAT || !(1..=schema::SCHEMA_VERSION).contains(&schema) {
        return Err(lines.bad(format!(
            "it is of format {format} and schema {schema}, and this version knows format {FORMAT} and \
             schemas up to {}; use a newer coordhub",
            schema::SCHEMA_VERSION
        )));
    }
    Ok(Header { format, schema })
}

fn end_of(line: &Line<'_>) -> Result<End, String> {
    let lines = line.row.get("lines").ok_or("the end says not how many lines there are")?;
    let lines = serde_json::from_str(lines.get()).map_err(|error| error.to_string())?;
    Ok(End { lines })
}

/// Puts rows into their tables, and reads back those that memory would not.
struct Rows<'c> {
    conn: &'c Connection,
    schema: i64,
    columns: BTreeMap<&'static str, Vec<String>>,
    /// The newest event so far.
    head: Option<Seq>,
}

impl<'c> Rows<'c> {
    fn new(conn: &'c Connection, schema: i64) -> Self {
        Self { conn, schema, columns: BTreeMap::new(), head: None }
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), String> {
        let known = KINDS.iter().find(|(kind, _)| *kind == line.kind);
        let (kind, table) = *known.ok_or_else(|| format!("there is no kind {:?}", line.kind))?;
        if !schema::tables(self.schema).any(|known| known == table) {
            return Err(format!("schema {} has no {kind}", self.schema));
        }
        if kind == "meta" && line.row.get("key").is_some_and(|key| key.get() == "\"epoch\"") {
            // This is another history from here on.
            return Ok(());
        }
        self.insert(kind, table, line)?;
        self.read_back(kind, self.conn.last_insert_rowid())
    }

    fn insert(&mut self, kind: &str, table: &'static str, line: &Line<'_>) -> Result<(), String> {
        let columns = self.columns_of(table)?;
        if let Some(unknown) = line.row.keys().find(|name| !columns.iter().any(|c| c == *name)) {
            return Err(format!("a {kind} has no {unknown:?}"));
        }
        let names: Vec<&str> = line.row.keys().map(|name| &**name).collect();
        let places: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
        // Only what there is one of is there before.
        let or = if kind == "meta" { "OR REPLACE " } else { "" };
        let sql = format!(
            "INSERT {or}INTO {table} ({}) VALUES ({})",
            names.join(", "),
            places.join(", ")
        );
        let values = line.row.iter().map(|(name, raw)| value(name, raw));
        let values = values.collect::<Result<Vec<Cell<'_>>, String>>()?;
        let mut insert = self.conn.prepare_cached(&sql).map_err(|error| error.to_string())?;
        insert.execute(params_from_iter(values)).map_err(|error| format!("{kind}: {error}"))?;
        Ok(())
    }

    fn columns_of(&mut self, table: &'static str) -> Result<&[String], String> {
        if !self.columns.contains_key(table) {
            let names = || {
                self.conn
                    .prepare("SELECT name FROM pragma_table_info(?1)")?
                    .query_map([table], |row| row.get(0))?
                    .collect::<rusqlite::Result<Vec<String>>>()
            };
            let names = names().map_err(|error| error.to_string())?;
            self.columns.insert(table, names);
        }
        Ok(self.columns.get(table).map_or(&[], Vec::as_slice))
    }

    /// Whatever a hub reads only later must be readable, too.
    fn read_back(&mut self, kind: &str, rowid: i64) -> Result<(), String> {
        let conn = self.conn;
        let read = match kind {
            "event" => {
                self.follow(rowid)?;
                let columns = rows::events::EVENT_COLUMNS;
                let tables = rows::events::EVENT_TABLES;
                let sql = format!("SELECT {columns} FROM {tables} WHERE e.seq = ?1 AND {IS_WHOLE}");
                conn.prepare_cached(&sql).and_then(|mut select| {
                    let mut rows = select.query([rowid])?;
                    rows.next()?.map(rows::events::stamped).transpose().map(drop)
                })
            }
            "message" => {
                let columns = rows::events::MESSAGE_COLUMNS;
                let sql = format!("SELECT {columns} FROM messages m WHERE m.seq = ?1");
                conn.prepare_cached(&sql)
                    .and_then(|mut select| select.query_row([rowid], rows::events::message))
                    .map(drop)
            }
            "task" => {
                let columns = rows::tasks::COLUMNS;
                let sql = format!("SELECT {columns} FROM tasks WHERE created_seq = ?1");
                conn.prepare_cached(&sql)
                    .and_then(|mut select| select.query_row([rowid], rows::tasks::task))
                    .map(drop)
            }
            "proposal" => {
                let columns = rows::proposals::COLUMNS;
                let sql = format!("SELECT {columns} FROM proposals WHERE created_seq = ?1");
                rows::proposals::read_where(conn, &sql, [rowid]).map(drop)
            }
            _ => Ok(()),
        };
        read.map_err(|error| format!("{kind}: {error}"))
    }

    fn follow(&mut self, rowid: i64) -> Result<(), String> {
        let seq = u64::try_from(rowid).map_err(|_| format!("{rowid} is no seq"))?;
        if let Some(head) = self.head.filter(|head| head + 1 != seq) {
            return Err(format!("event {seq} follows event {head}: events have no holes"));
        }
        self.head = Some(seq);
        Ok(())
    }
}

/// A value on its way into its column.
enum Cell<'a> {
    Json(&'a str),
    Other(Value),
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Json(text) => Ok((*text).into()),
            Self::Other(value) => value.to_sql(),
        }
    }
}

fn value<'a>(column: &str, raw: &'a RawValue) -> Result<Cell<'a>, String> {
    if is_json(column) {
        return Ok(Cell::Json(raw.get()));
    }
    let wrong = || format!("{column:?} is neither a text nor a number");
    let found: serde_json::Value =
        serde_json::from_str(raw.get()).map_err(|error| format!("{column:?}: {error}"))?;
    Ok(Cell::Other(match found {
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(real)) => Value::Real(real),
            (None, None) => return Err(wrong()),
        },
        serde_json::Value::Object(object) => {
            let hex = object.get("hex").and_then(serde_json::Value::as_str).ok_or_else(wrong)?;
            Value::Blob(bytes(hex).ok_or_else(wrong)?)
        }
        _ => return Err(wrong()),
    }))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

/// The whole must be a hub: loaded, and looked at as its tests do.
fn check(conn: &Connection) -> Result<(), UpkeepError> {
    let bad = |why: String| UpkeepError::NotAHub { why };
    let looked = || -> rusqlite::Result<_> {
        let loaded = sqlite::load(conn, &Limits::default())?;
        let whole = sound(conn, &loaded.state)?;
        Ok((loaded, whole, check_integrity(conn)?))
    };
    let (loaded, whole, integrity) = looked().map_err(|error| bad(error.to_string()))?;
    invariants::check(&loaded.state).map_err(bad)?;
    whole.and(integrity).map_err(bad)
}
