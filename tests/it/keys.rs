//! Idempotency keys, on every route that changes something; a route without a case fails.

use coordhub_harness::{Client, Hub, Request, Response};
use serde_json::{Value, json};

use crate::support::{contents, head, hub_with_everyone, rows, seq};

/// A call that succeeds once, and may be asked for twice.
struct Case {
    route: &'static str,
    caller: &'static str,
    /// What is done before, to the same object.
    before: &'static [&'static str],
    body: Value,
    /// Other arguments; another object where the call has none.
    other: Option<Value>,
}

fn case(
    route: &'static str,
    caller: &'static str,
    before: &'static [&'static str],
    body: Value,
    other: Option<Value>,
) -> Case {
    Case { route, caller, before, body, other }
}

/// Signs of life, and what changes nothing, may be repeated at will and take no key.
const UNKEYED: [&str; 3] =
    ["/entities/{entity_id}/heartbeat", "/tasks/{task_id}/heartbeat", "/reservations/check"];

/// There are no admins in open mode; `tokens` and `rest::upkeep` try these.
const BY_ADMINS: [&str; 4] =
    ["/admin/invites", "/admin/prune", "/admin/tokens", "/admin/tokens/{token_id}/rotate"];

/// Signing in is a matter of browsers: it has no key, and `session` tries it.
const OF_BROWSERS: [&str; 1] = ["/session"];

/// One case for each route. `TASK` is the id of the case's own task, which also is its tag; `RESERVATION` that of a
/// reservation.
#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let udc = |payload: &str| json!({ "trace_id": "x", "source": "ai", "target": "hub", "message_type": "status",
        "payload": { "p": payload }, "timestamp": "2026-01-01T00:00:00Z" });
    let newcomer = |name: &str| json!({ "entity_id": "newcomer", "entity_type": "service", "name": name });
    vec![
        case("/entities/register", "newcomer", &[], newcomer("N"), Some(newcomer("M"))),
        case("/messages/send", "ai", &[], json!({ "content": "c" }), Some(json!({ "content": "d" }))),
        case("/messages/send-batch", "ai", &[], json!([{ "content": "c" }, { "content": "c" }]), Some(json!([{ "content": "c" }]))),
        case("/messages/for/{entity_id}/ack", "ai", &[], json!({ "up_to": 2 }), Some(json!({ "up_to": 3 }))),
        case("/messages/{message_id}/ack", "ai", &[], json!({}), None),
        case("/messages/{message_id}/resolve", "session", &[], json!({}), None),
        case("/messages/{message_id}/redact", "session", &[], json!({}), None),
        case("/channels/create", "ai", &[], json!({ "channel": "made" }), Some(json!({ "channel": "other" }))),
        case("/channels/{channel}/join", "session", &[], json!({}), None),
        case("/channels/{channel}/leave", "ai", &[], json!({}), None),
        case("/channels/{channel}/invite", "ai", &[], json!({ "members": ["anna"] }), Some(json!({ "members": ["backup"] }))),
        case("/tasks/create", "ai", &[], json!({ "title": "t" }), Some(json!({ "title": "u" }))),
        case("/tasks/create-batch", "ai", &[], json!([{ "title": "t" }]), Some(json!([{ "title": "u" }]))),
        case("/tasks/claim-next", "ai", &[], json!({ "tags": ["TASK"] }), Some(json!({ "tags": ["TASK"], "lease_seconds": 60 }))),
        case("/tasks/{task_id}/update", "ai", &[], json!({ "note": "n" }), Some(json!({ "note": "m" }))),
        case("/tasks/{task_id}/claim", "ai", &[], json!({ "lease_seconds": 600 }), Some(json!({ "lease_seconds": 700 }))),
        case("/tasks/{task_id}/complete", "ai", &["claim"], json!({ "result": 1 }), Some(json!({ "result": 2 }))),
        case("/tasks/{task_id}/fail", "ai", &["claim"], json!({ "reason": "r" }), Some(json!({ "reason": "s" }))),
        case("/tasks/{task_id}/release", "ai", &["claim"], json!({}), None),
        case("/tasks/{task_id}/reassign", "ai", &["claim"], json!({}), None),
        case("/tasks/{task_id}/answer", "anna", &[], json!({ "answer": "yes" }), Some(json!({ "answer": "no" }))),
        case("/questions/ask", "ai", &[], json!({ "question": "q?" }), Some(json!({ "question": "r?" }))),
        case("/tasks/{task_id}/cancel", "ai", &[], json!({}), None),
        case("/tasks/{task_id}/reopen", "ai", &["cancel"], json!({}), None),
        case("/proposals/create", "ai", &[], json!({ "title": "p" }), Some(json!({ "title": "q" }))),
        case("/proposals/{proposal_id}/vote", "ai", &[], json!({ "vote": "for" }), Some(json!({ "vote": "against" }))),
        case("/proposals/{proposal_id}/close", "ai", &["vote"], json!({}), None),
        case("/proposals/{proposal_id}/withdraw", "ai", &[], json!({}), None),
        case("/reservations/acquire", "ai", &[], json!({ "resources": ["TASK:a"] }), Some(json!({ "resources": ["TASK:b"] }))),
        case("/reservations/renew", "ai", &[], json!({ "reservation_id": "RESERVATION" }), None),
        case("/reservations/release", "ai", &[], json!({ "reservation_id": "RESERVATION" }), None),
        case("/entities/{id}/handoff", "backup", &[], json!({ "note": "n" }), Some(json!({ "note": "m" }))),
        case("/message", "ai", &[], udc("a"), Some(udc("b"))),
    ]
}

/// Every key here is called the same: what tells them apart is the route, and whose they are.
const KEY: &str = "the same key";

/// A case on a hub, with objects of its own.
struct Made {
    case: Case,
    path: String,
    body: Value,
    other: (String, Value),
}

impl Made {
    async fn of(hub: &Hub, nth: usize, case: Case) -> Self {
        let (path, body) = place(hub, &case, nth, &case.body).await;
        let other = match &case.other {
            Some(other) => (path.clone(), with_ids(other, nth, "")),
            None => place(hub, &case, nth + 1_000, &case.body).await,
        };
        Self { case, path, body, other }
    }

    fn request(&self, caller: Option<&str>) -> Request {
        let request = Request::post(&self.path).header("Idempotency-Key", KEY);
        let request = caller.iter().fold(request, |r, caller| r.header("X-Entity-Id", caller));
        request.json(&self.body)
    }

    async fn ask(&self, hub: &Hub) -> Response {
        hub.send(self.request(Some(self.case.caller))).await
    }
}

/// The path and body of a call, about objects of its own with which was done what is to be done before.
async fn place(hub: &Hub, case: &Case, nth: usize, body: &Value) -> (String, Value) {
    let Case { route, caller, .. } = *case;
    let task = format!("t{nth}");
    let proposal = format!("p{nth}");
    if route.contains("{task_id}") || route.ends_with("claim-next") {
        let requires_human = route.ends_with("answer");
        let task = json!({ "title": "t", "task_id": task, "tags": [task], "created_by": "ai",
            "requires_human": requires_human });
        hub.post_ok("/tasks/create", task).await;
    }
    if route.contains("{proposal_id}") {
        let proposal = json!({ "title": "p", "proposal_id": proposal, "proposed_by": "ai",
            "electorate": ["ai"], "early_close": false });
        hub.post_ok("/proposals/create", proposal).await;
    }
    let mut path = route.replace("{task_id}", &task).replace("{proposal_id}", &proposal);
    if route.contains("{message_id}") {
        let message = json!({ "from_entity": "session", "content": "m", "ack_required": true });
        let sent = hub.post_ok("/messages/send", message).await;
        path = path.replace("{message_id}", sent["message_id"].as_str().unwrap());
    }
    if route.contains("{channel}") {
        let channel = format!("c{nth}");
        let make = json!({ "channel": channel, "entity_id": "ai", "types": ["claude_session"] });
        hub.post_ok("/channels/create", make).await;
        path = path.replace("{channel}", &channel);
    }
    let path = path.replace("{entity_id}", caller).replace("{id}", caller);
    assert!(!path.contains('{'), "{path}");
    for verb in case.before {
        let object = path.rsplit_once('/').unwrap().0;
        let body = json!({ "entity_id": caller, "vote": "for" });
        hub.post_ok(&format!("{object}/{verb}"), body).await;
    }
    let mut reservation = String::new();
    if body.to_string().contains("RESERVATION") {
        let acquire = json!({ "entity_id": caller, "resources": [format!("{task}:c")] });
        let acquired = hub.post_ok("/reservations/acquire", acquire).await;
        acquired["reservation_id"].as_str().unwrap().clone_into(&mut reservation);
    }
    (path, with_ids(body, nth, &reservation))
}

fn with_ids(body: &Value, nth: usize, reservation: &str) -> Value {
    let text = body.to_string().replace("TASK", &format!("t{nth}"));
    serde_json::from_str(&text.replace("RESERVATION", reservation)).unwrap()
}

/// Whether the answer says that it was given before.
fn is_replayed(response: &Response) -> bool {
    response.header("idempotency-replayed") == Some("true")
}

/// An answer without what hangs on who is there now.
fn lasting(response: &Response) -> Value {
    let mut body = response.ok();
    if let Some(entity) = body.get_mut("entity") {
        entity["last_seen"] = json!(null);
        entity["status"] = json!(null);
    }
    if let Some(task) = body.get_mut("task") {
        task["stale"] = json!(null);
    }
    body
}

async fn made(hub: &Hub) -> Vec<Made> {
    let mut made = Vec::new();
    for (nth, case) in cases().into_iter().enumerate() {
        made.push(Made::of(hub, nth, case).await);
    }
    made
}

#[tokio::test]
async fn every_change_has_a_case() {
    let hub = Hub::new();
    let capabilities = hub.get_ok("/capabilities").await;
    let endpoints = capabilities["integration_endpoints"].as_array().expect("endpoints");
    let posts = endpoints.iter().filter(|endpoint| endpoint["method"] == "POST");
    let mut posts: Vec<_> = posts.map(|endpoint| endpoint["path"].as_str().unwrap()).collect();
    let mut tested: Vec<_> = cases()
        .iter()
        .map(|case| case.route)
        .chain(UNKEYED)
        .chain(BY_ADMINS)
        .chain(OF_BROWSERS)
        .collect();
    posts.sort_unstable();
    tested.sort_unstable();
    assert_eq!(posts, tested, "left: the routes there are; right: those with a case");
}

#[tokio::test]
async fn a_change_is_made_once_under_its_key_also_after_a_kill_and_a_restart() {
    let mut hub = hub_with_everyone().await;
    let made = made(&hub).await;
    let mut answers = Vec::new();
    for case in &made {
        let before = head(&hub).await;
        let first = case.ask(&hub).await;
        let answer = lasting(&first);
        assert!(!is_replayed(&first), "{}", case.path);
        let after = head(&hub).await;
        assert!(after > before, "{}: nothing happened", case.path);
        if case.case.route != "/message" {
            assert_eq!(seq(&answer), after, "{}: {answer}", case.path);
        }
        answers.push(answer);
    }
    for time in ["at once", "after a kill", "after a restart"] {
        let before = head(&hub).await;
        for (case, answer) in made.iter().zip(&answers) {
            let again = case.ask(&hub).await;
            assert!(is_replayed(&again), "{} {time}: {}", case.path, again.text());
            assert_eq!(lasting(&again), *answer, "{} {time}", case.path);
        }
        assert_eq!(head(&hub).await, before, "{time}: nothing more happened");
        match time {
            "at once" => hub.kill9(),
            _ => assert_eq!(hub.terminate().code(), Some(0)),
        }
        hub.restart();
    }
}

#[tokio::test]
async fn other_arguments_under_a_key_are_refused() {
    let mut hub = hub_with_everyone().await;
    let made = made(&hub).await;
    for case in &made {
        case.ask(&hub).await.ok();
    }
    for _ in 0..2 {
        let before = head(&hub).await;
        for case in &made {
            let (path, body) = &case.other;
            let request = Request::post(path).header("Idempotency-Key", KEY);
            let request = request.header("X-Entity-Id", case.case.caller).json(body);
            let problem = hub.send(request).await.problem(422, "idempotency_key_reused");
            assert_eq!(problem["field"], "Idempotency-Key", "{path}: {problem}");
            assert!(is_replayed(&case.ask(&hub).await), "{path}: the first still counts");
        }
        assert_eq!(head(&hub).await, before);
        hub.kill9();
        hub.restart();
    }
}

#[tokio::test]
async fn a_key_belongs_to_a_caller() {
    let hub = hub_with_everyone().await;
    let made = made(&hub).await;
    for case in &made {
        let names_itself = case.case.route.starts_with("/entities/{")
            || case.case.route.contains("{entity_id}")
            || case.body.get("entity_id").is_some()
            || case.body.get("source").is_some();
        if names_itself {
            continue;
        }
        let before = head(&hub).await;
        let refused = hub.send(case.request(None)).await;
        assert_eq!(refused.status, 422, "{}: {}", case.path, refused.text());
        refused.wrong_field("Idempotency-Key");
        assert_eq!(head(&hub).await, before, "{}", case.path);
        case.ask(&hub).await.ok();
        // The same under the key of another: whatever comes of it, it is that one's own.
        for other in ["backup", "stranger"] {
            let response = hub.send(case.request(Some(other))).await;
            assert!(!is_replayed(&response), "{} as {other}", case.path);
            let text = response.text();
            assert!(!text.contains("idempotency_key_reused"), "{} as {other}: {text}", case.path);
        }
    }
    let sent = async |caller: &str| {
        let request = Request::post("/messages/send").header("Idempotency-Key", "mine");
        let body = json!({ "from_entity": caller, "content": caller });
        hub.send(request.json(&body)).await.ok()["message_id"].clone()
    };
    let (one, two) = (sent("one").await, sent("two").await);
    assert_ne!(one, two);
    assert_eq!([sent("one").await, sent("two").await], [one, two]);
}

#[tokio::test]
async fn arguments_are_the_same_in_any_order() {
    let hub = Hub::new();
    let create = |body: &str| {
        let request = Request::post("/tasks/create").header("idempotency-key", "k");
        hub.send(request.body(body))
    };
    let first = create(r#"{"title":"t","created_by":"a","tags":["x"]}"#).await;
    let again = create(r#"{ "tags": ["x"],"created_by": "a", "title": "t" }"#).await;
    assert!(!is_replayed(&first) && is_replayed(&again), "{}", again.text());
    assert_eq!(first.ok()["task_id"], again.ok()["task_id"]);
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 1);
}

#[tokio::test]
async fn what_is_answered_again_is_rendered_anew() {
    let hub = Hub::new();
    let create = Request::post("/tasks/create").header("Idempotency-Key", "k");
    let create = create.json(&json!({ "title": "before", "created_by": "a" }));
    let first = hub.send(create.clone()).await.ok();
    let task = first["task_id"].as_str().unwrap();
    hub.post_ok(&format!("/tasks/{task}/update"), json!({ "entity_id": "a", "title": "after" }))
        .await;
    let again = hub.send(create).await.ok();
    assert_eq!((&again["task"]["title"], &again["seq"]), (&json!("after"), &first["seq"]));
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await;
    hub.post_ok("/tasks/t1/claim", json!({ "entity_id": "session" })).await;
    let claim = Request::post("/tasks/t1/claim").header("Idempotency-Key", "k");
    let claim = claim.json(&json!({ "entity_id": "ai" }));
    for _ in 0..2 {
        hub.send(claim.clone()).await.problem(409, "task_already_claimed");
    }
    hub.post_ok("/tasks/t1/release", json!({ "entity_id": "session" })).await;
    let won = hub.send(claim.clone()).await;
    assert_eq!((won.ok()["task"]["claimed_by"].as_str(), is_replayed(&won)), (Some("ai"), false));
    assert!(is_replayed(&hub.send(claim).await));

    let send = |body: Value| {
        let request = Request::post("/messages/send").header("Idempotency-Key", "k");
        hub.send(request.json(&body))
    };
    send(json!({ "from_entity": "ai", "content": "c", "channel": "A B" })).await.refusal(422);
    send(json!({ "from_entity": "ai", "content": "c", "channel": "human-only" }))
        .await
        .refusal(403);
    send(json!({ "from_entity": "ai", "content": "c", "to_entity": "nobody" })).await.refusal(404);
    assert!(!is_replayed(&send(json!({ "from_entity": "ai", "content": "c" })).await));
    assert_eq!(contents(&hub, "/messages/recent").await, ["c"]);
}

#[tokio::test]
async fn nothing_to_claim_is_not_kept() {
    let hub = hub_with_everyone().await;
    let next = Request::post("/tasks/claim-next").header("Idempotency-Key", "k");
    let next = next.json(&json!({ "entity_id": "ai" }));
    for _ in 0..2 {
        let none = hub.send(next.clone()).await;
        assert_eq!((none.ok()["status"].as_str(), is_replayed(&none)), (Some("none"), false));
    }
    let task = hub.task("t").await;
    let claimed = hub.send(next.clone()).await;
    assert_eq!((&claimed.ok()["task_id"], is_replayed(&claimed)), (&json!(task), false));
    hub.task("another").await;
    let again = hub.send(next).await;
    assert!(is_replayed(&again), "{}", again.text());
    for member in ["task_id", "claim_token", "lease_expires_at", "seq"] {
        assert_eq!(again.ok()[member], claimed.ok()[member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_calls_at_once_under_one_key_one_makes_the_change() {
    let hub = hub_with_everyone().await;
    for round in 0..10 {
        let mut calls = Vec::new();
        for _ in 0..8 {
            let mut client = hub.client().await;
            let request = Request::post("/messages/send")
                .header("Idempotency-Key", &format!("k{round}"))
                .json(&json!({ "from_entity": "ai", "content": format!("c{round}") }));
            calls.push(tokio::spawn(async move { client.send(request).await }));
        }
        let (mut ids, mut first) = (Vec::new(), 0);
        for call in calls {
            let response = call.await.unwrap();
            first += usize::from(!is_replayed(&response));
            ids.push(response.ok()["message_id"].clone());
        }
        ids.dedup();
        assert_eq!((ids.len(), first), (1, 1), "{ids:?}");
    }
    let recent = hub.get_ok("/messages/recent").await;
    assert_eq!(rows(&recent, "messages").len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_the_first_under_its_key() {
    let hub = hub_with_everyone().await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut client: Client = hub.client().await;
        let request = Request::post("/tasks/claim-next").header("Idempotency-Key", "k");
        let request = request.json(&json!({ "entity_id": "ai", "wait_seconds": 20 }));
        calls.push(tokio::spawn(async move { client.send(request).await }));
    }
    let tasks = [hub.task("one").await, hub.task("two").await, hub.task("three").await];
    let (mut claims, mut first) = (Vec::new(), 0);
    for call in calls {
        let response = call.await.unwrap();
        first += usize::from(!is_replayed(&response));
        claims.push((response.ok()["task_id"].clone(), response.ok()["claim_token"].clone()));
    }
    claims.dedup();
    assert_eq!((claims.len(), first), (1, 1), "{claims:?}");
    assert!(tasks.iter().any(|task| claims[0].0 == json!(task)));
    assert_eq!(hub.get_ok("/tasks/list?status=open").await["count"], 2);
}

#[tokio::test]
async fn a_key_on_a_call_by_socket() {
    let mut hub = hub_with_everyone().await;
    let call = |op: &str, args: Value, key: Value| json!({ "type": "call", "id": "c", "op": op, "args": args, "key": key });
    let send = call("messages.send", json!({ "content": "c" }), json!("k"));
    let mut first = Value::Null;
    for _ in 0..2 {
        let mut socket = hub.socket("/ws/ai?notices=none").await;
        for _ in 0..2 {
            socket.send(send.clone()).await;
            let reply = socket.until("reply").await;
            assert_eq!(reply["status"], 200, "{reply}");
            match first.is_null() {
                true => assert!(reply.get("replayed").is_none(), "{reply}"),
                false => assert_eq!(reply["replayed"], true, "{reply}"),
            }
            if first.is_null() {
                first = reply["body"]["message_id"].clone();
            }
            assert_eq!(reply["body"]["message_id"], first);
        }
        let other = call("messages.send", json!({ "content": "d" }), json!("k"));
        socket.send(other).await;
        let reply = socket.until("reply").await;
        assert_eq!(
            (&reply["status"], &reply["body"]["code"], &reply["body"]["field"]),
            (&json!(422), &json!("idempotency_key_reused"), &json!("Idempotency-Key"))
        );
        // Without a key, or with none, each call is its own.
        for key in [json!(null), json!("another route's")] {
            socket.send(call("tasks.create", json!({ "title": "t" }), key)).await;
            let reply = socket.until("reply").await;
            assert_eq!(reply["status"], 200, "{reply}");
        }
        for key in ["", &"x".repeat(256), "a\u{1}b", "a\nb"] {
            socket.send(call("messages.send", json!({ "content": "c" }), json!(key))).await;
            let reply = socket.until("reply").await;
            assert_eq!(
                (&reply["status"], &reply["body"]["field"]),
                (&json!(422), &json!("Idempotency-Key"))
            );
        }
        socket.close().await;
        hub.kill9();
        hub.restart();
    }
    assert_eq!(contents(&hub, "/messages/recent").await, ["c"]);
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 3);
}

#[tokio::test]
async fn signs_of_life_take_no_key() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await;
    let claimed =
        hub.post_ok("/tasks/t1/claim", json!({ "entity_id": "ai", "lease_seconds": 600 })).await;
    let beat = |path: &str, body: Value| {
        let request =
            Request::post(path).header("Idempotency-Key", "k").header("X-Entity-Id", "ai");
        hub.send(request.json(&body))
    };
    for activity in ["one", "two"] {
        let beaten = beat("/entities/ai/heartbeat", json!({ "activity": activity })).await;
        assert!(beaten.status == 200 && !is_replayed(&beaten), "{}", beaten.text());
        assert_eq!(hub.get_ok("/entities/ai").await["activity"], activity);
        let token = claimed["claim_token"].clone();
        let beaten =
            beat("/tasks/t1/heartbeat", json!({ "claim_token": token, "n": activity })).await;
        assert!(beaten.status == 200 && !is_replayed(&beaten), "{}", beaten.text());
    }
}

#[tokio::test]
async fn keys_that_cannot_be() {
    let hub = Hub::new();
    let create = |key: &str| {
        let request = Request::post("/tasks/create").header("Idempotency-Key", key);
        hub.send(request.json(&json!({ "title": "t", "created_by": "a" })))
    };
    for key in ["", "  ", &"x".repeat(256), "a\tb"] {
        create(key).await.wrong_field("Idempotency-Key");
    }
    let twice = Request::post("/tasks/create").header("Idempotency-Key", "a");
    let twice = twice.header("Idempotency-Key", "b");
    hub.send(twice.json(&json!({ "title": "t", "created_by": "a" })))
        .await
        .wrong_field("Idempotency-Key");
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
    for key in ["x", &"x".repeat(255), &"é".repeat(255), "a b", "\"quoted\"", "🚨"] {
        let first = create(key).await;
        let again = create(key).await;
        assert!(!is_replayed(&first) && is_replayed(&again), "{key}: {}", again.text());
    }
}
