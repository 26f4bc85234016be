//! Roll-calls, and who has acknowledged which message.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{int, optional_text, optional_time, seq, text};
use crate::{
    Timestamp,
    event::{Event, Stamped},
    hub::{KnownReceipt, State},
    ids::{ChannelName, EntityId, MessageId},
    model::RollCall,
    store::StoredReceipts,
};

const UPSERT: &str = "INSERT INTO roll_calls
    (message_seq, message_id, from_entity, to_entity, channel, deadline, is_overdue, resolved_at,
     resolved_by, is_open)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (message_seq) DO UPDATE SET
        is_overdue = ?7, resolved_at = ?8, resolved_by = ?9, is_open = ?10";

const COLUMNS: &str = "message_seq, message_id, from_entity, to_entity, channel, deadline,
    is_overdue, resolved_at, resolved_by";

/// Writes the roll-calls that were touched; who answered them is written from the events.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().roll_calls {
        let Some(call) = state.roll_call(id) else { continue };
        conn.prepare_cached(UPSERT)?.execute(params![
            int(call.seq),
            call.message_id.as_str(),
            call.from_entity.as_str(),
            call.to_entity.as_ref().map(EntityId::as_str),
            call.channel.as_ref().map(ChannelName::as_str),
            call.deadline.map(Timestamp::millis),
            call.is_overdue,
            call.resolved_at.map(Timestamp::millis),
            call.resolved_by.as_ref().map(EntityId::as_str),
            call.is_open(),
        ])?;
    }
    Ok(())
}

/// Writes who was asked, and who has answered.
pub(in crate::store) fn write_receipts(
    conn: &Connection,
    events: &[Stamped],
) -> rusqlite::Result<()> {
    for stamped in events {
        match &stamped.event {
            Event::RollCallOpened(opened) => {
                let mut insert = conn.prepare_cached(
                    "INSERT INTO receipts (message_id, entity_id, acked_at) VALUES (?1, ?2, NULL)",
                )?;
                for id in &opened.recipients {
                    insert.execute([opened.of.message_id.as_str(), id.as_str()])?;
                }
            }
            Event::MessageAcked(acked) => {
                let mut upsert = conn.prepare_cached(
                    "INSERT INTO receipts (message_id, entity_id, acked_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (message_id, entity_id) DO UPDATE SET acked_at = ?3",
                )?;
                let (message, entity) = (acked.of.message_id.as_str(), acked.entity_id.as_str());
                upsert.execute(params![message, entity, stamped.at.millis()])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is known of one recipient's acknowledgement.
pub(in crate::store) fn receipt(
    conn: &Connection,
    message: &MessageId,
    entity: &EntityId,
) -> rusqlite::Result<KnownReceipt> {
    let acked_at = conn
        .prepare_cached("SELECT acked_at FROM receipts WHERE message_id = ?1 AND entity_id = ?2")?
        .query_row([message.as_str(), entity.as_str()], |row| optional_time(row, 0))
        .optional()?;
    Ok(match acked_at {
        None => KnownReceipt::NotAsked,
        Some(None) => KnownReceipt::Asked,
        Some(Some(_)) => KnownReceipt::Acked,
    })
}

/// The roll-call of a message, where it has one; else who has acknowledged it.
pub(in crate::store) fn read(
    conn: &Connection,
    message: &MessageId,
) -> rusqlite::Result<StoredReceipts> {
    let sql = format!("SELECT {COLUMNS} FROM roll_calls WHERE message_id = ?1");
    let call = conn.prepare_cached(&sql)?.query_row([message.as_str()], roll_call).optional()?;
    Ok((call, recipients(conn, message)?))
}

/// The roll-calls that are open.
pub(in crate::store) fn read_open(conn: &Connection) -> rusqlite::Result<Vec<RollCall>> {
    let sql = format!("SELECT {COLUMNS} FROM roll_calls WHERE is_open");
    let mut select = conn.prepare_cached(&sql)?;
    let mut found: Vec<RollCall> =
        select.query_map([], roll_call)?.collect::<rusqlite::Result<_>>()?;
    for call in &mut found {
        call.recipients = recipients(conn, &call.message_id)?;
    }
    Ok(found)
}

fn recipients(
    conn: &Connection,
    message: &MessageId,
) -> rusqlite::Result<BTreeMap<EntityId, Option<Timestamp>>> {
    let mut select =
        conn.prepare_cached("SELECT entity_id, acked_at FROM receipts WHERE message_id = ?1")?;
    let one = |row: &Row<'_>| Ok((EntityId::trusted(text(row, 0)?), optional_time(row, 1)?));
    select.query_map([message.as_str()], one)?.collect()
}

/// Reads [`COLUMNS`]; the recipients are left out.
fn roll_call(row: &Row<'_>) -> rusqlite::Result<RollCall> {
    Ok(RollCall {
        seq: seq(row, 0)?,
        message_id: MessageId::trusted(text(row, 1)?),
        from_entity: EntityId::trusted(text(row, 2)?),
        to_entity: optional_text(row, 3)?.map(EntityId::trusted),
        channel: optional_text(row, 4)?.map(ChannelName::trusted),
        recipients: BTreeMap::new(),
        deadline: optional_time(row, 5)?,
        is_overdue: row.get(6)?,
        resolved_at: optional_time(row, 7)?,
        resolved_by: optional_text(row, 8)?.map(EntityId::trusted),
    })
}
