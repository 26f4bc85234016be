//! Answers that are given below HTTP: before there is a request, or to a client that gets no seat.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a client may take to read why it was refused, while what it still sends is thrown away.
const LINGER: Duration = Duration::from_secs(1);

/// A problem document with the response around it.
pub(super) struct Refusal {
    status: u16,
    title: &'static str,
    code: &'static str,
    detail: &'static str,
    /// Further header lines, each with its line end.
    headers: &'static str,
}

/// All seats are taken.
pub(super) const BUSY: Refusal = Refusal {
    status: 503,
    title: "Service Unavailable",
    code: "busy",
    detail: "The hub has as many open connections as it allows; try again in a moment.",
    headers: "Retry-After: 1\r\n",
};

/// The client's address is none of those that are expected.
pub(super) const NOT_EXPECTED: Refusal = Refusal {
    status: 403,
    title: "Forbidden",
    code: "address_not_allowed",
    detail: "This hub takes no connections from this address; --trusted-network or --behind-proxy names those that it takes.",
    headers: "",
};

/// The client's address has all the connections that it may have.
pub(super) const TOO_MANY: Refusal = Refusal {
    status: 429,
    title: "Too Many Requests",
    code: "too_many_open",
    detail: "This address has as many open connections as it may have; close some, or keep them for several requests.",
    headers: "Retry-After: 1\r\n",
};

/// A head that did not end in time.
pub(super) const HEAD_TOO_SLOW: Refusal = Refusal {
    status: 408,
    title: "Request Timeout",
    code: "too_slow",
    detail: "The head of the request did not arrive in time.",
    headers: "",
};

impl Refusal {
    /// The bytes of the response.
    pub(super) fn render(&self) -> Vec<u8> {
        let Self { status, title, code, detail, headers } = self;
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","code":"{code}"}}"#
        );
        let length = body.len();
        format!(
            "HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\n\
             Content-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Tells a client why it is not let in, without waiting for it.
///
/// `lingering` bounds how many of them get the time to read it; a flood beyond that is just closed.
pub(super) fn turn_away(stream: TcpStream, why: &Refusal, lingering: &Arc<Semaphore>) {
    // Not through tokio, which would first wait to be told that a new socket can be written to.
    let Ok(stream) = stream.into_std() else { return };
    let told = (&stream).write_all(&why.render()).and_then(|()| stream.shutdown(Shutdown::Write));
    if told.is_ok()
        && let Ok(permit) = Arc::clone(lingering).try_acquire_owned()
        && let Ok(stream) = TcpStream::from_std(stream)
    {
        tokio::spawn(async move {
            linger(&stream).await;
            drop(permit);
        });
    }
}

/// Throws away what the client sends until it closes its side, for a moment at most.
pub(super) async fn linger(stream: &TcpStream) {
    // It ends by its clock or by its client; both are fine.
    let _ = timeout(LINGER, async { while stream.readable().await.is_ok() && is_open(stream) {} })
        .await;
}

/// Reads once, in a function of its own so that the buffer is no part of the connection's task.
fn is_open(stream: &TcpStream) -> bool {
    let mut scrap = [0; 16 * 1024];
    match stream.try_read(&mut scrap) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
