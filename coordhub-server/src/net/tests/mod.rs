//! Raw bytes against a real listener.
//!
//! Every limit that a test is not about is longer than the test's own patience, so that whatever
//! happens can only have come from the limit under test, on a machine of any speed.

mod bodies;
mod bounds;
mod draining;
mod slow_clients;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{
    BodyError, ConnectionLimits, Drain, Drained, Entrance, Listeners, Peer, read_body, serve,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const UPGRADE: &str =
    "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(60);
/// A limit under test.
const SOON: Duration = Duration::from_millis(100);
/// How long a test waits for what it expects.
const PATIENCE: Duration = Duration::from_secs(20);

fn patient() -> ConnectionLimits {
    ConnectionLimits {
        connections_max: 100,
        first_byte_timeout: FOREVER,
        head_timeout: FOREVER,
        idle_timeout: FOREVER,
        body_progress_timeout: FOREVER,
        write_progress_timeout: FOREVER,
        drain_timeout: FOREVER,
    }
}

struct Hub {
    address: SocketAddr,
    drain: Drain,
    gate: Arc<Notify>,
    entered: Arc<Notify>,
    served: JoinHandle<Drained>,
}

#[derive(Clone)]
struct App {
    limits: ConnectionLimits,
    drain: Drain,
    /// Opened by a test to let a request at `/gate` finish.
    gate: Arc<Notify>,
    /// Told when a request at `/gate` runs.
    entered: Arc<Notify>,
}

impl Hub {
    async fn start(limits: ConnectionLimits) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = Listeners::bind(&[loopback]).await.expect("a free port");
        let address = listeners.local_addresses()[0];
        let drain = Drain::new();
        let (gate, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let app = App {
            limits,
            drain: drain.clone(),
            gate: Arc::clone(&gate),
            entered: Arc::clone(&entered),
        };
        let served =
            tokio::spawn(serve(listeners, routes(app), limits, Entrance::default(), drain.clone()));
        Self { address, drain, gate, entered, served }
    }

    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("a listening hub") }
    }

    /// A client that has been served once, and so surely has its seat.
    async fn served_client(&self) -> Client {
        let mut client = self.connect().await;
        assert_eq!(client.ask(GET).await.0, 200);
        client
    }

    async fn outcome(self) -> Drained {
        patiently(self.served).await.expect("serve returns")
    }
}

struct Client {
    stream: TcpStream,
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the hub reads");
    }

    /// One response with a `Content-Length` of one digit or more, leaving the connection open.
    async fn response(&mut self) -> (u16, String) {
        let mut text = String::new();
        let head_bytes = loop {
            if let Some(end) = text.find("\r\n\r\n") {
                break end + 4;
            }
            text.push(self.byte().await);
        };
        let length = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().expect("a length"));
        while text.len() < head_bytes + length {
            text.push(self.byte().await);
        }
        (status(&text), text)
    }

    async fn ask(&mut self, request: &str) -> (u16, String) {
        self.send(request).await;
        self.response().await
    }

    async fn byte(&mut self) -> char {
        patiently(self.stream.read_u8()).await.expect("more bytes").into()
    }

    /// Everything until the hub closes.
    async fn rest(&mut self) -> String {
        let mut text = String::new();
        patiently(self.stream.read_to_string(&mut text)).await.expect("a clean end");
        text
    }
}

fn status(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line")
}

async fn patiently<F: IntoFuture>(future: F) -> F::Output {
    timeout(PATIENCE, future.into_future()).await.expect("it happens at all")
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/peer", get(peer))
        .route("/body", post(body))
        .route("/gate", get(wait_at_gate))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/stream", get(stream_slowly))
        .route("/upgrade", any(upgrade))
        .with_state(app)
}

async fn peer(request: Request) -> String {
    let Peer { address, .. } = request.extensions().get().expect("every request has a peer");
    address.to_string()
}

async fn body(State(app): State<App>, request: Request) -> Response {
    match read_body(request.into_body(), 1024, app.limits.body_progress_timeout).await {
        Ok(bytes) => bytes.into_response(),
        Err(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(BodyError::Broken(_)) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn wait_at_gate(State(app): State<App>) -> &'static str {
    app.entered.notify_one();
    app.gate.notified().await;
    "through"
}

/// Three pieces with a pause before each.
async fn stream_slowly() -> axum::body::Body {
    let pieces = futures_util::stream::unfold(0, |sent| async move {
        tokio::time::sleep(2 * SOON).await;
        (sent < 3).then_some((Ok::<_, std::io::Error>("piece "), sent + 1))
    });
    axum::body::Body::from_stream(pieces)
}

/// Echoes until the drain, then says goodbye; but never leaves by itself after an `!`.
async fn upgrade(State(app): State<App>, mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgraded.await.expect("an upgrade"));
        let mut stubborn = false;
        loop {
            tokio::select! {
                byte = stream.read_u8() => {
                    let Ok(byte) = byte else { return };
                    stubborn |= byte == b'!';
                    stream.write_u8(byte).await.expect("the client reads");
                }
                () = app.drain.wait(), if !stubborn => {
                    stream.write_all(b"bye").await.expect("the client reads");
                    return;
                }
            }
        }
    });
    let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
