//! The coordination hub as a service.
//!
//! Start reading at [`http::router`]: its table is the list of what the hub can do. A request goes
//! from [`net`] (connections) through [`http::layers`] (who may call) to [`http::handle`], is read by
//! [`wire`], decided by `coordhub-core`, and answered by [`wire::reply`].
//!
//! [`router`] gives the whole face as an [`axum::Router`], to mount in a program of your own;
//! [`start`] gives the service that the `coordhub` command runs.

#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod wire;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod sockets;
#[cfg(feature = "server")]
pub mod places;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod bridge;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod ws;
#[cfg(feature = "server")]
pub mod monitor;
#[cfg(feature = "server")]
pub mod process;
#[cfg(feature = "server")]
pub mod bench;
#[cfg(feature = "server")]
pub mod local;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "cli")]
pub mod cli;

#[cfg(feature = "server")]
pub use app::App;
#[cfg(feature = "server")]
pub use config::Config;
#[cfg(feature = "server")]
pub use serve::{Running, ServeError, router, start, start_on};
