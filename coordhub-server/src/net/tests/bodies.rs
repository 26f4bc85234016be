//! `read_body` without a socket.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use futures_util::{StreamExt, future};

use super::*;

const LIMIT: usize = 10;

fn pieces(pieces: &'static [&'static str]) -> Body {
    Body::from_stream(stream::iter(pieces).map(|&piece| Ok::<_, std::io::Error>(piece)))
}

async fn read(body: Body) -> Result<Bytes, BodyError> {
    patiently(read_body(body, LIMIT, FOREVER)).await
}

#[tokio::test]
async fn whole_bodies_are_read() {
    for (body, expected) in [
        (Body::empty(), ""),
        (Body::from("0123456789"), "0123456789"),
        (pieces(&[]), ""),
        (pieces(&["", "0123", "", "4567", "89"]), "0123456789"),
    ] {
        assert_eq!(read(body).await.expect("a body within the limit"), expected);
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    for body in
        [Body::from("0123456789a"), pieces(&["0123456789a"]), pieces(&["01234", "56789", "a"])]
    {
        let refused = read(body).await;
        assert!(matches!(refused, Err(BodyError::TooLarge { limit_bytes: LIMIT })), "{refused:?}");
    }
}

#[tokio::test]
async fn one_piece_is_not_copied() {
    let sent = Bytes::from(vec![b'x'; LIMIT]);
    let got = read(Body::from(sent.clone())).await.expect("a body");
    assert_eq!(got.as_ptr(), sent.as_ptr());
}

/// Each piece begins the time anew.
#[tokio::test(start_paused = true)]
async fn a_pause_is_too_long_and_a_slow_body_is_not() {
    let second = Duration::from_secs(1);
    let slow = stream::iter(["a", "b", "c"]).then(move |piece| async move {
        tokio::time::sleep(2 * second).await;
        Ok::<_, std::io::Error>(piece)
    });
    let got = read_body(Body::from_stream(Box::pin(slow)), LIMIT, 3 * second).await;
    assert_eq!(got.expect("a body"), "abc");

    let stuck = stream::iter([Ok("a")]).chain(stream::once(future::pending()));
    let stuck: Body = Body::from_stream(stuck.map(|piece: std::io::Result<&str>| piece));
    let got = read_body(stuck, LIMIT, 3 * second).await;
    assert!(matches!(got, Err(BodyError::TooSlow)), "{got:?}");
}

#[tokio::test]
async fn a_broken_body_is_told_from_a_slow_one() {
    let broken = stream::iter([Ok("a"), Err(std::io::Error::other("gone"))]);
    let got = read(Body::from_stream(broken)).await;
    assert!(matches!(got, Err(BodyError::Broken(_))), "{got:?}");
}
