//! From fields to commands about tokens and invites.

use coordhub_core::{
    command::{Command, Expiry, IssueToken, MakeInvite, Role, RotateToken},
    ids::{EntityId, TokenId},
    model::EntityType,
    secret::SecretHash,
};

use super::{Fields, Problem};

/// `POST /admin/invites`.
pub fn make_invite(
    fields: &Fields<'_>,
    hash: SecretHash,
    seconds_default: u64,
) -> Result<Command, Problem> {
    let name = fields.needed_text("name")?.into_owned();
    let words = fields.texts("entity_types")?.unwrap_or_default();
    let kind = |word: &String| {
        EntityType::parse(word).ok_or_else(|| {
            let detail = format!("entity_types: each is one of {}", EntityType::WORDS.join(", "));
            Problem::field("entity_types", detail)
        })
    };
    let mut entity_types = words.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    entity_types.sort_unstable();
    entity_types.dedup();
    let id = |text: &String| {
        EntityId::parse(text)
            .map_err(|why| Problem::field("entity_ids", format!("entity_ids: {why}")))
    };
    let ids = fields.texts("entity_ids")?.unwrap_or_default();
    let entity_ids = ids.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    let expires = match (fields.time("expires_at")?, fields.integer("expires_in_seconds")?) {
        (Some(_), Some(_)) => {
            let detail = "give expires_at or expires_in_seconds, not both";
            return Err(Problem::field("expires_in_seconds", detail));
        }
        (Some(at), None) => Expiry::At(at),
        (None, seconds) => Expiry::In(seconds.unwrap_or(seconds_default)),
    };
    Ok(Command::MakeInvite(MakeInvite {
        name,
        entity_types,
        entity_ids,
        role: role(fields)?,
        uses_max: fields.integer("uses")?.unwrap_or(1),
        expires,
        hash,
    }))
}

/// `POST /admin/tokens`.
pub fn issue_token(fields: &Fields<'_>, hash: SecretHash) -> Result<Command, Problem> {
    let id = |text: &str| {
        if text == EntityId::admin().as_str() {
            Ok(EntityId::admin())
        } else {
            EntityId::parse(text)
        }
    };
    let entity_id = fields.needed("entity_id", id)?;
    // Whoever runs the hub has one role.
    let role = match fields.text("role")? {
        None if entity_id == EntityId::admin() => Role::Admin,
        _ => role(fields)?,
    };
    let name = fields.needed_text("name")?.into_owned();
    Ok(Command::IssueToken(IssueToken { entity_id, role, name, hash }))
}

/// The word that stands for the token that is shown.
const OWN: &str = "own";

/// `POST /admin/tokens/{token_id}/rotate`: `own` is the token that was shown with the call.
pub fn rotate_token(
    fields: &Fields<'_>,
    own: Option<&TokenId>,
    hash: SecretHash,
) -> Result<Command, Problem> {
    let id = |text: &str| match own {
        Some(own) if text == OWN => Ok(own.clone()),
        _ => TokenId::parse(text),
    };
    let token_id = fields.needed("token_id", id)?;
    Ok(Command::RotateToken(RotateToken { token_id, hash }))
}

fn role(fields: &Fields<'_>) -> Result<Role, Problem> {
    Ok(fields.word("role", Role::parse, Role::WORDS)?.unwrap_or_default())
}
