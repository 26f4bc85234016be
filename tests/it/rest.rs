//! Data at rest: who may read the files, backups, restores, exports and imports, pruning, and the doctor.

mod upkeep;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use coordhub_harness::{Hub, HubOptions, hub};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{rows, seq};

/// Runs the program in a folder, without what the environment says of a hub.
fn coordhub(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(hub::binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COORDHUB_") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// What a command printed that must do what it should.
fn done(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out
}

/// The one line of a command that must refuse.
fn refused(output: &Output) -> String {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    err
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

fn at(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What is in a folder, but for locks.
fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    names
}

/// A hub in which something of everything has happened.
async fn lived_in(options: HubOptions) -> Hub {
    let hub = Hub::start(options);
    hub.register("ai", "ai_agent").await;
    hub.register("anna", "human").await;
    hub.post_ok(
        "/tasks/create",
        json!({ "title": "t", "task_id": "t1", "metadata": { "n": 1.10, "x": null } }),
    )
    .await;
    hub.post_ok("/tasks/create", json!({ "title": "u", "task_id": "t2", "depends_on": ["t1"] }))
        .await;
    hub.post_ok("/tasks/create", json!({ "title": "v", "task_id": "t3" })).await;
    hub.post_ok("/tasks/t1/claim", json!({ "entity_id": "ai" })).await;
    hub.post_ok("/tasks/t3/claim", json!({ "entity_id": "ai" })).await;
    hub.post_ok("/tasks/t3/complete", json!({ "entity_id": "ai", "result": null })).await;
    hub.post_ok("/tasks/t1/update", json!({ "entity_id": "ai", "note": "getting on" })).await;
    hub.post_ok(
        "/proposals/create",
        json!({ "title": "p", "proposal_id": "p1", "electorate": ["ai", "anna"] }),
    )
    .await;
    hub.post_ok(
        "/proposals/p1/vote",
        json!({ "entity_id": "ai", "vote": "for", "comment": "ä \u{2028} \"c\"" }),
    )
    .await;
    hub.post_ok(
        "/reservations/acquire",
        json!({ "entity_id": "ai", "resources": ["repo:src/**"] }),
    )
    .await;
    let first = hub.say("ai", "general", "one").await;
    hub.say("ai", "ai-only", "hidden").await;
    hub.post_ok("/messages/send", json!({ "from_entity": "ai", "to_entity": "anna", "content": "direct", "ack_required": true })).await;
    hub.post_ok("/messages/for/anna/ack", json!({ "up_to": first })).await;
    hub
}

/// Everything that readers see of a hub, without what hangs on who is online.
async fn visible(hub: &Hub) -> BTreeMap<&'static str, String> {
    let paths = [
        "/entities/list",
        "/channels?entity_id=anna",
        "/messages/recent?limit=1000&entity_id=ai",
        "/messages/recent?notices=true",
        "/messages/for/anna?entity_id=anna&unread=true",
        "/messages/recent?with=ai&entity_id=anna",
        "/tasks/list",
        "/tasks/t1",
        "/tasks/t3",
        "/proposals/list",
        "/proposals/p1",
        "/reservations/list",
        "/entities/anna/attention?entity_id=anna",
        "/events?since=0&entity_id=anna",
        "/events?since=0&entity_id=ai",
    ];
    let mut seen = BTreeMap::new();
    for path in paths {
        let mut shown = hub.get_ok(path).await;
        forget_presence(&mut shown);
        seen.insert(path, shown.to_string());
    }
    seen
}

fn forget_presence(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["last_seen", "activity", "stale", "epoch"] {
                members.remove(name);
            }
            if members.contains_key("registered_at") {
                members.remove("status");
            }
            members.values_mut().for_each(forget_presence);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_presence),
        _ => {}
    }
}

async fn epoch(hub: &Hub) -> String {
    hub.get_ok("/events").await["epoch"].as_str().unwrap().to_owned()
}

fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().to_string_lossy().contains(".db"))
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().to_string_lossy().into_owned(), mode)
        })
        .collect()
}

#[tokio::test]
async fn only_their_owner_may_read_the_files_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let (_folder, folder) = folder();
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let options = HubOptions::default().db(folder.join("hub.db")).under(&["sh", "-c", &script]);
        let _hub = lived_in(options).await;
        let umasked = |args: &[&str]| {
            let mut all = vec!["-c", &*script];
            let binary = hub::binary();
            all.push(at(&binary));
            all.extend(args);
            done(&Command::new("sh").args(all).current_dir(&folder).output().unwrap())
        };
        umasked(&["backup", "copy.db", "--db", "hub.db"]);
        umasked(&["restore", "copy.db", "--db", "restored.db"]);
        let found = modes(&folder);
        for name in [
            "hub.db",
            "hub.db-wal",
            "hub.db-shm",
            "hub.db.lock",
            "hub.db.search",
            "copy.db",
            "restored.db",
        ] {
            assert!(found.contains_key(name), "{name} is not among {found:?}");
        }
        assert!(found.values().all(|mode| *mode == 0o600), "umask {umask}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_what_was_acknowledged_before_it() {
    let (_folder, folder) = folder();
    let hub = Hub::start(HubOptions::default().db(folder.join("hub.db")));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let addr = hub.addr();
            tokio::spawn(async move {
                let mut client = coordhub_harness::Client::connect(addr).await;
                for number in 0..300 {
                    let body =
                        json!({ "from_entity": "w", "content": format!("{writer}-{number}") });
                    let request = coordhub_harness::Request::post("/messages/send").json(&body);
                    client.send(request).await.ok();
                }
            })
        })
        .collect();
    let mut backups = Vec::new();
    for number in 0..3 {
        let before = hub.say("w", "general", &format!("before {number}")).await;
        let name = format!("copy-{number}.db");
        let said = done(&coordhub(&folder, &["backup", &name, "--db", "hub.db"]));
        assert!(said.contains(&name) && said.contains("epoch"), "{said}");
        backups.push((name, before));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = hub.get_ok("/state").await["head_seq"].as_u64().unwrap();
    for (number, (name, before)) in backups.into_iter().enumerate() {
        let path = folder.join(format!("restored-{number}.db"));
        done(&coordhub(&folder, &["restore", &name, "--db", at(&path)]));
        let restored = Hub::start(HubOptions::default().db(&path));
        let head = restored.get_ok("/state").await["head_seq"].as_u64().unwrap();
        assert!(before <= head && head <= all, "{before} {head} {all}");
        // Every event up to there, and the same ones.
        let mut after = 0;
        while after < head {
            let page = format!("/messages/recent?channel=general&limit=1000&after={after}");
            let (theirs, ours) = (restored.get_ok(&page).await, hub.get_ok(&page).await);
            let found = rows(&theirs, "messages");
            assert!(!found.is_empty(), "nothing follows {after} of {head}");
            assert_eq!(*found, rows(&ours, "messages")[..found.len()]);
            after = seq(&found[found.len() - 1]);
        }
        assert_ne!(epoch(&restored).await, epoch(&hub).await);
    }
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_no_file_of_that_name_and_is_made_again() {
    let (_folder, folder) = folder();
    let mut hub = Hub::start(HubOptions::default().db(folder.join("hub.db")));
    let content = "x".repeat(200_000);
    for _ in 0..60 {
        hub.say("a", "general", &content).await;
    }
    assert_eq!(hub.terminate().code(), Some(0));
    let partial = folder.join("copy.db.partial");
    let mut child = command(&folder, &["backup", "copy.db", "--db", "hub.db"]).spawn().unwrap();
    while !partial.exists() && !folder.join("copy.db").exists() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It may have been quicker than the kill; a file of that name is a whole one in any case.
    if folder.join("copy.db").exists() {
        fs::remove_file(folder.join("copy.db")).unwrap();
    }
    done(&coordhub(&folder, &["backup", "copy.db", "--db", "hub.db"]));
    assert!(!partial.exists());
    let said = refused(&coordhub(&folder, &["backup", "copy.db", "--db", "hub.db"]));
    assert!(said.contains("is there already"), "{said}");
    done(&coordhub(&folder, &["restore", "copy.db", "--db", "again.db"]));
    let again = Hub::start(HubOptions::default().db(folder.join("again.db")));
    assert_eq!(again.get_ok("/state").await["head_seq"], 60);
}

#[tokio::test]
async fn backups_in_a_folder_get_names_and_the_oldest_go() {
    let (_folder, folder) = folder();
    let _hub = lived_in(HubOptions::default().db(folder.join("hub.db"))).await;
    fs::create_dir(folder.join("backups")).unwrap();
    for _ in 0..4 {
        done(&coordhub(&folder, &["backup", "backups", "--keep", "2", "--db", "hub.db"]));
    }
    let kept = files(&folder.join("backups"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(
        kept.iter().all(|name| name.starts_with("hub-20") && name.ends_with("Z.db")),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_restore_shows_itself_to_those_who_resume() {
    let (_folder, folder) = folder();
    let db = folder.join("hub.db");
    let mut hub = lived_in(HubOptions::default().db(&db)).await;
    let before = epoch(&hub).await;
    let head = hub.get_ok("/state").await["head_seq"].as_u64().unwrap();
    done(&coordhub(&folder, &["backup", "copy.db", "--db", "hub.db"]));
    hub.say("ai", "general", "after the backup").await;
    let said = refused(&coordhub(&folder, &["restore", "copy.db", "--db", "hub.db", "--replace"]));
    assert!(said.contains(&hub.pid().to_string()), "it says who has the file: {said}");
    assert_eq!(hub.terminate().code(), Some(0));
    let said = refused(&coordhub(&folder, &["restore", "copy.db", "--db", "hub.db"]));
    assert!(said.contains("--replace"), "{said}");
    let said = done(&coordhub(&folder, &["restore", "copy.db", "--db", "hub.db", "--replace"]));
    assert!(said.contains("hub.db.replaced"), "{said}");
    hub.restart();
    assert_ne!(epoch(&hub).await, before);
    let mut socket = hub.socket(&format!("/ws/ai?since={before}:{head}&channels=general")).await;
    let gap = socket.next().await.unwrap();
    assert_eq!(
        (gap["type"].as_str(), gap["reason"].as_str()),
        (Some("gap"), Some("other_history")),
        "{gap}"
    );
    let found = hub.get_ok("/messages/search?q=backup").await;
    assert_eq!(found["count"], 0);
    // What was there is kept, and is a whole hub.
    let old = Hub::start(HubOptions::default().db(folder.join("hub.db.replaced")));
    assert_eq!(old.get_ok("/state").await["head_seq"].as_u64(), Some(head + 1));
    assert_eq!(epoch(&old).await, before);
}

#[tokio::test]
async fn an_export_makes_a_hub_that_shows_the_same() {
    let (_folder, folder) = folder();
    let mut hub = lived_in(HubOptions::default().db(folder.join("hub.db"))).await;
    let before = visible(&hub).await;
    let beside = done(&coordhub(&folder, &["export", "--db", "hub.db"]));
    let name = epoch(&hub).await;
    assert_eq!(hub.terminate().code(), Some(0));
    let export = done(&coordhub(&folder, &["export", "--db", "hub.db"]));
    let kinds = |text: &str| -> Vec<String> {
        let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].to_string();
        text.lines().map(kind).collect()
    };
    assert_eq!(kinds(&export), kinds(&beside));
    fs::write(folder.join("export.jsonl"), &export).unwrap();
    done(&coordhub(&folder, &["import", "export.jsonl", "--db", "new.db"]));
    let again = Hub::start(HubOptions::default().db(folder.join("new.db")));
    assert_ne!(epoch(&again).await, name);
    let after = visible(&again).await;
    for (path, shown) in before {
        assert_eq!(after[path], shown, "{path}");
    }
    // It goes on where the other was.
    let claim = again.post("/tasks/t1/claim", json!({ "entity_id": "late" })).await;
    claim.problem(409, "task_already_claimed");
    again.post_ok("/tasks/t1/complete", json!({ "entity_id": "ai" })).await;
    assert_eq!(again.get_ok("/tasks/t2").await["status"], "open");
}

#[tokio::test]
async fn a_bad_line_of_an_import_is_named_and_nothing_is_left() {
    let (_folder, folder) = folder();
    let hub = lived_in(HubOptions::default().db(folder.join("hub.db"))).await;
    let export = done(&coordhub(&folder, &["export", "--db", "hub.db"]));
    drop(hub);
    let lines: Vec<&str> = export.lines().collect();
    let mut broken = lines.clone();
    broken[9] = "{\"kind\":\"message\"";
    let short = &lines[..lines.len() - 3];
    for (content, expected) in
        [(broken.join("\n"), "line 10: "), (short.join("\n"), "cut short after")]
    {
        fs::write(folder.join("export.jsonl"), content).unwrap();
        let before = files(&folder);
        let said = refused(&coordhub(&folder, &["import", "export.jsonl", "--db", "new.db"]));
        assert!(said.contains(expected) && said.contains("nothing was imported"), "{said}");
        assert_eq!(files(&folder), before);
    }
    let said = refused(&coordhub(&folder, &["import", "export.jsonl", "--db", "hub.db"]));
    assert!(said.contains("is there already"), "{said}");
}
