//! What is old: where it ends, and how it goes.

use rusqlite::{Connection, OptionalExtension, params};

use super::{int, seq};
use crate::{
    Timestamp,
    ids::Seq,
    model::{HistoryKind, Horizons},
    store::Sweep,
};

/// Where the first event is that happened at or after `since`; after the newest where none did.
///
/// Hub time never runs back, so `at` is in the order of `seq`, and what is there of the log has no
/// holes: the place is found by halving.
pub(in crate::store) fn first_at(conn: &Connection, since: Timestamp) -> rusqlite::Result<Seq> {
    let (oldest, head) = ends(conn)?;
    let mut at = conn.prepare_cached("SELECT at FROM events WHERE seq = ?1")?;
    let (mut low, mut high) = (oldest, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let time: i64 = at.query_row([int(middle)], |row| row.get(0))?;
        if time < since.millis() {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The oldest event that is there, and the newest.
fn ends(conn: &Connection) -> rusqlite::Result<(Seq, Seq)> {
    // Two questions: one that asks for both ends would read all that is between.
    conn.prepare_cached(
        "SELECT coalesce((SELECT min(seq) FROM events), 1),
            coalesce((SELECT max(seq) FROM events), 0)",
    )?
    .query_row([], |row| Ok((seq(row, 0)?, seq(row, 1)?)))
}

/// The newest of a kind that is older than `before`; where a kind has no place in the log, 0 says that
/// there is one.
pub(in crate::store) fn newest_before(
    conn: &Connection,
    what: HistoryKind,
    before: Timestamp,
) -> rusqlite::Result<Option<Seq>> {
    let sql = match what {
        HistoryKind::Events => {
            let last = first_at(conn, before)? - 1;
            return Ok((last >= ends(conn)?.0).then_some(last));
        }
        HistoryKind::Messages => {
            let last = first_at(conn, before)? - 1;
            let sql = "SELECT max(seq) FROM messages WHERE seq <= ?1";
            return conn.prepare_cached(sql)?.query_row([int(last)], |row| {
                row.get::<_, Option<i64>>(0)?.map(|_| seq(row, 0)).transpose()
            });
        }
        HistoryKind::Tasks => {
            "SELECT 0 FROM tasks WHERE status IN ('completed', 'failed', 'cancelled')
             AND updated_at < ?1 AND NOT EXISTS
                (SELECT 1 FROM tasks u, json_each(u.blocked_by) b
                 WHERE u.status = 'blocked' AND b.value = tasks.task_id)
             LIMIT 1"
        }
        HistoryKind::Proposals => "SELECT 0 FROM proposals WHERE decided_at < ?1 LIMIT 1",
    };
    conn.prepare_cached(sql)?.query_row([before.millis()], |row| seq(row, 0)).optional()
}

// Each takes up to where, how many, and the tasks that stay.

/// Messages of open roll-calls are still to be answered.
const OLD_MESSAGES: &str = "SELECT message_id FROM messages m
    WHERE seq <= ?1 AND ?3 IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM roll_calls r WHERE r.message_id = m.message_id AND r.is_open)
    ORDER BY seq LIMIT ?2";
const OLD_TASKS: &str = "SELECT task_id FROM tasks
    WHERE status IN ('completed', 'failed', 'cancelled') AND updated_at < ?1
    AND task_id NOT IN (SELECT value FROM json_each(?3)) ORDER BY updated_at LIMIT ?2";
const OLD_PROPOSALS: &str = "SELECT proposal_id FROM proposals
    WHERE decided_at < ?1 AND ?3 IS NOT NULL ORDER BY decided_at LIMIT ?2";
const OLD_EVENTS: &str = "DELETE FROM events WHERE seq IN
    (SELECT seq FROM events WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";

/// Removes what is behind the horizons, the oldest first: at most so many rows, each with what hangs on
/// it. How many.
pub(in crate::store) fn sweep(conn: &Connection, sweep: &Sweep<'_>) -> rusqlite::Result<usize> {
    let Horizons { messages, events, tasks, proposals } = sweep.horizons;
    let held = super::to_json(sweep.held)?;
    let mut room = sweep.rows_max;
    let remove = |sql: &str, below: i64, room: usize, tables: &[&str], key: &str| {
        let mut select = conn.prepare_cached(sql)?;
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let ids = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let ids = select.query_map(params![below, limit, held], ids)?;
        let ids = ids.collect::<rusqlite::Result<Vec<String>>>()?;
        for table in tables {
            let sql = format!("DELETE FROM {table} WHERE {key} = ?1");
            let mut delete = conn.prepare_cached(&sql)?;
            ids.iter().try_for_each(|id| delete.execute([id]).map(drop))?;
        }
        Ok::<usize, rusqlite::Error>(ids.len())
    };
    let of_messages = ["receipts", "roll_calls", "messages"];
    room -= remove(OLD_MESSAGES, int(*messages), room, &of_messages, "message_id")?;
    let of_tasks = ["notes", "late_results", "tasks"];
    room -= remove(OLD_TASKS, tasks.millis(), room, &of_tasks, "task_id")?;
    let of_proposals = ["votes", "proposals"];
    room -= remove(OLD_PROPOSALS, proposals.millis(), room, &of_proposals, "proposal_id")?;
    let limit = i64::try_from(room).unwrap_or(i64::MAX);
    room -= conn.prepare_cached(OLD_EVENTS)?.execute(params![int(*events), limit])?;
    Ok(sweep.rows_max - room)
}
