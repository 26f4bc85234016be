//! Waiting until a task, or a proposal, gets somewhere.

use std::time::Duration;

use coordhub_harness::{Hub, Request, Response, WAIT_MAX};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::hub_with_everyone;

/// Begins to wait as the service `backup`, and comes back once the hub has taken the call. The time is longer than any
/// test has patience: it is what is waited for that ends the wait.
async fn wait(hub: &Hub, path: &str) -> JoinHandle<Response> {
    let seen = hub.get_ok("/entities/backup").await["last_seen"].clone();
    // The hub's clock must have moved on for the next sight of it to show.
    while hub.get_ok("/health").await["timestamp"].as_str() <= seen.as_str() {}
    let path = format!(
        "{path}{}wait_seconds=60&entity_id=backup",
        if path.contains('?') { '&' } else { '?' }
    );
    let mut client = hub.client().await;
    let waiting = tokio::spawn(async move { client.send(Request::get(&path)).await });
    // The call is made as `backup`: once the hub has seen it again, the wait is under way.
    let under_way = async { while hub.get_ok("/entities/backup").await["last_seen"] == seen {} };
    tokio::time::timeout(WAIT_MAX, under_way).await.expect("the wait is under way");
    waiting
}

async fn act(hub: &Hub, path: &str, entity: &str) -> Value {
    hub.post_ok(path, json!({ "entity_id": entity })).await
}

async fn create(hub: &Hub, task_id: &str, mut fields: Value) {
    fields["task_id"] = json!(task_id);
    fields["title"] = json!(task_id);
    hub.post_ok("/tasks/create", fields).await;
}

#[tokio::test]
async fn a_wait_for_a_task_is_answered_when_it_gets_there_or_ends() {
    let hub = hub_with_everyone().await;
    // Each row: until when, what is done meanwhile by whom, and the status that is answered.
    for (nth, (until, steps, status)) in [
        ("", &["claim", "update", "complete"][..], "completed"),
        ("?until=completed", &["claim", "release", "claim", "complete"], "completed"),
        ("?until=in_progress", &["update", "claim"], "in_progress"),
        ("?until=failed", &["claim", "fail"], "failed"),
        ("?until=cancelled", &["claim", "cancel"], "cancelled"),
        // Ends that are not what was waited for.
        ("?until=completed", &["cancel"], "cancelled"),
        ("?until=completed", &["claim", "fail"], "failed"),
        ("?until=in_progress", &["cancel"], "cancelled"),
        ("?until=blocked", &["claim", "complete"], "completed"),
    ]
    .into_iter()
    .enumerate()
    {
        let task = format!("t{nth}");
        create(&hub, &task, json!({ "created_by": "ai" })).await;
        create(&hub, &format!("other-{nth}"), json!({ "created_by": "ai" })).await;
        let waiting = wait(&hub, &format!("/tasks/{task}{until}")).await;
        act(&hub, &format!("/tasks/other-{nth}/claim"), "ai").await;
        act(&hub, &format!("/tasks/other-{nth}/complete"), "ai").await;
        let (last, before) = steps.split_last().unwrap();
        for step in before {
            act(&hub, &format!("/tasks/{task}/{step}"), "ai").await;
        }
        assert!(!waiting.is_finished(), "{until} before {last}");
        act(&hub, &format!("/tasks/{task}/{last}"), "ai").await;
        let answer = waiting.await.unwrap().ok();
        assert_eq!(
            (&answer["task_id"], &answer["status"]),
            (&json!(task), &json!(status)),
            "{until}"
        );
        assert!(answer["history"].is_array() && answer["notes"].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn what_others_do_ends_a_wait_too() {
    let hub = hub_with_everyone().await;
    create(&hub, "first", json!({})).await;
    create(&hub, "then", json!({ "depends_on": ["first"] })).await;
    let ready = wait(&hub, "/tasks/then?until=open").await;
    act(&hub, "/tasks/first/claim", "ai").await;
    act(&hub, "/tasks/first/complete", "ai").await;
    assert_eq!(ready.await.unwrap().ok()["status"], "open");

    let lapsed =
        hub.post_ok("/tasks/then/claim", json!({ "entity_id": "ai", "lease_seconds": 5 })).await;
    assert!(lapsed["lease_expires_at"].is_string(), "{lapsed}");
    let open_again = wait(&hub, "/tasks/then?until=open").await;
    let answer = open_again.await.unwrap().ok();
    assert_eq!((&answer["status"], &answer["attempts"]), (&json!("open"), &json!(1)));
}

#[tokio::test]
async fn a_wait_for_what_is_there_is_answered_at_once() {
    let hub = hub_with_everyone().await;
    create(&hub, "open", json!({})).await;
    create(&hub, "held", json!({})).await;
    create(&hub, "done", json!({})).await;
    create(&hub, "waits", json!({ "depends_on": ["open"] })).await;
    for path in ["/tasks/held/claim", "/tasks/done/claim", "/tasks/done/complete"] {
        act(&hub, path, "ai").await;
    }
    for (path, status) in [
        ("/tasks/open?wait_seconds=60&until=open", "open"),
        ("/tasks/held?wait_seconds=60&until=in_progress", "in_progress"),
        ("/tasks/done?wait_seconds=60", "completed"),
        ("/tasks/done?wait_seconds=60&until=open", "completed"),
        ("/tasks/waits?wait_seconds=60&until=blocked", "blocked"),
        // No wait was asked for.
        ("/tasks/open?until=completed", "open"),
        ("/tasks/open?wait_seconds=0&until=completed", "open"),
        // The time is up.
        ("/tasks/open?wait_seconds=1&until=completed", "open"),
    ] {
        assert_eq!(hub.get_ok(path).await["status"], status, "{path}");
    }
    hub.get("/tasks/none?wait_seconds=60").await.refusal(404);
    hub.get("/proposals/none?wait_seconds=60").await.refusal(404);
    hub.post_ok("/proposals/create", json!({ "title": "p", "proposal_id": "p1" })).await;
    assert_eq!(hub.get_ok("/proposals/p1?wait_seconds=1").await["status"], "open");
    for path in ["/tasks/open", "/proposals/p1"] {
        for wrong in ["61", "-1", "x", "1.5"] {
            hub.get(&format!("{path}?wait_seconds={wrong}")).await.wrong_field("wait_seconds");
        }
    }
    hub.get("/tasks/open?wait_seconds=1&until=done").await.wrong_field("until");
}

#[tokio::test]
async fn a_wait_for_a_proposal_is_answered_when_it_is_decided() {
    let hub = hub_with_everyone().await;
    let propose = async |id: &str, fields: Value| {
        let mut body = json!({ "title": "p", "proposal_id": id, "proposed_by": "ai", "electorate": ["ai", "session"] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        hub.post_ok("/proposals/create", body).await;
    };
    let vote = async |id: &str, entity: &str, vote: &str| {
        let body = json!({ "entity_id": entity, "vote": vote });
        hub.post_ok(&format!("/proposals/{id}/vote"), body).await;
    };
    for (id, second, status) in [("yes", "for", "approved"), ("no", "against", "rejected")] {
        propose(id, json!({})).await;
        propose(&format!("other-{id}"), json!({})).await;
        let waiting = wait(&hub, &format!("/proposals/{id}")).await;
        vote(&format!("other-{id}"), "ai", "against").await;
        vote(id, "ai", "for").await;
        assert!(!waiting.is_finished(), "{id}: there is a vote out");
        vote(id, "session", second).await;
        let answer = waiting.await.unwrap().ok();
        assert_eq!((&answer["proposal_id"], &answer["status"]), (&json!(id), &json!(status)));
        assert_eq!(answer["votes"].as_array().unwrap().len(), 2);
        assert_eq!(hub.get_ok(&format!("/proposals/{id}?wait_seconds=60")).await["status"], status);
    }
    propose("taken-back", json!({})).await;
    let waiting = wait(&hub, "/proposals/taken-back").await;
    act(&hub, "/proposals/taken-back/withdraw", "ai").await;
    assert_eq!(waiting.await.unwrap().ok()["status"], "withdrawn");
    propose("short", json!({ "ttl_seconds": 1 })).await;
    assert_eq!(hub.get_ok("/proposals/short?wait_seconds=60").await["status"], "expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waits_for_one_task_are_all_answered() {
    let hub = hub_with_everyone().await;
    create(&hub, "t1", json!({})).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(wait(&hub, "/tasks/t1").await);
    }
    act(&hub, "/tasks/t1/claim", "ai").await;
    act(&hub, "/tasks/t1/complete", "ai").await;
    for wait in waiting {
        assert_eq!(wait.await.unwrap().ok()["status"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_hub_answers_waits_as_things_stand() {
    let mut hub = hub_with_everyone().await;
    create(&hub, "t1", json!({})).await;
    hub.post_ok("/proposals/create", json!({ "title": "p", "proposal_id": "p1" })).await;
    let waits = [wait(&hub, "/tasks/t1").await, wait(&hub, "/proposals/p1").await];
    let status = tokio::task::spawn_blocking(move || hub.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    for wait in waits {
        let answered = tokio::time::timeout(Duration::from_secs(1), wait).await;
        let answer = answered.expect("it was answered before the hub ended").unwrap().ok();
        assert_eq!(answer["status"], "open", "{answer}");
    }
}
