//! What is kept of the past, and for how long.

use serde::{Deserialize, Serialize};

use super::words;
use crate::{ids::Seq, time::Timestamp};

words! {
    /// A part of what a hub remembers.
    HistoryKind {
        /// What was said. That it was stays in the log.
        Messages = "messages",
        /// The log itself, and with it what was said.
        Events = "events",
        /// Tasks that are finished, with their notes and late results.
        Tasks = "tasks",
        /// Proposals that are decided, with their votes.
        Proposals = "proposals",
    }
}

/// Up to where each part of the past was given up. What is older may still be there for a while; it
/// does not count any more.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Horizons {
    /// Messages up to and with this one.
    pub messages: Seq,
    /// Events up to and with this one.
    pub events: Seq,
    /// Tasks that were finished before.
    pub tasks: Timestamp,
    /// Proposals that were decided before.
    pub proposals: Timestamp,
}

impl Horizons {
    /// From here on the log is whole.
    pub fn oldest_seq(&self) -> Seq {
        self.messages.max(self.events) + 1
    }
}

/// How long each part of the past is kept, in milliseconds; for ever where nothing is said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Retention {
    /// Messages.
    pub messages_millis: Option<i64>,
    /// The log.
    pub events_millis: Option<i64>,
    /// Finished tasks.
    pub tasks_millis: Option<i64>,
    /// Decided proposals.
    pub proposals_millis: Option<i64>,
}

impl Retention {
    /// How long `kind` is kept.
    pub fn of(&self, kind: HistoryKind) -> Option<i64> {
        match kind {
            HistoryKind::Messages => self.messages_millis,
            HistoryKind::Events => self.events_millis,
            HistoryKind::Tasks => self.tasks_millis,
            HistoryKind::Proposals => self.proposals_millis,
        }
    }
}
