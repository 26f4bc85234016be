//! What the tests share: the real binary on a free port, and clients that say exactly what a test wants to say.
//!
//! Everything here panics when the hub does not behave, with what the hub said and what it logged: a helper that
//! returns errors would only move the `unwrap` into each test. Everything waits for events (a line of the log, a frame,
//! the end of a process), each wait bounded; nothing sleeps.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod http;
pub mod hub;
pub mod raw_socket;
pub mod socket;
pub mod stream;
pub mod prometheus;

pub use http::{Client, Request, Response, encode};
pub use hub::{Hub, HubOptions, Refused};
pub use prometheus::Metrics;
pub use raw_socket::RawSocket;
pub use socket::Socket;
pub use stream::{Stream, StreamEvent};

use std::time::Duration;

/// The longest that any single wait of a test may take. Far above what a busy machine needs; only a hang reaches it.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
