//! Token mode: what every kind of caller gets from every route, and from every operation of a socket.
//!
//! The routes come from the hub's own API document. A route that nobody wrote a row for fails the test, so that a new one
//! cannot forget to say to whom it is open.

// The same table in open mode, and pages of elsewhere in both.
mod open;

use coordhub_harness::{Hub, Request, Socket, Stream};
use serde_json::{Map, Value, json};

use crate::tokens::{TokenHub, WRONG_TOKEN};

/// Who calls with a token that is good, in the order of a row's statuses: an observer, an agent, a session, a human, a
/// service, an admin.
const CALLERS: [&str; 6] = ["watcher", "ai", "session", "anna", "backup", "admin"];

/// Where a call may name its caller.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    /// Nowhere that the hub looks at.
    Nobody,
    /// In `entity_id`, in a header, and in this field.
    In(&'static str),
}

/// One route: a call of it that each caller makes about things of its own, and what each gets.
struct Row {
    method: &'static str,
    route: &'static str,
    names: Names,
    /// In token mode, what each of [`CALLERS`] gets; for what is open to all of them what everyone gets.
    statuses: &'static str,
    /// In open mode, what each of [`open::CALLERS`] gets, in the same way.
    in_open_mode: &'static str,
    /// What is done before: `claim`, by the caller.
    before: &'static str,
    body: Value,
}

fn row(
    method: &'static str,
    route: &'static str,
    names: Names,
    statuses: &'static str,
    in_open_mode: &'static str,
    body: Value,
) -> Row {
    Row { method, route, names, statuses, in_open_mode, before: "", body }
}

impl Row {
    fn before(self, before: &'static str) -> Self {
        Self { before, ..self }
    }

    fn statuses(&self) -> Vec<u16> {
        each(self.statuses, CALLERS.len()).iter().map(|one| one.parse().unwrap()).collect()
    }
}

/// The words of a list of statuses, one for each of so many callers.
fn each(statuses: &'static str, callers: usize) -> Vec<&'static str> {
    let all: Vec<_> = statuses.split(' ').collect();
    if all.len() == 1 { vec![all[0]; callers] } else { all }
}

/// What everyone may have without a token.
const OPEN: [&str; 9] = [
    "GET /session",
    "DELETE /session",
    "/",
    "/assets/{file}",
    "/assets/views/{file}",
    "/docs",
    "/docs/{file}",
    "/openapi.json",
    "/health",
];

/// Whether everyone may have what this is about without a token.
fn is_open(row: &Row) -> bool {
    OPEN.contains(&row.route) || OPEN.contains(&&*format!("{} {}", row.method, row.route))
}

/// What is no operation of a socket, though it is no `GET`.
const NO_OPERATIONS: [&str; 2] = ["/reservations/check", "/session"];

/// What every caller changes that may change anything.
const CHANGES: &str = "403 200 200 200 200 200";
/// What admins alone do.
const ADMINS: &str = "403 403 403 403 403 200";
/// What the agent `ai`, whose thing it is, a human and an admin do.
const OWNERS: &str = "403 200 403 200 403 200";

/// `ME` is who calls, `TASK`, `PROPOSAL`, `MESSAGE`, `RESERVATION` and so on are things that were made for the one call,
/// all by `ai` but for the reservation, which is the caller's.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Names::{In, Nobody};
    let by = In("entity_id");
    let none = || json!({});
    vec![
        row("POST", "/entities/register", by, "403 200 200 200 200 200", "200", json!({ "entity_id": "WHO", "entity_type": "TYPE" })),
        row("GET", "/entities/list", by, "200", "200", none()),
        row("GET", "/entities/{id}", by, "200", "200", none()),
        row("DELETE", "/entities/{id}", by, "403 403 403 403 403 200", "403", none()),
        row("POST", "/entities/{entity_id}/heartbeat", by, "403 200 200 200 200 404", "- 404 200 200 200 200", none()),
        row("POST", "/entities/{id}/handoff", by, OWNERS, "200 403 200 403 200 403", json!({ "note": "n" })),
        row("GET", "/entities/{entity_id}/attention", by, "200 200 200 200 200 404", "- 404 200 200 200 200", none()),
        row("POST", "/messages/send", In("from_entity"), CHANGES, open::NAMED, json!({ "content": "c" })),
        row("POST", "/messages/send-batch", In("from_entity"), CHANGES, open::NAMED, json!({ "messages": [{ "content": "c" }] })),
        row("GET", "/messages/recent", by, "200", "200", none()),
        row("GET", "/messages/search", by, "200", "200", json!({ "q": "c" })),
        row("GET", "/messages/for/{entity_id}", by, "200", "- 200 200 200 200 200", none()),
        row("POST", "/messages/for/{entity_id}/ack", by, "403 200 200 200 200 404", "- 404 200 200 200 200", json!({ "up_to": 1 })),
        row("GET", "/messages/{message_id}/receipts", by, "200", "200", none()),
        row("POST", "/messages/{message_id}/ack", by, "403 409 200 200 200 409", "403 409 409 200 200 200", none()),
        row("POST", "/messages/{message_id}/resolve", by, OWNERS, open::OWNERS, none()),
        row("POST", "/messages/{message_id}/redact", by, OWNERS, open::OWNERS, none()),
        row("GET", "/messages/{message_id}", by, "200", "200", none()),
        row("GET", "/channels", by, "200", "200", none()),
        row("POST", "/channels/create", by, "403 200 200 200 200 404", "403 404 200 200 200 200", json!({ "channel": "TASK" })),
        row("GET", "/channels/{channel}", by, "404 200 200 404 404 404", "404 404 200 200 404 404", none()),
        row("POST", "/channels/{channel}/join", by, "403 200 200 404 404 404", "404 404 200 200 404 404", none()),
        row("POST", "/channels/{channel}/leave", by, "403 200 200 404 404 404", "404 404 200 200 404 404", none()),
        row("POST", "/channels/{channel}/invite", by, "403 200 403 404 404 404", "404 404 200 403 404 404", json!({ "members": ["backup"] })),
        row("POST", "/tasks/create", In("created_by"), CHANGES, "200", json!({ "title": "t" })),
        row("POST", "/tasks/create-batch", In("created_by"), CHANGES, "200", json!({ "tasks": [{ "title": "t" }] })),
        row("POST", "/tasks/claim-next", by, CHANGES, open::NAMED, json!({ "tags": ["TASK"] })),
        row("GET", "/tasks/list", by, "200", "200", none()),
        row("GET", "/tasks/{task_id}", by, "200", "200", none()),
        row("POST", "/tasks/{task_id}/update", by, OWNERS, open::OWNERS, json!({ "note": "n" })),
        row("POST", "/tasks/{task_id}/claim", by, CHANGES, open::NAMED, none()),
        row("POST", "/tasks/{task_id}/complete", by, CHANGES, "409 200 200 200 200 200", none()).before("claim"),
        row("POST", "/tasks/{task_id}/fail", by, CHANGES, "409 200 200 200 200 200", none()).before("claim"),
        row("POST", "/tasks/{task_id}/release", by, CHANGES, "409 200 200 200 200 200", none()).before("claim"),
        row("POST", "/tasks/{task_id}/heartbeat", by, CHANGES, "409 200 200 200 200 200", none()).before("claim"),
        row("POST", "/tasks/{task_id}/reassign", by, OWNERS, open::OWNERS, none()).before("claim"),
        row("POST", "/tasks/{task_id}/answer", by, "403 403 403 200 403 403", "403 403 403 403 200 403", json!({ "answer": "yes" })).before("question"),
        row("POST", "/questions/ask", In("asked_by"), CHANGES, "200", json!({ "question": "q?" })),
        row("POST", "/tasks/{task_id}/cancel", by, OWNERS, open::OWNERS, none()),
        row("POST", "/tasks/{task_id}/reopen", by, OWNERS, open::OWNERS, none()).before("cancel"),
        row("POST", "/reservations/acquire", by, CHANGES, open::NAMED, json!({ "resources": ["TASK:a"] })),
        row("POST", "/reservations/renew", by, CHANGES, "404 200 200 200 200 200", json!({ "reservation_id": "RESERVATION" })),
        row("POST", "/reservations/release", by, CHANGES, "404 200 200 200 200 200", json!({ "reservation_id": "RESERVATION" })),
        row("GET", "/reservations/list", by, "200", "200", none()),
        row("POST", "/reservations/check", by, "200", "200", json!({ "resources": ["a:b"] })),
        row("POST", "/proposals/create", In("proposed_by"), CHANGES, "200", json!({ "title": "p" })),
        row("GET", "/proposals/list", by, "200", "200", none()),
        row("GET", "/proposals/{proposal_id}", by, "200", "200", none()),
        row("POST", "/proposals/{proposal_id}/vote", by, "403 200 200 200 200 403", "403 403 200 200 200 200", json!({ "vote": "for" })),
        row("POST", "/proposals/{proposal_id}/close", by, "403 409 409 409 409 200", "409", none()),
        row("POST", "/proposals/{proposal_id}/withdraw", by, "403 200 403 403 403 200", "403 403 200 403 403 403", none()),
        row("GET", "/events", by, "200", "200", none()),
        row("GET", "/events/stream", by, "200", "200", none()),
        row("GET", "/ws/{entity_id}", by, "101", "- 101 101 101 101 101", none()),
        row("POST", "/admin/invites", Nobody, ADMINS, "403", json!({ "name": "n", "entity_types": ["human"] })),
        row("GET", "/admin/invites", Nobody, ADMINS, "403", none()),
        row("DELETE", "/admin/invites/{invite_id}", Nobody, ADMINS, "403", none()),
        row("POST", "/admin/prune", Nobody, ADMINS, "403", json!({ "kind": "messages", "older_than_days": 1 })),
        row("POST", "/admin/tokens", Nobody, ADMINS, "403", json!({ "name": "n", "entity_id": "backup" })),
        row("GET", "/admin/tokens", Nobody, ADMINS, "403", none()),
        row("POST", "/admin/tokens/{token_id}/rotate", Nobody, ADMINS, "403", none()),
        row("DELETE", "/admin/tokens/{token_id}", Nobody, ADMINS, "403", none()),
        row("GET", "/audit", Nobody, ADMINS, "403", none()),
        row("GET", "/audit/refusals", Nobody, ADMINS, "403", none()),
        row("GET", "/session", Nobody, "200", "200", none()),
        row("POST", "/session", Nobody, "200", "403", none()),
        row("DELETE", "/session", Nobody, "200", "200", none()),
        row("GET", "/health", Nobody, "200", "200", none()),
        row("GET", "/capabilities", Nobody, "200", "200", none()),
        row("GET", "/state", Nobody, "200", "200", none()),
        row("GET", "/dependencies", Nobody, "200", "200", none()),
        row("POST", "/message", In("source"), CHANGES, open::NAMED, json!({ "trace_id": "t", "message_type": "status" })),
        row("GET", "/message", by, "200", "200", none()),
        row("GET", "/", Nobody, "200", "200", none()),
        row("GET", "/assets/{file}", Nobody, "200", "200", none()),
        row("GET", "/assets/views/{file}", Nobody, "200", "200", none()),
        row("GET", "/docs", Nobody, "200", "200", none()),
        row("GET", "/docs/{file}", Nobody, "200", "200", none()),
        row("GET", "/openapi.json", Nobody, "200", "200", none()),
    ]
}

/// A hub in one of its modes, and how those who take part in it make what a call is about.
trait House {
    /// Has somebody change something, which goes well.
    async fn make(&self, who: &str, path: &str, body: Value) -> Value;
    /// Whether somebody may change anything.
    fn may_change(&self, who: &str) -> bool;
    /// A token that there is, if there are tokens.
    async fn token_id(&self) -> String;
    /// An invite that there is, if there are invites.
    async fn invite_id(&self) -> String;
}

impl House for TokenHub {
    async fn make(&self, who: &str, path: &str, body: Value) -> Value {
        self.post_as(self.token(who), path, body).await.ok()
    }

    fn may_change(&self, who: &str) -> bool {
        who != "watcher"
    }

    async fn token_id(&self) -> String {
        self.fresh_token("backup", "member").await.0
    }

    async fn invite_id(&self) -> String {
        self.invite(json!({ "name": "n", "entity_types": ["human"] })).await.0
    }
}

/// One call about things of its own.
struct Case {
    path: String,
    args: Map<String, Value>,
}

/// Makes the things that a row's call is about.
async fn case<H: House>(hub: &H, row: &Row, who: &str, nth: usize) -> Case {
    let task = format!("t{nth}");
    let mut ids = vec![("ME", who.to_owned()), ("TASK", task.clone())];
    if row.route.contains("/tasks/{") || row.route.ends_with("claim-next") {
        let body = json!({ "title": "t", "task_id": task, "tags": [task], "requires_human": row.before == "question" });
        hub.make("ai", "/tasks/create", body).await;
    }
    if row.before == "claim" && hub.may_change(who) {
        hub.make(who, &format!("/tasks/{task}/claim"), json!({})).await;
    }
    if row.before == "cancel" {
        hub.make("ai", &format!("/tasks/{task}/cancel"), json!({})).await;
    }
    let made = async |path: &str, body: Value, member: &str| {
        let reply = hub.make("ai", path, body).await;
        reply[member].as_str().expect("an id").to_owned()
    };
    if row.route.contains("{proposal_id}") {
        let body = json!({ "title": "p", "electorate": ["ai", "session", "anna", "backup"], "early_close": false });
        ids.push(("PROPOSAL", made("/proposals/create", body, "proposal_id").await));
    }
    if row.route.contains("{message_id}") {
        let body = json!({ "content": "c", "ack_required": true });
        ids.push(("MESSAGE", made("/messages/send", body, "message_id").await));
    }
    // For its maker, and for sessions by their type.
    let channel = format!("c{nth}");
    if row.route.contains("{channel}") {
        let body = json!({ "channel": channel, "types": ["claude_session"] });
        hub.make("ai", "/channels/create", body).await;
    }
    if row.body.to_string().contains("RESERVATION") && hub.may_change(who) {
        let body = json!({ "resources": [format!("{task}:b")] });
        let reply = hub.make(who, "/reservations/acquire", body).await;
        ids.push(("RESERVATION", reply["reservation_id"].as_str().expect("an id").to_owned()));
    }
    let victim = format!("victim-{nth}");
    if row.method == "DELETE" && row.route == "/entities/{id}" {
        let body = json!({ "entity_id": victim, "entity_type": "service" });
        hub.make("admin", "/entities/register", body).await;
    }
    // An admin registers others, and so does whoever gives no name.
    let is_by_another = matches!(who, "admin" | "");
    let newcomer = format!("newcomer-{nth}");
    ids.push(("WHO", if is_by_another { newcomer } else { who.to_owned() }));
    ids.push((
        "TYPE",
        if is_by_another { "service".to_owned() } else { TokenHub::type_of(who).to_owned() },
    ));
    let mut body = row.body.to_string();
    for (name, id) in &ids {
        body = body.replace(name, id);
    }
    let mut args: Map<String, Value> = serde_json::from_str(&body).expect("JSON");
    let id_of = |name: &str| ids.iter().find(|(known, _)| *known == name).map(|(_, id)| id.clone());
    let mut path = String::new();
    for word in row.route.split('/').skip(1) {
        let Some(name) = word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) else {
            path += &format!("/{word}");
            continue;
        };
        let id = match name {
            "id" if row.method == "DELETE" => victim.clone(),
            "id" => "ai".to_owned(),
            "entity_id" => who.to_owned(),
            "task_id" => task.clone(),
            "channel" => channel.clone(),
            "proposal_id" => id_of("PROPOSAL").expect("was made"),
            "message_id" => id_of("MESSAGE").expect("was made"),
            "token_id" => hub.token_id().await,
            "invite_id" => hub.invite_id().await,
            "file" if row.route.contains("views") => "chat.js".to_owned(),
            "file" if row.route.contains("assets") => "main.js".to_owned(),
            "file" => "start.js".to_owned(),
            other => panic!("what is {other}?"),
        };
        path += &format!("/{id}");
        args.insert(name.to_owned(), id.into());
    }
    Case { path, args }
}

impl Case {
    /// The status and the code of the answer to this call, with these headers.
    async fn ask(&self, hub: &Hub, row: &Row, headers: &[(&'static str, &str)]) -> (u16, String) {
        if row.route.starts_with("/ws/") {
            return match Socket::try_open(hub.addr(), &self.path, headers).await {
                Ok(_) => (101, String::new()),
                Err(status) => (status, String::new()),
            };
        }
        let mut path = self.path.clone();
        if row.method == "GET" {
            let fields = row.body.as_object().expect("an object");
            let words =
                fields.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
            path += &format!("?{}", words.collect::<Vec<_>>().join("&"));
        }
        let request = headers
            .iter()
            .fold(Request::new(row.method, &path), |r, (name, value)| r.header(name, value));
        if row.route == "/events/stream" {
            // What is refused has a length; what is not goes on.
            return (Stream::status(hub.addr(), &path, headers).await, String::new());
        }
        let request = match row.method {
            "POST" => {
                let mut body = self.args.clone();
                body.retain(|name, _| !row.route.contains(&format!("{{{name}}}")));
                request.json(&body.into())
            }
            _ => request,
        };
        let response = hub.send(request).await;
        assert!(response.status < 500, "{} {path}: {}", row.method, response.text());
        if response.status == 401 {
            assert_eq!(response.header("www-authenticate"), Some("Bearer"), "{path}");
        }
        let code = if response.status >= 400 {
            response.json()["code"].to_string()
        } else {
            String::new()
        };
        (response.status, code.trim_matches('"').to_owned())
    }
}

/// Every route of the API document.
async fn routes(hub: &Hub) -> Vec<(String, String)> {
    let document = hub.get_ok("/openapi.json").await;
    let paths = document["paths"].as_object().expect("paths").iter();
    paths
        .flat_map(|(path, item)| {
            let methods =
                item.as_object().expect("methods").keys().filter(|name| *name != "parameters");
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn every_route_has_a_row() {
    let hub = Hub::new();
    let table = table();
    let routes = routes(&hub).await;
    for (method, path) in &routes {
        let known = table.iter().any(|row| row.method == method && row.route == path);
        assert!(known, "no row says who may {method} {path}");
    }
    assert_eq!(routes.len(), table.len());
}

#[tokio::test]
async fn whoever_shows_nothing_good_gets_nothing() {
    let hub = TokenHub::with_everyone().await;
    let (_, revoked) = hub.revoked_token().await;
    let (_, invite) =
        hub.invite(json!({ "name": "n", "entity_types": ["human"], "uses": 9 })).await;
    let bearer = |secret: &str| format!("Bearer {secret}");
    let member = hub.token("anna").to_owned();
    let in_query = format!("?token={member}&access_token={member}");
    for (nth, row) in table().iter().enumerate() {
        let told = format!("{} {}", row.method, row.route);
        let is_open = is_open(row);
        let case = case(&hub, row, "anna", nth).await;
        let (status, _) = case.ask(&hub, row, &[]).await;
        assert_eq!(status, if is_open { 200 } else { 401 }, "{told} by nobody");
        // Names are no tokens, and neither is what stands in an address.
        let (status, _) = case.ask(&hub, row, &[("X-Entity-Id", "anna")]).await;
        assert_eq!(status, if is_open { 200 } else { 401 }, "{told} by a name alone");
        if !is_open && !row.route.starts_with("/ws") {
            let asked = Request::new(row.method, &format!("{}{in_query}", case.path));
            assert_eq!(hub.send(asked).await.status, 401, "{told} with a token in its address");
        }
        for wrong in [
            bearer(WRONG_TOKEN),
            bearer(&revoked),
            bearer(""),
            bearer(&member[..member.len() - 1]),
            bearer(&member.to_uppercase()),
            format!("Basic {member}"),
            member.clone(),
        ] {
            let (status, code) = case.ask(&hub, row, &[("Authorization", &wrong)]).await;
            assert_eq!(status, 401, "{told} by {wrong}");
            assert!(code == "unauthorized" || code.is_empty(), "{told}: {code}");
        }
        // An invite is for these alone.
        if row.route != "/entities/register" && told != "POST /session" {
            let (status, _) = case.ask(&hub, row, &[("Authorization", &bearer(&invite))]).await;
            assert_eq!(status, 401, "{told} by an invite");
        }
    }
    for (method, path) in [("GET", "/nowhere"), ("POST", "/tasks/list"), ("OPTIONS", "/tasks/list")]
    {
        hub.send(Request::new(method, path)).await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn whoever_shows_a_token_gets_what_the_table_says() {
    let hub = TokenHub::with_everyone().await;
    let mut nth = 0;
    for row in table() {
        for (who, expected) in CALLERS.iter().zip(row.statuses()) {
            nth += 1;
            let case = case(&hub, &row, who, nth).await;
            let bearer = format!("Bearer {}", hub.token(who));
            let (status, code) = case.ask(&hub, &row, &[("Authorization", &bearer)]).await;
            assert_eq!(status, expected, "{} {} by {who}: {code}", row.method, row.route);
            if *who == "watcher"
                && status == 403
                && !row.route.starts_with("/admin")
                && row.method == "POST"
            {
                assert_eq!(code, "observer", "{} {}", row.method, row.route);
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_good_for_no_name_but_its_own() {
    let hub = TokenHub::with_everyone().await;
    let bearer = format!("Bearer {}", hub.token("anna"));
    for (nth, row) in table().iter().enumerate() {
        let Names::In(field) = row.names else { continue };
        let told = format!("{} {}", row.method, row.route);
        let case = case(&hub, row, "anna", nth).await;
        let named = [("Authorization", &*bearer), ("X-Entity-Id", "ai")];
        let (status, code) = case.ask(&hub, row, &named).await;
        assert_eq!(status, 403, "{told}, named in the header");
        assert!(code == "caller_mismatch" || code.is_empty(), "{told}: {code}");
        if row.route.starts_with("/ws") || row.route.ends_with("stream") {
            continue;
        }
        for name in [field, "entity_id"] {
            let mut args = case.args.clone();
            args.insert(name.to_owned(), "ai".into());
            // In place of the path, and beside it.
            let path = if row.route.contains("{entity_id}") {
                case.path.replace("anna", "ai")
            } else {
                case.path.clone()
            };
            for path in [path.clone(), format!("{}?{name}=ai", case.path)] {
                let request = Request::new(row.method, &path).header("Authorization", &bearer);
                let names_by_path = row.route.contains("{entity_id}");
                if row.method != "POST" && !path.contains('?') && !names_by_path {
                    continue;
                }
                let request =
                    if row.method == "POST" { request.json(&args.clone().into()) } else { request };
                let query = row
                    .body
                    .as_object()
                    .filter(|_| row.method == "GET")
                    .is_some_and(|o| !o.is_empty());
                let response = hub.send(request).await;
                // What lacks a field is refused for that first.
                if query && response.status == 422 {
                    continue;
                }
                response.problem(403, "caller_mismatch");
            }
        }
    }
}

/// `POST /tasks/{task_id}/claim` is `tasks.claim`.
fn op_of(row: &Row) -> String {
    let words = row.route.split('/').filter(|word| !word.is_empty() && !word.starts_with('{'));
    let op = words.collect::<Vec<_>>().join(".");
    if row.method == "DELETE" { format!("{op}.delete") } else { op }
}

#[tokio::test]
async fn a_socket_gets_no_more_than_its_token() {
    let hub = TokenHub::with_everyone().await;
    let mut nth = 0;
    for (at, who) in CALLERS.iter().enumerate() {
        let mut socket = hub.socket_as(who).await;
        for row in
            table().iter().filter(|row| row.method != "GET" && !NO_OPERATIONS.contains(&row.route))
        {
            nth += 1;
            let case = case(&hub, row, who, nth).await;
            let reply = socket.call(&op_of(row), case.args.clone().into()).await;
            let told = format!("{} by {who}: {reply}", op_of(row));
            let expected = row.statuses()[at];
            // Over a socket its entity hands over its own work, and an admin has none.
            let is_own = row.route.ends_with("handoff") && reply["status"] == 200;
            assert!(reply["status"] == expected || is_own, "{told}, not {expected}");
            if let Names::In(field) = row.names {
                let mut args = case.args;
                args.insert(field.to_owned(), if *who == "ai" { "anna" } else { "ai" }.into());
                // An admin says whom it registers.
                let registers = row.route == "/entities/register" && *who == "admin";
                let reply = socket.call(&op_of(row), args.into()).await;
                assert!(reply["status"] == 403 || registers, "{told}, for another: {reply}");
            }
        }
    }
}
