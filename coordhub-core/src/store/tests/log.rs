//! The write-ahead log, while others read, and opening a file again.

use std::path::Path;

use rusqlite::Connection;

use super::{on_disk, story::Story};
use crate::{
    limits::Limits,
    store::{SqliteStore, Store, StoreError},
};

/// Another program that reads, and goes on looking at what is in the file now.
fn onlooker(path: &Path) -> Connection {
    let conn = Connection::open(path).expect("opens");
    conn.execute_batch("BEGIN; SELECT count(*) FROM meta;").expect("reads");
    conn
}

#[test]
fn a_file_is_not_opened_again_before_all_of_its_log_is_in_it() {
    let (folder, store) = on_disk();
    let path = folder.path().join("hub.db");
    let mut story = Story::new(store, 21);
    story.live(20);
    let onlooker = onlooker(&path);
    story.live(20);
    let history = story.store.history();
    for _ in 0..2 {
        let error = story.store.reopen().expect_err("the log cannot be copied");
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        story.store.probe().expect_err("takes no writes");
        let error = history.events(0, 1).expect_err("nobody reads what may be taken back");
        assert!(error.to_string().contains("being opened again"), "{error}");
    }
    drop(onlooker);
    story.store.reopen().expect("opens again");
    assert_eq!(history.events(0, 1).expect("reads again").len(), 1);
    assert_eq!(std::fs::metadata(path.with_extension("db-wal")).expect("is there").len(), 0);
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, story.state);
    story.live(20);
}

#[test]
fn a_start_goes_on_while_another_program_reads() {
    let (folder, store) = on_disk();
    let path = folder.path().join("hub.db");
    let mut story = Story::new(store, 22);
    story.live(20);
    let _onlooker = onlooker(&path);
    story.live(20);
    let Story { store, state, .. } = story;
    drop(store);
    let mut store = SqliteStore::open(&path).expect("opens");
    assert_eq!(store.load(&Limits::default()).expect("loads").state, state);
}
