//! The log, and the messages that stand in it.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::{channels, int, json_text, optional_text, seq, text, time, unreadable};
use crate::{
    command::{Auth, Origin},
    event::{EVENT_VERSION, Event, Stamped, Subject, Trace},
    ids::{ChannelName, EntityId, MessageId, Seq},
    model::{Message, MessageHead},
};

const INSERT_EVENT: &str = "INSERT INTO events
    (seq, at, kind, version, actor, auth, task_id, proposal_id, entity_id, data,
     address, request_id, cause)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const INSERT_MESSAGE: &str = "INSERT INTO messages
    (seq, message_id, from_entity, to_entity, channel, at, message_type, reply_to, thread_id,
     ack_required, content, metadata, is_private)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
     (SELECT 1 FROM private_channels p WHERE p.channel = ?5))";

const REDACT: &str =
    "UPDATE messages SET content = '', metadata = ?2, redacted_at = ?3 WHERE seq = ?1";

/// The columns that [`stamped`] reads; `e` is the event, `m` its message.
pub(in crate::store) const EVENT_COLUMNS: &str = "e.seq, e.at, e.kind, e.actor, e.auth, e.data,
    m.seq, m.message_id, m.from_entity, m.to_entity, m.channel, m.at, m.message_type, m.reply_to,
    m.thread_id, m.ack_required, m.content, m.metadata";

/// Where [`EVENT_COLUMNS`] come from.
pub(in crate::store) const EVENT_TABLES: &str =
    "events e LEFT JOIN messages m ON m.seq = e.seq AND e.data IS NULL";

/// Whether there is all of it: a message that was pruned leaves its event, which says that it was.
pub(in crate::store) const IS_WHOLE: &str = "(e.data IS NOT NULL OR m.seq IS NOT NULL)";

/// The columns that [`message`] reads.
pub(in crate::store) const MESSAGE_COLUMNS: &str = "m.seq, m.message_id, m.from_entity,
    m.to_entity, m.channel, m.at, m.message_type, m.reply_to, m.thread_id, m.ack_required,
    m.content, m.metadata";

/// Appends events. Messages are the hot path: nothing is formatted or copied for them, and nothing
/// looked up but whether their channel is private.
pub(in crate::store) fn write(conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
    let mut insert_event = conn.prepare_cached(INSERT_EVENT)?;
    let mut insert_message = conn.prepare_cached(INSERT_MESSAGE)?;
    for stamped in events {
        let (mut task, mut proposal, mut entity) = (None, None, None);
        match stamped.event.subject() {
            Subject::Task(id) => task = Some(id.as_str()),
            Subject::Proposal(id) => proposal = Some(id.as_str()),
            Subject::Entity(id) => entity = Some(id.as_str()),
            Subject::Message | Subject::Other => {}
        }
        let data = match &stamped.event {
            Event::MessageSent(_) => None,
            other => Some(other.data()),
        };
        let Trace { origin, cause } = &stamped.trace;
        insert_event.execute(params![
            int(stamped.seq),
            stamped.at.millis(),
            stamped.event.kind(),
            EVENT_VERSION,
            stamped.actor.as_ref().map(EntityId::as_str),
            stamped.auth.as_str(),
            task,
            proposal,
            entity,
            data,
            address_of(origin.as_deref()),
            origin.as_deref().map(|origin| &*origin.request_id),
            cause.map(int),
        ])?;
        if let Event::MessageSent(message) = &stamped.event {
            debug_assert_eq!(message.seq, stamped.seq, "a message carries the seq of its event");
            let thread =
                (message.thread_id != message.message_id).then(|| message.thread_id.as_str());
            insert_message.execute(params![
                int(message.seq),
                message.message_id.as_str(),
                message.from_entity.as_str(),
                message.to_entity.as_ref().map(EntityId::as_str),
                message.channel.as_ref().map(ChannelName::as_str),
                message.timestamp.millis(),
                message.message_type,
                message.reply_to.as_ref().map(MessageId::as_str),
                thread,
                message.ack_required,
                message.content,
                message.metadata.as_str(),
            ])?;
        }
        if let Event::ChannelCreated(created) = &stamped.event {
            channels::write_private(conn, created)?;
        }
        if let Event::MessageRedacted(redacted) = &stamped.event {
            conn.prepare_cached(REDACT)?.execute(params![
                int(redacted.of.message_seq),
                redacted.metadata.as_str(),
                stamped.at.millis(),
            ])?;
        }
    }
    Ok(())
}

/// The address that a command came from, as text.
pub(in crate::store) fn address_of(origin: Option<&Origin>) -> Option<String> {
    origin.and_then(|origin| origin.address).map(|address| address.to_string())
}

/// The `seq` of the newest event; 0 where there is none.
pub(in crate::store) fn head(conn: &Connection) -> rusqlite::Result<Seq> {
    conn.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| seq(row, 0))
}

/// Whether what a message says was removed.
pub(in crate::store) fn is_redacted(conn: &Connection, id: &MessageId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM messages WHERE message_id = ?1 AND redacted_at IS NOT NULL")?
        .exists([id.as_str()])
}

/// Reads [`EVENT_COLUMNS`].
pub(in crate::store) fn stamped(row: &Row<'_>) -> rusqlite::Result<Stamped> {
    let event = match optional_text(row, 5)? {
        None => Event::MessageSent(Arc::new(message_at(row, 6)?)),
        Some(data) => {
            let kind = text(row, 2)?;
            Event::from_stored(kind, data).ok_or_else(|| {
                unreadable(5, format!("no event of kind {kind:?} reads like this"))
            })?
        }
    };
    Ok(Stamped {
        seq: seq(row, 0)?,
        at: time(row, 1)?,
        actor: optional_text(row, 3)?.map(EntityId::trusted),
        auth: if text(row, 4)? == Auth::Token.as_str() { Auth::Token } else { Auth::Open },
        event,
        // Kept beside the log.
        key: None,
        trace: Trace::default(),
    })
}

/// About how many bytes of text the event in this row holds.
pub(in crate::store) fn weight(stamped: &Stamped, row: &Row<'_>) -> rusqlite::Result<usize> {
    Ok(match &stamped.event {
        Event::MessageSent(message) => message.content.len() + message.metadata.as_str().len(),
        _ => optional_text(row, 5)?.map_or(0, str::len),
    })
}

/// Reads [`MESSAGE_COLUMNS`].
pub(in crate::store) fn message(row: &Row<'_>) -> rusqlite::Result<Arc<Message>> {
    message_at(row, 0).map(Arc::new)
}

fn message_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Message> {
    let message_id = MessageId::trusted(text(row, first + 1)?);
    let thread_id = optional_text(row, first + 8)?.map(MessageId::trusted);
    Ok(Message {
        seq: seq(row, first)?,
        from_entity: EntityId::trusted(text(row, first + 2)?),
        to_entity: optional_text(row, first + 3)?.map(EntityId::trusted),
        channel: optional_text(row, first + 4)?.map(ChannelName::trusted),
        timestamp: time(row, first + 5)?,
        message_type: row.get(first + 6)?,
        reply_to: optional_text(row, first + 7)?.map(MessageId::trusted),
        thread_id: thread_id.unwrap_or_else(|| message_id.clone()),
        ack_required: row.get(first + 9)?,
        content: row.get(first + 10)?,
        metadata: json_text(row, first + 11)?,
        message_id,
    })
}

/// The columns that [`message_head`] reads.
pub(in crate::store) const HEAD_COLUMNS: &str =
    "message_id, from_entity, to_entity, channel, thread_id, seq, ack_required, at";

/// Reads [`HEAD_COLUMNS`].
pub(in crate::store) fn message_head(row: &Row<'_>) -> rusqlite::Result<MessageHead> {
    let message_id = MessageId::trusted(text(row, 0)?);
    Ok(MessageHead {
        from_entity: EntityId::trusted(text(row, 1)?),
        to_entity: optional_text(row, 2)?.map(EntityId::trusted),
        channel: optional_text(row, 3)?.map(ChannelName::trusted),
        thread_id: optional_text(row, 4)?.map_or_else(|| message_id.clone(), MessageId::trusted),
        seq: seq(row, 5)?,
        ack_required: row.get(6)?,
        timestamp: time(row, 7)?,
        message_id,
    })
}
