//! SQLite alone: the rows that the hub writes for a message, in transactions of a size, each of them synced.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, types::Value};

/// What the hub itself sets, and nothing that it does not.
const PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
    PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 16777216;";

const INSERT_EVENT: &str = "INSERT INTO events
    (seq, at, kind, version, actor, auth, task_id, proposal_id, entity_id, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const INSERT_MESSAGE: &str = "INSERT INTO messages
    (seq, message_id, from_entity, to_entity, channel, at, message_type, reply_to, thread_id,
     ack_required, content, metadata)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const LATEST: &str = "SELECT e.seq, e.at, e.kind, e.version, e.actor, e.auth, e.task_id, e.proposal_id,
    e.entity_id, e.data, m.seq, m.message_id, m.from_entity, m.to_entity, m.channel, m.at, m.message_type, m.reply_to,
    m.thread_id, m.ack_required, m.content, m.metadata
    FROM events e JOIN messages m ON m.seq = e.seq ORDER BY e.seq DESC LIMIT 1";
const EVENT_COLUMNS: usize = 10;
const COLUMNS: usize = 22;

/// A file with the hub's tables, and the rows of a message to write again and again.
pub(crate) struct Sqlite {
    connection: Connection,
    event: Vec<Value>,
    message: Vec<Value>,
    seq: i64,
}

impl Sqlite {
    /// On a file in which a hub that has stopped has left at least one message.
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        let open = || {
            let connection = Connection::open(file)?;
            connection.execute_batch(PRAGMAS)?;
            let mut event: Vec<Value> = connection.query_row(LATEST, [], |row| {
                (0..COLUMNS).map(|column| row.get(column)).collect()
            })?;
            let message = event.split_off(EVENT_COLUMNS);
            let seq = connection.query_row("SELECT max(seq) FROM events", [], |row| row.get(0))?;
            Ok(Self { connection, event, message, seq })
        };
        open().map_err(|error: rusqlite::Error| io::Error::other(error))
    }

    /// Writes groups of so many messages; how many messages a second.
    pub(crate) fn write(&mut self, group: usize, duration: Duration) -> io::Result<f64> {
        let (started, first) = (Instant::now(), self.seq);
        while started.elapsed() < duration {
            self.write_group(group).map_err(io::Error::other)?;
        }
        Ok((self.seq - first) as f64 / started.elapsed().as_secs_f64())
    }

    fn write_group(&mut self, group: usize) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut insert_event = transaction.prepare_cached(INSERT_EVENT)?;
        let mut insert_message = transaction.prepare_cached(INSERT_MESSAGE)?;
        for _ in 0..group {
            self.seq += 1;
            self.event[0] = self.seq.into();
            self.message[0] = self.seq.into();
            // As long as the hub's, and like these later ids come after earlier ones.
            self.message[1] = format!("msg-z{:025}", self.seq).into();
            insert_event.execute(rusqlite::params_from_iter(&self.event))?;
            insert_message.execute(rusqlite::params_from_iter(&self.message))?;
        }
        transaction
            .prepare_cached(
                "UPDATE channels SET head = ?1, messages = messages + ?2 WHERE channel = 'bench'",
            )?
            .execute((self.seq, group as i64))?;
        drop((insert_event, insert_message));
        transaction.commit()
    }
}
