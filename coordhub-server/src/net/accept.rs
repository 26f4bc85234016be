//! Accepting, within bounds, until the drain.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service;
use tracing::{debug, warn};

use super::connection::{Connections, Seat, serve_connection};
use super::drain::Drain;
use super::entrance::{Entrance, NotLetIn, Present};
use super::limits::ConnectionLimits;
use super::listener::Listeners;
use super::refusal::{BUSY, NOT_EXPECTED, Refusal, TOO_MANY, turn_away};

/// How long to leave the listener alone when the process cannot open more files: it would report
/// the same error again at once.
const BACK_OFF: Duration = Duration::from_millis(50);

/// How many clients without a seat may be read from while they take in their 503.
const LINGERING_MAX: usize = 64;

/// How a drain ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Drained {
    /// Everything that was under way came to its end.
    Settled,
    /// Time was up; the rest ends with the process.
    TimedOut {
        /// Guards still held, which is at most a few for each connection.
        guards: usize,
    },
}

/// Serves connections until the drain begins, then waits for those that are left, for at most
/// [`ConnectionLimits::drain_timeout`].
///
/// The service is cloned for each connection and each request; an `axum::Router` is one. A request
/// carries its [`Peer`](super::Peer) as an extension. A handler whose client goes away is dropped
/// where it waits, so what must be finished belongs in a task of its own.
pub async fn serve<S, B>(
    listeners: Listeners,
    service: S,
    limits: ConnectionLimits,
    entrance: Entrance,
    drain: Drain,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let door = Door::new(limits, entrance, drain.clone());
    {
        let mut accepting = std::pin::pin!(door.accept_all(&listeners, service));
        tokio::select! {
            biased;
            () = drain.wait() => {}
            never = &mut accepting => match never {},
        }
    }
    // New clients are refused by the system from here on, and find no hub rather than a deaf one.
    drop(listeners);
    match timeout(limits.drain_timeout, drain.settled()).await {
        Ok(()) => Drained::Settled,
        Err(_elapsed) => Drained::TimedOut { guards: drain.guards() },
    }
}

/// Where it is decided who comes in.
struct Door {
    limits: ConnectionLimits,
    entrance: Entrance,
    present: Present,
    drain: Drain,
    seats: Arc<Semaphore>,
    lingering: Arc<Semaphore>,
}

/// Whether the last attempt to accept failed, so that a burst of failures is logged once.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Accepting {
    Well,
    Badly,
}

impl Door {
    fn new(limits: ConnectionLimits, entrance: Entrance, drain: Drain) -> Self {
        Self {
            limits,
            entrance,
            present: Present::default(),
            drain,
            seats: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            lingering: Arc::new(Semaphore::new(LINGERING_MAX)),
        }
    }

    /// Goes on until it is dropped.
    async fn accept_all<S, B>(&self, listeners: &Listeners, service: S) -> Infallible
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut accepting = Accepting::Well;
        loop {
            match listeners.accept().await {
                Ok(accepted) => {
                    accepting = Accepting::Well;
                    self.admit(accepted, &service, listeners.connections());
                }
                Err(error) if concerns_one_client(&error) => debug!(%error, "client left early"),
                Err(error) => {
                    if accepting == Accepting::Well {
                        warn!(%error, "cannot accept connections; trying on");
                    }
                    accepting = Accepting::Badly;
                    sleep(BACK_OFF).await;
                }
            }
        }
    }

    fn admit<S, B>(
        &self,
        (stream, peer): (TcpStream, SocketAddr),
        service: &S,
        connections: &Arc<Connections>,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let visit = match self.present.admit(&self.entrance, peer.ip()) {
            Ok(visit) => visit,
            Err(NotLetIn::Address) => return self.refuse(stream, &NOT_EXPECTED),
            Err(NotLetIn::TooMany) => {
                connections.turn_away();
                return self.refuse(stream, &TOO_MANY);
            }
        };
        let Ok(permit) = Arc::clone(&self.seats).try_acquire_owned() else {
            debug!(%peer, "no seat left");
            connections.turn_away();
            return self.refuse(stream, &BUSY);
        };
        // Small answers must not wait for the client's acknowledgement of the one before. A socket
        // that refuses is dead already, and will say so when it is read.
        let _ = stream.set_nodelay(true);
        let seat = Seat::new(permit, visit, self.drain.guard(), connections.clone());
        let (limits, drain) = (self.limits, self.drain.clone());
        let tls = self.entrance.tls.clone();
        tokio::spawn(serve_connection((stream, peer), tls, seat, service.clone(), limits, drain));
    }

    /// Says why, where the client could read it: nothing can be said before TLS is agreed on.
    fn refuse(&self, stream: TcpStream, why: &Refusal) {
        if self.entrance.tls.is_none() {
            turn_away(stream, why, &self.lingering);
        }
    }
}

/// Errors that `accept` reports about a connection that is gone, and not about the listener.
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
