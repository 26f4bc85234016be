//! Events about tokens and invites. The log on disk has the hashes with them; readers never do.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntityId, InviteId, TokenId},
    model::{Invite, Token},
    secret::SecretHash,
};

/// See [`Event::InviteMade`](super::Event::InviteMade).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InviteMade {
    /// The invite.
    pub invite: Invite,
    /// The hash of its secret.
    pub hash: SecretHash,
}

/// See [`Event::InviteRevoked`](super::Event::InviteRevoked).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InviteRevoked {
    /// Which.
    pub invite_id: InviteId,
    /// What people called it.
    pub name: String,
}

/// See [`Event::TokenIssued`](super::Event::TokenIssued).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TokenIssued {
    /// The token.
    pub token: Token,
    /// The hash of its secret.
    pub hash: SecretHash,
}

/// See [`Event::TokenUsed`](super::Event::TokenUsed).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TokenUsed {
    /// Which.
    pub token_id: TokenId,
    /// Whose.
    pub entity_id: EntityId,
}

/// See [`Event::TokenRotated`](super::Event::TokenRotated).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TokenRotated {
    /// Which.
    pub token_id: TokenId,
    /// Whose.
    pub entity_id: EntityId,
    /// The invite that had it made anew before its first use; `null` where somebody changed it.
    pub invite_id: Option<InviteId>,
    /// The hash of its new secret.
    pub hash: SecretHash,
}

/// See [`Event::TokenRevoked`](super::Event::TokenRevoked).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TokenRevoked {
    /// Which.
    pub token_id: TokenId,
    /// Whose.
    pub entity_id: EntityId,
    /// What people called it.
    pub name: String,
}

/// What readers are shown of an event that has a hash.
#[derive(Debug, Default, Serialize)]
pub(super) struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    invite: Option<&'a Invite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a Token>,
    #[serde(flatten)]
    rotation: Option<Rotation<'a>>,
}

#[derive(Debug, Serialize)]
struct Rotation<'a> {
    token_id: &'a TokenId,
    entity_id: &'a EntityId,
    invite_id: Option<&'a InviteId>,
}

impl InviteMade {
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown { invite: Some(&self.invite), ..Shown::default() }
    }
}

impl TokenIssued {
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown { token: Some(&self.token), ..Shown::default() }
    }
}

impl TokenRotated {
    pub(super) fn shown(&self) -> Shown<'_> {
        let Self { token_id, entity_id, invite_id, hash: _ } = self;
        let rotation = Rotation { token_id, entity_id, invite_id: invite_id.as_ref() };
        Shown { rotation: Some(rotation), ..Shown::default() }
    }
}
