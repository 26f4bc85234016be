//! All that can have happened. Events are complete: evolving reads nothing else.
//!
//! `docs/events.md` is the table of kinds and fields; a test holds the two together.

mod entities;
mod messages;
mod channels;
mod tasks;
mod reservations;
mod proposals;
mod credentials;
mod history;

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    command::{Auth, Origin},
    hub::KeptKey,
    ids::{EntityId, ProposalId, Seq, TaskId},
    model::Message,
    time::Timestamp,
};
pub use channels::{ChannelCreated, ChannelMemberJoined, ChannelMemberLeft};
pub use credentials::{
    InviteMade, InviteRevoked, TokenIssued, TokenRevoked, TokenRotated, TokenUsed,
};
pub use entities::{EntityRegistered, EntityRemoved, EntityUpdated, KeyKept, ReadCursorMoved};
pub use history::HistoryPruned;
pub use messages::{
    MessageAcked, MessageRedacted, MessageRef, RollCallOpened, RollCallOverdue, RollCallResolved,
};
pub use proposals::{ProposalCreated, ProposalDecided, ProposalWithdrawn, VoteCast};
pub use reservations::{
    ReservationAcquired, ReservationEnd, ReservationReleased, ReservationRenewed,
};
pub use tasks::{
    FailCause, LateResultKept, LeaseRenewed, LeasesMoved, MoveReason, MovedLease, MovedReservation,
    ReleaseReason, TaskCancelled, TaskClaimed, TaskCompleted, TaskCreated, TaskFailed, TaskReady,
    TaskReleased, TaskReopened, TaskUpdated,
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
    /// The idempotency key under which the change was made whose last event this is. Kept beside the
    /// log, and shown to nobody.
    pub key: Option<Arc<KeptKey>>,
    /// How it came about. Kept beside the log, and shown to admins alone: nothing hangs on it.
    pub trace: Trace,
}

/// How an event came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Where the command came from that it was decided for; from nowhere where that was the hub's own.
    pub origin: Option<Arc<Origin>>,
    /// The event of the same decision that it follows from; none where it is what was asked for, or what
    /// time alone decided.
    pub cause: Option<Seq>,
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

            /// What happened, as the JSON that stands in the log.
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
    /// What a message says was removed.
    MessageRedacted(MessageRedacted) = "message_redacted",
    /// A message was sent that asks its recipients to acknowledge it.
    RollCallOpened(RollCallOpened) = "roll_call_opened",
    /// A recipient acknowledged a message.
    MessageAcked(MessageAcked) = "message_acked",
    /// The deadline of a roll-call passed, and not everyone had answered.
    RollCallOverdue(RollCallOverdue) = "roll_call_overdue",
    /// A roll-call was ended.
    RollCallResolved(RollCallResolved) = "roll_call_resolved",
    /// An entity marked messages read. Only itself sees this.
    ReadCursorMoved(ReadCursorMoved) = "read_cursor_moved",
    /// A private channel was made.
    ChannelCreated(ChannelCreated) = "channel_created",
    /// An entity became a member of a private channel.
    ChannelMemberJoined(ChannelMemberJoined) = "channel_member_joined",
    /// A member left a private channel.
    ChannelMemberLeft(ChannelMemberLeft) = "channel_member_left",
    /// A task was created.
    TaskCreated(TaskCreated) = "task_created",
    /// What a task says was changed.
    TaskUpdated(TaskUpdated) = "task_updated",
    /// A task was claimed.
    TaskClaimed(TaskClaimed) = "task_claimed",
    /// A lease was renewed.
    LeaseRenewed(LeaseRenewed) = "lease_renewed",
    /// Leases and reservations were given more time, because the clock jumped or the hub was down.
    LeasesMoved(LeasesMoved) = "leases_moved",
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
    /// The last dependency of a task was completed, or its time came: it can be claimed now.
    TaskReady(TaskReady) = "task_ready",
    /// Somebody who had lost a task brought a result, which was refused and kept.
    LateResultKept(LateResultKept) = "late_result_kept",
    /// Paths were reserved, or a reservation went to another.
    ReservationAcquired(ReservationAcquired) = "reservation_acquired",
    /// A reservation was kept for longer.
    ReservationRenewed(ReservationRenewed) = "reservation_renewed",
    /// A reservation ended.
    ReservationReleased(ReservationReleased) = "reservation_released",
    /// A proposal was made.
    ProposalCreated(ProposalCreated) = "proposal_created",
    /// A vote was cast or changed.
    VoteCast(VoteCast) = "vote_cast",
    /// A proposal was decided.
    ProposalDecided(ProposalDecided) = "proposal_decided",
    /// A proposal was taken back.
    ProposalWithdrawn(ProposalWithdrawn) = "proposal_withdrawn",
    /// Something of the past was given up.
    HistoryPruned(HistoryPruned) = "history_pruned",
    /// A call under an idempotency key succeeded and had nothing to change. Only its caller sees this.
    KeyKept(KeyKept) = "key_kept",
    /// An invite was made. Only admins see this, and what follows.
    InviteMade(InviteMade) = "invite_made",
    /// An invite was revoked.
    InviteRevoked(InviteRevoked) = "invite_revoked",
    /// A token was issued.
    TokenIssued(TokenIssued) = "token_issued",
    /// A token was shown for the first time.
    TokenUsed(TokenUsed) = "token_used",
    /// The secret of a token was changed for another.
    TokenRotated(TokenRotated) = "token_rotated",
    /// A token was revoked.
    TokenRevoked(TokenRevoked) = "token_revoked",
}

impl Event {
    /// What happened, as the JSON that readers are shown in `data`: the log's, without hashes of
    /// secrets.
    pub fn shown_data(&self) -> String {
        match self {
            Self::InviteMade(e) => to_text(&e.shown()),
            Self::TokenIssued(e) => to_text(&e.shown()),
            Self::TokenRotated(e) => to_text(&e.shown()),
            other => other.data(),
        }
    }
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
    /// None that a history is kept of.
    Other,
}

impl Event {
    /// What the event is about.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::EntityRegistered(e) => Subject::Entity(&e.entity.entity_id),
            Self::EntityUpdated(e) => Subject::Entity(&e.entity_id),
            Self::EntityRemoved(e) => Subject::Entity(&e.entity_id),
            Self::MessageSent(_) => Subject::Message,
            Self::MessageRedacted(_)
            | Self::RollCallOpened(_)
            | Self::MessageAcked(_)
            | Self::RollCallOverdue(_)
            | Self::RollCallResolved(_)
            | Self::ChannelCreated(_)
            | Self::ChannelMemberJoined(_)
            | Self::ChannelMemberLeft(_)
            | Self::HistoryPruned(_)
            | Self::LeasesMoved(_) => Subject::Other,
            Self::KeyKept(e) => Subject::Entity(&e.entity_id),
            Self::InviteMade(_) | Self::InviteRevoked(_) => Subject::Other,
            Self::TokenIssued(e) => Subject::Entity(&e.token.entity_id),
            Self::TokenUsed(e) => Subject::Entity(&e.entity_id),
            Self::TokenRotated(e) => Subject::Entity(&e.entity_id),
            Self::TokenRevoked(e) => Subject::Entity(&e.entity_id),
            Self::ReadCursorMoved(e) => Subject::Entity(&e.entity_id),
            Self::TaskCreated(e) => Subject::Task(&e.task.task_id),
            Self::TaskUpdated(e) => Subject::Task(&e.task_id),
            Self::TaskClaimed(e) => Subject::Task(&e.task_id),
            Self::LeaseRenewed(e) => Subject::Task(&e.task_id),
            Self::LateResultKept(e) => Subject::Task(&e.task_id),
            Self::TaskReleased(e) => Subject::Task(&e.task_id),
            Self::TaskCompleted(e) => Subject::Task(&e.task_id),
            Self::TaskFailed(e) => Subject::Task(&e.task_id),
            Self::TaskCancelled(e) => Subject::Task(&e.task_id),
            Self::TaskReopened(e) => Subject::Task(&e.task.task_id),
            Self::TaskReady(e) => Subject::Task(&e.task_id),
            Self::ReservationAcquired(e) => Subject::Entity(&e.entity_id),
            Self::ReservationRenewed(e) => Subject::Entity(&e.entity_id),
            Self::ReservationReleased(e) => Subject::Entity(&e.entity_id),
            Self::ProposalCreated(e) => Subject::Proposal(&e.proposal.proposal_id),
            Self::VoteCast(e) => Subject::Proposal(&e.proposal_id),
            Self::ProposalDecided(e) => Subject::Proposal(&e.proposal_id),
            Self::ProposalWithdrawn(e) => Subject::Proposal(&e.proposal_id),
        }
    }
}
