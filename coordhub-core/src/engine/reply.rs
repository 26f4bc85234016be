//! What a caller is told.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    hub::Rejection,
    ids::Seq,
    model::{Entity, Message, Proposal, Recipients, Task},
    store::StoreError,
};

/// The answer to a command that was accepted. What it says is on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The highest `seq` of the change; the head where nothing changed.
    pub seq: Seq,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The entity as it is now.
    Entity(Arc<Entity>),
    /// Where the read cursor stands.
    CursorAt(Seq),
    /// The message, and who was there to see it.
    Message(Sent),
    /// The task as it is now.
    Task(Arc<Task>),
    /// The task, which was so already: nothing changed.
    TaskUnchanged(Arc<Task>),
    /// The proposal as it is now.
    Proposal(Arc<Proposal>),
    /// The proposal, which was so already: nothing changed.
    ProposalUnchanged(Arc<Proposal>),
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The message.
    pub message: Arc<Message>,
    /// The same as the bytes of its JSON object: it was encoded for subscribers anyway.
    pub json: Bytes,
    /// Who was there to see it.
    pub recipients: Recipients,
}

/// Why a call has no answer of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub's rules refuse it. Nothing was changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much waits already. Nothing was changed; try again in a moment.
    #[error("the hub has more to do than it can take in; try again in a moment")]
    Busy,
    /// The disk does not take writes. Nothing was changed.
    #[error("the store cannot take the change now ({0}); nothing was changed, try again later")]
    Unavailable(String),
    /// The disk failed while syncing: the change may have been made, or not.
    #[error(
        "the disk failed while the change was written ({0}); look whether it was made before trying again"
    )]
    OutcomeUnknown(String),
    /// A fault of the hub's own. Nothing was changed.
    #[error(
        "the hub met a fault of its own while doing this; nothing was changed. Its log says more"
    )]
    Internal,
    /// The hub is closing.
    #[error("the hub is stopping; try again when it is back")]
    Closed,
}

impl From<StoreError> for HubError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
