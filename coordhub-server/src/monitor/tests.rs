//! The monitor beside a runtime that does not run, and against clients that mean it no good.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::mpsc::channel,
    time::Duration,
};

use coordhub_core::Hub;

use super::*;
use crate::{config::Config, monitor::door::SEATS_MAX, net::Drain};

/// How long a test waits for what it expects.
const PATIENCE: Duration = Duration::from_secs(20);

fn monitor() -> Monitor {
    let hub = Hub::in_memory().expect("a hub");
    let app = App::new(hub, Config::default(), Drain::new());
    let door = Door::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("an address");
    Monitor::start(door, &app).expect("a monitor")
}

fn connect(monitor: &Monitor) -> TcpStream {
    let stream = TcpStream::connect(monitor.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

fn rest(mut stream: &TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn ask(monitor: &Monitor, request: &str) -> String {
    let mut stream = connect(monitor);
    stream.write_all(request.as_bytes()).expect("written");
    rest(&stream)
}

fn get(monitor: &Monitor, path: &str) -> String {
    ask(monitor, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

#[test]
fn it_answers_while_every_thread_of_the_runtime_is_blocked() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        bind: vec![loopback],
        monitor: Some(loopback),
        db: home.path().join("hub.db"),
        ..Config::default()
    };
    let drain = Drain::new();
    let running = runtime.block_on(crate::start(config, drain.clone())).expect("a hub");
    let hub = running.local_addresses()[0];
    let monitor = running.monitor_address().expect("a monitor");
    let served = runtime.spawn(running.run());

    // Both threads wait here, and nothing that is async can run.
    let (blocked, is_blocked) = channel();
    let releases: Vec<_> = (0..2)
        .map(|_| {
            let (release, released) = channel::<()>();
            let blocked = blocked.clone();
            runtime.spawn(async move {
                blocked.send(()).expect("a test that listens");
                let _released = released.recv();
            });
            release
        })
        .collect();
    (0..2).for_each(|_| is_blocked.recv_timeout(PATIENCE).expect("a blocked thread"));

    let fetch = |address: SocketAddr, path: &str, patience: Duration| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(patience)).expect("a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    let silence = Duration::from_millis(200);
    assert!(fetch(hub, "/health", silence).is_err(), "the hub itself cannot answer now");
    for _ in 0..3 {
        let metrics = fetch(monitor, "/metrics", PATIENCE).expect("an answer");
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
        assert!(metrics.contains("\ncoordhub_commits_total 0\n"), "{metrics}");
        let health = fetch(monitor, "/health", PATIENCE).expect("an answer");
        assert!(health.contains("\"service\":\"coordhub\""), "{health}");
    }

    drop(releases);
    drain.begin();
    let _drained = runtime.block_on(served).expect("the end");
    // Its address is given back when the last of its threads has gone.
    while TcpStream::connect(monitor).is_ok() {
        thread::yield_now();
    }
}

#[test]
fn what_it_answers() {
    let monitor = monitor();
    for (request, expected) in [
        ("GET /health HTTP/1.1\r\nHost: localhost", "HTTP/1.1 200"),
        ("GET /health HTTP/1.1\r\nHost: elsewhere.example", "HTTP/1.1 200"),
        ("GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9", "HTTP/1.1 200"),
        ("HEAD /metrics HTTP/1.1\r\nHost: [::1]", "HTTP/1.1 200"),
        ("GET /metrics HTTP/1.0\r\nHost: 127.0.0.1", "HTTP/1.0 200"),
        ("GET /metrics HTTP/1.1\r\nHost: elsewhere.example", "HTTP/1.1 403"),
        ("GET /metrics HTTP/1.1", "HTTP/1.1 403"),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: http://elsewhere.example",
            "HTTP/1.1 403",
        ),
        ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site", "HTTP/1.1 403"),
        ("GET / HTTP/1.1\r\nHost: localhost", "HTTP/1.1 404"),
        ("POST /metrics HTTP/1.1\r\nHost: localhost", "HTTP/1.1 405"),
        ("nonsense", "HTTP/1.1 400"),
        (
            "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999",
            "HTTP/1.1 400",
        ),
    ] {
        let answer = ask(&monitor, &format!("{request}\r\n\r\n"));
        assert!(answer.starts_with(expected), "{request:?}: {answer}");
    }
}

#[test]
fn silent_clients_take_seats_and_no_more() {
    let monitor = monitor();
    let silent: Vec<_> = (0..SEATS_MAX).map(|_| connect(&monitor)).collect();
    // Connections are let in one after the other, so all of those have their seats by now.
    let refused = connect(&monitor);
    assert!(rest(&refused).starts_with("HTTP/1.1 503"));
    silent.iter().for_each(|stream| stream.shutdown(Shutdown::Both).expect("a connection"));
    // A seat is given back by the thread that served it, soon.
    let answered = (0..2_000).any(|_| {
        thread::yield_now();
        let mut stream = connect(&monitor);
        let asked = stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains("200 OK")
    });
    assert!(answered);
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for() {
    let monitor = monitor();
    let mut half = connect(&monitor);
    half.write_all(b"GET /health HTTP/1.1\r\n").expect("written");
    assert!(rest(&half).starts_with("HTTP/1.1 408"));
    let mut long = connect(&monitor);
    // It may be refused, and the connection closed, before all of it is written.
    let _written = long.write_all(&[b'x'; 16 * 1_024]);
    let mut answer = Vec::new();
    let _read = long.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{answer:?}");
    assert!(get(&monitor, "/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn it_is_on_loopback_only() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8551"] {
        let refused = Door::bind(address.parse().expect("an address")).expect_err(address);
        assert!(matches!(refused, MonitorError::NotLoopback(_)), "{refused}");
        assert!(refused.to_string().contains("--monitor"), "{refused}");
    }
}
