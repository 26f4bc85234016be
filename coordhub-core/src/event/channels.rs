//! Events about private channels. Only those who may read the channel see them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ChannelName, EntityId},
    model::EntityType,
};

/// See [`Event::ChannelCreated`](super::Event::ChannelCreated).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChannelCreated {
    /// Which channel.
    pub channel: ChannelName,
    /// Who made it.
    pub created_by: EntityId,
    /// Who belongs to it from the start, its creator among them.
    pub members: BTreeSet<EntityId>,
    /// The types whose registered entities may read it, and post to it, as members do.
    pub types: BTreeSet<EntityType>,
}

/// See [`Event::ChannelMemberJoined`](super::Event::ChannelMemberJoined).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChannelMemberJoined {
    /// Which channel.
    pub channel: ChannelName,
    /// Who belongs to it from here on.
    pub entity_id: EntityId,
}

/// See [`Event::ChannelMemberLeft`](super::Event::ChannelMemberLeft).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChannelMemberLeft {
    /// Which channel.
    pub channel: ChannelName,
    /// Who belongs to it no more.
    pub entity_id: EntityId,
}
