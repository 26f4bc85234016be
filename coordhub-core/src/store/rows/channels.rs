//! Channels, and who belongs to the private ones.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::{int, json, optional_text, optional_time, seq, text, to_json};
use crate::{
    Timestamp,
    event::ChannelCreated,
    hub::State,
    ids::{ChannelName, EntityId},
    model::{Channel, Membership},
};

/// Writes the channels that were posted to, or made.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for name in &state.touched().channels {
        let Some(channel) = state.channel(name) else { continue };
        let mut upsert = conn.prepare_cached(
            "INSERT INTO channels (channel, created_at, created_by, head, messages)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (channel) DO UPDATE SET head = ?4, messages = ?5",
        )?;
        upsert.execute(params![
            name.as_str(),
            channel.created_at.map(Timestamp::millis),
            channel.created_by.as_ref().map(EntityId::as_str),
            int(channel.head),
            int(channel.messages),
        ])?;
    }
    Ok(())
}

/// Every channel that was posted to, or made.
pub(in crate::store) fn read_all(
    conn: &Connection,
) -> rusqlite::Result<BTreeMap<ChannelName, Channel>> {
    let mut select = conn
        .prepare_cached("SELECT channel, created_at, created_by, head, messages FROM channels")?;
    let read = |row: &Row<'_>| {
        let channel = Channel {
            created_at: optional_time(row, 1)?,
            created_by: optional_text(row, 2)?.map(EntityId::trusted),
            head: seq(row, 3)?,
            messages: seq(row, 4)?,
        };
        Ok((ChannelName::trusted(text(row, 0)?), channel))
    };
    select.query_map([], read)?.collect()
}

/// Notes that a channel is private, which it stays.
pub(in crate::store) fn write_private(
    conn: &Connection,
    created: &ChannelCreated,
) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO private_channels (channel, types) VALUES (?1, ?2)")?
        .execute(params![created.channel.as_str(), to_json(&created.types)?])?;
    Ok(())
}

/// Writes the members of the private channels whose members changed.
pub(in crate::store) fn write_members(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for name in &state.touched().members {
        conn.prepare_cached("DELETE FROM channel_members WHERE channel = ?1")?
            .execute([name.as_str()])?;
        let Some(membership) = state.private_channels().get(name) else { continue };
        let mut insert = conn.prepare_cached(
            "INSERT INTO channel_members (channel, entity_id, joined_seq) VALUES (?1, ?2, ?3)",
        )?;
        for (id, since) in &membership.members {
            insert.execute(params![name.as_str(), id.as_str(), int(*since)])?;
        }
    }
    Ok(())
}

/// Who belongs to each private channel.
pub(in crate::store) fn read_private(
    conn: &Connection,
) -> rusqlite::Result<BTreeMap<ChannelName, Membership>> {
    let mut private: BTreeMap<ChannelName, Membership> = BTreeMap::new();
    let mut select = conn.prepare_cached("SELECT channel, types FROM private_channels")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let membership = Membership { types: json(row, 1)?, ..Membership::default() };
        private.insert(ChannelName::trusted(text(row, 0)?), membership);
    }
    let mut select =
        conn.prepare_cached("SELECT channel, entity_id, joined_seq FROM channel_members")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let membership = private.entry(ChannelName::trusted(text(row, 0)?)).or_default();
        membership.members.insert(EntityId::trusted(text(row, 1)?), seq(row, 2)?);
    }
    Ok(private)
}
