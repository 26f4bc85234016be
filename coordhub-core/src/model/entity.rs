//! Entities: who takes part.

use serde::{Deserialize, Serialize};

use super::words;
use crate::{
    ids::{EntityId, Seq},
    json::JsonText,
    time::Timestamp,
};

words! {
    /// What an entity is. Fixed at its first registration.
    EntityType {
        /// A Claude Code session.
        ClaudeSession = "claude_session",
        /// Any other AI.
        AiAgent = "ai_agent",
        /// A person.
        Human = "human",
        /// An automated system.
        Service = "service",
    }
}

impl EntityType {
    /// Whether the documents mean this type when they say *AI*.
    pub fn is_ai(self) -> bool {
        matches!(self, Self::ClaudeSession | Self::AiAgent)
    }
}

words! {
    /// How lately an entity was heard of.
    Status {
        /// It has a live socket, or acted within 90 seconds.
        Online = "online",
        /// It acted within 180 seconds.
        Idle = "idle",
        /// Neither.
        Offline = "offline",
    }
}

/// A registered entity, as it is on disk.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entity {
    /// Its id.
    pub entity_id: EntityId,
    /// What it is.
    pub entity_type: EntityType,
    /// What people call it.
    pub name: String,
    /// What it can do; tasks may ask for these.
    pub capabilities: Vec<String>,
    /// Whatever it said of itself.
    pub metadata: JsonText,
    /// When it first registered.
    pub registered_at: Timestamp,
    /// The `seq` of that registration; lists are in this order.
    #[serde(skip)]
    pub registered_seq: Seq,
}

/// What is known of an entity's presence. Soft: it is kept in memory and reaches disk now and then.
#[derive(Clone, Debug, PartialEq)]
pub struct Presence {
    /// How lately it was heard of.
    pub status: Status,
    /// What it said it is doing.
    pub activity: Option<String>,
    /// When it last acted.
    pub last_seen: Timestamp,
}

/// An entity with its presence, as the documents show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Entity))]
pub struct EntityView {
    /// Its id.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub entity_id: EntityId,
    /// What it is.
    pub entity_type: EntityType,
    /// What people call it.
    pub name: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Whatever it said of itself.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub metadata: JsonText,
    /// How lately it was heard of.
    pub status: Status,
    /// What it said it is doing.
    pub activity: Option<String>,
    /// When it first registered.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub registered_at: Timestamp,
    /// When it last acted.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub last_seen: Timestamp,
}

impl EntityView {
    /// Joins what is on disk with what is in the air.
    pub fn new(entity: &Entity, presence: Presence) -> Self {
        Self {
            entity_id: entity.entity_id.clone(),
            entity_type: entity.entity_type,
            name: entity.name.clone(),
            capabilities: entity.capabilities.clone(),
            metadata: entity.metadata.clone(),
            status: presence.status,
            activity: presence.activity,
            registered_at: entity.registered_at,
            last_seen: presence.last_seen,
        }
    }
}
