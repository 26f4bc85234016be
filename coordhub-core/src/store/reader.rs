//! Reading history: every query of [`History`].

use std::{borrow::Cow, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::{
    AuditFilter, End, History, MessageSet, Page, StoreError, StoredReceipts, TaskFilter,
    connections::Readers,
    rows::{
        self,
        events::{EVENT_COLUMNS, EVENT_TABLES, IS_WHOLE, MESSAGE_COLUMNS},
        int,
    },
    schema::RESTRICTED_CHANNEL,
};
use crate::{
    Timestamp,
    event::Stamped,
    ids::{ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    limits::{ANSWER_BYTES, CATCH_UP_PAGE_BYTES},
    model::{AuditEntry, HistoryKind, LateResult, Message, Note, Proposal, ProposalStatus, Task},
};

impl History for Readers {
    fn events(&self, after: Seq, limit: usize) -> Result<Vec<Stamped>, StoreError> {
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES} WHERE e.seq > ?1 AND {IS_WHOLE} ORDER BY e.seq LIMIT ?2"
        );
        self.read(|conn| {
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows = select.query(params![int(after), count(limit)])?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while bytes < CATCH_UP_PAGE_BYTES
                && let Some(row) = rows.next()?
            {
                let stamped = rows::events::stamped(row)?;
                bytes += rows::events::weight(&stamped, row)?;
                found.push(stamped);
            }
            Ok(found)
        })
    }

    fn newest_events(&self, limit: usize, bytes_max: usize) -> Result<Vec<Stamped>, StoreError> {
        self.read(|conn| newest_events(conn, limit, bytes_max))
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(|conn| rows::audit::read(conn, filter, after, limit))
    }

    fn events_of_kinds(&self, kinds: &[&str], page: &Page) -> Result<Vec<Stamped>, StoreError> {
        self.read(|conn| events_of_kinds(conn, kinds, page))
    }

    fn newest_before(
        &self,
        what: HistoryKind,
        before: Timestamp,
    ) -> Result<Option<Seq>, StoreError> {
        self.read(|conn| rows::history::newest_before(conn, what, before))
    }

    fn messages(&self, set: &MessageSet, page: &Page) -> Result<Vec<Arc<Message>>, StoreError> {
        self.read(|conn| messages(conn, set, page))
    }

    fn message(&self, id: &MessageId) -> Result<Option<Arc<Message>>, StoreError> {
        let sql = format!("SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.message_id = ?1");
        self.read(|conn| {
            conn.prepare_cached(&sql)?.query_row([id.as_str()], rows::events::message).optional()
        })
    }

    fn messages_at(&self, seqs: &[Seq]) -> Result<Vec<Arc<Message>>, StoreError> {
        let sql = format!("SELECT {MESSAGE_COLUMNS} FROM messages m WHERE m.seq = ?1");
        self.read(|conn| {
            let mut select = conn.prepare_cached(&sql)?;
            let (mut found, mut bytes) = (Vec::with_capacity(seqs.len()), 0);
            for seq in seqs {
                let message = select.query_row([int(*seq)], rows::events::message).optional()?;
                let Some(message) = message else { continue };
                bytes += message.content.len() + message.metadata.as_str().len();
                found.push(message);
                if bytes >= ANSWER_BYTES {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn count_unread(
        &self,
        reader: &EntityId,
        channel: &ChannelName,
        after: Seq,
        max: u64,
    ) -> Result<u64, StoreError> {
        let params = params![channel.as_str(), int(after), reader.as_str(), int(max)];
        self.read(|conn| {
            conn.prepare_cached(COUNT_UNREAD)?.query_row(params, |row| rows::seq(row, 0))
        })
    }

    fn count_messages_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        self.read(|conn| count_messages_since(conn, since))
    }

    fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<Vec<Task>, StoreError> {
        self.read(|conn| tasks(conn, filter, page))
    }

    fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.read(|conn| rows::tasks::read(conn, id))
    }

    fn task_history(&self, id: &TaskId, limit: usize) -> Result<Vec<Stamped>, StoreError> {
        let sql = format!(
            "SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES} WHERE e.task_id = ?1
             ORDER BY e.seq DESC LIMIT ?2"
        );
        self.read(|conn| {
            let mut found = events(conn, &sql, params![id.as_str(), count(limit)])?;
            found.reverse();
            Ok(found)
        })
    }

    fn notes(&self, id: &TaskId, limit: usize) -> Result<Vec<Note>, StoreError> {
        self.read(|conn| rows::remarks::notes(conn, id, count(limit)))
    }

    fn late_results(&self, id: &TaskId) -> Result<Vec<LateResult>, StoreError> {
        self.read(|conn| rows::remarks::late_results(conn, id))
    }

    fn receipts(&self, id: &MessageId) -> Result<StoredReceipts, StoreError> {
        self.read(|conn| rows::roll_calls::read(conn, id))
    }

    fn proposals(
        &self,
        status: Option<ProposalStatus>,
        page: &Page,
    ) -> Result<Vec<Proposal>, StoreError> {
        let columns = rows::proposals::COLUMNS;
        let filter = if status.is_some() { "status = ?4" } else { "?4 IS NULL" };
        let sql = format!(
            "SELECT {columns} FROM proposals
             WHERE {filter} AND created_seq > ?1 AND created_seq < ?2
             ORDER BY created_seq {} LIMIT ?3",
            direction(page)
        );
        let status = status.map(ProposalStatus::as_str);
        let (after, before, limit) = bounds(page);
        self.read(|conn| {
            rows::proposals::read_where(conn, &sql, params![after, before, limit, status])
        })
        .map(|found| oldest_first(found, page))
    }

    fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, StoreError> {
        self.read(|conn| rows::proposals::read(conn, id))
    }
}

// Pages.

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A page as the three numbers of a statement: after, before, at most.
fn bounds(page: &Page) -> (i64, i64, i64) {
    // A position beyond what the file can count is as far as it goes.
    let position = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
    let before = page.before.map_or(i64::MAX, position);
    (position(page.after.unwrap_or(0)), before, count(page.limit))
}

fn direction(page: &Page) -> &'static str {
    match page.from {
        End::Oldest => "ASC",
        End::Newest => "DESC",
    }
}

fn oldest_first<T>(mut found: Vec<T>, page: &Page) -> Vec<T> {
    if page.from == End::Newest {
        found.reverse();
    }
    found
}

// Events.

fn events(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Stamped>> {
    conn.prepare_cached(sql)?.query_map(params, rows::events::stamped)?.collect()
}

fn newest_events(
    conn: &Connection,
    limit: usize,
    bytes_max: usize,
) -> rusqlite::Result<Vec<Stamped>> {
    let sql = format!(
        "SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES} WHERE {IS_WHOLE} ORDER BY e.seq DESC LIMIT ?1"
    );
    let mut select = conn.prepare_cached(&sql)?;
    let mut rows = select.query([count(limit)])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let stamped = rows::events::stamped(row)?;
        bytes += rows::events::weight(&stamped, row)?;
        if bytes > bytes_max {
            break;
        }
        found.push(stamped);
    }
    found.reverse();
    Ok(found)
}

/// Finds the places first, kind by kind: each is a range of an index, so that a rare kind among
/// many events costs what it holds. `messages` is the index of its own kind.
fn events_of_kinds(
    conn: &Connection,
    kinds: &[&str],
    page: &Page,
) -> rusqlite::Result<Vec<Stamped>> {
    let (after, before, limit) = bounds(page);
    let mut places: Vec<i64> = Vec::new();
    for kind in kinds {
        let from = if *kind == "message_sent" {
            "messages WHERE ?4 IS NOT NULL"
        } else {
            "events WHERE kind <> 'message_sent' AND kind = ?4"
        };
        let sql = format!(
            "SELECT seq FROM {from} AND seq > ?1 AND seq < ?2 ORDER BY seq {} LIMIT ?3",
            direction(page)
        );
        let mut select = conn.prepare_cached(&sql)?;
        for seq in select.query_map(params![after, before, limit, kind], |row| row.get(0))? {
            places.push(seq?);
        }
    }
    places.sort_unstable();
    places.dedup();
    match page.from {
        End::Oldest => places.truncate(page.limit),
        End::Newest => drop(places.drain(..places.len().saturating_sub(page.limit))),
    }
    let sql = format!("SELECT {EVENT_COLUMNS} FROM {EVENT_TABLES} WHERE e.seq = ?1");
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(places.len());
    for seq in places {
        // Where the log was pruned, a message that is still needed has outlived its event.
        found.extend(select.query_row([seq], rows::events::stamped).optional()?);
    }
    Ok(found)
}

/// From the first event of that time on all events are counted by subtraction, since they have no
/// holes, and those that are no messages by their index: no message is read, however many there are.
fn count_messages_since(conn: &Connection, since: Timestamp) -> rusqlite::Result<u64> {
    let low = int(rows::history::first_at(conn, since)?);
    let head = int(rows::events::head(conn)?);
    let mut others = conn.prepare_cached(
        "SELECT count(*) FROM events WHERE kind <> 'message_sent' AND kind = ?1 AND seq >= ?2",
    )?;
    let mut messages = head + 1 - low;
    for kind in crate::event::Event::KINDS.iter().filter(|kind| **kind != "message_sent") {
        let count: i64 = others.query_row(params![kind, low], |row| row.get(0))?;
        messages -= count;
    }
    Ok(u64::try_from(messages).unwrap_or(0))
}

// Messages.

fn messages(
    conn: &Connection,
    set: &MessageSet,
    page: &Page,
) -> rusqlite::Result<Vec<Arc<Message>>> {
    let (first, second) = message_params(set);
    let (after, before, limit) = bounds(page);
    let mut select = conn.prepare_cached(&message_sql(set, page))?;
    let params = params![after, before, limit, first, second];
    let mut rows = select.query(params)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < ANSWER_BYTES
        && let Some(row) = rows.next()?
    {
        let message = rows::events::message(row)?;
        bytes += message.content.len() + message.metadata.as_str().len();
        found.push(message);
    }
    Ok(oldest_first(found, page))
}

/// Reads no row of the table: all it needs stands in the index.
pub(super) const COUNT_UNREAD: &str = "SELECT count(*) FROM (SELECT 1 FROM messages
    WHERE channel = ?1 AND seq > ?2 AND from_entity <> ?3 LIMIT ?4)";

/// The public messages. SQLite is told the index, or takes the table, where hidden and direct messages
/// stand between. Private channels are read one by one, by whoever may.
const PUBLIC: &str = "messages m INDEXED BY messages_public
    WHERE m.channel IS NOT NULL AND m.channel <> 'ai-only' AND m.is_private IS NULL
    AND m.channel NOT IN (SELECT value FROM json_each(?4)) AND m.from_entity IS NOT ?5";

/// Those of the built-in channel that [`PUBLIC`] leaves out.
const RESTRICTED: &str = "messages m WHERE m.channel = 'ai-only' AND m.from_entity IS NOT ?5";

/// The statement that reads a set. `?1` to `?3` are the page, `?4` and `?5` [`message_params`]. Sets
/// of two parts are read as two ranges of an index, merged.
///
/// SQLite is told which index finds a pair: left to itself it takes the shorter one, and reads all
/// that the recipient ever got.
pub(super) fn message_sql(set: &MessageSet, page: &Page) -> String {
    let parts: &[&str] = match set {
        MessageSet::Channels { hidden, .. } => {
            let is_hidden = hidden.iter().any(|name| name.as_str() == RESTRICTED_CHANNEL);
            if is_hidden { &[PUBLIC] } else { &[PUBLIC, RESTRICTED] }
        }
        MessageSet::Channel { .. } => {
            &["messages m WHERE m.channel = ?4 AND m.from_entity IS NOT ?5"]
        }
        MessageSet::DirectTo(_) => &["messages m WHERE m.to_entity = ?4 AND ?5 IS NULL"],
        MessageSet::Pair(..) => &[
            "messages m INDEXED BY messages_by_pair WHERE m.to_entity = ?4 AND m.from_entity = ?5",
            "messages m INDEXED BY messages_by_pair WHERE m.to_entity = ?5 AND m.from_entity = ?4
                AND ?4 <> ?5",
        ],
        MessageSet::Thread(_) => &[
            "messages m WHERE m.message_id = ?4 AND ?5 IS NULL",
            "messages m WHERE m.thread_id = ?4 AND m.reply_to IS NOT NULL",
        ],
    };
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("SELECT {MESSAGE_COLUMNS} FROM {part} AND m.seq > ?1 AND m.seq < ?2"))
        .collect();
    format!("{} ORDER BY 1 {} LIMIT ?3", parts.join(" UNION ALL "), direction(page))
}

fn message_params(set: &MessageSet) -> (Cow<'_, str>, Option<&str>) {
    match set {
        MessageSet::Channels { hidden, not_from } => {
            let hidden = serde_json::to_string(hidden).unwrap_or_else(|_| "[]".to_owned());
            (hidden.into(), not_from.as_ref().map(EntityId::as_str))
        }
        MessageSet::Channel { channel, not_from } => {
            (channel.as_str().into(), not_from.as_ref().map(EntityId::as_str))
        }
        MessageSet::DirectTo(id) => (id.as_str().into(), None),
        MessageSet::Pair(one, other) => (one.as_str().into(), Some(other.as_str())),
        MessageSet::Thread(root) => (root.as_str().into(), None),
    }
}

// Tasks.

fn tasks(conn: &Connection, filter: &TaskFilter, page: &Page) -> rusqlite::Result<Vec<Task>> {
    let tests = [
        (filter.status.is_some(), "status = ?4"),
        (filter.priority.is_some(), "priority = ?5"),
        (filter.requires_human.is_some(), "requires_human = ?6"),
        (filter.tag.is_some(), "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?7)"),
        (filter.created_by.is_some(), "created_by = ?8"),
        (filter.claimed_by.is_some(), "claimed_by = ?9"),
    ];
    let mut sql = format!(
        "SELECT {} FROM tasks WHERE coalesce(?4, ?5, ?6, ?7, ?8, ?9, 1) IS NOT NULL",
        rows::tasks::COLUMNS
    );
    for (_, test) in tests.iter().filter(|(given, _)| *given) {
        sql.push_str(" AND ");
        sql.push_str(test);
    }
    sql.push_str(" AND created_seq > ?1 AND created_seq < ?2 ORDER BY created_seq ");
    sql.push_str(direction(page));
    sql.push_str(" LIMIT ?3");
    let (after, before, limit) = bounds(page);
    let params = params![
        after,
        before,
        limit,
        filter.status.map(|status| status.as_str()),
        filter.priority.map(|priority| priority.as_str()),
        filter.requires_human,
        filter.tag,
        filter.created_by.as_ref().map(EntityId::as_str),
        filter.claimed_by.as_ref().map(EntityId::as_str),
    ];
    let found: rusqlite::Result<Vec<Task>> =
        conn.prepare_cached(&sql)?.query_map(params, rows::tasks::task)?.collect();
    found.map(|found| oldest_first(found, page))
}
