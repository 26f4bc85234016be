//! Calls about channels: what there is, and private ones.

use super::call::{Call, Change, ENTITY_ID, Read, optional, required};
use crate::wire::{Field, Kind, Problem, channels, reply};

/// Fields of `GET /channels`.
pub const LIST: &[Field] = &[ENTITY_ID];

/// `GET /channels`
pub fn list(call: &Call<'_>) -> Result<Read, Problem> {
    let reader = call.reader()?;
    Read::later(move |app| {
        let head = app.hub().head_seq();
        Ok(reply::list_of("channels", &app.hub().channels(&reader)?, head))
    })
}

/// Fields of `GET /channels/{channel}`.
pub const GET: &[Field] = &[ENTITY_ID];

/// `GET /channels/{channel}`
pub fn get(call: &Call<'_>) -> Result<Read, Problem> {
    let name = channels::name(&call.fields)?;
    let reader = call.reader()?;
    Read::later(move |app| Ok(reply::to_bytes(&app.hub().channel(&reader, &name)?)))
}

/// Fields of `POST /channels/create`.
pub const CREATE: &[Field] = &[
    required("channel", Kind::Text, "Its name, which no channel has yet."),
    optional("members", Kind::Texts, "Registered entities that belong to it besides yourself."),
    optional(
        "types",
        Kind::Texts,
        "Types of entities whose registered entities may read it and post to it, as members do.",
    ),
    required("entity_id", Kind::Text, "Who makes it, and is its first member."),
];

/// `POST /channels/create`
pub fn create(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(channels::create(&call.fields)?, "created")
}

/// Fields of `POST /channels/{channel}/join`.
pub const JOIN: &[Field] = &[required("entity_id", Kind::Text, "Who joins it.")];

/// `POST /channels/{channel}/join`
pub fn join(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(channels::join(&call.fields)?, "joined")
}

/// Fields of `POST /channels/{channel}/leave`.
pub const LEAVE: &[Field] = &[required("entity_id", Kind::Text, "Who leaves it.")];

/// `POST /channels/{channel}/leave`
pub fn leave(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(channels::leave(&call.fields)?, "left")
}

/// Fields of `POST /channels/{channel}/invite`.
pub const INVITE: &[Field] = &[
    required("members", Kind::Texts, "Registered entities that belong to it from now on."),
    required("entity_id", Kind::Text, "Who invites them: a member."),
];

/// `POST /channels/{channel}/invite`
pub fn invite(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(channels::invite(&call.fields)?, "invited")
}
