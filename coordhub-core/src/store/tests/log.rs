//! The write-ahead log, while others read, and opening a file again.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rusqlite::Connection;

use super::{on_disk, story::Story};
use crate::{
    limits::Limits,
    store::{SqliteStore, Store, StoreError, connections::Readers},
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
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, story.settled());
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
    let state = story.settled();
    drop(story);
    let mut store = SqliteStore::open(&path).expect("opens");
    assert_eq!(store.load(&Limits::default()).expect("loads").state, state);
}

/// Reads without end: one of these always has something of the log under way.
fn read_on(readers: &Readers, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let read = readers.read(|conn| {
            let count: i64 = conn.query_row("SELECT count(*) FROM meta", [], |row| row.get(0))?;
            thread::sleep(Duration::from_millis(5));
            Ok(count)
        });
        assert!(read.expect("reads") > 0);
    }
}

fn length(log: &Path) -> u64 {
    std::fs::metadata(log).expect("is there").len()
}

#[test]
fn the_log_stays_short_while_others_keep_reading() {
    const MAX: u64 = 512 << 10;
    let (folder, mut store) = on_disk();
    let log = folder.path().join("hub.db-wal");
    store.bound_log(MAX);
    let readers = store.readers.clone();
    let mut story = Story::new(store, 23);
    let is_over = AtomicBool::new(false);
    let (mut written, mut longest) = (0, 0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| read_on(&readers, &is_over));
            thread::sleep(Duration::from_millis(2));
        }
        let mut before = length(&log);
        while written < 6 * MAX {
            story.live(20);
            let now = length(&log);
            written += now.saturating_sub(before);
            longest = longest.max(now);
            before = now;
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(longest <= MAX, "{longest}");
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, story.settled());
}

#[test]
fn a_program_that_reads_for_ever_does_not_stop_the_hub() {
    const MAX: u64 = 256 << 10;
    let (folder, mut store) = on_disk();
    let path = folder.path().join("hub.db");
    let log = path.with_extension("db-wal");
    store.bound_log(MAX);
    let mut story = Story::new(store, 24);
    let onlooker = onlooker(&path);
    while length(&log) < 4 * MAX {
        story.live(20);
    }
    drop(onlooker);
    while length(&log) > MAX {
        story.live(20);
    }
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, story.settled());
}
