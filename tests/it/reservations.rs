//! Reservations: who keeps whom out of which paths; and the handoff of all that an entity holds.

use std::time::Duration;

use coordhub_harness::{Hub, Request, Response};
use serde_json::{Value, json};

use crate::support::{RESERVATION, column, has_members, hub_with_everyone, is_time, rows, seq};

async fn acquire(hub: &Hub, entity: &str, resources: &[&str]) -> Response {
    let body = json!({ "entity_id": entity, "resources": resources });
    hub.post("/reservations/acquire", body).await
}

async fn held(hub: &Hub, entity: &str, resources: &[&str]) -> String {
    let reply = acquire(hub, entity, resources).await.ok();
    reply["reservation_id"].as_str().unwrap().to_owned()
}

/// Whether each of the resources is free for somebody.
async fn free(hub: &Hub, entity: &str, resources: &[&str]) -> Vec<bool> {
    let body = json!({ "entity_id": entity, "resources": resources });
    let checked = hub.post_ok("/reservations/check", body).await;
    let rows = checked["resources"].as_array().unwrap();
    rows.iter().map(|row| row["free"].as_bool().unwrap()).collect()
}

#[tokio::test]
async fn acquire_list_renew_and_release() {
    let hub = hub_with_everyone().await;
    let asked = json!({
        "entity_id": "ai", "resources": ["repo:src/**", "repo:Cargo.toml"], "reason": "a rename",
    });
    let reply = hub.post_ok("/reservations/acquire", asked.clone()).await;
    assert_eq!(reply["status"], "acquired");
    seq(&reply);
    let id = reply["reservation_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("res-"), "{id}");
    let reservation = &reply["reservation"];
    has_members(reservation, RESERVATION);
    for (member, value) in [
        ("reservation_id", json!(id)),
        ("entity_id", json!("ai")),
        ("resources", json!(["repo:src/**", "repo:Cargo.toml"])),
        ("exclusive", json!(true)),
        ("reason", json!("a rename")),
        ("ttl_seconds", json!(3600)),
        ("expires_at", reply["expires_at"].clone()),
    ] {
        assert_eq!(reservation[member], value, "{member}");
    }
    is_time(&reservation["acquired_at"]);
    is_time(&reservation["expires_at"]);

    let again = hub.post_ok("/reservations/acquire", asked).await;
    assert_eq!((&again["already"], &again["reservation_id"]), (&json!(true), &json!(id)));
    let other = held(&hub, "session", &["docs/**"]).await;
    let list = hub.get_ok("/reservations/list").await;
    assert_eq!(column(&list, "reservations", "reservation_id"), [id.clone(), other.clone()]);
    let list = hub.get_ok("/reservations/list?order=desc&limit=1").await;
    assert_eq!(column(&list, "reservations", "reservation_id"), std::slice::from_ref(&other));
    let list = hub.get_ok("/reservations/list?held_by=ai").await;
    assert_eq!(column(&list, "reservations", "entity_id"), ["ai"]);
    let list = hub.get_ok("/reservations/list?held_by=nobody").await;
    assert!(rows(&list, "reservations").is_empty());

    let renew = |who: &str| json!({ "reservation_id": id, "entity_id": who, "ttl_seconds": 60 });
    hub.post("/reservations/renew", renew("session")).await.problem(403, "not_allowed");
    let renewed = hub.post_ok("/reservations/renew", renew("ai")).await;
    assert_eq!(renewed["status"], "renewed");
    assert_eq!(renewed["reservation"]["ttl_seconds"], 60);
    let release = |who: &str| json!({ "reservation_id": id, "entity_id": who });
    hub.post("/reservations/release", release("session")).await.problem(403, "not_allowed");
    let released = hub.post_ok("/reservations/release", release("ai")).await;
    assert_eq!(released["status"], "released");
    assert_eq!(released["reservation_id"], json!(id));
    let gone = hub.post("/reservations/release", release("ai")).await;
    gone.problem(404, "unknown_reservation");
    // A human may end what another holds.
    let body = json!({ "reservation_id": other, "entity_id": "anna" });
    hub.post_ok("/reservations/release", body).await;
    assert!(rows(&hub.get_ok("/reservations/list").await, "reservations").is_empty());
}

#[tokio::test]
async fn a_conflict_is_told_with_its_facts_and_nothing_is_reserved() {
    let hub = hub_with_everyone().await;
    let id = held(&hub, "ai", &["repo:src/**"]).await;
    let refused = acquire(&hub, "session", &["repo:docs/a.md", "repo:src/hub/mod.rs"]).await;
    let problem = refused.problem(409, "reservation_conflict");
    let conflicts = problem["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1);
    for (member, value) in [
        ("resource", "repo:src/hub/mod.rs"),
        ("held_by", "ai"),
        ("reservation_id", id.as_str()),
        ("held_resource", "repo:src/**"),
    ] {
        assert_eq!(conflicts[0][member], value, "{member}");
    }
    is_time(&conflicts[0]["expires_at"]);
    assert!(problem["detail"].as_str().unwrap().contains("ai"), "{problem}");
    assert_eq!(rows(&hub.get_ok("/reservations/list").await, "reservations").len(), 1);
    acquire(&hub, "session", &["repo:docs/a.md"]).await.ok();
    let shared =
        |who: &str| json!({ "entity_id": who, "resources": ["shared/**"], "exclusive": false });
    hub.post_ok("/reservations/acquire", shared("ai")).await;
    hub.post_ok("/reservations/acquire", shared("session")).await;
    acquire(&hub, "ai", &["shared/x"]).await.problem(409, "reservation_conflict");
}

#[tokio::test]
async fn what_is_wrong_names_its_field() {
    let hub = hub_with_everyone().await;
    for (body, field) in [
        (json!({ "entity_id": "ai" }), "resources"),
        (json!({ "entity_id": "ai", "resources": [] }), "resources"),
        (json!({ "entity_id": "ai", "resources": "src" }), "resources"),
        (json!({ "entity_id": "ai", "resources": ["ok", "a//b"] }), "resources"),
        (json!({ "entity_id": "ai", "resources": ["/etc"] }), "resources"),
        (json!({ "entity_id": "ai", "resources": ["a**b"] }), "resources"),
        (json!({ "entity_id": "ai", "resources": vec!["a"; 1_001] }), "resources"),
        (json!({ "entity_id": "ai", "resources": ["a"], "ttl_seconds": 0 }), "ttl_seconds"),
        (json!({ "entity_id": "ai", "resources": ["a"], "ttl_seconds": 2_592_001 }), "ttl_seconds"),
        (json!({ "entity_id": "ai", "resources": ["a"], "exclusive": 1 }), "exclusive"),
    ] {
        hub.post("/reservations/acquire", body).await.wrong_field(field);
    }
    let unnamed = json!({ "resources": ["a"] });
    hub.post("/reservations/acquire", unnamed.clone()).await.problem(403, "caller_needed");
    hub.post("/reservations/renew", json!({ "entity_id": "ai" }))
        .await
        .wrong_field("reservation_id");
    let unknown = json!({ "entity_id": "ai", "reservation_id": "res-none" });
    hub.post("/reservations/renew", unknown).await.problem(404, "unknown_reservation");
    hub.post("/reservations/check", json!({ "resources": [] })).await.wrong_field("resources");
    // Whoever asks need not say who it is.
    hub.post_ok("/reservations/check", unnamed).await;
}

#[tokio::test]
async fn a_check_of_many_paths_says_who_holds_each_and_changes_nothing() {
    let hub = hub_with_everyone().await;
    held(&hub, "ai", &["repo:src/**"]).await;
    held(&hub, "session", &["repo:docs/**"]).await;
    let head = hub.get_ok("/events?since=0").await["next"].as_u64().unwrap();
    let asked = ["repo:src/a.rs", "repo:docs/a.md", "repo:x", "repo:**"];
    assert_eq!(free(&hub, "ai", &asked).await, [true, false, true, false]);
    assert_eq!(free(&hub, "session", &asked).await, [false, true, true, false]);
    assert_eq!(free(&hub, "anna", &asked).await, [false, false, true, false]);
    let body = json!({ "resources": ["repo:**"] });
    let checked = hub.post_ok("/reservations/check", body).await;
    let conflicts = checked["resources"][0]["conflicts"].as_array().unwrap();
    let mut holders: Vec<_> =
        conflicts.iter().map(|one| one["held_by"].as_str().unwrap()).collect();
    holders.sort_unstable();
    assert_eq!(holders, ["ai", "session"]);
    let paths: Vec<String> = (0..1_000).map(|nth| format!("repo:src/m{nth}/mod.rs")).collect();
    let body = json!({ "entity_id": "session", "resources": paths });
    let checked = hub.post_ok("/reservations/check", body).await;
    assert_eq!(checked["resources"].as_array().unwrap().len(), 1_000);
    let events = hub.get_ok(&format!("/events?since={head}")).await;
    assert_eq!(events["count"], 0, "{events}");
}

#[tokio::test]
async fn a_reservation_lapses_by_itself_and_a_removal_frees() {
    let hub = hub_with_everyone().await;
    let body = json!({ "entity_id": "ai", "resources": ["a"], "ttl_seconds": 1 });
    hub.post_ok("/reservations/acquire", body).await;
    held(&hub, "session", &["b"]).await;
    let waits = "/events?since=0&kinds=reservation_released&wait=20";
    let events = hub.get_ok(waits).await;
    let lapsed = &events["events"][0];
    assert_eq!((&lapsed["actor"], &lapsed["data"]["reason"]), (&json!("system"), &json!("lapsed")));
    assert_eq!(lapsed["data"]["resources"], json!(["a"]));
    let removed = Request::new("DELETE", "/entities/session").header("X-Entity-Id", "session");
    hub.send(removed).await.ok();
    let events = hub.get_ok("/events?since=0&kinds=reservation_released").await;
    assert_eq!(events["events"][1]["data"]["reason"], "holder_removed");
    assert!(rows(&hub.get_ok("/reservations/list").await, "reservations").is_empty());
}

#[tokio::test]
async fn reservations_survive_a_kill_and_lapse_after_it() {
    let mut hub = hub_with_everyone().await;
    let long = held(&hub, "ai", &["repo:src/**", "repo:**/a*.rs"]).await;
    let body = json!({ "entity_id": "session", "resources": ["b"], "ttl_seconds": 1 });
    hub.post_ok("/reservations/acquire", body).await;
    let freed = held(&hub, "anna", &["c"]).await;
    let body = json!({ "entity_id": "anna", "reservation_id": freed });
    hub.post_ok("/reservations/release", body).await;
    let before = hub.get_ok("/reservations/list?held_by=ai").await;
    hub.kill9();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    hub.restart();
    let after = hub.get_ok("/reservations/list?held_by=ai").await;
    assert_eq!(after["reservations"], before["reservations"]);
    assert!(rows(&hub.get_ok("/reservations/list?held_by=anna").await, "reservations").is_empty());
    acquire(&hub, "anna", &["repo:src/x"]).await.problem(409, "reservation_conflict");
    // What was due while the hub was down gets its own length again, and then lapses.
    let waits = "/events?since=0&kinds=reservation_released&wait=20";
    let events = hub.get_ok(waits).await;
    let events = events["events"].as_array().unwrap();
    assert_eq!(events[0]["data"]["reservation_id"], json!(freed));
    if events.len() == 1 {
        let since = seq(&events[0]);
        let waits = format!("/events?since={since}&kinds=reservation_released&wait=20");
        let lapsed = hub.get_ok(&waits).await;
        assert_eq!(lapsed["events"][0]["data"]["reason"], "lapsed", "{lapsed}");
    }
    acquire(&hub, "anna", &["b"]).await.ok();
    let body = json!({ "reservation_id": long, "entity_id": "ai" });
    hub.post_ok("/reservations/release", body).await;
    acquire(&hub, "anna", &["repo:src/x"]).await.ok();
}

#[tokio::test]
async fn the_same_key_reserves_once() {
    let hub = hub_with_everyone().await;
    let body = json!({ "entity_id": "ai", "resources": ["a"] });
    let request =
        || Request::post("/reservations/acquire").header("Idempotency-Key", "k1").json(&body);
    let first = hub.send(request()).await.ok();
    let release = json!({ "entity_id": "ai", "reservation_id": first["reservation_id"] });
    hub.post_ok("/reservations/release", release).await;
    let again = hub.send(request()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let again = again.ok();
    assert_eq!(again["reservation"], first["reservation"]);
    assert_eq!(again["seq"], first["seq"]);
    assert!(rows(&hub.get_ok("/reservations/list").await, "reservations").is_empty());
}

/// Creates a task and has `entity` claim it.
async fn claimed(hub: &Hub, task_id: &str, entity: &str, extra: Value) {
    let mut create = json!({ "title": task_id, "task_id": task_id });
    create.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    hub.post_ok("/tasks/create", create).await;
    hub.post_ok(&format!("/tasks/{task_id}/claim"), json!({ "entity_id": entity })).await;
}

#[tokio::test]
async fn a_handoff_moves_what_the_other_can_take_and_says_so_once() {
    let hub = hub_with_everyone().await;
    claimed(&hub, "t1", "anna", json!({})).await;
    claimed(&hub, "t2", "anna", json!({ "requires_human": true })).await;
    let reserved = held(&hub, "anna", &["repo:src/**"]).await;
    let body = json!({ "to": "ai", "note": "half of it is done" });
    let reply = hub.post_ok("/entities/anna/handoff", body).await;
    assert_eq!(reply["status"], "handed_off");
    let expected = json!([{ "task_id": "t1", "claim_token": 2, "claimed_by": "ai" }]);
    assert_eq!(reply["tasks"], expected);
    assert_eq!(reply["returned"], json!(["t2"]));
    assert_eq!(reply["reservations"], json!([reserved]));
    assert_eq!(hub.get_ok("/tasks/t1").await["claimed_by"], "ai");
    assert_eq!(hub.get_ok("/tasks/t2").await["status"], "open");
    let list = hub.get_ok("/reservations/list").await;
    assert_eq!(column(&list, "reservations", "entity_id"), ["ai"]);
    let id = reply["message_id"].as_str().unwrap();
    let message = hub.get_ok(&format!("/messages/{id}?entity_id=ai")).await;
    assert_eq!((&message["from_entity"], &message["to_entity"]), (&json!("anna"), &json!("ai")));
    assert_eq!(message["seq"], reply["seq"]);
    let content = message["content"].as_str().unwrap();
    assert!(
        content.starts_with("half of it is done\n\nHanded over: 1 task to ai (t1)"),
        "{content}"
    );
    let facts = &message["metadata"]["hub"]["handoff"];
    assert_eq!(facts["tasks"], json!([{ "task_id": "t1", "claim_token": 2 }]));
    assert_eq!(facts["reservations"], json!([reserved]));
    let inbox = hub.get_ok("/messages/for/ai?direct=true").await;
    assert_eq!(inbox["count"], 1);
    // The new holder is the one who completes it.
    hub.post("/tasks/t1/complete", json!({ "entity_id": "anna" })).await.problem(409, "not_holder");
    hub.post_ok("/tasks/t1/complete", json!({ "entity_id": "ai", "claim_token": 2 })).await;
}

#[tokio::test]
async fn a_handoff_to_nobody_opens_what_others_wait_for() {
    let hub = hub_with_everyone().await;
    claimed(&hub, "t1", "ai", json!({})).await;
    held(&hub, "ai", &["repo:src/**"]).await;
    let next = json!({ "entity_id": "session", "wait_seconds": 30 });
    let waits = hub.post_ok("/tasks/claim-next", next);
    let hands = hub.post_ok("/entities/ai/handoff", json!({ "note": "enough for today" }));
    // Whichever comes first, the one who waits gets what was given back.
    let (claim, reply) = tokio::join!(waits, hands);
    assert_eq!(reply["returned"], json!(["t1"]));
    assert_eq!((&claim["task_id"], &claim["claim_token"]), (&json!("t1"), &json!(2)));
    let id = reply["message_id"].as_str().unwrap();
    assert_eq!(hub.get_ok(&format!("/messages/{id}")).await["channel"], "general");
    assert!(rows(&hub.get_ok("/reservations/list").await, "reservations").is_empty());
}

#[tokio::test]
async fn who_may_hand_over_what() {
    let hub = hub_with_everyone().await;
    held(&hub, "ai", &["a"]).await;
    let path = "/entities/ai/handoff";
    hub.post(path, json!({ "note": "x", "to": "nobody" })).await.problem(404, "unknown_entity");
    hub.post("/entities/nobody/handoff", json!({ "note": "x" }))
        .await
        .problem(404, "unknown_entity");
    hub.post(path, json!({ "note": "x", "to": "ai" })).await.wrong_field("to");
    hub.post(path, json!({})).await.wrong_field("note");
    let other = json!({ "note": "x", "to": "session", "entity_id": "session" });
    hub.post(path, other).await.problem(403, "not_allowed");
    let human = json!({ "note": "it is gone", "to": "session", "entity_id": "anna" });
    let reply = hub.post_ok(path, human).await;
    let list = hub.get_ok("/reservations/list").await;
    assert_eq!(column(&list, "reservations", "entity_id"), ["session"]);
    let id = reply["message_id"].as_str().unwrap();
    let message = hub.get_ok(&format!("/messages/{id}?entity_id=session")).await;
    assert_eq!(message["from_entity"], "ai");
    assert!(message["content"].as_str().unwrap().ends_with("Done by anna."), "{message}");
    // Over a socket it is the socket's own work.
    let mut socket = hub.socket("/ws/session").await;
    let args = json!({ "note": "bye" });
    let reply = socket.call("entities.handoff", args).await;
    assert_eq!(reply["body"]["status"], "handed_off", "{reply}");
}
