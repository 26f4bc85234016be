//! Leases: who holds work, and what becomes of it when its holder says nothing more.

use coordhub_harness::Hub;
use serde_json::{Value, json};

use crate::support::{hub_with_everyone, is_time, rows, seq};

/// A hub with a task `t` that `ai` holds under a lease, and the reply to the claim.
async fn leased(lease_seconds: u64) -> (Hub, Value) {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "task_id": "t", "title": "t", "created_by": "anna" }))
        .await;
    let claim = json!({ "entity_id": "ai", "lease_seconds": lease_seconds });
    let reply = hub.post_ok("/tasks/t/claim", claim).await;
    (hub, reply)
}

/// The first event of a kind after a position, waited for.
async fn event(hub: &Hub, since: u64, kind: &str) -> Value {
    let path = format!("/events?since={since}&kinds={kind}&wait=60&limit=1");
    let page = hub.get_ok(&path).await;
    rows(&page, "events").first().unwrap_or_else(|| panic!("no {kind} within a minute")).clone()
}

async fn task(hub: &Hub) -> Value {
    hub.get_ok("/tasks/t").await
}

#[tokio::test]
async fn a_claim_with_a_lease_names_its_token_and_its_end() {
    let (hub, reply) = leased(60).await;
    assert_eq!((&reply["status"], &reply["claim_token"]), (&json!("claimed"), &json!(1)));
    is_time(&reply["lease_expires_at"]);
    assert_eq!(reply["task"]["lease_expires_at"], reply["lease_expires_at"]);
    assert_eq!(task(&hub).await["stale"], false);
    for seconds in [0, 4, 86_401] {
        let claim = json!({ "entity_id": "session", "lease_seconds": seconds });
        hub.post("/tasks/t/claim", claim).await.wrong_field("lease_seconds");
    }
    // Also as a parameter, like every scalar of a claim.
    hub.post_ok("/tasks/create", json!({ "task_id": "u", "title": "u" })).await;
    let reply = hub.post_ok("/tasks/u/claim?entity_id=ai&lease_seconds=5", json!({})).await;
    is_time(&reply["lease_expires_at"]);
}

#[tokio::test]
async fn a_leased_claim_is_used_with_its_token() {
    for verb in ["complete", "fail", "release", "heartbeat"] {
        let (hub, _) = leased(60).await;
        let path = format!("/tasks/t/{verb}");
        let call = |body: Value| hub.post(&path, body);
        call(json!({ "entity_id": "ai" })).await.problem(409, "claim_token_required");
        call(json!({ "entity_id": "ai", "claim_token": 2 })).await.problem(409, "stale_claim");
        call(json!({ "entity_id": "session", "claim_token": 1 })).await.problem(409, "not_holder");
        call(json!({ "claim_token": 1 })).await.ok();
    }
}

#[tokio::test]
async fn the_holder_again_gets_the_same_token() {
    let (hub, _) = leased(60).await;
    let again = json!({ "entity_id": "ai" });
    let refused = hub.post("/tasks/t/claim", again).await.problem(409, "task_already_claimed");
    assert_eq!(refused["claimed_by"], "ai");
    let again = json!({ "entity_id": "ai", "claim_token": 1 });
    let reply = hub.post_ok("/tasks/t/claim", again).await;
    assert_eq!((&reply["already"], &reply["claim_token"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn a_renewal_tells_the_end_that_is_on_disk() {
    let (hub, claim) = leased(60).await;
    let renew = json!({ "entity_id": "ai", "claim_token": 1 });
    let reply = hub.post_ok("/tasks/t/heartbeat", renew.clone()).await;
    // Nearly all of it is left: nothing was written.
    assert_eq!(
        (&reply["status"], &reply["lease_expires_at"]),
        (&json!("renewed"), &claim["lease_expires_at"])
    );
    assert_eq!(seq(&reply), seq(&claim));
    hub.post_ok("/tasks/create", json!({ "task_id": "u", "title": "u" })).await;
    hub.post_ok("/tasks/u/claim", json!({ "entity_id": "ai" })).await;
    let reply = hub.post_ok("/tasks/u/heartbeat", json!({ "entity_id": "ai" })).await;
    assert_eq!(reply["lease_expires_at"], json!(null), "a claim without a lease has no end");
    hub.post("/tasks/none/heartbeat", renew).await.problem(404, "unknown_task");
}

#[tokio::test]
async fn heartbeats_keep_a_lease_and_silence_ends_it() {
    let (hub, claim) = leased(5).await;
    // Signs of life until two thirds of the lease are not left any more and it is written anew.
    let end = loop {
        hub.post_ok("/entities/ai/heartbeat", json!({})).await;
        let task = task(&hub).await;
        if task["lease_expires_at"] != claim["lease_expires_at"] {
            break task["lease_expires_at"].clone();
        }
    };
    assert!(end.as_str() > claim["lease_expires_at"].as_str(), "{end}");
    let renewed = event(&hub, seq(&claim), "lease_renewed").await;
    assert_eq!(renewed["data"]["claim_token"], 1);
    let lapsed = event(&hub, seq(&claim), "task_released").await;
    assert_eq!((&lapsed["actor"], &lapsed["data"]["reason"]), (&json!("system"), &json!("lapsed")));
    assert!(lapsed["at"].as_str() >= end.as_str(), "not before its end: {lapsed}");
    let task = task(&hub).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("open"), &json!(1)));
    // Who brings its result now is not turned away, unless another has the task.
    let done = json!({ "entity_id": "ai", "claim_token": 1, "result": "done" });
    hub.post("/tasks/t/heartbeat", json!({ "claim_token": 1 })).await.problem(409, "stale_claim");
    hub.post_ok("/tasks/t/complete", done).await;
}

#[tokio::test]
async fn a_late_result_is_refused_and_kept() {
    let (hub, claim) = leased(5).await;
    event(&hub, seq(&claim), "task_released").await;
    let reply =
        hub.post_ok("/tasks/t/claim", json!({ "entity_id": "session", "lease_seconds": 60 })).await;
    assert_eq!(reply["claim_token"], 2);
    let late = json!({ "entity_id": "ai", "claim_token": 1, "result": { "n": 1.50 } });
    for _ in 0..2 {
        hub.post("/tasks/t/complete", late.clone()).await.problem(409, "stale_claim");
    }
    let task = task(&hub).await;
    assert_eq!((&task["status"], &task["claimed_by"]), (&json!("in_progress"), &json!("session")));
    let kept = task["late_results"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "once for each claim");
    assert_eq!((&kept[0]["entity_id"], &kept[0]["claim_token"]), (&json!("ai"), &json!(1)));
    assert_eq!(kept[0]["result"], json!({ "n": 1.5 }));
    is_time(&kept[0]["at"]);
}

#[tokio::test]
async fn leases_survive_a_kill_and_lapse_afterwards() {
    let (mut hub, claim) = leased(6).await;
    hub.kill9();
    hub.restart();
    let task = task(&hub).await;
    assert_eq!((&task["status"], &task["claimed_by"]), (&json!("in_progress"), &json!("ai")));
    hub.post_ok("/tasks/t/heartbeat", json!({ "entity_id": "ai", "claim_token": 1 })).await;
    let lapsed = event(&hub, seq(&claim), "task_released").await;
    assert_eq!(lapsed["data"]["reason"], "lapsed");
}

#[tokio::test]
async fn attempts_delays_and_schedules() {
    let hub = hub_with_everyone().await;
    let create = json!({
        "task_id": "t", "title": "t", "created_by": "ai", "max_attempts": 2, "retry_delay_seconds": 1,
    });
    let created = hub.post_ok("/tasks/create", create).await;
    hub.post_ok("/tasks/t/claim", json!({ "entity_id": "ai" })).await;
    let failed =
        hub.post_ok("/tasks/t/fail", json!({ "entity_id": "ai", "reason": "flaky" })).await;
    assert_eq!(
        (&failed["task"]["status"], &failed["task"]["attempts"]),
        (&json!("scheduled"), &json!(1))
    );
    is_time(&failed["task"]["not_before"]);
    let early = hub.post("/tasks/t/claim", json!({ "entity_id": "ai" })).await;
    is_time(&early.problem(409, "task_scheduled")["not_before"]);
    let ready = event(&hub, seq(&created), "task_ready").await;
    assert_eq!(ready["data"]["task_id"], "t");
    hub.post_ok("/tasks/t/claim", json!({ "entity_id": "ai" })).await;
    let failed = hub.post_ok("/tasks/t/fail", json!({ "entity_id": "ai" })).await;
    assert_eq!(
        (&failed["task"]["status"], &failed["task"]["attempts"]),
        (&json!("failed"), &json!(2))
    );
    let reopened = hub.post_ok("/tasks/t/reopen", json!({ "entity_id": "ai" })).await;
    assert_eq!(
        (&reopened["task"]["status"], &reopened["task"]["attempts"]),
        (&json!("open"), &json!(0))
    );
    for (field, value) in [
        ("max_attempts", json!(0)),
        ("max_attempts", json!(1_001)),
        ("max_attempts", json!("2")),
        ("retry_delay_seconds", json!(-1)),
        ("not_before", json!("2030-01-01T00:00:00")),
        ("on_blocker_failed", json!("explode")),
    ] {
        hub.post("/tasks/create", json!({ "title": "x", field: value })).await.wrong_field(field);
    }
    let later = json!({ "title": "x", "not_before": "2999-01-01T00:00:00Z" });
    assert_eq!(hub.post_ok("/tasks/create", later).await["task"]["status"], "scheduled");
}

#[tokio::test]
async fn those_that_say_so_fall_with_their_blocker() {
    let hub = hub_with_everyone().await;
    let task = |id: &str, on: Value, what: &str| json!({ "task_id": id, "title": id, "depends_on": on, "on_blocker_failed": what, "created_by": "ai" });
    hub.post_ok("/tasks/create", task("root", json!([]), "hold")).await;
    hub.post_ok("/tasks/create", task("falls", json!(["root"]), "cancel")).await;
    hub.post_ok("/tasks/create", task("too", json!(["falls"]), "cancel")).await;
    hub.post_ok("/tasks/create", task("stays", json!(["falls"]), "hold")).await;
    let reply = hub.post_ok("/tasks/root/cancel", json!({ "entity_id": "ai" })).await;
    for (id, status) in [("falls", "cancelled"), ("too", "cancelled"), ("stays", "blocked")] {
        assert_eq!(hub.get_ok(&format!("/tasks/{id}")).await["status"], status, "{id}");
    }
    assert_eq!(hub.get_ok("/tasks/falls").await["history"][1]["data"]["blocker"], "root");
    assert_eq!(hub.get_ok("/tasks/too").await["history"][1]["seq"], seq(&reply), "in one change");
}

#[tokio::test]
async fn a_stale_claim_is_freed_by_who_may() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "task_id": "t", "title": "t", "created_by": "session" }))
        .await;
    hub.post_ok("/tasks/t/claim", json!({ "entity_id": "ai" })).await;
    let free = |who: &str| hub.post("/tasks/t/reassign", json!({ "entity_id": who }));
    free("ai").await.problem(403, "not_allowed");
    free("backup").await.problem(403, "not_allowed");
    let reply = free("session").await.ok();
    assert_eq!(
        (&reply["status"], &reply["task"]["status"]),
        (&json!("reassigned"), &json!("open"))
    );
    free("anna").await.problem(409, "task_not_claimed");
    hub.post_ok("/tasks/t/claim", json!({ "entity_id": "ai" })).await;
    free("anna").await.ok();
}
