//! What came of a call, as the JSON that the wire contract gives for it.
//!
//! Everything is written straight to text: a detour over `serde_json::Value` would change the large numbers that
//! metadata and results may hold.

use coordhub_core::{
    Hub, HubError, Outcome, Reply, Sent,
    model::{EntityView, Proposal, Recipients, Task},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;

#[derive(Serialize)]
struct Done {
    seq: u64,
}

#[derive(Serialize)]
struct OfEntity {
    seq: u64,
    entity: Option<EntityView>,
}

#[derive(Serialize)]
struct OfMessage<'a> {
    seq: u64,
    recipients: Recipients,
    message: &'a RawValue,
}

#[derive(Serialize)]
struct OfTask {
    seq: u64,
    task: Task,
    /// Of the newest claim: the caller's own after a claim.
    claim_token: u64,
    already: bool,
}

#[derive(Serialize)]
struct OfProposal<'a> {
    seq: u64,
    proposal: &'a Proposal,
}

/// The reply to a change.
pub(crate) fn change(hub: &Hub, reply: Reply) -> Result<String, Failure> {
    let seq = reply.seq;
    match reply.outcome {
        Outcome::Done
        | Outcome::CursorAt(_)
        | Outcome::Message { .. }
        | Outcome::Channel { .. }
        | Outcome::NoTask
        | Outcome::Lease { .. }
        | Outcome::Reserved { .. }
        | Outcome::Released(_)
        | Outcome::HandedOver(_)
        | Outcome::Tasks(_)
        // The package makes no tokens: whoever embeds the hub is trusted with all of it.
        | Outcome::Joined { .. }
        | Outcome::Token(_)
        | Outcome::Invite(_) => text(&Done { seq }),
        Outcome::Entity(entity) => text(&OfEntity { seq, entity: hub.entity(&entity.entity_id) }),
        Outcome::Sent(sent) => {
            let Some(Sent { json, recipients, .. }) = sent.first() else {
                return text(&Done { seq });
            };
            let message = serde_json::from_slice(json).map_err(fault)?;
            text(&OfMessage { seq, recipients: *recipients, message })
        }
        Outcome::Task { task, already } => of_task(hub, seq, &task, task.claim_token, already),
        Outcome::Claimed(claim) => of_task(hub, seq, &claim.task, claim.claim_token, claim.already),
        Outcome::Proposal { proposal, .. } => text(&OfProposal { seq, proposal: &proposal }),
    }
}

fn of_task(
    hub: &Hub,
    seq: u64,
    task: &Task,
    claim_token: u64,
    already: bool,
) -> Result<String, Failure> {
    let mut task = task.clone();
    hub.mark_stale(&mut task, hub.now());
    text(&OfTask { seq, task, claim_token, already })
}

/// A list: `{"<plural>": [...], "count", "next"}`.
pub(crate) fn list<T: Serialize>(plural: &str, items: &[T], next: u64) -> Result<String, Failure> {
    Ok(listed(plural, &text(&items)?, items.len(), next))
}

/// The same, of items that are JSON already.
pub(crate) fn list_of_json(
    plural: &str,
    items: &[impl AsRef<[u8]>],
    next: u64,
) -> Result<String, Failure> {
    let all = joined(items)?;
    Ok(listed(plural, &all, items.len(), next))
}

fn listed(plural: &str, items: &str, count: usize, next: u64) -> String {
    format!("{{\"{plural}\":{items},\"count\":{count},\"next\":{next}}}")
}

/// A task with its history, whose events are JSON already.
pub(crate) fn task_by_id(task: &Task, history: &[impl AsRef<[u8]>]) -> Result<String, Failure> {
    let mut object = text(task)?;
    // What follows belongs inside the object.
    object.pop();
    Ok(format!("{object},\"history\":{}}}", joined(history)?))
}

/// An object that is JSON already.
pub(crate) fn one_of_json(object: &[u8]) -> Result<String, Failure> {
    str::from_utf8(object).map(str::to_owned).map_err(fault)
}

/// Anything that serializes as the documents say.
pub(crate) fn text(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(fault)
}

/// JSON texts as one JSON array.
fn joined(items: &[impl AsRef<[u8]>]) -> Result<String, Failure> {
    let size: usize = items.iter().map(|item| item.as_ref().len() + 1).sum();
    let mut all = String::with_capacity(size + 2);
    all.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            all.push(',');
        }
        all.push_str(str::from_utf8(item.as_ref()).map_err(fault)?);
    }
    all.push(']');
    Ok(all)
}

/// What the hub itself made does not serialize: a fault of its own.
fn fault(_: impl std::error::Error) -> Failure {
    Failure::Hub(HubError::Internal)
}
