//! `claim-next`: the next task of what one can do, and waiting for it.

use std::collections::BTreeSet;

use coordhub_harness::{Hub, Request};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{hub_with_everyone, is_time, seq};

async fn next(hub: &Hub, who: &str) -> Value {
    hub.post_ok("/tasks/claim-next", json!({ "entity_id": who })).await
}

/// How many wait, as the monitor tells; waits until it is so.
async fn until_waiting(hub: &Hub, count: usize) {
    while hub.metrics().await.get("coordhub_claim_waiters", "") != count as f64 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_is_always_leased_and_none_where_there_is_nothing() {
    let hub = hub_with_everyone().await;
    let none = next(&hub, "ai").await;
    assert_eq!(none["status"], "none");
    assert!(none.get("task").is_none(), "{none}");
    hub.task("one").await;
    let claim = next(&hub, "ai").await;
    assert_eq!((&claim["status"], &claim["claim_token"]), (&json!("claimed"), &json!(1)));
    assert_eq!(claim["task"]["claimed_by"], "ai");
    is_time(&claim["lease_expires_at"]);
    hub.post("/tasks/claim-next", json!({})).await.problem(403, "caller_needed");
    for (field, value) in [
        ("wait_seconds", json!(61)),
        ("lease_seconds", json!(4)),
        ("tags", json!("x")),
        ("capabilities", json!([1])),
    ] {
        let body = json!({ "entity_id": "ai", field: value });
        hub.post("/tasks/claim-next", body).await.wrong_field(field);
    }
}

#[tokio::test]
async fn the_order_and_what_narrows_it() {
    let hub = hub_with_everyone().await;
    for (id, fields) in [
        ("low", json!({ "priority": "low" })),
        ("normal", json!({ "tags": ["x", "y"] })),
        ("high", json!({ "priority": "high" })),
        ("urgent", json!({ "priority": "urgent" })),
        ("person", json!({ "priority": "urgent", "requires_human": true })),
        ("skilled", json!({ "priority": "urgent", "capabilities": ["cobol"] })),
        ("blocked", json!({ "priority": "urgent", "depends_on": ["low"] })),
        ("later", json!({ "priority": "urgent", "not_before": "2999-01-01T00:00:00Z" })),
    ] {
        let mut task = json!({ "task_id": id, "title": id });
        task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        hub.post_ok("/tasks/create", task).await;
    }
    let tagged = json!({ "entity_id": "ai", "tags": ["y", "x"] });
    assert_eq!(hub.post_ok("/tasks/claim-next", tagged).await["task_id"], "normal");
    for expected in ["urgent", "high", "low"] {
        assert_eq!(next(&hub, "ai").await["task_id"], expected);
    }
    assert_eq!(next(&hub, "ai").await["status"], "none");
    assert_eq!(next(&hub, "anna").await["task_id"], "person");
    let skilled =
        json!({ "entity_id": "old", "entity_type": "ai_agent", "capabilities": ["cobol"] });
    hub.post_ok("/entities/register", skilled).await;
    let without = json!({ "entity_id": "old", "capabilities": [] });
    assert_eq!(hub.post_ok("/tasks/claim-next", without).await["status"], "none");
    let wider = json!({ "entity_id": "ai", "capabilities": ["cobol"] });
    assert_eq!(hub.post_ok("/tasks/claim-next", wider).await["status"], "none");
    assert_eq!(next(&hub, "old").await["task_id"], "skilled");
}

#[tokio::test]
async fn many_workers_get_each_task_once() {
    let hub = Hub::new();
    let tasks: Vec<Value> = (0..200).map(|n| json!({ "title": format!("chunk {n}") })).collect();
    hub.post_ok("/tasks/create-batch", json!(tasks)).await;
    let mut workers = JoinSet::new();
    for worker in 0..16 {
        let mut client = hub.client().await;
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let ask = json!({ "entity_id": format!("w{worker}") });
                let claim = client.send(Request::post("/tasks/claim-next").json(&ask)).await.ok();
                let Some(id) = claim["task_id"].as_str().map(str::to_owned) else { return done };
                let complete = json!({ "claim_token": claim["claim_token"], "result": worker });
                let path = format!("/tasks/{id}/complete");
                client.send(Request::post(&path).json(&complete)).await.ok();
                done.push(id);
            }
        });
    }
    let done: Vec<String> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(done.len(), 200);
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>().len(), 200, "none was done twice");
}

/// Asks for the next task on a connection of its own, and waits.
async fn waiting(hub: &Hub, who: &str) -> tokio::task::JoinHandle<Value> {
    let mut client = hub.client().await;
    let ask = json!({ "entity_id": who, "wait_seconds": 60 });
    tokio::spawn(
        async move { client.send(Request::post("/tasks/claim-next").json(&ask)).await.ok() },
    )
}

#[tokio::test]
async fn waiters_are_served_in_the_order_they_came() {
    let hub =
        Hub::start(coordhub_harness::HubOptions::default().arg("--monitor").arg("127.0.0.1:0"));
    let mut waiters = Vec::new();
    for n in 0..3 {
        waiters.push(waiting(&hub, &format!("w{n}")).await);
        until_waiting(&hub, n + 1).await;
    }
    for n in 0..3 {
        hub.post_ok("/tasks/create", json!({ "task_id": format!("t{n}"), "title": "t" })).await;
    }
    for (n, waiter) in waiters.into_iter().enumerate() {
        let claim = waiter.await.unwrap();
        assert_eq!(claim["task_id"], format!("t{n}"));
        // Created and claimed in one commit, one event after the other.
        let history = hub.get_ok(&format!("/tasks/t{n}")).await["history"].clone();
        assert_eq!(seq(&history[1]), seq(&history[0]) + 1);
    }
}

#[tokio::test]
async fn who_hung_up_is_not_served() {
    let hub =
        Hub::start(coordhub_harness::HubOptions::default().arg("--monitor").arg("127.0.0.1:0"));
    let gone = waiting(&hub, "gone").await;
    until_waiting(&hub, 1).await;
    let here = waiting(&hub, "here").await;
    until_waiting(&hub, 2).await;
    // The connection goes with its task.
    gone.abort();
    let _cancelled = gone.await;
    while hub.metrics().await.get("coordhub_connections", "") > 3.0 {
        tokio::task::yield_now().await;
    }
    hub.post_ok("/tasks/create", json!({ "task_id": "t", "title": "t" })).await;
    let claim = here.await.unwrap();
    assert_eq!((&claim["task_id"], &claim["claim_token"]), (&json!("t"), &json!(1)));
}

#[tokio::test]
async fn a_socket_waits_like_everybody_and_goes_on_meanwhile() {
    let hub = Hub::new();
    let mut socket = hub.socket("/ws/worker?notices=none").await;
    let args = json!({ "wait_seconds": 60 });
    socket.send(json!({ "type": "call", "id": 1, "op": "tasks.claim-next", "args": args })).await;
    socket.send(json!({ "type": "ping" })).await;
    socket.expect("pong").await;
    hub.post_ok("/tasks/create", json!({ "task_id": "t", "title": "t" })).await;
    let reply = socket.expect("reply").await;
    assert_eq!((&reply["id"], &reply["body"]["task_id"]), (&json!(1), &json!("t")));
    assert_eq!(reply["body"]["task"]["claimed_by"], "worker");
}

#[tokio::test]
async fn at_stop_every_wait_ends_at_once() {
    let mut hub =
        Hub::start(coordhub_harness::HubOptions::default().arg("--monitor").arg("127.0.0.1:0"));
    let waiter = waiting(&hub, "a").await;
    until_waiting(&hub, 1).await;
    assert!(hub.terminate().success());
    assert_eq!(waiter.await.unwrap()["status"], "none");
}
