//! What reading and writing cost: by which index rows are found, and how many are written.

use super::story::{Story, channel, entity};
use crate::{
    command::{Command, CursorScope, MoveCursor},
    limits::Limits,
    store::{MessageSet, Page, SqliteStore, Store, reader::message_sql},
};

#[test]
fn a_cursor_that_moves_writes_one_row() {
    let mut story = Story::new(SqliteStore::in_memory().expect("opens"), 8);
    story.live(0);
    let changes = |story: &mut Story<SqliteStore>| {
        let mut changes = 0_i64;
        let count = |conn: &rusqlite::Connection| {
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

#[test]
fn messages_are_found_by_an_index() {
    let mut store = SqliteStore::in_memory().expect("opens");
    let id = crate::ids::MessageId::trusted("m");
    let channels = MessageSet::Channels { hidden: vec![channel(2)], not_from: None };
    for (set, index) in [
        (channels, "INTEGER PRIMARY KEY"),
        (MessageSet::Channel { channel: channel(1), not_from: None }, "messages_by_channel"),
        (MessageSet::DirectTo(entity(0)), "messages_by_recipient"),
        (MessageSet::Pair(entity(0), entity(1)), "messages_by_pair"),
        (MessageSet::Thread(id), "messages_by_thread"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {}", message_sql(&set, &Page::default()));
        let explain = |conn: &rusqlite::Connection| {
            let mut select = conn.prepare(&sql)?;
            let steps: Vec<String> = select
                .query_map(rusqlite::params![0, 9, 9, "a", "b"], |row| row.get(3))?
                .collect::<rusqlite::Result<_>>()?;
            let plan = steps.join("; ");
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{set:?}: {plan}");
            Ok(())
        };
        store.write(explain).expect("explains");
    }
}
