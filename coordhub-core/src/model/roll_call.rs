//! Roll-calls: messages whose recipients are asked to say that they have seen them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    ids::{ChannelName, EntityId, MessageId, Seq},
    time::Timestamp,
};

/// The channel whose roll-calls stay open until somebody resolves them.
const EMERGENCY_CHANNEL: &str = "urgent";

/// A message that asks to be acknowledged, with who has.
#[derive(Clone, Debug, PartialEq)]
pub struct RollCall {
    /// Which message.
    pub message_id: MessageId,
    /// Its place in the log.
    pub seq: Seq,
    /// Who asks.
    pub from_entity: EntityId,
    /// Whom alone, where the message is direct.
    pub to_entity: Option<EntityId>,
    /// On which channel, where it is on one.
    pub channel: Option<ChannelName>,
    /// Who was asked, frozen when the message was sent, and when each acknowledged it.
    pub recipients: BTreeMap<EntityId, Option<Timestamp>>,
    /// Until when they are expected to.
    pub deadline: Option<Timestamp>,
    /// Whether that has passed, and was told.
    pub is_overdue: bool,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// Who resolved it.
    pub resolved_by: Option<EntityId>,
}

impl RollCall {
    /// Whether somebody is still to answer it, or, in an emergency, to end it.
    pub fn is_open(&self) -> bool {
        self.resolved_at.is_none() && (self.is_emergency() || self.missing().next().is_some())
    }

    /// Whether it reaches everyone who connects while it is open.
    pub fn is_emergency(&self) -> bool {
        self.channel.as_ref().is_some_and(|name| name.as_str() == EMERGENCY_CHANNEL)
    }

    /// Who has not acknowledged it.
    pub fn missing(&self) -> impl Iterator<Item = &EntityId> {
        self.recipients.iter().filter(|(_, acked)| acked.is_none()).map(|(id, _)| id)
    }
}

/// Who has seen a message, as far as the hub can tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipts {
    /// Which message.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub message_id: MessageId,
    /// Whether its recipients are asked to acknowledge it.
    pub ack_required: bool,
    /// Until when.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub ack_deadline: Option<Timestamp>,
    /// When the roll-call was ended.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub resolved_at: Option<Timestamp>,
    /// Who ended it.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub resolved_by: Option<EntityId>,
    /// One for each recipient, by id.
    pub recipients: Vec<Receipt>,
}

/// What one recipient has done with a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// Who.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub entity_id: EntityId,
    /// Whether its read cursor has passed the message.
    pub read: bool,
    /// When it acknowledged the message.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub acked_at: Option<Timestamp>,
}
