//! Requests, frames, heads and tokens that were damaged at random: the hub refuses them in form, and lives.
//!
//! Each run is bounded by its number of attempts. The seed is printed; `COORDHUB_FUZZ_SEED` plays one again, and
//! `COORDHUB_FUZZ_ROUNDS` goes on for longer.

use std::env;
use std::time::Duration;

use coordhub_harness::{Hub, Request, raw_socket};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tokens::TokenHub;

/// How long the hub may be silent before what it said is judged: the end of a damaged request may never come.
const SILENCE: Duration = Duration::from_millis(150);

/// A small generator (SplitMix64), so that a seed says all.
struct Random(u64);

impl Random {
    fn new(test: &str) -> Self {
        let seed = env::var("COORDHUB_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        println!("{test}: COORDHUB_FUZZ_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// The bytes with one to four things changed.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(16)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.next() as u8,
                2 if at < end => drop(bytes.drain(at..end)),
                3 if at < end => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                4 => bytes.truncate(at),
                _ => {
                    let word = *self.pick(&WORDS);
                    bytes.splice(at..at, word.iter().copied());
                }
            }
        }
    }
}

/// What parsers have stumbled over before.
const WORDS: [&[u8]; 20] = [
    b"\"",
    b"{",
    b"[[[[[[[[",
    b"}",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"\0",
    b"\r\n",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"0.0000000001",
    b"%",
    b"%00",
    b"../",
    b"true",
    b"\xe2\x80\xae",
    b",",
];

fn rounds(usual: usize) -> usize {
    env::var("COORDHUB_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A call of each kind that takes what a body can hold.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        (
            "/entities/register",
            json!({ "entity_id": "a", "entity_type": "ai_agent", "capabilities": ["x"], "metadata": { "k": [1, 2.5, null] } }),
        ),
        (
            "/messages/send",
            json!({ "from_entity": "a", "channel": "general", "content": "c é\u{1F600}", "priority": "high", "metadata": {} }),
        ),
        (
            "/messages/send-batch",
            json!({ "from_entity": "a", "messages": [{ "content": "c" }, { "content": "d" }] }),
        ),
        ("/messages/for/a/ack", json!({ "up_to": 3 })),
        ("/channels/create", json!({ "entity_id": "a", "channel": "p", "members": ["a"] })),
        (
            "/tasks/create",
            json!({ "created_by": "a", "title": "t", "tags": ["x"], "lease_seconds": 5, "not_before": "2026-01-01T00:00:00Z" }),
        ),
        (
            "/tasks/create-batch",
            json!({ "created_by": "a", "tasks": [{ "title": "t", "depends_on": [] }] }),
        ),
        ("/tasks/claim-next", json!({ "entity_id": "a", "tags": ["x"] })),
        ("/questions/ask", json!({ "asked_by": "a", "question": "q?", "options": ["y", "n"] })),
        (
            "/reservations/acquire",
            json!({ "entity_id": "a", "resources": ["repo:src/*", "repo:**"], "ttl_seconds": 9 }),
        ),
        ("/reservations/check", json!({ "resources": ["repo:src/a", "*:b"] })),
        (
            "/proposals/create",
            json!({ "proposed_by": "a", "title": "p", "threshold": 0.75, "quorum": 1 }),
        ),
        ("/entities/a/heartbeat", json!({ "activity": "x" })),
    ]
}

/// Every answer in what the hub said: none tells of a fault, and what has a JSON body has a whole one.
#[track_caller]
fn judge(said: &[u8], sent: &[u8]) {
    let text = String::from_utf8_lossy(said);
    let told = || format!("\nsent: {}\nsaid: {text}", sent.escape_ascii());
    let statuses = text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3));
    for status in statuses {
        assert!(!status.starts_with('5'), "a status {status}{}", told());
    }
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        assert!(said.is_empty() || text.starts_with("HTTP/1.1 "), "no answer{}", told());
        return;
    };
    if head.contains("application/problem+json") && !body.contains("HTTP/1.1 ") && !body.is_empty()
    {
        let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{}", told()));
        for member in ["title", "detail", "code"] {
            assert!(problem[member].is_string(), "{member} is missing{}", told());
        }
    }
}

/// Sends bytes on a connection of their own, says that nothing more comes, and judges what came back.
async fn throw(hub: &Hub, bytes: &[u8]) {
    let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
    // The hub may have ended the connection before it read them all.
    let _ = stream.write_all(bytes).await;
    let mut said = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(Ok(count @ 1..)) = timeout(SILENCE, stream.read(&mut buffer)).await {
        said.extend_from_slice(&buffer[..count]);
    }
    judge(&said, bytes);
}

async fn lives(hub: &Hub) {
    assert_eq!(hub.get_ok("/health").await["status"], "active", "{}", hub.log());
    assert!(!hub.log().contains("panic"), "{}", hub.log());
}

#[tokio::test]
async fn damaged_bodies_are_refused_in_form() {
    let hub = Hub::new();
    hub.register("a", "ai_agent").await;
    let mut random = Random::new("bodies");
    let calls = calls();
    let mut client = hub.client().await;
    let mut accepted = 0;
    for _ in 0..rounds(3_000) {
        let (path, call) = random.pick(&calls);
        let mut body = call.to_string().into_bytes();
        random.damage(&mut body);
        let response = client.send(Request::post(path).body(body.clone())).await;
        match response.status {
            200 => accepted += 1,
            status @ 400..=499 => drop(response.refusal(status)),
            status => panic!("{status} for {path} {}: {}", body.escape_ascii(), response.text()),
        }
    }
    assert!(accepted > 0, "some damage does no harm");
    lives(&hub).await;
}

#[tokio::test]
async fn damaged_queries_and_paths_are_refused_in_form() {
    let hub = Hub::new();
    hub.register("a", "ai_agent").await;
    let mut random = Random::new("queries");
    let paths = [
        "/messages/recent?entity_id=a&limit=5&before=9",
        "/messages/search?entity_id=a&q=%22a%20b%22&limit=5",
        "/tasks/list?status=open&after=1&order=desc&ready_for=a",
        "/events?entity_id=a&since=0&kinds=task_created&limit=3",
        "/channels/general?entity_id=a",
        "/tasks/00000000-0000-0000-0000-000000000000",
        "/docs/tasks.md",
        "/assets/page.js",
    ];
    let mut client = hub.client().await;
    for _ in 0..rounds(2_000) {
        let mut path = random.pick(&paths).as_bytes().to_vec();
        random.damage(&mut path);
        // What no request line can hold is thrown as raw bytes elsewhere.
        let path: String =
            path.iter().filter(|b| b.is_ascii_graphic()).map(|b| *b as char).collect();
        let response =
            client.send(Request::get(&format!("/{}", path.trim_start_matches('/')))).await;
        assert!(response.status < 500, "{} for {path}: {}", response.status, response.text());
        // A line that is no HTTP at all gets a bare 400 from the parser, before any route is looked for.
        let bare = response.status == 400 && response.body.is_empty();
        if response.status >= 400 && !bare {
            response.refusal(response.status);
        }
        if response.status >= 400 {
            client = hub.client().await;
        }
    }
    lives(&hub).await;
}

#[tokio::test]
async fn damaged_heads_and_raw_bytes_do_no_harm() {
    let hub = Hub::new();
    let mut random = Random::new("heads");
    let whole: [&[u8]; 4] = [
        b"POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: 30\r\nConnection: close\r\n\r\n{\"created_by\":\"a\",\"title\":\"t\"}",
        b"POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n{\"created_by\":\"a\",\"title\":\"t\"}\r\n0\r\n\r\n",
        b"GET /messages/recent?limit=1 HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nCookie: coordhub_0123456789ab=x\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n",
        b"GET /ws/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ];
    let mut attempts = Vec::new();
    for round in 0..rounds(1_000) {
        let mut bytes = random.pick(&whole).to_vec();
        if round % 10 == 0 {
            bytes = (0..random.below(200)).map(|_| random.next() as u8).collect();
        } else {
            random.damage(&mut bytes);
        }
        attempts.push(bytes);
    }
    for some in attempts.chunks(32) {
        let mut thrown = Vec::new();
        for bytes in some {
            thrown.push(throw(&hub, bytes));
        }
        all(thrown).await;
    }
    lives(&hub).await;
}

/// Waits for all of them, side by side.
async fn all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut waiting: Vec<_> = futures.into_iter().map(|one| Some(Box::pin(one))).collect();
    std::future::poll_fn(|context| {
        for one in &mut waiting {
            if one.as_mut().is_some_and(|future| future.as_mut().poll(context).is_ready()) {
                *one = None;
            }
        }
        match waiting.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

#[tokio::test]
async fn damaged_frames_do_no_harm() {
    let hub = Hub::new();
    hub.register("a", "ai_agent").await;
    let mut random = Random::new("frames");
    let frames = [
        json!({ "type": "ping" }),
        json!({ "type": "ready" }),
        json!({ "type": "subscribe_channel", "channel": "general" }),
        json!({ "type": "unsubscribe_channel", "channel": "general" }),
        json!({ "type": "message", "ref": 1, "message": { "channel": "general", "content": "c", "metadata": { "k": [] } } }),
        json!({ "type": "call", "op": "tasks.create", "id": "1", "args": { "title": "t" }, "key": "k" }),
        json!({ "type": "call", "op": "tasks.claim-next", "id": "2", "args": { "wait_seconds": 0 } }),
    ];
    let shake = format!(
        "GET /ws/a HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        hub.addr()
    );
    let mut attempts = Vec::new();
    for round in 0..rounds(400) {
        let mut bytes = shake.clone().into_bytes();
        for _ in 0..8 {
            let mut payload = random.pick(&frames).to_string().into_bytes();
            random.damage(&mut payload);
            let mut frame = raw_socket::frame(raw_socket::TEXT, &payload, true);
            // Every fourth time what is around the text is damaged, too.
            if round % 4 == 0 {
                random.damage(&mut frame);
            }
            bytes.extend_from_slice(&frame);
        }
        attempts.push(bytes);
    }
    for some in attempts.chunks(32) {
        all(some.iter().map(|bytes| throw(&hub, bytes)).collect()).await;
    }
    lives(&hub).await;
}

#[tokio::test]
async fn damaged_tokens_open_nothing() {
    let hub = TokenHub::with_everyone().await;
    let mut random = Random::new("tokens");
    let good = [hub.token("admin").to_owned(), hub.token("ai").to_owned()];
    let cookie = crate::session::sign_in(&hub, hub.token("ai")).await;
    let (cookie_name, session) = cookie.split_once('=').expect("a name and a value");
    let own = crate::session::origin(&hub);
    let mut client = hub.client().await;
    for _ in 0..rounds(1_000) {
        let place = random.below(4);
        let good = if place == 0 { session } else { random.pick(&good).as_str() };
        let mut token = good.to_owned().into_bytes();
        random.damage(&mut token);
        let token: String =
            token.iter().filter(|b| b.is_ascii_graphic()).map(|b| *b as char).collect();
        // Headers are lists: one of which a part is whole shows what is good, and something else beside it.
        if token.split([',', ';']).any(|part| part.ends_with(good)) {
            continue;
        }
        // Wherever one may stand: in its header, beside a socket's protocol, in a cookie of the hub's own page.
        let request = Request::get("/tasks/list");
        let request = match place {
            0 => request.header("Cookie", &format!("{cookie_name}={token}")).header("Origin", &own),
            1 => Request::get("/ws/ai")
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
                .header("Sec-WebSocket-Protocol", &format!("coordhub.v1, bearer.{token}")),
            _ => request.bearer(&token),
        };
        let response = client.send(request).await;
        assert!(
            matches!(response.status, 400 | 401 | 429 | 431),
            "{}: {}",
            response.status,
            response.text()
        );
        response.refusal(response.status);
    }
    let response = hub.send(Request::get("/tasks/list").bearer(&good[0])).await;
    response.ok();
    let page = Request::get("/tasks/list").header("Cookie", &cookie).header("Origin", &own);
    hub.send(page).await.ok();
    lives(&hub).await;
}
