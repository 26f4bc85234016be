//! The endpoints that the UDC convention asks for.

use coordhub_harness::Hub;
use serde_json::json;

use crate::support::{contents, has_members, is_time};

#[tokio::test]
async fn health() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.task("t").await;
    hub.say("ai", "general", "m").await;
    let _socket = hub.socket("/ws/ai").await;
    let health = hub.get_ok("/health").await;
    has_members(&health, "status service version timestamp uptime_seconds");
    assert_eq!((&health["status"], &health["service"]), (&json!("active"), &json!("coordhub")));
    is_time(&health["timestamp"]);
    for (member, count) in [
        ("entities_online", 1),
        ("active_websockets", 1),
        ("messages_last_hour", 1),
        ("active_tasks", 1),
    ] {
        assert_eq!(health[member], count, "{member} in {health}");
    }
}

#[tokio::test]
async fn capabilities_state_and_dependencies() {
    let hub = Hub::new();
    for (path, members) in [
        (
            "/capabilities",
            "service_name version features supported_entity_types dependencies udc_version integration_endpoints metadata",
        ),
        (
            "/state",
            "status uptime_seconds requests_total requests_per_minute errors_last_hour last_restart resource_usage \
             entities messages tasks proposals",
        ),
        ("/dependencies", "required optional missing"),
        ("/message", ""),
    ] {
        has_members(&hub.get_ok(path).await, members);
    }
    let types = hub.get_ok("/capabilities").await["supported_entity_types"].clone();
    for entity_type in ["claude_session", "ai_agent", "human", "service"] {
        assert!(types.as_array().unwrap().contains(&json!(entity_type)), "{types}");
    }
}

#[tokio::test]
async fn a_udc_message_is_kept_on_technical() {
    let hub = Hub::new();
    let message = |kind: &str| {
        json!({ "trace_id": "trace-1", "source": "other-service", "target": "coordhub", "message_type": kind,
                "payload": { "text": "hello" }, "timestamp": "2026-01-02T03:04:05Z" })
    };
    for kind in ["status", "event", "command", "query"] {
        let reply = hub.post_ok("/message", message(kind)).await;
        has_members(&reply, "received trace_id message_id processed_at result");
        assert_eq!((&reply["received"], &reply["trace_id"]), (&json!(true), &json!("trace-1")));
        is_time(&reply["processed_at"]);
        let kept =
            hub.get_ok(&format!("/messages/{}", reply["message_id"].as_str().unwrap())).await;
        assert_eq!(
            (&kept["channel"], &kept["from_entity"]),
            (&json!("technical"), &json!("other-service"))
        );
    }
    assert_eq!(contents(&hub, "/messages/recent?channel=technical").await.len(), 4);
    hub.post("/message", message("shout")).await.wrong_field("message_type");
}

#[tokio::test]
async fn the_page_and_the_api_document() {
    let hub = Hub::new();
    let page = hub.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type").unwrap_or_default().starts_with("text/html"),
        "{:?}",
        page.headers
    );
    let document = hub.get_ok("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for (path, method) in [
        ("/entities/register", "post"),
        ("/entities/list", "get"),
        ("/entities/{id}/heartbeat", "post"),
        ("/messages/send", "post"),
        ("/messages/recent", "get"),
        ("/messages/for/{id}", "get"),
        ("/tasks/create", "post"),
        ("/tasks/list", "get"),
        ("/tasks/{id}/claim", "post"),
        ("/tasks/{id}/complete", "post"),
        ("/proposals/create", "post"),
        ("/proposals/{id}/vote", "post"),
        ("/proposals/list", "get"),
        ("/health", "get"),
        ("/capabilities", "get"),
        ("/state", "get"),
        ("/dependencies", "get"),
        ("/message", "post"),
    ] {
        let paths = document["paths"].as_object().unwrap();
        // A document may name its path parameters more closely (`{task_id}`); the shape of the path is what counts.
        let found = paths
            .iter()
            .any(|(known, item)| shape(known) == shape(path) && item.get(method).is_some());
        assert!(found, "{method} {path} is not in the document");
    }
}

fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}
