//! The old hub's file becomes a hub's file, once.

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use super::integrity;
use crate::{
    Timestamp,
    ids::{ChannelName, EntityId, TaskId},
    limits::Limits,
    model::{EntityType, Priority, TaskStatus},
    store::{History, MessageSet, Page, SqliteStore, Store},
};

/// A folder with an old hub's file.
fn old_hub() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("coordination_hub.db");
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch(include_str!("../../../tests/fixtures/old_hub.sql")).expect("creates");
    (folder, path)
}

fn all() -> Page {
    Page { limit: 100, ..Page::default() }
}

fn contents(history: &dyn History, set: &MessageSet) -> Vec<String> {
    let messages = history.messages(set, &all()).expect("reads");
    messages.iter().map(|message| message.content.clone()).collect()
}

#[test]
fn what_fits_is_taken_over() {
    let (_folder, path) = old_hub();
    let before = fs::read(&path).expect("reads");
    let mut store = SqliteStore::open(&path).expect("adopts");
    let loaded = store.load(&Limits::default()).expect("loads");
    let state = &loaded.state;
    let claude = EntityId::parse("claude-1").expect("an id");
    let entity = state.entity(&claude).expect("is there");
    assert_eq!(entity.entity_type, EntityType::ClaudeSession);
    assert_eq!(entity.capabilities, ["rust", "sql"]);
    assert_eq!(entity.registered_at.to_string(), "2025-11-01T10:00:00.123Z");
    let seen = loaded.last_seen.iter().find(|(id, _)| *id == claude).expect("was seen").1;
    assert_eq!(seen.to_string(), "2025-11-01T12:30:00.500Z");
    assert_eq!(state.entities().count(), 3);
    assert_eq!(state.totals().messages, 4);
    assert_eq!(state.totals().tasks, 4);
    assert_eq!(state.active_tasks(), 2);

    let task = |id: &str| TaskId::parse(id).expect("an id");
    let held = state.task(&task("t-held")).expect("is hot");
    assert_eq!((held.status, held.priority), (TaskStatus::InProgress, Priority::Normal));
    assert_eq!((held.claimed_by.as_ref(), held.claim_token), (Some(&claude), 1));
    assert!(held.requires_ai && !held.requires_human && held.created_by.is_none());
    let done = store.task(&task("t-done")).expect("reads").expect("is there");
    assert_eq!(done.status, TaskStatus::Completed);
    assert_eq!(done.result.as_ref().map(|r| r.as_str()), Some(r#"{"lines":12}"#));
    assert_eq!(done.completed_at, Timestamp::parse("2025-11-01T11:00:00Z").ok());
    let gone = store.task(&task("t-gone")).expect("reads").expect("is there");
    assert_eq!((gone.status, gone.claimed_by), (TaskStatus::Completed, None));

    let history = store.history();
    let on = |name: &str| {
        let channel = ChannelName::parse(name).expect("a channel");
        contents(&*history, &MessageSet::Channel { channel, not_from: None })
    };
    assert_eq!(on("dev"), ["Early"]);
    assert_eq!(on("general").len(), 2);
    assert_eq!(contents(&*history, &MessageSet::DirectTo(claude)), ["Just you"]);
    let events = history.events(0, 1_000).expect("reads");
    assert!(events.is_sorted_by_key(|event| event.at));
    drop(store);

    assert_eq!(integrity(&path), "ok");
    let copy = path.with_extension("db.old-hub");
    assert_eq!(fs::read(&copy).expect("a copy"), before);
    let conn = Connection::open(&path).expect("opens");
    let kept: i64 = conn
        .query_row("SELECT count(*) FROM old_hub_messages", [], |row| row.get(0))
        .expect("the old rows are kept");
    assert_eq!(kept, 8);
}

#[test]
fn it_is_taken_over_once() {
    let (folder, path) = old_hub();
    let load = || {
        let mut store = SqliteStore::open(&path).expect("opens");
        let loaded = store.load(&Limits::default()).expect("loads");
        (loaded.state, loaded.epoch)
    };
    let first = load();
    assert_eq!(load(), first);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    let db = "coordination_hub.db";
    assert_eq!(names, [db.to_owned(), format!("{db}.lock"), format!("{db}.old-hub")]);
}

#[test]
fn what_was_cut_short_begins_again() {
    let (folder, path) = old_hub();
    // A copy was made before, and half a new file was left.
    fs::write(path.with_extension("db.old-hub"), "an earlier copy").expect("writes");
    fs::write(path.with_extension("db.new"), "half a file").expect("writes");
    drop(SqliteStore::open(&path).expect("adopts"));
    let earlier = fs::read(path.with_extension("db.old-hub")).expect("reads");
    assert_eq!(earlier, b"an earlier copy");
    assert!(folder.path().join("coordination_hub.db.old-hub-2").exists());
    assert!(!path.with_extension("db.new").exists());
}

#[test]
fn an_old_hub_that_was_killed_is_recovered_first() {
    let (_folder, path) = old_hub();
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
         INSERT INTO messages (data) VALUES ('{\"from_entity\": \"ada\", \"content\": \"in the log\"}');",
    )
    .expect("writes");
    let other = tempfile::tempdir().expect("a folder");
    let copy = other.path().join("hub.db");
    fs::copy(&path, &copy).expect("copies");
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).expect("copies");
    let mut store = SqliteStore::open(&copy).expect("adopts");
    let state = store.load(&Limits::default()).expect("loads").state;
    assert_eq!(state.totals().messages, 5);
    drop(store);
    assert_eq!(integrity(&copy), "ok");
}

#[test]
fn no_odd_time_sends_the_hub_ahead() {
    let (_folder, path) = old_hub();
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch(
        r#"INSERT INTO messages (data) VALUES
            ('{"from_entity": "ada", "content": "js", "metadata": {"timestamp": 1762000000000}}'),
            ('{"from_entity": "ada", "content": "micros", "metadata": {"timestamp": 1762000000000000}}'),
            ('{"from_entity": "ada", "content": "east", "metadata": {"timestamp": "2025-11-01T14:30:00"}}'),
            ('{"from_entity": "ada", "content": "py", "metadata": {"timestamp": 1762000001.5}}');
        INSERT INTO entities VALUES
            ('late', '{"entity_id": "late", "entity_type": "human", "registered_at": "2025-11-01T10:00:00", "last_seen": 9e18}');
        INSERT INTO tasks VALUES
            ('t-late', '{"title": "Late", "status": "done", "created_at": "2025-11-01T10:00:00", "completed_at": "2199-01-01T00:00:00"}');"#,
    )
    .expect("inserts");
    drop(conn);
    let written_at = Timestamp::parse("2025-11-01T12:31:00Z").expect("a time");
    let since = std::time::Duration::from_millis(written_at.millis().unsigned_abs());
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH + since))
        .expect("sets the time");

    let mut store = SqliteStore::open(&path).expect("adopts");
    let loaded = store.load(&Limits::default()).expect("loads");
    assert!(loaded.state.now() <= written_at, "{}", loaded.state.now());
    assert!(loaded.last_seen.iter().all(|(_, at)| *at <= written_at));
    let general = ChannelName::parse("general").expect("a channel");
    let set = MessageSet::Channel { channel: general, not_from: None };
    let messages = store.history().messages(&set, &all()).expect("reads");
    let at = |content: &str| {
        let found = messages.iter().find(|message| message.content == content);
        found.expect("is there").timestamp.millis()
    };
    assert_eq!(at("js"), 1_762_000_000_000);
    // What cannot be true takes the time of the row before it.
    assert_eq!((at("micros"), at("east")), (at("js"), at("js")));
    assert_eq!(at("py"), 1_762_000_001_500);
    let late = store.task(&TaskId::parse("t-late").expect("an id")).expect("reads");
    assert_eq!(late.expect("is there").completed_at, Timestamp::parse("2025-11-01T10:00:00Z").ok());
}

#[test]
fn of_two_rows_with_one_id_the_first_is_taken() {
    let (_folder, path) = old_hub();
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch(
        r#"INSERT INTO tasks VALUES ('t-open-2', '{"task_id": "t-open", "title": "Again"}');
        INSERT INTO entities VALUES
            ('ada-2', '{"entity_id": "ada", "entity_type": "service", "name": "Again"}');"#,
    )
    .expect("inserts");
    drop(conn);
    let mut store = SqliteStore::open(&path).expect("adopts");
    let state = store.load(&Limits::default()).expect("loads").state;
    assert_eq!((state.entities().count(), state.totals().tasks), (3, 4));
    let ada = state.entity(&EntityId::parse("ada").expect("an id")).expect("is there");
    assert_eq!(ada.name, "Ada");
    let open = state.task(&TaskId::parse("t-open").expect("an id")).expect("is there");
    assert_eq!(open.title, "Open");
}
