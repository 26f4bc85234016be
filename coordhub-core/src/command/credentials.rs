//! Commands about tokens and invites. Secrets never come here: their hashes do.

use super::Register;
use crate::{
    ids::{EntityId, TokenId},
    model::{EntityType, Role},
    secret::SecretHash,
    time::Timestamp,
};

/// See [`Command::Join`](super::Command::Join).
#[derive(Clone, Debug)]
pub struct Join {
    /// Who, and as what.
    pub register: Register,
    /// The invite that was shown.
    pub invite: SecretHash,
    /// The token that is to be the entity's.
    pub token: SecretHash,
}

/// See [`Command::MakeInvite`](super::Command::MakeInvite).
#[derive(Clone, Debug)]
pub struct MakeInvite {
    /// What people call it.
    pub name: String,
    /// As what one may register with it; one at least.
    pub entity_types: Vec<EntityType>,
    /// Under which ids; any, where there is none.
    pub entity_ids: Vec<EntityId>,
    /// What the tokens that come of it may do.
    pub role: Role,
    /// How many may register with it.
    pub uses_max: u64,
    /// Until when.
    pub expires: Expiry,
    /// The hash of its secret.
    pub hash: SecretHash,
}

/// When something ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expiry {
    /// At an instant.
    At(Timestamp),
    /// So many seconds from now.
    In(u64),
}

/// See [`Command::IssueToken`](super::Command::IssueToken).
#[derive(Clone, Debug)]
pub struct IssueToken {
    /// As whom its holder acts.
    pub entity_id: EntityId,
    /// What its holder may do.
    pub role: Role,
    /// What people call it.
    pub name: String,
    /// The hash of its secret.
    pub hash: SecretHash,
}

/// See [`Command::RotateToken`](super::Command::RotateToken).
#[derive(Clone, Debug)]
pub struct RotateToken {
    /// Which token.
    pub token_id: TokenId,
    /// The hash of its new secret.
    pub hash: SecretHash,
}
