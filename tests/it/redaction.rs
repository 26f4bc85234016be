//! Removing what a message says: who may, where it is gone, and what stays.

use coordhub_harness::{Hub, Request, Response};
use serde_json::{Value, json};

use crate::support::{
    MESSAGE, event_after, has_members, head, hub_with_everyone, is_time, rows, seq,
};

/// Stands in what is removed.
const WORD: &str = "xyzzyplugh";

async fn redact(hub: &Hub, message: &str, entity: &str) -> Response {
    hub.post(&format!("/messages/{message}/redact"), json!({ "entity_id": entity })).await
}

/// Sends as `ai` something with the word in it, and gives the id.
async fn send(hub: &Hub, fields: Value) -> String {
    let sent = hub.post_ok("/messages/send", saying_the_word(fields)).await;
    sent["message_id"].as_str().unwrap().to_owned()
}

fn saying_the_word(mut fields: Value) -> Value {
    fields["from_entity"] = json!("ai");
    fields["content"] = json!(format!("{WORD} content"));
    fields["metadata"] = json!({ "key": WORD, WORD: 1 });
    fields
}

#[tokio::test]
async fn a_message_is_redacted_by_its_sender_or_a_human() {
    let hub = hub_with_everyone().await;
    for (to, may, may_not_read) in [
        (json!({}), &["ai", "anna"][..], &[][..]),
        (json!({ "channel": "ai-only" }), &["ai"], &["anna", "stranger"]),
        (json!({ "to_entity": "anna" }), &["ai", "anna"], &["session", "backup", "stranger"]),
        (json!({ "to_entity": "session" }), &["ai"], &["anna", "backup", "stranger"]),
    ] {
        for entity in ["session", "backup", "stranger", "anna", "ai"] {
            let message = send(&hub, to.clone()).await;
            let before = head(&hub).await;
            let response = redact(&hub, &message, entity).await;
            if may.contains(&entity) {
                let redacted = response.ok();
                assert_eq!(
                    (&redacted["status"], &redacted["message_id"], seq(&redacted)),
                    (&json!("redacted"), &json!(message), before + 1)
                );
                continue;
            }
            response.refusal(if may_not_read.contains(&entity) { 404 } else { 403 });
            let kept = hub.get_ok(&format!("/messages/{message}?entity_id=ai")).await;
            assert!(kept["content"].as_str().unwrap().contains(WORD), "{to} by {entity}: {kept}");
        }
    }
    redact(&hub, "msg-none", "anna").await.refusal(404);
    let message = send(&hub, json!({})).await;
    hub.post(&format!("/messages/{message}/redact"), json!({})).await.problem(403, "caller_needed");
}

#[tokio::test]
async fn that_it_existed_stays() {
    let hub = hub_with_everyone().await;
    let parent = send(&hub, json!({ "channel": "technical" })).await;
    let fields = json!({ "channel": "technical", "reply_to": parent, "message_type": "alert", "ack_required": true });
    let message = send(&hub, fields).await;
    let path = format!("/messages/{message}");
    let before = hub.get_ok(&path).await;
    let redacted = redact(&hub, &message, "anna").await.ok();
    let mut after = hub.get_ok(&path).await;
    has_members(&after, MESSAGE);
    let about = after["metadata"]["hub"].clone();
    assert_eq!(about["redacted_by"], "anna");
    is_time(&about["redacted_at"]);
    assert_eq!(after["content"], "");
    assert!(!after.to_string().contains(WORD), "{after}");
    for (gone, was) in [("content", &before["content"]), ("metadata", &before["metadata"])] {
        after[gone] = was.clone();
    }
    assert_eq!(after, before, "nothing else of it changed");
    assert_eq!(rows(&hub.get_ok("/messages/recent").await, "messages").len(), 2);
    assert_eq!(
        hub.get_ok(&format!("{path}/receipts")).await["recipients"].as_array().unwrap().len(),
        3
    );

    let event = event_after(&hub, seq(&redacted) - 1, "message_redacted").await;
    assert_eq!((seq(&event), &event["actor"]), (seq(&redacted), &json!("anna")));
    let data = &event["data"];
    assert_eq!(
        (&data["message_id"], &data["message_seq"], &data["channel"], &data["from_entity"]),
        (&json!(message), &before["seq"], &json!("technical"), &json!("ai"))
    );
    assert_eq!(data["metadata"]["hub"], about);
}

#[tokio::test]
async fn redacting_again_changes_nothing() {
    let mut hub = hub_with_everyone().await;
    let message = send(&hub, json!({})).await;
    let first = redact(&hub, &message, "ai").await.ok();
    assert!(first.get("already").is_none(), "{first}");
    let path = format!("/messages/{message}");
    let shown = hub.get_ok(&path).await;
    for _ in 0..2 {
        let before = head(&hub).await;
        for entity in ["anna", "ai"] {
            assert_eq!(redact(&hub, &message, entity).await.ok()["already"], true);
        }
        redact(&hub, &message, "session").await.refusal(403);
        assert_eq!((head(&hub).await, hub.get_ok(&path).await), (before, shown.clone()));
        hub.kill9();
        hub.restart();
    }
}

/// A hub with a message of each sort, all saying the word, and their ids.
async fn told() -> (Hub, Vec<String>) {
    let hub = hub_with_everyone().await;
    let mut messages = Vec::new();
    let parent = send(&hub, json!({ "channel": "technical" })).await;
    for fields in [
        json!({}),
        json!({ "channel": "technical", "reply_to": parent }),
        json!({ "channel": "ai-only" }),
        json!({ "channel": "urgent", "ack_required": true, "task": { "title": "t" } }),
        json!({ "channel": "made-up", "ack_required": true }),
        json!({ "to_entity": "anna" }),
        json!({ "to_entity": "anna", "ack_required": true, "ack_deadline": "2999-01-01T00:00:00Z" }),
        json!({ "to_entity": "session" }),
    ] {
        messages.push(send(&hub, fields).await);
    }
    messages.insert(0, parent);
    let keyed = saying_the_word(json!({ "channel": "strategic" }));
    let sent = hub.send(keyed_request(&keyed)).await.ok();
    messages.push(sent["message_id"].as_str().unwrap().to_owned());
    (hub, messages)
}

/// A send under an idempotency key, to be asked for again.
fn keyed_request(body: &Value) -> Request {
    Request::post("/messages/send").header("Idempotency-Key", "once").json(body)
}

/// Everything that any of the readers is shown anywhere, by where it was.
async fn everything(hub: &Hub, messages: &[String]) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for reader in ["ai", "session", "anna", "backup", "stranger"] {
        let mut paths: Vec<String> = [
            "/messages/recent?limit=1000",
            "/messages/recent?limit=1000&notices=true",
            "/messages/recent?limit=1000&after=0",
            "/messages/recent?before=1000000",
            "/messages/recent?channel=general",
            "/messages/recent?channel=technical",
            "/messages/recent?channel=ai-only",
            "/messages/recent?channel=urgent&after=0",
            "/messages/recent?channel=made-up",
            "/messages/recent?with=ai",
            "/messages/recent?with=anna",
            "/messages/recent?with=session",
            "/channels",
            "/events?since=0",
            "/events?since=0&kinds=message_sent",
            "/tasks/list",
        ]
        .map(str::to_owned)
        .into();
        for message in messages {
            paths.push(format!("/messages/{message}"));
            paths.push(format!("/messages/{message}/receipts"));
            paths.push(format!("/messages/recent?thread_id={message}"));
        }
        for query in ["limit=1000", "unread=true", "direct=true", "after=0"] {
            paths.push(format!("/messages/for/{reader}?{query}"));
        }
        if reader != "stranger" {
            paths.push(format!("/entities/{reader}/attention"));
        }
        let mut client = hub.client().await;
        for path in paths {
            let request = Request::get(&path).header("X-Entity-Id", reader);
            shown.push((format!("{path} as {reader}"), client.send(request).await.text()));
        }
        shown.push((format!("stream as {reader}"), stream_since_0(hub, reader).await));
        shown.push((format!("socket as {reader}"), socket_since_0(hub, reader).await));
    }
    shown
}

async fn stream_since_0(hub: &Hub, reader: &str) -> String {
    let last = head(hub).await;
    let mut stream = hub.stream(&format!("/events/stream?since=0&entity_id={reader}")).await;
    hub.say("backup", "general", "end of the stream").await;
    let mut shown = String::new();
    loop {
        let event = stream.next().await.expect("an open stream");
        if event.data["seq"].as_u64() > Some(last) {
            return shown;
        }
        shown += &event.data.to_string();
    }
}

async fn socket_since_0(hub: &Hub, reader: &str) -> String {
    let channels = if matches!(reader, "anna" | "stranger") { "" } else { ",ai-only" };
    let path = format!(
        "/ws/{reader}?since=0&events=true&channels=general,technical,urgent,strategic,made-up{channels}"
    );
    let mut socket = hub.socket(&path).await;
    hub.say("backup", "general", "end of the socket").await;
    let (frames, _) = socket.before_content("end of the socket").await;
    Value::from(frames).to_string()
}

#[tokio::test]
async fn the_content_is_gone_from_everywhere_for_good() {
    let (mut hub, messages) = told().await;
    let before = everything(&hub, &messages).await;
    let saying = before.iter().filter(|(_, text)| text.contains(WORD)).count();
    assert!(saying > 50, "the word shows in {saying} places, or this test tells nothing");
    // A reader who has all of it open while it happens.
    let mut follower = hub.socket("/ws/session?events=true&channels=general,ai-only").await;
    follower.expect("unresolved").await;
    for message in &messages {
        redact(&hub, message, "ai").await.ok();
    }
    let nowhere = async |hub: &Hub, when: &str| {
        for (place, text) in everything(hub, &messages).await {
            assert!(!text.contains(WORD), "{when}, {place} shows it: {text}");
        }
        let keyed = saying_the_word(json!({ "channel": "strategic" }));
        let again = hub.send(keyed_request(&keyed)).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{when}");
        assert!(!again.ok().to_string().contains(WORD), "{when}: {}", again.text());
    };
    nowhere(&hub, "at once").await;
    hub.say("backup", "general", "end").await;
    let (frames, _) = follower.before_content("end").await;
    let told = frames.iter().filter(|frame| frame["kind"] == "message_redacted").count();
    assert!(told >= 8, "{told} of them are told to a session: {frames:?}");
    assert!(!Value::from(frames).to_string().contains(WORD));

    hub.kill9();
    hub.restart();
    nowhere(&hub, "after a kill").await;
    assert_eq!(hub.terminate().code(), Some(0));
    hub.restart();
    nowhere(&hub, "after a restart").await;
    assert_eq!(hub.terminate().code(), Some(0));
    let file = std::fs::read(hub.db_path()).unwrap();
    let found = file.windows(WORD.len()).filter(|bytes| *bytes == WORD.as_bytes()).count();
    assert_eq!(found, 0, "the word stands in the file {found} times");
}

#[tokio::test]
async fn what_was_said_before_and_after_stays() {
    let hub = hub_with_everyone().await;
    hub.say("ai", "general", "before").await;
    let message = send(&hub, json!({})).await;
    hub.say("ai", "general", "after").await;
    redact(&hub, &message, "ai").await.ok();
    let recent = hub.get_ok("/messages/recent").await;
    let said: Vec<_> = rows(&recent, "messages").iter().map(|row| &row["content"]).collect();
    assert_eq!(said, ["before", "", "after"]);
    let mut socket = hub.socket("/ws/anna?since=0&channels=general&notices=none").await;
    let (frames, _) = socket.before_content("after").await;
    let said: Vec<_> =
        frames.iter().filter_map(|frame| frame["message"]["content"].as_str()).collect();
    assert_eq!(said, ["before", ""]);
}
