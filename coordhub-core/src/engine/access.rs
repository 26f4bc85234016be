//! Who shows which secret: a look at the durable state, never at the disk.

use std::sync::Arc;

use super::{Hub, Request, Ticket, reply::HubError};
use crate::{
    command::{Auth, Caller, Command, Origin},
    ids::{EntityId, TokenId},
    model::Role,
    secret::SecretHash,
};

/// Who a token says its holder is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// As whom its holder acts.
    pub entity_id: EntityId,
    /// What its holder may do.
    pub role: Role,
    /// Which token it is.
    pub token_id: TokenId,
    /// The hash that was shown.
    pub hash: SecretHash,
    /// Whether it has been shown before.
    pub is_used: bool,
}

impl Identity {
    /// The caller of what is done with this token.
    pub fn caller(&self) -> Caller {
        Caller {
            id: Some(self.entity_id.clone()),
            role: self.role,
            auth: Auth::Token,
            token: Some(self.hash),
        }
    }
}

impl Hub {
    /// Who shows the token with this hash. `None` where there is no such token, or no longer.
    pub fn authenticate(&self, hash: &SecretHash) -> Option<Identity> {
        self.with_state(|state| {
            state.credentials().token_by_hash(hash).map(|token| Identity {
                entity_id: token.entity_id.clone(),
                role: token.role,
                token_id: token.token_id.clone(),
                hash: *hash,
                is_used: token.first_used_at.is_some(),
            })
        })
    }

    /// Notes that a token was shown for the first time: its invite cannot have it made anew from then
    /// on.
    pub fn note_use(
        &self,
        token: &TokenId,
        origin: Option<Arc<Origin>>,
    ) -> Result<Ticket, HubError> {
        let request = Request::new(Caller::hub(), Command::UseToken(token.clone()));
        self.submit_request(Request { origin, ..request })
    }

    /// Whether there is an invite with this hash, good for something or not.
    pub fn knows_invite(&self, hash: &SecretHash) -> bool {
        self.with_state(|state| state.credentials().invite_by_hash(hash).is_some())
    }

    /// Whether somebody can act as an admin.
    pub fn has_admin(&self) -> bool {
        self.with_state(|state| state.credentials().has_admin())
    }
}
