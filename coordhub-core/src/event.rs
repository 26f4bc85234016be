//! All that can have happened. Events are complete: evolving reads nothing else.
//!
//! `docs/events.md` is the table of kinds and fields; a test holds the two together.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    command::Auth,
    ids::{ChannelName, EntityId, ProposalId, Seq, TaskId},
    json::JsonText,
    model::{Entity, Message, Priority, Proposal, ProposalStatus, Tally, Task, Vote},
    time::Timestamp,
};

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped {
    /// Its position, counted without holes.
    pub seq: Seq,
    /// When it happened, by the hub's clock.
    pub at: Timestamp,
    /// Who did it: an entity, `system`, or nobody that was named.
    pub actor: Option<EntityId>,
    /// How the hub knew who that was.
    pub auth: Auth,
    /// What happened.
    pub event: Event,
}

/// Lists the events once: the enum, its kinds, and the way to and from the stored text.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($payload:ty) = $kind:literal,)+) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event { $($(#[$doc])* $variant($payload),)+ }

        impl Event {
            /// Every kind, in the order of the documents.
            pub const KINDS: &'static [&'static str] = &[$($kind,)+];

            /// The stable word for what happened.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            /// What happened, as the JSON that stands in the log and in `data`.
            pub fn data(&self) -> String {
                match self { $(Self::$variant(payload) => to_text(payload),)+ }
            }

            /// Reads an event back. `None` where the kind is unknown or the text does not fit it.
            pub fn from_stored(kind: &str, data: &str) -> Option<Self> {
                match kind {
                    $($kind => from_text::<$payload>(data).map(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// An entity registered for the first time, or anew after its removal.
    EntityRegistered(EntityRegistered) = "entity_registered",
    /// A registered entity changed what it said of itself.
    EntityUpdated(EntityUpdated) = "entity_updated",
    /// An entity was removed.
    EntityRemoved(EntityRemoved) = "entity_removed",
    /// A message was sent.
    MessageSent(Arc<Message>) = "message_sent",
    /// An entity marked messages read. Only itself sees this.
    ReadCursorMoved(ReadCursorMoved) = "read_cursor_moved",
    /// A task was created.
    TaskCreated(TaskCreated) = "task_created",
    /// What a task says was changed.
    TaskUpdated(TaskUpdated) = "task_updated",
    /// A task was claimed.
    TaskClaimed(TaskClaimed) = "task_claimed",
    /// A claimed task went back to the pool.
    TaskReleased(TaskReleased) = "task_released",
    /// A task was completed.
    TaskCompleted(TaskCompleted) = "task_completed",
    /// A task failed.
    TaskFailed(TaskFailed) = "task_failed",
    /// A task was withdrawn.
    TaskCancelled(TaskCancelled) = "task_cancelled",
    /// A failed or cancelled task was opened again.
    TaskReopened(TaskReopened) = "task_reopened",
    /// The last dependency of a task was completed.
    TaskReady(TaskReady) = "task_ready",
    /// A proposal was made.
    ProposalCreated(ProposalCreated) = "proposal_created",
    /// A vote was cast or changed.
    VoteCast(VoteCast) = "vote_cast",
    /// A proposal was decided.
    ProposalDecided(ProposalDecided) = "proposal_decided",
    /// A proposal was taken back.
    ProposalWithdrawn(ProposalWithdrawn) = "proposal_withdrawn",
}

/// The first version of every kind's fields; stored with each event so that later ones can differ.
pub const EVENT_VERSION: u32 = 1;

fn to_text<T: Serialize>(payload: &T) -> String {
    // Serializing plain data with text keys has no way to fail.
    serde_json::to_string(payload).unwrap_or_else(|_| "null".to_owned())
}

fn from_text<T: DeserializeOwned>(data: &str) -> Option<T> {
    serde_json::from_str(data).ok()
}

/// See [`Event::EntityRegistered`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityRegistered {
    /// The entity.
    pub entity: Entity,
    /// Open proposals whose electorate it joined.
    pub joins: Vec<ProposalId>,
}

/// See [`Event::EntityUpdated`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityUpdated {
    /// Which.
    pub entity_id: EntityId,
    /// Its name now.
    pub name: String,
    /// Its capabilities now.
    pub capabilities: Vec<String>,
    /// Its metadata now.
    pub metadata: JsonText,
}

/// See [`Event::EntityRemoved`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityRemoved {
    /// Which.
    pub entity_id: EntityId,
    /// What people called it.
    pub name: String,
}

/// See [`Event::ReadCursorMoved`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReadCursorMoved {
    /// Whose.
    pub entity_id: EntityId,
    /// The channel whose cursor moved; `null` for direct messages, and for all.
    pub channel: Option<ChannelName>,
    /// Whether the cursor of direct messages moved alone.
    pub direct: bool,
    /// Up to and with which `seq`.
    pub up_to: Seq,
}

/// See [`Event::TaskCreated`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskCreated {
    /// The task as it began.
    pub task: Task,
}

/// See [`Event::TaskUpdated`]. `null` stands for what did not change.
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
}

/// See [`Event::TaskClaimed`].
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
}

/// Why a claim ended without a result.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// Its holder gave it back.
    Released,
    /// Its holder was removed.
    HolderRemoved,
}

/// See [`Event::TaskReleased`].
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
}

/// See [`Event::TaskCompleted`].
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

/// See [`Event::TaskFailed`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskFailed {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
    /// Who gave it up.
    pub claimed_by: EntityId,
    /// Why.
    pub reason: Option<String>,
    /// How many attempts have failed now.
    pub attempts: u32,
}

/// See [`Event::TaskCancelled`].
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
}

/// See [`Event::TaskReopened`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskReopened {
    /// The whole task: a finished one may have left memory long ago.
    pub task: Task,
    /// How often it has been claimed, so that tokens go on growing.
    pub claim_token: u64,
    /// The `seq` of its creation.
    pub created_seq: Seq,
}

/// See [`Event::TaskReady`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TaskReady {
    /// Which.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// Its creator.
    pub created_by: Option<EntityId>,
}

/// See [`Event::ProposalCreated`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalCreated {
    /// The proposal as it began.
    pub proposal: Proposal,
    /// Whether newcomers join its electorate.
    pub open_electorate: bool,
    /// Whether its quorum follows the number of those who may vote.
    pub default_quorum: bool,
    /// The humans in its electorate.
    pub human_electors: Vec<EntityId>,
}

/// See [`Event::VoteCast`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct VoteCast {
    /// On which proposal.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// The vote.
    pub vote: Vote,
    /// Whether a human cast it.
    pub by_human: bool,
    /// How the votes stand with it.
    pub tally: Tally,
}

/// See [`Event::ProposalDecided`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalDecided {
    /// Which.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// Its proposer.
    pub proposed_by: Option<EntityId>,
    /// `approved`, `rejected` or `expired`.
    pub status: ProposalStatus,
    /// How the votes stood.
    pub tally: Tally,
    /// Whether an admin decided it against the rule.
    pub forced: bool,
}

/// See [`Event::ProposalWithdrawn`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalWithdrawn {
    /// Which.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// Its proposer.
    pub proposed_by: Option<EntityId>,
}

/// What an event is about: the id its history is kept under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject<'a> {
    /// A task.
    Task(&'a TaskId),
    /// A proposal.
    Proposal(&'a ProposalId),
    /// An entity.
    Entity(&'a EntityId),
    /// A message, which is its own record.
    Message,
}

impl Event {
    /// What the event is about.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::EntityRegistered(e) => Subject::Entity(&e.entity.entity_id),
            Self::EntityUpdated(e) => Subject::Entity(&e.entity_id),
            Self::EntityRemoved(e) => Subject::Entity(&e.entity_id),
            Self::MessageSent(_) => Subject::Message,
            Self::ReadCursorMoved(e) => Subject::Entity(&e.entity_id),
            Self::TaskCreated(e) => Subject::Task(&e.task.task_id),
            Self::TaskUpdated(e) => Subject::Task(&e.task_id),
            Self::TaskClaimed(e) => Subject::Task(&e.task_id),
            Self::TaskReleased(e) => Subject::Task(&e.task_id),
            Self::TaskCompleted(e) => Subject::Task(&e.task_id),
            Self::TaskFailed(e) => Subject::Task(&e.task_id),
            Self::TaskCancelled(e) => Subject::Task(&e.task_id),
            Self::TaskReopened(e) => Subject::Task(&e.task.task_id),
            Self::TaskReady(e) => Subject::Task(&e.task_id),
            Self::ProposalCreated(e) => Subject::Proposal(&e.proposal.proposal_id),
            Self::VoteCast(e) => Subject::Proposal(&e.proposal_id),
            Self::ProposalDecided(e) => Subject::Proposal(&e.proposal_id),
            Self::ProposalWithdrawn(e) => Subject::Proposal(&e.proposal_id),
        }
    }
}
