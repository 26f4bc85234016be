//! Tokens and invites of the hub, held against those of the model.

use coordhub_core::{
    hub::{Credentials, Sealed},
    model::{Invite, Token},
};

use crate::model::{self, Mismatch, Model};

/// In what a token differs from what is due.
pub(super) fn token_differs(due: &model::Token, token: &Token) -> Option<String> {
    let same = token.entity_id == due.entity_id
        && token.role == due.role
        && token.name == due.name
        && token.invite_id == due.invite
        && token.first_used_at.is_some() == due.is_used
        && token.rotated_at.is_some() == due.is_rotated;
    (!same).then(|| format!("{token:?} and not {due:?}"))
}

/// In what an invite differs from what is due.
pub(super) fn invite_differs(due: &model::Invite, invite: &Invite) -> Option<String> {
    let same = invite.name == due.name
        && invite.entity_types == due.types
        && invite.entity_ids == due.ids
        && invite.role == due.role
        && (invite.uses_max, invite.uses) == due.uses
        && invite.expires_at == due.expires_at;
    (!same).then(|| format!("{invite:?} and not {due:?}"))
}

/// All of them, and where each secret leads: to its token, and one that is good no more nowhere.
pub(super) fn look(credentials: &Credentials, model: &Model) -> Result<(), Mismatch> {
    let counts = (credentials.token_count(), credentials.invite_count());
    if counts != (model.tokens.len(), model.invites.len()) {
        return Err(Mismatch(format!("{counts:?} tokens and invites: the model differs")));
    }
    for (id, due) in &model.tokens {
        let is = credentials.token(id);
        differs(is, id.as_str(), |token| token_differs(due, token))?;
        let found = credentials.token_by_hash(&due.secret);
        if found.is_none_or(|token| token.token_id != *id) {
            return Err(Mismatch(format!("the secret of {id} leads to {found:?}")));
        }
    }
    for (id, due) in &model.invites {
        let is = credentials.invite(id);
        differs(is, id.as_str(), |invite| invite_differs(due, invite))?;
        let found = credentials.invite_by_hash(&due.secret);
        if found.is_none_or(|invite| invite.invite_id != *id) {
            return Err(Mismatch(format!("the secret of {id} leads to {found:?}")));
        }
    }
    for (secret, entity, _) in &model.past_secrets {
        if let Some(token) = credentials.token_by_hash(secret) {
            return Err(Mismatch(format!("a past secret of {entity} leads to {token:?}")));
        }
    }
    Ok(())
}

fn differs<T>(
    is: Option<&Sealed<T>>,
    id: &str,
    differs: impl Fn(&T) -> Option<String>,
) -> Result<(), Mismatch> {
    match is {
        None => Err(Mismatch(format!("{id} is gone"))),
        Some(sealed) => differs(&sealed.of).map_or(Ok(()), |what| Err(Mismatch(what))),
    }
}
