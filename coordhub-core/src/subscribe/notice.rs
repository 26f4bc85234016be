//! The hub's notices: some events shown as messages, so that a client that knows only messages hears
//! of tasks and proposals.

use serde::Serialize;

use crate::{
    event::{
        Event, FailCause, MessageAcked, MessageRedacted, ReleaseReason, RollCallOpened,
        RollCallOverdue, RollCallResolved, TaskFailed,
    },
    ids::{EntityId, MessageId, ProposalId, TaskId},
    model::TaskStatus,
};

/// An event as one line of text. A function of the event alone, so that it reads the same live and
/// from the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// The `message_type`.
    pub kind: &'static str,
    /// The line.
    pub content: String,
    /// Whom and what it is about.
    pub metadata: NoticeIds,
}

/// The ids of a notice, as they stand in its `metadata`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct NoticeIds {
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<ProposalId>,
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// The entity that did it, or that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// The outcome of a proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

/// The kinds of notices, in the order of the documents.
pub const NOTICE_KINDS: [&str; 10] = [
    "task_created",
    "task_claimed",
    "task_completed",
    "task_ready",
    "task_released",
    "task_failed",
    "proposal_created",
    "proposal_decided",
    "question_asked",
    "system_event",
];

/// The notice that an event is shown as, where it is.
pub(super) fn notice(event: &Event) -> Option<Notice> {
    let task = |task_id: &TaskId, entity_id: Option<&EntityId>| NoticeIds {
        task_id: Some(task_id.clone()),
        entity_id: entity_id.cloned(),
        ..NoticeIds::default()
    };
    let proposal = |proposal_id: &ProposalId| NoticeIds {
        proposal_id: Some(proposal_id.clone()),
        ..NoticeIds::default()
    };
    let (kind, content, metadata) = match event {
        Event::TaskCreated(e) if e.task.question.is_some() => (
            "question_asked",
            format!("Question: {}", e.task.title),
            task(&e.task.task_id, e.task.created_by.as_ref()),
        ),
        Event::TaskCreated(e) => (
            "task_created",
            format!("New task: {}", e.task.title),
            task(&e.task.task_id, e.task.created_by.as_ref()),
        ),
        Event::TaskClaimed(e) => (
            "task_claimed",
            format!("Task claimed: {} (by {})", e.title, e.claimed_by),
            task(&e.task_id, Some(&e.claimed_by)),
        ),
        Event::TaskCompleted(e) => (
            "task_completed",
            format!("Task completed: {} (by {})", e.title, e.claimed_by),
            task(&e.task_id, Some(&e.claimed_by)),
        ),
        Event::TaskReady(e) => {
            ("task_ready", format!("Task ready: {}", e.title), task(&e.task_id, None))
        }
        Event::TaskReleased(e) => {
            let why = match e.reason {
                ReleaseReason::Released => "given back by",
                ReleaseReason::HolderRemoved => "its holder was removed:",
                ReleaseReason::Lapsed => "the lease lapsed of",
                ReleaseReason::Reassigned => "taken from",
                ReleaseReason::Undelivered => "its claim never reached",
                ReleaseReason::HandedOver => "handed over by",
            };
            let content = format!("Task open again: {} ({why} {})", e.title, e.claimed_by);
            ("task_released", content, task(&e.task_id, Some(&e.claimed_by)))
        }
        Event::TaskFailed(e) => {
            ("task_failed", failure(e), task(&e.task_id, e.claimed_by.as_ref()))
        }
        Event::RollCallOverdue(e) => (
            "system_event",
            format!(
                "{} of {} have not acknowledged a message of {}",
                e.missing.len(),
                e.asked,
                e.of.from_entity
            ),
            NoticeIds {
                message_id: Some(e.of.message_id.clone()),
                entity_id: Some(e.of.from_entity.clone()),
                ..NoticeIds::default()
            },
        ),
        Event::ProposalCreated(e) => (
            "proposal_created",
            format!("New proposal: {}", e.proposal.title),
            proposal(&e.proposal.proposal_id),
        ),
        Event::ProposalDecided(e) => (
            "proposal_decided",
            format!("Proposal {}: {}", e.status, e.title),
            NoticeIds { status: Some(e.status.as_str()), ..proposal(&e.proposal_id) },
        ),
        Event::EntityRegistered(e) => (
            "system_event",
            format!("{} joined ({})", e.entity.name, e.entity.entity_type),
            NoticeIds { entity_id: Some(e.entity.entity_id.clone()), ..NoticeIds::default() },
        ),
        Event::EntityRemoved(e) => (
            "system_event",
            format!("{} was removed", e.name),
            NoticeIds { entity_id: Some(e.entity_id.clone()), ..NoticeIds::default() },
        ),
        _ => return None,
    };
    Some(Notice { kind, content: content.replace(['\n', '\r'], " "), metadata })
}

/// The line that says how a task failed.
fn failure(event: &TaskFailed) -> String {
    let TaskFailed { title, claimed_by, attempts, .. } = event;
    let by = claimed_by.as_ref().map_or("nobody", EntityId::as_str);
    match (event.cause, event.status) {
        (FailCause::Unanswered, _) => format!("Nobody answered in time: {title}"),
        (FailCause::Lapsed, _) => {
            format!("Task failed: {title} (the lease of {by} lapsed at attempt {attempts})")
        }
        (FailCause::Reported, TaskStatus::Failed) => format!("Task failed: {title} (by {by})"),
        (FailCause::Reported, _) => {
            format!("Attempt {attempts} failed, to be tried again: {title} (by {by})")
        }
    }
}

/// The kinds of events that are shown as notices.
pub(crate) const NOTICED_EVENT_KINDS: [&str; 11] = [
    "task_created",
    "task_claimed",
    "task_completed",
    "task_ready",
    "task_released",
    "task_failed",
    "proposal_created",
    "proposal_decided",
    "entity_registered",
    "entity_removed",
    "roll_call_overdue",
];

/// Whether an event is an affair of this entity: its own task, claim, proposal, vote or registration.
pub(super) fn concerns(event: &Event, id: &EntityId) -> bool {
    let is = |other: &Option<EntityId>| other.as_ref() == Some(id);
    match event {
        Event::EntityRegistered(e) => e.entity.entity_id == *id,
        Event::EntityUpdated(e) => e.entity_id == *id,
        Event::EntityRemoved(e) => e.entity_id == *id,
        Event::MessageSent(m) => m.from_entity == *id || is(&m.to_entity),
        Event::MessageRedacted(MessageRedacted { of, .. })
        | Event::RollCallOpened(RollCallOpened { of, .. })
        | Event::MessageAcked(MessageAcked { of, .. })
        | Event::RollCallOverdue(RollCallOverdue { of, .. })
        | Event::RollCallResolved(RollCallResolved { of, .. }) => {
            of.from_entity == *id || is(&of.to_entity)
        }
        Event::KeyKept(e) => e.entity_id == *id,
        Event::InviteMade(_) | Event::InviteRevoked(_) => false,
        Event::TokenIssued(e) => e.token.entity_id == *id,
        Event::TokenUsed(e) => e.entity_id == *id,
        Event::TokenRotated(e) => e.entity_id == *id,
        Event::TokenRevoked(e) => e.entity_id == *id,
        Event::ReadCursorMoved(e) => e.entity_id == *id,
        Event::LeaseRenewed(e) => is(&e.created_by) || e.claimed_by == *id,
        Event::ChannelCreated(e) => e.members.contains(id),
        Event::ChannelMemberJoined(e) => e.entity_id == *id,
        Event::ChannelMemberLeft(e) => e.entity_id == *id,
        Event::LeasesMoved(_) | Event::HistoryPruned(_) => false,
        Event::LateResultKept(e) => is(&e.created_by) || is(&e.entity_id),
        Event::TaskCreated(e) => is(&e.task.created_by),
        Event::TaskUpdated(e) => is(&e.created_by) || is(&e.claimed_by),
        Event::TaskClaimed(e) => is(&e.created_by) || e.claimed_by == *id,
        Event::TaskReleased(e) => is(&e.created_by) || e.claimed_by == *id,
        Event::TaskCompleted(e) => is(&e.created_by) || e.claimed_by == *id,
        Event::TaskFailed(e) => is(&e.created_by) || is(&e.claimed_by),
        Event::TaskCancelled(e) => is(&e.created_by) || is(&e.claimed_by),
        Event::TaskReopened(e) => is(&e.task.created_by),
        Event::TaskReady(e) => is(&e.created_by),
        Event::ReservationAcquired(e) => e.entity_id == *id,
        Event::ReservationRenewed(e) => e.entity_id == *id,
        Event::ReservationReleased(e) => e.entity_id == *id,
        Event::ProposalCreated(e) => {
            is(&e.proposal.proposed_by) || e.proposal.electorate.contains(id)
        }
        Event::VoteCast(e) => e.vote.entity_id == *id,
        // What was decided is everybody's affair.
        Event::ProposalDecided(_) => true,
        Event::ProposalWithdrawn(e) => is(&e.proposed_by),
    }
}
