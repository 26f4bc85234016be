//! Events about entities, and about what is an entity's own.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ChannelName, EntityId, ProposalId, Seq},
    json::JsonText,
    model::Entity,
};

/// See [`Event::EntityRegistered`](super::Event::EntityRegistered).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityRegistered {
    /// The entity.
    pub entity: Entity,
    /// Open proposals whose electorate it joined.
    pub joins: Vec<ProposalId>,
}

/// See [`Event::EntityUpdated`](super::Event::EntityUpdated).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityUpdated {
    /// Which.
    pub entity_id: EntityId,
    /// Its name now.
    pub name: String,
    /// Its capabilities now.
    pub capabilities: Vec<String>,
    /// Its metadata now.
    pub metadata: JsonText,
}

/// See [`Event::EntityRemoved`](super::Event::EntityRemoved).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityRemoved {
    /// Which.
    pub entity_id: EntityId,
    /// What people called it.
    pub name: String,
}

/// See [`Event::KeyKept`](super::Event::KeyKept).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct KeyKept {
    /// Whose key.
    pub entity_id: EntityId,
    /// On which route.
    pub route: String,
}

/// See [`Event::ReadCursorMoved`](super::Event::ReadCursorMoved).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReadCursorMoved {
    /// Whose.
    pub entity_id: EntityId,
    /// The channel whose cursor moved; `null` for direct messages, and for all.
    pub channel: Option<ChannelName>,
    /// Whether the cursor of direct messages moved alone.
    pub direct: bool,
    /// Up to and with which `seq`.
    pub up_to: Seq,
}
