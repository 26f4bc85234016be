//! Connections: from a bound port to a request in the service, and back to a closed socket.
//!
//! `axum::serve` closes nothing by itself: a client that sends no byte, half a head or half a body
//! holds its connection for ever. This module is the accept loop that does, with limits on
//! everything, and the drain that ends a process without cutting what runs.
//!
//! The path of a connection, which is also the order to read the files in:
//!
//! 1. [`Listeners::bind`] takes the addresses and reports the real ones.
//! 2. [`serve()`] accepts, gives each connection a seat (or a 503 when all are taken), and spawns it.
//! 3. `entrance` has decided whether it is let in at all, and whether it must speak TLS (`tls`).
//! 4. `connection` drives hyper until the client, a deadline or the drain ends it.
//! 5. `stream` is the socket, and `watch` knows what it is waiting for, and until when.
//! 6. [`read_body`] is called by handlers for a body that is bounded in size and in patience.
//! 7. [`Drain`] tells everybody that the hub is stopping, and waits for those who still hold a
//!    [`DrainGuard`]; [`Signals`] turns SIGTERM and Ctrl-C into that.
//!
//! ```no_run
//! use coordhub_server::net::{ConnectionLimits, Drain, Entrance, Listeners, Signals, serve};
//!
//! # async fn run(router: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! let signals = Signals::install()?; // Before the bind, so that no early signal is lost.
//! let listeners = Listeners::bind(&["127.0.0.1:8550".parse()?]).await?;
//! println!("listening on {:?}", listeners.local_addresses());
//! let drain = Drain::new();
//! tokio::spawn(signals.drive(drain.clone()));
//! serve(listeners, router, ConnectionLimits::default(), Entrance::default(), drain).await;
//! // Flush what is left here; then return from `main` with success.
//! # Ok(())
//! # }
//! ```

mod limits;
mod listener;

mod cidr;
mod tls;
mod entrance;

mod accept;
mod connection;
mod stream;
mod watch;

mod deliveries;
mod body;
mod refusal;

mod drain;
mod signal;

#[cfg(test)]
mod tests;

pub use self::accept::{Drained, serve};
pub use self::body::{BodyError, read_body};
pub use self::cidr::{Cidr, InvalidCidr};
pub use self::connection::{Connections, Peer};
pub use self::deliveries::{Deliveries, Undelivered};
pub use self::drain::{Drain, DrainGuard};
pub use self::entrance::{Accepts, Entrance, neighbourhood};
pub use self::limits::{ConnectionLimits, HEAD_BYTES_MAX, HEADERS_MAX};
pub use self::listener::{BindError, Listeners};
pub use self::signal::{Signal, Signals};
pub use self::tls::{Tls, TlsError, TlsFiles};
