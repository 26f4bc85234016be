//! The tail of the log: what is on disk in one table, and in the others a little later.
//!
//! A message touches seven B-trees, a task ten. Written with every commit they cost more than its sync;
//! written for hundreds of events together they cost next to nothing. So a small batch goes to the tail
//! alone, which is a page or a few, and many batches go to their tables in one transaction.
//!
//! Its rows are numbered slots that are written over again and again: deleting them with every fold
//! would free some fifty pages and fill each with zeros. A row whose event is in the log is old.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{
    rows::{self, int, json, to_json},
    schema,
};
use crate::{
    command::Origin,
    event::{Event, Stamped, Trace},
    hub::{KeptKey, KeyId, Told},
    ids::{EntityId, MessageId},
    model::{MessageHead, Task},
    time::Timestamp,
};

/// How many events the tail may hold: as many as a commit writes to their tables in about a millisecond,
/// which is what the unluckiest caller waits for.
const EVENTS_MAX: usize = 256;
/// How many events a batch may have that goes to the tail. A larger one shares the price of its pages
/// among so many that writing its events twice would cost more.
const BATCH_MAX: usize = 16;
/// How long one event may be: its row stands in a page with others.
const EVENT_BYTES_MAX: usize = 1_000;

/// The first schema that has it.
const SINCE_SCHEMA: i64 = 3;

const WRITE: &str = "INSERT OR REPLACE INTO tail (slot, seq, at, kind, actor, auth, data, kept, address, request_id, cause)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const READ: &str =
    "SELECT seq, at, kind, actor, auth, data, kept, address, request_id, cause FROM tail
    WHERE seq > (SELECT coalesce(max(seq), 0) FROM events) ORDER BY seq";

/// The events that stand in no table but the tail.
#[derive(Debug, Default)]
pub(super) struct Tail {
    events: Vec<Stamped>,
}

impl Tail {
    /// What stands in it.
    pub(super) fn events(&self) -> &[Stamped] {
        &self.events
    }

    /// A message that stands in it.
    pub(super) fn message(&self, id: &MessageId) -> Option<MessageHead> {
        self.events.iter().rev().find_map(|stamped| match &stamped.event {
            Event::MessageSent(message) if message.message_id == *id => Some(message.head()),
            _ => None,
        })
    }

    /// Whether these may wait for their tables: they are few and short, and of kinds that are looked for
    /// in memory, or here, before their rows.
    pub(super) fn takes(&self, events: &[Stamped]) -> bool {
        events.len() <= BATCH_MAX
            && self.events.len() + events.len() <= EVENTS_MAX
            && events
                .iter()
                .all(|Stamped { event, .. }| may_wait(event) && weight(event) <= EVENT_BYTES_MAX)
    }

    /// Writes events behind those that stand in it.
    pub(super) fn write(&self, conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
        let mut write = conn.prepare_cached(WRITE)?;
        for (slot, stamped) in (self.events.len() as u64..).zip(events) {
            let Trace { origin, cause } = &stamped.trace;
            write.execute(params![
                int(slot),
                int(stamped.seq),
                stamped.at.millis(),
                stamped.event.kind(),
                stamped.actor.as_ref().map(EntityId::as_str),
                stamped.auth.as_str(),
                stamped.event.data(),
                stamped.key.as_deref().map(kept_text).transpose()?,
                rows::events::address_of(origin.as_deref()),
                origin.as_deref().map(|origin| &*origin.request_id),
                cause.map(int),
            ])?;
        }
        Ok(())
    }

    /// Takes in what was written.
    pub(super) fn extend(&mut self, events: &[Stamped]) {
        self.events.extend_from_slice(events);
    }

    /// Everything is in its tables.
    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

/// The kinds that a busy hub has many of.
fn may_wait(event: &Event) -> bool {
    matches!(
        event,
        Event::MessageSent(_)
            | Event::TaskCreated(_)
            | Event::TaskClaimed(_)
            | Event::TaskCompleted(_)
            | Event::TaskFailed(_)
            | Event::TaskReady(_)
            | Event::TaskReleased(_)
            | Event::LeaseRenewed(_)
            | Event::KeyKept(_)
    )
}

/// About how many bytes of text an event holds where it may hold many.
fn weight(event: &Event) -> usize {
    match event {
        Event::MessageSent(message) => message.content.len() + message.metadata.as_str().len(),
        Event::TaskCreated(created) => {
            let Task { title, description, metadata, tags, depends_on, .. } = &created.task;
            let lists = (tags.len() + depends_on.len()) * 32;
            title.len() + description.len() + metadata.as_str().len() + lists
        }
        Event::TaskCompleted(completed) => {
            completed.result.as_ref().map_or(0, |result| result.as_str().len())
        }
        Event::TaskFailed(failed) => failed.reason.as_ref().map_or(0, String::len),
        _ => 0,
    }
}

/// A key as it is kept beside its event.
#[derive(Deserialize, Serialize)]
struct Kept {
    caller: EntityId,
    route: String,
    key: String,
    fingerprint: u64,
    at: Timestamp,
    told: Told,
}

/// Everything in the tail, in order; nothing where the file is older than the tail.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Vec<Stamped>> {
    if schema::version(conn)? < SINCE_SCHEMA {
        return Ok(Vec::new());
    }
    let mut select = conn.prepare(READ)?;
    let stamped = |row: &Row<'_>| {
        let mut stamped = rows::events::stamped(row)?;
        stamped.key = kept(row)?;
        stamped.trace = trace(row)?;
        Ok(stamped)
    };
    select.query_map([], stamped)?.collect()
}

/// Takes what old rows say out of the file, where something was redacted or given up. The events of all
/// rows are being written to their tables.
pub(super) fn wipe(conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
    let wipes =
        |event: &Event| matches!(event, Event::MessageRedacted(_) | Event::HistoryPruned(_));
    if events.iter().any(|stamped| wipes(&stamped.event)) {
        conn.prepare_cached("DELETE FROM tail")?.execute([])?;
    }
    Ok(())
}

fn kept_text(key: &KeptKey) -> rusqlite::Result<String> {
    let KeyId { caller, route, key: name } = key.id.clone();
    let KeptKey { fingerprint, at, ref told, .. } = *key;
    to_json(&Kept { caller, route, key: name, fingerprint, at, told: told.clone() })
}

fn trace(row: &Row<'_>) -> rusqlite::Result<Trace> {
    let address: Option<String> = row.get(7)?;
    let request_id: Option<String> = row.get(8)?;
    let origin = request_id.map(|request_id| {
        let address = address.and_then(|address| address.parse().ok());
        Arc::new(Origin { address, request_id: request_id.into() })
    });
    Ok(Trace { origin, cause: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned) })
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Option<Arc<KeptKey>>> {
    let found: Option<Kept> = match row.get_ref(6)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(json(row, 6)?),
    };
    Ok(found.map(|Kept { caller, route, key, fingerprint, at, told }| {
        Arc::new(KeptKey { id: KeyId { caller, route, key }, fingerprint, at, told })
    }))
}
