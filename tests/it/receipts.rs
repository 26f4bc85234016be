//! Who has seen a message: receipts, roll-calls and their deadlines, and emergencies that bring a task.

use coordhub_harness::{Hub, Response};
use serde_json::{Value, json};

use crate::support::{
    MESSAGE, column, contents, event_after, has_members, head, hub_with_everyone, in_seconds,
    is_time, rows, seq,
};

/// A deadline that no test lives to see.
const FAR: &str = "2999-01-01T00:00:00Z";

/// Sends as `ai`, and gives the id.
async fn send(hub: &Hub, mut fields: Value) -> String {
    fields["from_entity"] = json!("ai");
    if fields.get("content").is_none() {
        fields["content"] = json!("look");
    }
    let sent = hub.post_ok("/messages/send", fields).await;
    sent["message_id"].as_str().unwrap().to_owned()
}

async fn ack(hub: &Hub, message: &str, entity: &str) -> Response {
    hub.post(&format!("/messages/{message}/ack"), json!({ "entity_id": entity })).await
}

async fn resolve(hub: &Hub, message: &str, entity: &str) -> Response {
    hub.post(&format!("/messages/{message}/resolve"), json!({ "entity_id": entity })).await
}

async fn receipts(hub: &Hub, message: &str) -> Value {
    hub.get_ok(&format!("/messages/{message}/receipts?entity_id=ai")).await
}

/// Each recipient with `r` where it has read the message and `a` where it has acknowledged it.
async fn marks(hub: &Hub, message: &str) -> String {
    let receipts = receipts(hub, message).await;
    let mut marks = Vec::new();
    for receipt in receipts["recipients"].as_array().expect("recipients") {
        has_members(receipt, "entity_id read acked_at");
        let mut mark = receipt["entity_id"].as_str().unwrap().to_owned();
        if receipt["read"] == true {
            mark += ":r";
        }
        if !receipt["acked_at"].is_null() {
            is_time(&receipt["acked_at"]);
            mark += ":a";
        }
        marks.push(mark);
    }
    marks.join(" ")
}

#[tokio::test]
async fn fields_of_a_roll_call() {
    let hub = hub_with_everyone().await;
    for (field, value) in [
        ("ack_required", json!("perhaps")),
        ("ack_required", json!(1)),
        ("ack_deadline", json!("2020-01-01T00:00:00Z")),
        ("ack_deadline", json!("2999-01-01T00:00:00")),
        ("ack_deadline", json!("tomorrow")),
        ("ack_deadline", json!(1)),
    ] {
        let mut body = json!({ "from_entity": "ai", "content": "c", "ack_required": true });
        body[field] = value;
        hub.post("/messages/send", body).await.wrong_field(field);
    }
    assert!(contents(&hub, "/messages/recent").await.is_empty());

    let asking = send(&hub, json!({ "ack_required": true, "ack_deadline": FAR })).await;
    assert_eq!(hub.get_ok(&format!("/messages/{asking}")).await["ack_required"], true);
    let shown = receipts(&hub, &asking).await;
    has_members(&shown, "message_id ack_required ack_deadline resolved_at resolved_by recipients");
    assert_eq!((&shown["message_id"], &shown["ack_required"]), (&json!(asking), &json!(true)));
    is_time(&shown["ack_deadline"]);
    assert!(shown["resolved_at"].is_null() && shown["resolved_by"].is_null(), "{shown}");

    let plain = send(&hub, json!({})).await;
    assert_eq!(hub.get_ok(&format!("/messages/{plain}")).await["ack_required"], false);
    let shown = receipts(&hub, &plain).await;
    assert!(shown["ack_required"] == false && shown["ack_deadline"].is_null(), "{shown}");
}

#[tokio::test]
async fn who_is_asked() {
    let hub = hub_with_everyone().await;
    for (fields, asked) in [
        (json!({ "ack_required": true }), "anna backup session"),
        (json!({ "ack_required": true, "channel": "urgent" }), "anna backup session"),
        (json!({ "ack_required": true, "channel": "made-up" }), "anna backup session"),
        (json!({ "ack_required": true, "channel": "ai-only" }), "backup session"),
        (json!({ "ack_required": true, "to_entity": "anna" }), "anna"),
        // For messages that ask for nothing: who may have read them.
        (json!({}), "anna backup session"),
        (json!({ "channel": "ai-only" }), "backup session"),
        (json!({ "to_entity": "session" }), "session"),
    ] {
        let message = send(&hub, fields.clone()).await;
        assert_eq!(marks(&hub, &message).await, asked, "{fields}");
    }
}

#[tokio::test]
async fn recipients_are_frozen_at_the_send() {
    let hub = hub_with_everyone().await;
    let asking = send(&hub, json!({ "ack_required": true })).await;
    let plain = send(&hub, json!({})).await;
    hub.register("late", "ai_agent").await;
    hub.delete("/entities/session?entity_id=session").await.ok();
    assert_eq!(marks(&hub, &asking).await, "anna backup session");
    ack(&hub, &asking, "late").await.problem(409, "ack_not_asked");
    assert!(
        !marks(&hub, &plain).await.contains("late"),
        "who came later was no recipient of it, and has not read it"
    );
    let next = send(&hub, json!({ "ack_required": true })).await;
    assert_eq!(marks(&hub, &next).await, "anna backup late");
}

#[tokio::test]
async fn receipts_show_what_is_read_and_what_is_acknowledged() {
    let hub = hub_with_everyone().await;
    let plain = send(&hub, json!({})).await;
    let asking = send(&hub, json!({ "ack_required": true })).await;
    let direct = send(&hub, json!({ "to_entity": "anna" })).await;
    let read = async |entity: &str, mut scope: Value| {
        scope["up_to"] = json!(head(&hub).await);
        hub.post_ok(&format!("/messages/for/{entity}/ack"), scope).await;
    };
    read("anna", json!({ "channel": "general" })).await;
    assert_eq!(marks(&hub, &plain).await, "anna:r backup session");
    assert_eq!(marks(&hub, &asking).await, "anna:r backup session", "reading is not acknowledging");
    assert_eq!(
        marks(&hub, &direct).await,
        "anna",
        "the cursor of a channel is not that of another"
    );
    read("anna", json!({ "direct": true })).await;
    assert_eq!(marks(&hub, &direct).await, "anna:r");
    read("session", json!({})).await;
    assert_eq!(marks(&hub, &plain).await, "anna:r backup session:r");

    ack(&hub, &asking, "backup").await.ok();
    ack(&hub, &asking, "anna").await.ok();
    assert_eq!(marks(&hub, &asking).await, "anna:r:a backup:a session:r");
    ack(&hub, &direct, "anna").await.ok();
    assert_eq!(marks(&hub, &direct).await, "anna:r:a");
    ack(&hub, &plain, "anna").await.problem(409, "ack_not_asked");
}

#[tokio::test]
async fn acknowledging_is_for_recipients_and_done_once() {
    let hub = hub_with_everyone().await;
    let message = send(&hub, json!({ "ack_required": true })).await;
    let acked = ack(&hub, &message, "anna").await.ok();
    assert_eq!((&acked["status"], &acked["message_id"]), (&json!("acked"), &json!(message)));
    assert!(acked.get("already").is_none(), "{acked}");
    let event = event_after(&hub, seq(&acked) - 1, "message_acked").await;
    assert_eq!((seq(&event), &event["data"]["entity_id"]), (seq(&acked), &json!("anna")));

    let before = head(&hub).await;
    assert_eq!(ack(&hub, &message, "anna").await.ok()["already"], true);
    for entity in ["ai", "stranger"] {
        ack(&hub, &message, entity).await.problem(409, "ack_not_asked");
    }
    hub.post(&format!("/messages/{message}/ack"), json!({})).await.problem(403, "caller_needed");
    ack(&hub, "msg-none", "anna").await.refusal(404);
    assert_eq!(head(&hub).await, before, "none of these changed anything");

    let hidden = send(&hub, json!({ "ack_required": true, "channel": "ai-only" })).await;
    let direct = send(&hub, json!({ "to_entity": "session" })).await;
    for (message, entity, status) in [
        (&hidden, "anna", 404),
        (&hidden, "stranger", 404),
        (&direct, "anna", 404),
        (&direct, "ai", 409),
    ] {
        ack(&hub, message, entity).await.refusal(status);
    }
    ack(&hub, &hidden, "session").await.ok();
    ack(&hub, &direct, "session").await.ok();
}

#[tokio::test]
async fn a_roll_call_is_ended_by_its_sender_or_a_human() {
    let hub = hub_with_everyone().await;
    for who in ["ai", "anna"] {
        let message = send(&hub, json!({ "ack_required": true })).await;
        for other in ["session", "backup", "stranger"] {
            resolve(&hub, &message, other).await.refusal(403);
        }
        hub.post(&format!("/messages/{message}/resolve"), json!({})).await.refusal(403);
        let resolved = resolve(&hub, &message, who).await.ok();
        assert_eq!(
            (&resolved["status"], &resolved["message_id"]),
            (&json!("resolved"), &json!(message))
        );
        let shown = receipts(&hub, &message).await;
        assert_eq!(shown["resolved_by"], who);
        is_time(&shown["resolved_at"]);
        let before = head(&hub).await;
        for again in ["ai", "anna"] {
            assert_eq!(resolve(&hub, &message, again).await.ok()["already"], true);
        }
        assert_eq!(head(&hub).await, before);
        assert_eq!(receipts(&hub, &message).await, shown);
    }
    let plain = send(&hub, json!({})).await;
    resolve(&hub, &plain, "ai").await.refusal(409);
    let hidden = send(&hub, json!({ "ack_required": true, "channel": "ai-only" })).await;
    let direct = send(&hub, json!({ "ack_required": true, "to_entity": "session" })).await;
    for message in [&hidden, &direct, "msg-none"] {
        resolve(&hub, message, "anna").await.refusal(404);
    }
}

#[tokio::test]
async fn a_passed_deadline_is_told_once() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/stranger").await;
    let soon = in_seconds(&hub, 2.0).await;
    let asking = json!({ "ack_required": true, "ack_deadline": soon });
    let resolved = send(&hub, asking.clone()).await;
    let answered = send(&hub, asking.clone()).await;
    let missed = send(&hub, asking.clone()).await;
    resolve(&hub, &resolved, "ai").await.ok();
    for entity in ["anna", "backup", "session"] {
        ack(&hub, &answered, entity).await.ok();
    }
    ack(&hub, &missed, "anna").await.ok();
    let last =
        send(&hub, json!({ "ack_required": true, "ack_deadline": in_seconds(&hub, 3.0).await }))
            .await;

    let overdue = event_after(&hub, 0, "roll_call_overdue").await;
    let data = &overdue["data"];
    assert_eq!((&data["message_id"], &overdue["actor"]), (&json!(missed), &json!("system")));
    assert_eq!((&data["missing"], &data["asked"]), (&json!(["backup", "session"]), &json!(3)));
    let next = event_after(&hub, seq(&overdue), "roll_call_overdue").await;
    assert_eq!(
        next["data"]["message_id"],
        json!(last),
        "what was answered or ended is not overdue"
    );

    let is_it = |frame: &Value| frame["message"]["metadata"]["message_id"] == json!(missed);
    let (_, frame) = socket.find("the notice", is_it).await;
    let notice = &frame["message"];
    assert_eq!(
        (&notice["message_type"], &notice["notice"]),
        (&json!("system_event"), &json!(true))
    );
    assert_eq!(
        (&notice["message_id"], seq(&frame)),
        (&json!(format!("evt-{}", seq(&overdue))), seq(&overdue))
    );
    let recent = hub.get_ok("/messages/recent?notices=true").await;
    let shown = rows(&recent, "messages")
        .iter()
        .filter(|row| row["metadata"]["message_id"] == json!(missed));
    assert_eq!(shown.count(), 1);
    // Late is better than never.
    ack(&hub, &missed, "session").await.ok();
    assert_eq!(marks(&hub, &missed).await, "anna:a backup session:a");
}

#[tokio::test]
async fn what_is_overdue_shows_to_those_who_may_read_the_message() {
    let hub = hub_with_everyone().await;
    let soon = in_seconds(&hub, 1.5).await;
    for to in [json!({ "channel": "ai-only" }), json!({ "to_entity": "session" })] {
        let mut fields = to;
        fields["ack_required"] = json!(true);
        fields["ack_deadline"] = json!(soon);
        send(&hub, fields).await;
    }
    let mut since = 0;
    for _ in 0..2 {
        let path =
            format!("/events?since={since}&wait=20&kinds=roll_call_overdue&entity_id=session");
        since = seq(&hub.get_ok(&path).await["events"][0]);
    }
    // What is hidden takes no place on a page, in either direction.
    let joined = seq(&hub.register("newcomer", "service").await);
    for (way, expected) in
        [(format!("after={}", since - 2), joined), (format!("before={joined}"), 4)]
    {
        let path = format!("/messages/recent?notices=true&entity_id=anna&limit=1&{way}");
        let page = hub.get_ok(&path).await;
        assert_eq!(
            rows(&page, "messages").iter().map(seq).collect::<Vec<_>>(),
            [expected],
            "{way}"
        );
    }
    for (reader, expected) in
        [("session", 2), ("ai", 2), ("backup", 1), ("anna", 0), ("stranger", 0)]
    {
        let events = hub
            .get_ok(&format!("/events?since=0&kinds=roll_call_overdue&entity_id={reader}"))
            .await;
        assert_eq!(events["events"].as_array().unwrap().len(), expected, "{reader}");
        let path = format!("/messages/recent?notices=true&limit=1000&entity_id={reader}");
        let told = contents(&hub, &path).await;
        let told = told.iter().filter(|line| line.contains("acknowledged"));
        assert_eq!(told.count(), expected, "{reader}");
        let path = format!("/ws/{reader}?since=0&channels=general");
        let mut socket = hub.socket(&path).await;
        hub.say("anna", "general", "end").await;
        let (frames, _) = socket.before_content("end").await;
        let told = frames.iter().filter(|frame| frame.to_string().contains("acknowledged"));
        assert_eq!(told.count(), expected, "{reader}");
    }
}

/// What a socket is told right after its `hello` of open roll-calls.
async fn reminded(hub: &Hub, entity: &str) -> Vec<String> {
    let mut socket = hub.socket(&format!("/ws/{entity}?notices=none")).await;
    socket.send(json!({ "type": "ping" })).await;
    let first = socket.next().await.expect("a frame");
    if first["type"] == "pong" {
        return Vec::new();
    }
    assert_eq!(first["type"], "unresolved", "{first}");
    socket.expect("pong").await;
    let messages = first["messages"].as_array().expect("messages");
    messages.iter().for_each(|message| has_members(message, MESSAGE));
    messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn whoever_connects_is_told_of_open_emergencies() {
    let hub = hub_with_everyone().await;
    let urgent =
        |content: &str| json!({ "content": content, "channel": "urgent", "ack_required": true });
    send(&hub, json!({ "content": "no roll-call", "channel": "urgent" })).await;
    send(&hub, json!({ "content": "no emergency", "ack_required": true })).await;
    for entity in ["anna", "stranger"] {
        assert!(reminded(&hub, entity).await.is_empty(), "{entity}");
    }
    let first = send(&hub, urgent("one")).await;
    let second = send(&hub, urgent("two")).await;
    for entity in ["anna", "stranger", "ai"] {
        assert_eq!(reminded(&hub, entity).await, ["one", "two"], "{entity}");
    }
    for entity in ["anna", "backup", "session"] {
        ack(&hub, &first, entity).await.ok();
    }
    assert_eq!(
        reminded(&hub, "anna").await,
        ["one", "two"],
        "an emergency lasts until it is ended"
    );
    resolve(&hub, &first, "anna").await.ok();
    assert_eq!(reminded(&hub, "stranger").await, ["two"]);
    resolve(&hub, &second, "ai").await.ok();
    assert!(reminded(&hub, "anna").await.is_empty());
}

#[tokio::test]
async fn receipts_are_for_those_who_may_read_the_message() {
    let hub = hub_with_everyone().await;
    let everyone = ["ai", "session", "anna", "backup", "stranger"];
    for (to, readers) in [
        (json!({}), &everyone[..]),
        (json!({ "channel": "urgent" }), &everyone),
        (json!({ "channel": "ai-only" }), &["ai", "session", "backup"]),
        (json!({ "to_entity": "anna" }), &["ai", "anna"]),
    ] {
        for ack_required in [false, true] {
            let mut fields = to.clone();
            fields["ack_required"] = json!(ack_required);
            let message = send(&hub, fields).await;
            for reader in everyone {
                let path = format!("/messages/{message}/receipts?entity_id={reader}");
                let status = if readers.contains(&reader) { 200 } else { 404 };
                assert_eq!(hub.get(&path).await.status, status, "{to} as {reader}");
            }
        }
    }
    hub.get("/messages/msg-none/receipts").await.refusal(404);
}

#[tokio::test]
async fn an_emergency_brings_its_task_in_one_commit() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/anna?notices=none").await;
    let before = head(&hub).await;
    let sent = hub
        .post_ok(
            "/messages/send",
            json!({ "from_entity": "ai", "channel": "urgent", "content": "The disk is full",
                "message_type": "alert", "ack_required": true, "metadata": { "severity": 1 },
                "task": { "title": "Free the disk", "priority": "urgent", "tags": ["ops"] } }),
        )
        .await;
    let task = hub.get_ok(&format!("/tasks/{}", sent["task_id"].as_str().unwrap())).await;
    assert_eq!(
        (&task["title"], &task["priority"], &task["tags"], &task["created_by"]),
        (&json!("Free the disk"), &json!("urgent"), &json!(["ops"]), &json!("ai"))
    );
    let message = hub.get_ok(&format!("/messages/{}", sent["message_id"].as_str().unwrap())).await;
    assert_eq!(message["metadata"]["hub"]["task_id"], sent["task_id"]);
    assert_eq!(message["metadata"]["severity"], 1);

    let events = hub.get_ok(&format!("/events?since={before}")).await;
    let kinds: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| &e["kind"]).collect();
    assert_eq!(kinds, ["message_sent", "roll_call_opened", "task_created"]);
    assert_eq!(seq(&sent), before + 3, "the highest of the change");
    assert_eq!(message["seq"], before + 1);

    let (_, frame) = socket.before_content("The disk is full").await;
    assert_eq!(frame["message"]["metadata"]["hub"]["task_id"], sent["task_id"]);
}

#[tokio::test]
async fn a_message_and_its_task_come_both_or_neither() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "taken" })).await;
    let before = head(&hub).await;
    let urgent =
        json!({ "from_entity": "ai", "channel": "urgent", "content": "c", "ack_required": true });
    for (field, value, status, named) in [
        ("task", json!({ "title": "t", "task_id": "taken" }), 409, None),
        ("task", json!({ "title": "" }), 422, Some("title")),
        ("task", json!({}), 422, Some("title")),
        ("task", json!({ "title": "t", "depends_on": ["none"] }), 422, Some("depends_on")),
        ("task", json!({ "title": "t", "priority": "soon" }), 422, Some("priority")),
        ("task", json!("text"), 422, Some("task")),
        ("channel", json!("human-only"), 403, None),
        ("to_entity", json!("nobody"), 404, None),
        ("ack_deadline", json!("2020-01-01T00:00:00Z"), 422, Some("ack_deadline")),
    ] {
        let mut body = urgent.clone();
        body["task"] = json!({ "title": "never made" });
        body[field] = value;
        if field == "to_entity" {
            body["channel"] = json!(null);
        }
        let problem = hub.post("/messages/send", body.clone()).await.refusal(status);
        if let Some(named) = named {
            let field = problem["field"].as_str().unwrap_or_default();
            assert!(field == named || field.ends_with(&format!(".{named}")), "{body}: {problem}");
        }
    }
    assert_eq!(head(&hub).await, before, "nothing was sent or created");
    assert!(contents(&hub, "/messages/recent").await.is_empty());
    assert_eq!(column(&hub.get_ok("/tasks/list").await, "tasks", "task_id"), ["taken"]);
    assert!(reminded(&hub, "anna").await.is_empty());
}

/// All that is said of roll-calls.
async fn all_of_it(hub: &Hub, messages: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    for message in messages {
        all.push(receipts(hub, message).await);
        all.push(hub.get_ok(&format!("/messages/{message}?entity_id=ai")).await);
    }
    for entity in ["anna", "session", "backup"] {
        all.push(hub.get_ok(&format!("/entities/{entity}/attention")).await);
        all.push(json!(reminded(hub, entity).await));
    }
    all
}

#[tokio::test]
async fn roll_calls_survive_a_restart_and_a_kill() {
    let mut hub = hub_with_everyone().await;
    let urgent = json!({ "content": "u", "channel": "urgent", "ack_required": true,
        "ack_deadline": FAR, "task": { "title": "t" } });
    let mut messages = Vec::new();
    for fields in [
        urgent.clone(),
        json!({ "ack_required": true }),
        json!({ "ack_required": true, "to_entity": "anna" }),
        json!({ "to_entity": "anna" }),
        json!({ "ack_required": true }),
        urgent,
        json!({}),
    ] {
        messages.push(send(&hub, fields).await);
    }
    for (message, entity) in [(0, "anna"), (1, "session"), (2, "anna"), (3, "anna"), (4, "backup")]
    {
        ack(&hub, &messages[message], entity).await.ok();
    }
    resolve(&hub, &messages[4], "anna").await.ok();
    resolve(&hub, &messages[5], "ai").await.ok();
    hub.post_ok("/messages/for/session/ack", json!({ "up_to": 1_000 })).await;
    let before = all_of_it(&hub, &messages).await;
    hub.kill9();
    hub.restart();
    assert_eq!(all_of_it(&hub, &messages).await, before);
    assert_eq!(hub.terminate().code(), Some(0));
    hub.restart();
    assert_eq!(all_of_it(&hub, &messages).await, before);
    assert_eq!(ack(&hub, &messages[0], "anna").await.ok()["already"], true);
    assert_eq!(resolve(&hub, &messages[4], "ai").await.ok()["already"], true);
    ack(&hub, &messages[1], "stranger").await.problem(409, "ack_not_asked");
    ack(&hub, &messages[0], "backup").await.ok();
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_hub_is_down_is_told_at_the_start() {
    let mut hub = hub_with_everyone().await;
    let soon = in_seconds(&hub, 1.5).await;
    let message = send(&hub, json!({ "ack_required": true, "ack_deadline": soon })).await;
    ack(&hub, &message, "anna").await.ok();
    hub.kill9();
    hub.restart();
    let overdue = event_after(&hub, 0, "roll_call_overdue").await;
    assert_eq!(overdue["data"]["message_id"], json!(message));
    assert_eq!(overdue["data"]["missing"], json!(["backup", "session"]));
}
