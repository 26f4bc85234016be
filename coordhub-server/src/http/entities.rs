//! Calls about entities.

use std::time::Duration;

use coordhub_core::{
    command::{Caller, Command, Join, Role},
    engine::EntityFilter,
    hub::Rejection,
    ids::EntityId,
    model::{EntityType, Status},
};
use serde_json::Value;

use super::admin;
use super::call::{
    AFTER, Call, Change, LIMIT, METADATA, ORDER, Read, SoftChange, optional, required,
};
use crate::{
    access::{gate::Access, secret::Kind as SecretKind},
    wire::{Field, Kind, Problem, reply, reply::Form, request},
};

/// The longest `activity`, in bytes.
const ACTIVITY_BYTES_MAX: usize = 512;

/// Fields of `POST /entities/register`.
pub const REGISTER: &[Field] = &[
    required("entity_id", Kind::Text, "The id to take part under."),
    required(
        "entity_type",
        Kind::Word(EntityType::WORDS),
        "What you are. Fixed at the first registration.",
    ),
    optional("name", Kind::Text, "What people call you; the id where not given."),
    optional("capabilities", Kind::Texts, "What you can do; tasks may ask for these."),
    METADATA,
];

/// `POST /entities/register`
pub fn register(call: &Call<'_>) -> Result<Change, Problem> {
    match call.access {
        // An admin may register others, and says whom.
        Access::Holder(identity, _) if identity.role == Role::Admin => {
            let named = Some(identity.entity_id.clone()).filter(|id| *id != EntityId::admin());
            let register = request::register(&call.fields, named)?;
            let form = Form::Status("registered", Vec::new());
            let (caller, command) = (identity.caller(), Command::Register(register));
            Ok(Change { caller, command, form, key: None, wait: Duration::ZERO })
        }
        Access::Guest(invite) => {
            let secret = admin::secret(call, SecretKind::Token)?;
            let caller = call.caller()?;
            let register = request::register(&call.fields, caller.id.clone())?;
            let caller = Caller { id: Some(register.entity_id.clone()), ..caller };
            let join = Join { register, invite: *invite, token: secret.hash() };
            let form = Form::Issued { status: "registered", secret };
            Ok(Change {
                caller,
                command: Command::Join(join),
                form,
                key: None,
                wait: Duration::ZERO,
            })
        }
        _ => {
            let register = request::register(&call.fields, call.caller()?.id)?;
            call.change(Command::Register(register), "registered")
        }
    }
}

/// Fields of `GET /entities/list`.
pub const LIST: &[Field] = &[
    optional("entity_type", Kind::Word(EntityType::WORDS), "Only of this type."),
    optional("status", Kind::Word(Status::WORDS), "Only with this status."),
    optional("capability", Kind::Text, "Only with this capability."),
    AFTER,
    ORDER,
    LIMIT,
];

/// `GET /entities/list`
pub fn list(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let filter = EntityFilter {
        entity_type: request::entity_type(&call.fields, "entity_type")?,
        status: call.fields.word("status", Status::parse, Status::WORDS)?,
        capability: call.fields.text("capability")?.map(Into::into),
    };
    let list = call.app.hub().entities(&filter, call.list_window()?);
    Ok(Read::Ready(reply::list_of("entities", &list.items, list.next)))
}

/// `GET /entities/{id}`
pub fn get(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let id = call.fields.needed("id", EntityId::parse)?;
    let entity = call.app.hub().entity(&id).ok_or(Rejection::UnknownEntity(id))?;
    Ok(Read::Ready(reply::to_bytes(&entity)))
}

/// `DELETE /entities/{id}`
pub fn remove(call: &Call<'_>) -> Result<Change, Problem> {
    let command = request::remove(&call.fields)?;
    let id = call.fields.needed_text("id")?.into_owned();
    let form = Form::Status("removed", vec![("entity_id", Value::from(id))]);
    Ok(Change { form, ..call.change(command, "removed")? })
}

/// Fields of `POST /entities/{entity_id}/heartbeat`.
pub const HEARTBEAT: &[Field] =
    &[optional("activity", Kind::Text, "What you are doing, in a few words; empty for nothing.")];

/// `POST /entities/{entity_id}/heartbeat`: presence is soft, so this waits for the disk only where a
/// lease must be renewed there.
pub fn heartbeat(call: &Call<'_>) -> Result<SoftChange, Problem> {
    let id = call.needed_caller()?;
    let activity = call.fields.text("activity")?;
    if activity.as_ref().is_some_and(|text| text.len() > ACTIVITY_BYTES_MAX) {
        let detail = format!("activity is a few words: at most {ACTIVITY_BYTES_MAX} bytes");
        return Err(Problem::field("activity", detail));
    }
    let hub = call.app.hub();
    // A name that never registered has nothing to keep alive.
    let unknown = || Problem::from(Rejection::UnknownEntity(id.clone()));
    hub.heartbeat(&id, activity.map(Into::into)).ok_or_else(unknown)?;
    if hub.needs_renewal(&id) {
        let change = call.change(Command::RenewLeases, "updated")?;
        let change = Change { form: Form::Heartbeat(id), ..change };
        return Ok(SoftChange::Change(Box::new(change)));
    }
    hub.entity(&id).map(|entity| SoftChange::Done(reply::heartbeat(&entity))).ok_or_else(unknown)
}

/// Fields of `GET /entities/{entity_id}/attention`.
pub const ATTENTION: &[Field] = &[];

/// `GET /entities/{entity_id}/attention`
pub fn attention(call: &Call<'_>) -> Result<Read, Problem> {
    let id = call.needed_caller()?;
    call.reader()?;
    Read::later(move |app| Ok(reply::attention(&id, &app.hub().attention(&id)?)))
}
