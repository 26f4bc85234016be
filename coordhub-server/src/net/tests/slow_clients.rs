//! Who is closed for being slow, and who is not.

use tokio::time::sleep;

use super::*;

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let hub = Hub::start(ConnectionLimits { first_byte_timeout: SOON, ..patient() }).await;
    assert_eq!(hub.connect().await.rest().await, "");
}

#[tokio::test]
async fn half_a_head_is_answered_with_408() {
    let hub = Hub::start(ConnectionLimits { head_timeout: SOON, ..patient() }).await;
    let mut client = hub.connect().await;
    client.send("GET / HTTP/1.1\r\nHos").await;
    let answer = client.rest().await;
    assert_eq!(status(&answer), 408);
    assert!(answer.contains(r#""code":"too_slow""#), "{answer}");
}

/// The head has one deadline; each byte does not bring a new one.
#[tokio::test]
async fn a_dripping_head_is_closed() {
    let hub = Hub::start(ConnectionLimits { head_timeout: SOON, ..patient() }).await;
    let client = hub.connect().await;
    let (mut from_hub, mut to_hub) = client.stream.into_split();
    let drip = async {
        loop {
            // Fails once the hub has closed, which the other side of the select is to notice.
            let _ = to_hub.write_all(b"G").await;
            sleep(SOON / 5).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = patiently(from_hub.read_to_end(&mut answer)) => {}
    }
}

/// The timer sleeps to the idle deadline by then, and must be woken earlier.
#[tokio::test]
async fn half_a_head_after_a_request_is_closed_too() {
    let hub = Hub::start(ConnectionLimits { head_timeout: SOON, ..patient() }).await;
    let mut client = hub.served_client().await;
    client.send("GET / HT").await;
    assert_eq!(status(&client.rest().await), 408);
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_timeout() {
    let limits = ConnectionLimits { first_byte_timeout: SOON, head_timeout: SOON, ..patient() };
    let hub = Hub::start(limits).await;
    let mut client = hub.served_client().await;
    sleep(3 * SOON).await;
    assert_eq!(client.ask(GET).await.0, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_idle_timeout() {
    let hub = Hub::start(ConnectionLimits { idle_timeout: SOON, ..patient() }).await;
    let mut client = hub.served_client().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn pipelined_requests_are_all_answered() {
    let hub = Hub::start(patient()).await;
    let mut client = hub.connect().await;
    client.send(GET.repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(client.response().await.0, 200);
    }
}

#[tokio::test]
async fn half_a_body_is_too_slow() {
    let hub = Hub::start(ConnectionLimits { body_progress_timeout: SOON, ..patient() }).await;
    let mut client = hub.connect().await;
    client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf").await;
    let answer = client.rest().await;
    assert_eq!(status(&answer), 408);
}

/// No client is slow while it is the hub that works.
#[tokio::test]
async fn handlers_and_streams_have_no_deadline() {
    let limits = ConnectionLimits {
        first_byte_timeout: SOON,
        head_timeout: SOON,
        idle_timeout: SOON,
        write_progress_timeout: SOON,
        ..patient()
    };
    let hub = Hub::start(limits).await;
    let mut client = hub.connect().await;
    client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n").await;
    // The end of the stream, and then the end of the idle time.
    assert_eq!(client.rest().await.matches("piece ").count(), 3);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_closed() {
    let limits = ConnectionLimits { write_progress_timeout: SOON, connections_max: 1, ..patient() };
    let hub = Hub::start(limits).await;
    let mut deaf = hub.connect().await;
    deaf.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").await;
    // Its seat is free again only when it is closed.
    let seated = async {
        loop {
            let mut client = hub.connect().await;
            if client.ask(GET).await.0 == 200 {
                break;
            }
        }
    };
    patiently(seated).await;
    drop(deaf);
}

#[tokio::test]
async fn an_upgraded_connection_is_not_watched() {
    let limits = ConnectionLimits {
        first_byte_timeout: SOON,
        head_timeout: SOON,
        idle_timeout: SOON,
        write_progress_timeout: SOON,
        ..patient()
    };
    let hub = Hub::start(limits).await;
    let mut client = hub.connect().await;
    assert_eq!(client.ask(UPGRADE).await.0, 101);
    for byte in ['a', 'b'] {
        sleep(3 * SOON).await;
        client.send([byte as u8]).await;
        assert_eq!(client.byte().await, byte);
    }
}
