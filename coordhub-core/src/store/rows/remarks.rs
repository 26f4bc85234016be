//! What is kept beside a task: notes, and results that came too late.

use rusqlite::{Connection, Row, params};

use super::{int, optional_text, seq, text, time};
use crate::{
    JsonText,
    event::{Event, Stamped},
    ids::{EntityId, TaskId},
    limits::ANSWER_BYTES,
    model::{LateResult, Note},
};

/// Writes the notes and late results that these events bring.
pub(in crate::store) fn write(conn: &Connection, events: &[Stamped]) -> rusqlite::Result<()> {
    for stamped in events {
        match &stamped.event {
            Event::TaskUpdated(updated) => {
                let Some(note) = &updated.note else { continue };
                let mut insert = conn.prepare_cached(
                    "INSERT INTO notes (seq, task_id, entity_id, note, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                insert.execute(params![
                    int(stamped.seq),
                    updated.task_id.as_str(),
                    stamped.actor.as_ref().map(EntityId::as_str),
                    note,
                    stamped.at.millis(),
                ])?;
            }
            Event::LateResultKept(kept) => {
                let mut insert = conn.prepare_cached(
                    "INSERT INTO late_results (task_id, claim_token, seq, entity_id, result, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                insert.execute(params![
                    kept.task_id.as_str(),
                    int(kept.claim_token),
                    int(stamped.seq),
                    kept.entity_id.as_ref().map(EntityId::as_str),
                    kept.result.as_ref().map(JsonText::as_str),
                    stamped.at.millis(),
                ])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a late result was kept for a claim.
pub(in crate::store) fn has_late_result(
    conn: &Connection,
    task: &TaskId,
    claim_token: u64,
) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM late_results WHERE task_id = ?1 AND claim_token = ?2")?
        .exists(params![task.as_str(), int(claim_token)])
}

/// The newest `limit` notes on a task, oldest first.
pub(in crate::store) fn notes(
    conn: &Connection,
    task: &TaskId,
    limit: i64,
) -> rusqlite::Result<Vec<Note>> {
    let mut select = conn.prepare_cached(
        "SELECT seq, entity_id, note, at FROM notes WHERE task_id = ?1 ORDER BY seq DESC LIMIT ?2",
    )?;
    let note = |row: &Row<'_>| {
        Ok(Note {
            seq: seq(row, 0)?,
            entity_id: optional_text(row, 1)?.map(EntityId::trusted),
            note: text(row, 2)?.to_owned(),
            at: time(row, 3)?,
        })
    };
    let (mut found, mut bytes) = (Vec::new(), 0);
    for note in select.query_map(params![task.as_str(), limit], note)? {
        let note = note?;
        bytes += note.note.len();
        // One answer holds so much, and its newest note.
        if bytes > ANSWER_BYTES && !found.is_empty() {
            break;
        }
        found.push(note);
    }
    found.reverse();
    Ok(found)
}

/// The late results of a task, the newest claim last.
pub(in crate::store) fn late_results(
    conn: &Connection,
    task: &TaskId,
) -> rusqlite::Result<Vec<LateResult>> {
    let mut select = conn.prepare_cached(
        "SELECT claim_token, seq, entity_id, result, at FROM late_results
         WHERE task_id = ?1 ORDER BY claim_token",
    )?;
    let late = |row: &Row<'_>| {
        Ok(LateResult {
            claim_token: seq(row, 0)?,
            seq: seq(row, 1)?,
            entity_id: optional_text(row, 2)?.map(EntityId::trusted),
            result: optional_text(row, 3)?.map(|text| JsonText::trusted(text.to_owned())),
            at: time(row, 4)?,
        })
    };
    select.query_map([task.as_str()], late)?.collect()
}
