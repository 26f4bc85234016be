//! Who did what, read from the log without its content; and what was refused.

use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value};

use super::{
    events::{EVENT_TABLES, address_of},
    int, optional_text, seq, text, time, unreadable, unsigned,
};
use crate::{
    event::{Event, Stamped, Trace},
    ids::{EntityId, Seq},
    limits::AUDIT_LOOKS_MAX,
    model::{AuditEntry, Refusal, Refused},
    store::AuditFilter,
};

/// The members of an event that are shown. Whatever is not here is not, so that what a new kind of event
/// holds is no business of the audit's before somebody has thought about it.
const SHOWN: &[&str] = &[
    "message_id",
    "message_seq",
    "from_entity",
    "to_entity",
    "channel",
    "entity_id",
    "entity_type",
    "task_id",
    "proposal_id",
    "reservation_id",
    "token_id",
    "invite_id",
    "role",
];

/// What the log says of the events after a place, as far as one page looks.
pub(in crate::store) fn read(
    conn: &Connection,
    filter: &AuditFilter,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<Vec<AuditEntry>> {
    // What was pruned of a message leaves the event, which still says who sent it.
    let sql = format!(
        "SELECT e.seq, e.at, e.kind, e.actor, e.auth, e.data, m.message_id, m.from_entity,
            m.to_entity, m.channel, octet_length(m.content), e.address, e.request_id, e.cause
         FROM {EVENT_TABLES}
         WHERE e.seq > ?1 AND e.seq <= ?2 AND (?3 IS NULL OR e.actor = ?3)
            AND (?4 IS NULL OR e.kind = ?4)
         ORDER BY e.seq LIMIT ?5"
    );
    let end = after.saturating_add(AUDIT_LOOKS_MAX);
    let place = |seq: Seq| i64::try_from(seq).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    conn.prepare_cached(&sql)?
        .query_map(params![place(after), place(end), filter.actor, filter.kind, limit], entry)?
        .collect()
}

/// The same of events that are not in the log yet.
pub(in crate::store) fn of_events<'e>(
    events: impl Iterator<Item = &'e Stamped>,
    filter: &AuditFilter,
) -> Vec<AuditEntry> {
    let wanted = |stamped: &&Stamped| {
        let actor = stamped.actor.as_ref().map(EntityId::as_str);
        filter.actor.as_deref().is_none_or(|wanted| actor == Some(wanted))
            && filter.kind.is_none_or(|wanted| stamped.event.kind() == wanted)
    };
    events.filter(wanted).map(of_event).collect()
}

fn of_event(stamped: &Stamped) -> AuditEntry {
    let data = stamped.event.data();
    let content = match &stamped.event {
        Event::MessageSent(message) => &message.content,
        _ => &data,
    };
    let Trace { origin, cause } = &stamped.trace;
    AuditEntry {
        seq: stamped.seq,
        timestamp: stamped.at,
        kind: stamped.event.kind().to_owned(),
        actor: stamped.actor.clone(),
        auth: stamped.auth.as_str().to_owned(),
        address: address_of(origin.as_deref()),
        request_id: origin.as_ref().map(|origin| origin.request_id.to_string()),
        cause: *cause,
        about: serde_json::from_str(&data).map(|event| about(&event)).unwrap_or_default(),
        bytes: content.len() as u64,
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let (about, bytes) = match optional_text(row, 5)? {
        Some(data) => {
            let event: Value = serde_json::from_str(data).map_err(|why| unreadable(5, why))?;
            (about(&event), data.len() as u64)
        }
        None => {
            let mut about = Map::new();
            let columns = ["message_id", "from_entity", "to_entity", "channel"];
            for (at, name) in (6..).zip(columns) {
                if let Some(id) = optional_text(row, at)? {
                    about.insert(name.to_owned(), id.into());
                }
            }
            (about, row.get::<_, Option<i64>>(10)?.unwrap_or(0).cast_unsigned())
        }
    };
    Ok(AuditEntry {
        seq: seq(row, 0)?,
        timestamp: time(row, 1)?,
        kind: text(row, 2)?.to_owned(),
        actor: optional_text(row, 3)?.map(EntityId::trusted),
        auth: text(row, 4)?.to_owned(),
        address: row.get(11)?,
        request_id: row.get(12)?,
        cause: row.get::<_, Option<i64>>(13)?.map(i64::cast_unsigned),
        about,
        bytes,
    })
}

/// What of an event is shown.
fn about(event: &Value) -> Map<String, Value> {
    let mut about = Map::new();
    note(&mut about, event);
    // The noun that the event made or changed stands one step further in.
    event.as_object().into_iter().flatten().for_each(|(_, noun)| note(&mut about, noun));
    about
}

fn note(about: &mut Map<String, Value>, event: &Value) {
    for name in SHOWN {
        match event.get(name) {
            Some(id @ (Value::String(_) | Value::Number(_))) if !about.contains_key(*name) => {
                about.insert((*name).to_owned(), id.clone());
            }
            _ => {}
        }
    }
}

/// Writes refusals as they are counted now, and removes others.
pub(in crate::store) fn write_refusals(
    conn: &Connection,
    changed: &[Refusal],
    gone: &[u64],
) -> rusqlite::Result<()> {
    let mut remove = conn.prepare_cached("DELETE FROM refusals WHERE refusal_id = ?1")?;
    for id in gone {
        remove.execute([int(*id)])?;
    }
    let mut write = conn.prepare_cached(
        "INSERT OR REPLACE INTO refusals
            (refusal_id, kind, status, entity_id, address, route, first_at, last_at, count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for Refusal { refusal_id, of, first_at, last_at, count } in changed {
        write.execute(params![
            int(*refusal_id),
            of.kind,
            of.status,
            of.entity_id.as_ref().map(EntityId::as_str),
            of.address,
            of.route,
            first_at.millis(),
            last_at.millis(),
            int(*count),
        ])?;
    }
    Ok(())
}

/// All refusals there are.
pub(in crate::store) fn read_refusals(conn: &Connection) -> rusqlite::Result<Vec<Refusal>> {
    let mut select = conn.prepare_cached(
        "SELECT refusal_id, kind, status, entity_id, address, route, first_at, last_at, count
         FROM refusals ORDER BY refusal_id",
    )?;
    let refusals = select.query_map([], |row| {
        Ok(Refusal {
            refusal_id: unsigned(row, 0)?,
            of: Refused {
                kind: text(row, 1)?.to_owned(),
                status: row.get(2)?,
                entity_id: optional_text(row, 3)?.map(EntityId::trusted),
                address: optional_text(row, 4)?.map(str::to_owned),
                route: text(row, 5)?.to_owned(),
            },
            first_at: time(row, 6)?,
            last_at: time(row, 7)?,
            count: unsigned(row, 8)?,
        })
    })?;
    refusals.collect()
}
