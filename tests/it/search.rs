//! Searching messages: words, phrases and pages, who finds what, and what becomes of an index that is lost or damaged.

use std::fs;
use std::path::PathBuf;

use coordhub_harness::{Hub, HubOptions, encode};
use serde_json::{Value, json};

use crate::support::{MESSAGE, contents, has_members, hub_with_everyone, indexed, rows, seq};

fn path(q: &str) -> String {
    format!("/messages/search?q={}", encode(q))
}

async fn found(hub: &Hub, q: &str) -> Vec<String> {
    contents(hub, &path(q)).await
}

/// The file of the hub's index.
fn index(hub: &Hub) -> PathBuf {
    let mut name = hub.db_path().as_os_str().to_owned();
    name.push(".search");
    name.into()
}

#[tokio::test]
async fn words_and_phrases() {
    let hub = Hub::new();
    for content in [
        "API endpoints ready at localhost:8401",
        "The endpoints of the API are not ready",
        "Ünïcödé: naïve façade, Straße",
        "明日は東京都に行く",
        "task_created by session-5",
    ] {
        hub.say("a", "general", content).await;
    }
    indexed(&hub).await;
    for (q, expected) in [
        (
            "ready",
            &["The endpoints of the API are not ready", "API endpoints ready at localhost:8401"][..],
        ),
        (
            "READY api",
            &["The endpoints of the API are not ready", "API endpoints ready at localhost:8401"],
        ),
        ("ready localhost", &["API endpoints ready at localhost:8401"]),
        ("\"api endpoints\"", &["API endpoints ready at localhost:8401"]),
        ("\"endpoints ready\" 8401", &["API endpoints ready at localhost:8401"]),
        ("localhost:8401", &["API endpoints ready at localhost:8401"]),
        ("\"ready endpoints\"", &[]),
        ("read", &[]),
        ("unicode NAIVE \"facade strasse\"", &["Ünïcödé: naïve façade, Straße"]),
        ("東京", &["明日は東京都に行く"]),
        ("都に", &["明日は東京都に行く"]),
        ("京東", &[]),
        ("created", &["task_created by session-5"]),
        ("task_created", &["task_created by session-5"]),
        ("created_task", &[]),
    ] {
        assert_eq!(found(&hub, q).await, expected, "{q}");
    }
}

#[tokio::test]
async fn messages_are_as_everywhere() {
    let hub = Hub::new();
    let at = hub.say("a", "technical", "find me").await;
    indexed(&hub).await;
    let list = hub.get_ok(&path("find")).await;
    let row = &rows(&list, "messages")[0];
    has_members(row, MESSAGE);
    assert_eq!(seq(row), at);
    let id = row["message_id"].as_str().unwrap();
    assert_eq!(row, &hub.get_ok(&format!("/messages/{id}")).await);
    assert_eq!((&list["next"], &list["indexed_up_to"]), (&json!(0), &json!(at)));
}

#[tokio::test]
async fn nothing_in_q_is_an_operator() {
    let hub = Hub::new();
    hub.say("a", "general", "a b c and near column body").await;
    indexed(&hub).await;
    for (q, count) in [
        ("a AND b", 1),
        ("a OR b", 0),
        ("NOT a", 0),
        ("a*", 1),
        ("bod*", 0),
        ("^a", 1),
        ("-a", 1),
        ("body:a", 0),
        ("{column} : a", 1),
        ("NEAR(a, 5)", 0),
        ("a' b; --", 1),
        ("%", 422),
        ("*", 422),
        ("()", 422),
        ("", 422),
        (" ", 422),
        ("\"\"", 422),
        ("\"", 422),
        ("\"a", 422),
        ("a\" b", 422),
        ("a \"b\" \"c", 422),
        (&"w ".repeat(33), 422),
        ("🚨", 422),
    ] {
        let response = hub.get(&path(q)).await;
        match count {
            422 => drop(response.wrong_field("q")),
            _ => assert_eq!(rows(&response.ok(), "messages").len(), count, "{q}"),
        }
    }
    hub.get("/messages/search").await.wrong_field("q");
    for (field, value) in
        [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("before", "-1"), ("channel", "A")]
    {
        hub.get(&format!("/messages/search?q=a&{field}={value}")).await.wrong_field(field);
    }
}

#[tokio::test]
async fn pages_and_channels() {
    let hub = Hub::new();
    for number in 0..60 {
        let channel = if number % 3 == 0 { "technical" } else { "general" };
        hub.say("a", channel, &format!("word {number}")).await;
    }
    hub.task("a word in a task").await;
    indexed(&hub).await;
    assert_eq!(found(&hub, "word").await.len(), 50);
    let mut seen: Vec<Value> = Vec::new();
    let mut before = json!(1_000);
    while before != json!(0) {
        let page = hub.get_ok(&format!("/messages/search?q=word&limit=7&before={before}")).await;
        seen.extend_from_slice(rows(&page, "messages"));
        before = page["next"].clone();
    }
    let contents: Vec<_> = seen.iter().map(|message| message["content"].clone()).collect();
    let expected: Vec<_> = (0..60).rev().map(|number| json!(format!("word {number}"))).collect();
    assert_eq!(contents, expected, "`next` given as `before` walks through everything once");
    for (channel, count) in
        [("technical", 20), ("general", 40), ("strategic", 0), ("never-used", 0)]
    {
        let path = format!("/messages/search?q=word&limit=1000&channel={channel}");
        assert_eq!(rows(&hub.get_ok(&path).await, "messages").len(), count, "{channel}");
    }
}

#[tokio::test]
async fn who_finds_what() {
    let hub = hub_with_everyone().await;
    hub.say("ai", "ai-only", "word hidden").await;
    hub.say("ai", "general", "word public").await;
    let direct = json!({ "from_entity": "ai", "to_entity": "anna", "content": "word direct" });
    hub.post_ok("/messages/send", direct).await;
    indexed(&hub).await;
    for (reader, on, expected) in [
        ("anna", "", &["word direct", "word public"][..]),
        ("session", "", &["word public", "word hidden"]),
        ("ai", "", &["word direct", "word public", "word hidden"]),
        ("stranger", "", &["word public"]),
        ("", "", &["word public"]),
        ("session", "ai-only", &["word hidden"]),
        ("anna", "ai-only", &[]),
        ("", "ai-only", &[]),
        ("anna", "general", &["word public"]),
    ] {
        let named = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!("&{name}={value}"),
        };
        let path = format!(
            "/messages/search?q=word{}{}",
            named("entity_id", reader),
            named("channel", on)
        );
        assert_eq!(contents(&hub, &path).await, expected, "{reader} on {on}");
    }
}

#[tokio::test]
async fn what_was_redacted_is_found_no_more() {
    let hub = Hub::new();
    hub.say("a", "general", "word kept").await;
    let secret = json!({ "from_entity": "a", "content": "word secret" });
    let sent = hub.post_ok("/messages/send", secret).await;
    indexed(&hub).await;
    assert_eq!(found(&hub, "word").await, ["word secret", "word kept"]);
    let id = sent["message_id"].as_str().unwrap();
    hub.post_ok(&format!("/messages/{id}/redact"), json!({ "entity_id": "a" })).await;
    indexed(&hub).await;
    assert_eq!(found(&hub, "word").await, ["word kept"]);
    assert!(found(&hub, "secret").await.is_empty());
}

#[tokio::test]
async fn notices_are_not_found() {
    let hub = Hub::new();
    hub.task("notable").await;
    hub.say("a", "general", "notable").await;
    indexed(&hub).await;
    let all = hub.get_ok("/messages/recent?notices=true").await;
    assert_eq!(rows(&all, "messages").len(), 2);
    assert_eq!(rows(&hub.get_ok(&path("notable")).await, "messages").len(), 1);
}

#[tokio::test]
async fn an_index_that_is_lost_or_damaged_comes_back() {
    let mut hub = Hub::start(HubOptions::default().arg("--monitor").arg("127.0.0.1:0"));
    for number in 0..20 {
        hub.say("a", "general", &format!("word {number}")).await;
    }
    indexed(&hub).await;
    let metrics = hub.metrics().await;
    assert_eq!(metrics.get("coordhub_indexed_seq", ""), 20.0);
    assert!(metrics.get("coordhub_index_bytes", "") > 0.0);
    assert!(hub.terminate().success());
    let saved = fs::metadata(index(&hub)).unwrap().len();
    assert!(saved > 0);

    hub.restart();
    indexed(&hub).await;
    assert_eq!(found(&hub, "word").await.len(), 20);
    // Killed, it has not saved what came last; it reads that again.
    hub.say("a", "general", "word 20").await;
    hub.kill9();
    hub.restart();
    indexed(&hub).await;
    assert_eq!(found(&hub, "word").await.len(), 21);

    let damages: [&dyn Fn(&PathBuf); 3] = [
        &|file| fs::remove_file(file).unwrap(),
        &|file| {
            fs::write(file, "no index at all, and long enough to be a header of a database")
                .unwrap()
        },
        &|file| fs::write(file, vec![0xa5; 100_000]).unwrap(),
    ];
    for damage in damages {
        assert!(hub.terminate().success());
        damage(&index(&hub));
        hub.restart();
        indexed(&hub).await;
        assert_eq!(found(&hub, "word").await.len(), 21);
        assert_eq!(found(&hub, "\"word 7\"").await, ["word 7"]);
    }
}

#[tokio::test]
async fn a_hub_whose_index_cannot_be_made_works_without() {
    let hub = Hub::new();
    let folder = hub.home().join("other");
    fs::create_dir(&folder).unwrap();
    // What stands in the place of the index is no file, and is not removed.
    fs::create_dir_all(folder.join("hub.db.search").join("in-the-way")).unwrap();
    let hub = Hub::start(HubOptions::default().db(folder.join("hub.db")));
    hub.say("a", "general", "word").await;
    assert_eq!(contents(&hub, "/messages/recent").await, ["word"]);
    let mut response = hub.get(&path("word")).await;
    // Until it has tried to open it, it is only behind.
    while response.status == 200 {
        response = hub.get(&path("word")).await;
    }
    response.problem(503, "unavailable");
}
