//! Calls in this process beside what the network is answered.

use std::time::Duration;

use axum::{body::Body, http::Request};
use coordhub_core::{Hub, command::Role};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{Answer, Local, LocalCall, Started};
use crate::{
    Config,
    http::{
        handle,
        router::{self, Action, ROUTES},
    },
};

struct Asked {
    role: Role,
    caller: Option<&'static str>,
    key: Option<&'static str>,
}

const MEMBER: Asked = Asked { role: Role::Member, caller: None, key: None };
const ADMIN: Asked = Asked { role: Role::Admin, caller: None, key: None };

fn local() -> Local {
    Local::new(Hub::in_memory().expect("opens"), Config::default())
}

fn begin(local: &Local, by: &Asked, method: &str, path: &str, args: &Value) -> Started {
    let Asked { role, caller, key } = *by;
    local.call(LocalCall { method, path, args: args.to_string().as_bytes(), caller, role, key })
}

async fn finish(started: Started) -> Answer {
    match started {
        Started::Done(answer) => answer,
        Started::Submitted(later) | Started::Waiting(later) => later.await,
        Started::Blocking(work) => work(),
    }
}

async fn ask(local: &Local, by: &Asked, method: &str, path: &str, args: Value) -> (u16, Value) {
    let mut answer = finish(begin(local, by, method, path, &args)).await;
    answer.taken();
    (answer.status, read(&answer.body))
}

fn read(text: &[u8]) -> Value {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).expect("JSON")
}

async fn registered(local: &Local, id: &str) {
    let args = json!({ "entity_id": id, "entity_type": "ai_agent" });
    let (status, body) = ask(local, &MEMBER, "POST", "/entities/register", args).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn every_route_that_answers_in_json_can_be_called_here() {
    let local = local();
    for route in ROUTES {
        let (method, path) = (route.method.as_str(), route.path);
        let (status, body) = ask(&local, &ADMIN, method, path, json!({})).await;
        let is_here = matches!(
            route.action,
            Action::Change(_)
                | Action::Soft(_)
                | Action::Read(_)
                | Action::Events
                | Action::OpenApi
        );
        assert_eq!(body["code"] != "unknown_path", is_here, "{method} {path}: {status} {body}");
        assert_ne!(status, 500, "{method} {path}");
    }
    let (status, _) = ask(&local, &MEMBER, "GET", "/nowhere", json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn what_is_refused_is_refused_as_over_the_network() {
    let local = local();
    registered(&local, "ada").await;
    for (method, path, here, there, sent) in [
        ("POST", "/messages/send", json!({}), "/messages/send", json!({})),
        (
            "POST",
            "/messages/send",
            json!({ "from_entity": "ada", "content": 5 }),
            "/messages/send",
            json!({ "from_entity": "ada", "content": 5 }),
        ),
        (
            "POST",
            "/messages/send",
            json!({ "from_entity": "ada", "content": "x", "channel": "AI-only" }),
            "/messages/send",
            json!({ "from_entity": "ada", "content": "x", "channel": "AI-only" }),
        ),
        (
            "POST",
            "/tasks/{task_id}/claim",
            json!({ "task_id": "none", "entity_id": "ada" }),
            "/tasks/none/claim",
            json!({ "entity_id": "ada" }),
        ),
        // What is not there is said before what is wrong in the fields.
        (
            "POST",
            "/tasks/{task_id}/complete",
            json!({ "task_id": "none", "claim_token": "x" }),
            "/tasks/none/complete",
            json!({ "claim_token": "x" }),
        ),
        ("GET", "/tasks/{task_id}", json!({ "task_id": "none" }), "/tasks/none", json!({})),
        ("POST", "/tasks/create", json!({ "title": "" }), "/tasks/create", json!({ "title": "" })),
    ] {
        let (status, body) = ask(&local, &MEMBER, method, path, here).await;
        let route = router::by_template(method, path);
        let request = Request::builder().method(method).uri(there);
        let request = request.body(Body::from(sent.to_string())).expect("a request");
        let response = handle::handle(&local.app, route, request).await;
        assert_eq!(status, response.status().as_u16(), "{there} {sent}");
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let other: Value = read(&bytes);
        assert_eq!(body, other, "{there} {sent}");
        assert!(status >= 400, "{there} {sent}");
    }
}

#[tokio::test]
async fn the_program_may_do_what_the_role_may_that_it_names() {
    let local = local();
    registered(&local, "ada").await;
    let token = || json!({ "entity_id": "ada", "name": "laptop" });
    let (status, body) = ask(&local, &MEMBER, "POST", "/admin/tokens", token()).await;
    assert_eq!((status, &body["code"]), (403, &json!("not_allowed")));
    let (status, body) = ask(&local, &ADMIN, "POST", "/admin/tokens", token()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body["token"].as_str().is_some_and(|token| token.starts_with("cht_")));

    let observer = Asked { role: Role::Observer, caller: Some("ada"), key: None };
    let send = json!({ "content": "x" });
    let (status, body) = ask(&local, &observer, "POST", "/messages/send", send).await;
    assert_eq!((status, &body["code"]), (403, &json!("observer")));
    let (status, _) = ask(&local, &observer, "GET", "/messages/recent", json!({})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_caller_is_named_beside_the_fields_or_in_them() {
    let local = local();
    registered(&local, "ada").await;
    let ada = Asked { caller: Some("ada"), ..MEMBER };
    let beat = json!({ "entity_id": "ada" });
    for (by, args) in [(&MEMBER, beat.clone()), (&ada, beat)] {
        let (status, body) = ask(&local, by, "POST", "/entities/{entity_id}/heartbeat", args).await;
        assert_eq!(status, 200, "{body}");
    }
    let other = json!({ "from_entity": "bob", "content": "x" });
    let (status, body) = ask(&local, &ada, "POST", "/messages/send", other).await;
    assert_eq!((status, &body["field"]), (422, &json!("from_entity")));
}

#[tokio::test]
async fn a_key_makes_a_change_once() {
    let local = local();
    let keyed = Asked { key: Some("k"), caller: Some("ada"), ..MEMBER };
    let send = json!({ "content": "once" });
    let (_, first) = ask(&local, &keyed, "POST", "/messages/send", send.clone()).await;
    let again = finish(begin(&local, &keyed, "POST", "/messages/send", &send)).await;
    assert!(again.is_replayed);
    let again: Value = read(&again.body);
    assert_eq!(first["message_id"], again["message_id"]);
}

#[tokio::test]
async fn a_claim_that_nobody_took_goes_back() {
    let local = local();
    registered(&local, "ada").await;
    let task = json!({ "task_id": "t", "title": "Build" });
    let (status, _) = ask(&local, &MEMBER, "POST", "/tasks/create", task).await;
    assert_eq!(status, 200);
    let claim = json!({ "entity_id": "ada" });
    let untaken = finish(begin(&local, &MEMBER, "POST", "/tasks/claim-next", &claim)).await;
    assert!(untaken.is_ok());
    drop(untaken);
    let (_, body) = ask(&local, &MEMBER, "POST", "/tasks/claim-next", claim).await;
    assert_eq!((&body["status"], &body["task"]["attempts"]), (&json!("claimed"), &json!(0)));
}

#[tokio::test]
async fn whoever_waits_is_told_when_waits_end() {
    let local = local();
    registered(&local, "ada").await;
    let claim = json!({ "entity_id": "ada", "wait_seconds": 60 });
    let claims = begin(&local, &MEMBER, "POST", "/tasks/claim-next", &claim);
    let events = begin(&local, &MEMBER, "GET", "/events", &json!({ "since": 1, "wait": 60 }));
    let mut follow = local.follow(b"{}", None).expect("follows");
    local.end_waits();
    let all = async { (finish(claims).await, finish(events).await, follow.batch().await) };
    let all = tokio::time::timeout(Duration::from_secs(30), all).await;
    let (claims, events, followed) = all.expect("answers at once");
    let claims: Value = read(&claims.body);
    assert_eq!((&claims["status"], events.status), (&json!("none"), 200));
    assert_eq!(followed, b"[]");
}

#[tokio::test]
async fn the_log_is_followed_once_and_in_order() {
    let local = local();
    registered(&local, "ada").await;
    let mut live = local.follow(br#"{"kinds":"message_sent"}"#, None).expect("follows");
    let mut whole = local.follow(br#"{"since":0,"limit":2}"#, None).expect("follows");
    for content in ["a", "b"] {
        let send = json!({ "from_entity": "ada", "content": content });
        let (status, _) = ask(&local, &MEMBER, "POST", "/messages/send", send).await;
        assert_eq!(status, 200);
    }
    let seqs = |batch: Vec<u8>| {
        let events = read(&batch);
        events
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| event["seq"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(live.batch().await), [2, 3]);
    assert_eq!(live.position(), format!("{}:3", local.hub().epoch()));
    assert_eq!(seqs(whole.batch().await), [1, 2]);
    assert_eq!(seqs(whole.batch().await), [3]);

    let mut other = local.follow(br#"{"since":"another:7"}"#, None).expect("follows");
    let gap: Value = read(&other.batch().await);
    assert_eq!((&gap[0]["type"], &gap[0]["reason"]), (&json!("gap"), &json!("other_history")));
    // Whoever was elsewhere reads afresh, and goes on with what comes next.
    registered(&local, "bob").await;
    assert_eq!(seqs(other.batch().await), [4]);
    assert!(local.follow(br#"{"kinds":"none_such"}"#, None).is_err());
}
