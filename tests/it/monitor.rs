//! `--monitor`: what is counted, and who may ask.

use coordhub_harness::{Client, Hub, HubOptions, Request};
use serde_json::json;

fn hub() -> Hub {
    Hub::start(HubOptions::default().arg("--monitor").arg("127.0.0.1:0"))
}

#[tokio::test]
async fn what_happened_is_counted() {
    let hub = hub();
    let before = hub.metrics().await;
    assert_eq!(before.get("coordhub_commits_total", ""), 0.0);
    assert_eq!(before.get("coordhub_degraded", ""), 0.0);
    hub.register("ai", "ai_agent").await;
    hub.register("anna", "human").await;
    for _ in 0..10 {
        hub.say("ai", "general", "hello").await;
    }
    let task = hub.task("t").await;
    hub.post_ok(&format!("/tasks/{task}/claim"), json!({ "entity_id": "ai" })).await;
    hub.post(&format!("/tasks/{task}/claim"), json!({ "entity_id": "anna" })).await.refusal(409);
    hub.get("/nowhere").await.refusal(404);
    let mut socket = hub.socket("/ws/anna").await;
    socket.send(json!({ "type": "subscribe_channel", "channel": "ai-only" })).await;
    socket.until("error").await;

    let metrics = hub.metrics().await;
    let answered = |method: &str, route: &str, class: &str| {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{class}\"");
        metrics.get("coordhub_http_requests_total", &labels)
    };
    assert_eq!(answered("POST", "/messages/send", "2xx"), 10.0);
    assert_eq!(answered("POST", "/tasks/{task_id}/claim", "2xx"), 1.0);
    assert_eq!(answered("POST", "/tasks/{task_id}/claim", "4xx"), 1.0);
    assert_eq!(answered("other", "other", "4xx"), 1.0);
    assert_eq!(answered("GET", "/ws/{entity_id}", "1xx"), 1.0);
    let route = "method=\"POST\",route=\"/messages/send\"";
    assert_eq!(metrics.get("coordhub_http_request_duration_seconds_count", route), 10.0);
    assert!(metrics.get("coordhub_http_request_duration_seconds_sum", route) > 0.0);
    for (code, count) in
        [("task_already_claimed", 1.0), ("unknown_path", 1.0), ("channel_forbidden", 1.0)]
    {
        let label = format!("code=\"{code}\"");
        assert_eq!(metrics.get("coordhub_refused_total", &label), count, "{code}");
    }
    let head = metrics.get("coordhub_head_seq", "");
    assert_eq!(head, 14.0);
    assert_eq!(metrics.get("coordhub_commits_total", ""), 14.0);
    assert_eq!(metrics.get("coordhub_commit_duration_seconds_count", ""), 14.0);
    assert_eq!(metrics.get("coordhub_batch_commands_sum", ""), 15.0);
    assert_eq!(metrics.get("coordhub_sockets", ""), 1.0);
    assert_eq!(metrics.get("coordhub_follower_lag_events", ""), 0.0);
    assert_eq!(metrics.get("coordhub_shed_total", ""), 0.0);
    assert_eq!(metrics.get("coordhub_queue_depth", ""), 0.0);
    assert!(metrics.get("coordhub_connections", "") >= 1.0);
    assert!(metrics.get("coordhub_store_bytes", "file=\"main\"") > 0.0);
    assert!(metrics.get("process_resident_memory_bytes", "") > 1e6);
    assert!(metrics.get("coordhub_runtime_silent_seconds", "") < 5.0);
}

#[tokio::test]
async fn catching_up_is_counted() {
    let hub = hub();
    let mut client = hub.client().await;
    // More than the window holds.
    let content = "x".repeat(200_000);
    for _ in 0..60 {
        let body = json!({ "from_entity": "a", "content": content });
        client.send(Request::post("/messages/send").json(&body)).await.ok();
    }
    assert_eq!(hub.metrics().await.get("coordhub_catch_up_pages_total", ""), 0.0);
    let mut stream = hub.stream("/events/stream?since=0").await;
    for _ in 0..60 {
        stream.next().await.expect("an event");
    }
    assert!(hub.metrics().await.get("coordhub_catch_up_pages_total", "") >= 1.0);
}

#[tokio::test]
async fn it_has_the_hubs_rule_for_hosts_and_nothing_else_to_show() {
    let hub = hub();
    hub.say("ai", "general", "xyzzyplugh").await;
    let ask = async |request: Request| Client::connect(hub.monitor()).await.send(request).await;
    let health = ask(Request::get("/health")).await.ok();
    assert_eq!((&health["status"], &health["head_seq"]), (&json!("active"), &json!(1)));
    let foreign = |path: &str| Request::get(path).header("Host", "rebound.example");
    ask(foreign("/metrics")).await.problem(403, "host_not_allowed");
    ask(foreign("/health")).await.ok();
    let page = Request::get("/metrics").header("Origin", "https://elsewhere.example");
    ask(page).await.problem(403, "origin_not_allowed");
    assert_eq!(ask(Request::get("/messages/recent")).await.status, 404);
    assert_eq!(ask(Request::post("/metrics")).await.status, 405);
    assert_eq!(ask(Request::post("/metrics").body("x")).await.status, 400);
    assert!(!ask(Request::get("/metrics")).await.text().contains("xyzzyplugh"));
}

#[tokio::test]
async fn it_is_off_by_default_and_on_loopback_only() {
    let hub = Hub::new();
    hub.get("/metrics").await.refusal(404);
    assert!(!hub.log().contains("monitor"), "{}", hub.log());
    let options = HubOptions::default().arg("--monitor").arg("0.0.0.0:0");
    let refused = Hub::start_refused(&options);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.line().contains("--monitor"), "{}", refused.line());
    let taken = HubOptions::default().arg("--monitor").arg(hub.addr().to_string());
    assert!(Hub::start_refused(&taken).line().contains("--monitor"));
}
