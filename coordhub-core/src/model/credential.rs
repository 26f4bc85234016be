//! Tokens and invites: who may act as whom, and who may come to.

use serde::{Deserialize, Serialize};

use super::{EntityType, words};
use crate::{
    ids::{EntityId, InviteId, Seq, TokenId},
    time::Timestamp,
};

words! {
    /// What a caller may do beyond, or short of, its own affairs.
    Role {
        /// Everyone's affairs.
        Admin = "admin",
        /// Its own affairs.
        Member = "member",
        /// It reads what it may, and changes nothing.
        Observer = "observer",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes words derives none")]
impl Default for Role {
    fn default() -> Self {
        Self::Member
    }
}

/// A token, without its secret: whoever shows that acts as its entity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id, which is no secret.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub token_id: TokenId,
    /// As whom its holder acts.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub entity_id: EntityId,
    /// What its holder may do.
    pub role: Role,
    /// What people call it: where it is kept, say.
    pub name: String,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// Who made it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub created_by: Option<EntityId>,
    /// The invite that it came of.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub invite_id: Option<InviteId>,
    /// When it was first shown. Until then the invite that it came of may have it made anew.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub first_used_at: Option<Timestamp>,
    /// When its secret was last changed for another.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub rotated_at: Option<Timestamp>,
    /// The `seq` of its making; lists are in this order.
    #[serde(skip)]
    pub created_seq: Seq,
}

/// An invite, without its secret: whoever shows that may register.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Invite {
    /// Its id, which is no secret.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub invite_id: InviteId,
    /// What people call it: whom it was made for, say.
    pub name: String,
    /// As what one may register.
    pub entity_types: Vec<EntityType>,
    /// Under which ids; any, where there is none.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub entity_ids: Vec<EntityId>,
    /// What the tokens that come of it may do.
    pub role: Role,
    /// How many may register with it.
    pub uses_max: u64,
    /// How many have.
    pub uses: u64,
    /// Until when.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// Who made it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub created_by: Option<EntityId>,
    /// The `seq` of its making; lists are in this order.
    #[serde(skip)]
    pub created_seq: Seq,
}
