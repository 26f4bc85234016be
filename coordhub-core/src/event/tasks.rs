//! Events about tasks and claims.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntityId, ReservationId, Seq, TaskId},
    json::JsonText,
    model::{Priority, Task, TaskStatus},
    time::Timestamp,
};

/// See [`Event::TaskCreated`](super::Event::TaskCreated).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskCreated {
    /// The task as it began.
    pub task: Task,
}

/// See [`Event::TaskUpdated`](super::Event::TaskUpdated). `null` stands for what did not change.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskUpdated {
    /// Which.
    pub task_id: TaskId,
    /// Its title now.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Its holder.
    pub claimed_by: Option<EntityId>,
    /// Its new description.
    pub description: Option<String>,
    /// Its new priority.
    pub priority: Option<Priority>,
    /// Its new tags.
    pub tags: Option<Vec<String>>,
    /// Its new metadata.
    pub metadata: Option<JsonText>,
    /// A remark that was added.
    #[serde(default)]
    pub note: Option<String>,
}

/// See [`Event::TaskClaimed`](super::Event::TaskClaimed).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskClaimed {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who holds it now.
    pub claimed_by: EntityId,
    /// Which claim of the task this is, counted from 1.
    pub claim_token: u64,
    /// How long its lease is, where it has one.
    #[serde(default)]
    pub lease_seconds: Option<u32>,
    /// When it lapses.
    #[serde(default)]
    pub lease_expires_at: Option<Timestamp>,
}

/// See [`Event::LeaseRenewed`](super::Event::LeaseRenewed).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LeaseRenewed {
    /// Which task.
    pub task_id: TaskId,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Its holder.
    pub claimed_by: EntityId,
    /// The token of the claim.
    pub claim_token: u64,
    /// When it lapses now.
    pub lease_expires_at: Timestamp,
}

/// See [`Event::LeasesMoved`](super::Event::LeasesMoved).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LeasesMoved {
    /// Why.
    pub reason: MoveReason,
    /// Which, and when they lapse now.
    pub leases: Vec<MovedLease>,
    /// Which reservations, likewise.
    #[serde(default)]
    pub reservations: Vec<MovedReservation>,
}

/// Why leases and reservations were moved.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveReason {
    /// The clock jumped ahead.
    ClockJumped,
    /// The hub was down.
    Started,
}

/// A lease that was moved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MovedLease {
    /// Of which task.
    pub task_id: TaskId,
    /// When it lapses now.
    pub lease_expires_at: Timestamp,
}

/// A reservation that was moved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MovedReservation {
    /// Which.
    pub reservation_id: ReservationId,
    /// When it lapses now.
    pub expires_at: Timestamp,
}

/// Why a claim ended without a result.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// Its holder gave it back.
    Released,
    /// Its holder was removed.
    HolderRemoved,
    /// Its lease lapsed.
    Lapsed,
    /// Its creator, a human or an admin took it from its holder.
    Reassigned,
    /// The reply to its claim could not be written: its holder never knew.
    Undelivered,
    /// Its holder handed it over.
    HandedOver,
}

/// See [`Event::TaskReleased`](super::Event::TaskReleased).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskReleased {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who held it.
    pub claimed_by: EntityId,
    /// Why it went back.
    pub reason: ReleaseReason,
    /// How many attempts have failed now, where this was one.
    #[serde(default)]
    pub attempts: Option<u32>,
}

/// See [`Event::TaskCompleted`](super::Event::TaskCompleted).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskCompleted {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who completed it.
    pub claimed_by: EntityId,
    /// What came of it.
    pub result: Option<JsonText>,
}

/// See [`Event::TaskFailed`](super::Event::TaskFailed).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskFailed {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who held it.
    pub claimed_by: Option<EntityId>,
    /// Why, as its holder said.
    pub reason: Option<String>,
    /// How many attempts have failed now.
    pub attempts: u32,
    /// What made it fail.
    #[serde(default)]
    pub cause: FailCause,
    /// Where it stands now: `failed`, or `open` or `scheduled` where it is tried again.
    #[serde(default = "failed")]
    pub status: TaskStatus,
    /// Before when it is not tried again.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
}

/// What made a task fail.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailCause {
    /// Its holder said so.
    #[default]
    Reported,
    /// The lease of its last attempt lapsed.
    Lapsed,
    /// A question that nobody answered in time.
    Unanswered,
}

fn failed() -> TaskStatus {
    TaskStatus::Failed
}

/// See [`Event::TaskCancelled`](super::Event::TaskCancelled).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskCancelled {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who held it.
    pub claimed_by: Option<EntityId>,
    /// The task whose failure or withdrawal cancelled this one.
    #[serde(default)]
    pub blocker: Option<TaskId>,
}

/// See [`Event::LateResultKept`](super::Event::LateResultKept).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LateResultKept {
    /// Which task.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who brought the result.
    pub entity_id: Option<EntityId>,
    /// Under which claim it was made.
    pub claim_token: u64,
    /// The result.
    pub result: Option<JsonText>,
}

/// See [`Event::TaskReopened`](super::Event::TaskReopened).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskReopened {
    /// The whole task: a finished one may have left memory long ago.
    pub task: Task,
    /// How often it has been claimed, so that tokens go on growing.
    pub claim_token: u64,
    /// The `seq` of its creation.
    pub created_seq: Seq,
    /// Who held it under a claim that lapsed.
    #[serde(default)]
    pub lapsed_holder: Option<EntityId>,
}

/// See [`Event::TaskReady`](super::Event::TaskReady).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskReady {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
}
