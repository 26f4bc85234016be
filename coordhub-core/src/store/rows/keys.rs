//! Idempotency keys, and what was answered under each.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{json, time, to_json};
use crate::{
    Timestamp,
    event::Stamped,
    hub::{KeptKey, KeyId},
};

/// Writes the keys of the changes that these events are.
pub(in crate::store) fn write(conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
    for kept in events.iter().filter_map(|stamped| stamped.key.as_ref()) {
        // A key that is too old to count may be used for something else.
        let mut upsert = conn.prepare_cached(
            "INSERT INTO idempotency_keys (caller, route, key, fingerprint, at, told)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (caller, route, key) DO UPDATE SET fingerprint = ?4, at = ?5, told = ?6",
        )?;
        upsert.execute(params![
            kept.id.caller.as_str(),
            kept.id.route,
            kept.id.key,
            kept.fingerprint.cast_signed(),
            kept.at.millis(),
            to_json(&kept.told)?,
        ])?;
    }
    Ok(())
}

/// One key.
pub(in crate::store) fn read(conn: &Connection, id: &KeyId) -> rusqlite::Result<Option<KeptKey>> {
    let mut select = conn.prepare_cached(
        "SELECT fingerprint, at, told FROM idempotency_keys
         WHERE caller = ?1 AND route = ?2 AND key = ?3",
    )?;
    let kept = |row: &Row<'_>| {
        Ok(KeptKey {
            id: id.clone(),
            fingerprint: row.get::<_, i64>(0)?.cast_unsigned(),
            at: time(row, 1)?,
            told: json(row, 2)?,
        })
    };
    select.query_row([id.caller.as_str(), &id.route, &id.key], kept).optional()
}

/// How many keys are forgotten at a time, so that a commit never waits long.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Forgets some of the keys that were kept before `past`. How many.
pub(in crate::store) fn forget(conn: &Connection, past: Timestamp) -> rusqlite::Result<usize> {
    let mut delete = conn.prepare_cached(
        "DELETE FROM idempotency_keys WHERE (caller, route, key) IN
            (SELECT caller, route, key FROM idempotency_keys WHERE at < ?1 ORDER BY at LIMIT ?2)",
    )?;
    delete.execute(params![past.millis(), FORGOTTEN_AT_ONCE])
}
