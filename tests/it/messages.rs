//! Messages: sending, reading back, threads, inbox, read cursors, channels, and who may see what.

use coordhub_harness::{Hub, Request};
use serde_json::{Value, json};

use crate::support::{MESSAGE, contents, has_members, hub_with_everyone, is_time, rows, seq};

fn id(reply: &Value) -> String {
    reply["message_id"].as_str().expect("a message_id").to_owned()
}

#[tokio::test]
async fn send_and_read_back() {
    let hub = Hub::new();
    let text = "quotes \" and \\ and\nlines\tand \u{1} and é 🚨 \u{202e}";
    let reply = hub.post_ok("/messages/send", json!({ "from_entity": "a", "content": text })).await;
    assert_eq!(reply["status"], "sent");
    has_members(&reply, "message_id seq timestamp recipients");
    is_time(&reply["timestamp"]);
    let message = hub.get_ok(&format!("/messages/{}", id(&reply))).await;
    has_members(&message, MESSAGE);
    assert_eq!(message["content"], text);
    assert_eq!(
        (&message["channel"], &message["message_type"]),
        (&json!("general"), &json!("text"))
    );
    assert_eq!((&message["to_entity"], &message["from_entity"]), (&json!(null), &json!("a")));
    assert_eq!((&message["seq"], &message["message_id"]), (&reply["seq"], &reply["message_id"]));
    is_time(&message["metadata"]["timestamp"]);
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(rows(&recent, "messages"), [message]);
    hub.get("/messages/msg-none").await.refusal(404);
}

#[tokio::test]
async fn fields_of_a_message() {
    let hub = Hub::new();
    hub.post("/messages/send", json!({ "from_entity": "a" })).await.wrong_field("content");
    for (field, value) in [
        ("content", json!(1)),
        ("channel", json!(1)),
        ("metadata", json!([])),
        ("metadata", json!("text")),
        ("message_type", json!(1)),
        ("from_entity", json!({})),
        ("to_entity", json!(7)),
        ("content", json!("c".repeat((256 << 10) + 1))),
    ] {
        let mut body = json!({ "from_entity": "a", "content": "c" });
        body[field] = value;
        let refused = hub.post("/messages/send", body).await;
        match refused.status {
            413 => drop(refused.refusal(413)),
            _ => drop(refused.wrong_field(field)),
        }
    }
    let body = json!({ "from_entity": "a", "content": "c", "message_type": "my_kind", "metadata": { "timestamp": "mine" } });
    let message =
        hub.get_ok(&format!("/messages/{}", id(&hub.post_ok("/messages/send", body).await))).await;
    assert_eq!(
        (&message["message_type"], &message["metadata"]["timestamp"]),
        (&json!("my_kind"), &json!("mine"))
    );
    for reserved in ["task_created", "task_x", "proposal_decided", "question_asked", "system_event"]
    {
        let body = json!({ "from_entity": "a", "content": "c", "message_type": reserved });
        hub.post("/messages/send", body).await.problem(403, "reserved_type");
    }
    let body = json!({ "from_entity": "a", "content": "c", "metadata": { "hub": {} } });
    hub.post("/messages/send", body).await.problem(403, "reserved_type");
}

#[tokio::test]
async fn channel_names() {
    let hub = Hub::new();
    let send = |channel: &str| json!({ "from_entity": "a", "channel": channel, "content": "c" });
    for channel in
        ["general", "technical", "strategic", "urgent", "new", "a.b_c-d", "0", &"x".repeat(64)]
    {
        hub.post_ok("/messages/send", send(channel)).await;
    }
    for channel in ["", "A", "-a", ".a", "a b", "a/b", "é", &"x".repeat(65)] {
        hub.post("/messages/send", send(channel)).await.wrong_field("channel");
    }
    for (near, right) in [
        ("AI-only", "ai-only"),
        ("ai_only", "ai-only"),
        ("human.only", "human-only"),
        ("General", "general"),
        ("aionly", "ai-only"),
    ] {
        let problem = hub.post("/messages/send", send(near)).await.wrong_field("channel");
        assert!(problem["detail"].as_str().unwrap().contains(right), "{problem}");
    }
}

#[tokio::test]
async fn recent_pages_in_both_directions() {
    let hub = Hub::new();
    let mut seqs = Vec::new();
    for number in 0..6 {
        seqs.push(hub.say("a", "general", &format!("g{number}")).await);
        hub.say("a", "technical", &format!("t{number}")).await;
    }
    for (query, expected) in [
        ("channel=general&limit=2".to_owned(), &["g4", "g5"][..]),
        ("limit=3".into(), &["t4", "g5", "t5"]),
        (format!("channel=general&limit=2&before={}", seqs[4]), &["g2", "g3"]),
        (format!("channel=general&limit=2&after={}", seqs[1]), &["g2", "g3"]),
        (format!("channel=general&after={}", seqs[5]), &[]),
        (format!("channel=general&before={}", seqs[0]), &[]),
        ("channel=never-used".into(), &[]),
    ] {
        assert_eq!(contents(&hub, &format!("/messages/recent?{query}")).await, expected, "{query}");
    }
    let mut after = json!(0);
    let mut seen = 0;
    for _ in 0..5 {
        let page = hub.get_ok(&format!("/messages/recent?limit=3&after={after}")).await;
        seen += rows(&page, "messages").len();
        after = page["next"].clone();
    }
    assert_eq!(seen, 12, "`next` given as `after` walks through everything once");
}

#[tokio::test]
async fn fifty_is_the_default_limit() {
    let hub = Hub::new();
    for number in 0..51 {
        hub.say("a", "general", &number.to_string()).await;
    }
    let recent = contents(&hub, "/messages/recent").await;
    assert_eq!((recent.len(), recent[0].as_str(), recent[49].as_str()), (50, "1", "50"));
}

#[tokio::test]
async fn a_direct_message_is_seen_by_two() {
    let hub = hub_with_everyone().await;
    let sent = hub
        .post_ok(
            "/messages/send",
            json!({ "from_entity": "ai", "to_entity": "anna", "content": "secret" }),
        )
        .await;
    let path = format!("/messages/{}", id(&sent));
    for reader in ["ai", "anna"] {
        let message = hub.get_ok(&format!("{path}?entity_id={reader}")).await;
        assert_eq!((&message["channel"], &message["to_entity"]), (&json!(null), &json!("anna")));
    }
    for reader in ["?entity_id=session", "?entity_id=backup", "?entity_id=stranger", ""] {
        hub.get(&format!("{path}{reader}")).await.refusal(404);
    }
    for reader in ["ai", "anna", "session"] {
        assert!(contents(&hub, &format!("/messages/recent?entity_id={reader}")).await.is_empty());
    }
    assert_eq!(contents(&hub, "/messages/recent?entity_id=anna&with=ai").await, ["secret"]);
    assert_eq!(contents(&hub, "/messages/recent?entity_id=ai&with=anna").await, ["secret"]);
    assert!(contents(&hub, "/messages/recent?entity_id=session&with=anna").await.is_empty());
    assert_eq!(contents(&hub, "/messages/for/anna?direct=true").await, ["secret"]);
    assert!(contents(&hub, "/messages/for/session").await.is_empty());

    let stranger = json!({ "from_entity": "ai", "to_entity": "stranger", "content": "c" });
    hub.post("/messages/send", stranger.clone()).await.problem(404, "unknown_recipient");
    let _socket = hub.socket("/ws/stranger").await;
    hub.post_ok("/messages/send", stranger).await;
}

#[tokio::test]
async fn replies_stay_in_their_thread() {
    let hub = hub_with_everyone().await;
    let parent = hub
        .post_ok(
            "/messages/send",
            json!({ "from_entity": "ai", "channel": "technical", "content": "1" }),
        )
        .await;
    let reply = |parent: &str, channel: &str| json!({ "from_entity": "anna", "channel": channel, "content": "2", "reply_to": parent });
    let first = hub.post_ok("/messages/send", reply(&id(&parent), "technical")).await;
    let second = hub.post_ok("/messages/send", reply(&id(&first), "technical")).await;
    let mut threads = Vec::new();
    for message in [&parent, &first, &second] {
        threads.push(hub.get_ok(&format!("/messages/{}", id(message))).await["thread_id"].clone());
    }
    assert!(threads[1].is_string() && threads[1] == threads[2], "{threads:?}");
    let thread = format!("/messages/recent?thread_id={}", threads[1].as_str().unwrap());
    let in_thread = contents(&hub, &thread).await;
    assert!(in_thread.ends_with(&["2".into(), "2".into()]), "{in_thread:?}");

    hub.post("/messages/send", reply(&id(&parent), "general")).await.refusal(422);
    hub.post("/messages/send", reply("msg-none", "technical")).await.refusal(404);
    let hidden = hub
        .post_ok(
            "/messages/send",
            json!({ "from_entity": "ai", "channel": "ai-only", "content": "h" }),
        )
        .await;
    hub.post("/messages/send", reply(&id(&hidden), "ai-only")).await.refusal(404);
    let direct = hub
        .post_ok(
            "/messages/send",
            json!({ "from_entity": "ai", "to_entity": "session", "content": "d" }),
        )
        .await;
    hub.post("/messages/send", json!({ "from_entity": "anna", "to_entity": "ai", "content": "x", "reply_to": id(&direct) }))
        .await
        .refusal(404);
    hub.post("/messages/send", json!({ "from_entity": "session", "to_entity": "anna", "content": "x", "reply_to": id(&direct) }))
        .await
        .refusal(422);
    hub.post_ok("/messages/send", json!({ "from_entity": "session", "to_entity": "ai", "content": "x", "reply_to": id(&direct) }))
        .await;
}

#[tokio::test]
async fn who_reads_and_who_posts() {
    let hub = hub_with_everyone().await;
    let everyone = ["ai", "session", "anna", "backup", "stranger"];
    for (channel, posters, readers) in [
        ("general", &everyone[..], &everyone[..]),
        ("technical", &everyone, &everyone),
        ("strategic", &everyone, &everyone),
        ("made-up", &everyone, &everyone),
        ("urgent", &everyone, &everyone),
        ("ai-only", &["ai", "session", "backup"], &["ai", "session", "backup"]),
        ("human-only", &["anna"], &everyone),
    ] {
        for poster in everyone {
            let body = json!({ "from_entity": poster, "channel": channel, "content": format!("{channel} by {poster}") });
            let response = hub.post("/messages/send", body).await;
            if posters.contains(&poster) {
                response.ok();
            } else {
                response.refusal(403);
            }
        }
        let sample = sample_of(&hub, channel, readers[0]).await;
        for reader in everyone {
            let listed =
                contents(&hub, &format!("/messages/recent?channel={channel}&entity_id={reader}"))
                    .await;
            let all =
                contents(&hub, &format!("/messages/recent?limit=1000&entity_id={reader}")).await;
            let by_id = hub.get(&format!("/messages/{sample}?entity_id={reader}")).await;
            let may_read = readers.contains(&reader);
            assert_eq!(
                listed.len(),
                if may_read { posters.len() } else { 0 },
                "{channel} as {reader}"
            );
            assert_eq!(
                all.iter().any(|content| content.starts_with(channel)),
                may_read,
                "{channel} as {reader}"
            );
            assert_eq!(by_id.status, if may_read { 200 } else { 404 }, "{channel} as {reader}");
        }
    }
    assert!(
        contents(&hub, "/messages/recent?channel=ai-only").await.is_empty(),
        "nobody sees nothing"
    );
    let inbox = contents(&hub, "/messages/for/anna?limit=1000").await;
    assert!(!inbox.iter().any(|content| content.starts_with("ai-only")), "{inbox:?}");
    let channels = hub.get_ok("/channels?entity_id=anna").await.to_string();
    assert!(!channels.contains("ai-only by"), "{channels}");
}

async fn sample_of(hub: &Hub, channel: &str, reader: &str) -> String {
    let list =
        hub.get_ok(&format!("/messages/recent?channel={channel}&limit=1&entity_id={reader}")).await;
    id(&rows(&list, "messages")[0])
}

#[tokio::test]
async fn inbox_unread_and_cursors() {
    let hub = hub_with_everyone().await;
    let first = hub.say("ai", "general", "g1").await;
    hub.say("ai", "urgent", "u1").await;
    hub.post_ok(
        "/messages/send",
        json!({ "from_entity": "ai", "to_entity": "anna", "content": "d1" }),
    )
    .await;
    hub.say("anna", "general", "own").await;
    let last = hub.say("ai", "general", "g2").await;

    let inbox = "/messages/for/anna";
    assert_eq!(contents(&hub, inbox).await, ["g1", "u1", "d1", "g2"], "of others, oldest first");
    assert_eq!(contents(&hub, "/messages/for/anna?limit=2").await, ["d1", "g2"], "the newest");
    assert_eq!(contents(&hub, &format!("{inbox}?after={first}&limit=2")).await, ["u1", "d1"]);
    let unread = "/messages/for/anna?unread=true";
    assert_eq!(
        contents(&hub, &format!("{unread}&limit=2")).await,
        ["g1", "u1"],
        "the oldest unread first"
    );
    assert_eq!(contents(&hub, unread).await.len(), 4, "reading never marks read");

    let ack = |body: Value| hub.post("/messages/for/anna/ack", body);
    ack(json!({ "up_to": first, "channel": "general" })).await.ok();
    assert_eq!(contents(&hub, unread).await, ["u1", "d1", "g2"]);
    ack(json!({ "up_to": last, "direct": true })).await.ok();
    assert_eq!(contents(&hub, unread).await, ["u1", "g2"]);
    ack(json!({ "up_to": 1, "channel": "general" })).await.ok();
    assert_eq!(contents(&hub, unread).await, ["u1", "g2"], "a cursor never goes back");
    ack(json!({ "up_to": last })).await.ok();
    assert!(contents(&hub, unread).await.is_empty());
    hub.say("ai", "general", "g3").await;
    assert_eq!(contents(&hub, unread).await, ["g3"]);

    // Far past the head: whether it is refused or cut to the head, what comes later is unread.
    let beyond = ack(json!({ "up_to": last + 1000 })).await;
    assert!(matches!(beyond.status, 200 | 422), "{}", beyond.text());
    hub.say("ai", "general", "g4").await;
    assert!(contents(&hub, unread).await.contains(&"g4".to_owned()));
    ack(json!({})).await.wrong_field("up_to");
    ack(json!({ "up_to": "x" })).await.wrong_field("up_to");
}

#[tokio::test]
async fn cursors_start_at_registration() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.say("ai", "general", "before").await;
    hub.register("anna", "human").await;
    hub.say("ai", "general", "after").await;
    assert_eq!(contents(&hub, "/messages/for/anna?unread=true").await, ["after"]);
}

#[tokio::test]
async fn channels_count_what_is_unread() {
    let hub = hub_with_everyone().await;
    hub.say("ai", "general", "1").await;
    hub.say("ai", "general", "2").await;
    hub.say("ai", "made-up", "3").await;
    let list = hub.get_ok("/channels?entity_id=anna").await;
    let channels = rows(&list, "channels");
    let named = |name: &str| {
        channels.iter().find(|channel| channel["channel"] == name || channel["name"] == name)
    };
    for channel in ["general", "technical", "strategic", "urgent", "human-only", "made-up"] {
        assert!(named(channel).is_some(), "{channel} in {list}");
    }
    assert_eq!(named("general").unwrap()["unread"], 2, "{list}");
    assert_eq!(named("made-up").unwrap()["unread"], 1, "{list}");
}

#[tokio::test]
async fn recipients_say_who_is_there() {
    let hub = hub_with_everyone().await;
    let direct = json!({ "from_entity": "ai", "to_entity": "anna", "content": "c" });
    let reply = hub.post_ok("/messages/send", direct).await;
    assert_eq!(
        (&reply["recipients"]["online"], &reply["recipients"]["offline"]),
        (&json!(1), &json!(0)),
        "{reply}"
    );
}

#[tokio::test]
async fn notices_are_shown_where_asked_for() {
    let hub = Hub::new();
    let created = hub.post_ok("/tasks/create", json!({ "title": "look here" })).await;
    assert!(contents(&hub, "/messages/recent").await.is_empty());
    let list = hub.get_ok("/messages/recent?notices=true").await;
    let notice = rows(&list, "messages")
        .iter()
        .find(|message| message["message_type"] == "task_created")
        .cloned();
    let notice = notice.unwrap_or_else(|| panic!("no task_created in {list}"));
    assert_eq!(notice["message_id"], format!("evt-{}", seq(&created)));
    assert_eq!((&notice["from_entity"], &notice["channel"]), (&json!("system"), &json!("general")));
    assert_eq!(notice["content"], "New task: look here");
    assert_eq!(notice["metadata"]["task_id"], created["task_id"]);
    hub.register("anna", "human").await;
    hub.task("another").await;
    assert!(
        contents(&hub, "/messages/for/anna?unread=true").await.is_empty(),
        "never in the inbox"
    );
    hub.send(Request::get("/messages/recent?notices=maybe")).await.wrong_field("notices");
}
