//! How a server is set up.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    access::{fair::FairUse, gate::AuthMode, network::Network, origin::Origins},
    net::ConnectionLimits,
};

/// Everything an operator may choose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub bind: Vec<SocketAddr>,
    /// Where the monitor listens, if it does.
    pub monitor: Option<SocketAddr>,
    /// Where the hub is kept.
    pub db: PathBuf,
    /// How callers are known.
    pub auth: AuthMode,
    /// The origin that people reach the hub by, where that is another than it sees itself.
    pub public_url: Option<String>,
    /// Whose pages may call, and under which names the hub is known.
    pub origins: Origins,
    /// How it faces a network.
    pub network: Network,
    /// How much one caller, or one address, may ask for.
    pub fair: FairUse,
    /// Bounds on connections.
    pub connections: ConnectionLimits,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// The largest message of a socket, in bytes.
    pub frame_bytes_max: usize,
    /// Bounds on what the hub takes in.
    pub limits: coordhub_core::limits::Limits,
    /// How long the past is kept.
    pub retention: coordhub_core::model::Retention,
}

/// The port of the hub.
pub const PORT: u16 = 8550;

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec![SocketAddr::from(([127, 0, 0, 1], PORT))],
            monitor: None,
            db: PathBuf::from("coordination_hub.db"),
            auth: AuthMode::default(),
            public_url: None,
            origins: Origins::default(),
            network: Network::default(),
            fair: FairUse::default(),
            connections: ConnectionLimits::default(),
            body_bytes_max: 1024 * 1024,
            frame_bytes_max: 1024 * 1024,
            limits: coordhub_core::limits::Limits::default(),
            retention: coordhub_core::model::Retention::default(),
        }
    }
}
