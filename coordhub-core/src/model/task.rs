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
    /// | | create with a `not_before` to come | `scheduled` |
    /// | `blocked` | its last dependency completes | `open`, or `scheduled` |
    /// | `blocked` | a dependency fails or is cancelled, and it said `cancel` | `cancelled` |
    /// | `scheduled` | its time comes | `open` |
    /// | `open` | claim | `in_progress` |
    /// | `in_progress` | release, reassign, removal of its holder | `open` |
    /// | `in_progress` | its lease lapses | `open`, or `failed` after its last attempt |
    /// | `in_progress` | complete | `completed` |
    /// | `in_progress` | fail | `open` or `scheduled` while it has attempts left, else `failed` |
    /// | `open`, `scheduled`, `failed` after a lapse | complete with the token that lapsed | `completed` |
    /// | `open`, `in_progress`, for a human | answer, or the default at the deadline | `completed` |
    /// | `open`, `in_progress` | the deadline of a question without a default | `failed` |
    /// | `open`, `blocked`, `scheduled`, `in_progress` | cancel | `cancelled` |
    /// | `failed`, `cancelled` | reopen | `open`, `blocked` or `scheduled` |
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

words! {
    /// What becomes of a task when one that it depends on fails or is cancelled.
    #[derive(Default)]
    OnBlockerFailed {
        #[default]
        /// It stays blocked: whoever reopens the other one unblocks it.
        Hold = "hold",
        /// It is cancelled, and so are those that depend on it and say the same.
        Cancel = "cancel",
    }
}

/// What a task asks a human, where it is a question.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Question {
    /// The answers to choose from; any answer will do where there are none.
    pub options: Vec<String>,
    /// Until when it is asked.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub deadline: Option<Timestamp>,
    /// What is taken for the answer at the deadline; without one the task then fails.
    pub default: Option<String>,
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
    /// How many attempts have failed, lapsed ones included.
    pub attempts: u32,
    /// After how many it is given up. `null`: after the first that is reported as failed, and after
    /// no number of lapses.
    pub max_attempts: Option<u32>,
    /// How long it rests after an attempt that was reported as failed.
    pub retry_delay_seconds: Option<u32>,
    /// Before when it cannot be claimed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub not_before: Option<Timestamp>,
    /// When its claim lapses; `null` for a claim without a lease.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub lease_expires_at: Option<Timestamp>,
    /// What becomes of it when a task that it depends on fails or is cancelled.
    #[serde(default)]
    pub on_blocker_failed: OnBlockerFailed,
    /// What it asks a human, where it is a question.
    #[serde(default)]
    pub question: Option<Question>,
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
    /// How long the lease of its present claim is, where that has one.
    #[serde(skip)]
    pub lease_seconds: Option<u32>,
    /// Who held it under a claim that lapsed, until somebody takes it: that one may still complete it.
    #[serde(skip)]
    pub lapsed_holder: Option<EntityId>,
}

/// A remark on a task, made while it was worked on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Note {
    /// The `seq` of its event.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub seq: Seq,
    /// Who made it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub entity_id: Option<EntityId>,
    /// What it says.
    pub note: String,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}

/// What somebody brought who had lost the task meanwhile. Kept, so that no work is thrown away.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LateResult {
    /// The `seq` of its event.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub seq: Seq,
    /// Who brought it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub entity_id: Option<EntityId>,
    /// Under which claim it was made.
    pub claim_token: u64,
    /// The result.
    #[cfg_attr(feature = "schema", schema(value_type = Option<serde_json::Value>))]
    pub result: Option<JsonText>,
    /// When it came.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
}
