//! Commands about the past.

use crate::{ids::Seq, model::HistoryKind, time::Timestamp};

/// See [`Command::Prune`](super::Command::Prune).
#[derive(Clone, Copy, Debug)]
pub struct Prune {
    /// Which part of the past.
    pub what: HistoryKind,
    /// What is older than this.
    pub before: Timestamp,
    /// The newest place in the log that is: for messages and events.
    pub up_to: Option<Seq>,
}

/// See [`Command::GiveUp`](super::Command::GiveUp).
#[derive(Clone, Copy, Debug)]
pub struct GiveUp {
    /// Which part of the past.
    pub what: HistoryKind,
    /// What is older than this.
    pub before: Timestamp,
}
