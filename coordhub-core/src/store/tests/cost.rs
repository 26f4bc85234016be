//! What reading and writing cost: by which index rows are found, and how many are written.

use rusqlite::{Connection, Params, StatementStatus, params};

use super::story::{Story, channel, entity};
use crate::{
    command::{Command, CursorScope, MoveCursor},
    hub::policy::RESTRICTED_CHANNELS,
    ids::MessageId,
    limits::Limits,
    store::{
        End, MessageSet, Page, SqliteStore, Store,
        reader::{COUNT_UNREAD, message_sql},
        schema::RESTRICTED_CHANNEL,
    },
};

#[test]
fn a_cursor_that_moves_writes_one_row() {
    let mut story = Story::new(SqliteStore::in_memory().expect("opens"), 8);
    story.live(0);
    let changes = |story: &mut Story<SqliteStore>| {
        let mut changes = 0_i64;
        let count = |conn: &Connection| {
            changes = conn.query_row("SELECT total_changes()", [], |row| row.get(0))?;
            Ok(())
        };
        story.store.write(count).expect("counts");
        changes
    };
    let who = entity(1);
    for n in (0..4).chain(0..4) {
        let (entity_id, up_to) = (who.clone(), story.state.head());
        let scope = CursorScope::Channel(channel(n));
        let command = Command::MoveCursor(MoveCursor { entity_id, scope, up_to });
        story.obey(Some(who.clone()), command);
        let before = changes(&mut story);
        story.commit();
        // The event, the cursor, and the two rows of what every commit changes.
        assert_eq!(changes(&mut story) - before, 4);
    }
    assert_eq!(story.state.cursors(&who).expect("has cursors").channels.len(), 4);
    let loaded = story.store.load(&Limits::default()).expect("loads").state;
    assert_eq!(loaded, story.state);
}

fn plan(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<String> {
    let mut select = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let steps: rusqlite::Result<Vec<String>> =
        select.query_map(params, |row| row.get(3))?.collect();
    Ok(steps?.join("; "))
}

#[test]
fn messages_are_found_by_an_index() {
    let mut store = SqliteStore::in_memory().expect("opens");
    let id = MessageId::trusted("m");
    let public = MessageSet::Channels { hidden: vec![channel(2), channel(4)], not_from: None };
    let all = MessageSet::Channels { hidden: vec![], not_from: Some(entity(0)) };
    let look = |conn: &Connection| {
        for (set, indexes) in [
            (public, &["messages_public"][..]),
            (all, &["messages_public", "messages_by_channel"]),
            (MessageSet::Channel { channel: channel(1), not_from: None }, &["messages_by_channel"]),
            (MessageSet::DirectTo(entity(0)), &["messages_by_recipient"]),
            (MessageSet::Pair(entity(0), entity(1)), &["messages_by_pair"]),
            (MessageSet::Thread(id), &["messages_by_thread"]),
        ] {
            let plan =
                plan(conn, &message_sql(&set, &Page::default()), params![0, 9, 9, "a", "b"])?;
            let found = indexes.iter().all(|index| plan.contains(index));
            let scans = plan.contains("TEMP B-TREE") || plan.contains("SCAN m");
            assert!(found && !scans, "{set:?}: {plan}");
        }
        let plan = plan(conn, COUNT_UNREAD, params!["a", 0, "b", 9])?;
        assert!(
            plan.contains("COVERING INDEX messages_by_channel (channel=? AND seq>?)"),
            "{plan}"
        );
        Ok(())
    };
    store.write(look).expect("explains");
}

#[test]
fn what_is_hidden_costs_nothing_to_pass() {
    let mut store = SqliteStore::in_memory().expect("opens");
    let fill = |conn: &Connection, count: u32, channel: Option<&str>| {
        conn.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO messages (seq, message_id, from_entity, to_entity, channel, at,
                message_type, reply_to, thread_id, ack_required, content, metadata, is_private)
             SELECT top + i, 'm' || (top + i), 'ada', iif(?2 IS NULL, 'bob', NULL), ?2, 0, 'text',
                NULL, NULL, 0, 'hello', '{}', iif(?2 = 'crew', 1, NULL)
             FROM n, (SELECT coalesce(max(seq), 0) AS top FROM messages)",
            params![count, channel],
        )
    };
    let set = MessageSet::Channels { hidden: vec![channel(2)], not_from: Some(entity(1)) };
    let steps = |conn: &Connection, from| {
        let mut select = conn.prepare(&message_sql(&set, &Page { from, ..Page::default() }))?;
        let rows = select
            .query_map(params![0, 1_000_000, 10, r#"["ai-only"]"#, "bob"], |_| Ok(()))?
            .count();
        assert_eq!(rows, 10);
        Ok::<_, rusqlite::Error>(select.get_status(StatementStatus::VmStep))
    };
    let look = |conn: &Connection| {
        for (count, channel) in [(1, None), (50, Some("general"))] {
            fill(conn, count, channel)?;
        }
        let before = [steps(conn, End::Oldest)?, steps(conn, End::Newest)?];
        let hidden = [(2_000, Some("ai-only")), (2_000, None), (2_000, Some("crew"))];
        for (count, channel) in hidden.into_iter().chain([(3, Some("dev"))]) {
            fill(conn, count, channel)?;
        }
        assert_eq!([steps(conn, End::Oldest)?, steps(conn, End::Newest)?], before);
        Ok(())
    };
    store.write(look).expect("reads");
}

/// Migration 1 cannot be changed once it was released: another restricted channel takes a new one, in
/// which the index of public messages is made anew.
#[test]
fn the_index_of_public_messages_leaves_out_what_is_restricted() {
    assert_eq!(RESTRICTED_CHANNELS, [RESTRICTED_CHANNEL]);
}
