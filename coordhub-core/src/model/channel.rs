//! Channels: named streams of messages.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::EntityType;
use crate::{
    ids::{ChannelName, EntityId, Seq},
    time::Timestamp,
};

/// What the hub keeps of a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// When its first message was posted, or when it was made where it is private; built-in channels
    /// have existed as long as the hub.
    pub created_at: Option<Timestamp>,
    /// Who posted that, or made it.
    pub created_by: Option<EntityId>,
    /// The `seq` of its newest message, 0 where it has none.
    pub head: Seq,
    /// How many messages were posted to it.
    pub messages: u64,
}

/// Who belongs to a private channel: its members, and all that are registered as one of its types.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Membership {
    /// Its members, who are registered, each with the `seq` of the event that made it one.
    pub members: BTreeMap<EntityId, Seq>,
    /// The types that it is open to.
    pub types: BTreeSet<EntityType>,
}

impl Membership {
    /// Whether a registered entity may read the channel and post to it.
    pub fn admits(&self, id: &EntityId, kind: EntityType) -> bool {
        self.types.contains(&kind) || self.members.contains_key(id)
    }
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
    /// Whether only its members may know of it, and those of its types.
    pub private: bool,
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
    /// When its first message was posted, or when it was made where it is private.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub created_at: Option<Timestamp>,
}

/// One channel in full, as one reader sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelDetails {
    /// What stands in the list of channels.
    #[serde(flatten)]
    pub channel: ChannelView,
    /// Who posted its first message, or made it where it is private.
    pub created_by: Option<EntityId>,
    /// Its members, where it is private.
    pub members: Option<Vec<EntityId>>,
    /// The types whose registered entities may read it and post to it, where it is private.
    pub types: Option<BTreeSet<EntityType>>,
}
