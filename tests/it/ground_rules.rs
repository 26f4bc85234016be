//! What holds on every route.

use coordhub_harness::{Hub, Request, encode};
use serde_json::json;

use crate::support::{column, rows, seq};

#[tokio::test]
async fn a_body_is_json_whatever_its_content_type_says() {
    let hub = Hub::new();
    for content_type in
        ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8", "x"]
    {
        let task = hub.task("any").await;
        let claim =
            Request::post(&format!("/tasks/{task}/claim")).header("Content-Type", content_type);
        hub.send(claim.body(r#"{"entity_id":"session-5"}"#)).await.ok();
    }
    let task = hub.task("none").await;
    hub.send(Request::post(&format!("/tasks/{task}/claim")).body(r#"{"entity_id":"session-5"}"#))
        .await
        .ok();
}

#[tokio::test]
async fn an_empty_body_means_an_empty_object() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.send(Request::post("/entities/ai/heartbeat")).await.ok();
    hub.send(Request::post("/tasks/create")).await.wrong_field("title");
    hub.send(Request::post("/tasks/create").header("Content-Type", "application/json"))
        .await
        .wrong_field("title");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let hub = Hub::new();
    hub.post_ok("/tasks/create", json!({ "title": "t", "no_such_field": { "a": [1] } })).await;
    hub.post_ok(
        "/messages/send?no_such_field=1",
        json!({ "from_entity": "a", "content": "c", "x": 1 }),
    )
    .await;
}

#[tokio::test]
async fn a_scalar_field_may_be_a_query_parameter() {
    let hub = Hub::new();
    hub.post_ok(
        "/tasks/create?title=by%20query&task_id=t1&requires_human=false&priority=high",
        json!({}),
    )
    .await;
    let task = hub.get_ok("/tasks/t1").await;
    assert_eq!((&task["title"], &task["priority"]), (&json!("by query"), &json!("high")));
    assert_eq!(task["requires_human"], false);
    hub.send(Request::post("/tasks/t1/claim?entity_id=a")).await.ok();
    hub.send(Request::post("/tasks/t1/complete?entity_id=a&result=42")).await.ok();
    assert_eq!(hub.get_ok("/tasks/t1").await["result"], "42", "a result in the query is a string");

    let sent =
        hub.send(Request::post("/messages/send?from_entity=a&content=100%25+%C3%A9")).await.ok();
    let message = hub.get_ok(&format!("/messages/{}", sent["message_id"].as_str().unwrap())).await;
    assert_eq!(message["content"], "100% é");
    hub.register("ai", "ai_agent").await;
    hub.send(Request::post("/entities/ai/heartbeat?activity=reading")).await.ok();
    assert_eq!(hub.get_ok("/entities/ai").await["activity"], "reading");
    hub.post_ok("/proposals/create?title=p&proposal_id=p1", json!({ "electorate": ["ai"] })).await;
    hub.send(Request::post("/proposals/p1/vote?entity_id=ai&vote=for")).await.ok();
}

#[tokio::test]
async fn the_body_wins_over_the_query_and_a_repeated_name_is_refused() {
    let hub = Hub::new();
    let created =
        hub.post_ok("/tasks/create?title=query&task_id=t1", json!({ "title": "body" })).await;
    assert_eq!(created["task"]["title"], "body");
    hub.post("/tasks/create?title=a&title=b", json!({})).await.refusal(422);
    hub.post("/tasks/t1/claim?entity_id=a&entity_id=a", json!({})).await.refusal(422);
    hub.post("/tasks/create?requires_human=maybe", json!({ "title": "t" }))
        .await
        .wrong_field("requires_human");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods() {
    let hub = Hub::new();
    for path in [
        "/nothing",
        "/tasks",
        "/tasks/list/more/parts",
        "/messages/",
        "/entities/a/b",
        "/%00",
        "//",
    ] {
        hub.get(path).await.refusal(404);
    }
    for (method, path, allowed) in [
        ("GET", "/messages/send", "POST"),
        ("PUT", "/tasks/create", "POST"),
        ("POST", "/tasks/list", "GET"),
        ("DELETE", "/health", "GET"),
        ("PATCH", "/proposals/create", "POST"),
    ] {
        let response = hub.send(Request::new(method, path)).await;
        response.refusal(405);
        let allow = response.header("allow").unwrap_or_default();
        assert!(
            allow.split(',').any(|word| word.trim() == allowed),
            "{method} {path}: Allow: {allow}"
        );
    }
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let hub = Hub::new();
    let cases: [&[u8]; 12] = [
        b"{",
        b"title=x",
        b"{\"title\":}",
        b"{\"title\":\"t\"} x",
        b"{'title':'t'}",
        b"{\"title\":\"t\",}",
        b"{\"title\":NaN}",
        b"{\"title\":01}",
        b"{\"title\":\"a\nb\"}",
        b"{\"title\":\"\\q\"}",
        b"{\"title\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf\xff{}",
    ];
    for body in cases {
        let response = hub.send(Request::post("/tasks/create").body(body)).await;
        assert_eq!(response.status, 400, "{}: {}", String::from_utf8_lossy(body), response.text());
        response.refusal(400);
    }
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_422() {
    let hub = Hub::new();
    for body in ["[]", "1", "\"text\"", "null", "true"] {
        hub.send(Request::post("/tasks/create").body(body)).await.refusal(422);
    }
    for (body, field) in [
        (json!({}), "title"),
        (json!({ "title": 1 }), "title"),
        (json!({ "title": ["t"] }), "title"),
        (json!({ "title": "t", "description": {} }), "description"),
        (json!({ "title": "t", "requires_human": "perhaps" }), "requires_human"),
        (json!({ "title": "t", "priority": "soon" }), "priority"),
        (json!({ "title": "t", "tags": "one" }), "tags"),
        (json!({ "title": "t", "tags": [1] }), "tags"),
        (json!({ "title": "t", "depends_on": ["no-such-task"] }), "depends_on"),
        (json!({ "title": "t".repeat(513) }), "title"),
        (json!({ "title": "t", "tags": vec!["x"; 65] }), "tags"),
        (json!({ "title": "t", "description": "d".repeat((256 << 10) + 1) }), "description"),
        (json!({ "title": "t", "metadata": { "m": "m".repeat(64 << 10) } }), "metadata"),
    ] {
        let refused = hub.post("/tasks/create", body).await;
        match refused.status {
            413 => drop(refused.refusal(413)),
            _ => drop(refused.wrong_field(field)),
        }
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

#[tokio::test]
async fn metadata_is_kept_as_it_came_but_for_what_json_leaves_open() {
    let hub = Hub::new();
    let metadata = r#"{"big":123456789012345678901234567890,"small":1e-400,"exact":1.10,"text":"\u0001 é 🚨"}"#;
    let body = format!(r#"{{"title":"t","task_id":"t1","metadata":{metadata}}}"#);
    hub.send(Request::post("/tasks/create").body(body)).await.ok();
    let text = hub.get("/tasks/t1").await.text();
    for number in ["123456789012345678901234567890", "1e-400", "1.10"] {
        assert!(text.contains(number), "{number} in {text}");
    }

    let nested = |depth: usize| format!(r#"{{"title":"t","metadata":{}}}"#, nest(depth));
    hub.send(Request::post("/tasks/create").body(nested(64))).await.ok();
    hub.send(Request::post("/tasks/create").body(nested(65))).await.refusal(422);
    let refused = hub.send(Request::post("/tasks/create").body(nested(100_000))).await;
    assert!(matches!(refused.status, 400 | 413 | 422), "{}", refused.text());
    for metadata in
        [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#]
    {
        let body = format!(r#"{{"title":"t","metadata":{metadata}}}"#);
        hub.send(Request::post("/tasks/create").body(body)).await.refusal(422);
    }
    hub.send(Request::post("/tasks/create").body(r#"{"title":"a","title":"b"}"#))
        .await
        .refusal(422);
    hub.send(Request::post("/tasks/create").body(r#"{"title":"\ud800"}"#)).await.refusal(422);
}

/// An object within an object, `depth` of them.
fn nest(depth: usize) -> String {
    format!("{}{}", r#"{"a":"#.repeat(depth - 1) + "{}", "}".repeat(depth - 1))
}

#[tokio::test]
async fn a_body_of_over_one_mebibyte_is_413() {
    let hub = Hub::new();
    let body = vec![b' '; (1 << 20) + 1];
    hub.send(Request::post("/tasks/create").body(body.clone())).await.refusal(413);
    let mut chunked = format!("{:x}\r\n", body.len()).into_bytes();
    chunked.extend_from_slice(&body);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    hub.send(Request::post("/tasks/create").header("Transfer-Encoding", "chunked").body(chunked))
        .await
        .refusal(413);
    let mut fits = br#"{"title":"t"}"#.to_vec();
    fits.resize(1 << 20, b' ');
    hub.send(Request::post("/tasks/create").body(fits)).await.ok();
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let hub = Hub::new();
    let response = hub.send(Request::get("/health").header("X-Large", &"x".repeat(1 << 20))).await;
    assert_eq!(response.status, 431);
    hub.get_ok("/health").await;
}

#[tokio::test]
async fn ids_that_cannot_be() {
    let hub = Hub::new();
    let long = "x".repeat(129);
    let bad = [
        "",
        " a",
        "a ",
        "a/b",
        ".",
        "..",
        "a\nb",
        "a\u{0}b",
        "a\u{202e}b",
        "a\u{200b}b",
        "a\u{ad}b",
        "e\u{301}",
        &long,
        "list",
        "create",
        "claim-next",
        "recent",
        "for",
        "search",
        "send",
        "register",
    ];
    for id in bad {
        hub.post("/entities/register", json!({ "entity_id": id, "entity_type": "ai_agent" }))
            .await
            .wrong_field("entity_id");
        hub.post("/tasks/create", json!({ "title": "t", "task_id": id }))
            .await
            .wrong_field("task_id");
        hub.post("/proposals/create", json!({ "title": "t", "proposal_id": id }))
            .await
            .wrong_field("proposal_id");
        hub.post("/messages/send", json!({ "from_entity": id, "content": "c" }))
            .await
            .wrong_field("from_entity");
    }
    for id in ["system", "hub", "admin", "claude_session", "ai_agent", "human", "service"] {
        hub.post("/entities/register", json!({ "entity_id": id, "entity_type": "ai_agent" }))
            .await
            .wrong_field("entity_id");
    }
    for id in ["é", "日本語", "a b", "a.b:c@d", "🚨", "...", &"x".repeat(128)] {
        hub.post_ok("/entities/register", json!({ "entity_id": id, "entity_type": "ai_agent" }))
            .await;
        assert_eq!(hub.get_ok(&format!("/entities/{}", encode(id))).await["entity_id"], id);
    }
}

#[tokio::test]
async fn limits_and_positions_of_lists() {
    let hub = Hub::new();
    hub.register("a", "ai_agent").await;
    for path in
        ["/messages/recent", "/messages/for/a", "/tasks/list", "/entities/list", "/proposals/list"]
    {
        for limit in ["0", "-1", "1001", "many", "", "1.5", "99999999999999999999"] {
            hub.get(&format!("{path}?limit={limit}")).await.wrong_field("limit");
        }
        for limit in [1, 1000] {
            hub.get_ok(&format!("{path}?limit={limit}")).await;
        }
        hub.get(&format!("{path}?after=x")).await.wrong_field("after");
    }
    for number in 0..5 {
        hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": format!("t{number}") }))
            .await;
    }
    let mut after = json!(0);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = hub.get_ok(&format!("/tasks/list?limit=2&after={after}")).await;
        seen.extend(column(&page, "tasks", "task_id"));
        after = page["next"].clone();
    }
    assert_eq!(seen, ["t0", "t1", "t2", "t3", "t4"]);
    let newest = hub.get_ok("/tasks/list?limit=2&order=desc").await;
    assert_eq!(column(&newest, "tasks", "task_id"), ["t4", "t3"]);
}

#[tokio::test]
async fn seq_counts_without_holes_and_every_change_names_it() {
    let hub = Hub::new();
    let first = seq(&hub.register("ai", "ai_agent").await);
    let second = hub.say("ai", "general", "one").await;
    let third = seq(&hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await);
    let fourth = seq(&hub.post_ok("/tasks/t1/claim", json!({ "entity_id": "ai" })).await);
    assert_eq!([second, third, fourth], [first + 1, first + 2, first + 3]);
    hub.post("/tasks/t1/claim", json!({ "entity_id": "other" })).await.refusal(409);
    assert_eq!(hub.say("ai", "general", "two").await, fourth + 1, "a refusal takes no seq");
}

#[tokio::test]
async fn who_is_calling() {
    let hub = Hub::new();
    hub.post("/messages/send", json!({ "content": "c" })).await.refusal(403);
    hub.send(
        Request::post("/messages/send")
            .header("X-Entity-Id", "ai")
            .json(&json!({ "content": "c" })),
    )
    .await
    .ok();
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(rows(&recent, "messages")[0]["from_entity"], "ai");
    let task = hub.task("t").await;
    let claim = format!("/tasks/{task}/claim");
    hub.post(&claim, json!({})).await.problem(403, "caller_needed");
    hub.send(Request::post(&claim).header("X-Entity-Id", "b").json(&json!({ "entity_id": "a" })))
        .await
        .refusal(422);
    hub.send(Request::post(&claim).header("X-Entity-Id", "a").json(&json!({}))).await.ok();
}

#[tokio::test]
async fn refusals_come_in_one_order() {
    let hub = Hub::new();
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1", "created_by": "ai" }))
        .await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "done" })).await;
    hub.post_ok("/tasks/done/claim", json!({ "entity_id": "ai" })).await;
    hub.post_ok("/tasks/done/complete", json!({})).await;
    let long = "x".repeat((256 << 10) + 1);
    for (path, body, status) in [
        // Too large before not there, not there before not allowed.
        ("/tasks/none/complete", json!({ "result": long }), 413),
        ("/tasks/none/claim", json!({}), 404),
        ("/tasks/none/cancel", json!({}), 404),
        ("/proposals/none/withdraw", json!({}), 404),
        ("/proposals/none/vote", json!({ "vote": "for" }), 404),
        ("/proposals/none/vote", json!({ "vote": "perhaps" }), 404),
        ("/tasks/none/update", json!({ "priority": "soon" }), 404),
        ("/tasks/none/claim", json!({ "lease_seconds": 60 }), 404),
        // A wrong field before not allowed, not allowed before a conflict.
        ("/tasks/t1/update", json!({ "entity_id": "other", "title": "" }), 422),
        ("/tasks/create", json!({ "title": "t", "task_id": "t1", "depends_on": ["none"] }), 422),
        ("/tasks/done/claim", json!({}), 403),
        ("/tasks/done/claim", json!({ "entity_id": "other" }), 409),
    ] {
        hub.post(path, body).await.refusal(status);
    }
}

#[tokio::test]
async fn no_input_ends_the_hub() {
    let hub = Hub::new();
    for bytes in [
        &b"\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = tokio::net::TcpStream::connect(hub.addr()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        hub.get_ok("/health").await;
    }
}
