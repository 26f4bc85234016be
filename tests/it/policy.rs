//! Who may read what, on every path: a hidden word must not show on any of them.
//!
//! The routes come from the hub's own API document. A route that nobody wrote a case for fails the test, so that a new
//! one cannot forget the policy.

use coordhub_harness::{Hub, Request, Stream};
use serde_json::{Value, json};

use crate::support::{hub_with_everyone, indexed, rows};
use crate::tokens::TokenHub;

/// Stands in every message that the readers here may not see.
const WORD: &str = "xyzzyplugh";

/// `GET` routes and paths that try to show the word; `HIDDEN` and `DIRECT` are the ids of the hidden messages.
const READS: &[(&str, &[&str])] = &[
    ("/", &["/"]),
    ("/assets/{}", &["/assets/main.js"]),
    ("/assets/views/{}", &["/assets/views/chat.js"]),
    ("/docs", &["/docs"]),
    ("/docs/{}", &["/docs/start.js"]),
    ("/openapi.json", &["/openapi.json"]),
    ("/session", &["/session"]),
    ("/health", &["/health"]),
    ("/capabilities", &["/capabilities"]),
    ("/state", &["/state"]),
    ("/dependencies", &["/dependencies"]),
    ("/message", &["/message"]),
    ("/channels", &["/channels"]),
    ("/channels/{}", &["/channels/ai-only", "/channels/general"]),
    ("/entities/list", &["/entities/list"]),
    ("/entities/{}", &["/entities/ai"]),
    ("/entities/{}/attention", &["/entities/anna/attention"]),
    (
        "/messages/recent",
        &[
            "/messages/recent?limit=1000",
            "/messages/recent?limit=1000&notices=true",
            "/messages/recent?channel=ai-only",
            "/messages/recent?after=0&limit=1000",
            "/messages/recent?before=1000000",
            "/messages/recent?with=ai",
            "/messages/recent?with=session",
            "/messages/recent?thread_id=HIDDEN",
            "/messages/recent?thread_id=DIRECT",
        ],
    ),
    ("/messages/{}", &["/messages/HIDDEN", "/messages/DIRECT"]),
    ("/messages/{}/receipts", &["/messages/HIDDEN/receipts", "/messages/DIRECT/receipts"]),
    (
        "/messages/for/{}",
        &[
            "/messages/for/anna?limit=1000",
            "/messages/for/anna?unread=true",
            "/messages/for/anna?direct=true",
        ],
    ),
    (
        "/messages/search",
        &[
            "/messages/search?q=xyzzyplugh",
            "/messages/search?q=%22xyzzyplugh%20hidden%22",
            "/messages/search?q=xyzzyplugh&channel=ai-only",
            "/messages/search?q=xyzzyplugh&channel=general",
            "/messages/search?q=xyzzyplugh&limit=1000&before=1000000",
        ],
    ),
    ("/tasks/list", &["/tasks/list"]),
    ("/tasks/{}", &["/tasks/t1"]),
    ("/proposals/list", &["/proposals/list"]),
    ("/proposals/{}", &["/proposals/p1"]),
    ("/reservations/list", &["/reservations/list"]),
    // For admins, of whom there are none in open mode; `authorization` has their rows.
    ("/admin/tokens", &["/admin/tokens"]),
    ("/audit", &["/audit"]),
    ("/audit/refusals", &["/audit/refusals"]),
    ("/admin/invites", &["/admin/invites"]),
    ("/events", &["/events?since=0", "/events?since=0&channels=ai-only"]),
    // Streams end only with the test: `a_hidden_word_shows_on_no_stream`. Sockets have their cases in `socket`.
    ("/events/stream", &[]),
    ("/ws/{}", &[]),
];

/// `POST` routes that take an id of a message, or that answer with messages.
const CHANGES: &[(&str, &[&str])] = &[
    ("/messages/{}/ack", &["/messages/HIDDEN/ack", "/messages/DIRECT/ack"]),
    ("/messages/{}/redact", &["/messages/HIDDEN/redact", "/messages/DIRECT/redact"]),
    ("/messages/{}/resolve", &["/messages/HIDDEN/resolve", "/messages/DIRECT/resolve"]),
    ("/messages/for/{}/ack", &["/messages/for/anna/ack?up_to=1"]),
    ("/channels/create", &["/channels/create?channel=ai-only"]),
    ("/channels/{}/join", &["/channels/ai-only/join"]),
    ("/channels/{}/leave", &["/channels/ai-only/leave"]),
    ("/channels/{}/invite", &["/channels/ai-only/invite?members=anna"]),
    (
        "/messages/send",
        &[
            "/messages/send?content=x&channel=ai-only",
            "/messages/send?content=x&channel=ai-only&reply_to=HIDDEN",
            "/messages/send?content=x&channel=general&reply_to=HIDDEN",
            "/messages/send?content=x&to_entity=ai&reply_to=DIRECT",
        ],
    ),
];

/// `POST` routes that touch no message of others.
const CHANGES_ELSEWHERE: &[&str] = &[
    "/entities/register",
    "/entities/{}/heartbeat",
    "/entities/{}/handoff",
    "/messages/send-batch",
    "/message",
    "/tasks/create",
    "/tasks/create-batch",
    "/tasks/claim-next",
    "/tasks/{}/claim",
    "/tasks/{}/complete",
    "/tasks/{}/fail",
    "/tasks/{}/release",
    "/tasks/{}/cancel",
    "/tasks/{}/reopen",
    "/tasks/{}/update",
    "/tasks/{}/heartbeat",
    "/tasks/{}/reassign",
    "/tasks/{}/answer",
    "/questions/ask",
    "/session",
    "/admin/invites",
    "/admin/prune",
    "/admin/tokens",
    "/admin/tokens/{}/rotate",
    "/reservations/acquire",
    "/reservations/renew",
    "/reservations/release",
    "/reservations/check",
    "/proposals/create",
    "/proposals/{}/vote",
    "/proposals/{}/close",
    "/proposals/{}/withdraw",
];

/// `/tasks/{task_id}` and `/tasks/{id}` are the same route.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// The routes of one method in the API document.
async fn routes(hub: &Hub, method: &str) -> Vec<String> {
    let document = hub.get_ok("/openapi.json").await;
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.filter(|(_, item)| item.get(method).is_some()).map(|(path, _)| shape(path)).collect()
}

/// Fails on a route that no case is written for; gives the cases of those that there are.
fn cases_of(
    routes: &[String],
    cases: &[(&str, &[&'static str])],
    elsewhere: &[&str],
) -> Vec<&'static str> {
    let mut paths = Vec::new();
    for route in routes {
        match cases.iter().find(|(known, _)| known == route) {
            Some((_, cases)) => paths.extend_from_slice(cases),
            None => {
                assert!(elsewhere.contains(&route.as_str()), "no case says what {route} may show")
            }
        }
    }
    paths
}

async fn hide(hub: &Hub) -> (String, String) {
    let hidden = json!({ "from_entity": "ai", "channel": "ai-only", "content": format!("{WORD} hidden"), "metadata": { "k": WORD } });
    let direct =
        json!({ "from_entity": "ai", "to_entity": "session", "content": format!("{WORD} direct") });
    let mut ids = Vec::new();
    for message in [hidden, direct] {
        ids.push(
            hub.post_ok("/messages/send", message).await["message_id"].as_str().unwrap().to_owned(),
        );
    }
    (ids.remove(0), ids.remove(0))
}

/// What must not show: a word, said on a channel and perhaps directly.
struct Secret {
    word: &'static str,
    channel: &'static str,
    hidden: String,
    direct: String,
}

impl Secret {
    /// Every path of every route that could show it.
    async fn paths(&self, hub: &Hub) -> Vec<(&'static str, String)> {
        let reads = cases_of(&routes(hub, "get").await, READS, &[]);
        let changes = cases_of(&routes(hub, "post").await, CHANGES, CHANGES_ELSEWHERE);
        let gets = reads.into_iter().map(|path| ("GET", path));
        let all = gets.chain(changes.into_iter().map(|path| ("POST", path)));
        all.map(|(method, path)| {
            let path = path.replace("HIDDEN", &self.hidden).replace("DIRECT", &self.direct);
            (method, path.replace("ai-only", self.channel).replace(WORD, self.word))
        })
        .collect()
    }

    /// Asks for it on every path, as each of these who name themselves, or do not.
    async fn shows_nowhere(&self, hub: &Hub, readers: &[Option<&str>]) {
        let named = |reader: &Option<&str>| (reader.unwrap_or_default().to_owned(), None);
        let readers: Vec<_> = readers.iter().map(named).collect();
        self.shows_to_none_of(hub, &readers, |_| false).await;
    }

    /// The same, as each of these with a name and perhaps a token, but for some paths.
    async fn shows_to_none_of(
        &self,
        hub: &Hub,
        readers: &[(String, Option<String>)],
        but_for: impl Fn(&str) -> bool,
    ) {
        for (method, path) in self.paths(hub).await.into_iter().filter(|(_, path)| !but_for(path)) {
            for (reader, token) in readers {
                // What is anna's alone is not asked for without a name.
                if reader.is_empty() && path.contains("/anna") {
                    continue;
                }
                let path =
                    if reader.is_empty() { path.clone() } else { path.replace("anna", reader) };
                let mut request = Request::new(method, &path);
                request = match token {
                    Some(token) => request.bearer(token),
                    None if reader.is_empty() => request,
                    None => request.header("X-Entity-Id", reader),
                };
                let response = hub.send(request).await;
                let text = response.text();
                let told = format!("{method} {path} shows it to {reader:?}: {text}");
                assert!(!text.contains(self.word), "{told}");
                // Built-in names are no secret; another is told only to those who say it themselves.
                let names = self.channel != "ai-only" && !path.contains(self.channel);
                assert!(!(names && text.contains(self.channel)), "{told}");
                assert!(response.status < 500, "{method} {path}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_private_channel_shows_on_no_path() {
    const CHANNEL: &str = "crew-of-two";
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await;
    hub.post_ok("/proposals/create", json!({ "title": "p", "proposal_id": "p1" })).await;
    let make = json!({ "entity_id": "ai", "channel": CHANNEL, "members": ["session"] });
    hub.post_ok("/channels/create", make).await;
    let say = async |fields: Value| {
        let mut message = json!({ "from_entity": "ai", "channel": CHANNEL, "content": format!("{WORD} hidden"), "metadata": { "k": WORD } });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let sent = hub.post_ok("/messages/send", message).await;
        sent["message_id"].as_str().unwrap().to_owned()
    };
    let hidden = say(json!({ "ack_required": true })).await;
    let reply = say(json!({ "reply_to": hidden })).await;
    indexed(&hub).await;
    let members = hub.get_ok(&format!("/channels/{CHANNEL}?entity_id=ai")).await;
    let secret =
        Secret { word: WORD, channel: CHANNEL, hidden: hidden.clone(), direct: reply.clone() };
    // A service may read `ai-only`, and a human may redact: neither helps here.
    secret.shows_nowhere(&hub, &[Some("backup"), Some("anna"), Some("stranger"), None]).await;
    let after = hub.get_ok(&format!("/channels/{CHANNEL}?entity_id=ai")).await;
    assert_eq!(after, members, "nobody came in, and nothing was said there");
    // What cannot be seen looks like what is not there.
    for (method, path) in [
        ("GET", "/channels/NAME"),
        ("POST", "/channels/NAME/join"),
        ("POST", "/channels/NAME/leave"),
        ("POST", "/channels/NAME/invite?members=ai"),
        ("POST", "/messages/for/backup/ack?up_to=3&channel=NAME"),
        ("GET", "/messages/recent?channel=NAME"),
        ("GET", "/messages/search?q=anything&channel=NAME"),
        ("GET", "/events?since=0&channels=NAME"),
        ("GET", "/ws/backup?channels=NAME"),
    ] {
        let answer = async |name: &str| {
            let request = Request::new(method, &path.replace("NAME", name));
            let response = hub.send(request.header("X-Entity-Id", "backup")).await;
            (response.status, response.text().replace(name, "NAME"))
        };
        assert_eq!(answer(CHANNEL).await, answer("none-of-them").await, "{method} {path}");
    }
    // It is there for those whom it is meant for, or nothing above would mean anything.
    for reader in ["ai", "session"] {
        let message = hub.get_ok(&format!("/messages/{hidden}?entity_id={reader}")).await;
        assert!(message["content"].as_str().unwrap().contains(WORD), "{message}");
        for path in ["search?q=xyzzyplugh", "recent?limit=1000", "recent?thread_id=HIDDEN"] {
            let path = path.replace("HIDDEN", &hidden);
            let found = hub.get_ok(&format!("/messages/{path}&entity_id={reader}")).await;
            assert_eq!(rows(&found, "messages").len(), 2, "{reader}: {found}");
        }
    }
}

/// Paths on which a member of a private channel finds what is said there; on the others nobody does.
const SHOWN_TO_MEMBERS: [&str; 11] = [
    "/messages/recent?limit=1000",
    "/messages/recent?limit=1000&notices=true",
    "/messages/recent?channel=CHANNEL",
    "/messages/recent?after=0&limit=1000",
    "/messages/recent?before=1000000",
    "/messages/recent?thread_id=HIDDEN",
    "/messages/HIDDEN",
    "/messages/for/ME?limit=1000",
    "/messages/search?q=xyzzyplugh",
    "/events?since=0",
    "/events?since=0&channels=CHANNEL",
];

#[tokio::test]
async fn with_tokens_a_private_channel_shows_to_its_members_on_every_path_and_to_no_other() {
    const CHANNEL: &str = "crew-of-four";
    let hub = TokenHub::with_everyone().await;
    // One of each type is a member, an observer among them; and one of each type is none.
    let mut outsiders = Vec::new();
    for (who, kind) in
        [("eve", "human"), ("bo", "ai_agent"), ("cy", "claude_session"), ("sam", "service")]
    {
        let body = json!({ "entity_id": who, "entity_type": kind });
        let admin = hub.token("admin").to_owned();
        hub.post_as(&admin, "/entities/register", body).await.ok();
        for role in ["member", "observer", "admin"] {
            outsiders.push((who.to_owned(), Some(hub.fresh_token(who, role).await.1)));
        }
    }
    outsiders.push(("admin".to_owned(), Some(hub.token("admin").to_owned())));
    let members = ["session", "anna", "backup", "watcher"];
    let ai = hub.token("ai").to_owned();
    let make = json!({ "channel": CHANNEL, "members": members });
    hub.post_as(&ai, "/channels/create", make).await.ok();
    let say = async |fields: Value| {
        let mut message = json!({ "channel": CHANNEL, "content": format!("{WORD} hidden"), "metadata": { "k": WORD } });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let sent = hub.post_as(&ai, "/messages/send", message).await.ok();
        sent["message_id"].as_str().unwrap().to_owned()
    };
    let hidden = say(json!({ "ack_required": true })).await;
    let reply = say(json!({ "reply_to": hidden })).await;
    let found = async |who: &str| {
        let path = format!("/messages/search?q={WORD}");
        hub.get_as(hub.token(who), &path).await.ok()["messages"].as_array().unwrap().len()
    };
    while found("anna").await < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let secret = Secret { word: WORD, channel: CHANNEL, hidden: hidden.clone(), direct: reply };
    // An admin may end what it may not read, and is shown in the audit which channels there are.
    let is_admins = |path: &str| {
        path.ends_with("/redact") || path.ends_with("/resolve") || path.starts_with("/audit")
    };
    secret.shows_to_none_of(&hub, &outsiders, is_admins).await;
    for who in ["ai"].into_iter().chain(members) {
        for path in SHOWN_TO_MEMBERS {
            let path = path.replace("HIDDEN", &hidden).replace("CHANNEL", CHANNEL);
            // Nobody finds in its inbox what it said itself.
            if who == "ai" && path.starts_with("/messages/for") {
                continue;
            }
            let path = path.replace("ME", who);
            let response = hub.get_as(hub.token(who), &path).await;
            assert!(response.text().contains(WORD), "{path} by {who}: {}", response.text());
        }
        let channels = hub.get_as(hub.token(who), "/channels").await.text();
        assert!(channels.contains(CHANNEL), "{who}: {channels}");
    }
    // Whoever leaves is an outsider from then on.
    let anna = hub.token("anna").to_owned();
    hub.post_as(&anna, &format!("/channels/{CHANNEL}/leave"), json!({})).await.ok();
    let left = [("anna".to_owned(), Some(anna))];
    secret.shows_to_none_of(&hub, &left, is_admins).await;
}

#[tokio::test]
async fn a_hidden_word_shows_on_no_path() {
    let hub = hub_with_everyone().await;
    hub.post_ok("/tasks/create", json!({ "title": "t", "task_id": "t1" })).await;
    hub.post_ok("/proposals/create", json!({ "title": "p", "proposal_id": "p1" })).await;
    let (hidden, direct) = hide(&hub).await;
    indexed(&hub).await;
    let secret =
        Secret { word: WORD, channel: "ai-only", hidden: hidden.clone(), direct: direct.clone() };
    secret.shows_nowhere(&hub, &[Some("anna"), Some("stranger"), None]).await;
    // The word is there for those whom it is meant for, or nothing above would mean anything.
    for (id, reader) in
        [(&hidden, "session"), (&direct, "session"), (&hidden, "backup"), (&direct, "ai")]
    {
        let message: Value = hub.get_ok(&format!("/messages/{id}?entity_id={reader}")).await;
        assert!(message["content"].as_str().unwrap().contains(WORD), "{message}");
    }
    for (reader, count) in [("session", 2), ("ai", 2), ("backup", 1), ("anna", 0)] {
        let found = hub.get_ok(&format!("/messages/search?q={WORD}&entity_id={reader}")).await;
        assert_eq!(rows(&found, "messages").len(), count, "{reader}: {found}");
    }
}

#[tokio::test]
async fn a_hidden_word_shows_on_no_stream() {
    let hub = hub_with_everyone().await;
    let live = async |reader: &str| {
        let mut stream = hub.stream(&format!("/events/stream?{reader}")).await;
        stream.until_id().await;
        stream
    };
    let mut following =
        [live("entity_id=anna").await, live("entity_id=stranger").await, live("").await];
    let mut meant = live("entity_id=session").await;
    hide(&hub).await;
    hub.say("backup", "general", "end").await;
    let shown = async |stream: &mut Stream| {
        let mut shown = String::new();
        loop {
            let event = stream.next().await.expect("an open stream");
            if event.data["data"]["content"] == "end" {
                return shown;
            }
            shown += &event.data.to_string();
        }
    };
    for stream in &mut following {
        let shown = shown(stream).await;
        assert!(!shown.contains(WORD), "{shown}");
    }
    for query in [
        "since=0&entity_id=anna",
        "since=0&entity_id=stranger",
        "since=0",
        "since=0&entity_id=anna&channels=ai-only,general",
        "since=0&kinds=message_sent&channels=ai-only,general",
    ] {
        let shown = shown(&mut hub.stream(&format!("/events/stream?{query}")).await).await;
        assert!(!shown.contains(WORD), "{query}: {shown}");
    }
    // The word is there for the one whom both are meant for.
    assert_eq!(shown(&mut meant).await.matches(&format!("{WORD} ")).count(), 2);
}

#[tokio::test]
async fn hidden_and_missing_look_the_same() {
    let hub = hub_with_everyone().await;
    let (hidden, direct) = hide(&hub).await;
    let answer = async |id: &str| {
        let response = hub.get(&format!("/messages/{id}?entity_id=anna")).await;
        response.refusal(404).to_string().replace(id, "ID")
    };
    let missing = answer(&format!("{}0", &hidden[..hidden.len() - 1])).await;
    assert_eq!(answer(&hidden).await, missing);
    assert_eq!(answer(&direct).await, missing);
}
