//! Who did what, and what was refused.

use std::process::Command;

use coordhub_harness::{Hub, HubOptions, Request, Socket, hub};
use serde_json::{Value, json};

use crate::support::{has_members, is_time, rows};
use crate::tokens::{TokenHub, WRONG_TOKEN};

async fn audit(hub: &TokenHub, query: &str) -> Value {
    hub.get_as(hub.token("admin"), &format!("/audit{query}")).await.ok()
}

async fn refusals(hub: &TokenHub, query: &str) -> Vec<Value> {
    let list = hub.get_as(hub.token("admin"), &format!("/audit/refusals{query}")).await.ok();
    rows(&list, "refusals").to_vec()
}

#[tokio::test]
async fn an_admin_sees_who_did_what_and_not_what_was_said() {
    let hub = TokenHub::with_everyone().await;
    let said = "between us";
    let direct = json!({ "content": said, "to_entity": "anna", "metadata": { "note": said } });
    let sent = hub.post_as(hub.token("ai"), "/messages/send", direct).await.ok();
    for (path, body) in [
        ("/messages/send", json!({ "content": said, "channel": "ai-only" })),
        ("/channels/create", json!({ "channel": "crew" })),
        ("/messages/send", json!({ "content": said, "channel": "crew", "ack_required": true })),
        (
            "/tasks/create",
            json!({ "title": said, "description": said, "task_id": "t", "tags": [said] }),
        ),
        ("/tasks/t/update", json!({ "note": said })),
        ("/tasks/t/fail", json!({ "reason": said })),
        ("/proposals/create", json!({ "title": said, "description": said })),
    ] {
        hub.post_as(hub.token("ai"), path, body).await;
    }
    let whole = audit(&hub, "").await;
    assert!(!whole.to_string().contains(said), "{whole}");
    let of = |id: &Value| {
        rows(&whole, "events").iter().find(|row| &row["about"]["message_id"] == id).cloned()
    };
    let row = of(&sent["message_id"]).expect("the direct message");
    has_members(&row, "seq timestamp kind actor auth address request_id cause about bytes");
    is_time(&row["timestamp"]);
    assert_eq!(
        (&row["kind"], &row["actor"], &row["auth"], &row["bytes"]),
        (&json!("message_sent"), &json!("ai"), &json!("token"), &json!(said.len()))
    );
    assert_eq!((&row["about"]["to_entity"], &row["seq"]), (&json!("anna"), &sent["seq"]));
    // All of it is there, in order.
    let seqs: Vec<_> = rows(&whole, "events").iter().map(|row| row["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).map(Some).collect::<Vec<_>>());
    let by_ai = audit(&hub, "?actor=ai&kind=message_sent&limit=2").await;
    assert_eq!(rows(&by_ai, "events").len(), 2);
    let rest = audit(&hub, &format!("?actor=ai&kind=message_sent&after={}", by_ai["next"])).await;
    assert_eq!((rows(&rest, "events").len(), &rest["next"]), (1, &whole["next"]));
    let by_admin = audit(&hub, "?actor=admin").await;
    assert!(by_admin.to_string().contains("invite_made"), "{by_admin}");
    hub.get_as(hub.token("admin"), "/audit?kind=nothing").await.refusal(422);
}

#[tokio::test]
async fn what_is_refused_is_counted_and_not_written_one_by_one() {
    let mut hub = TokenHub::with_everyone().await;
    for who in ["ai", "watcher"] {
        hub.get_as(hub.token(who), "/tasks/list").await.ok();
    }
    let head = audit(&hub, "").await["next"].clone();
    let mut client = hub.client().await;
    for _ in 0..50 {
        let wrong = client.send(Request::get("/tasks/list").bearer(WRONG_TOKEN)).await;
        wrong.problem(401, "unauthorized");
        let member = client.send(Request::get("/admin/tokens").bearer(hub.token("ai"))).await;
        member.problem(403, "not_allowed");
    }
    client.send(Request::get("/no/such/path")).await.refusal(401);
    let mut socket = hub.socket_as("watcher").await;
    socket.call("tasks.create", json!({ "title": "t" })).await;
    socket.send(json!({ "type": "subscribe_channel", "channel": "human-only" })).await;
    let counted = refusals(&hub, "").await;
    let find = |kind: &str, route: &str| {
        let found = counted.iter().find(|row| row["kind"] == kind && row["route"] == route);
        found.cloned().unwrap_or_else(|| panic!("no {kind} of {route} in {counted:?}"))
    };
    let wrong = find("unauthorized", "GET /tasks/list");
    has_members(&wrong, "refusal_id kind status entity_id address route first_at last_at count");
    assert_eq!((&wrong["count"], &wrong["address"]), (&json!(50), &json!("127.0.0.1")));
    assert_eq!((&wrong["entity_id"], &wrong["status"]), (&Value::Null, &json!(401)));
    let member = find("not_allowed", "GET /admin/tokens");
    assert_eq!((&member["count"], &member["entity_id"]), (&json!(50), &json!("ai")));
    find("unauthorized", "");
    let over_socket = find("observer", "POST /tasks/create");
    assert_eq!((&over_socket["entity_id"], &over_socket["count"]), (&json!("watcher"), &json!(1)));
    assert_eq!(refusals(&hub, "?kind=not_allowed&actor=ai").await, [member]);
    assert_eq!(audit(&hub, "").await["next"], head, "what is refused takes no seq");
    let file = rusqlite::Connection::open(hub.db_path()).unwrap();
    let written = || -> i64 {
        file.query_row("SELECT coalesce(sum(count), 0) FROM refusals", [], |row| row.get(0))
            .unwrap()
    };
    assert!(written() <= 102, "at most one batch of them was written");
    // What was counted is there after a start, and goes on being counted.
    hub.restart();
    assert!(written() >= 102);
    hub.get_as(hub.token("ai"), "/admin/tokens").await.problem(403, "not_allowed");
    assert_eq!(refusals(&hub, "?actor=ai").await[0]["count"], 51);
}

#[tokio::test]
async fn an_admin_alone_sees_how_a_change_came_about() {
    let mut hub = TokenHub::with_everyone().await;
    let post = |path: &str, body: Value| {
        Request::new("POST", path).bearer(hub.token("ai")).header("X-Request-Id", path).json(&body)
    };
    for (path, body) in [
        ("/tasks/create", json!({ "title": "first", "task_id": "a" })),
        ("/tasks/create?", json!({ "title": "then", "task_id": "b", "depends_on": ["a"] })),
        ("/tasks/a/claim", json!({})),
        ("/tasks/a/complete", json!({})),
    ] {
        hub.send(post(path, body)).await.ok();
    }
    let mut socket = hub.socket_as("ai").await;
    let call = json!({ "type": "call", "id": "my-call", "op": "messages.send", "args": { "content": "x" } });
    socket.send(call).await;
    socket.until("reply").await;
    socket.send(json!({ "type": "message", "message": { "content": "y" } })).await;
    socket.until("sent").await;
    socket.close().await;

    for again in [false, true] {
        if again {
            hub.restart();
        }
        let by_ai = audit(&hub, "?actor=ai").await;
        let of = |kind: &str| {
            let rows = rows(&by_ai, "events").iter().filter(|row| row["kind"] == kind);
            rows.cloned().collect::<Vec<_>>()
        };
        let (completed, ready) = (&of("task_completed")[0], &of("task_ready")[0]);
        for row in [completed, ready] {
            assert_eq!(
                (&row["address"], &row["request_id"]),
                (&json!("127.0.0.1"), &json!("/tasks/a/complete"))
            );
        }
        assert_eq!((&completed["cause"], &ready["cause"]), (&json!(null), &completed["seq"]));
        let sent = of("message_sent");
        let [by_call, by_frame] = &sent[..] else { panic!("{sent:?}") };
        let socket = by_frame["request_id"].as_str().unwrap();
        assert_eq!(by_call["request_id"], json!(format!("{socket}/my-call")));
        assert_eq!(by_frame["address"], "127.0.0.1");
    }
    // What the log shows to whoever may read it says none of that.
    let events = hub.get_as(hub.token("ai"), "/events?since=0").await.text();
    assert!(!events.contains("127.0.0.1") && !events.contains("/tasks/a/complete"), "{events}");
}

#[tokio::test]
async fn in_open_mode_there_is_no_admin_to_see_it() {
    let hub = Hub::new();
    for path in ["/audit", "/audit/refusals"] {
        let problem = hub.get(path).await.problem(403, "not_allowed");
        assert!(problem["detail"].as_str().unwrap().contains("--auth token"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_shows_it() {
    let hub = TokenHub::with_everyone().await;
    hub.get_as(hub.token("ai"), "/audit").await.problem(403, "not_allowed");
    let run = |words: &[&str]| {
        let mut command = Command::new(hub::binary());
        command.arg("audit").args(words).env("COORDHUB_URL", hub.url());
        let output = command.env("COORDHUB_TOKEN", hub.token("admin")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run(&["--actor", "admin", "--kind", "invite_made"]);
    assert_eq!(shown.lines().count(), 6, "{shown}");
    assert!(shown.contains("invite_id=invite-"), "{shown}");
    let refused = run(&["--refusals", "--actor", "ai"]);
    assert!(refused.contains("not_allowed") && refused.contains("GET /audit"), "{refused}");
    let refused: Value = serde_json::from_str(&run(&["--refusals", "--json"])).unwrap();
    assert!(rows(&refused, "refusals").iter().any(|row| row["entity_id"] == "ai"), "{refused}");
}

#[tokio::test]
async fn a_secret_planted_anywhere_is_found_nowhere() {
    let options = HubOptions::default().arg("--log-level").arg("trace");
    let hub = TokenHub::with_everyone_at(options).await;
    let (_, invite) = hub.invite(json!({ "name": "n", "entity_types": ["ai_agent"] })).await;
    let (_, token) = hub.fresh_token("ai", "member").await;
    let cookie = crate::session::sign_in(&hub, hub.token("anna")).await;
    let (cookie_name, _) = cookie.split_once('=').expect("a name and a value");
    let mut answers = Vec::new();
    for secret in [&*token, &invite, WRONG_TOKEN] {
        let body =
            json!({ "token": secret, "secret": secret, "invite": secret, "password": secret });
        let basic = format!("Basic {secret}");
        let cookie = format!("{cookie_name}={secret}; token={secret}");
        let offered = format!("coordhub.v1, bearer.{secret}, {secret}");
        for (method, path) in [
            ("GET", "/tasks/list"),
            ("GET", "/audit"),
            ("GET", "/nowhere"),
            ("POST", "/messages/send"),
            ("POST", "/session"),
            ("POST", "/admin/tokens"),
            ("POST", "/admin/invites"),
            ("PUT", "/state"),
        ] {
            let in_query = format!("{path}?token={secret}&access_token={secret}&invite={secret}");
            let own = format!("http://{}", hub.addr());
            for request in [
                Request::new(method, path).bearer(secret).json(&body),
                Request::new(method, path).header("Authorization", secret).json(&body),
                Request::new(method, path)
                    .bearer(hub.token("anna"))
                    .header("X-Request-Id", secret)
                    .json(&json!({ "content": "hello" })),
                Request::new(method, path).header("Authorization", &basic),
                Request::new(method, &in_query).json(&body),
                Request::new(method, &in_query).bearer(hub.token("anna")).json(&body),
                Request::new(method, path)
                    .header("Cookie", &cookie)
                    .header("Origin", &own)
                    .json(&body),
                Request::new(method, path).header("Sec-WebSocket-Protocol", &offered).json(&body),
            ] {
                answers.push(hub.send(request).await.text());
            }
        }
        for path in ["/ws/ai".to_owned(), format!("/ws/ai?token={secret}")] {
            let headers = [("Sec-WebSocket-Protocol", &*offered)];
            let _refused = Socket::try_open(hub.addr(), &path, &headers).await;
        }
        let mut socket = hub.socket_as("anna").await;
        answers.push(socket.call("admin.tokens", body.clone()).await.to_string());
        answers.push(socket.call("messages.send", body).await.to_string());
    }
    answers.push(audit(&hub, "").await.to_string());
    answers.push(json!(refusals(&hub, "").await).to_string());
    answers.push(hub.get_as(hub.token("admin"), "/events?since=0").await.text());
    answers.push(hub.log());
    for secret in [&*token, &invite, WRONG_TOKEN] {
        for answer in &answers {
            let at = answer.find(&secret[4..]);
            assert!(at.is_none(), "{:?}", at.map(|at| &answer[at.saturating_sub(300)..at]));
        }
    }
}
