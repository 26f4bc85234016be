//! The coordination hub as a service.
//!
//! Start reading at [`http::router`]: its table is the list of what the hub can do. A request goes
//! from [`net`] (connections) through [`http::layers`] (who may call) to [`http::handle`], is read by
//! [`wire`], decided by `coordhub-core`, and answered by [`wire::reply`].
//!
//! [`router`] gives the whole face as an [`axum::Router`], to mount in a program of your own;
//! [`start`] gives the service that the `coordhub` command runs.

pub mod config;
pub mod net;
pub mod access;
pub mod wire;
pub mod app;
pub mod sockets;
pub mod places;
pub mod metrics;
pub mod bridge;
pub mod http;
pub mod ws;
pub mod monitor;
pub mod process;
pub mod bench;
mod serve;
pub mod cli;

pub use app::App;
pub use config::Config;
pub use serve::{Running, ServeError, router, start};
