//! Events about messages that were sent before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ChannelName, EntityId, MessageId, Seq},
    json::JsonText,
    model::MessageHead,
    time::Timestamp,
};

/// Which message an event is about, and for whom that was.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MessageRef {
    /// Its id.
    pub message_id: MessageId,
    /// Its place in the log.
    pub message_seq: Seq,
    /// Who sent it.
    pub from_entity: EntityId,
    /// To whom alone.
    pub to_entity: Option<EntityId>,
    /// On which channel.
    pub channel: Option<ChannelName>,
}

impl From<&MessageHead> for MessageRef {
    fn from(head: &MessageHead) -> Self {
        Self {
            message_id: head.message_id.clone(),
            message_seq: head.seq,
            from_entity: head.from_entity.clone(),
            to_entity: head.to_entity.clone(),
            channel: head.channel.clone(),
        }
    }
}

/// See [`Event::MessageRedacted`](super::Event::MessageRedacted).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MessageRedacted {
    /// Which message.
    #[serde(flatten)]
    pub of: MessageRef,
    /// What its metadata is from now on.
    pub metadata: JsonText,
}

/// See [`Event::RollCallOpened`](super::Event::RollCallOpened).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RollCallOpened {
    /// Which message.
    #[serde(flatten)]
    pub of: MessageRef,
    /// Who is asked.
    pub recipients: BTreeSet<EntityId>,
    /// Until when.
    pub deadline: Option<Timestamp>,
}

/// See [`Event::MessageAcked`](super::Event::MessageAcked).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MessageAcked {
    /// Which message.
    #[serde(flatten)]
    pub of: MessageRef,
    /// Who acknowledged it.
    pub entity_id: EntityId,
}

/// See [`Event::RollCallOverdue`](super::Event::RollCallOverdue).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RollCallOverdue {
    /// Which message.
    #[serde(flatten)]
    pub of: MessageRef,
    /// Who was asked and has not answered.
    pub missing: Vec<EntityId>,
    /// How many were asked.
    pub asked: u64,
}

/// See [`Event::RollCallResolved`](super::Event::RollCallResolved).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RollCallResolved {
    /// Which message.
    #[serde(flatten)]
    pub of: MessageRef,
    /// Who ended it.
    pub resolved_by: EntityId,
}
