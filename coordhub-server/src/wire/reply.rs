//! From the hub's answers to bytes.

use std::io::Write;

use coordhub_core::{
    Hub, Made, Outcome, Reply, Sent,
    engine::{Attention, SearchResults},
    ids::EntityId,
    model::{EntityView, LateResult, Message, Note, Task},
};
use serde::Serialize;
use serde_json::Value;

use crate::access::secret::Secret;

/// How the reply to a change is shown.
#[derive(Clone, Debug)]
pub enum Form {
    /// `{"status", "seq", "<noun>": {…}}` with the seed's fields beside it.
    Status(&'static str, Vec<(&'static str, Value)>),
    /// `{"status", "seq", "count", "<plural>": […]}`.
    Batch(&'static str),
    /// The same with a token's secret, which is told this once.
    Issued {
        /// What was done.
        status: &'static str,
        /// The secret.
        secret: Secret,
    },
    /// The same with an invite's.
    Invited {
        /// The secret.
        secret: Secret,
        /// An address that has the secret where no server sees it.
        link: Option<Hidden>,
    },
    /// The reply to a heartbeat.
    Heartbeat(EntityId),
    /// The answer to a UDC message.
    Udc {
        /// The sender's own id for it.
        trace_id: String,
    },
}

/// A text with a secret in it.
#[derive(Clone)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// The body of the reply to a change.
pub fn change(hub: &Hub, form: &Form, reply: Reply) -> Vec<u8> {
    match (form, reply.outcome) {
        (Form::Udc { trace_id }, Outcome::Sent(sent)) => {
            sent.first().map(|sent| udc(trace_id, &sent.message)).unwrap_or_default()
        }
        (Form::Status(status, _), Outcome::Sent(sent)) => {
            sent.first().map(|sent| sent_reply(status, reply.seq, sent)).unwrap_or_default()
        }
        (Form::Batch(status), Outcome::Sent(sent)) => {
            let items: Vec<_> =
                sent.iter().map(|sent| sent_reply(status, sent.message.seq, sent)).collect();
            batch(status, reply.seq, "messages", &items)
        }
        (Form::Batch(status), Outcome::Tasks(tasks)) => {
            let items: Vec<_> = tasks.iter().map(|task| to_bytes(&**task)).collect();
            batch(status, reply.seq, "tasks", &items)
        }
        (Form::Heartbeat(id), _) => {
            hub.entity(id).map(|entity| heartbeat(&entity)).unwrap_or_default()
        }
        (Form::Issued { status, secret }, outcome) => {
            issued(hub, status, told(secret, reply.made), reply.seq, outcome)
        }
        (Form::Invited { secret, link }, Outcome::Invite(invite)) => {
            let mut body = Object::new();
            body.field("status", &"made");
            body.field("seq", &reply.seq);
            body.field("invite_id", &invite.invite_id);
            if let Some(secret) = told(secret, reply.made) {
                body.field("secret", &secret.expose());
                body.field("link", &link.as_ref().map(|link| &link.0));
            }
            body.field("invite", &*invite);
            body.into_bytes()
        }
        (Form::Status(status, facts), outcome) => noun(hub, status, facts, reply.seq, outcome),
        // Only messages and tasks come in batches, and only a message is answered in the form of UDC.
        (Form::Batch(_) | Form::Udc { .. } | Form::Invited { .. }, _) => b"{}".to_vec(),
    }
}

/// A secret is told once: an answer that is given again has none, for what was made then had another.
fn told(secret: &Secret, made: Made) -> Option<&Secret> {
    match made {
        Made::Now => Some(secret),
        Made::Before => None,
    }
}

/// The reply to what gives somebody a token.
fn issued(hub: &Hub, status: &str, secret: Option<&Secret>, seq: u64, outcome: Outcome) -> Vec<u8> {
    let mut body = Object::new();
    body.field("status", &status);
    body.field("seq", &seq);
    let (entity, token) = match outcome {
        Outcome::Joined { entity, token } => (Some(entity), token),
        Outcome::Token(token) => (None, token),
        _ => return body.into_bytes(),
    };
    if let Some(entity) = entity {
        body.field("entity_id", &entity.entity_id);
        body.field("entity", &hub.entity(&entity.entity_id));
    }
    body.field("token_id", &token.token_id);
    if let Some(secret) = secret {
        body.field("token", &secret.expose());
    }
    body.field("token_info", &*token);
    body.into_bytes()
}

/// The reply to a batch: one entry for each item, in its order.
fn batch(status: &str, seq: u64, plural: &str, items: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Object::new();
    body.field("status", &status);
    body.field("seq", &seq);
    body.field("count", &items.len());
    body.list(plural, items);
    body.into_bytes()
}

fn noun(
    hub: &Hub,
    status: &str,
    facts: &[(&'static str, Value)],
    seq: u64,
    outcome: Outcome,
) -> Vec<u8> {
    let mut body = Object::new();
    let is_nothing = matches!(outcome, Outcome::NoTask);
    body.field("status", &if is_nothing { "none" } else { status });
    body.field("seq", &seq);
    for (name, value) in facts {
        body.field(name, value);
    }
    match outcome {
        Outcome::Entity(entity) => {
            body.field("entity_id", &entity.entity_id);
            body.field("entity", &hub.entity(&entity.entity_id));
        }
        Outcome::Task { task, already } => {
            body.already(already);
            task_fields(&mut body, hub, &task);
        }
        Outcome::Claimed(claim) => {
            body.already(claim.already);
            body.field("claim_token", &claim.claim_token);
            body.field("lease_expires_at", &claim.lease_expires_at);
            task_fields(&mut body, hub, &claim.task);
        }
        Outcome::Lease { task_id, lease_expires_at } => {
            body.field("task_id", &task_id);
            body.field("lease_expires_at", &lease_expires_at);
        }
        Outcome::Message { message_id, already } => {
            body.already(already);
            body.field("message_id", &message_id);
        }
        Outcome::Channel { channel, already } => {
            body.already(already);
            body.field("channel", &channel);
        }
        Outcome::Reserved { reservation, already } => {
            body.already(already);
            body.field("reservation_id", &reservation.reservation_id);
            body.field("expires_at", &reservation.expires_at);
            body.field("reservation", &*reservation);
        }
        Outcome::Released(reservation_id) => body.field("reservation_id", &reservation_id),
        Outcome::HandedOver(handed) => {
            body.field("message_id", &handed.message_id);
            body.field("tasks", &handed.tasks);
            body.field("returned", &handed.returned);
            body.field("reservations", &handed.reservations);
        }
        Outcome::Proposal { proposal, .. } => {
            body.field("proposal_id", &proposal.proposal_id);
            body.field("tally", &proposal.tally);
            body.field("proposal_status", &proposal.status);
            body.field("proposal", &*proposal);
        }
        Outcome::CursorAt(up_to) => body.field("up_to", &up_to),
        // Whatever has a secret has a form of its own.
        Outcome::Joined { .. } | Outcome::Token(_) | Outcome::Invite(_) => {}
        Outcome::Done | Outcome::NoTask | Outcome::Sent(_) | Outcome::Tasks(_) => {}
    }
    body.into_bytes()
}

fn task_fields(body: &mut Object, hub: &Hub, task: &Task) {
    body.field("task_id", &task.task_id);
    let mut task = task.clone();
    hub.mark_stale(&mut task, hub.now());
    body.field("task", &task);
}

/// A JSON object, written field by field. It never goes through [`Value`], which would make a number
/// of its own of whatever stands in `metadata` and `result`.
struct Object(Vec<u8>);

impl Object {
    fn new() -> Self {
        Self(Vec::with_capacity(512))
    }

    /// Adds a field; `name` is one of ours and needs no quoting.
    fn field(&mut self, name: &str, value: &impl Serialize) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        append(&mut self.0, value);
    }

    /// Says that nothing changed, where that is so.
    fn already(&mut self, already: bool) {
        if already {
            self.field("already", &true);
        }
    }

    /// Adds a list of values that are JSON already.
    fn list(&mut self, name: &str, items: &[impl AsRef<[u8]>]) {
        self.0.extend_from_slice(if self.0.is_empty() { b"{\"" } else { b",\"" });
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":[");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            self.0.extend_from_slice(item.as_ref());
        }
        self.0.push(b']');
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// The reply to `send`, written by hand: it is the busiest answer of all. Its `seq` is the highest of
/// the change, which may be more than the message: a roll-call, a task.
fn sent_reply(status: &str, seq: u64, sent: &Sent) -> Vec<u8> {
    let Sent { message, json, recipients, task_id } = sent;
    let mut body = Vec::with_capacity(json.len() + 256);
    // Writing into memory has no way to fail.
    let _written = write!(
        body,
        "{{\"status\":\"{status}\",\"message_id\":\"{}\",\"seq\":{},\"timestamp\":\"{}\",\"recipients\":{{\"online\":{},\"offline\":{}}},\"message\":",
        message.message_id, seq, message.timestamp, recipients.online, recipients.offline,
    );
    body.extend_from_slice(json);
    if let Some(task_id) = task_id {
        body.extend_from_slice(b",\"task_id\":");
        append(&mut body, task_id);
    }
    body.push(b'}');
    body
}

fn udc(trace_id: &str, message: &Message) -> Vec<u8> {
    to_bytes(&serde_json::json!({
        "received": true,
        "trace_id": trace_id,
        "message_id": message.message_id,
        "processed_at": message.timestamp,
        "result": { "status": "recorded", "seq": message.seq, "channel": message.channel },
    }))
}

/// A list: `{"<plural>": [...], "count", "next"}`, of items that are JSON already.
pub fn list<I: AsRef<[u8]>>(plural: &str, items: &[I], next: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(size(items) + 64);
    body.extend_from_slice(b"{\"");
    body.extend_from_slice(plural.as_bytes());
    body.extend_from_slice(b"\":");
    push_array(&mut body, items);
    let tail = format!(",\"count\":{},\"next\":{next}}}", items.len());
    body.extend_from_slice(tail.as_bytes());
    body
}

/// An array of items that are JSON already.
pub fn array<I: AsRef<[u8]>>(items: &[I]) -> Vec<u8> {
    let mut body = Vec::with_capacity(size(items) + 2);
    push_array(&mut body, items);
    body
}

fn size<I: AsRef<[u8]>>(items: &[I]) -> usize {
    items.iter().map(|item| item.as_ref().len() + 1).sum()
}

fn push_array<I: AsRef<[u8]>>(body: &mut Vec<u8>, items: &[I]) {
    body.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item.as_ref());
    }
    body.push(b']');
}

/// What a search found: a list, and how far the index had come.
pub fn search(found: &SearchResults) -> Vec<u8> {
    let mut body = list("messages", &found.messages.items, found.messages.next);
    // What follows belongs inside the object.
    body.pop();
    let tail = format!(",\"indexed_up_to\":{}}}", found.indexed_up_to);
    body.extend_from_slice(tail.as_bytes());
    body
}

/// A list of values that serialize as the documents say.
pub fn list_of<T: Serialize>(plural: &str, items: &[T], next: u64) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items.iter().map(to_bytes).collect();
    list(plural, &items, next)
}

/// A task with all that is kept beside it.
pub fn task_by_id(
    task: &Task,
    history: &[impl AsRef<[u8]>],
    notes: &[Note],
    late_results: &[LateResult],
) -> Vec<u8> {
    let mut body = Object(to_bytes(task));
    // What follows belongs inside the object.
    body.0.pop();
    body.list("history", history);
    body.field("notes", &notes);
    body.field("late_results", &late_results);
    body.into_bytes()
}

/// What waits for one entity.
pub fn attention(id: &EntityId, attention: &Attention) -> Vec<u8> {
    let mut body = Object::new();
    body.field("entity_id", id);
    body.list("unread_direct", &attention.unread_direct);
    body.list("acks_owed", &attention.acks_owed);
    body.field("questions", &attention.questions);
    body.field("tasks", &attention.tasks);
    body.field("proposals", &attention.proposals);
    body.into_bytes()
}

/// The reply to a heartbeat.
pub fn heartbeat(entity: &EntityView) -> Vec<u8> {
    to_bytes(&serde_json::json!({
        "status": "updated",
        "last_seen": entity.last_seen,
        "entity_id": entity.entity_id,
    }))
}

/// Any value as JSON.
pub fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    append(&mut body, value);
    body
}

fn append(body: &mut Vec<u8>, value: &impl Serialize) {
    // Serializing plain data with text keys into memory has no way to fail.
    let _written = serde_json::to_writer(body, value);
}
