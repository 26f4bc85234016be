//! What a stop ends at once, what it lets finish, and what it gives up on.

use std::process::Command;

use super::*;
use crate::net::{Signal, Signals};

#[tokio::test]
async fn a_drain_closes_idle_connections() {
    let hub = Hub::start(patient()).await;
    let mut idle = hub.served_client().await;
    let mut silent = hub.connect().await;
    // Connections are taken in order, so this one being served means that the silent one was taken.
    let _later = hub.served_client().await;

    hub.drain.begin();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    let address = hub.address;
    assert_eq!(hub.outcome().await, Drained::Settled);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_drain_lets_a_running_request_finish() {
    let hub = Hub::start(patient()).await;
    let mut client = hub.connect().await;
    client.send("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n").await;
    patiently(hub.entered.notified()).await;

    hub.drain.begin();
    assert!(hub.drain.is_draining());
    hub.gate.notify_one();
    let answer = client.rest().await;
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("through"), "{answer}");
    assert_eq!(hub.outcome().await, Drained::Settled);
}

#[tokio::test]
async fn a_drain_waits_for_sockets_to_say_goodbye() {
    let hub = Hub::start(patient()).await;
    let mut socket = hub.connect().await;
    assert_eq!(socket.ask(UPGRADE).await.0, 101);

    hub.drain.begin();
    assert_eq!(socket.rest().await, "bye");
    assert_eq!(hub.outcome().await, Drained::Settled);
}

#[tokio::test]
async fn a_drain_gives_up_on_the_stubborn() {
    let hub = Hub::start(ConnectionLimits { drain_timeout: SOON, ..patient() }).await;
    let mut socket = hub.connect().await;
    assert_eq!(socket.ask(UPGRADE).await.0, 101);
    socket.send("!").await;
    assert_eq!(socket.byte().await, '!');

    hub.drain.begin();
    assert_eq!(hub.outcome().await, Drained::TimedOut { guards: 1 });
}

#[tokio::test]
async fn a_drain_waits_for_guards() {
    let drain = Drain::new();
    let guard = drain.guard();
    drain.begin();
    drain.begin();
    patiently(drain.wait()).await;
    assert_eq!(drain.guards(), 1);
    drop(guard);
    patiently(drain.settled()).await;
}

/// The first signal only; the second ends the process, so it is for a test of the whole binary.
#[tokio::test]
async fn a_signal_is_seen() {
    let mut signals = Signals::install().expect("signal handlers");
    let own = std::process::id().to_string();
    for (name, signal, code) in
        [("-TERM", Signal::Terminate, 143), ("-INT", Signal::Interrupt, 130)]
    {
        assert!(Command::new("kill").args([name, &own]).status().expect("kill").success());
        assert_eq!(patiently(signals.recv()).await, signal);
        assert_eq!(signal.exit_code(), code);
    }
}
