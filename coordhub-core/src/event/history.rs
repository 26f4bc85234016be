//! What can happen to the history itself.

use serde::{Deserialize, Serialize};

use crate::{ids::Seq, model::HistoryKind, time::Timestamp};

/// See [`Event::HistoryPruned`](super::Event::HistoryPruned).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HistoryPruned {
    /// Which part of it.
    pub what: HistoryKind,
    /// What is older than this was given up.
    pub before: Timestamp,
    /// The newest place in the log that was given up; `null` for tasks and proposals.
    pub up_to: Option<Seq>,
}
