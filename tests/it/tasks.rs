//! Tasks: their life, dependencies, and many claimers for one.

use coordhub_harness::{Hub, Request};
use serde_json::{Value, json};

use crate::support::{TASK, column, has_members, hub_with_everyone, is_time, rows, seq};

/// Does something to a task as an entity.
async fn act(hub: &Hub, task: &str, verb: &str, entity: &str) -> coordhub_harness::Response {
    hub.post(&format!("/tasks/{task}/{verb}"), json!({ "entity_id": entity })).await
}

async fn status(hub: &Hub, task: &str) -> String {
    hub.get_ok(&format!("/tasks/{task}")).await["status"].as_str().unwrap().to_owned()
}

/// Creates a task of a chosen id.
async fn create(hub: &Hub, task_id: &str, mut fields: Value) -> Value {
    fields["task_id"] = json!(task_id);
    if fields.get("title").is_none() {
        fields["title"] = json!(task_id);
    }
    hub.post_ok("/tasks/create", fields).await
}

#[tokio::test]
async fn create_get_and_list() {
    let hub = Hub::new();
    let reply = hub.post_ok("/tasks/create", json!({ "title": "bare" })).await;
    assert_eq!(reply["status"], "created");
    seq(&reply);
    assert!(reply["task_id"].as_str().unwrap().starts_with("task-"), "{reply}");
    has_members(&reply["task"], TASK);
    let bare = &reply["task"];
    for (member, value) in [
        ("status", json!("open")),
        ("priority", json!("normal")),
        ("created_by", json!(null)),
        ("claimed_by", json!(null)),
        ("requires_human", json!(false)),
        ("requires_ai", json!(false)),
        ("tags", json!([])),
        ("depends_on", json!([])),
        ("blocked_by", json!([])),
        ("result", json!(null)),
        ("attempts", json!(0)),
        ("completed_at", json!(null)),
    ] {
        assert_eq!(bare[member], value, "{member} of {bare}");
    }
    is_time(&bare["created_at"]);
    let by_id = hub.get_ok(&format!("/tasks/{}", reply["task_id"].as_str().unwrap())).await;
    has_members(&by_id, TASK);
    has_members(&by_id, "history notes late_results");
    assert!(!by_id["history"].as_array().unwrap().is_empty());

    create(&hub, "t1", json!({ "created_by": "ai", "priority": "urgent", "requires_human": true, "tags": ["x", "y"] })).await;
    hub.post("/tasks/create", json!({ "title": "again", "task_id": "t1" })).await.refusal(409);
    hub.get("/tasks/none").await.refusal(404);
}

#[tokio::test]
async fn filters_of_the_list() {
    let hub = hub_with_everyone().await;
    create(&hub, "t1", json!({ "created_by": "ai", "priority": "high", "tags": ["x"] })).await;
    create(&hub, "t2", json!({ "created_by": "anna", "requires_human": true })).await;
    create(&hub, "t3", json!({ "tags": ["x", "y"], "depends_on": ["t1"] })).await;
    create(&hub, "t4", json!({})).await;
    act(&hub, "t4", "claim", "session").await.ok();
    for (query, expected) in [
        ("", &["t1", "t2", "t3", "t4"][..]),
        ("?status=open", &["t1", "t2"]),
        ("?status=blocked", &["t3"]),
        ("?status=in_progress", &["t4"]),
        ("?status=completed", &[]),
        ("?priority=high", &["t1"]),
        ("?requires_human=true", &["t2"]),
        ("?requires_human=false", &["t1", "t3", "t4"]),
        ("?tag=x", &["t1", "t3"]),
        ("?created_by=anna", &["t2"]),
        ("?claimed_by=session", &["t4"]),
        ("?ready_for=anna", &["t1", "t2"]),
        ("?ready_for=ai", &["t1"]),
        ("?status=open&priority=high", &["t1"]),
    ] {
        let list = hub.get_ok(&format!("/tasks/list{query}")).await;
        assert_eq!(column(&list, "tasks", "task_id"), expected, "{query}");
        rows(&list, "tasks").iter().for_each(|task| has_members(task, TASK));
    }
    for (query, field) in [
        ("status=done", "status"),
        ("priority=x", "priority"),
        ("requires_human=x", "requires_human"),
    ] {
        hub.get(&format!("/tasks/list?{query}")).await.wrong_field(field);
    }
}

#[tokio::test]
async fn claim_and_complete() {
    let hub = Hub::new();
    create(&hub, "t1", json!({})).await;
    let claimed = act(&hub, "t1", "claim", "session-5").await.ok();
    assert_eq!(
        (&claimed["status"], &claimed["task"]["status"]),
        (&json!("claimed"), &json!("in_progress"))
    );
    assert_eq!(claimed["task"]["claimed_by"], "session-5");
    assert!(!claimed["claim_token"].is_null(), "{claimed}");
    is_time(&claimed["task"]["claimed_at"]);
    let problem = act(&hub, "t1", "claim", "late").await.problem(409, "task_already_claimed");
    assert_eq!(problem["claimed_by"], "session-5");
    let again = act(&hub, "t1", "claim", "session-5").await.ok();
    assert_eq!((&again["already"], &again["claim_token"]), (&json!(true), &claimed["claim_token"]));

    act(&hub, "t1", "complete", "late").await.refusal(409);
    let complete = json!({ "entity_id": "session-5", "result": { "lines": 10 } });
    let completed = hub.post_ok("/tasks/t1/complete", complete.clone()).await;
    assert_eq!(completed["status"], "completed");
    hub.post_ok("/tasks/t1/complete", complete).await;
    hub.post("/tasks/t1/complete", json!({ "entity_id": "session-5", "result": "other" }))
        .await
        .refusal(409);
    let task = hub.get_ok("/tasks/t1").await;
    assert_eq!((&task["status"], &task["result"]), (&json!("completed"), &json!({ "lines": 10 })));
    is_time(&task["completed_at"]);
    act(&hub, "t1", "claim", "late").await.problem(409, "task_not_open");
    for verb in ["claim", "complete", "fail", "release", "cancel", "reopen", "update"] {
        act(&hub, "none", verb, "a").await.refusal(404);
    }
}

#[tokio::test]
async fn completing_needs_a_claim_but_as_in_the_seed_no_name() {
    let hub = Hub::new();
    create(&hub, "t1", json!({})).await;
    act(&hub, "t1", "complete", "a").await.refusal(409);
    act(&hub, "t1", "claim", "a").await.ok();
    hub.send(Request::post("/tasks/t1/complete")).await.ok();
    assert_eq!(status(&hub, "t1").await, "completed");
}

#[tokio::test]
async fn who_may_claim() {
    let hub = hub_with_everyone().await;
    hub.post_ok(
        "/entities/register",
        json!({ "entity_id": "coder", "entity_type": "ai_agent", "capabilities": ["rust"] }),
    )
    .await;
    let everyone = ["ai", "session", "anna", "backup", "stranger", "coder"];
    for (fields, claimers) in [
        (json!({}), &everyone[..]),
        (json!({ "requires_human": true }), &["anna"]),
        (json!({ "requires_ai": true }), &["ai", "session", "stranger", "coder"]),
        (json!({ "requires_human": true, "requires_ai": true }), &["anna"]),
        (json!({ "capabilities": ["rust"] }), &["coder"]),
        (json!({ "capabilities": ["rust", "c"] }), &[]),
    ] {
        for claimer in everyone {
            let mut body = fields.clone();
            body["title"] = json!("t");
            let created = hub.post_ok("/tasks/create", body).await;
            let response = act(&hub, created["task_id"].as_str().unwrap(), "claim", claimer).await;
            if claimers.contains(&claimer) {
                response.ok();
            } else {
                response.refusal(403);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_claimers_one_wins() {
    let hub = Hub::new();
    for round in 0..8 {
        let task = hub.task(&format!("contested {round}")).await;
        let mut claimers = Vec::new();
        for number in 0..64 {
            let mut client = hub.client().await;
            let request = Request::post(&format!("/tasks/{task}/claim"))
                .json(&json!({ "entity_id": format!("w{number}") }));
            claimers.push(tokio::spawn(async move { (number, client.send(request).await) }));
        }
        let (mut winners, mut losers) = (Vec::new(), Vec::new());
        for claimer in claimers {
            let (number, response) = claimer.await.unwrap();
            if response.status == 200 {
                winners.push(format!("w{number}"));
            } else {
                losers.push(response.problem(409, "task_already_claimed"));
            }
        }
        assert_eq!((winners.len(), losers.len()), (1, 63), "{winners:?}");
        assert!(losers.iter().all(|problem| problem["claimed_by"] == winners[0]), "{losers:?}");
        assert_eq!(hub.get_ok(&format!("/tasks/{task}")).await["claimed_by"], winners[0]);
    }
}

#[tokio::test]
async fn fail_release_cancel_reopen() {
    let hub = Hub::new();
    // Each row: what is done in order by whom, and the status in the end.
    for (index, (steps, end)) in [
        (&[("claim", "a"), ("release", "a")][..], "open"),
        (&[("claim", "a"), ("release", "a"), ("claim", "b")], "in_progress"),
        (&[("claim", "a"), ("fail", "a")], "failed"),
        (&[("claim", "a"), ("fail", "a"), ("reopen", "maker")], "open"),
        (&[("cancel", "maker")], "cancelled"),
        (&[("claim", "a"), ("cancel", "maker")], "cancelled"),
        (&[("cancel", "maker"), ("reopen", "maker"), ("claim", "b")], "in_progress"),
    ]
    .into_iter()
    .enumerate()
    {
        let task = format!("t{index}");
        create(&hub, &task, json!({ "created_by": "maker" })).await;
        for (verb, entity) in steps {
            seq(&act(&hub, &task, verb, entity).await.ok());
        }
        assert_eq!(status(&hub, &task).await, end, "{steps:?}");
    }
}

#[tokio::test]
async fn steps_that_the_state_does_not_allow() {
    let hub = Hub::new();
    for (index, (before, verb, entity)) in [
        (&[][..], "release", "a"),
        (&[], "fail", "a"),
        (&[], "reopen", "maker"),
        (&[("claim", "a")], "release", "b"),
        (&[("claim", "a")], "fail", "b"),
        (&[("claim", "a"), ("complete", "a")], "cancel", "maker"),
        (&[("claim", "a"), ("complete", "a")], "reopen", "maker"),
        (&[("cancel", "maker")], "claim", "a"),
        (&[("claim", "a"), ("fail", "a")], "complete", "a"),
    ]
    .into_iter()
    .enumerate()
    {
        let task = format!("t{index}");
        create(&hub, &task, json!({ "created_by": "maker" })).await;
        for (verb, entity) in before {
            act(&hub, &task, verb, entity).await.ok();
        }
        let reached = status(&hub, &task).await;
        let response = act(&hub, &task, verb, entity).await;
        assert_eq!(
            response.status,
            409,
            "{verb} by {entity} after {before:?}: {}",
            response.text()
        );
        response.refusal(409);
        assert_eq!(status(&hub, &task).await, reached, "a refusal changes nothing");
    }
}

#[tokio::test]
async fn cancel_and_update_are_for_those_concerned() {
    let hub = hub_with_everyone().await;
    create(&hub, "t1", json!({ "created_by": "ai" })).await;
    act(&hub, "t1", "cancel", "session").await.refusal(403);
    act(&hub, "t1", "update", "session").await.refusal(403);
    let update = json!({ "entity_id": "ai", "title": "new", "description": "d", "priority": "low", "tags": ["z"] });
    hub.post_ok("/tasks/t1/update", update).await;
    hub.post_ok("/tasks/t1/update", json!({ "entity_id": "anna", "metadata": { "a": 1 } })).await;
    let task = hub.get_ok("/tasks/t1").await;
    assert_eq!(
        (&task["title"], &task["description"], &task["priority"]),
        (&json!("new"), &json!("d"), &json!("low"))
    );
    assert_eq!((&task["tags"], &task["metadata"]), (&json!(["z"]), &json!({ "a": 1 })));
    hub.post("/tasks/t1/update", json!({ "entity_id": "ai", "title": "" }))
        .await
        .wrong_field("title");
    act(&hub, "t1", "cancel", "anna").await.ok();
}

#[tokio::test]
async fn dependencies_open_with_their_last_blocker() {
    let hub = Hub::new();
    create(&hub, "a", json!({})).await;
    create(&hub, "b", json!({})).await;
    create(&hub, "c", json!({ "depends_on": ["a", "b"] })).await;
    create(&hub, "d", json!({ "depends_on": ["c"] })).await;
    assert_eq!(hub.get_ok("/tasks/c").await["blocked_by"], json!(["a", "b"]));
    act(&hub, "c", "claim", "x").await.refusal(409);
    for (done, c, d) in
        [("a", "blocked", "blocked"), ("b", "open", "blocked"), ("c", "in_progress", "blocked")]
    {
        act(&hub, done, "claim", "x").await.ok();
        if done != "c" {
            act(&hub, done, "complete", "x").await.ok();
        }
        assert_eq!(
            (status(&hub, "c").await.as_str(), status(&hub, "d").await.as_str()),
            (c, d),
            "after {done}"
        );
    }
    act(&hub, "c", "complete", "x").await.ok();
    assert_eq!(status(&hub, "d").await, "open");
    assert_eq!(hub.get_ok("/tasks/d").await["blocked_by"], json!([]));
    create(&hub, "e", json!({ "depends_on": ["a"] })).await;
    assert_eq!(status(&hub, "e").await, "open", "what it depends on is done already");
}

#[tokio::test]
async fn notes_are_kept_in_their_order() {
    let mut hub = hub_with_everyone().await;
    create(&hub, "t1", json!({ "created_by": "ai" })).await;
    act(&hub, "t1", "claim", "session").await.ok();
    let note = |entity: &str, note: Value| json!({ "entity_id": entity, "note": note });
    for (entity, text) in
        [("ai", "one"), ("session", "two\n\u{1}"), ("anna", "three"), ("ai", "one")]
    {
        let reply = hub.post_ok("/tasks/t1/update", note(entity, json!(text))).await;
        assert_eq!(reply["status"], "updated");
    }
    for stranger in ["backup", "stranger"] {
        hub.post("/tasks/t1/update", note(stranger, json!("no"))).await.refusal(403);
    }
    hub.post("/tasks/t1/update", note("ai", json!(1))).await.wrong_field("note");
    hub.post("/tasks/t1/update", note("ai", json!("x".repeat((256 << 10) + 1)))).await.refusal(413);
    let both = json!({ "entity_id": "ai", "note": "four", "title": "new" });
    let last = hub.post_ok("/tasks/t1/update", both).await;
    for _ in 0..2 {
        let task = hub.get_ok("/tasks/t1").await;
        assert_eq!(task["title"], "new");
        let notes = task["notes"].as_array().unwrap();
        let said: Vec<_> = notes.iter().map(|note| [&note["entity_id"], &note["note"]]).collect();
        assert_eq!(
            json!(said),
            json!([
                ["ai", "one"],
                ["session", "two\n\u{1}"],
                ["anna", "three"],
                ["ai", "one"],
                ["ai", "four"]
            ])
        );
        assert!(notes.windows(2).all(|two| seq(&two[0]) < seq(&two[1])), "{notes:?}");
        assert_eq!(notes.last().map(seq), Some(seq(&last)));
        notes.iter().for_each(|note| is_time(&note["at"]));
        hub.kill9();
        hub.restart();
    }
}
