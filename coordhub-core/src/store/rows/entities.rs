//! Entities and their cursors.

use std::{borrow::Cow, collections::BTreeMap, iter};

use rusqlite::{Connection, Row, params};

use super::{int, json, json_text, seq, text, time, to_json, unreadable};
use crate::{
    Timestamp,
    hub::{Cursors, State},
    ids::{ChannelName, EntityId, Seq},
    model::{Entity, EntityType},
};

/// `last_seen` never runs back: a name that was removed and registered anew in one batch is the same
/// row.
const UPSERT_ENTITY: &str = "INSERT INTO entities
    (entity_id, entity_type, name, capabilities, metadata, registered_at, registered_seq, last_seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6)
    ON CONFLICT (entity_id) DO UPDATE SET
        entity_type = ?2, name = ?3, capabilities = ?4, metadata = ?5, registered_at = ?6,
        registered_seq = ?7, last_seen = max(last_seen, ?6)";

/// Writes the entities that were touched; those that are gone go.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().entities {
        let Some(entity) = state.entity(id) else {
            conn.prepare_cached("DELETE FROM entities WHERE entity_id = ?1")?
                .execute([id.as_str()])?;
            continue;
        };
        conn.prepare_cached(UPSERT_ENTITY)?.execute(params![
            id.as_str(),
            entity.entity_type.as_str(),
            entity.name,
            to_json(&entity.capabilities)?,
            entity.metadata.as_str(),
            entity.registered_at.millis(),
            int(entity.registered_seq),
        ])?;
    }
    Ok(())
}

/// Every entity, and when it was last seen.
pub(in crate::store) fn read_all(conn: &Connection) -> rusqlite::Result<Vec<(Entity, Timestamp)>> {
    let mut select = conn.prepare_cached(
        "SELECT entity_id, entity_type, name, capabilities, metadata, registered_at, registered_seq,
            last_seen FROM entities",
    )?;
    select.query_map([], |row| Ok((entity(row)?, time(row, 7)?)))?.collect()
}

fn entity(row: &Row<'_>) -> rusqlite::Result<Entity> {
    Ok(Entity {
        entity_id: EntityId::trusted(text(row, 0)?),
        entity_type: super::word(row, 1, EntityType::parse)?,
        name: row.get(2)?,
        capabilities: json(row, 3)?,
        metadata: json_text(row, 4)?,
        registered_at: time(row, 5)?,
        registered_seq: seq(row, 6)?,
    })
}

/// Writes when entities were last seen.
pub(in crate::store) fn write_seen(
    conn: &Connection,
    seen: &[(EntityId, Timestamp)],
) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached(
        "UPDATE entities SET last_seen = max(last_seen, ?2) WHERE entity_id = ?1",
    )?;
    for (id, at) in seen {
        update.execute(params![id.as_str(), at.millis()])?;
    }
    Ok(())
}

/// Writes the cursors that were touched: of an entity's rows those that differ. There may be one for
/// each of a thousand channels, and most calls move one; but one that moves past others makes their
/// rows superfluous.
pub(in crate::store) fn write_cursors(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().cursors {
        let mut wanted = state.cursors(id).map(scopes).unwrap_or_default();
        let mut select =
            conn.prepare_cached("SELECT scope, seq FROM cursors WHERE entity_id = ?1")?;
        let mut rows = select.query([id.as_str()])?;
        let mut gone = Vec::new();
        while let Some(row) = rows.next()? {
            let (scope, written) = (text(row, 0)?, seq(row, 1)?);
            match wanted.get(scope) {
                Some(up_to) if *up_to == written => drop(wanted.remove(scope)),
                Some(_) => {}
                None => gone.push(scope.to_owned()),
            }
        }
        for scope in gone {
            conn.prepare_cached("DELETE FROM cursors WHERE entity_id = ?1 AND scope = ?2")?
                .execute([id.as_str(), &scope])?;
        }
        let mut upsert = conn.prepare_cached(
            "INSERT INTO cursors (entity_id, scope, seq) VALUES (?1, ?2, ?3)
             ON CONFLICT (entity_id, scope) DO UPDATE SET seq = ?3",
        )?;
        for (scope, up_to) in wanted {
            upsert.execute(params![id.as_str(), scope, int(up_to)])?;
        }
    }
    Ok(())
}

/// The rows that an entity's cursors are kept in: how far each scope is read.
fn scopes(cursors: &Cursors) -> BTreeMap<Cow<'static, str>, Seq> {
    let direct = (cursors.direct > 0).then_some((Cow::Borrowed("direct"), cursors.direct));
    let channels =
        cursors.channels.iter().map(|(name, seq)| (Cow::Owned(format!("#{name}")), *seq));
    iter::once((Cow::Borrowed("all"), cursors.all)).chain(direct).chain(channels).collect()
}

/// Every cursor of every entity.
pub(in crate::store) fn read_cursors(
    conn: &Connection,
) -> rusqlite::Result<BTreeMap<EntityId, Cursors>> {
    let mut all: BTreeMap<EntityId, Cursors> = BTreeMap::new();
    let mut select = conn.prepare_cached("SELECT entity_id, scope, seq FROM cursors")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cursors = all.entry(EntityId::trusted(text(row, 0)?)).or_default();
        let up_to = seq(row, 2)?;
        match text(row, 1)? {
            "all" => cursors.all = up_to,
            "direct" => cursors.direct = up_to,
            scope => {
                let name = scope
                    .strip_prefix('#')
                    .ok_or_else(|| unreadable(1, format!("{scope:?} is no scope of a cursor")))?;
                cursors.channels.insert(ChannelName::trusted(name), up_to);
            }
        }
    }
    Ok(all)
}
