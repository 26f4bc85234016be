//! `coordhub bench`: load on a hub, and what came of it.
//!
//! The generator shares its machine with the hub, so it is cheap on purpose: one thread, requests built once, replies
//! read by substring. What it saves on parsing it does not save on checking: only a 200 counts, and what was lost,
//! doubled, out of order or claimed twice is counted as a fault.
//!
//! Most workloads are *closed loops*: each connection asks again when it was answered. They find out how much a hub can
//! do, and their latencies are those of a hub that is kept as busy as its clients wait for it; what a stall keeps from
//! being asked stands in no quantile. The workloads that go *by the clock* count a latency from the moment at which a
//! message was due, so that a stall shows in all that it holds up.

pub mod finding;
pub mod histogram;
pub mod progress;
pub mod target;
pub mod child;
pub mod http;
pub mod socket;
pub mod load;
pub mod fill;
pub mod cycles;
pub mod fanout;
pub mod calls;
pub mod rest;
pub mod workload;
pub mod tokens;
pub mod flood;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use self::{http::Connection, progress::Progress, target::Target, tokens::Tokens};

/// The channel that the load is sent to, and the word that names of entities begin with.
pub const CHANNEL: &str = "bench";

/// What every workload needs to know.
#[derive(Clone, Debug)]
pub struct Run {
    /// The hub under load.
    pub target: Target,
    /// How long to load it, a workload.
    pub duration: Duration,
    /// Where to count what was done.
    pub progress: Progress,
    /// What ids of this run have in common and those of another run have not.
    pub tag: String,
    /// What to show, where the hub is in token mode.
    pub tokens: Option<Arc<Tokens>>,
}

impl Run {
    /// Load on this hub.
    pub fn new(target: Target, duration: Duration, progress: Progress) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let tag = format!("{:x}", since.as_micros());
        Self { target, duration, progress, tag, tokens: None }
    }

    /// The same load once more, with ids of its own.
    #[must_use]
    pub fn again(&self) -> Self {
        let again = Self::new(self.target.clone(), self.duration, self.progress.clone());
        Self { tokens: self.tokens.clone(), ..again }
    }

    /// `host:port` of the hub.
    pub fn authority(&self) -> &str {
        self.target.authority()
    }

    /// So many connections.
    pub async fn connections(&self, count: usize) -> io::Result<Vec<Connection>> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Connection::open(self.authority()).await?);
        }
        Ok(connections)
    }

    /// What the hub answers to a `GET` with 200.
    pub async fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        let request = http::get(self.authority(), path);
        let request = match &self.tokens {
            Some(tokens) => tokens.as_admin(&request),
            None => request,
        };
        let mut connection = Connection::open(self.authority()).await?;
        Ok(connection.expect_ok(&request).await?.to_vec())
    }
}
