//! Tasks.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    int, json, json_text, optional_json, optional_text, optional_time, seq, text, time, to_json,
    word,
};
use crate::{
    JsonText, Timestamp,
    hub::State,
    ids::{EntityId, TaskId},
    model::{OnBlockerFailed, Priority, Task, TaskStatus},
};

const UPSERT: &str = "INSERT INTO tasks
    (created_seq, task_id, status, priority, created_by, claimed_by, requires_human, requires_ai,
     claim_token, attempts, max_attempts, retry_delay_seconds, not_before, lease_expires_at,
     created_at, claimed_at, completed_at, updated_at, tags, capabilities, depends_on, blocked_by,
     title, description, metadata, result, on_blocker_failed, lease_seconds, lapsed_holder,
     question)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
        ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
    ON CONFLICT (created_seq) DO UPDATE SET
        status = ?3, priority = ?4, created_by = ?5, claimed_by = ?6, requires_human = ?7,
        requires_ai = ?8, claim_token = ?9, attempts = ?10, max_attempts = ?11,
        retry_delay_seconds = ?12, not_before = ?13, lease_expires_at = ?14, created_at = ?15,
        claimed_at = ?16, completed_at = ?17, updated_at = ?18, tags = ?19, capabilities = ?20,
        depends_on = ?21, blocked_by = ?22, title = ?23, description = ?24, metadata = ?25,
        result = ?26, on_blocker_failed = ?27, lease_seconds = ?28, lapsed_holder = ?29,
        question = ?30";

/// The columns that [`task`] reads.
pub(in crate::store) const COLUMNS: &str = "created_seq, task_id, status, priority, created_by,
    claimed_by, requires_human, requires_ai, claim_token, attempts, max_attempts,
    retry_delay_seconds, not_before, lease_expires_at, created_at, claimed_at, completed_at,
    updated_at, tags, capabilities, depends_on, blocked_by, title, description, metadata, result,
    on_blocker_failed, lease_seconds, lapsed_holder, question";

/// Writes the tasks that were touched.
pub(in crate::store) fn write(conn: &Connection, state: &State) -> rusqlite::Result<()> {
    for id in &state.touched().tasks {
        if let Some(task) = state.task(id) {
            write_one(conn, task)?;
        }
    }
    Ok(())
}

fn write_one(conn: &Connection, task: &Task) -> rusqlite::Result<()> {
    conn.prepare_cached(UPSERT)?.execute(params![
        int(task.created_seq),
        task.task_id.as_str(),
        task.status.as_str(),
        task.priority.as_str(),
        task.created_by.as_ref().map(EntityId::as_str),
        task.claimed_by.as_ref().map(EntityId::as_str),
        task.requires_human,
        task.requires_ai,
        int(task.claim_token),
        task.attempts,
        task.max_attempts,
        task.retry_delay_seconds,
        task.not_before.map(Timestamp::millis),
        task.lease_expires_at.map(Timestamp::millis),
        task.created_at.millis(),
        task.claimed_at.map(Timestamp::millis),
        task.completed_at.map(Timestamp::millis),
        task.updated_at.millis(),
        to_json(&task.tags)?,
        to_json(&task.capabilities)?,
        to_json(&task.depends_on)?,
        to_json(&task.blocked_by)?,
        task.title,
        task.description,
        task.metadata.as_str(),
        task.result.as_ref().map(JsonText::as_str),
        task.on_blocker_failed.as_str(),
        task.lease_seconds,
        task.lapsed_holder.as_ref().map(EntityId::as_str),
        task.question.as_ref().map(to_json).transpose()?,
    ])?;
    Ok(())
}

/// Reads [`COLUMNS`].
pub(in crate::store) fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        created_seq: seq(row, 0)?,
        task_id: TaskId::trusted(text(row, 1)?),
        status: word(row, 2, TaskStatus::parse)?,
        priority: word(row, 3, Priority::parse)?,
        created_by: optional_text(row, 4)?.map(EntityId::trusted),
        claimed_by: optional_text(row, 5)?.map(EntityId::trusted),
        requires_human: row.get(6)?,
        requires_ai: row.get(7)?,
        claim_token: seq(row, 8)?,
        attempts: row.get(9)?,
        max_attempts: row.get(10)?,
        retry_delay_seconds: row.get(11)?,
        not_before: optional_time(row, 12)?,
        lease_expires_at: optional_time(row, 13)?,
        stale: false,
        created_at: time(row, 14)?,
        claimed_at: optional_time(row, 15)?,
        completed_at: optional_time(row, 16)?,
        updated_at: time(row, 17)?,
        tags: json(row, 18)?,
        capabilities: json(row, 19)?,
        depends_on: json(row, 20)?,
        blocked_by: json(row, 21)?,
        title: row.get(22)?,
        description: row.get(23)?,
        metadata: json_text(row, 24)?,
        result: row.get::<_, Option<String>>(25)?.map(JsonText::trusted),
        on_blocker_failed: word(row, 26, OnBlockerFailed::parse)?,
        lease_seconds: row.get(27)?,
        lapsed_holder: optional_text(row, 28)?.map(EntityId::trusted),
        question: optional_json(row, 29)?,
    })
}

/// One task.
pub(in crate::store) fn read(conn: &Connection, id: &TaskId) -> rusqlite::Result<Option<Task>> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE task_id = ?1");
    conn.prepare_cached(&sql)?.query_row([id.as_str()], task).optional()
}

/// The tasks on which there is something left to do.
pub(in crate::store) fn read_unfinished(conn: &Connection) -> rusqlite::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE status = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    for status in TaskStatus::ALL.iter().filter(|status| !status.is_finished()) {
        for task in select.query_map([status.as_str()], task)? {
            tasks.push(task?);
        }
    }
    Ok(tasks)
}
