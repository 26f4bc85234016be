//! Entities: registering, listing, removing.

use coordhub_harness::{Hub, Request};
use serde_json::json;

use crate::support::{ENTITY, column, has_members, is_time, seq};

#[tokio::test]
async fn register_get_and_list() {
    let hub = Hub::new();
    let reply = hub
        .post_ok(
            "/entities/register",
            json!({ "entity_id": "gpt-4-agent", "entity_type": "ai_agent", "name": "GPT-4 Assistant",
                    "capabilities": ["code-review"], "metadata": { "a": 1 } }),
        )
        .await;
    assert_eq!(
        (&reply["status"], &reply["entity_id"]),
        (&json!("registered"), &json!("gpt-4-agent"))
    );
    has_members(&reply["entity"], ENTITY);
    let entity = hub.get_ok("/entities/gpt-4-agent").await;
    has_members(&entity, ENTITY);
    assert_eq!(entity["name"], "GPT-4 Assistant");
    assert_eq!(entity["capabilities"], json!(["code-review"]));
    assert_eq!(entity["metadata"], json!({ "a": 1 }));
    is_time(&entity["registered_at"]);
    is_time(&entity["last_seen"]);

    hub.register("anna", "human").await;
    for (query, expected) in [
        ("", &["gpt-4-agent", "anna"][..]),
        ("?entity_type=human", &["anna"]),
        ("?capability=code-review", &["gpt-4-agent"]),
        ("?status=online", &["gpt-4-agent", "anna"]),
        ("?status=offline", &[]),
        ("?order=desc", &["anna", "gpt-4-agent"]),
    ] {
        let list = hub.get_ok(&format!("/entities/list{query}")).await;
        assert_eq!(column(&list, "entities", "entity_id"), expected, "{query}");
    }
    hub.get("/entities/list?entity_type=robot").await.wrong_field("entity_type");
    hub.get("/entities/list?status=asleep").await.wrong_field("status");
    hub.get("/entities/nobody").await.refusal(404);
}

#[tokio::test]
async fn only_the_four_types() {
    let hub = Hub::new();
    for entity_type in ["claude_session", "ai_agent", "human", "service"] {
        hub.register(&format!("a-{entity_type}"), entity_type).await;
    }
    for entity_type in [json!("robot"), json!("Human"), json!(""), json!(1), json!(null)] {
        hub.post("/entities/register", json!({ "entity_id": "x", "entity_type": entity_type }))
            .await
            .wrong_field("entity_type");
    }
    let nobody = hub.post("/entities/register", json!({ "entity_type": "human" })).await;
    assert!(matches!(nobody.status, 403 | 422), "{}", nobody.text());
}

#[tokio::test]
async fn registering_again_updates_all_but_the_type() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    let registered_at = hub.get_ok("/entities/ai").await["registered_at"].clone();
    hub.post_ok(
        "/entities/register",
        json!({ "entity_id": "ai", "entity_type": "ai_agent", "name": "New", "capabilities": ["b"], "metadata": { "m": 2 } }),
    )
    .await;
    let entity = hub.get_ok("/entities/ai").await;
    assert_eq!((&entity["name"], &entity["capabilities"]), (&json!("New"), &json!(["b"])));
    assert_eq!(
        (&entity["metadata"], &entity["registered_at"]),
        (&json!({ "m": 2 }), &registered_at)
    );
    hub.post("/entities/register", json!({ "entity_id": "ai", "entity_type": "human" }))
        .await
        .problem(409, "type_is_fixed");
    assert_eq!(hub.get_ok("/entities/ai").await["entity_type"], "ai_agent");
}

#[tokio::test]
async fn heartbeat() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    let reply = hub.post_ok("/entities/ai/heartbeat", json!({ "activity": "reviewing" })).await;
    assert_eq!(reply["status"], "updated");
    is_time(&reply["last_seen"]);
    let entity = hub.get_ok("/entities/ai").await;
    assert_eq!((&entity["status"], &entity["activity"]), (&json!("online"), &json!("reviewing")));
    hub.post_ok("/entities/ai/heartbeat", json!({ "activity": "" })).await;
    assert_eq!(hub.get_ok("/entities/ai").await["activity"], json!(null));
    hub.post_ok("/entities/ai/heartbeat", json!({ "activity": "a".repeat(512) })).await;
    hub.post("/entities/ai/heartbeat", json!({ "activity": "a".repeat(513) }))
        .await
        .wrong_field("activity");
    hub.post("/entities/nobody/heartbeat", json!({})).await.refusal(404);
    let before = hub.say("ai", "general", "a").await;
    hub.post_ok("/entities/ai/heartbeat", json!({})).await;
    assert_eq!(hub.say("ai", "general", "b").await, before + 1, "a heartbeat is no event");
}

#[tokio::test]
async fn removal_frees_what_was_held() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    let task = hub.task("held").await;
    hub.post_ok(&format!("/tasks/{task}/claim"), json!({ "entity_id": "ai" })).await;
    hub.send(Request::new("DELETE", "/entities/ai").header("X-Entity-Id", "other"))
        .await
        .refusal(403);
    let reply =
        hub.send(Request::new("DELETE", "/entities/ai").header("X-Entity-Id", "ai")).await.ok();
    assert_eq!(reply["status"], "removed");
    seq(&reply);
    let task = hub.get_ok(&format!("/tasks/{task}")).await;
    assert_eq!((&task["status"], &task["claimed_by"]), (&json!("open"), &json!(null)));
    hub.get("/entities/ai").await.refusal(404);
    assert_eq!(hub.get_ok("/entities/list").await["count"], 0);
    hub.register("ai", "human").await;
    assert_eq!(hub.get_ok("/entities/ai").await["entity_type"], "human", "anew, with any type");
}
