//! `kill -9` under load, a second hub on the file, and files that must be refused untouched.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use coordhub_harness::{Client, Hub, HubOptions, Request};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{rows, seq};

const KILLS: u64 = 5;
const WRITERS: u64 = 8;
/// How many acknowledged messages each round waits for before it kills the hub.
const ACKNOWLEDGED_PER_ROUND: u64 = 400;

/// What the writers were promised.
#[derive(Default)]
struct Promises {
    /// `content` of each acknowledged message, by its `seq`.
    acknowledged: Mutex<BTreeMap<u64, String>>,
    count: AtomicU64,
    more: Notify,
}

impl Promises {
    fn keep(&self, seq: u64, content: String) {
        let before = self.acknowledged.lock().unwrap().insert(seq, content);
        assert_eq!(before, None, "seq {seq} was given twice");
        self.count.fetch_add(1, Ordering::SeqCst);
        self.more.notify_one();
    }

    async fn reach(&self, count: u64) {
        let reached = async {
            while self.count.load(Ordering::SeqCst) < count {
                self.more.notified().await;
            }
        };
        tokio::time::timeout(coordhub_harness::WAIT_MAX, reached)
            .await
            .expect("the writers get on");
    }
}

/// Sends one message after another until the hub is gone.
async fn write(addr: SocketAddr, name: String, promises: Arc<Promises>) {
    let Ok(mut client) = Client::try_connect(addr).await else { return };
    for number in 0..u64::MAX {
        let content = format!("{name}-{number}");
        let body = json!({ "from_entity": "writer", "content": content });
        let Ok(response) = client.try_send(Request::post("/messages/send").json(&body)).await
        else {
            return;
        };
        promises.keep(seq(&response.ok()), content);
    }
}

/// Reads frames from where it was until the hub is gone, or until it has come to `until`.
async fn follow(hub: SocketAddr, since: u64, until: u64) -> (u64, Vec<(u64, String)>) {
    let path = format!("/ws/follower?notices=none&channels=general&since={since}");
    let (mut last, mut followed) = (since, Vec::new());
    let Ok(mut socket) = coordhub_harness::Socket::try_open(hub, &path, &[]).await else {
        panic!("the follower was refused");
    };
    while last < until {
        let Some(frame) = socket.next().await else { break };
        match frame["type"].as_str() {
            Some("message") => {
                assert!(seq(&frame) > last, "{frame} came after {last}");
                last = seq(&frame);
                followed.push((last, frame["message"]["content"].as_str().unwrap().to_owned()));
            }
            Some("cursor") => last = last.max(seq(&frame)),
            Some("error") => panic!("{frame}"),
            _ => {}
        }
    }
    (last, followed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_every_kill() {
    let mut hub = Hub::new();
    let promises = Arc::new(Promises::default());
    let mut followed = BTreeMap::new();
    let mut since = 0;
    for round in 0..KILLS {
        let addr = hub.addr();
        let follower = tokio::spawn(follow(addr, since, u64::MAX));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(addr, format!("r{round}w{writer}"), Arc::clone(&promises)))
            })
            .collect();
        promises.reach((round + 1) * ACKNOWLEDGED_PER_ROUND).await;
        hub.kill9();
        for writer in writers {
            writer.await.unwrap();
        }
        let (last, frames) = follower.await.unwrap();
        since = last;
        extend_once(&mut followed, frames);
        hub.restart();
        all_there_once(&hub, &promises).await;
    }
    let last = promises.acknowledged.lock().unwrap().last_key_value().map_or(0, |(seq, _)| *seq);
    let (_, frames) = follow(hub.addr(), since, last).await;
    extend_once(&mut followed, frames);
    for (seq, content) in promises.acknowledged.lock().unwrap().iter() {
        assert_eq!(followed.get(seq), Some(content), "the follower missed seq {seq}");
    }
    assert_eq!(hub.terminate().code(), Some(0));
    assert_eq!(integrity(hub.db_path()), "ok");
}

/// What the follower saw may hold messages whose acknowledgement the kill cut off, but none twice.
fn extend_once(followed: &mut BTreeMap<u64, String>, frames: Vec<(u64, String)>) {
    for (seq, content) in frames {
        assert_eq!(followed.insert(seq, content), None, "the follower saw seq {seq} twice");
    }
}

/// Walks through all messages: each acknowledged one is there at its `seq`, and no content twice.
async fn all_there_once(hub: &Hub, promises: &Promises) {
    let mut stored = BTreeMap::new();
    let mut contents = std::collections::BTreeSet::new();
    let mut client = hub.client().await;
    let mut after = json!(0);
    loop {
        let path = format!("/messages/recent?channel=general&limit=1000&after={after}");
        let page = client.send(Request::get(&path)).await.ok();
        for message in rows(&page, "messages") {
            let content = message["content"].as_str().unwrap().to_owned();
            assert!(contents.insert(content.clone()), "{content} is there twice");
            stored.insert(seq(message), content);
        }
        if rows(&page, "messages").is_empty() {
            break;
        }
        after = page["next"].clone();
    }
    for (seq, content) in promises.acknowledged.lock().unwrap().iter() {
        assert_eq!(stored.get(seq), Some(content), "acknowledged and not there: seq {seq}");
    }
}

fn integrity(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn tasks_votes_and_cursors_survive_too() {
    let mut hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.register("anna", "human").await;
    hub.post_ok(
        "/tasks/create",
        json!({ "title": "t", "task_id": "t1", "tags": ["x"], "metadata": { "n": 1.10 } }),
    )
    .await;
    hub.post_ok("/tasks/create", json!({ "title": "u", "task_id": "t2", "depends_on": ["t1"] }))
        .await;
    hub.post_ok("/tasks/t1/claim", json!({ "entity_id": "ai" })).await;
    hub.post_ok(
        "/proposals/create",
        json!({ "title": "p", "proposal_id": "p1", "electorate": ["ai", "anna"] }),
    )
    .await;
    hub.post_ok("/proposals/p1/vote", json!({ "entity_id": "ai", "vote": "for", "comment": "c" }))
        .await;
    let first = hub.say("ai", "general", "one").await;
    hub.say("ai", "general", "two").await;
    hub.post_ok("/messages/for/anna/ack", json!({ "up_to": first })).await;
    let paths = [
        "/tasks/t1",
        "/tasks/list",
        "/proposals/p1",
        "/proposals/list",
        "/messages/recent",
        "/messages/for/anna?unread=true",
        "/channels?entity_id=anna",
        "/messages/recent?notices=true",
        "/events?since=0",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(lasting(&hub, path).await);
    }
    hub.kill9();
    hub.restart();
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(lasting(&hub, path).await, before, "{path}");
    }
    let claim = hub.post("/tasks/t1/claim", json!({ "entity_id": "late" })).await;
    assert_eq!(claim.problem(409, "task_already_claimed")["claimed_by"], "ai");
    hub.post_ok("/tasks/t1/complete", json!({ "entity_id": "ai" })).await;
    assert_eq!(hub.get_ok("/tasks/t2").await["status"], "open");
    let status =
        hub.post_ok("/proposals/p1/vote", json!({ "entity_id": "anna", "vote": "for" })).await;
    assert_eq!(status["proposal_status"], "approved");
}

/// What a path shows, without what hangs on who is online: presence does not survive, and need not.
async fn lasting(hub: &Hub, path: &str) -> String {
    hub.get_ok(path).await.to_string().replace("\"stale\":true", "\"stale\":false")
}

#[tokio::test]
async fn a_second_hub_on_the_file_is_refused() {
    let hub = Hub::new();
    hub.say("a", "general", "mine").await;
    let refused = Hub::start_refused(&HubOptions::default().db(hub.db_path()));
    assert!(!refused.status.success());
    assert!(
        refused.line().contains(&hub.pid().to_string()),
        "it says who holds the file: {}",
        refused.line()
    );
    hub.say("a", "general", "still mine").await;
    assert_eq!(hub.get_ok("/messages/recent").await["count"], 2);
}

/// Makes a file with a hub's content in it.
async fn used_file(path: &Path) {
    let mut hub = Hub::start(HubOptions::default().db(path));
    for number in 0..200 {
        hub.say("a", "general", &format!("{number} {}", "x".repeat(500))).await;
    }
    assert_eq!(hub.terminate().code(), Some(0));
}

#[tokio::test]
async fn files_that_are_refused_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.db");
    used_file(&good).await;
    let bytes = fs::read(&good).unwrap();
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]])).max(512);
    assert!(bytes.len() > 8 * page, "enough pages to damage");
    let cases: [(&str, Vec<u8>); 6] = [
        ("text", b"Dear diary, this is not a database at all.\n".repeat(100)),
        (
            "foreign",
            foreign(
                folder.path(),
                "CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('monday')",
            ),
        ),
        ("newer", newer(folder.path(), &good)),
        ("truncated", bytes[..bytes.len() - 2 * page].to_vec()),
        ("half a page", bytes[..bytes.len() - page / 2].to_vec()),
        ("damaged schema", damaged(&bytes, 100..page)),
    ];
    for (name, content) in cases {
        let path = folder.path().join("case.db");
        fs::write(&path, &content).unwrap();
        let refused = Hub::start_refused(&HubOptions::default().db(&path));
        assert!(!refused.status.success(), "{name}");
        assert!(refused.line().contains("case.db"), "{name}: {}", refused.line());
        assert!(fs::read(&path).unwrap() == content, "{name}: the file was changed");
        for beside in ["case.db-wal", "case.db-shm", "case.db-journal"] {
            let beside = folder.path().join(beside);
            assert!(!beside.exists(), "{name}: {} was left behind", beside.display());
        }
    }
}

fn foreign(folder: &Path, sql: &str) -> Vec<u8> {
    let path = folder.join("foreign.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    fs::read(path).unwrap()
}

/// The good file as a later release might leave it: the number of its schema, in the header, far ahead.
fn newer(folder: &Path, good: &Path) -> Vec<u8> {
    let path = folder.join("newer.db");
    fs::copy(good, &path).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert!(version > 0, "the hub numbers its schema in user_version");
    connection.pragma_update(None, "user_version", version + 1000).unwrap();
    let _: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    drop(connection);
    fs::read(path).unwrap()
}

fn damaged(bytes: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    damaged[range].fill(0xA5);
    damaged
}

#[tokio::test]
async fn a_stopped_hub_leaves_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    used_file(&path).await;
    assert_eq!(integrity(&path), "ok");
    let hub = Hub::start(HubOptions::default().db(&path));
    let recent: Value = hub.get_ok("/messages/recent?limit=1000").await;
    assert_eq!(recent["count"], 200);
}

#[tokio::test]
async fn the_old_hubs_file_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coordination_hub.db");
    let rows = [
        (
            "entities",
            "entity_id",
            "gpt-4",
            json!({ "entity_id": "gpt-4", "entity_type": "ai_agent", "name": "GPT-4", "capabilities": ["x"], "metadata": {} }),
        ),
        (
            "tasks",
            "task_id",
            "task-1",
            json!({ "task_id": "task-1", "title": "Old task", "description": "d", "status": "open", "priority": "high", "created_by": "gpt-4" }),
        ),
        (
            "messages",
            "id",
            "msg-1",
            json!({ "id": "msg-1", "from_entity": "gpt-4", "channel": "general", "content": "Old message", "message_type": "text" }),
        ),
    ];
    let connection = rusqlite::Connection::open(&path).unwrap();
    for (table, key, id, data) in &rows {
        connection
            .execute_batch(&format!("CREATE TABLE {table} ({key} TEXT PRIMARY KEY, data TEXT)"))
            .unwrap();
        connection
            .execute(&format!("INSERT INTO {table} VALUES (?, ?)"), [*id, &data.to_string()])
            .unwrap();
    }
    connection.execute("INSERT INTO tasks VALUES ('broken', '{')", []).unwrap();
    drop(connection);
    let hub = Hub::start(HubOptions::default().db(&path));
    assert_eq!(hub.get_ok("/entities/gpt-4").await["name"], "GPT-4");
    assert_eq!(hub.get_ok("/tasks/task-1").await["title"], "Old task");
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(recent["messages"][0]["content"], "Old message", "{recent}");
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert!(files > 1, "a copy of the file is left beside it");
    hub.post_ok("/tasks/task-1/claim", json!({ "entity_id": "gpt-4" })).await;
}
