//! How many, how large, and where.

use super::*;
use crate::net::{BindError, HEAD_BYTES_MAX, HEADERS_MAX};

#[tokio::test]
async fn a_client_over_the_limit_gets_503() {
    let hub = Hub::start(ConnectionLimits { connections_max: 1, ..patient() }).await;
    let seated = hub.served_client().await;

    let (code, answer) = hub.connect().await.response().await;
    assert_eq!(code, 503);
    for line in ["Retry-After: 1", "Connection: close", r#""code":"busy""#] {
        assert!(answer.contains(line), "{answer}");
    }

    drop(seated);
    let readmitted = async { while hub.connect().await.ask(GET).await.0 != 200 {} };
    patiently(readmitted).await;
}

/// Also when its request is already there, which would make a plain close a reset.
#[tokio::test]
async fn the_503_survives_the_request_that_it_refuses() {
    let hub = Hub::start(ConnectionLimits { connections_max: 1, ..patient() }).await;
    let _seated = hub.served_client().await;
    let mut client = hub.connect().await;
    client.send(GET).await;
    assert_eq!(status(&client.rest().await), 503);
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_seat() {
    let hub = Hub::start(ConnectionLimits { connections_max: 1, ..patient() }).await;
    let mut socket = hub.connect().await;
    assert_eq!(socket.ask(UPGRADE).await.0, 101);
    socket.send("a").await;
    assert_eq!(socket.byte().await, 'a');

    assert_eq!(hub.connect().await.response().await.0, 503);
}

#[tokio::test]
async fn every_request_knows_its_peer() {
    let hub = Hub::start(patient()).await;
    let mut client = hub.connect().await;
    let own = client.stream.local_addr().expect("an address").to_string();
    for _ in 0..2 {
        let (_, answer) = client.ask("GET /peer HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(answer.ends_with(&own), "{answer}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let hub = Hub::start(patient()).await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(HEADERS_MAX + 1));
    let most = format!(
        "GET / HTTP/1.1\r\n{}Connection: close\r\n\r\n",
        "X: x\r\n".repeat(HEADERS_MAX - 1)
    );
    for (head, expected) in [(long, 431), (many, 431), (most, 200)] {
        let mut client = hub.connect().await;
        client.send(head).await;
        assert_eq!(status(&client.rest().await), expected);
    }
}

/// The client learns why although it is still sending when it is refused.
#[tokio::test]
async fn a_refused_body_does_not_reset_the_connection() {
    let hub = Hub::start(patient()).await;
    let mut client = hub.connect().await;
    let body = "x".repeat(2 << 20);
    let head = format!("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head + &body).await;
    assert_eq!(status(&client.rest().await), 413);
}

#[tokio::test]
async fn loopback_brings_its_twin_on_the_same_port() {
    let asked = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = Listeners::bind(&[asked]).await.expect("a free port");
    let addresses = listeners.local_addresses();
    assert_ne!(addresses[0].port(), 0);
    // A machine may lack IPv6.
    for twin in &addresses[1..] {
        assert_eq!(twin.to_string(), format!("[::1]:{}", addresses[0].port()));
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let asked = SocketAddr::from(([127, 0, 0, 1], 0));
    let first = Listeners::bind(&[asked]).await.expect("a free port");
    let taken = first.local_addresses()[0];
    let error = Listeners::bind(&[taken]).await.expect_err("the port is taken");
    assert!(matches!(error, BindError::InUse { address } if address == taken), "{error}");
    assert!(matches!(Listeners::bind(&[]).await, Err(BindError::Nothing)));
}
