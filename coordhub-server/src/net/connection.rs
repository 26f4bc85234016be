//! One connection, from accept to close.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tower_service::Service;
use tracing::debug;

use super::deliveries::Deliveries;
use super::drain::{Drain, DrainGuard};
use super::entrance::Visit;
use super::limits::{ConnectionLimits, HEAD_BYTES_MAX};
use super::refusal::{self, HEAD_TOO_SLOW};
use super::stream::{WatchedBody, WatchedStream};
use super::tls::{Tls, Wire};
use super::watch::{Deadline, Expired, Phase, Watch};

/// Who is at the other end, as an extension of every request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is under TLS.
    pub is_secure: bool,
}

/// What is counted of connections. Clones of the handle count the same.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    turned_away: AtomicU64,
}

impl Connections {
    /// How many are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// How many were refused because all seats were taken.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Relaxed)
    }

    pub(super) fn turn_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }
}

/// A connection's place among the bounded number of them. It lives in the socket, so it is given
/// back when the socket closes, whoever owns it by then.
#[derive(Debug)]
pub(super) struct Seat {
    _permit: OwnedSemaphorePermit,
    _visit: Visit,
    _guard: DrainGuard,
    connections: Arc<Connections>,
}

impl Seat {
    /// Takes a seat.
    pub(super) fn new(
        permit: OwnedSemaphorePermit,
        visit: Visit,
        guard: DrainGuard,
        connections: Arc<Connections>,
    ) -> Self {
        connections.open.fetch_add(1, Relaxed);
        Self { _permit: permit, _visit: visit, _guard: guard, connections }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Relaxed);
    }
}

/// How a connection came to its end, seen from the loop that drives it.
enum End {
    Finished(hyper::Result<()>),
    Expired(Expired),
    /// The hub was stopping and nothing was under way.
    DrainedIdle,
}

/// Serves requests until the client, a deadline or the drain ends the connection.
pub(super) async fn serve_connection<S, B>(
    (stream, peer): (TcpStream, SocketAddr),
    tls: Option<Tls>,
    seat: Seat,
    service: S,
    limits: ConnectionLimits,
    drain: Drain,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let is_secure = tls.is_some();
    let stream = match tls {
        None => Wire::Plain(stream),
        Some(tls) => match secured(&tls, stream, limits, &drain).await {
            Some(stream) => stream,
            None => return,
        },
    };
    let watch = Arc::new(Watch::new(limits));
    let deliveries = Arc::new(Deliveries::default());
    let stream = WatchedStream::new(stream, Arc::clone(&watch), Arc::clone(&deliveries), seat);

    let service = TowerToHyperService::new(service);
    let reporter = Arc::clone(&watch);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        reporter.request_started(request.body().size_hint().exact());
        request.extensions_mut().insert(Peer { address: peer, is_secure });
        request.extensions_mut().insert(Arc::clone(&deliveries));
        let answered = service.call(request);
        let reporter = Arc::clone(&reporter);
        async move { Ok::<_, S::Error>(answered.await?.map(|body| WatchedBody::new(body, reporter))) }
    });

    let mut connection = protocol().serve_connection(TokioIo::new(stream), answer).with_upgrades();
    let tell = UpgradeableConnection::graceful_shutdown;
    let end = drive(&mut connection, tell, &watch, &drain).await;
    match connection.into_parts() {
        Some(parts) => part(parts.io.into_inner(), &watch, end).await,
        None => watch.upgraded(),
    }
}

/// The connection under TLS, if the client agrees to it as quickly as it would have to send a head.
async fn secured(
    tls: &Tls,
    stream: TcpStream,
    limits: ConnectionLimits,
    drain: &Drain,
) -> Option<Wire> {
    let patience = limits.first_byte_timeout + limits.head_timeout;
    tokio::select! {
        biased;
        () = drain.wait() => None,
        agreed = timeout(patience, tls.accept(stream)) => match agreed {
            Ok(agreed) => agreed.inspect_err(|error| debug!(%error, "no TLS")).ok(),
            Err(_) => {
                debug!("connection closed: TLS was not agreed on in time");
                None
            }
        },
    }
}

/// The protocol settings that all connections share.
fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    // `watch` does the first, and `HEADERS_MAX` is the default; both say why. The size of the buffer
    // alone would let a head through that arrives quickly enough to overshoot it.
    protocol.header_read_timeout(None).max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX);
    protocol
}

/// Polls in this order: the drain, so that an answer that is given after it began says
/// `Connection: close`; the connection; and its timer, which must see what that poll has done.
async fn drive<C>(
    connection: &mut C,
    tell: fn(Pin<&mut C>),
    watch: &Arc<Watch>,
    drain: &Drain,
) -> End
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut told_in = None;
    let mut draining = pin!(drain.wait());
    let mut deadline = Deadline::new(Arc::clone(watch));
    loop {
        tokio::select! {
            biased;
            () = &mut draining, if told_in.is_none() => {
                told_in = Some(watch.phase());
                tell(Pin::new(&mut *connection));
            }
            finished = &mut *connection => return match told_in {
                Some(Phase::FirstByte | Phase::Idle) => End::DrainedIdle,
                _ => End::Finished(finished),
            },
            expired = &mut deadline => return End::Expired(expired),
        }
    }
}

/// Says what there is to say to a client before the socket is dropped.
///
/// A socket that is dropped with bytes unread resets the connection, and the reset may overtake the
/// answer that explains it. So a client that is still sending gets a moment to read it.
async fn part(stream: WatchedStream, watch: &Watch, end: End) {
    // Under TLS what is said outside of it would be noise to the client.
    let may_be_told = !stream.is_secure();
    let stream = stream.socket();
    match end {
        End::DrainedIdle => {}
        End::Finished(Ok(())) if watch.may_send_more() => refusal::linger(stream).await,
        End::Finished(Ok(())) => {}
        End::Finished(Err(error)) => {
            debug!(%error, "connection failed");
            if error.is_parse() {
                refusal::linger(stream).await;
            }
        }
        End::Expired(expired) => {
            debug!(?expired, "connection closed: the client was too slow");
            if expired == Expired::Head && may_be_told {
                // There is room for it, since everything before it was taken.
                let _ = stream.try_write(&HEAD_TOO_SLOW.render());
            }
        }
    }
}
