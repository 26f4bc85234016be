//! Reservations that hold.

use rusqlite::{Connection, Row, params};

use super::{int, json, seq, text, time, to_json};
use crate::{
    hub::State,
    ids::{EntityId, ReservationId},
    model::Reservation,
};

const UPSERT: &str = "INSERT INTO reservations
    (reservation_id, acquired_seq, entity_id, exclusive, ttl_seconds, acquired_at, expires_at,
     reason, resources)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (reservation_id) DO UPDATE SET
        acquired_seq = ?2, entity_id = ?3, ttl_seconds = ?5, acquired_at = ?6, expires_at = ?7";

/// Writes the reservations that were touched, and takes out those that ended.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().reservations {
        match state.reservations().get(id) {
            Some(reservation) => write_one(conn, reservation)?,
            None => {
                conn.prepare_cached("DELETE FROM reservations WHERE reservation_id = ?1")?
                    .execute([id.as_str()])?;
            }
        }
    }
    Ok(())
}

fn write_one(conn: &Connection, reservation: &Reservation) -> rusqlite::Result<()> {
    conn.prepare_cached(UPSERT)?.execute(params![
        reservation.reservation_id.as_str(),
        int(reservation.acquired_seq),
        reservation.entity_id.as_str(),
        reservation.exclusive,
        reservation.ttl_seconds,
        reservation.acquired_at.millis(),
        reservation.expires_at.millis(),
        reservation.reason,
        to_json(&reservation.resources)?,
    ])?;
    Ok(())
}

/// Every reservation.
pub(in crate::store) fn read_all(conn: &Connection) -> rusqlite::Result<Vec<Reservation>> {
    let mut select = conn.prepare_cached(
        "SELECT reservation_id, acquired_seq, entity_id, exclusive, ttl_seconds, acquired_at,
            expires_at, reason, resources FROM reservations",
    )?;
    let reservation = |row: &Row<'_>| {
        Ok(Reservation {
            reservation_id: ReservationId::trusted(text(row, 0)?),
            acquired_seq: seq(row, 1)?,
            entity_id: EntityId::trusted(text(row, 2)?),
            exclusive: row.get(3)?,
            ttl_seconds: row.get(4)?,
            acquired_at: time(row, 5)?,
            expires_at: time(row, 6)?,
            reason: row.get(7)?,
            resources: json(row, 8)?,
        })
    };
    select.query_map([], reservation)?.collect()
}
