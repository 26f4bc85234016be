//! The UDC endpoints, which every service of the seed's family answers.

use std::time::Duration;

use coordhub_core::{
    JsonText,
    command::{Ack, Command, Destination, Send},
    ids::{ChannelName, EntityId},
    model::EntityType,
};
use serde_json::{Value, json};

use super::{
    call::{Call, Change, Read, optional, required},
    router::ROUTES,
};
use crate::{
    access::{caller, gate::Access},
    app::App,
    process,
    wire::{Field, Kind, Problem, reply, reply::Form},
};

const SERVICE: &str = "coordhub";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of UDC that these endpoints follow.
const UDC_VERSION: &str = "1.0";

fn ready(value: &Value) -> Result<Read, Problem> {
    Ok(Read::Ready(reply::to_bytes(value)))
}

fn status(app: &App) -> &'static str {
    if app.hub().is_degraded() { "degraded" } else { "active" }
}

/// `GET /health`
pub fn health(call: &Call<'_>) -> Result<Read, Problem> {
    let (app, hub) = (call.app, call.app.hub());
    if matches!(call.access, Access::Nobody) {
        // Whether it works is everybody's to know, how it is used is not.
        return ready(&json!({
            "status": status(app),
            "service": SERVICE,
            "version": VERSION,
            "timestamp": hub.now(),
        }));
    }
    let mut health = json!({
        "status": status(app),
        "service": SERVICE,
        "version": VERSION,
        "timestamp": hub.now(),
        "uptime_seconds": rounded(app.uptime_seconds()),
        "entities_online": hub.entities_online(),
        "active_websockets": hub.open_sockets(),
        "messages_last_hour": hub.messages_last_hour(),
        "active_tasks": hub.with_state(|state| state.active_tasks()),
    });
    let trusted = &app.config().network.trusted;
    if !trusted.is_empty() {
        // Whoever asks should see by whose word nobody else comes in.
        let networks: Vec<String> = trusted.iter().map(ToString::to_string).collect();
        health["trusted_networks"] = networks.into();
    }
    ready(&health)
}

/// `GET /capabilities`
pub fn capabilities(call: &Call<'_>) -> Result<Read, Problem> {
    let endpoints: Vec<Value> = ROUTES
        .iter()
        .map(|route| json!({ "method": route.method.as_str(), "path": route.path, "summary": route.summary }))
        .collect();
    ready(&json!({
        "service_name": SERVICE,
        "version": VERSION,
        "features": ["entities", "presence", "messages", "channels", "receipts", "roll_calls", "redaction", "tasks", "task_dependencies", "leases", "claim_next", "scheduled_tasks", "questions", "attention", "proposals", "idempotency_keys", "batches", "search", "reservations", "handoff", "tokens", "presence_frames", "websocket", "resume", "event_log", "udc"],
        "supported_entity_types": EntityType::WORDS,
        "dependencies": [],
        "udc_version": UDC_VERSION,
        "integration_endpoints": endpoints,
        "metadata": { "epoch": call.app.hub().epoch(), "auth": call.app.config().auth.as_str() },
    }))
}

/// `GET /state`
pub fn state(call: &Call<'_>) -> Result<Read, Problem> {
    let (app, hub) = (call.app, call.app.hub());
    let (totals, head) = hub.with_state(|state| (state.totals().clone(), state.head()));
    let (requests, uptime) = (app.metrics().requests(), app.uptime_seconds());
    ready(&json!({
        "status": status(app),
        "uptime_seconds": rounded(uptime),
        "requests_total": requests,
        "requests_per_minute": app.metrics().requests_last_minute(),
        "errors_last_hour": app.metrics().errors_last_hour(),
        "last_restart": app.started_at(),
        "resource_usage": {
            "memory_bytes": process::resident_bytes(),
            "cpu_seconds": process::cpu_seconds(),
        },
        "entities": totals.entities.iter().sum::<u64>(),
        "messages": totals.messages,
        "tasks": totals.tasks,
        "proposals": totals.proposals,
        "epoch": hub.epoch(),
        "head_seq": head,
    }))
}

/// `GET /dependencies`
pub fn dependencies(call: &Call<'_>) -> Result<Read, Problem> {
    let degraded = call.app.hub().is_degraded();
    let store = json!({
        "name": "sqlite",
        "kind": "embedded",
        "status": if degraded { "unavailable" } else { "available" },
    });
    let missing: &[&str] = if degraded { &["sqlite"] } else { &[] };
    ready(&json!({ "required": [store], "optional": [], "missing": missing }))
}

const UDC_TYPES: &[&str] = &["status", "event", "command", "query"];

/// Fields of `POST /message`.
pub const MESSAGE: &[Field] = &[
    required("trace_id", Kind::Text, "Your own id for it."),
    required("source", Kind::Text, "Who sends it."),
    optional("target", Kind::Text, "For whom it is meant."),
    required("message_type", Kind::Word(UDC_TYPES), "What it is."),
    optional("payload", Kind::Any, "What it says: any JSON."),
    optional("timestamp", Kind::Text, "When you sent it."),
];

/// `POST /message`: kept as a message on `technical`; a command in it is never carried out.
pub fn message(call: &Call<'_>) -> Result<Change, Problem> {
    let caller = call.caller()?;
    let fields = &call.fields;
    let trace_id = fields.needed_text("trace_id")?.into_owned();
    let known = |word: &str| UDC_TYPES.iter().copied().find(|known| *known == word);
    let kind = fields
        .word("message_type", known, UDC_TYPES)?
        .ok_or_else(|| Problem::field("message_type", "message_type is missing"))?;
    let payload = fields.any("payload")?;
    let source = caller::needed(caller)?;
    let udc = json!({
        "trace_id": trace_id,
        "source": source,
        "target": fields.text("target")?,
        "message_type": kind,
        "timestamp": fields.text("timestamp")?,
    });
    let command = Command::Send(Send {
        from_entity: source,
        to: Some(Destination::Channel(technical()?)),
        content: payload.map_or_else(String::new, |payload| payload.as_str().to_owned()),
        message_type: Some(format!("udc_{kind}")),
        metadata: JsonText::parse(&json!({ "udc": udc }).to_string())
            .map_err(|error| Problem::field("body", error.to_string()))?,
        reply_to: None,
        ack: Ack::NotAsked,
        task: None,
    });
    let form = Form::Udc { trace_id };
    Ok(Change { caller: call.caller()?, command, form, key: None, wait: Duration::ZERO })
}

/// `GET /message`
pub fn describe_message(call: &Call<'_>) -> Result<Read, Problem> {
    let _reader: Option<EntityId> = call.reader()?.id;
    let fields: Vec<Value> = MESSAGE
        .iter()
        .map(|field| json!({ "name": field.name, "description": field.doc }))
        .collect();
    ready(&json!({
        "endpoint": "POST /message",
        "description": "Keeps a message between UDC services on the channel technical; executes nothing.",
        "message_types": UDC_TYPES,
        "fields": fields,
    }))
}

fn technical() -> Result<ChannelName, Problem> {
    ChannelName::parse("technical").map_err(|why| Problem::field("channel", why.to_string()))
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}
