//! Backups, restores, exports and imports: all there, as another history, or nothing at all.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::story::Story;
use crate::{
    hub::State,
    limits::Limits,
    store::{
        SqliteStore, Store, StoreError, schema,
        upkeep::{self, IfThere, Tokens, UpkeepError},
    },
};

struct Place {
    _folder: tempfile::TempDir,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder: folder.path().to_owned(), _folder: folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What there is, but for locks.
    fn files(&self) -> BTreeSet<String> {
        let names = fs::read_dir(&self.folder)
            .expect("is read")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }
}

/// A hub's file with a random history; the store stays open.
fn lived(path: &Path, steps: usize) -> Story<SqliteStore> {
    let mut story = Story::new(SqliteStore::open(path).expect("opens"), 21);
    story.live(steps);
    story
}

fn loaded(path: &Path) -> (State, String) {
    let mut store = SqliteStore::open(path).expect("opens");
    let loaded = store.load(&Limits::default()).expect("loads");
    (loaded.state, loaded.epoch)
}

fn exported(path: &Path) -> Vec<String> {
    let mut out = Vec::new();
    upkeep::export(path, &mut out).expect("exports");
    String::from_utf8(out).expect("is text").lines().map(str::to_owned).collect()
}

/// The lines but for the names of histories.
fn nameless(lines: &[String]) -> Vec<&String> {
    lines.iter().skip(1).filter(|line| !line.contains("\"key\":\"epoch\"")).collect()
}

#[test]
fn a_backup_beside_a_running_hub_is_restored_as_another_history() {
    let place = Place::new();
    let (db, copy, again) = (place.at("hub.db"), place.at("copy.db"), place.at("again.db"));
    let mut story = lived(&db, 300);
    let made = upkeep::backup(&db, &copy).expect("backs up");
    assert_eq!(made.history.head, story.state.head());
    let backed_up = story.state.clone();
    story.imagine(20);
    story.commit();
    let error = upkeep::backup(&db, &copy).expect_err("is there");
    assert!(matches!(error, UpkeepError::Exists(_)), "{error}");

    fs::write(place.at("again.db.search"), "an index").expect("writes");
    let restored =
        upkeep::restore(&copy, &again, IfThere::Refuse, Tokens::default()).expect("restores");
    assert!(!place.at("again.db.search").exists());
    let (state, epoch) = loaded(&again);
    assert_eq!(state, backed_up);
    assert_eq!(epoch, restored.file.history.epoch);
    assert_eq!(restored.epoch_before, made.history.epoch);
    assert_ne!(epoch, made.history.epoch);

    // Not over a file that is there, unless that is kept; and never under a running hub.
    let error =
        upkeep::restore(&copy, &again, IfThere::Refuse, Tokens::default()).expect_err("is there");
    assert!(matches!(error, UpkeepError::WouldReplace(_)), "{error}");
    let second =
        upkeep::restore(&copy, &again, IfThere::PutAside, Tokens::default()).expect("restores");
    let aside = second.put_aside.expect("is kept");
    assert_eq!(loaded(&aside), (state, epoch));
    for if_there in [IfThere::Refuse, IfThere::PutAside] {
        let error =
            upkeep::restore(&copy, &db, if_there, Tokens::default()).expect_err("is in use");
        assert!(matches!(error, UpkeepError::Store(StoreError::InUse { .. })), "{error}");
    }
    let error = upkeep::restore(&db, &place.at("third.db"), IfThere::Refuse, Tokens::default())
        .expect_err("is in use");
    assert!(matches!(error, UpkeepError::Store(StoreError::InUse { .. })), "{error}");
    assert!(!place.at("third.db").exists() && !place.at("third.db.lock").exists());
    assert!(
        place.files().iter().all(|name| !name.ends_with(".new") && !name.ends_with(".partial"))
    );
}

#[test]
fn what_stands_in_a_log_is_put_aside_with_its_file() {
    let place = Place::new();
    let (db, copy) = (place.at("hub.db"), place.at("copy.db"));
    let story = lived(&db, 100);
    upkeep::backup(&db, &copy).expect("backs up");
    // As a hub leaves it that is killed.
    for suffix in ["", "-wal"] {
        let name = format!("dead.db{suffix}");
        fs::copy(place.at(&format!("hub.db{suffix}")), place.at(&name)).expect("copies");
    }
    let dead = place.at("dead.db");
    let restored =
        upkeep::restore(&copy, &dead, IfThere::PutAside, Tokens::default()).expect("restores");
    assert_eq!(loaded(&restored.put_aside.expect("is kept")).0, story.state);
    assert_eq!(loaded(&dead).0, story.state);
}

#[test]
fn what_is_no_backup_is_not_restored_and_what_is_no_hub_not_backed_up() {
    let place = Place::new();
    let db = place.at("hub.db");
    drop(lived(&db, 100));
    let bytes = fs::read(&db).expect("reads");
    let half = bytes.len() / 2 / 4_096 * 4_096;
    let mut damaged = bytes.clone();
    damaged[half..half + 4_096].fill(0xA5);
    for (name, content) in [
        ("text", b"no database".to_vec()),
        ("short", bytes[..half].to_vec()),
        ("damaged", damaged),
        ("empty", Vec::new()),
    ] {
        let path = place.at(name);
        fs::write(&path, &content).expect("writes");
        let before = place.files();
        upkeep::restore(&path, &place.at("new.db"), IfThere::Refuse, Tokens::default())
            .expect_err(name);
        upkeep::backup(&path, &place.at("copy.db")).expect_err(name);
        assert_eq!(fs::read(&path).expect("reads"), content, "{name}");
        let left: Vec<_> = place.files().difference(&before).cloned().collect();
        assert!(
            left.iter()
                .all(|file| *file == format!("{name}-shm") || *file == format!("{name}-wal")),
            "{left:?}"
        );
    }
    upkeep::backup(&place.at("nothing"), &place.at("copy.db")).expect_err("is not there");
}

#[test]
fn an_export_makes_the_same_hub_again() {
    for seed_steps in [0, 40, 2_000] {
        let place = Place::new();
        let (db, again) = (place.at("hub.db"), place.at("again.db"));
        let story = lived(&db, seed_steps);
        // Beside the running hub, and of the file that it left.
        let beside = exported(&db);
        let state = story.settled();
        drop(story);
        let lines = exported(&db);
        assert_eq!(lines, beside);
        assert_eq!(place.files(), ["hub.db".to_owned()].into());

        let text = lines.join("\n");
        let made = upkeep::import(&mut text.as_bytes(), &again).expect("imports");
        assert_eq!((made.lines, made.history.head), (lines.len() as u64, state.head()));
        let (imported, epoch) = loaded(&again);
        assert_eq!(imported, state);
        assert_ne!(epoch, loaded(&db).1);
        assert_eq!(nameless(&exported(&again)), nameless(&lines));
        let error = upkeep::import(&mut text.as_bytes(), &again).expect_err("is there");
        assert!(matches!(error, UpkeepError::Exists(_)), "{error}");
    }
}

#[test]
fn a_bad_line_is_named_and_leaves_nothing() {
    let place = Place::new();
    let db = place.at("hub.db");
    drop(lived(&db, 200));
    let lines = exported(&db);
    let nth = |kind: &str, nth: usize| {
        let begin = format!("{{\"kind\":\"{kind}\"");
        let mut found = lines.iter().enumerate().filter(|(_, line)| line.starts_with(&begin));
        found.nth(nth).map(|(at, _)| at).expect("there is one")
    };
    let check = |at: usize, change: &dyn Fn(&str) -> Vec<String>, expected: &str| {
        let mut changed = lines.clone();
        changed.splice(at..=at, change(&lines[at]));
        let text = changed.join("\n");
        let new = place.at("new.db");
        let error = upkeep::import(&mut text.as_bytes(), &new).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\n  instead of {expected:?}");
        assert_eq!(place.files(), ["hub.db".to_owned()].into(), "{expected}");
        assert!(!place.at("new.db.lock").exists());
    };
    let is = |text: &str| {
        let text = text.to_owned();
        move |_: &str| vec![text.clone()]
    };
    let swap =
        |from: &'static str, to: &'static str| move |line: &str| vec![line.replacen(from, to, 1)];
    let none = |_: &str| Vec::new();
    // A young one: what is old is pruned.
    let message = nth("event", 0) - 1;
    let (event, task) = (nth("event", 7), nth("task", 1));
    check(0, &none, "line 1: an export begins with its header");
    check(0, &swap("\"schema\":", "\"schema\":9"), "line 1: it is of format 1 and schema 9");
    check(event, &is("not JSON"), &format!("line {}: it is no line of an export", event + 1));
    check(event, &is(""), &format!("line {}: ", event + 1));
    check(event, &none, &format!("line {}: event", event + 1));
    check(
        event,
        &swap("\"kind\":\"event\"", "\"kind\":\"evnt\""),
        &format!("line {}: there is no kind", event + 1),
    );
    check(
        message,
        &swap("\"content\":", "\"contents\":"),
        &format!("line {}: a message has no \"contents\"", message + 1),
    );
    check(
        message,
        &swap("\"at\":", "\"at\":\"x\",\"ack_required\":"),
        &format!("line {}", message + 1),
    );
    let filler = r#"{"kind":"meta","row":{"key":"probe","value":"0"}}"#;
    check(message, &is(filler), "do not stand together");
    check(message, &none, "an export of");
    check(
        message,
        &|line| vec![line.to_owned(), line.to_owned()],
        &format!("line {}: message: UNIQUE", message + 2),
    );
    check(task, &swap("\"status\":\"", "\"status\":\"un"), &format!("line {}: task", task + 1));
    check(lines.len() - 1, &none, &format!("cut short after {} lines", lines.len() - 1));
    check(
        lines.len() - 1,
        &swap("\"lines\":", "\"lines\":1"),
        &format!("line {}: an export of", lines.len()),
    );
    check(
        lines.len() - 1,
        &|line| vec![line.to_owned(), "{}".to_owned()],
        &format!("line {}: something follows", lines.len() + 1),
    );
}

#[test]
fn what_stands_in_the_tail_is_part_of_what_is_copied() {
    let place = Place::new();
    let (db, copy) = (place.at("hub.db"), place.at("copy.db"));
    let mut story = lived(&db, 60);
    while story.store.tail().len() < 3 {
        story.imagine(1);
        story.commit();
    }
    let head = story.state.head();
    let made = upkeep::backup(&db, &copy).expect("backs up");
    assert_eq!(made.history.head, head);
    assert_eq!(loaded(&copy).0, story.settled());
}

#[test]
fn every_table_is_exported() {
    let known: BTreeSet<&str> = schema::tables(schema::SCHEMA_VERSION).collect();
    let told: BTreeSet<&str> = upkeep::tables_told_of().collect();
    assert_eq!(known, told, "say in lines.rs what a row of a new table is called");
}

#[cfg(unix)]
#[test]
fn what_is_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let (db, copy) = (place.at("hub.db"), place.at("copy.db"));
    let _story = lived(&db, 50);
    upkeep::backup(&db, &copy).expect("backs up");
    upkeep::restore(&copy, &place.at("restored.db"), IfThere::Refuse, Tokens::default())
        .expect("restores");
    let text = exported(&db).join("\n");
    upkeep::import(&mut text.as_bytes(), &place.at("imported.db")).expect("imports");
    let mut seen = 0;
    for entry in fs::read_dir(&place.folder).expect("is read") {
        let path = entry.expect("an entry").path();
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 8, "{seen} files");
}
