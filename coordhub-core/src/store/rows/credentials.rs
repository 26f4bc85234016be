//! Tokens and invites that are good, and the ids of who was removed.

use rusqlite::{Connection, Row, params};

use super::{int, json, optional_text, optional_time, seq, text, time, to_json, unreadable, word};
use crate::{
    hub::{Sealed, State},
    ids::{EntityId, InviteId, TokenId},
    model::{Invite, Role, Token},
    secret::SecretHash,
};

const UPSERT_TOKEN: &str = "INSERT INTO tokens
    (token_id, created_seq, hash, entity_id, role, name, created_at, created_by, invite_id,
     first_used_at, rotated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (token_id) DO UPDATE SET hash = ?3, first_used_at = ?10, rotated_at = ?11";

const UPSERT_INVITE: &str = "INSERT INTO invites
    (invite_id, created_seq, hash, name, entity_types, entity_ids, role, uses_max, uses, expires_at,
     created_at, created_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (invite_id) DO UPDATE SET uses = ?9";

/// Writes the tokens and invites that were touched, takes out those that were revoked, and notes whose
/// id is not to be had again.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    let (touched, credentials) = (state.touched(), state.credentials());
    for id in &touched.tokens {
        match credentials.token(id) {
            Some(sealed) => write_token(conn, sealed)?,
            None => {
                conn.prepare_cached("DELETE FROM tokens WHERE token_id = ?1")?
                    .execute([id.as_str()])?;
            }
        }
    }
    for id in &touched.invites {
        match credentials.invite(id) {
            Some(sealed) => write_invite(conn, sealed)?,
            None => {
                conn.prepare_cached("DELETE FROM invites WHERE invite_id = ?1")?
                    .execute([id.as_str()])?;
            }
        }
    }
    for id in &touched.entities {
        let sql = if credentials.was_removed(id) {
            "INSERT OR IGNORE INTO tombstones (entity_id) VALUES (?1)"
        } else {
            "DELETE FROM tombstones WHERE entity_id = ?1"
        };
        conn.prepare_cached(sql)?.execute([id.as_str()])?;
    }
    Ok(())
}

fn write_token(conn: &Connection, sealed: &Sealed<Token>) -> rusqlite::Result<()> {
    let token = &*sealed.of;
    conn.prepare_cached(UPSERT_TOKEN)?.execute(params![
        token.token_id.as_str(),
        int(token.created_seq),
        sealed.hash.as_bytes(),
        token.entity_id.as_str(),
        token.role.as_str(),
        token.name,
        token.created_at.millis(),
        token.created_by.as_ref().map(EntityId::as_str),
        token.invite_id.as_ref().map(InviteId::as_str),
        token.first_used_at.map(|at| at.millis()),
        token.rotated_at.map(|at| at.millis()),
    ])?;
    Ok(())
}

fn write_invite(conn: &Connection, sealed: &Sealed<Invite>) -> rusqlite::Result<()> {
    let invite = &*sealed.of;
    conn.prepare_cached(UPSERT_INVITE)?.execute(params![
        invite.invite_id.as_str(),
        int(invite.created_seq),
        sealed.hash.as_bytes(),
        invite.name,
        to_json(&invite.entity_types)?,
        to_json(&invite.entity_ids)?,
        invite.role.as_str(),
        int(invite.uses_max),
        int(invite.uses),
        invite.expires_at.millis(),
        invite.created_at.millis(),
        invite.created_by.as_ref().map(EntityId::as_str),
    ])?;
    Ok(())
}

/// Every token that is good.
pub(in crate::store) fn read_tokens(conn: &Connection) -> rusqlite::Result<Vec<Sealed<Token>>> {
    let mut select = conn.prepare_cached(
        "SELECT token_id, created_seq, hash, entity_id, role, name, created_at, created_by,
            invite_id, first_used_at, rotated_at FROM tokens",
    )?;
    let sealed = |row: &Row<'_>| {
        let token = Token {
            token_id: TokenId::trusted(text(row, 0)?),
            created_seq: seq(row, 1)?,
            entity_id: EntityId::trusted(text(row, 3)?),
            role: word(row, 4, Role::parse)?,
            name: row.get(5)?,
            created_at: time(row, 6)?,
            created_by: optional_text(row, 7)?.map(EntityId::trusted),
            invite_id: optional_text(row, 8)?.map(InviteId::trusted),
            first_used_at: optional_time(row, 9)?,
            rotated_at: optional_time(row, 10)?,
        };
        Ok(Sealed::new(token, hash(row, 2)?))
    };
    select.query_map([], sealed)?.collect()
}

/// Every invite that was not revoked.
pub(in crate::store) fn read_invites(conn: &Connection) -> rusqlite::Result<Vec<Sealed<Invite>>> {
    let mut select = conn.prepare_cached(
        "SELECT invite_id, created_seq, hash, name, entity_types, entity_ids, role, uses_max, uses,
            expires_at, created_at, created_by FROM invites",
    )?;
    let sealed = |row: &Row<'_>| {
        let invite = Invite {
            invite_id: InviteId::trusted(text(row, 0)?),
            created_seq: seq(row, 1)?,
            name: row.get(3)?,
            entity_types: json(row, 4)?,
            entity_ids: json(row, 5)?,
            role: word(row, 6, Role::parse)?,
            uses_max: seq(row, 7)?,
            uses: seq(row, 8)?,
            expires_at: time(row, 9)?,
            created_at: time(row, 10)?,
            created_by: optional_text(row, 11)?.map(EntityId::trusted),
        };
        Ok(Sealed::new(invite, hash(row, 2)?))
    };
    select.query_map([], sealed)?.collect()
}

/// The ids of everybody who was removed and has not come back.
pub(in crate::store) fn read_removed(conn: &Connection) -> rusqlite::Result<Vec<EntityId>> {
    let mut select = conn.prepare_cached("SELECT entity_id FROM tombstones")?;
    select.query_map([], |row| text(row, 0).map(EntityId::trusted))?.collect()
}

fn hash(row: &Row<'_>, at: usize) -> rusqlite::Result<SecretHash> {
    let bytes = row.get_ref(at)?.as_blob().map_err(|error| unreadable(at, error))?;
    let bytes = bytes.try_into().map_err(|_| unreadable(at, "this is no hash"))?;
    Ok(SecretHash::new(bytes))
}
