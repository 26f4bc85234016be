//! From the hub's answers to bytes.

use std::io::Write;

use coordhub_core::{
    Hub, Outcome, Reply, Sent,
    model::{EntityView, Message, Task},
};
use serde::Serialize;
use serde_json::Value;

/// How the reply to a change is shown.
#[derive(Clone, Debug)]
pub enum Form {
    /// `{"status", "seq", "<noun>": {…}}` with the seed's fields beside it.
    Status(&'static str, Vec<(&'static str, Value)>),
    /// The answer to a UDC message.
    Udc {
        /// The sender's own id for it.
        trace_id: String,
    },
}

/// The body of the reply to a change.
pub fn change(hub: &Hub, form: &Form, reply: Reply) -> Vec<u8> {
    match (form, reply.outcome) {
        (Form::Udc { trace_id }, Outcome::Message(sent)) => udc(trace_id, &sent.message),
        (Form::Status(status, _), Outcome::Message(sent)) => sent_reply(status, &sent),
        (Form::Status(status, facts), outcome) => noun(hub, status, facts, reply.seq, outcome),
        // Only a message is ever answered in the form of UDC.
        (Form::Udc { .. }, _) => b"{}".to_vec(),
    }
}

fn noun(
    hub: &Hub,
    status: &str,
    facts: &[(&'static str, Value)],
    seq: u64,
    outcome: Outcome,
) -> Vec<u8> {
    let mut body = Object::new();
    body.field("status", &status);
    body.field("seq", &seq);
    for (name, value) in facts {
        body.field(name, value);
    }
    match outcome {
        Outcome::Entity(entity) => {
            body.field("entity_id", &entity.entity_id);
            body.field("entity", &hub.entity(&entity.entity_id));
        }
        Outcome::Task(task) => task_fields(&mut body, hub, status, &task),
        Outcome::TaskUnchanged(task) => {
            body.field("already", &true);
            task_fields(&mut body, hub, status, &task);
        }
        Outcome::Proposal(proposal) | Outcome::ProposalUnchanged(proposal) => {
            body.field("proposal_id", &proposal.proposal_id);
            body.field("tally", &proposal.tally);
            body.field("proposal_status", &proposal.status);
            body.field("proposal", &*proposal);
        }
        Outcome::CursorAt(up_to) => body.field("up_to", &up_to),
        Outcome::Done | Outcome::Message(..) => {}
    }
    body.into_bytes()
}

fn task_fields(body: &mut Object, hub: &Hub, status: &str, task: &Task) {
    body.field("task_id", &task.task_id);
    if status == "claimed" {
        body.field("claim_token", &task.claim_token);
        body.field("lease_expires_at", &task.lease_expires_at);
    }
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

    fn into_bytes(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// The reply to `send`, written by hand: it is the busiest answer of all.
fn sent_reply(status: &str, sent: &Sent) -> Vec<u8> {
    let Sent { message, json, recipients } = sent;
    let mut body = Vec::with_capacity(json.len() + 256);
    // Writing into memory has no way to fail.
    let _written = write!(
        body,
        "{{\"status\":\"{status}\",\"message_id\":\"{}\",\"seq\":{},\"timestamp\":\"{}\",\"recipients\":{{\"online\":{},\"offline\":{}}},\"message\":",
        message.message_id, message.seq, message.timestamp, recipients.online, recipients.offline,
    );
    body.extend_from_slice(json);
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
    let size: usize = items.iter().map(|item| item.as_ref().len() + 1).sum();
    let mut body = Vec::with_capacity(size + 64);
    body.extend_from_slice(b"{\"");
    body.extend_from_slice(plural.as_bytes());
    body.extend_from_slice(b"\":[");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(item.as_ref());
    }
    let tail = format!("],\"count\":{},\"next\":{next}}}", items.len());
    body.extend_from_slice(tail.as_bytes());
    body
}

/// A list of values that serialize as the documents say.
pub fn list_of<T: Serialize>(plural: &str, items: &[T], next: u64) -> Vec<u8> {
    let items: Vec<Vec<u8>> = items.iter().map(to_bytes).collect();
    list(plural, &items, next)
}

/// A task with its history.
pub fn task_by_id(task: &Task, history: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut body = to_bytes(task);
    // What follows belongs inside the object.
    body.pop();
    body.extend_from_slice(b",\"history\":[");
    for (at, event) in history.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event.as_ref());
    }
    body.extend_from_slice(b"],\"notes\":[],\"late_results\":[]}");
    body
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
