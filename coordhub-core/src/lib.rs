//! The coordination hub as a library: a deterministic state machine, its store, and subscriptions.
//! No async runtime, no sockets.
//!
//! The way of a change:
//!
//! ```text
//! Command ─▶ queue ─▶ prefetch ─▶ hub::decide ─▶ [Event] ─▶ Store::commit ─▶ publish ─▶ Reply
//! (typed)    (one     (cold rows)  (pure)                   (one synced      │
//!             writer)                                        transaction)    └▶ Subscription
//! ```
//!
//! A command is acknowledged after the transaction that holds its events was synced; nobody sees
//! them before. [`Hub`] is the handle to all of it. The modules below stand in reading order.

pub mod ids;
pub mod time;
pub mod limits;
pub mod resource;
pub mod json;
pub mod secret;
pub mod model;
pub mod command;
pub mod event;
pub mod hub;
pub mod store;
pub mod engine;
pub mod subscribe;

pub use engine::{Claim, Hub, HubError, Made, Outcome, Reply, Request, Sent, Ticket};
pub use json::JsonText;
pub use time::Timestamp;
