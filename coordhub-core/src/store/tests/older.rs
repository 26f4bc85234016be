//! Files of older schemas: each is kept as it was, for ever, and must go on working.

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use crate::{
    ids::{EntityId, TaskId},
    limits::Limits,
    model::{OnBlockerFailed, ProposalStatus, TaskStatus},
    store::{MessageSet, Page, SqliteStore, Store, schema::SCHEMA_VERSION},
};

/// A copy of a hub's file as a version with this schema left it.
fn left_by(schema: i64) -> (tempfile::TempDir, PathBuf) {
    let kept = format!("{}/tests/fixtures/schema-{schema}.sqlite", env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hub.db");
    fs::copy(kept, &path).expect("is kept");
    (folder, path)
}

#[test]
fn every_older_schema_has_a_file() {
    for schema in 1..SCHEMA_VERSION {
        let (_folder, path) = left_by(schema);
        let conn = Connection::open(&path).expect("opens");
        let found: i64 =
            conn.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("has one");
        assert_eq!(found, schema);
        drop(conn);
        let mut store = SqliteStore::open(&path).expect("opens");
        store.load(&Limits::default()).expect("loads");
    }
}

#[test]
fn a_file_of_schema_2_goes_on() {
    let (_folder, path) = left_by(2);
    let mut store = SqliteStore::open(&path).expect("opens");
    let state = store.load(&Limits::default()).expect("loads").state;
    assert_eq!((state.head(), state.open_roll_calls()), (27, 1));
    let id = TaskId::parse("t-leased").expect("an id");
    let leased = state.task(&id).expect("unfinished");
    assert_eq!((leased.claim_token, leased.lease_seconds), (1, Some(600)));
    assert_eq!(store.tail(), []);
    let history = store.history();
    assert_eq!(history.events(0, 100).expect("reads").len(), 27);
    assert_eq!(history.notes(&id, 10).expect("reads")[0].note, "half way");
    let late = TaskId::parse("t-late").expect("an id");
    assert_eq!(history.late_results(&late).expect("reads").len(), 1);
}

#[test]
fn a_file_of_schema_1_goes_on() {
    let (_folder, path) = left_by(1);
    let mut store = SqliteStore::open(&path).expect("opens");
    let state = store.load(&Limits::default()).expect("loads").state;
    assert_eq!(state.head(), 17);
    let task = |name: &str| state.task(&TaskId::parse(name).expect("an id")).expect("unfinished");
    assert_eq!(task("t-open").status, TaskStatus::Open);
    assert_eq!(task("t-blocked").blocked_by, [TaskId::parse("t-open").expect("an id")]);
    let held = task("t-held");
    assert_eq!((held.claim_token, held.lease_expires_at, held.lease_seconds), (1, None, None));
    assert_eq!((held.on_blocker_failed, &held.question), (OnBlockerFailed::Hold, &None));
    let bo = EntityId::parse("bo").expect("an id");
    assert_eq!(state.claims(&bo).count(), 1);
    assert_eq!(state.open_tasks(), 1);
    assert_eq!(state.proposals().map(|p| p.status).collect::<Vec<_>>(), [ProposalStatus::Open]);
    assert_eq!(state.open_roll_calls(), 0);
    // What is history can be read, too: events of that version among it.
    let failed = store.task(&TaskId::parse("t-failed").expect("an id")).expect("reads");
    assert_eq!(failed.expect("is there").status, TaskStatus::Failed);
    let history = store.history();
    assert_eq!(history.events(0, 100).expect("reads").len(), 17);
    let ada = EntityId::parse("ada").expect("an id");
    let page = Page { limit: 10, ..Page::default() };
    assert_eq!(history.messages(&MessageSet::DirectTo(ada), &page).expect("reads").len(), 1);
}
