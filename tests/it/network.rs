//! Who may reach the hub and over what: binds, trusted networks, proxies, TLS, and heads that are meant to be misread.

use std::process::Command;
use std::sync::Arc;

use coordhub_harness::{Hub, HubOptions, Request, WAIT_MAX};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::tokens::{TokenHub, WRONG_TOKEN};

fn options(words: &[&str]) -> HubOptions {
    words.iter().fold(HubOptions::default(), |options, word| options.arg(*word))
}

#[test]
fn a_bind_that_others_reach_is_refused_and_says_what_to_do() {
    for (words, says) in [
        (&["--bind", "0.0.0.0:0"][..], "--trusted-network"),
        (&["--bind", "[::]:0"], "--auth token"),
        (&["--bind", "0.0.0.0:0", "--auth", "token"], "--tls-cert"),
        (&["--bind", "0.0.0.0:0", "--auth", "token"], "--behind-proxy"),
        (&["--bind", "0.0.0.0:0", "--auth", "token", "--trusted-network", "127.0.0.1"], "--tls"),
        (&["--bind", "0.0.0.0:0", "--behind-proxy", "127.0.0.1"], "--auth token"),
    ] {
        let refused = Hub::start_refused(&options(words));
        assert!(refused.line().contains(says), "{words:?}: {}", refused.line());
    }
}

#[tokio::test]
async fn a_trusted_network_is_served_and_nobody_else() {
    let hub = Hub::start(options(&["--bind", "0.0.0.0:0", "--trusted-network", "127.0.0.0/8,::1"]));
    let health = hub.get_ok("/health").await;
    assert_eq!(health["trusted_networks"], json!(["127.0.0.0/8", "::1/128"]));
    hub.get_ok("/tasks/list").await;
    while !hub.log().contains("stop") {
        std::thread::yield_now();
    }
    assert!(hub.log().contains("127.0.0.0/8"), "{}", hub.log());

    let hub = Hub::start(options(&["--trusted-network", "10.0.0.0/8"]));
    for path in ["/health", "/", "/tasks/list"] {
        hub.get(path).await.problem(403, "address_not_allowed");
    }
}

/// Names a client, and how it came, as a proxy would.
fn forwarded(request: Request, client: &str) -> Request {
    request.header("X-Forwarded-For", client).header("X-Forwarded-Proto", "https")
}

#[tokio::test]
async fn a_proxy_is_believed_and_nobody_else() {
    let bounds = ["--failed-logins-per-minute", "1"];
    let wrong = |client| forwarded(Request::get("/tasks/list").bearer(WRONG_TOKEN), client);
    let hub = TokenHub::start(options(&bounds).arg("--behind-proxy").arg("127.0.0.1,10.0.0.0/8"));
    let first = hub.send(wrong("198.51.100.1")).await;
    first.problem(401, "unauthorized");
    assert!(first.header("strict-transport-security").is_some(), "it came by TLS");
    hub.send(wrong("198.51.100.1")).await.problem(429, "too_fast");
    // Another client behind the same proxy, and one that writes somebody else's address before its own.
    hub.send(wrong("198.51.100.2")).await.problem(401, "unauthorized");
    hub.send(wrong("198.51.100.3, 198.51.100.1, 10.1.1.1")).await.problem(429, "too_fast");

    let hub = TokenHub::start(options(&bounds));
    let first = hub.send(wrong("198.51.100.1")).await;
    first.problem(401, "unauthorized");
    assert_eq!(first.header("strict-transport-security"), None);
    hub.send(wrong("198.51.100.2")).await.problem(429, "too_fast");
}

#[tokio::test]
async fn whom_a_proxy_speaks_for_must_be_trusted_too() {
    let words = ["--trusted-network", "198.51.100.0/24", "--behind-proxy", "127.0.0.1"];
    let hub = Hub::start(options(&words));
    hub.send(forwarded(Request::get("/tasks/list"), "198.51.100.9")).await.ok();
    let stranger = forwarded(Request::get("/tasks/list"), "203.0.113.9");
    hub.send(stranger).await.problem(403, "address_not_allowed");
}

#[tokio::test]
async fn the_public_url_is_the_pages_own() {
    let hub = TokenHub::with_everyone_at(options(&[
        "--behind-proxy",
        "127.0.0.1",
        "--public-url",
        "https://hub.example",
    ]))
    .await;
    let post = |origin: &str| {
        let request = Request::post("/messages/send").bearer(hub.token("ai"));
        let request = request.header("Host", "hub.example").header("Origin", origin);
        forwarded(request, "198.51.100.1").json(&json!({ "content": "c" }))
    };
    let own = hub.send(post("https://hub.example")).await;
    own.ok();
    assert_eq!(own.header("access-control-allow-origin"), None);
    hub.send(post("http://hub.example")).await.problem(403, "origin_not_allowed");
    let body = json!({ "name": "n", "entity_types": ["human"] });
    let made = hub.post_as(hub.token("admin"), "/admin/invites", body).await.ok();
    assert!(made["link"].as_str().unwrap().starts_with("https://hub.example/#invite=chi_"));
}

#[tokio::test]
async fn a_name_that_was_pointed_here_gets_nothing_without_a_token() {
    let hub = TokenHub::with_everyone().await;
    let from = |request: Request| request.header("Host", "rebound.example");
    hub.send(from(Request::get("/"))).await.problem(403, "host_not_allowed");
    let cookie = Request::get("/tasks/list").header("Cookie", "coordhub=x");
    hub.send(from(cookie)).await.problem(403, "host_not_allowed");
    hub.send(from(Request::get("/tasks/list").bearer(hub.token("ai")))).await.ok();
}

#[tokio::test]
async fn every_answer_keeps_a_browser_from_harm() {
    let hub = Hub::new();
    let requests = [
        Request::get("/"),
        Request::get("/health"),
        Request::get("/nowhere"),
        Request::get("/docs"),
        Request::post("/tasks/create").body("{"),
        Request::get("/tasks/list").header("Origin", "null"),
    ];
    for request in requests {
        let response = hub.send(request.clone()).await;
        let header = |name| response.header(name).unwrap_or_default();
        assert_eq!(header("x-content-type-options"), "nosniff", "{request:?}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{request:?}");
        let policy = header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{request:?}: {policy}");
        assert!(policy.starts_with("default-src 'none'"), "{request:?}: {policy}");
        assert_ne!(header("cache-control"), "", "{request:?}");
        assert_eq!(response.header("strict-transport-security"), None, "not over plain HTTP");
    }
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways_is_not_read_on() {
    let hub = Hub::new();
    let create = "POST /tasks/create HTTP/1.1\r\nHost: localhost\r\n";
    for lengths in ["Content-Length: 13\r\nContent-Length: 14", "Content-Length: 13, 14"] {
        let mut client = hub.client().await;
        let head = format!("{create}{lengths}\r\n\r\n{{\"title\":\"t\"}}");
        assert_eq!(client.send_bytes(head.as_bytes()).await.status, 400, "{lengths}");
    }
    // A proxy that goes by the length takes the second request for the body of the first.
    let smuggled = "0\r\n\r\nPOST /tasks/create?title=smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    for order in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", smuggled.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}", smuggled.len()),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
    ] {
        let mut client = hub.client().await;
        let head = format!("{create}{order}\r\n\r\n{smuggled}");
        assert_ne!(client.send_bytes(head.as_bytes()).await.status, 200, "{order}");
        assert!(client.is_closed().await, "{order}");
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

/// A certificate for `localhost` that it signed itself, as files in the hub's way, and whom it makes trusted.
fn certificate(folder: &std::path::Path) -> (HubOptions, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = HubOptions::default().arg("--tls-cert").arg(cert.display().to_string());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (options.arg("--tls-key").arg(key.display().to_string()), roots)
}

async fn connect(hub: &Hub, roots: RootCertStore) -> TlsStream<TcpStream> {
    try_connect(hub, roots).await.unwrap()
}

async fn try_connect(hub: &Hub, roots: RootCertStore) -> std::io::Result<TlsStream<TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(hub.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await
}

/// One request over TLS, and all that comes back.
async fn over_tls(hub: &Hub, roots: RootCertStore, request: &str) -> String {
    let mut stream = connect(hub, roots).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(WAIT_MAX, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_hub_with_a_certificate_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, roots) = certificate(folder.path());
    let hub = Hub::start(tls.clone().arg("--bind").arg("0.0.0.0:0").arg("--auth").arg("token"));
    let port = hub.port();
    let get = |path: &str, lines: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{lines}\r\n")
    };
    let answer = over_tls(&hub, roots.clone(), &get("/health", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("strict-transport-security: max-age="),
        "{answer}"
    );
    let own = get("/session", &format!("Origin: https://localhost:{port}\r\n"));
    assert!(over_tls(&hub, roots.clone(), &own).await.starts_with("HTTP/1.1 200"));
    let foreign = get("/session", &format!("Origin: http://localhost:{port}\r\n"));
    assert!(over_tls(&hub, roots.clone(), &foreign).await.starts_with("HTTP/1.1 403"));
    // A large answer: more than TLS keeps for itself.
    let document = over_tls(&hub, roots.clone(), &get("/openapi.json", "")).await;
    assert!(document.ends_with('}') && document.len() > 50_000, "{}", document.len());
    // Sockets, too, and streams: what is fed little by little is not kept back.
    let hub = Hub::start(tls.clone());
    let upgrade = "GET /ws/a HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let stream = "GET /events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (request, end) in [(upgrade, "\"type\":\"hello\""), (stream, "id: ")] {
        let mut tls = connect(&hub, roots.clone()).await;
        tls.write_all(request.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(end) {
            let read = tokio::time::timeout(WAIT_MAX, tls.read_buf(&mut said)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "{}", String::from_utf8_lossy(&said));
        }
    }
    // Whoever speaks plain HTTP is not answered, and whoever says nothing is not waited for.
    for says in ["GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", ""] {
        let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(WAIT_MAX, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "still open: {says:?}");
        assert!(!answer.starts_with(b"HTTP"), "{says:?}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (tls, old) = certificate(folder.path());
    let hub = Hub::start(tls);
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    over_tls(&hub, old.clone(), health).await;
    let mut kept = connect(&hub, old.clone()).await;
    let hang_up = |expected: &str| {
        let pid = hub.pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        while !hub.log().contains(expected) {
            std::thread::yield_now();
        }
    };
    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    hang_up("the old one goes on");
    assert!(over_tls(&hub, old.clone(), health).await.starts_with("HTTP/1.1 200"));

    let (_, fresh) = certificate(folder.path());
    hang_up("the certificate was read anew");
    assert!(over_tls(&hub, fresh, health).await.starts_with("HTTP/1.1 200"));
    assert!(try_connect(&hub, old).await.is_err(), "the old one is used no more");
    // What was open stays open.
    kept.write_all(health.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(WAIT_MAX, kept.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _) = certificate(folder.path());
    let other = tempfile::tempdir().unwrap();
    certificate(other.path());
    let nothing = folder.path().join("nothing.pem");
    std::fs::write(&nothing, "no PEM").unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    for (cert, key) in [
        (folder.path().join("missing.pem"), key.clone()),
        (nothing.clone(), key),
        (cert.clone(), nothing),
        (cert, other.path().join("key.pem")),
    ] {
        let words = [
            "--tls-cert".to_owned(),
            cert.display().to_string(),
            "--tls-key".to_owned(),
            key.display().to_string(),
        ];
        let options = words.iter().fold(HubOptions::default(), |options, word| options.arg(word));
        let refused = Hub::start_refused(&options);
        assert!(refused.line().contains(".pem"), "{}", refused.line());
    }
}
