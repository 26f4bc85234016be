//! Signing in to the page: a cookie that stands for a token, and counts for the hub's own page alone.

use coordhub_harness::{Hub, HubOptions, Request, Response, Socket};
use serde_json::json;

use crate::tokens::TokenHub;

/// What a browser would keep of an answer, and send.
fn cookie(response: &Response) -> String {
    let set = response.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("a first part").to_owned()
}

pub(crate) async fn sign_in(hub: &TokenHub, secret: &str) -> String {
    let response = hub.send(Request::post("/session").bearer(secret)).await;
    response.ok();
    cookie(&response)
}

pub(crate) fn origin(hub: &Hub) -> String {
    format!("http://127.0.0.1:{}", hub.port())
}

#[tokio::test]
async fn a_token_signs_in_and_no_script_sees_the_cookie() {
    let hub = TokenHub::with_everyone().await;
    let response = hub.send(Request::post("/session").bearer(hub.token("anna"))).await;
    let body = response.ok();
    assert_eq!((&body["status"], &body["entity_id"]), (&json!("signed_in"), &json!("anna")));
    let set = response.header("set-cookie").unwrap();
    for said in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(said), "{set}");
    }
    assert!(!set.contains("Secure"), "over plain HTTP a browser would not keep it: {set}");
    assert!(!set.contains(&hub.token("anna")[4..]), "it is no token");
    let cookie = cookie(&response);
    let own = |request: Request| request.header("Cookie", &cookie).header("Origin", &origin(&hub));
    let who = hub.send(own(Request::get("/session"))).await.ok();
    assert_eq!((&who["entity_id"], &who["signed_in"]), (&json!("anna"), &json!(true)));
    let sent = own(Request::post("/messages/send")).json(&json!({ "content": "c" }));
    assert_eq!(hub.send(sent).await.ok()["message"]["from_entity"], "anna");
    let named = own(Request::post("/messages/send"));
    let named = named.json(&json!({ "content": "c", "from_entity": "ai" }));
    hub.send(named).await.problem(403, "caller_mismatch");
}

#[tokio::test]
async fn a_cookie_counts_for_the_hubs_own_page_alone() {
    let hub = TokenHub::with_everyone().await;
    let cookie = sign_in(&hub, hub.token("anna")).await;
    let own = origin(&hub);
    for (headers, status) in [
        (vec![], 401),
        (vec![("Sec-Fetch-Site", "none")], 401),
        (vec![("Origin", &*own)], 200),
        (vec![("Sec-Fetch-Site", "same-origin")], 200),
        (vec![("Sec-Fetch-Site", "same-site")], 403),
        (vec![("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "https://evil.example")], 403),
        (vec![("Origin", "http://127.0.0.1:1")], 403),
    ] {
        let request = Request::post("/messages/send").header("Cookie", &cookie);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = hub.send(request.json(&json!({ "content": "c" }))).await;
        assert_eq!(response.status, status, "{headers:?}: {}", response.text());
    }
    // A token that is shown goes before the cookie.
    let both = Request::get("/session").header("Cookie", &cookie).header("Origin", &own);
    let who = hub.send(both.bearer(hub.token("ai"))).await.ok();
    assert_eq!(who["entity_id"], "ai");
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_at_a_word() {
    let hub = TokenHub::with_everyone().await;
    let (id, secret) = hub.fresh_token("ai", "member").await;
    let own = origin(&hub);
    for by in ["revoked", "signed out"] {
        let cookie = sign_in(&hub, &secret).await;
        let headers = [("Cookie", &*cookie), ("Origin", &*own)];
        let mut socket = Socket::try_open(hub.addr(), "/ws/ai", &headers).await.unwrap();
        let with = |request: Request| request.header("Cookie", &cookie).header("Origin", &own);
        hub.send(with(Request::get("/tasks/list"))).await.ok();
        if by == "signed out" {
            let out = hub.send(with(Request::new("DELETE", "/session"))).await;
            assert_eq!(out.ok()["status"], "signed_out");
            assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
        } else {
            hub.revoke(&id).await;
        }
        assert_eq!(socket.close_code().await, Some(4401), "{by}");
        hub.send(with(Request::get("/tasks/list"))).await.problem(401, "unauthorized");
        // What is stale must not keep the page from being shown.
        assert_eq!(hub.send(with(Request::get("/"))).await.status, 200);
        if by == "revoked" {
            break;
        }
    }
    let cookie = sign_in(&hub, hub.token("ai")).await;
    let with = |request: Request| request.header("Cookie", &cookie).header("Origin", &own);
    let mut socket =
        Socket::try_open(hub.addr(), "/ws/ai", &[("Cookie", &*cookie), ("Origin", &*own)])
            .await
            .unwrap();
    hub.send(with(Request::new("DELETE", "/session"))).await.ok();
    assert_eq!(socket.close_code().await, Some(4401));
    hub.send(with(Request::get("/tasks/list"))).await.problem(401, "unauthorized");
    hub.get_as(hub.token("ai"), "/tasks/list").await.ok();
}

#[tokio::test]
async fn a_session_that_ends_for_another_closes_its_sockets() {
    let hub = TokenHub::with_everyone().await;
    let own = origin(&hub);
    let cookie = sign_in(&hub, hub.token("ai")).await;
    let headers = [("Cookie", &*cookie), ("Origin", &*own)];
    let mut socket = Socket::try_open(hub.addr(), "/ws/ai", &headers).await.unwrap();
    for _ in 0..32 {
        sign_in(&hub, hub.token("ai")).await;
    }
    assert_eq!(socket.close_code().await, Some(4401));
    let request = Request::get("/tasks/list").header("Cookie", &cookie).header("Origin", &own);
    hub.send(request).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_stop_signs_nobody_out() {
    let mut hub =
        TokenHub::with_everyone_at(HubOptions::default().arg("--monitor").arg("127.0.0.1:0")).await;
    let cookie = sign_in(&hub, hub.token("ai")).await;
    let own = origin(&hub);
    let with = |request: Request| request.header("Cookie", &cookie).header("Origin", &own);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let mut client = hub.client().await;
        let request = with(Request::post("/tasks/claim-next"));
        let request = request.json(&json!({ "wait_seconds": 60 }));
        waits.push(tokio::spawn(async move { client.send(request).await }));
    }
    while hub.metrics().await.get("coordhub_claim_waiters", "") != 4.0 {
        tokio::task::yield_now().await;
    }
    let headers = [("Cookie", &*cookie), ("Origin", &*own)];
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(Socket::try_open(hub.addr(), "/ws/ai", &headers).await.unwrap());
    }
    let stopping = tokio::task::spawn_blocking(move || hub.terminate());
    for wait in waits {
        assert_eq!(wait.await.unwrap().ok()["status"], "none");
    }
    for mut socket in sockets {
        assert_eq!(socket.close_code().await, Some(1012));
    }
    assert_eq!(stopping.await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn an_invite_registers_and_signs_in() {
    let hub = TokenHub::new();
    let (_, invite) = hub.invite(json!({ "name": "for Anna", "entity_types": ["human"] })).await;
    let request = Request::post("/session").bearer(&invite);
    let body = json!({ "entity_id": "anna", "entity_type": "human", "name": "Anna" });
    let response = hub.send(request.json(&body)).await;
    let reply = response.ok();
    assert!(reply["token"].as_str().unwrap().starts_with("cht_"), "it is told once: {reply}");
    let who = Request::get("/session").header("Cookie", &cookie(&response));
    let who = hub.send(who.header("Origin", &origin(&hub))).await.ok();
    assert_eq!(who["entity_id"], "anna");
    let again = Request::post("/session").bearer(&invite).json(&body);
    hub.send(again).await.problem(403, "invite_refused");
}

#[tokio::test]
async fn in_open_mode_nobody_signs_in() {
    let hub = Hub::new();
    assert_eq!(hub.get_ok("/session").await["auth"], "open");
    hub.post("/session", json!({})).await.problem(403, "not_allowed");
    hub.delete("/session").await.ok();
}

#[tokio::test]
async fn a_cookie_is_never_made_into_more_than_it_is() {
    let hub = TokenHub::with_everyone().await;
    let cookie = sign_in(&hub, hub.token("admin")).await;
    let own = origin(&hub);
    for (path, body) in [
        ("/session", json!({})),
        ("/admin/tokens/own/rotate", json!({})),
        ("/admin/tokens", json!({ "name": "n", "entity_id": "backup" })),
        ("/admin/invites", json!({ "name": "n", "entity_types": ["human"] })),
    ] {
        let request = Request::post(path).header("Cookie", &cookie).header("Origin", &own);
        hub.send(request.json(&body)).await.problem(403, "not_allowed");
    }
}
