//! The hub itself: pure. No clock, no disk, no threads, no randomness, no map of random order.
//!
//! The calling order is: [`decide`] judges a command against the state and changes nothing; the
//! events it returns are stamped and written; [`State::evolve`] makes each true and cannot fail.
//! Whatever decided an event stands in the event, so the same events give the same state anywhere.

mod rejection;
pub mod policy;
mod prefetched;
mod state;
mod evolve;
mod entities;
mod messages;
mod tasks;
mod proposals;
mod deadlines;
pub mod invariants;

pub use prefetched::{NobodyThere, Prefetched, SoftFacts};
pub use rejection::Rejection;
pub use state::{Cursors, Kept, State, Totals, Touched};
pub use tasks::check_able;

use std::sync::Arc;

use crate::{
    command::{Command, Envelope},
    event::Event,
    ids::{EntityId, ProposalId, Seq, TaskId},
    model::{Proposal, Recipients, Task},
    time::Timestamp,
};

/// What a command came to: the events that make it so, and what to tell the caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What happened, in order; empty where nothing changed.
    pub events: Vec<Event>,
    /// What the caller is told.
    pub answer: Answer,
}

impl Decision {
    fn new(event: Event, answer: Answer) -> Self {
        Self { events: vec![event], answer }
    }

    fn nothing(answer: Answer) -> Self {
        Self { events: Vec::new(), answer }
    }
}

/// What the caller is told, by name: the engine looks the thing up once the events are true.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Answer {
    /// Nothing beyond that it was done.
    #[default]
    Done,
    /// The entity, as it is now.
    Entity(EntityId),
    /// Where the read cursor stands.
    CursorAt(Seq),
    /// The message in the first event, and who was there to see it.
    Message(Recipients),
    /// The task, as it is now.
    Task(TaskId),
    /// The task as it was already; nothing changed.
    TaskUnchanged(Arc<Task>),
    /// The proposal, as it is now.
    Proposal(ProposalId),
    /// The proposal as it was already; nothing changed.
    ProposalUnchanged(Arc<Proposal>),
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
    match &envelope.command {
        Command::Register(command) => desk.register(command),
        Command::Remove(command) => desk.remove(command),
        Command::Send(command) => desk.send(command),
        Command::MoveCursor(command) => desk.move_cursor(command),
        Command::CreateTask(command) => desk.create_task(command),
        Command::UpdateTask(command) => desk.update_task(command),
        Command::ClaimTask(command) => desk.claim_task(command),
        Command::CompleteTask(command) => desk.complete_task(command),
        Command::FailTask(command) => desk.fail_task(command),
        Command::ReleaseTask(command) => desk.release_task(command),
        Command::CancelTask(task_id) => desk.cancel_task(task_id),
        Command::ReopenTask(task_id) => desk.reopen_task(task_id),
        Command::CreateProposal(command) => desk.create_proposal(command),
        Command::CastVote(command) => desk.cast_vote(command),
        Command::CloseProposal(proposal_id) => desk.close_proposal(proposal_id),
        Command::WithdrawProposal(proposal_id) => desk.withdraw_proposal(proposal_id),
        Command::Tick => Ok(desk.tick()),
    }
}

/// Everything a decision may look at. The `decide_*` methods stand in one file an area.
#[derive(Clone, Copy)]
struct Desk<'a> {
    state: &'a State,
    known: &'a Prefetched<'a>,
    envelope: &'a Envelope,
    now: Timestamp,
}

impl<'a> Desk<'a> {
    /// Who calls, where the command needs somebody.
    fn caller(&self) -> Result<&'a EntityId, Rejection> {
        self.envelope.caller.id.as_ref().ok_or(Rejection::CallerNeeded)
    }

    fn caller_standing(&self) -> policy::Standing {
        policy::standing(self.state, self.envelope.caller.id.as_ref())
    }

    /// A fresh id with the prefix of its kind: sorts by the time it was made.
    fn fresh_id(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.envelope.fresh.to_string().to_ascii_lowercase())
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
