//! Channels: named streams of messages.

use serde::Serialize;

use crate::{
    ids::{ChannelName, EntityId, Seq},
    time::Timestamp,
};

/// What the hub keeps of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// When its first message was posted; built-in channels have existed as long as the hub.
    pub created_at: Option<Timestamp>,
    /// Who posted it.
    pub created_by: Option<EntityId>,
    /// The `seq` of its newest message, 0 where it has none.
    pub head: Seq,
    /// How many messages were posted to it.
    pub messages: u64,
}

/// A channel as one reader sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Channel))]
pub struct ChannelView {
    /// Its name.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub channel: ChannelName,
    /// Whether every hub has it.
    pub built_in: bool,
    /// Whether the reader may post to it.
    pub may_post: bool,
    /// How many messages it holds.
    pub messages: u64,
    /// The `seq` of its newest message, `null` where it has none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub last_seq: Option<Seq>,
    /// How many of them, by others, the reader has not marked read; `null` for a reader without
    /// cursors, 1000 for "1000 or more".
    pub unread: Option<u64>,
    /// When its first message was posted.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub created_at: Option<Timestamp>,
}
