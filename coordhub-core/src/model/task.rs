//! Tasks: work that is created, claimed by exactly one, and finished.

use serde::{Deserialize, Serialize};

use super::words;
use crate::{
    ids::{EntityId, Seq, TaskId},
    json::JsonText,
    time::Timestamp,
};

words! {
    /// Where a task stands.
    ///
    /// | from | by | to |
    /// |---|---|---|
    /// | | create | `open`, or `blocked` while a dependency is not completed |
    /// | `blocked` | its last dependency completes | `open` |
    /// | `open` | claim | `in_progress` |
    /// | `in_progress` | release, removal of its holder | `open` |
    /// | `in_progress` | complete | `completed` |
    /// | `in_progress` | fail | `failed` |
    /// | `open`, `blocked`, `in_progress` | cancel | `cancelled` |
    /// | `failed`, `cancelled` | reopen | `open`, or `blocked` |
    TaskStatus {
        /// Anyone who may can claim it.
        Open = "open",
        /// Someone holds it.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Given up by its holder.
        Failed = "failed",
        /// Withdrawn.
        Cancelled = "cancelled",
        /// A task it depends on is not completed.
        Blocked = "blocked",
        /// Its time has not come.
        Scheduled = "scheduled",
    }
}

impl TaskStatus {
    /// Whether nothing more is to be done.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

words! {
    /// How soon a task should be done. `urgent` is the least, so that it sorts first.
    Priority {
        /// Before everything else.
        Urgent = "urgent",
        /// Sooner.
        High = "high",
        /// As it comes.
        Normal = "normal",
        /// When there is nothing better to do.
        Low = "low",
    }
}

/// A task.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Task {
    /// Its id, made by the hub or chosen by its creator.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub task_id: TaskId,
    /// One line that says what is to be done.
    pub title: String,
    /// The rest of what is to be said.
    pub description: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// How soon it should be done.
    pub priority: Priority,
    /// Who created it; `null` where nobody was named.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub created_by: Option<EntityId>,
    /// Who holds it, or held it when it was finished.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub claimed_by: Option<EntityId>,
    /// Whether only a human may claim it.
    pub requires_human: bool,
    /// Whether only an AI may claim it.
    pub requires_ai: bool,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What its claimer must be able to do.
    pub capabilities: Vec<String>,
    /// The tasks that must be completed first.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub depends_on: Vec<TaskId>,
    /// Those of them that are not completed yet.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub blocked_by: Vec<TaskId>,
    /// Whatever its creator attached.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub metadata: JsonText,
    /// What came of it: any JSON, as its holder sent it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<serde_json::Value>))]
    pub result: Option<JsonText>,
    /// How many attempts have failed.
    pub attempts: u32,
    /// After how many it is given up; `null` for after the first.
    pub max_attempts: Option<u32>,
    /// How long it rests after a failed attempt.
    pub retry_delay_seconds: Option<u32>,
    /// Before when it cannot be claimed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub not_before: Option<Timestamp>,
    /// When its claim lapses; `null` for a claim without a lease.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub lease_expires_at: Option<Timestamp>,
    /// Whether its holder is offline. Worked out when the task is read; never stored.
    #[serde(default)]
    pub stale: bool,
    /// When it was created.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When its claim was made.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub claimed_at: Option<Timestamp>,
    /// When it was completed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub completed_at: Option<Timestamp>,
    /// When it last changed.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// The `seq` of its creation; lists are in this order.
    #[serde(skip)]
    pub created_seq: Seq,
    /// The fencing token of its newest claim: grows by one with each, 0 before the first.
    #[serde(skip)]
    pub claim_token: u64,
}
