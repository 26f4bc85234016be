//! The hub itself: pure. No clock, no disk, no threads, no randomness, no map of random order.
//!
//! The calling order is: [`decide`] judges a command against the state and changes nothing; the
//! events it returns are stamped and written; [`State::evolve`] makes each true and cannot fail.
//! Whatever decided an event stands in the event, so the same events give the same state anywhere.

mod rejection;
pub mod policy;
mod private;
mod prefetched;
mod state;
mod evolve;
mod ready;
mod keys;
mod pruning;
mod entities;
mod messages;
mod roll_calls;
mod channels;
mod tasks;
mod claims;
mod endings;
mod leases;
mod reserved;
mod reservations;
mod handoff;
mod proposals;
mod deadlines;
mod credentials;
mod admission;
mod causes;
pub mod invariants;

pub use causes::causes;
pub use claims::check_able;
pub use credentials::{Credentials, Sealed};
pub use handoff::{HandedOver, HandedTask};
pub use keys::{KeptKey, KeyId, Told};
pub use leases::needs_renewal;
pub use prefetched::{KnownReceipt, NobodyThere, Prefetched, SoftFacts};
pub use private::PrivateChannels;
pub use ready::Wants;
pub use rejection::Rejection;
pub use reserved::{Comparisons, Reservations, Seeker};
pub use state::{Cursors, Due, Kept, State, Totals, Touched};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{
    command::{Command, Envelope},
    event::Event,
    ids::{
        ChannelName, EntityId, InviteId, MessageId, ProposalId, ReservationId, Seq, TaskId, TokenId,
    },
    model::{Recipients, Reservation},
    time::Timestamp,
};

/// What a command came to: the events that make it so, and what to tell the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What happened, in order; empty where nothing changed.
    pub events: Vec<Event>,
    /// What the caller is told.
    pub answer: Answer,
    /// What the caller is told instead: a refusal that leaves a trace.
    pub refusal: Option<Rejection>,
    /// The key to keep with the last event.
    pub key: Option<KeptKey>,
    /// Where this is an answer given again: the `seq` of the change that it tells of.
    pub again: Option<Seq>,
}

impl Decision {
    fn new(event: Event, answer: Answer) -> Self {
        Self::of(vec![event], answer)
    }

    fn of(events: Vec<Event>, answer: Answer) -> Self {
        Self { events, answer, ..Self::default() }
    }

    fn nothing(answer: Answer) -> Self {
        Self::of(Vec::new(), answer)
    }
}

/// What the caller is told, by ids: the engine looks the things up once the events are true. It is
/// kept with an idempotency key as it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub enum Answer {
    /// Nothing beyond that it was done.
    #[default]
    Done,
    /// The entity, as it is now.
    Entity(EntityId),
    /// The entity, as it is now, and the token that it was given.
    Joined {
        /// Whose registration it was.
        entity_id: EntityId,
        /// The token.
        token_id: TokenId,
    },
    /// The token, as it is now, without its secret.
    Token(TokenId),
    /// The invite, as it is now, without its secret.
    Invite(InviteId),
    /// Where the read cursor stands.
    CursorAt(Seq),
    /// The messages that were sent, and who was there to see each.
    Sent(Vec<SentAnswer>),
    /// What was done to a message; `already` where it had been done before.
    Message {
        /// Which.
        message_id: MessageId,
        /// Whether nothing changed.
        already: bool,
    },
    /// What was done about a private channel; `already` where it had been done before.
    Channel {
        /// Which.
        channel: ChannelName,
        /// Whether nothing changed.
        already: bool,
    },
    /// The task, as it is now.
    Task {
        /// Which.
        task_id: TaskId,
        /// Whether nothing changed.
        already: bool,
    },
    /// The tasks, as they are now.
    Tasks(Vec<TaskId>),
    /// The claim of a task.
    Claimed {
        /// Which task.
        task_id: TaskId,
        /// Its token.
        claim_token: u64,
        /// When it lapses, where it has a lease.
        lease_expires_at: Option<Timestamp>,
        /// Whether the caller held it already.
        already: bool,
    },
    /// There is nothing that the caller could claim now.
    NoTask,
    /// When a claim lapses now.
    Lease {
        /// Which task.
        task_id: TaskId,
        /// When, where it has a lease.
        lease_expires_at: Option<Timestamp>,
    },
    /// A reservation. It stands here whole: one that ended is kept nowhere else.
    Reserved {
        /// The reservation as the command left it.
        reservation: Arc<Reservation>,
        /// Whether the caller held just this already.
        already: bool,
    },
    /// The reservation that was given up.
    Released(ReservationId),
    /// What was handed over.
    HandedOver(HandedOver),
    /// The proposal, as it is now.
    Proposal {
        /// Which.
        proposal_id: ProposalId,
        /// Whether nothing changed.
        already: bool,
    },
}

/// One message of [`Answer::Sent`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SentAnswer {
    /// Which.
    pub message_id: MessageId,
    /// Who was there to see it.
    pub recipients: Recipients,
    /// The task that was made with it.
    pub task_id: Option<TaskId>,
}

/// Judges a command: either events, or a refusal. Changes nothing.
///
/// Whatever is due at or before `now` has been decided before, by [`Command::Tick`].
pub fn decide(
    state: &State,
    known: &Prefetched<'_>,
    envelope: &Envelope,
    now: Timestamp,
) -> Result<Decision, Rejection> {
    let desk = Desk { state, known, envelope, now };
    desk.check_token()?;
    let Some(key) = desk.key_id()? else { return desk.decide() };
    if let Some(first) = desk.first_success(&key)? {
        return Ok(first);
    }
    let mut decision = desk.decide()?;
    desk.keep_key(key, &mut decision);
    Ok(decision)
}

/// Everything a decision may look at. The methods that decide stand in one file an area.
#[derive(Clone, Copy)]
struct Desk<'a> {
    state: &'a State,
    known: &'a Prefetched<'a>,
    envelope: &'a Envelope,
    now: Timestamp,
}

impl<'a> Desk<'a> {
    #[rustfmt::skip]
    fn decide(self) -> Result<Decision, Rejection> {
        let desk = self;
        match &desk.envelope.command {
            Command::Register(command) => desk.register(command),
            Command::Join(command) => desk.join(command),
            Command::Remove(command) => desk.remove(command),
            Command::Send(command) => desk.send(command),
            Command::SendBatch(commands) => desk.send_batch(commands),
            Command::RedactMessage(message_id) => desk.redact_message(message_id),
            Command::AckMessage(message_id) => desk.ack_message(message_id),
            Command::ResolveRollCall(message_id) => desk.resolve_roll_call(message_id),
            Command::MoveCursor(command) => desk.move_cursor(command),
            Command::CreateChannel(command) => desk.create_channel(command),
            Command::JoinChannel(channel) => desk.join_channel(channel),
            Command::LeaveChannel(channel) => desk.leave_channel(channel),
            Command::InviteToChannel(command) => desk.invite_to_channel(command),
            Command::CreateTask(command) => desk.create_task(command),
            Command::CreateTasks(commands) => desk.create_tasks(commands),
            Command::UpdateTask(command) => desk.update_task(command),
            Command::ClaimTask(command) => desk.claim_task(command),
            Command::ClaimNext(command) => desk.claim_next(command),
            Command::RenewLease(command) => desk.renew_lease(command),
            Command::RenewLeases => desk.renew_leases(),
            Command::CompleteTask(command) => desk.complete_task(command),
            Command::FailTask(command) => desk.fail_task(command),
            Command::ReleaseTask(command) => desk.release_task(command),
            Command::ReturnClaim(command) => Ok(desk.return_claim(command)),
            Command::ReassignTask(task_id) => desk.reassign_task(task_id),
            Command::AnswerTask(command) => desk.answer_task(command),
            Command::CancelTask(task_id) => desk.cancel_task(task_id),
            Command::ReopenTask(task_id) => desk.reopen_task(task_id),
            Command::AcquireReservation(command) => desk.acquire_reservation(command),
            Command::RenewReservation(command) => desk.renew_reservation(command),
            Command::ReleaseReservation(id) => desk.release_reservation(id),
            Command::HandOff(command) => desk.hand_off(command),
            Command::CreateProposal(command) => desk.create_proposal(command),
            Command::CastVote(command) => desk.cast_vote(command),
            Command::CloseProposal(proposal_id) => desk.close_proposal(proposal_id),
            Command::WithdrawProposal(proposal_id) => desk.withdraw_proposal(proposal_id),
            Command::MakeInvite(command) => desk.make_invite(command),
            Command::RevokeInvite(id) => desk.revoke_invite(id),
            Command::IssueToken(command) => desk.issue_token(command),
            Command::RotateToken(command) => desk.rotate_token(command),
            Command::RevokeToken(id) => desk.revoke_token(id),
            Command::UseToken(id) => desk.use_token(id),
            Command::Tick => Ok(desk.tick()),
            Command::MoveLeases(why) => Ok(desk.move_leases(*why)),
            Command::FreeReservations(gone) => Ok(desk.free_reservations(gone)),
            Command::Prune(command) => Ok(desk.prune(command)),
            Command::GiveUp(command) => desk.give_up(command),
        }
    }

    /// Who calls, where the command needs somebody.
    fn caller(&self) -> Result<&'a EntityId, Rejection> {
        self.envelope.caller.id.as_ref().ok_or(Rejection::CallerNeeded)
    }

    fn caller_standing(&self) -> policy::Standing {
        policy::standing(self.state, self.envelope.caller.id.as_ref())
    }

    /// A fresh id with the prefix of its kind: sorts by the time it was made. `nth` counts what one
    /// command makes of a kind.
    fn fresh_id(&self, prefix: &str, nth: usize) -> String {
        let fresh = Ulid(self.envelope.fresh.0.wrapping_add(nth as u128));
        format!("{prefix}-{}", fresh.to_string().to_ascii_lowercase())
    }

    fn check_text(&self, field: &'static str, text: &str) -> Result<(), Rejection> {
        let bytes_max = self.state.limits().text_bytes_max;
        if text.len() > bytes_max {
            return Err(Rejection::TooLarge { field, bytes: text.len(), bytes_max });
        }
        Ok(())
    }

    fn check_metadata(&self, metadata: &crate::json::JsonText) -> Result<(), Rejection> {
        let bytes_max = self.state.limits().metadata_bytes_max;
        let bytes = metadata.as_str().len();
        if bytes > bytes_max {
            return Err(Rejection::TooLarge { field: "metadata", bytes, bytes_max });
        }
        if !metadata.is_object() {
            return Err(Rejection::invalid("metadata", "metadata must be a JSON object"));
        }
        Ok(())
    }

    /// A title or name: not blank, not too long.
    fn check_title(&self, field: &'static str, text: &str) -> Result<(), Rejection> {
        let chars_max = self.state.limits().title_chars_max;
        if text.trim().is_empty() {
            return Err(Rejection::invalid(field, format!("{field} must not be empty")));
        }
        let chars = text.chars().count();
        if chars > chars_max {
            let detail = format!("{field} has {chars} characters; at most {chars_max} are taken");
            return Err(Rejection::invalid(field, detail));
        }
        Ok(())
    }

    /// Capabilities or tags: few, none blank, none too long.
    fn check_labels(&self, field: &'static str, labels: &[String]) -> Result<(), Rejection> {
        let limits = self.state.limits();
        if labels.len() > limits.labels_max {
            let detail = format!(
                "{field} has {} entries; at most {} are taken",
                labels.len(),
                limits.labels_max
            );
            return Err(Rejection::invalid(field, detail));
        }
        labels.iter().try_for_each(|label| self.check_label(field, label))
    }

    fn check_label(&self, field: &'static str, label: &str) -> Result<(), Rejection> {
        let chars_max = self.state.limits().label_chars_max;
        if label.trim().is_empty() || label.chars().count() > chars_max {
            let detail = format!("each entry of {field} has 1 to {chars_max} characters");
            return Err(Rejection::invalid(field, detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
