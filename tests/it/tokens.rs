//! Tokens and invites: how they are made, what ends with them, and where their secrets stand.

mod program;

use std::fs;
use std::ops::{Deref, DerefMut};

use coordhub_harness::{Hub, HubOptions, Request, Response, Socket, Stream};
use serde_json::{Value, json};

use crate::support::{has_members, rows};

/// Well-formed, and nobody's.
pub(crate) const WRONG_TOKEN: &str = "cht_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A hub in token mode, with whoever was given a token.
pub(crate) struct TokenHub {
    hub: Hub,
    tokens: Vec<(String, String)>,
}

impl Deref for TokenHub {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl DerefMut for TokenHub {
    fn deref_mut(&mut self) -> &mut Hub {
        &mut self.hub
    }
}

impl TokenHub {
    pub(crate) fn new() -> Self {
        Self::start(HubOptions::default())
    }

    pub(crate) fn start(options: HubOptions) -> Self {
        let hub = Hub::start(options.arg("--auth").arg("token"));
        let admin = fs::read_to_string(admin_file(&hub)).unwrap().trim().to_owned();
        Self { hub, tokens: vec![("admin".to_owned(), admin)] }
    }

    /// With the members `ai`, `session`, `anna` and `backup`, one of each type, and the observer `watcher`.
    pub(crate) async fn with_everyone() -> Self {
        Self::with_everyone_at(HubOptions::default()).await
    }

    pub(crate) async fn with_everyone_at(options: HubOptions) -> Self {
        let mut hub = Self::start(options);
        for who in ["ai", "session", "anna", "backup", "watcher"] {
            let role = if who == "watcher" { "observer" } else { "member" };
            let (_, invite) = hub
                .invite(json!({ "name": who, "entity_types": [Self::type_of(who)], "role": role }))
                .await;
            hub.join(&invite, who).await;
        }
        hub
    }

    /// Ends it in order, and starts it anew on the same file.
    pub(crate) fn restart(&mut self) {
        self.hub.terminate();
        self.hub.restart();
    }

    pub(crate) fn type_of(who: &str) -> &'static str {
        match who {
            "anna" => "human",
            "session" => "claude_session",
            "backup" => "service",
            _ => "ai_agent",
        }
    }

    /// Somebody's token.
    pub(crate) fn token(&self, who: &str) -> &str {
        &self
            .tokens
            .iter()
            .find(|(id, _)| id == who)
            .unwrap_or_else(|| panic!("{who} has no token"))
            .1
    }

    pub(crate) async fn post_as(&self, token: &str, path: &str, body: Value) -> Response {
        self.send(Request::post(path).bearer(token).json(&body)).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Response {
        self.send(Request::get(path).bearer(token)).await
    }

    pub(crate) async fn delete_as(&self, token: &str, path: &str) -> Response {
        self.send(Request::new("DELETE", path).bearer(token)).await
    }

    /// Makes an invite: its id and its secret.
    pub(crate) async fn invite(&self, body: Value) -> (String, String) {
        let reply = self.post_as(self.token("admin"), "/admin/invites", body).await.ok();
        (text(&reply, "invite_id"), text(&reply, "secret"))
    }

    /// Registers with an invite, and keeps the token.
    pub(crate) async fn join(&mut self, invite: &str, who: &str) -> Value {
        let body = json!({ "entity_id": who, "entity_type": Self::type_of(who) });
        let reply = self.post_as(invite, "/entities/register", body).await.ok();
        self.tokens.retain(|(id, _)| id != who);
        self.tokens.push((who.to_owned(), text(&reply, "token")));
        reply
    }

    /// Makes another token for somebody: its id and its secret.
    pub(crate) async fn fresh_token(&self, who: &str, role: &str) -> (String, String) {
        let body = json!({ "entity_id": who, "name": "another", "role": role });
        let reply = self.post_as(self.token("admin"), "/admin/tokens", body).await.ok();
        (text(&reply, "token_id"), text(&reply, "token"))
    }

    pub(crate) async fn revoke(&self, token_id: &str) {
        let reply =
            self.delete_as(self.token("admin"), &format!("/admin/tokens/{token_id}")).await.ok();
        assert_eq!(reply["status"], "revoked", "{reply}");
    }

    /// A token of `ai` that was good once, and was used.
    pub(crate) async fn revoked_token(&self) -> (String, String) {
        let (id, secret) = self.fresh_token("ai", "member").await;
        self.get_as(&secret, "/tasks/list").await.ok();
        self.revoke(&id).await;
        (id, secret)
    }

    pub(crate) async fn socket_as(&self, who: &str) -> Socket {
        self.socket_by(who, self.token(who), "").await
    }

    async fn socket_by(&self, who: &str, token: &str, query: &str) -> Socket {
        let bearer = format!("Bearer {token}");
        let opened = Socket::try_open(
            self.addr(),
            &format!("/ws/{who}{query}"),
            &[("Authorization", &bearer)],
        )
        .await;
        opened.unwrap_or_else(|status| panic!("no socket for {who}: {status}"))
    }
}

fn text(reply: &Value, member: &str) -> String {
    reply[member].as_str().unwrap_or_else(|| panic!("no {member} in {reply}")).to_owned()
}

fn admin_file(hub: &Hub) -> std::path::PathBuf {
    let mut path = hub.db_path().as_os_str().to_owned();
    path.push(".admin-token");
    path.into()
}

#[tokio::test]
async fn the_first_start_makes_an_admins_token_and_no_other_does() {
    let mut hub = TokenHub::new();
    let path = admin_file(&hub);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let token = hub.token("admin").to_owned();
    assert!(token.starts_with("cht_") && token.len() == 47, "256 bits and a prefix");
    hub.get_as(&token, "/admin/tokens").await.ok();
    // The path is told, the token never.
    while !hub.log().contains(".admin-token") {
        std::thread::yield_now();
    }
    assert!(!hub.log().contains(&token[4..]));
    hub.hub.kill9();
    hub.hub.restart();
    assert!(!hub.log().contains(".admin-token"));
    hub.get_as(&token, "/admin/tokens").await.ok();
    // Without the file, too: the hub keeps the hash, and needs no more.
    fs::remove_file(&path).unwrap();
    hub.hub.kill9();
    hub.hub.restart();
    hub.get_as(&token, "/admin/tokens").await.ok();
    assert!(!path.exists());
}

#[tokio::test]
async fn an_address_that_others_reach_takes_token_mode() {
    let options = HubOptions::default().arg("--bind").arg("0.0.0.0:0");
    let refused = Hub::start_refused(&options);
    assert!(refused.line().contains("--auth token"), "{}", refused.line());
    // In token mode, too, nobody on the way may read tokens.
    let with_tokens = options.clone().arg("--auth").arg("token");
    let refused = Hub::start_refused(&with_tokens);
    for said in ["--tls-cert", "--behind-proxy"] {
        assert!(refused.line().contains(said), "{}", refused.line());
    }
    let hub = TokenHub::start(options.arg("--behind-proxy").arg("192.0.2.1"));
    hub.get("/tasks/list").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn an_invite_makes_a_human() {
    let mut hub = TokenHub::new();
    let body = json!({ "name": "for Anna", "entity_types": ["human"], "entity_ids": ["anna"] });
    let made = hub.post_as(hub.token("admin"), "/admin/invites", body).await.ok();
    let secret = text(&made, "secret");
    assert_eq!(text(&made, "link"), format!("{}/#invite={secret}", hub.url()));
    assert!(secret.starts_with("chi_") && secret.len() == 47, "{made}");
    let invite = "invite_id name entity_types entity_ids role uses_max uses expires_at created_at created_by";
    has_members(&made["invite"], invite);
    let register = |who: &str, kind: &str| json!({ "entity_id": who, "entity_type": kind });
    let tried = hub.post_as(&secret, "/entities/register", register("anna", "ai_agent")).await;
    tried.problem(403, "invite_refused");
    hub.post_as(&secret, "/entities/register", register("eve", "human"))
        .await
        .problem(403, "invite_refused");
    let joined = hub.join(&secret, "anna").await;
    has_members(&joined, "status seq entity_id entity token_id token token_info");
    assert_eq!(
        (joined["status"].as_str(), joined["entity"]["entity_type"].as_str()),
        (Some("registered"), Some("human"))
    );
    // Until its first use the same invite gives it again, and the one before is good no more.
    let first = hub.token("anna").to_owned();
    let again = hub.join(&secret, "anna").await;
    assert_eq!(again["token_id"], joined["token_id"]);
    hub.get_as(&first, "/tasks/list").await.problem(401, "unauthorized");
    hub.get_as(hub.token("anna"), "/tasks/list").await.ok();
    hub.post_as(&secret, "/entities/register", register("anna", "human"))
        .await
        .problem(403, "invite_refused");
    hub.get_as(hub.token("anna"), "/tasks/list").await.ok();
    let listed = hub.get_as(hub.token("admin"), "/admin/invites").await.ok();
    let listed = &rows(&listed, "invites")[0];
    assert_eq!((&listed["uses"], &listed["uses_max"]), (&json!(1), &json!(1)));
    assert!(!listed.to_string().contains("chi_"), "{listed}");
    // A revoked one is nobody's.
    let id = text(&made, "invite_id");
    hub.delete_as(hub.token("admin"), &format!("/admin/invites/{id}")).await.ok();
    hub.post_as(&secret, "/entities/register", register("anna", "human"))
        .await
        .problem(401, "unauthorized");
    hub.delete_as(hub.token("admin"), &format!("/admin/invites/{id}"))
        .await
        .problem(404, "unknown_invite");
}

#[tokio::test]
async fn a_replay_under_a_key_repeats_no_secret() {
    let hub = TokenHub::new();
    let ask = async |token: &str, path: &str, body: Value| {
        hub.send(Request::post(path).bearer(token).header("Idempotency-Key", "k").json(&body)).await
    };
    let admin = hub.token("admin");
    let invite = json!({ "name": "n", "entity_types": ["ai_agent"], "uses": 2 });
    let secret = text(&ask(admin, "/admin/invites", invite.clone()).await.ok(), "secret");
    let register = json!({ "entity_id": "ai", "entity_type": "ai_agent" });
    let token = text(&ask(&secret, "/entities/register", register.clone()).await.ok(), "token");
    let issue = |who: &str| json!({ "entity_id": who, "name": "n" });
    let issued = ask(admin, "/admin/tokens", issue("ai")).await.ok();
    let rotate = format!("/admin/tokens/{}/rotate", text(&issued, "token_id"));
    text(&ask(admin, &rotate, json!({})).await.ok(), "token");
    for (by, path, body) in [
        (admin, "/admin/invites", invite),
        (&*secret, "/entities/register", register),
        (admin, "/admin/tokens", issue("ai")),
        (admin, &*rotate, json!({})),
    ] {
        let again = ask(by, path, body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
        let again = again.ok().to_string();
        assert!(!again.contains("cht_") && !again.contains("chi_"), "{path}: {again}");
    }
    // Whom a token is for is an argument like any other.
    ask(admin, "/admin/tokens", issue("admin")).await.problem(422, "idempotency_key_reused");
    // And what was told once is still good.
    hub.get_as(&token, "/tasks/list").await.ok();
}

#[tokio::test]
async fn a_revoked_token_ends_what_is_open_and_nothing_else() {
    let hub = TokenHub::with_everyone().await;
    let (id, token) = hub.fresh_token("ai", "member").await;
    let bearer = format!("Bearer {token}");
    let mut socket = hub.socket_by("ai", &token, "").await;
    let protocols = format!("coordhub.v1, bearer.{token}");
    let by_protocol = [("Sec-WebSocket-Protocol", &*protocols)];
    let mut offered = Socket::try_open(hub.addr(), "/ws/ai", &by_protocol).await.expect("a socket");
    let mut kept = hub.socket_as("ai").await;
    let mut stream =
        Stream::open(hub.addr(), "/events/stream", &[("Authorization", &bearer)]).await;
    stream.until_id().await;
    let waiting = [
        ("GET", "/events?wait=60&since=1000000", json!({})),
        ("GET", "/events?wait=60&kinds=task_failed", json!({})),
        ("POST", "/tasks/claim-next", json!({ "wait_seconds": 60 })),
    ];
    let mut clients = Vec::new();
    for (method, path, body) in waiting {
        let mut client = hub.client().await;
        let request = Request::new(method, path).header("Authorization", &bearer).json(&body);
        clients.push(tokio::spawn(async move { client.send(request).await }));
    }
    socket.send(json!({ "type": "call", "id": "w", "op": "tasks.claim-next", "args": { "wait_seconds": 60 } })).await;
    socket.send(json!({ "type": "ping" })).await;
    socket.until("pong").await;
    hub.revoke(&id).await;
    assert_eq!(socket.close_code().await, Some(4401));
    assert_eq!(offered.close_code().await, Some(4401));
    while stream.next().await.is_some() {}
    for client in clients {
        let answer = client.await.unwrap();
        // A position that is none yet is answered at once.
        assert!(answer.status == 401 || answer.status == 200, "{}", answer.text());
        if answer.status == 401 {
            answer.problem(401, "unauthorized");
        }
    }
    hub.get_as(&token, "/tasks/list").await.problem(401, "unauthorized");
    assert_eq!(Socket::try_open(hub.addr(), "/ws/ai", &by_protocol).await.err(), Some(401));
    // Whoever shows another token of the same entity goes on.
    kept.send(json!({ "type": "ping" })).await;
    kept.until("pong").await;
}

#[tokio::test]
async fn a_rotated_token_ends_as_a_revoked_one_does() {
    let hub = TokenHub::with_everyone().await;
    let old = hub.token("ai").to_owned();
    let mut socket = hub.socket_as("ai").await;
    let listed = hub.get_as(hub.token("admin"), "/admin/tokens").await.ok();
    let own =
        rows(&listed, "tokens").iter().find(|token| token["entity_id"] == "ai").expect("a token");
    assert!(
        !listed.to_string().contains("cht_") && !listed.to_string().contains("hash"),
        "{listed}"
    );
    let rotate = format!("/admin/tokens/{}/rotate", text(own, "token_id"));
    // Its own, by itself.
    let new = text(&hub.post_as(&old, &rotate, json!({})).await.ok(), "token");
    assert_eq!(socket.close_code().await, Some(4401));
    hub.get_as(&old, "/tasks/list").await.problem(401, "unauthorized");
    hub.get_as(&new, "/tasks/list").await.ok();
    hub.post_as(&old, &rotate, json!({})).await.problem(401, "unauthorized");
    // The last of the admin's stays.
    let admins = rows(&listed, "tokens")
        .iter()
        .find(|token| token["entity_id"] == "admin")
        .expect("a token");
    let path = format!("/admin/tokens/{}", text(admins, "token_id"));
    hub.delete_as(hub.token("admin"), &path).await.problem(409, "last_admin_token");
}

#[tokio::test]
async fn a_removed_entity_is_gone_until_an_admin_lets_it_back() {
    let hub = TokenHub::with_everyone().await;
    let mut socket = hub.socket_as("ai").await;
    hub.delete_as(hub.token("ai"), "/entities/ai").await.ok();
    assert_eq!(socket.close_code().await, Some(4404));
    hub.get_as(hub.token("ai"), "/tasks/list").await.problem(401, "unauthorized");
    let (_, invite) =
        hub.invite(json!({ "name": "n", "entity_types": ["ai_agent", "human"] })).await;
    let body = json!({ "entity_id": "ai", "entity_type": "human" });
    hub.post_as(&invite, "/entities/register", body.clone()).await.problem(403, "not_allowed");
    hub.post_as(hub.token("anna"), "/entities/register", body.clone())
        .await
        .problem(403, "caller_mismatch");
    hub.post_as(hub.token("admin"), "/entities/register", body).await.ok();
    let (_, token) = hub.fresh_token("ai", "member").await;
    hub.get_as(&token, "/messages/for/ai").await.ok();
}

#[tokio::test]
async fn what_becomes_of_tokens_shows_to_admins_alone() {
    let hub = TokenHub::with_everyone().await;
    let (id, _) = hub.fresh_token("anna", "member").await;
    hub.revoke(&id).await;
    let kinds = "invite_made token_issued token_used token_revoked";
    for who in ["ai", "anna", "watcher", "admin"] {
        let events = hub.get_as(hub.token(who), "/events?since=0").await.ok().to_string();
        for kind in kinds.split(' ') {
            assert_eq!(events.contains(kind), who == "admin", "{kind} to {who}");
        }
        assert!(
            !events.contains("hash") && !events.contains("cht_") && !events.contains("chi_"),
            "{events}"
        );
    }
    let mut socket = hub.socket_by("admin", hub.token("admin"), "?events=true&since=0").await;
    socket.find("a token", |frame| frame["kind"] == "token_revoked").await;
    let mut socket = hub.socket_by("anna", hub.token("anna"), "?events=true&since=0").await;
    hub.post_as(hub.token("anna"), "/messages/send", json!({ "content": "end" })).await.ok();
    socket.send(json!({ "type": "subscribe_channel", "channel": "general" })).await;
    let (before, _) = socket.before_content("end").await;
    assert!(!json!(before).to_string().contains("token_"), "{before:?}");
}

#[tokio::test]
async fn a_secret_stands_nowhere() {
    let options = HubOptions::default().arg("--log-level").arg("trace");
    let mut hub = TokenHub::start(options);
    let (_, invite) =
        hub.invite(json!({ "name": "n", "entity_types": ["ai_agent"], "uses": 9 })).await;
    hub.join(&invite, "ai").await;
    let (id, token) = hub.fresh_token("ai", "member").await;
    // Everything that can go wrong with a secret in hand.
    for bad in [&*token, &invite, WRONG_TOKEN] {
        for (method, path) in [
            ("GET", "/nowhere"),
            ("POST", "/tasks/create"),
            ("GET", "/tasks/none"),
            ("PUT", "/state"),
        ] {
            let answer = hub.send(Request::new(method, path).bearer(bad).body("{")).await;
            assert!(!answer.text().contains(&bad[4..]), "{}", answer.text());
        }
        let _refused = Socket::try_open(
            hub.addr(),
            "/ws/eve",
            &[("Sec-WebSocket-Protocol", &format!("bearer.{bad}"))],
        )
        .await;
    }
    let mut socket = hub.socket_by("ai", &token, "").await;
    socket.send_text("{").await;
    socket.until("error").await;
    let rotated = hub.post_as(&token, &format!("/admin/tokens/{id}/rotate"), json!({})).await.ok();
    let rotated = text(&rotated, "token");
    let secrets =
        [hub.token("admin").to_owned(), invite, token, rotated, hub.token("ai").to_owned()];
    let log = hub.log();
    hub.hub.terminate();
    let mut looked = 0;
    for entry in fs::read_dir(hub.home()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() || path == admin_file(&hub) {
            continue;
        }
        looked += 1;
        let bytes = fs::read(&path).unwrap();
        for secret in &secrets {
            let found = bytes.windows(40).any(|window| window == &secret.as_bytes()[4..44]);
            assert!(!found, "{} holds a secret", path.display());
        }
    }
    assert!(looked >= 2, "the hub's file and its index were looked at");
    for secret in &secrets {
        assert!(!log.contains(&secret[4..]), "{log}");
    }
}

#[tokio::test]
async fn what_admin_is_told_stands_in_no_address() {
    let hub = TokenHub::with_everyone().await;
    let admin = hub.token("admin");
    let path = "/admin/tokens?entity_id=ai&name=n";
    hub.post_as(admin, path, json!({})).await.refusal(422);
    hub.post_as(admin, "/admin/invites?x=1", json!({ "name": "n", "entity_types": ["human"] }))
        .await
        .refusal(422);
    hub.get_as(admin, "/admin/tokens?limit=2").await.ok();
}

#[tokio::test]
async fn health_says_little_to_strangers() {
    let hub = TokenHub::with_everyone().await;
    let members = |reply: &Value| reply.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let stranger = hub.get_ok("/health").await;
    assert_eq!(members(&stranger), ["status", "service", "version", "timestamp"]);
    let known = hub.get_as(hub.token("watcher"), "/health").await.ok();
    has_members(&known, "uptime_seconds entities_online active_websockets");
    let about = hub.get_as(hub.token("ai"), "/capabilities").await.ok();
    assert_eq!(about["metadata"]["auth"], "token");
}

#[tokio::test]
async fn events_say_how_the_caller_was_known() {
    let mut hub = TokenHub::with_everyone().await;
    hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": "c" })).await.ok();
    hub.hub.terminate();
    let file = rusqlite::Connection::open(hub.db_path()).unwrap();
    let auth = |kind: &str| -> Vec<String> {
        let mut select = file.prepare("SELECT DISTINCT auth FROM events WHERE kind = ?1").unwrap();
        select.query_map([kind], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    for kind in ["message_sent", "entity_registered", "invite_made"] {
        assert_eq!(auth(kind), ["token"], "{kind}");
    }
}

#[tokio::test]
async fn open_mode_takes_no_notice_of_tokens() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    for bearer in [WRONG_TOKEN, "chi_x", "x"] {
        hub.send(Request::get("/tasks/list").bearer(bearer)).await.ok();
    }
    hub.get("/admin/tokens").await.problem(403, "not_allowed");
    hub.post("/admin/tokens/t/rotate", json!({})).await.problem(403, "not_allowed");
    assert!(!admin_file(&hub).exists());
}

#[tokio::test]
async fn a_frame_is_no_way_round() {
    let hub = TokenHub::with_everyone().await;
    let mut socket = hub.socket_as("watcher").await;
    socket.send(json!({ "type": "message", "message": { "content": "c" } })).await;
    assert_eq!(socket.until("error").await["code"], "observer");
    let mut socket = hub.socket_as("anna").await;
    socket
        .send(json!({ "type": "message", "message": { "content": "c", "from_entity": "ai" } }))
        .await;
    assert_eq!(socket.until("error").await["code"], "caller_mismatch");
    socket.send(json!({ "type": "subscribe_channel", "channel": "ai-only" })).await;
    assert_eq!(socket.until("error").await["code"], "channel_forbidden");
    let reply = socket
        .call("admin.tokens", json!({ "entity_id": "anna", "name": "n", "role": "admin" }))
        .await;
    assert_eq!(reply["body"]["code"], "not_allowed", "{reply}");
    // A batch is in one name, and its items in no other.
    for (path, body) in [
        ("/messages/send-batch", json!([{ "content": "c", "from_entity": "ai" }])),
        ("/tasks/create-batch", json!([{ "title": "t", "created_by": "ai" }])),
        ("/messages/send", json!({ "content": "c", "task": { "title": "t", "created_by": "ai" } })),
    ] {
        hub.post_as(hub.token("anna"), path, body).await.problem(403, "caller_mismatch");
    }
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_revives_nothing() {
    let mut hub = TokenHub::with_everyone().await;
    let (_, revoked) = hub.revoked_token().await;
    let body = json!({ "name": "n", "entity_types": ["ai_agent"] });
    let (_, used_up) = hub.invite(body.clone()).await;
    hub.join(&used_up, "used").await;
    let (invite_id, invite) = hub.invite(body).await;
    hub.join(&invite, "unused").await;
    hub.get_as(hub.token("used"), "/tasks/list").await.ok();
    hub.hub.kill9();
    hub.hub.restart();
    hub.get_as(&revoked, "/tasks/list").await.problem(401, "unauthorized");
    hub.get_as(hub.token("anna"), "/tasks/list").await.ok();
    let register = |who: &str| json!({ "entity_id": who, "entity_type": "ai_agent" });
    for who in ["used", "another"] {
        let refused = hub.post_as(&used_up, "/entities/register", register(who)).await;
        refused.problem(403, "invite_refused");
    }
    let before = hub.token("unused").to_owned();
    hub.join(&invite, "unused").await;
    hub.get_as(&before, "/tasks/list").await.problem(401, "unauthorized");
    hub.get_as(hub.token("unused"), "/tasks/list").await.ok();
    hub.delete_as(hub.token("admin"), &format!("/admin/invites/{invite_id}")).await.ok();
    hub.hub.kill9();
    hub.hub.restart();
    let refused = hub.post_as(&invite, "/entities/register", register("late")).await;
    refused.problem(401, "unauthorized");
}

#[tokio::test]
async fn of_many_who_come_with_one_invite_one_is_let_in() {
    let hub = TokenHub::new();
    let (_, invite) = hub.invite(json!({ "name": "n", "entity_types": ["ai_agent"] })).await;
    let mut asked = Vec::new();
    for nth in 0..20 {
        let body = json!({ "entity_id": format!("ai-{nth}"), "entity_type": "ai_agent" });
        let request = Request::post("/entities/register").bearer(&invite).json(&body);
        let mut client = hub.client().await;
        asked.push(tokio::spawn(async move { client.send(request).await.status }));
    }
    let mut statuses = Vec::new();
    for one in asked {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (200, 403, 403), "{statuses:?}");
}

#[tokio::test]
async fn an_invite_for_several_takes_nobody_what_another_was_given() {
    let mut hub = TokenHub::with_everyone().await;
    let (_, invite) =
        hub.invite(json!({ "name": "n", "entity_types": ["ai_agent"], "uses": 5 })).await;
    hub.join(&invite, "bob").await;
    let body = json!({ "entity_id": "bob", "entity_type": "ai_agent" });
    hub.post_as(&invite, "/entities/register", body).await.problem(403, "invite_refused");
    hub.get_as(hub.token("bob"), "/tasks/list").await.ok();
}
