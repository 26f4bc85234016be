//! Messages: on a channel, or from one entity to another.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ChannelName, EntityId, MessageId, Seq},
    json::JsonText,
    time::Timestamp,
};

/// A message. It never changes after it was sent, but that its content may be redacted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Message {
    /// Its id, made by the hub.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub message_id: MessageId,
    /// Its place in the hub's log.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub seq: Seq,
    /// Who sent it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub from_entity: EntityId,
    /// To whom alone it is addressed; `null` on a channel.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub to_entity: Option<EntityId>,
    /// The channel it stands on; `null` where it is direct.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub channel: Option<ChannelName>,
    /// What it says.
    pub content: String,
    /// `text`, `alert`, or whatever its sender chose.
    pub message_type: String,
    /// Whatever its sender attached; `timestamp` is always there.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub metadata: JsonText,
    /// The message it answers.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub reply_to: Option<MessageId>,
    /// The first message of its thread, itself where it answers none.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub thread_id: MessageId,
    /// Whether its recipients are asked to acknowledge it.
    pub ack_required: bool,
    /// When the hub took it.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
}

impl Message {
    /// What decisions and policy need of it.
    pub fn head(&self) -> MessageHead {
        MessageHead {
            message_id: self.message_id.clone(),
            from_entity: self.from_entity.clone(),
            to_entity: self.to_entity.clone(),
            channel: self.channel.clone(),
            thread_id: self.thread_id.clone(),
            seq: self.seq,
            ack_required: self.ack_required,
            timestamp: self.timestamp,
        }
    }
}

/// Where a message stands and whose it is, without what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageHead {
    /// Its id.
    pub message_id: MessageId,
    /// Who sent it.
    pub from_entity: EntityId,
    /// To whom alone it is addressed.
    pub to_entity: Option<EntityId>,
    /// The channel it stands on.
    pub channel: Option<ChannelName>,
    /// The first message of its thread.
    pub thread_id: MessageId,
    /// Its place in the log.
    pub seq: Seq,
    /// Whether its recipients are asked to acknowledge it.
    pub ack_required: bool,
    /// When the hub took it.
    pub timestamp: Timestamp,
}

/// How many of those who may read a message are there to see it now: "sent" is not "seen".
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recipients {
    /// With a live socket, or active within 90 seconds.
    pub online: u64,
    /// Registered, but not there.
    pub offline: u64,
}
