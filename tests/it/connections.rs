//! Connections: slow ones are ended, others go on, and a stopping hub lets its callers finish.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use coordhub_harness::{Hub, Request, WAIT_MAX};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends the beginning of a request and waits for the hub to end the connection; gives what it said.
async fn stall(hub: &Hub, beginning: &[u8]) -> String {
    let mut stream = TcpStream::connect(hub.addr()).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(WAIT_MAX, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "still open after {WAIT_MAX:?}: {}", String::from_utf8_lossy(beginning));
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_connection_that_says_nothing_more_is_ended() {
    let hub = Hub::new();
    let begun =
        "POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"title\":";
    let chunked = "POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ti";
    let (nothing, half_a_line, half_a_head, half_a_body, half_a_chunk) = tokio::join!(
        stall(&hub, b""),
        stall(&hub, b"GET /hea"),
        stall(&hub, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
        stall(&hub, begun.as_bytes()),
        stall(&hub, chunked.as_bytes()),
    );
    for said in [nothing, half_a_line, half_a_head, half_a_body, half_a_chunk] {
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let hub = Hub::new();
    let mut client = hub.client().await;
    for number in 0..50 {
        let wrong = number % 5 == 0;
        let body =
            if wrong { "{".to_owned() } else { json!({ "title": number.to_string() }).to_string() };
        let response = client.send(Request::post("/tasks/create").body(body)).await;
        assert_eq!(response.status, if wrong { 400 } else { 200 });
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 40);
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let hub = Hub::new();
    let one = |title: &str| {
        let body = json!({ "title": title }).to_string();
        format!(
            "POST /tasks/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut client = hub.client().await;
    let first = client.send_bytes((one("first") + &one("second")).as_bytes()).await.ok();
    let second = client.send_bytes(b"").await.ok();
    assert_eq!(
        (&first["task"]["title"], &second["task"]["title"]),
        (&json!("first"), &json!("second"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_hub_answers_who_waits_and_ends_with_0() {
    let mut hub = Hub::new();
    let mut idle = hub.client().await;
    idle.send(Request::get("/health")).await.ok();
    hub.register("watcher", "service").await;
    let since = hub.say("a", "general", "c").await;
    let seen = hub.get_ok("/entities/watcher").await["last_seen"].clone();
    let mut waiter = hub.client().await;
    let path = format!("/events?since={since}&wait=60&entity_id=watcher");
    let waiting = tokio::spawn(async move { waiter.send(Request::get(&path)).await });
    // The call is made as the watcher: once the hub has seen it again, the wait is under way.
    let under_way = async { while hub.get_ok("/entities/watcher").await["last_seen"] == seen {} };
    tokio::time::timeout(WAIT_MAX, under_way).await.expect("the wait is under way");
    let status = tokio::task::spawn_blocking(move || hub.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(idle.is_closed().await);
    let answered = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert_eq!(answered.expect("answered before the end").unwrap().ok()["events"], json!([]));
}

/// A terminal that was closed, a pipe whose reader is gone: the log has nowhere to go, the hub goes on and can be stopped.
#[test]
fn a_hub_whose_log_nobody_reads_works_and_stops() {
    let home = tempfile::tempdir().unwrap();
    let mut hub = Command::new(coordhub_harness::hub::binary())
        .args(["serve", "--bind", "127.0.0.1:0", "--log-level", "debug"])
        .current_dir(home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(hub.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    drop(log);
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let pid = hub.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let (ended, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(hub.wait().unwrap().code()));
    let status = wait.recv_timeout(WAIT_MAX);
    if status.is_err() {
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }
    assert_eq!(status, Ok(Some(0)), "it stops when told to");
}
