//! From fields to commands about private channels.

use std::collections::BTreeSet;

use coordhub_core::{
    command::{Command, CreateChannel, InviteToChannel},
    ids::{ChannelName, EntityId},
    model::EntityType,
};

use super::{Fields, Problem};

/// The channel that the path, a field, or a socket's `args` names.
pub fn name(fields: &Fields<'_>) -> Result<ChannelName, Problem> {
    fields.needed("channel", ChannelName::parse)
}

/// `POST /channels/create`.
pub fn create(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::CreateChannel(CreateChannel {
        channel: name(fields)?,
        members: members(fields)?.unwrap_or_default(),
        types: types(fields)?,
    }))
}

/// `POST /channels/{channel}/join`.
pub fn join(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::JoinChannel(name(fields)?))
}

/// `POST /channels/{channel}/leave`.
pub fn leave(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::LeaveChannel(name(fields)?))
}

/// `POST /channels/{channel}/invite`.
pub fn invite(fields: &Fields<'_>) -> Result<Command, Problem> {
    let missing = || Problem::field("members", "members is missing: say whom");
    Ok(Command::InviteToChannel(InviteToChannel {
        channel: name(fields)?,
        members: members(fields)?.ok_or_else(missing)?,
    }))
}

fn members(fields: &Fields<'_>) -> Result<Option<Vec<EntityId>>, Problem> {
    let Some(texts) = fields.texts("members")? else { return Ok(None) };
    let parse = |(at, text): (usize, &String)| {
        EntityId::parse(text)
            .map_err(|why| Problem::field("members", format!("members[{at}]: {why}")))
    };
    texts.iter().enumerate().map(parse).collect::<Result<_, _>>().map(Some)
}

fn types(fields: &Fields<'_>) -> Result<BTreeSet<EntityType>, Problem> {
    let texts = fields.texts("types")?.unwrap_or_default();
    let parse = |text: &String| {
        let unknown = || {
            let words = EntityType::WORDS.join(", ");
            Problem::field("types", format!("types: {text:?} is none of {words}"))
        };
        EntityType::parse(text).ok_or_else(unknown)
    };
    texts.iter().map(parse).collect()
}
