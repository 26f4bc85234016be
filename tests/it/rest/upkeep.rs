//! What is pruned, by hand and by retention, and what the doctor says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coordhub_harness::{Hub, HubOptions};
use serde_json::{Value, json};

use super::{command, coordhub, done, folder, lived_in, refused};
use crate::support::{rows, seq};
use crate::tokens::TokenHub;

const DAY_MILLIS: i64 = 86_400_000;

/// Makes everything in a hub's file older, as if it had stood still.
fn age(db: &Path, days: i64) {
    let connection = rusqlite::Connection::open(db).unwrap();
    let millis = days * DAY_MILLIS;
    for (table, column) in [
        ("events", "at"),
        ("messages", "at"),
        ("tasks", "created_at"),
        ("tasks", "updated_at"),
        ("tasks", "claimed_at"),
        ("tasks", "completed_at"),
        ("proposals", "created_at"),
        ("proposals", "decided_at"),
    ] {
        connection
            .execute(&format!("UPDATE {table} SET {column} = {column} - ?1"), [millis])
            .unwrap();
    }
    let sql = "UPDATE meta SET value = CAST(value AS INTEGER) - ?1 WHERE key = 'hub_time'";
    connection.execute(sql, [millis]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_runs_gives_up_what_an_admin_says_and_keeps_the_audit() {
    let (_folder, folder) = folder();
    let db = folder.join("hub.db");
    let mut hub = TokenHub::with_everyone_at(HubOptions::default().db(&db)).await;
    let old = json!({ "content": "an old one" });
    let old = hub.post_as(hub.token("ai"), "/messages/send", old).await.ok();
    assert_eq!(hub.terminate().code(), Some(0));
    age(&db, 40);
    Hub::restart(&mut hub);
    let young = json!({ "content": "a young one" });
    let young = hub.post_as(hub.token("ai"), "/messages/send", young).await.ok();
    let admin = hub.token("admin").to_owned();
    let admin = admin.as_str();
    for (body, field) in [
        (json!({ "kind": "events", "older_than_days": 30 }), "kind"),
        (json!({ "kind": "messages" }), "before"),
        (json!({ "kind": "messages", "older_than_days": 0 }), "older_than_days"),
        (json!({ "kind": "messages", "before": "2099-01-01T00:00:00Z" }), "before"),
    ] {
        let problem = hub.post_as(admin, "/admin/prune", body).await.problem(422, "invalid_field");
        assert_eq!(problem["field"], field, "{problem}");
    }

    let program = |words: &[&str]| {
        done(&command(&folder, words).env("COORDHUB_TOKEN", admin).output().unwrap())
    };
    let url = hub.url();
    // What the hub would refuse is refused before the first is removed, and no variable sends it there.
    for (age, kinds, why) in
        [("30d", "messages,events", "no events"), ("36h", "messages", "whole days")]
    {
        let words = ["prune", "--older-than", age, "--kind", kinds, "--url", &url];
        let output = command(&folder, &words).env("COORDHUB_TOKEN", admin).output().unwrap();
        assert!(refused(&output).contains(why));
    }
    let words = ["prune", "--older-than", "30d", "--kind", "messages", "--db", "hub.db"];
    let output = command(&folder, &words).env("COORDHUB_URL", &url).output().unwrap();
    assert!(refused(&output).contains("--url"));
    let words = ["prune", "--older-than", "30d", "--kind", "messages"];
    let output = command(&folder, &words)
        .env("COORDHUB_URL", &url)
        .env("COORDHUB_TOKEN", admin)
        .output()
        .unwrap();
    refused(&output);
    let recent = hub.get_as(admin, "/messages/recent").await.ok();
    assert_eq!(rows(&recent, "messages").len(), 2, "{recent}");
    let said = program(&["prune", "--older-than", "30d", "--kind", "messages", "--url", &url]);
    assert!(said.contains("pruned messages"), "{said}");
    // Rows go little by little.
    let mut recent = hub.get_as(admin, "/messages/recent").await.ok();
    for _ in 0..50 {
        if rows(&recent, "messages").len() == 1 {
            break;
        }
        recent = hub.get_as(admin, "/messages/recent").await.ok();
    }
    let seqs: Vec<_> = rows(&recent, "messages").iter().map(seq).collect();
    assert_eq!(seqs, [seq(&young)], "{said}");

    // Who sent it stays known, and who gave it up; in the file that is read, too.
    hub.kill9();
    let audit: Value =
        serde_json::from_str(&program(&["audit", "--db", "hub.db", "--json"])).unwrap();
    let find = |kind: &str, at: &Value| {
        let of = |row: &&Value| row["kind"] == kind && (at.is_null() || row["seq"] == *at);
        rows(&audit, "events").iter().find(of).cloned().unwrap_or_else(|| panic!("{kind}: {audit}"))
    };
    assert_eq!(find("message_sent", &old["seq"])["actor"], "ai");
    let pruned = find("history_pruned", &Value::Null);
    assert_eq!((&pruned["actor"], &pruned["address"]), (&json!("admin"), &json!("127.0.0.1")));
    // The newest stands in the tail, where the hub was killed.
    assert_eq!(find("message_sent", &young["seq"])["bytes"], "a young one".len());
    let table = program(&["audit", "--db", "hub.db", "--actor", "ai", "--kind", "message_sent"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    let nothing = program(&["audit", "--db", "hub.db", "--refusals"]);
    assert_eq!(nothing.lines().count(), 1, "{nothing}");
}

#[tokio::test]
async fn what_is_old_is_pruned_by_kind_and_readers_are_told() {
    let (_folder, folder) = folder();
    let db = folder.join("hub.db");
    let mut hub = lived_in(HubOptions::default().db(&db)).await;
    let said = refused(&coordhub(
        &folder,
        &["prune", "--older-than", "30d", "--kind", "messages", "--db", "hub.db"],
    ));
    assert!(said.contains("in use") && said.contains("--retain-messages"), "{said}");
    assert!(said.contains("--url"), "{said}");
    assert_eq!(hub.terminate().code(), Some(0));
    age(&db, 40);
    hub.restart();
    let young = hub.say("ai", "general", "young one").await;
    assert_eq!(hub.terminate().code(), Some(0));

    let said = done(&coordhub(
        &folder,
        &["prune", "--older-than", "30d", "--kind", "messages,tasks,proposals", "--db", "hub.db"],
    ));
    assert!(
        said.contains("pruned messages") && said.contains("nothing to prune of proposals"),
        "{said}"
    );
    hub.restart();
    let recent = hub.get_ok("/messages/recent?entity_id=ai").await;
    assert_eq!(rows(&recent, "messages").iter().map(seq).collect::<Vec<_>>(), [young]);
    // Still to be acknowledged, however old.
    let direct = hub.get_ok("/messages/recent?with=ai&entity_id=anna").await;
    assert_eq!(direct["count"], 1, "{direct}");
    let attention = hub.get_ok("/entities/anna/attention?entity_id=anna").await;
    assert!(attention.to_string().contains("direct"), "{attention}");
    // Finished and old; and what is left to do.
    hub.get("/tasks/t3").await.problem(404, "unknown_task");
    assert_eq!(hub.get_ok("/tasks/t1").await["history"].as_array().unwrap().len(), 3);
    assert_eq!(hub.get_ok("/proposals/p1").await["tally"]["for"], 1);
    // Behind the horizon is a gap.
    let events = hub.get_ok("/events?since=0").await;
    assert_eq!(events["gap"]["reason"], "pruned", "{events}");
    let oldest = events["gap"]["oldest_seq"].as_u64().unwrap();
    let mut socket = hub.socket("/ws/ai?since=1&channels=general").await;
    let gap = socket.next().await.unwrap();
    assert_eq!(
        (gap["reason"].as_str(), gap["oldest_seq"].as_u64()),
        (Some("pruned"), Some(oldest)),
        "{gap}"
    );
    let frame = socket.expect("message").await;
    assert_eq!(seq(&frame), young, "{frame}");
    let connection = rusqlite::Connection::open(&db).unwrap();
    let count = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM events WHERE seq = 1"), 1, "the audit is kept");
    drop(connection);
    assert_eq!(hub.terminate().code(), Some(0));

    done(&coordhub(
        &folder,
        &["prune", "--older-than", "30d", "--kind", "events", "--db", "hub.db"],
    ));
    let connection = rusqlite::Connection::open(&db).unwrap();
    let oldest: i64 =
        connection.query_row("SELECT min(seq) FROM events", [], |row| row.get(0)).unwrap();
    assert!(oldest > 1, "{oldest}");
    drop(connection);
    done(&coordhub(&folder, &["doctor", "--db", "hub.db"]));
    let export = done(&coordhub(&folder, &["export", "--db", "hub.db"]));
    fs::write(folder.join("export.jsonl"), export).unwrap();
    done(&coordhub(&folder, &["import", "export.jsonl", "--db", "new.db"]));
    hub.restart();
    let again = Hub::start(HubOptions::default().db(folder.join("new.db")));
    assert_eq!(again.get_ok("/events?since=0").await["gap"]["reason"], "pruned");
    assert_eq!(again.get_ok("/state").await["head_seq"], hub.get_ok("/state").await["head_seq"]);
}

#[tokio::test]
async fn a_hub_that_runs_prunes_by_its_retention() {
    let (_folder, folder) = folder();
    let db = folder.join("hub.db");
    let mut hub = Hub::start(HubOptions::default().db(&db));
    for number in 0..1_200 {
        let batch: Vec<_> = (0..5)
            .map(|n| json!({ "from_entity": "a", "content": format!("old {number} {n}") }))
            .collect();
        if number % 5 == 0 {
            hub.post_ok("/messages/send-batch", json!({ "messages": batch })).await;
        }
    }
    assert_eq!(hub.terminate().code(), Some(0));
    age(&db, 8);
    let options = HubOptions::default().db(&db).arg("--retain-messages=7d");
    let hub = Hub::start(options.env("COORDHUB_RETAIN_EVENTS", "90d"));
    hub.say("a", "general", "young").await;
    let pruned = crate::support::event_after(&hub, 1_200, "history_pruned").await;
    assert_eq!(
        (pruned["data"]["what"].as_str(), pruned["data"]["up_to"].as_u64()),
        (Some("messages"), Some(1_200)),
        "{pruned}"
    );
    assert_eq!(pruned["actor"], "system");
    let connection = rusqlite::Connection::open(&db).unwrap();
    let old = || -> i64 {
        let sql = "SELECT count(*) FROM messages WHERE seq <= 1200";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // The rows go a few at a time, while there is something else to do as well.
    let deadline = std::time::Instant::now() + coordhub_harness::WAIT_MAX;
    while old() > 0 {
        assert!(std::time::Instant::now() < deadline, "{} rows are still there", old());
        hub.say("a", "technical", "more to do").await;
    }
    let recent = hub.get_ok("/messages/recent?channel=general&limit=1000").await;
    assert_eq!(recent["count"], 1, "{recent}");
    assert_eq!(hub.get_ok("/messages/search?q=old").await["count"], 0);
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let (_folder, folder) = folder();
    let db = folder.join("hub.db");
    let mut hub = lived_in(HubOptions::default().db(&db)).await;
    let doctor = |name: &str| {
        let output = coordhub(&folder, &["doctor", "--json", "--db", name]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), found["well"] == true, "{found}");
        found
    };
    let finding = |found: &Value, check: &str| -> Value {
        let all = found["findings"].as_array().unwrap().iter();
        all.clone()
            .find(|one| one["check"] == check)
            .unwrap_or_else(|| panic!("{check}: {found}"))
            .clone()
    };
    let beside = doctor("hub.db");
    let lock = finding(&beside, "lock");
    assert!(lock["found"].as_str().unwrap().contains(&hub.pid().to_string()), "{lock}");
    for check in ["file", "pages", "state", "modes", "clock", "index", "disk", "writable"] {
        assert_eq!(finding(&beside, check)["health"], "ok", "{beside}");
    }
    assert_eq!(hub.terminate().code(), Some(0));
    let before = fs::read(&db).unwrap();
    let lines = done(&coordhub(&folder, &["doctor", "--db", "hub.db"]));
    assert!(
        lines.lines().count() >= 9 && lines.lines().all(|line| line.starts_with("ok ")),
        "{lines}"
    );
    assert!(fs::read(&db).unwrap() == before, "the doctor changes nothing");
    assert!(!folder.join("hub.db-wal").exists());

    let damaged = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = before.clone();
        change(&mut bytes);
        fs::write(folder.join(name), bytes).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        doctor(name)
    };
    let found = damaged("page.db", &|bytes| {
        let half = bytes.len() / 2 / 4_096 * 4_096;
        bytes[half..half + 4_096].fill(0xA5);
    });
    assert_eq!(found["well"], false, "{found}");
    assert!(found.to_string().contains("coordhub restore"), "{found}");
    let found = damaged("short.db", &|bytes| bytes.truncate(bytes.len() - 4_096));
    assert_eq!(finding(&found, "file")["health"], "bad", "{found}");
    let found = damaged("text.db", &|bytes| *bytes = b"Dear diary".to_vec());
    assert!(
        finding(&found, "file")["found"].as_str().unwrap().contains("not a coordination hub"),
        "{found}"
    );
    assert_eq!(finding(&doctor("nothing.db"), "file")["health"], "bad");

    // What a hub can live with is a warning.
    fs::set_permissions(&db, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.join("hub.db.search"), "no index").unwrap();
    let connection = rusqlite::Connection::open(&db).unwrap();
    connection
        .execute(
            "UPDATE meta SET value = CAST(value AS INTEGER) + 864000000 WHERE key = 'hub_time'",
            [],
        )
        .unwrap();
    connection
        .execute("UPDATE events SET seq = seq + 100 WHERE seq = (SELECT max(seq) FROM events)", [])
        .unwrap();
    drop(connection);
    let found = doctor("hub.db");
    for (check, health) in
        [("modes", "warning"), ("index", "warning"), ("clock", "warning"), ("state", "bad")]
    {
        assert_eq!(finding(&found, check)["health"], health, "{found}");
        assert!(finding(&found, check)["advice"].is_string(), "{found}");
    }

    let output = command(&folder, &["doctor", "--json"])
        .env("COORDHUB_BIND", "0.0.0.0:1")
        .env("COORDHUB_DBB", "x")
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(finding(&found, "network")["health"], "bad", "{found}");
    assert!(
        finding(&found, "options")["found"].as_str().unwrap().contains("COORDHUB_DBB"),
        "{found}"
    );
}
