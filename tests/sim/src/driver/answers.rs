//! What the hub told a caller, held against what the model says it must.

use coordhub_core::{HubError, Made, Outcome, Reply, model::Recipients};

use super::{
    credentials::{invite_differs, token_differs},
    tasks::{proposal_differs, task_differs},
};
use crate::model::{Expected, Mismatch, Model, Told};

/// Compares an answer.
pub(super) fn compare(
    model: &Model,
    expected: &Expected,
    answer: &Result<Reply, HubError>,
) -> Result<(), Mismatch> {
    match (expected, answer) {
        (Expected::Refused(codes), Err(HubError::Rejected(why))) if codes.contains(&why.code()) => {
            Ok(())
        }
        (Expected::Refused(codes), Err(HubError::Rejected(why))) => {
            wrong(format!("refused with {}, and any of {codes:?} was due", why.code()))
        }
        (Expected::Refused(codes), Ok(reply)) => {
            wrong(format!("a refusal {codes:?} was due, and it was done: {}", short(reply)))
        }
        (Expected::Told(told, _, true), Err(_)) if is_gone(model, told) => Ok(()),
        (Expected::Told(told, ..), Err(why)) => {
            let code = match why {
                HubError::Rejected(why) => why.code(),
                _ => "no rejection",
            };
            wrong(format!("{told:?} was due, and it was refused: {code}: {why}"))
        }
        (Expected::Told(told, seq, again), Ok(reply)) => {
            if reply.seq != *seq {
                return wrong(format!("seq {} was answered, and {seq} was due", reply.seq));
            }
            if (reply.made == Made::Before) != *again {
                return wrong(format!("{:?} was answered, and again: {again} was due", reply.made));
            }
            outcome(model, told, *again, &reply.outcome)
        }
        (expected, answer) => wrong(format!("{answer:?} was answered, and {expected:?} was due")),
    }
}

/// Compares the answer to a claim that was waited for, but for the task, which may have changed since.
pub(super) fn compare_claim(
    expected: &Expected,
    answer: &Result<Reply, HubError>,
) -> Result<(), Mismatch> {
    match (expected, answer) {
        (
            Expected::Told(Told::Claimed(due), seq, _),
            Ok(Reply { outcome: Outcome::Claimed(claim), seq: hubs, .. }),
        ) if claim.claim_token == due.token
            && claim.task.task_id == due.task_id
            && claim.lease_expires_at == due.lease_expires_at
            && seq == hubs =>
        {
            Ok(())
        }
        (expected, answer) => wrong(format!("{answer:?} was answered, and {expected:?} was due")),
    }
}

fn wrong<T>(what: String) -> Result<T, Mismatch> {
    Err(Mismatch(what))
}

/// Whether there is nothing left of what somebody was told.
fn is_gone(model: &Model, told: &Told) -> bool {
    match told {
        Told::Entity(id) => !model.entities.contains_key(id),
        Told::Joined(id, token) => {
            !model.entities.contains_key(id) || !model.tokens.contains_key(token)
        }
        Told::Token(id) => !model.tokens.contains_key(id),
        Told::Invite(id) => !model.invites.contains_key(id),
        _ => false,
    }
}

fn short(reply: &Reply) -> String {
    format!("{reply:?}").chars().take(300).collect()
}

fn outcome(model: &Model, told: &Told, again: bool, outcome: &Outcome) -> Result<(), Mismatch> {
    let differs = match (told, outcome) {
        (Told::Done, Outcome::Done) | (Told::NoTask, Outcome::NoTask) => None,
        // Told again under a key, of what is gone meanwhile: there is nothing to show.
        (told, _) if is_gone(model, told) => None,
        (Told::Entity(id), Outcome::Entity(entity)) => model.entities.get(id).and_then(|known| {
            let same = entity.entity_id == *id
                && entity.name == known.name
                && entity.capabilities == known.capabilities
                && entity.metadata == known.metadata
                && entity.entity_type == known.entity_type
                && entity.registered_at == known.registered_at;
            (!same).then(|| format!("{entity:?} and not {known:?}"))
        }),
        (Told::CursorAt(due), Outcome::CursorAt(at)) => {
            (due != at).then(|| format!("the cursor is at {at} and not at {due}"))
        }
        (Told::Message(id, already), Outcome::Message { message_id, already: hubs }) => {
            (id != message_id || already != hubs)
                .then(|| format!("{message_id} already {hubs} and not {already}"))
        }
        (Told::Joined(id, token_id), Outcome::Joined { entity, token }) => {
            let same = entity.entity_id == *id && token.token_id == *token_id;
            let differs = (!same).then(|| format!("{entity:?} with {token:?} and not {id}"));
            differs.or_else(|| token_differs(&model.tokens[token_id], token))
        }
        (Told::Token(id), Outcome::Token(token)) if token.token_id == *id => {
            token_differs(&model.tokens[id], token)
        }
        (Told::Invite(id), Outcome::Invite(invite)) if invite.invite_id == *id => {
            invite_differs(&model.invites[id], invite)
        }
        (Told::Channel(name, already), Outcome::Channel { channel, already: hubs }) => {
            (name != channel || already != hubs)
                .then(|| format!("{channel} already {hubs} and not {already}"))
        }
        (Told::Task(id, already), Outcome::Task { task, already: hubs }) => {
            if already != hubs {
                Some(format!("already {hubs} and not {already}"))
            } else {
                task_differs(model, &model.tasks[id], task)
            }
        }
        (Told::Tasks(ids), Outcome::Tasks(tasks)) if ids.len() == tasks.len() => {
            ids.iter().zip(tasks).find_map(|(id, task)| task_differs(model, &model.tasks[id], task))
        }
        (Told::Claimed(due), Outcome::Claimed(claim)) => {
            let same = claim.claim_token == due.token
                && claim.lease_expires_at == due.lease_expires_at
                && claim.already == due.already
                && claim.task.task_id == due.task_id;
            if same {
                task_differs(model, &model.tasks[&due.task_id], &claim.task)
            } else {
                Some(format!("{claim:?} and not {due:?}"))
            }
        }
        (Told::Lease(id, end), Outcome::Lease { task_id, lease_expires_at }) => (id != task_id
            || end != lease_expires_at)
            .then(|| format!("the lease ends {lease_expires_at:?} and not {end:?}")),
        (Told::Proposal(id, already), Outcome::Proposal { proposal, already: hubs }) => {
            if already != hubs {
                Some(format!("already {hubs} and not {already}"))
            } else {
                proposal_differs(&model.proposals[id], proposal)
            }
        }
        (Told::Sent(due), Outcome::Sent(sent)) if due.len() == sent.len() => {
            due.iter().zip(sent).find_map(|((id, task), sent)| {
                let Recipients { online, offline } = sent.recipients;
                let known = &model.messages[id];
                let message = &sent.message;
                let same = message.message_id == *id
                    && sent.task_id == *task
                    && (again || online + offline <= model.entities.len() as u64 + 1)
                    && message.content == known.content
                    && message.seq == known.seq
                    && message.channel == known.channel
                    && message.to_entity == known.to
                    && message.thread_id == known.thread
                    && message.message_type == known.message_type
                    && message.ack_required == known.roll_call.is_some()
                    && (known.redacted || message.metadata.field("timestamp").is_some());
                (!same).then(|| format!("{sent:?} and not {known:?} with {task:?}"))
            })
        }
        (told, outcome) => {
            let told = format!("{told:?}");
            let outcome: String = format!("{outcome:?}").chars().take(300).collect();
            Some(format!("{outcome} and not {told}"))
        }
    };
    match differs {
        Some(what) => wrong(format!("answered: {what}")),
        None => Ok(()),
    }
}
