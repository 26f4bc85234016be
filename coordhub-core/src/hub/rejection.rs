//! Why the hub refuses: one value for each reason, with a stable code and a sentence to act on.

use crate::{
    ids::{ChannelName, EntityId, InviteId, MessageId, ProposalId, ReservationId, TaskId, TokenId},
    model::{Conflict, EntityType, ProposalStatus, TaskStatus},
    time::Timestamp,
};

/// A refusal. Nothing was changed.
///
/// [`code`](Self::code) is stable; the message is for people and may get better.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The call needs somebody to make it.
    #[error("say who you are: name yourself in `entity_id` or in the header X-Entity-Id")]
    CallerNeeded,
    /// Nobody of that name is registered.
    #[error("no entity {0:?} is registered; register it first")]
    UnknownEntity(EntityId),
    /// Nobody of that name is registered or connected.
    #[error(
        "no entity {0:?} is registered, so the message could never arrive; check the id with the list of entities"
    )]
    UnknownRecipient(EntityId),
    /// No such message, or none that the caller may read.
    #[error("there is no message {0:?}, or none that you may read")]
    UnknownMessage(MessageId),
    /// No such channel, or none that the caller may read.
    #[error("there is no channel {0:?}, or none that you may read")]
    UnknownChannel(ChannelName),
    /// No such task.
    #[error("there is no task {0:?}; the list of tasks shows what there is")]
    UnknownTask(TaskId),
    /// No such proposal.
    #[error("there is no proposal {0:?}; the list of proposals shows what there is")]
    UnknownProposal(ProposalId),
    /// No such reservation, or it has ended.
    #[error(
        "there is no reservation {0:?}, or it has ended; the list of reservations shows what holds"
    )]
    UnknownReservation(ReservationId),
    /// No such token, or it was revoked.
    #[error("there is no token {0:?}, or it was revoked; the list of tokens shows what there is")]
    UnknownToken(TokenId),
    /// No such invite, or it was revoked.
    #[error("there is no invite {0:?}, or it was revoked; the list of invites shows what there is")]
    UnknownInvite(InviteId),
    /// The caller's token was revoked, or its secret was changed, since the call came in.
    #[error("the token is not good, or no longer; ask whoever runs the hub for another")]
    TokenRevoked,
    /// The caller reads only.
    #[error("the token is an observer's: it reads, and changes nothing")]
    Observer,
    /// Nobody registers uninvited.
    #[error(
        "registering needs an invite: send its secret as `Authorization: Bearer chi_…`; ask whoever runs the hub for one"
    )]
    InviteNeeded,
    /// The invite does not do for this.
    #[error("{0}")]
    InviteRefused(String),
    /// Without this token nobody could run the hub.
    #[error(
        "this is the last token of \"admin\", without which nobody could run the hub; rotate it instead"
    )]
    LastAdminToken,
    /// A field holds what it may not hold.
    #[error("{detail}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What would be right.
        detail: String,
    },
    /// A field holds too much.
    #[error("{field} is {bytes} bytes long; at most {bytes_max} are taken")]
    TooLarge {
        /// Which field.
        field: &'static str,
        /// How much it holds.
        bytes: usize,
        /// How much it may hold.
        bytes_max: usize,
    },
    /// An entity's type cannot be changed.
    #[error(
        "{entity_id:?} is registered as {entity_type}, and a type is fixed at the first registration; register under another id"
    )]
    TypeIsFixed {
        /// Whose.
        entity_id: EntityId,
        /// What it is.
        entity_type: EntityType,
    },
    /// The caller may not do this.
    #[error("{0}")]
    NotAllowed(String),
    /// The caller may not post to, or listen on, a channel.
    #[error("{who} may not {what} {channel:?}: {rule}")]
    ChannelForbidden {
        /// Who.
        who: String,
        /// `post to` or `subscribe to`.
        what: &'static str,
        /// Which channel.
        channel: ChannelName,
        /// Who may.
        rule: &'static str,
    },
    /// A message type or metadata key that is the hub's own.
    #[error("{0}")]
    ReservedType(String),
    /// The name is taken.
    #[error("a channel {0:?} exists already; choose another name")]
    ChannelExists(ChannelName),
    /// The id is taken.
    #[error("a task {0:?} exists already; choose another task_id, or leave it out and one is made")]
    TaskExists(TaskId),
    /// The id is taken.
    #[error(
        "a proposal {0:?} exists already; choose another proposal_id, or leave it out and one is made"
    )]
    ProposalExists(ProposalId),
    /// Another was first.
    #[error("task {task_id:?} is already claimed by {claimed_by:?}; claim another")]
    TaskAlreadyClaimed {
        /// Which task.
        task_id: TaskId,
        /// Who holds it.
        claimed_by: EntityId,
    },
    /// The task is finished.
    #[error("task {task_id:?} is {status}, not open")]
    TaskNotOpen {
        /// Which task.
        task_id: TaskId,
        /// Where it stands.
        status: TaskStatus,
    },
    /// The task waits for others.
    #[error("task {task_id:?} waits for {}", list(.blocked_by))]
    TaskBlocked {
        /// Which task.
        task_id: TaskId,
        /// For which.
        blocked_by: Vec<TaskId>,
    },
    /// Nobody holds the task.
    #[error("task {task_id:?} is {status} and held by nobody; claim it first")]
    TaskNotClaimed {
        /// Which task.
        task_id: TaskId,
        /// Where it stands.
        status: TaskStatus,
    },
    /// Somebody else holds the task.
    #[error("task {task_id:?} is held by {claimed_by:?}, not by {named:?}")]
    NotHolder {
        /// Which task.
        task_id: TaskId,
        /// Who holds it.
        claimed_by: EntityId,
        /// Who was named.
        named: EntityId,
    },
    /// The claim is not the newest one.
    #[error(
        "the claim token {shown} of task {task_id:?} is not that of its present claim: its lease lapsed, or the task was given to another"
    )]
    StaleClaim {
        /// Which task.
        task_id: TaskId,
        /// The token that was shown.
        shown: u64,
    },
    /// The claim has a lease, and is the business of whoever holds its token.
    #[error(
        "the claim of task {0:?} has a lease: give the claim_token that the claim was answered with"
    )]
    ClaimTokenRequired(TaskId),
    /// The task's time has not come.
    #[error("task {task_id:?} is scheduled: it cannot be claimed before {not_before}")]
    TaskScheduled {
        /// Which task.
        task_id: TaskId,
        /// Before when not.
        not_before: Timestamp,
    },
    /// The task is none that a human answers.
    #[error(
        "task {0:?} does not need a human, so it takes no answer; claim it and complete it instead"
    )]
    NotAQuestion(TaskId),
    /// The message does not ask the caller for an acknowledgement.
    #[error(
        "message {message_id:?} does not ask {entity_id:?} for an acknowledgement; mark it read by moving the read cursor"
    )]
    AckNotAsked {
        /// Which message.
        message_id: MessageId,
        /// Who.
        entity_id: EntityId,
    },
    /// The message opened no roll-call.
    #[error("message {0:?} was sent without ack_required, so there is no roll-call to resolve")]
    NoRollCall(MessageId),
    /// The key stands for another change already.
    #[error(
        "the Idempotency-Key {0:?} was used for a call with other arguments; use a fresh key for each change"
    )]
    KeyReused(String),
    /// What came too late was refused, and kept.
    #[error("{0}; the result was kept in `late_results`")]
    LateResultKept(Box<Rejection>),
    /// The task that was to come with a message is refused, and with it the message.
    #[error("task: {0}")]
    InTask(Box<Rejection>),
    /// One item of a batch is refused, and with it the batch.
    #[error("item {index}: {why}; nothing of the batch was done")]
    InBatch {
        /// Which item, counted from 0.
        index: usize,
        /// Why.
        why: Box<Rejection>,
    },
    /// The task was completed with another result.
    #[error("task {0:?} was completed already, with another result")]
    AlreadyCompleted(TaskId),
    /// The task is not failed or cancelled.
    #[error("task {task_id:?} is {status}; only a failed or cancelled task can be reopened")]
    TaskNotReopenable {
        /// Which task.
        task_id: TaskId,
        /// Where it stands.
        status: TaskStatus,
    },
    /// Only a human may claim the task.
    #[error("task {0:?} needs a human: only a registered human may claim it")]
    RequiresHuman(TaskId),
    /// Only an AI may claim the task.
    #[error("task {0:?} needs an AI: humans and services may not claim it")]
    RequiresAi(TaskId),
    /// The claimer cannot do what the task needs.
    #[error("task {task_id:?} needs capabilities that {entity_id:?} has not registered: {}", .missing.join(", "))]
    MissingCapabilities {
        /// Which task.
        task_id: TaskId,
        /// Who.
        entity_id: EntityId,
        /// What it lacks.
        missing: Vec<String>,
    },
    /// Others have what the caller would reserve. There is one at least; not all may be named.
    #[error("{}", conflict(.0))]
    ReservationConflict(Vec<Conflict>),
    /// The proposal takes no votes any more.
    #[error("proposal {proposal_id:?} is {status}; it takes no votes and cannot be decided again")]
    ProposalClosed {
        /// Which.
        proposal_id: ProposalId,
        /// How it ended.
        status: ProposalStatus,
    },
    /// The caller has no vote.
    #[error(
        "{entity_id:?} is not in the electorate of proposal {proposal_id:?}; whoever is stands in its `electorate`"
    )]
    NotInElectorate {
        /// Which proposal.
        proposal_id: ProposalId,
        /// Who.
        entity_id: EntityId,
    },
    /// Votes still out could change the outcome.
    #[error("proposal {0:?} cannot be decided yet: votes still out could change the outcome")]
    NotDecidedYet(ProposalId),
}

impl Rejection {
    /// The stable word for the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CallerNeeded => "caller_needed",
            Self::UnknownEntity(_) => "unknown_entity",
            Self::UnknownRecipient(_) => "unknown_recipient",
            Self::UnknownMessage(_) => "unknown_message",
            Self::UnknownChannel(_) => "unknown_channel",
            Self::UnknownTask(_) => "unknown_task",
            Self::UnknownProposal(_) => "unknown_proposal",
            Self::UnknownReservation(_) => "unknown_reservation",
            Self::UnknownToken(_) => "unknown_token",
            Self::UnknownInvite(_) => "unknown_invite",
            Self::TokenRevoked => "unauthorized",
            Self::Observer => "observer",
            Self::InviteNeeded => "invite_needed",
            Self::InviteRefused(_) => "invite_refused",
            Self::LastAdminToken => "last_admin_token",
            Self::Invalid { .. } => "invalid_field",
            Self::TooLarge { .. } => "too_large",
            Self::TypeIsFixed { .. } => "type_is_fixed",
            Self::NotAllowed(_) => "not_allowed",
            Self::ChannelForbidden { .. } => "channel_forbidden",
            Self::ReservedType(_) => "reserved_type",
            Self::ChannelExists(_) => "channel_exists",
            Self::TaskExists(_) => "task_exists",
            Self::ProposalExists(_) => "proposal_exists",
            Self::TaskAlreadyClaimed { .. } => "task_already_claimed",
            Self::TaskNotOpen { .. } => "task_not_open",
            Self::TaskBlocked { .. } => "task_blocked",
            Self::TaskNotClaimed { .. } => "task_not_claimed",
            Self::NotHolder { .. } => "not_holder",
            Self::StaleClaim { .. } => "stale_claim",
            Self::ClaimTokenRequired(_) => "claim_token_required",
            Self::TaskScheduled { .. } => "task_scheduled",
            Self::NotAQuestion(_) => "not_a_question",
            Self::AckNotAsked { .. } => "ack_not_asked",
            Self::NoRollCall(_) => "no_roll_call",
            Self::KeyReused(_) => "idempotency_key_reused",
            Self::LateResultKept(why) | Self::InTask(why) | Self::InBatch { why, .. } => why.code(),
            Self::AlreadyCompleted(_) => "already_completed",
            Self::TaskNotReopenable { .. } => "task_not_reopenable",
            Self::RequiresHuman(_) => "requires_human",
            Self::RequiresAi(_) => "requires_ai",
            Self::MissingCapabilities { .. } => "missing_capabilities",
            Self::ReservationConflict(_) => "reservation_conflict",
            Self::ProposalClosed { .. } => "proposal_closed",
            Self::NotInElectorate { .. } => "not_in_electorate",
            Self::NotDecidedYet(_) => "not_decided_yet",
        }
    }

    /// The field that is wrong, where one is.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } | Self::TooLarge { field, .. } => Some(field),
            Self::KeyReused(_) => Some("Idempotency-Key"),
            Self::InTask(why) | Self::InBatch { why, .. } => why.field(),
            _ => None,
        }
    }

    /// The same, as the reason why a batch is refused.
    pub(crate) fn in_item(self, index: usize) -> Self {
        Self::InBatch { index, why: Box::new(self) }
    }

    /// A refusal of one field.
    pub(crate) fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { field, detail: detail.into() }
    }
}

/// Who has what until when, of the first that stands in the way.
fn conflict(conflicts: &[Conflict]) -> String {
    let Some(first) = conflicts.first() else { return "nothing stands in the way".to_owned() };
    let Conflict { resource, held_by, held_resource, expires_at, .. } = first;
    let more = match conflicts.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more in the way"),
    };
    format!(
        "{resource:?} is reserved by {held_by:?}, as {held_resource:?} until {expires_at}{more}; nothing was reserved. Ask its holder, or try again then"
    )
}

fn list(ids: &[TaskId]) -> String {
    ids.iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ")
}
