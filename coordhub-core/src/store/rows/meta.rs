//! What there is one of: the epoch, hub time, totals.

use rusqlite::{Connection, OptionalExtension, params};

use super::to_json;
use crate::{
    Timestamp,
    hub::{State, Totals},
    model::Horizons,
};

/// What `meta` says.
pub(in crate::store) struct Meta {
    pub(in crate::store) epoch: String,
    pub(in crate::store) now: Timestamp,
    pub(in crate::store) totals: Totals,
    pub(in crate::store) horizons: Horizons,
}

/// Writes what every batch changes.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    let mut update = conn.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
    update.execute(params!["totals", to_json(state.totals())?])?;
    update.execute(params!["hub_time", state.now().millis().to_string()])?;
    if state.touched().horizons {
        conn.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('horizons', ?1)",
            [to_json(state.horizons())?],
        )?;
    }
    Ok(())
}

pub(in crate::store) fn read(conn: &Connection) -> rusqlite::Result<Meta> {
    let value = |key: &str| {
        conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    };
    let totals: String = value("totals")?;
    let now: String = value("hub_time")?;
    // Nothing was pruned of a file that has none.
    let horizons: Option<String> = value("horizons").optional()?;
    let horizons = horizons.map_or(Ok(Horizons::default()), |text| serde_json::from_str(&text));
    Ok(Meta {
        epoch: epoch(conn)?,
        now: now
            .parse()
            .map(Timestamp::from_millis)
            .map_err(|error| super::unreadable(0, error))?,
        horizons: horizons.map_err(|error| super::unreadable(0, error))?,
        totals: serde_json::from_str(&totals).map_err(|error| super::unreadable(0, error))?,
    })
}

/// Names the history that the file holds.
pub(in crate::store) fn epoch(conn: &Connection) -> rusqlite::Result<String> {
    conn.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))
}

/// Changes a value that nobody looks at, so that the disk must take a write.
pub(in crate::store) fn probe(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('probe', '0')
         ON CONFLICT (key) DO UPDATE SET value = CASE value WHEN '0' THEN '1' ELSE '0' END",
        [],
    )?;
    Ok(())
}
