//! Fair use: who asks for too much is told so, and why; others go on.

use coordhub_harness::{Hub, HubOptions, Request, Response, Socket, WAIT_MAX};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tokens::{TokenHub, WRONG_TOKEN};

fn options(words: &[&str]) -> HubOptions {
    words.iter().fold(HubOptions::default(), |options, word| options.arg(*word))
}

/// More than any bucket of these tests holds.
const TRIES: usize = 200;

/// Asks until it is told that this is too fast.
async fn until_too_fast(hub: &TokenHub, who: &str, path: &str, body: Option<Value>) -> Response {
    let mut client = hub.client().await;
    for _ in 0..TRIES {
        let request = match &body {
            Some(body) => Request::post(path).json(body),
            None => Request::get(path),
        };
        let response = client.send(request.bearer(hub.token(who))).await;
        if response.status != 200 {
            return response;
        }
    }
    panic!("{TRIES} calls of {path} were taken");
}

#[tokio::test]
async fn an_entity_that_changes_too_much_is_told_and_others_go_on() {
    let hub = TokenHub::with_everyone_at(options(&["--changes-per-second", "6"])).await;
    let message = json!({ "content": "and you?" });
    let refused = until_too_fast(&hub, "ai", "/messages/send", Some(message.clone())).await;
    let problem = refused.problem(429, "too_fast");
    let seconds: u64 = refused.header("retry-after").expect("when to come back").parse().unwrap();
    assert!((1..=2).contains(&seconds));
    assert!(problem["retry_after_ms"].as_u64().is_some_and(|millis| millis <= 1_000), "{problem}");
    // An agent that answers another in a loop learns what is going on.
    assert!(problem["detail"].as_str().unwrap().contains("loop"), "{problem}");
    hub.post_as(hub.token("anna"), "/messages/send", message).await.ok();
    hub.get_as(hub.token("ai"), "/messages/recent").await.ok();
    // Signs of life are never too many.
    for _ in 0..20 {
        hub.post_as(hub.token("ai"), "/entities/ai/heartbeat", json!({})).await.ok();
    }
}

#[tokio::test]
async fn reads_have_a_bucket_of_their_own() {
    let hub = TokenHub::with_everyone_at(options(&["--reads-per-second", "2"])).await;
    let refused = until_too_fast(&hub, "ai", "/tasks/list", None).await;
    assert!(refused.problem(429, "too_fast")["detail"].as_str().unwrap().contains("wait_seconds"));
    hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": "c" })).await.ok();
    hub.get_as(hub.token("anna"), "/tasks/list").await.ok();
    assert_eq!(hub.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_socket_meets_the_same_buckets() {
    let hub = TokenHub::with_everyone_at(options(&["--changes-per-second", "6"])).await;
    let mut socket = hub.socket_as("ai").await;
    let mut reply = Value::Null;
    for _ in 0..TRIES {
        reply = socket.call("messages.send", json!({ "content": "c" })).await;
        if reply["status"] != 200 {
            break;
        }
    }
    assert_eq!((&reply["status"], &reply["body"]["code"]), (&json!(429), &json!("too_fast")));
    let mut error = Value::Null;
    for number in 0..TRIES {
        let frame = json!({ "type": "message", "message": { "content": "c" }, "ref": number });
        socket.send(frame).await;
        error = socket
            .find("an answer", |frame| frame["type"] == "sent" || frame["type"] == "error")
            .await
            .1;
        if error["type"] == "error" {
            break;
        }
    }
    assert_eq!(error["code"], "too_fast", "{error}");
    socket.call("entities.heartbeat", json!({})).await;
    let mut other = hub.socket_as("anna").await;
    assert_eq!(other.call("messages.send", json!({ "content": "c" })).await["status"], 200);
}

#[tokio::test]
async fn each_item_of_a_batch_is_a_change() {
    let words = ["--changes-per-second", "20", "--address-changes-per-second", "0"];
    let hub = TokenHub::with_everyone_at(options(&words)).await;
    let messages: Vec<Value> = (0..20).map(|_| json!({ "content": "c" })).collect();
    let batch = json!({ "messages": messages });
    let mut taken = 0;
    for _ in 0..20 {
        let reply = hub.post_as(hub.token("ai"), "/messages/send-batch", batch.clone()).await;
        if reply.status == 429 {
            break;
        }
        taken += 1;
    }
    assert!(taken < 20, "400 changes were taken");
}

#[tokio::test]
async fn those_who_guess_are_slowed_down_and_others_are_not() {
    let hub = TokenHub::with_everyone_at(options(&["--failed-logins-per-minute", "3"])).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let wrong = Request::get("/tasks/list").bearer(WRONG_TOKEN);
        statuses.push(hub.send(wrong).await.status);
    }
    assert_eq!(statuses[..3], [401, 401, 401]);
    assert_eq!(statuses[4], 429);
    hub.get_as(hub.token("ai"), "/tasks/list").await.ok();
}

#[tokio::test]
async fn registrations_have_a_bucket() {
    let words = ["--registrations-per-minute", "2"];
    let hub = Hub::start(options(&words));
    for (who, status) in [("a", 200), ("b", 200), ("c", 429)] {
        let body = json!({ "entity_id": who, "entity_type": "service" });
        assert_eq!(hub.post("/entities/register", body).await.status, status, "{who}");
    }
    hub.say("a", "general", "c").await;
}

#[tokio::test]
async fn an_entity_has_so_many_sockets() {
    let hub = TokenHub::with_everyone_at(options(&["--sockets-per-entity", "2"])).await;
    let first = hub.socket_as("ai").await;
    let _second = hub.socket_as("ai").await;
    let bearer = format!("Bearer {}", hub.token("ai"));
    let headers = [("Authorization", &*bearer)];
    let third = Socket::try_open(hub.addr(), "/ws/ai", &headers).await;
    assert_eq!(third.err(), Some(429));
    let stream = Request::get("/events/stream").bearer(hub.token("ai"));
    hub.send(stream).await.problem(429, "too_many_open");
    let _others = hub.socket_as("anna").await;
    drop(first);
    // The hub sees the end of a connection a moment later.
    while Socket::try_open(hub.addr(), "/ws/ai", &headers).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_entity_has_so_many_waits() {
    let hub = TokenHub::with_everyone_at(options(&[
        "--waits-per-entity",
        "1",
        "--changes-per-second",
        "0",
    ]))
    .await;
    let mut waiter = hub.client().await;
    let wait = |seconds: u32| {
        Request::post("/tasks/claim-next")
            .bearer(hub.token("ai"))
            .json(&json!({ "wait_seconds": seconds }))
    };
    let waiting = wait(60);
    // The other may be the one that waits when it comes.
    let waiting = tokio::spawn(async move {
        loop {
            let answer = waiter.send(waiting.clone()).await;
            if answer.status != 429 {
                return answer;
            }
        }
    });
    loop {
        let answer = hub.send(wait(1)).await;
        if answer.status == 429 {
            answer.problem(429, "too_many_open");
            break;
        }
    }
    hub.send(wait(0)).await.ok();
    let task = json!({ "title": "t" });
    hub.post_as(hub.token("anna"), "/tasks/create", task).await.ok();
    assert_eq!(waiting.await.unwrap().ok()["status"], "claimed");
}

#[tokio::test]
async fn in_open_mode_on_loopback_there_are_no_bounds_but_those_that_are_asked_for() {
    let hub = Hub::new();
    let mut client = hub.client().await;
    for _ in 0..3_000 {
        client.send(Request::get("/tasks/list")).await.ok();
    }
    let hub = Hub::start(options(&["--changes-per-second", "2"]));
    let mut refused = 0;
    for _ in 0..TRIES {
        let body = json!({ "from_entity": "a", "content": "c" });
        if hub.post("/messages/send", body).await.status == 429 {
            refused += 1;
            break;
        }
    }
    assert_eq!(refused, 1);
    hub.say("b", "general", "c").await;
}

#[tokio::test]
async fn an_observer_takes_nothing_from_its_entity_and_does_not_stand_for_it() {
    let options = HubOptions::default()
        .arg("--changes-per-second")
        .arg("60")
        .arg("--reads-per-second")
        .arg("0");
    let hub = TokenHub::with_everyone_at(options).await;
    let (_, observer) = hub.fresh_token("ai", "observer").await;
    let before = hub.get_as(hub.token("admin"), "/entities/ai").await.ok()["last_seen"].clone();
    for _ in 0..200 {
        let refused = hub.post_as(&observer, "/messages/send", json!({ "content": "c" })).await;
        refused.problem(403, "observer");
        hub.get_as(&observer, "/tasks/list").await.ok();
    }
    let after = hub.get_as(hub.token("admin"), "/entities/ai").await.ok()["last_seen"].clone();
    assert_eq!(after, before, "a screen is no sign of life");
    hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": "c" })).await.ok();
}

#[tokio::test]
async fn sockets_have_so_many_subscriptions_of_an_entity_and_of_an_address() {
    for (bound, others_have_room) in
        [("--subscriptions-per-entity", true), ("--subscriptions-per-address", false)]
    {
        let hub = TokenHub::with_everyone_at(options(&[bound, "2"])).await;
        let mut first = hub.socket_as("ai").await;
        first.subscribe("one").await;
        first.subscribe("one").await;
        let bearer = format!("Bearer {}", hub.token("ai"));
        let headers = [("Authorization", &*bearer)];
        let two = Socket::try_open(hub.addr(), "/ws/ai?channels=one,two", &headers).await;
        assert_eq!(two.err(), Some(429), "{bound}: three of two");
        let mut second = hub.socket_as("ai").await;
        second.subscribe("two").await;
        second.send(json!({ "type": "subscribe_channel", "channel": "three" })).await;
        assert_eq!(second.until("error").await["code"], "too_many_open", "{bound}");
        let mut other = hub.socket_as("anna").await;
        other.send(json!({ "type": "subscribe_channel", "channel": "three" })).await;
        let expected = if others_have_room { "subscribed" } else { "error" };
        assert_eq!(other.next().await.expect("an answer")["type"], expected, "{bound}");
        // What is given up makes room.
        first.send(json!({ "type": "unsubscribe_channel", "channel": "one" })).await;
        first.until("unsubscribed").await;
        second.subscribe("three").await;
    }
}

#[tokio::test]
async fn an_address_has_so_many_sockets_and_waits_whoever_has_them() {
    let words = ["--sockets-per-address", "2", "--waits-per-address", "1"];
    let hub = TokenHub::with_everyone_at(options(&words)).await;
    let _sockets = [hub.socket_as("ai").await, hub.socket_as("session").await];
    let bearer = format!("Bearer {}", hub.token("anna"));
    let third = Socket::try_open(hub.addr(), "/ws/anna", &[("Authorization", &*bearer)]).await;
    assert_eq!(third.err(), Some(429));
    let mut waiter = hub.client().await;
    let wait = |who: &str, seconds: u32| {
        let body = json!({ "wait_seconds": seconds });
        Request::post("/tasks/claim-next").bearer(hub.token(who)).json(&body)
    };
    let waiting = wait("ai", 60);
    let waiting = tokio::spawn(async move {
        loop {
            let answer = waiter.send(waiting.clone()).await;
            if answer.status != 429 {
                return answer;
            }
        }
    });
    loop {
        let answer = hub.send(wait("session", 1)).await;
        if answer.status == 429 {
            answer.problem(429, "too_many_open");
            break;
        }
    }
    let task = json!({ "title": "t" });
    hub.post_as(hub.token("anna"), "/tasks/create", task).await.ok();
    assert_eq!(waiting.await.unwrap().ok()["status"], "claimed");
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let hub = Hub::start(options(&["--connections-per-address", "3"]));
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let read = timeout(WAIT_MAX, stream.read(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
        open.push(stream);
    };
    assert!(refused.starts_with("HTTP/1.1 429") && open.len() <= 3, "{refused}");
    drop(open);
    // The hub sees the end of a connection a moment later.
    loop {
        let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
        let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        // Whoever is turned away may not get so far.
        let _written = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _read = timeout(WAIT_MAX, stream.read_to_end(&mut answer)).await.unwrap();
        if answer.starts_with(b"HTTP/1.1 200") {
            break;
        }
    }
}

/// Asks the same until it is told that this is too fast, whatever it is told before.
async fn until_turned_away(hub: &TokenHub, request: Request) {
    let mut client = hub.client().await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) {
        assert!(statuses.len() < TRIES, "it was never too fast: {statuses:?}");
        statuses.push(client.send(request.clone()).await.status);
    }
}

#[tokio::test]
async fn what_is_refused_for_who_asks_is_not_asked_for_without_end() {
    let hub = TokenHub::with_everyone_at(options(&["--reads-per-second", "2"])).await;
    let bearer = |request: Request, who| request.bearer(hub.token(who));
    until_turned_away(&hub, bearer(Request::get("/admin/tokens"), "ai")).await;
    let invite = json!({ "name": "n", "entity_types": ["ai_agent"] });
    until_turned_away(&hub, bearer(Request::post("/admin/invites").json(&invite), "session")).await;
    // Over a socket, too, and so is what there is not.
    for (who, op) in [("anna", "admin.invites"), ("backup", "nothing.such")] {
        let mut socket = hub.socket_as(who).await;
        let mut statuses = Vec::new();
        while statuses.last() != Some(&json!(429)) {
            assert!(statuses.len() < TRIES, "it was never too fast: {statuses:?}");
            statuses.push(socket.call(op, invite.clone()).await["status"].clone());
        }
    }
    // It took looks, and no changes.
    hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": "c" })).await.ok();
}

#[tokio::test]
async fn those_who_show_nothing_or_guess_lock_nobody_out_who_shows_a_token() {
    let words = [
        "--reads-per-second",
        "2",
        "--address-reads-per-second",
        "2",
        "--failed-logins-per-minute",
        "2",
    ];
    let hub = TokenHub::with_everyone_at(options(&words)).await;
    let (_, invite) = hub.invite(json!({ "name": "n", "entity_types": ["ai_agent"] })).await;
    let flood = [
        Request::get("/docs"),
        Request::get("/tasks/list"),
        Request::get("/nowhere"),
        Request::post("/messages/send").json(&json!({ "content": "c" })),
        Request::post("/entities/ai/heartbeat").json(&json!({})),
        Request::get("/tasks/list").bearer(&invite),
        Request::get("/tasks/list").bearer(WRONG_TOKEN),
    ];
    for request in flood {
        until_turned_away(&hub, request).await;
    }
    // The bucket of the address is full all the same.
    hub.get_as(hub.token("ai"), "/tasks/list").await.ok();
    hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": "c" })).await.ok();
}
