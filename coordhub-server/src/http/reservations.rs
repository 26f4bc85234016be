//! Calls about reservations, and the handoff of all that an entity holds.

use coordhub_core::{command::Caller, hub::Seeker, ids::EntityId};
use serde_json::json;

use super::call::{AFTER, Call, Change, ENTITY_ID, LIMIT, ORDER, Read, optional, required};
use crate::{
    access::caller,
    wire::{Field, Kind, Problem, reply, reservations},
};

const RESOURCES: Field = required(
    "resources",
    Kind::Texts,
    "Up to 1,000 paths or patterns: `*` within one segment, `**` for any number of segments.",
);

/// Fields of `POST /reservations/acquire`.
pub const ACQUIRE: &[Field] = &[
    required("entity_id", Kind::Text, "Who reserves them."),
    RESOURCES,
    optional(
        "exclusive",
        Kind::Flag,
        "Whether you share them with nobody; true where not given. Shared ones keep out exclusive ones alone.",
    ),
    optional("ttl_seconds", Kind::Integer, "For how long, 1 to 2592000; 3600 where not given."),
    optional("reason", Kind::Text, "What for."),
];

/// `POST /reservations/acquire`
pub fn acquire(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(reservations::acquire(&call.fields)?, "acquired")
}

/// Fields of `POST /reservations/renew`.
pub const RENEW: &[Field] = &[
    RESERVATION_ID,
    required("entity_id", Kind::Text, "Its holder."),
    optional(
        "ttl_seconds",
        Kind::Integer,
        "For how long from now, 1 to 2592000; as long as before where not given.",
    ),
];

const RESERVATION_ID: Field = required("reservation_id", Kind::Text, "Which reservation.");

/// `POST /reservations/renew`
pub fn renew(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(reservations::renew(&call.fields)?, "renewed")
}

/// Fields of `POST /reservations/release`.
pub const RELEASE: &[Field] =
    &[RESERVATION_ID, required("entity_id", Kind::Text, "Its holder, or a human.")];

/// `POST /reservations/release`
pub fn release(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(reservations::release(&call.fields)?, "released")
}

/// Fields of `GET /reservations/list`.
pub const LIST: &[Field] = &[
    optional("held_by", Kind::Text, "Only those of this entity."),
    AFTER,
    ORDER,
    LIMIT,
    ENTITY_ID,
];

/// `GET /reservations/list`
pub fn list(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let held_by = call.fields.parsed("held_by", EntityId::parse)?;
    let list = call.app.hub().reservations(held_by.as_ref(), call.list_window()?);
    Ok(Read::Ready(reply::list_of("reservations", &list.items, list.next)))
}

/// Fields of `POST /reservations/check`.
pub const CHECK: &[Field] = &[
    RESOURCES,
    optional(
        "exclusive",
        Kind::Flag,
        "Whether you would share them with nobody; true where not given.",
    ),
    optional("entity_id", Kind::Text, "Who asks: your own reservations are in nobody's way."),
];

/// `POST /reservations/check`: changes nothing. Many patterns take some milliseconds, so it is done
/// where blocking hurts nobody.
pub fn check(call: &Call<'_>) -> Result<Read, Problem> {
    let entity_id = call.reader()?.id;
    let resources = reservations::resources(&call.fields)?;
    let exclusive = reservations::exclusive(&call.fields)?;
    Read::later(move |app| {
        let seeker = Seeker { entity_id: entity_id.as_ref(), exclusive };
        let checked = app.hub().check_resources(resources, seeker)?;
        Ok(reply::to_bytes(&json!({ "resources": checked })))
    })
}

/// Fields of `POST /entities/{id}/handoff`.
pub const HAND_OFF: &[Field] = &[
    required("note", Kind::Text, "What whoever goes on with it must know."),
    optional("to", Kind::Text, "Who gets it all; it goes back to the pool where not given."),
    optional(
        "entity_id",
        Kind::Text,
        "Who hands it over, where a human does it for another; the id in the path where not given.",
    ),
];

/// `POST /entities/{id}/handoff`: of one's own work, unless another is named as the caller.
pub fn hand_off(call: &Call<'_>) -> Result<Change, Problem> {
    let named = call.caller()?;
    // Over a socket there is no path: its entity hands over its own work.
    let giver = match call.fields.parsed("id", EntityId::parse)? {
        Some(giver) => giver,
        None => caller::needed(named.clone())?,
    };
    let caller = Caller { id: named.id.or_else(|| Some(giver.clone())), ..named };
    let command = reservations::hand_off(&call.fields, giver)?;
    Ok(Change { caller, ..call.change(command, "handed_off")? })
}
