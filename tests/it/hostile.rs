//! Clients that mean harm, or are merely broken: what each gets, and that the others go on.
//!
//! | what | where |
//! |---|---|
//! | slow clients, and silent ones | `connections`; `stream`; here, over sockets; `net/tests` of the server, with time that stands still |
//! | floods | `fair`; the table of `coordhub-bench`, which compares what the others get |
//! | thousands of sockets | here; `fair`, by entity |
//! | oversized and malformed frames, heads and bodies | `socket`, `ground_rules`, `fuzz` |
//! | a search that tells nothing by its time | `store/search/tests.rs` of the core, by what it reads |
//! | heads that can be read in two ways | `network`, and here |
//! | names that are pointed at this machine | `origin`, `network`, `authorization/open` |
//! | requests of foreign pages, with a cookie or without | `session`, `origin`, `authorization/open` |
//! | replays after a revocation | `tokens`, `session`, `authorization`, and here |
//! | a secret in a place where none belongs | `audit`, `tokens`, and here, in every field of every route |

use std::time::Duration;

use coordhub_harness::{Client, Hub, HubOptions, Request, Socket, WAIT_MAX, encode};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tokens::{TokenHub, WRONG_TOKEN};

fn watched() -> HubOptions {
    HubOptions::default().arg("--monitor").arg("127.0.0.1:0")
}

/// Looks until a number is as wanted.
async fn until(hub: &Hub, name: &str, wanted: impl Fn(f64) -> bool) {
    let seen = async { while !wanted(hub.metrics().await.get(name, "")) {} };
    tokio::time::timeout(WAIT_MAX, seen).await.unwrap_or_else(|_| panic!("{name} in time"));
}

#[tokio::test]
async fn thousands_of_sockets_are_served_and_one_too_many_is_turned_away() {
    const SOCKETS: usize = 2_000;
    let hub = Hub::start(watched().arg("--max-connections").arg((SOCKETS + 8).to_string()));
    let mut sockets = Vec::with_capacity(SOCKETS);
    for nth in 0..SOCKETS {
        // Each asks for a channel, and so has a subscription of its own.
        let path = format!("/ws/agent-{}?notices=none&channels=general", nth % 100);
        sockets.push(hub.socket(&path).await);
    }
    until(&hub, "coordhub_sockets", |open| open == SOCKETS as f64).await;
    hub.say("ai", "general", "to all of them").await;
    for socket in &mut sockets {
        let message = socket.until("message").await;
        assert_eq!(message["message"]["content"], "to all of them");
    }
    // What is over the bound is told so, and closed; who has a seat goes on.
    let mut idle = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
        let request = format!("GET /tasks/list HTTP/1.1\r\nHost: {}\r\n\r\n", hub.addr());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        idle.push(stream);
        if &status != b"HTTP/1.1 200" {
            break String::from_utf8_lossy(&status).into_owned();
        }
        assert!(idle.len() <= 8, "more than there are seats");
    };
    assert_eq!(refused, "HTTP/1.1 503");
    sockets[0].send(json!({ "type": "ping" })).await;
    sockets[0].until("pong").await;
    drop(idle);
    drop(sockets);
    until(&hub, "coordhub_sockets", |open| open == 0.0).await;
    hub.get_ok("/tasks/list").await;
}

/// The hub's memory does not grow with what it does not take, and nobody waits for it.
#[tokio::test]
async fn a_socket_that_takes_nothing_holds_up_nobody() {
    let hub = Hub::start(watched());
    let deaf = hub.raw_socket("/ws/deaf?channels=general").await;
    let mut hears = hub.socket("/ws/hears?channels=general").await;
    let mut client: Client = hub.client().await;
    let content = "x".repeat(200_000);
    for nth in 0..100 {
        let body = json!({ "from_entity": "a", "content": format!("{nth} {content}") });
        client.send(Request::post("/messages/send").json(&body)).await.ok();
        let heard = hears.until("message").await;
        assert!(heard["message"]["content"].as_str().unwrap().starts_with(&format!("{nth} ")));
    }
    // It is behind by more than the window holds, and so costs the hub none of that.
    until(&hub, "coordhub_follower_lag_events", |events| events > 50.0).await;
    drop(deaf);
    until(&hub, "coordhub_follower_lag_events", |events| events == 0.0).await;
}

/// Whoever is gone without a word answers no ping. This takes as long as the hub has patience: a minute.
#[tokio::test]
async fn a_socket_that_answers_no_ping_is_closed() {
    const PATIENCE: Duration = Duration::from_secs(120);
    let hub = Hub::new();
    let mut answers = hub.socket("/ws/answers?notices=none").await;
    let silent = hub.raw_socket("/ws/silent").await;
    let closed = tokio::spawn(tokio::time::timeout(PATIENCE, silent.until_closed()));
    // Whoever says something now and then is let be.
    while !closed.is_finished() {
        answers.send(json!({ "type": "ping" })).await;
        answers.until("pong").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(closed.await.unwrap().is_ok(), "the hub closes it");
    answers.send(json!({ "type": "ping" })).await;
    answers.until("pong").await;
}

#[tokio::test]
async fn a_head_that_a_proxy_might_read_otherwise_makes_no_second_request() {
    let hub = Hub::new();
    let smuggled = "POST /tasks/create?title=smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let length = smuggled.len();
    for lines in [
        // A name or a value that one reader takes for a length, and another for something else.
        format!("Content-Length : {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: 0x{length:x}"),
        "Content-Length: -1".to_owned(),
        format!("Content-Length: {length} {length}"),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding: \x0bchunked".to_owned(),
        "Transfer-Encoding:\r\n chunked".to_owned(),
        "X: y\r\n Transfer-Encoding: chunked".to_owned(),
        format!("X: y\rContent-Length: {length}"),
        "X: \0".to_owned(),
    ] {
        let head =
            format!("POST /tasks/create HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{smuggled}");
        let mut client = hub.client().await;
        let status = client.send_bytes(head.as_bytes()).await.status;
        assert!((400..500).contains(&status), "{lines:?}: {status}");
        assert!(client.is_closed().await, "{lines:?}: what follows is not read");
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

/// A request that somebody has recorded is as good as its token, and no better under its key.
#[tokio::test]
async fn what_was_recorded_is_good_for_nothing_after_a_revocation() {
    let mut hub = TokenHub::with_everyone().await;
    let (id, token) = hub.fresh_token("ai", "member").await;
    let cookie = crate::session::sign_in(&hub, &token).await;
    let send = || Request::post("/messages/send").header("Idempotency-Key", "once");
    let body = json!({ "content": "recorded" });
    let recorded = |own: &str| {
        [
            send().json(&body).bearer(&token),
            send().json(&body).header("Cookie", &cookie).header("Origin", own),
            Request::get("/events?since=0").bearer(&token),
            Request::get("/messages/for/ai").bearer(&token),
            Request::post("/session").bearer(&token),
            Request::post(&format!("/admin/tokens/{id}/rotate")).bearer(&token),
            Request::post("/entities/register")
                .bearer(&token)
                .json(&json!({ "entity_id": "ai", "entity_type": "ai_agent" })),
        ]
    };
    for request in &recorded(&crate::session::origin(&hub))[..4] {
        hub.send(request.clone()).await.ok();
    }
    hub.revoke(&id).await;
    for restarted in [false, true] {
        if restarted {
            hub.restart();
        }
        // Started anew, it is at another address here.
        for request in recorded(&crate::session::origin(&hub)) {
            hub.send(request).await.problem(401, "unauthorized");
        }
        let headers = [("Sec-WebSocket-Protocol", &*format!("coordhub.v1, bearer.{token}"))];
        let refused = Socket::try_open(hub.addr(), "/ws/ai?since=0", &headers).await;
        assert_eq!(refused.err(), Some(401));
    }
    let path = "/messages/recent?channel=general";
    let said = hub.get_as(hub.token("anna"), path).await.ok();
    assert_eq!(said["count"], 1, "it was said once: {said}");
}

/// Every name of a field there is, wherever it may stand.
fn fields(operation: &Value) -> Vec<String> {
    let content = &operation["requestBody"]["content"]["application/json"]["schema"];
    let in_body = content["properties"].as_object().into_iter().flat_map(Map::keys).cloned();
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let named = parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned));
    in_body.chain(named).collect()
}

#[tokio::test]
async fn a_secret_in_any_field_of_any_route_stands_in_no_log() {
    let options = HubOptions::default().arg("--log-level").arg("trace");
    let unbounded = options.arg("--changes-per-second").arg("0").arg("--reads-per-second").arg("0");
    let hub = TokenHub::with_everyone_at(unbounded).await;
    let document = hub.get_ok("/openapi.json").await;
    let (_, token) = hub.fresh_token("ai", "member").await;
    let mut planted = 0;
    let mut client = hub.client().await;
    for secret in [&*token, WRONG_TOKEN] {
        for (route, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                // What goes on until somebody ends it is asked for elsewhere.
                if route == "/events/stream" || route.starts_with("/ws/") || method == "parameters"
                {
                    continue;
                }
                let names = fields(operation);
                let all: Map<String, Value> =
                    names.iter().map(|name| (name.clone(), secret.into())).collect();
                let query: Vec<_> =
                    names.iter().map(|name| format!("{}={secret}", encode(name))).collect();
                let words: Vec<_> = route
                    .split('/')
                    .map(|word| if word.starts_with('{') { "ai" } else { word })
                    .collect();
                let path = words.join("/");
                let method = method.to_uppercase();
                let secret_path = path.replace("/ai", &format!("/{secret}"));
                planted += 2 * names.len() + 5;
                // All at once, each alone in body and query, and in heads that anybody may send.
                let mut requests = vec![
                    Request::new(&method, &path).json(&all.clone().into()),
                    Request::new(&method, &format!("{path}?{}", query.join("&"))),
                    Request::new(&method, &path)
                        .header("X-Entity-Id", secret)
                        .header("Idempotency-Key", secret)
                        .header("X-Request-Id", secret)
                        .header("X-Forwarded-For", secret)
                        .header("User-Agent", secret)
                        .header("Referer", &format!("http://localhost/#token={secret}")),
                    Request::new(&method, &path).body(format!("{secret} {{")),
                    Request::new(&method, &secret_path),
                ];
                for name in &names {
                    requests.push(Request::new(&method, &path).json(&json!({ name: secret })));
                    requests
                        .push(Request::new(&method, &format!("{path}?{}={secret}", encode(name))));
                }
                // An admin gets further, and nothing of it is written down either.
                let by = ["anna", "admin"].map(|who| hub.token(who));
                for (request, token) in
                    requests.into_iter().flat_map(|one| by.map(|token| (one.clone(), token)))
                {
                    let answer = client.send(request.bearer(token)).await;
                    assert!(answer.status < 500, "{method} {path}: {}", answer.text());
                    if answer.header("connection") == Some("close") {
                        client = hub.client().await;
                    }
                }
            }
        }
        let mut socket = hub.socket_as("anna").await;
        for frame in [
            json!({ "type": secret }),
            json!({ "type": "subscribe_channel", "channel": secret }),
            json!({ "type": "call", "id": secret, "op": secret, "args": { secret: secret } }),
            json!({ "type": "call", "id": 1, "op": "tasks.claim", "args": { "task_id": secret }, "key": secret }),
            json!({ "type": "message", "ref": secret, "message": { "channel": secret, "content": secret } }),
        ] {
            socket.send(frame).await;
        }
        socket.send_text(secret).await;
        socket.send(json!({ "type": "ping" })).await;
        socket.until("pong").await;
    }
    assert!(planted > 1_000, "{planted} fields");
    let log = hub.log();
    let kept = hub.get_as(hub.token("admin"), "/audit/refusals?limit=1000").await.text();
    for secret in [&*token, WRONG_TOKEN] {
        for text in [&log, &kept] {
            let at = text.find(&secret[4..]);
            assert!(at.is_none(), "{:?}", at.map(|at| &text[at.saturating_sub(300)..at]));
        }
    }
}
