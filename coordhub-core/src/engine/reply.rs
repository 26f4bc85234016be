//! What a caller is told.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    hub::{HandedOver, Rejection},
    ids::{ChannelName, MessageId, ReservationId, Seq, TaskId},
    model::{Entity, Invite, Message, Proposal, Recipients, Reservation, Task, Token},
    store::StoreError,
    time::Timestamp,
};

/// The answer to a command that was accepted. What it says is on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The highest `seq` of the change; the head where nothing changed.
    pub seq: Seq,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the change was made now, or before under the same idempotency key.
    pub made: Made,
}

/// When the change was made that a reply tells of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Made {
    /// Now.
    #[default]
    Now,
    /// Before, under the same idempotency key: this call changed nothing.
    Before,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The entity as it is now.
    Entity(Arc<Entity>),
    /// The entity as it is now, and the token that it was given, without its secret.
    Joined {
        /// The entity.
        entity: Arc<Entity>,
        /// The token.
        token: Arc<Token>,
    },
    /// The token as it is now, without its secret.
    Token(Arc<Token>),
    /// The invite as it is now, without its secret.
    Invite(Arc<Invite>),
    /// Where the read cursor stands.
    CursorAt(Seq),
    /// The messages, in the order in which they were given, and who was there to see each.
    Sent(Vec<Sent>),
    /// A message was acknowledged, redacted, or its roll-call ended; `already` where it had been.
    Message {
        /// Which.
        message_id: MessageId,
        /// Whether nothing changed.
        already: bool,
    },
    /// A private channel was made, joined, left, or others were invited to it; `already` where nothing
    /// changed.
    Channel {
        /// Which.
        channel: ChannelName,
        /// Whether nothing changed.
        already: bool,
    },
    /// The task as it is now; `already` where nothing changed.
    Task {
        /// The task.
        task: Arc<Task>,
        /// Whether nothing changed.
        already: bool,
    },
    /// The tasks as they are now, in the order in which they were given.
    Tasks(Vec<Arc<Task>>),
    /// The claim of a task.
    Claimed(Claim),
    /// There is nothing that the caller could claim.
    NoTask,
    /// When a claim lapses now.
    Lease {
        /// The task that is claimed.
        task_id: TaskId,
        /// When it lapses, where it has a lease.
        lease_expires_at: Option<Timestamp>,
    },
    /// The reservation as it is now, or as it was when it was acquired or renewed under the same key;
    /// `already` where the caller held just this.
    Reserved {
        /// The reservation.
        reservation: Arc<Reservation>,
        /// Whether it was renewed instead of acquired.
        already: bool,
    },
    /// The reservation that was given up.
    Released(ReservationId),
    /// What was handed over.
    HandedOver(HandedOver),
    /// The proposal as it is now; `already` where nothing changed.
    Proposal {
        /// The proposal.
        proposal: Arc<Proposal>,
        /// Whether nothing changed.
        already: bool,
    },
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
    /// The task that was made with it.
    pub task_id: Option<TaskId>,
}

/// The claim of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The task as it is now.
    pub task: Arc<Task>,
    /// The token of the claim: whoever completes, fails, releases or renews it shows it.
    pub claim_token: u64,
    /// When it lapses, where it has a lease.
    pub lease_expires_at: Option<Timestamp>,
    /// Whether the caller held the task already.
    pub already: bool,
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
