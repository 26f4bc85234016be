//! What waits for one entity, and for nobody else.

use coordhub_harness::{Hub, Request};
use serde_json::{Value, json};

use crate::support::{MESSAGE, PROPOSAL, TASK, has_members, head, hub_with_everyone};

/// One of the lists, each entry by the member that tells it apart.
async fn list(hub: &Hub, entity: &str, name: &str) -> Vec<String> {
    let attention = hub.get_ok(&format!("/entities/{entity}/attention")).await;
    has_members(&attention, "unread_direct acks_owed questions tasks proposals");
    let (members, tells) = match name {
        "unread_direct" | "acks_owed" => (MESSAGE, "content"),
        "questions" | "tasks" => (TASK, "title"),
        _ => (PROPOSAL, "title"),
    };
    let entries = attention[name].as_array().unwrap_or_else(|| panic!("no {name} in {attention}"));
    entries.iter().for_each(|entry| has_members(entry, members));
    entries.iter().map(|entry| entry[tells].as_str().unwrap().to_owned()).collect()
}

async fn send(hub: &Hub, content: &str, mut fields: Value) -> String {
    fields["from_entity"] = json!("ai");
    fields["content"] = json!(content);
    let sent = hub.post_ok("/messages/send", fields).await;
    sent["message_id"].as_str().unwrap().to_owned()
}

async fn act(hub: &Hub, path: &str, entity: &str) {
    hub.post_ok(path, json!({ "entity_id": entity })).await;
}

#[tokio::test]
async fn attention_is_for_the_registered_and_their_own() {
    let hub = hub_with_everyone().await;
    hub.get("/entities/stranger/attention").await.refusal(404);
    let request = Request::get("/entities/anna/attention").header("X-Entity-Id", "ai");
    hub.send(request).await.refusal(422);
    for entity in ["ai", "session", "anna", "backup"] {
        for name in ["unread_direct", "acks_owed", "questions", "tasks", "proposals"] {
            assert!(list(&hub, entity, name).await.is_empty(), "{name} of {entity}");
        }
    }
}

#[tokio::test]
async fn direct_messages_until_they_are_marked_read() {
    let hub = hub_with_everyone().await;
    for (content, fields) in [
        ("one", json!({ "to_entity": "anna" })),
        ("on a channel", json!({})),
        ("to another", json!({ "to_entity": "session" })),
        ("two", json!({ "to_entity": "anna" })),
    ] {
        send(&hub, content, fields).await;
    }
    assert_eq!(list(&hub, "anna", "unread_direct").await, ["one", "two"], "oldest first");
    assert_eq!(list(&hub, "session", "unread_direct").await, ["to another"]);
    assert!(list(&hub, "ai", "unread_direct").await.is_empty(), "not what one sent");
    let up_to = head(&hub).await;
    hub.post_ok("/messages/for/anna/ack", json!({ "up_to": up_to - 1, "direct": true })).await;
    assert_eq!(list(&hub, "anna", "unread_direct").await, ["two"]);
    hub.post_ok("/messages/for/anna/ack", json!({ "up_to": up_to, "direct": true })).await;
    assert!(list(&hub, "anna", "unread_direct").await.is_empty());
}

#[tokio::test]
async fn acknowledgements_until_they_are_given_or_no_longer_asked_for() {
    let hub = hub_with_everyone().await;
    let general = send(&hub, "general", json!({ "ack_required": true })).await;
    let urgent = send(&hub, "urgent", json!({ "ack_required": true, "channel": "urgent" })).await;
    send(&hub, "hidden", json!({ "ack_required": true, "channel": "ai-only" })).await;
    let direct = send(&hub, "direct", json!({ "ack_required": true, "to_entity": "anna" })).await;
    send(&hub, "asks nothing", json!({ "to_entity": "anna" })).await;
    hub.register("late", "human").await;
    for (entity, owed) in [
        ("anna", &["general", "urgent", "direct"][..]),
        ("session", &["general", "urgent", "hidden"]),
        ("backup", &["general", "urgent", "hidden"]),
        ("ai", &[]),
        ("late", &[]),
    ] {
        assert_eq!(list(&hub, entity, "acks_owed").await, owed, "{entity}");
    }
    act(&hub, &format!("/messages/{urgent}/ack"), "anna").await;
    assert_eq!(list(&hub, "anna", "acks_owed").await, ["general", "direct"]);
    // Marking read is not acknowledging.
    hub.post_ok("/messages/for/anna/ack", json!({ "up_to": head(&hub).await })).await;
    assert_eq!(list(&hub, "anna", "acks_owed").await, ["general", "direct"]);
    act(&hub, &format!("/messages/{direct}/ack"), "anna").await;
    act(&hub, &format!("/messages/{general}/resolve"), "ai").await;
    assert!(list(&hub, "anna", "acks_owed").await.is_empty());
    assert_eq!(list(&hub, "session", "acks_owed").await, ["urgent", "hidden"]);
}

#[tokio::test]
async fn questions_for_humans_until_they_are_answered() {
    let hub = hub_with_everyone().await;
    let mut ids = Vec::new();
    for question in ["one?", "two?", "three?"] {
        let asked =
            hub.post_ok("/questions/ask", json!({ "question": question, "asked_by": "ai" })).await;
        ids.push(asked["task_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(list(&hub, "anna", "questions").await, ["one?", "two?", "three?"]);
    for other in ["ai", "session", "backup"] {
        assert!(list(&hub, other, "questions").await.is_empty(), "{other} cannot answer");
    }
    assert!(list(&hub, "anna", "tasks").await.is_empty(), "questions have their own list");
    let answer = json!({ "entity_id": "anna", "answer": "yes" });
    hub.post_ok(&format!("/tasks/{}/answer", ids[0]), answer).await;
    act(&hub, &format!("/tasks/{}/cancel", ids[1]), "ai").await;
    assert_eq!(list(&hub, "anna", "questions").await, ["three?"]);
    // Once one human has it, it waits for that one alone.
    hub.register("bert", "human").await;
    act(&hub, &format!("/tasks/{}/claim", ids[2]), "bert").await;
    assert_eq!(list(&hub, "bert", "questions").await, ["three?"]);
    assert!(list(&hub, "anna", "questions").await.is_empty());
}

#[tokio::test]
async fn tasks_that_it_holds_or_that_need_a_human() {
    let hub = hub_with_everyone().await;
    for (id, fields) in [
        ("anybody", json!({})),
        ("human", json!({ "requires_human": true })),
        ("able human", json!({ "requires_human": true, "capabilities": ["law"] })),
        ("blocked human", json!({ "requires_human": true, "depends_on": ["anybody"] })),
        ("ai", json!({ "requires_ai": true })),
    ] {
        let mut body = fields;
        body["task_id"] = json!(id);
        body["title"] = json!(id);
        hub.post_ok("/tasks/create", body).await;
    }
    assert_eq!(list(&hub, "anna", "tasks").await, ["human"], "what it could do and others cannot");
    assert!(list(&hub, "ai", "tasks").await.is_empty(), "what is open to all waits for nobody");
    act(&hub, "/tasks/anybody/claim", "ai").await;
    act(&hub, "/tasks/ai/claim", "session").await;
    assert_eq!(list(&hub, "ai", "tasks").await, ["anybody"]);
    assert_eq!(list(&hub, "session", "tasks").await, ["ai"]);
    assert!(list(&hub, "backup", "tasks").await.is_empty());
    act(&hub, "/tasks/anybody/complete", "ai").await;
    assert!(list(&hub, "ai", "tasks").await.is_empty());
    assert_eq!(list(&hub, "anna", "tasks").await, ["human", "blocked human"]);
    act(&hub, "/tasks/human/claim", "anna").await;
    assert_eq!(
        list(&hub, "anna", "tasks").await,
        ["human", "blocked human"],
        "it holds one of them"
    );
}

#[tokio::test]
async fn proposals_that_it_has_not_voted_on() {
    let hub = hub_with_everyone().await;
    for (id, electorate) in
        [("both", json!(["ai", "anna"])), ("ai", json!(["ai"])), ("humans", json!(["human"]))]
    {
        let body = json!({ "title": id, "proposal_id": id, "electorate": electorate,
            "early_close": false, "proposed_by": "ai" });
        hub.post_ok("/proposals/create", body).await;
    }
    assert_eq!(list(&hub, "ai", "proposals").await, ["both", "ai"]);
    assert_eq!(list(&hub, "anna", "proposals").await, ["both", "humans"]);
    assert!(list(&hub, "session", "proposals").await.is_empty());
    let vote = |entity: &str| json!({ "entity_id": entity, "vote": "abstain" });
    hub.post_ok("/proposals/both/vote", vote("ai")).await;
    assert_eq!(list(&hub, "ai", "proposals").await, ["ai"]);
    assert_eq!(list(&hub, "anna", "proposals").await, ["both", "humans"]);
    for (id, by) in [("ai", "ai"), ("humans", "ai")] {
        act(&hub, &format!("/proposals/{id}/withdraw"), by).await;
    }
    assert!(list(&hub, "ai", "proposals").await.is_empty());
    assert_eq!(list(&hub, "anna", "proposals").await, ["both"]);
}
