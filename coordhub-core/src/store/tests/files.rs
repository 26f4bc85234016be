//! Files: new ones, locked ones, and those that must be refused and left as they are.

use std::{collections::BTreeMap, fs, path::Path};

use rusqlite::Connection;

use super::{integrity, on_disk, story::Story};
use crate::{
    limits::Limits,
    store::{Batch, CommitError, SqliteStore, Store, StoreError, sqlite::at_commit},
};

/// Everything in a folder, byte for byte. SQLite may make its index of a log anew: that holds nothing
/// that is not in the log. A lock that was there is signed by whoever takes it.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| !path.to_string_lossy().ends_with("-shm") && !path.is_dir())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("reads")))
        .map(
            |(name, bytes)| {
                if name.ends_with(".lock") { (name, Vec::new()) } else { (name, bytes) }
            },
        )
        .collect()
}

/// Opens what must be refused; nothing in the folder may change.
fn refused(path: &Path) -> StoreError {
    let folder = path.parent().expect("a folder");
    let before = contents(folder);
    let error = SqliteStore::open(path).map(|_| ()).expect_err("is refused");
    let after = contents(folder);
    assert!(before == after, "{error}: {:?} became {:?}", before.keys(), after.keys());
    error
}

/// A folder with a hub's file that has lived, closed.
fn lived() -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, store) = on_disk();
    let mut story = Story::new(store, 3);
    story.live(60);
    let path = folder.path().join("hub.db");
    (folder, path)
}

#[test]
fn a_new_file_is_private_and_alone() {
    let (folder, store) = on_disk();
    drop(store);
    let names: Vec<_> = contents(folder.path()).into_keys().collect();
    let expected = ["hub.db", "hub.db.lock"].map(|n| folder.path().join(n).display().to_string());
    assert_eq!(names, expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in names {
            let mode = fs::metadata(&name).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}

#[test]
fn an_empty_file_counts_as_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a %?#name.db");
    fs::write(&path, "").expect("writes");
    drop(SqliteStore::open(&path).expect("opens"));
    assert_eq!(integrity(&path), "ok");
    drop(SqliteStore::open(&path).expect("opens again"));
}

#[test]
fn a_second_hub_is_told_who_has_the_file() {
    let (folder, store) = on_disk();
    let path = folder.path().join("hub.db");
    let again = folder.path().join("other-name.db");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, &again).expect("links");
    for path in [&path, &again] {
        let error = SqliteStore::open(path).map(|_| ()).expect_err("is refused");
        let holder = format!("pid {}, since 20", std::process::id());
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert!(error.to_string().contains(&holder), "{error}");
    }
    drop(store);
    SqliteStore::open(&path).expect("opens once it is free");
}

#[test]
fn the_reading_side_ends_with_the_store() {
    let (_folder, store) = on_disk();
    let history = store.history();
    assert!(history.events(0, 1).is_ok());
    drop(store);
    assert!(history.events(0, 1).is_err());
}

#[test]
fn a_missing_folder_is_said_plainly() {
    let error = SqliteStore::open(Path::new("/no/such/folder/hub.db")).map(|_| ()).expect_err("no");
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert!(error.to_string().contains("folder"), "{error}");
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    fs::create_dir(folder.path().join("sub")).expect("creates");
    assert!(matches!(refused(&folder.path().join("sub")), StoreError::Foreign { .. }));
    for text in ["short", &"no database at all, but long enough for a header ".repeat(9)] {
        fs::write(&path, text).expect("writes");
        assert!(matches!(refused(&path), StoreError::Foreign { .. }));
    }
    fs::remove_file(&path).expect("removes");
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch("CREATE TABLE songs (name)").expect("creates");
    drop(conn);
    assert!(matches!(refused(&path), StoreError::Foreign { .. }));
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA application_id = 77; CREATE TABLE t (x)")
        .expect("creates");
    assert!(matches!(refused(&path), StoreError::Foreign { .. }));
    drop(conn);
    assert!(matches!(refused(&path), StoreError::Foreign { .. }));
}

#[test]
fn newer_files_are_left_alone() {
    let (_folder, path) = lived();
    let conn = Connection::open(&path).expect("opens");
    conn.pragma_update(None, "user_version", 99).expect("writes");
    // Once with the number in the log, and once in the file.
    assert!(matches!(refused(&path), StoreError::Newer { found: 99, .. }));
    drop(conn);
    assert!(matches!(refused(&path), StoreError::Newer { found: 99, .. }));
}

#[test]
fn damaged_files_are_left_alone() {
    let (_folder, path) = lived();
    let whole = fs::read(&path).expect("reads");
    let page = 4_096;
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("cut in a page", whole[..whole.len() - 100].to_vec()),
        ("cut between pages", whole[..whole.len() - page].to_vec()),
        ("all but the header gone", whole[..page].to_vec()),
        ("only magic", whole[..16].to_vec()),
    ];
    for (what, range) in [("no header", 0..100), ("no schema", 100..page), ("no magic", 0..16)] {
        let mut bytes = whole.clone();
        bytes[range].fill(0xa5);
        cases.push((what, bytes));
    }
    let mut bytes = whole.clone();
    bytes[page..].fill(0);
    cases.push(("all but the first page zero", bytes));
    for (what, bytes) in cases {
        fs::write(&path, &bytes).expect("writes");
        let error = refused(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error}");
    }
    fs::write(&path, b"").expect("writes");
    let log = path.with_extension("db-wal");
    fs::write(&log, [1; 64]).expect("writes");
    assert!(matches!(refused(&path), StoreError::Damaged { .. }));
    fs::remove_file(&log).expect("removes");
    let conn = Connection::open(&path).expect("opens");
    conn.execute_batch("PRAGMA application_id = 1668247410; CREATE TABLE meta (x);")
        .expect("creates");
    drop(conn);
    assert!(matches!(refused(&path), StoreError::Damaged { .. }));
}

#[test]
fn a_hub_that_was_killed_comes_back() {
    let (folder, store) = on_disk();
    let mut story = Story::new(store, 11);
    for _ in 0..4 {
        story.live(80);
        // The files as a killed process leaves them, the log not copied and the lock not held.
        let other = tempfile::tempdir().expect("a folder");
        for name in ["hub.db", "hub.db-wal", "hub.db.lock"] {
            fs::copy(folder.path().join(name), other.path().join(name)).expect("copies");
        }
        let mut killed = SqliteStore::open(&other.path().join("hub.db")).expect("opens");
        assert_eq!(killed.load(&Limits::default()).expect("loads").state, story.settled());
    }
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    let mut store = SqliteStore::in_memory().expect("opens");
    store.probe().expect("writes");
    let mut story = Story::new(store, 5);
    story.live(50);
    let state = story.state.clone();
    let batch = Batch { events: &story.log[..3], state: &story.state };
    let error = story.store.commit(&batch).expect_err("these were written before");
    assert!(matches!(error, CommitError::Refused(_)), "{error}");
    story.store.probe().expect("goes on");
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, state);
}

#[test]
fn a_full_disk_is_the_disks_fault_and_passes() {
    let (_folder, store) = on_disk();
    let mut story = Story::new(store, 6);
    story.live(20);
    let limit = |story: &mut Story<SqliteStore>, pages: u32| {
        let set = |conn: &Connection| {
            conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
        };
        story.store.write(set).expect("sets");
    };
    limit(&mut story, 1);
    let before = story.state.clone();
    let known = story.log.len();
    story.imagine(400);
    let batch = Batch { events: &story.log[known..], state: &story.state };
    let error = story.store.commit(&batch).expect_err("does not fit");
    assert!(matches!(error, CommitError::Disk(_)), "{error}");
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, before);
    limit(&mut story, 1 << 20);
    story.commit();
    assert_eq!(story.store.load(&Limits::default()).expect("loads").state, story.settled());
}

#[test]
fn what_fails_after_the_commit_record_leaves_the_outcome_open() {
    use rusqlite::ffi;
    let at = |code| at_commit(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    for code in [
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMMAP,
        ffi::SQLITE_IOERR_NOMEM,
        ffi::SQLITE_IOERR_READ,
        ffi::SQLITE_IOERR,
        ffi::SQLITE_NOMEM,
    ] {
        assert!(matches!(at(code), CommitError::Unknown(_)), "{code}");
    }
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_BUSY] {
        assert!(matches!(at(code), CommitError::Disk(_)), "{code}");
    }
    assert!(matches!(at(ffi::SQLITE_CONSTRAINT), CommitError::Refused(_)));
}
