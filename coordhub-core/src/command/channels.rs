//! Commands about private channels.

use std::collections::BTreeSet;

use crate::{
    ids::{ChannelName, EntityId},
    model::EntityType,
};

/// See [`Command::CreateChannel`](super::Command::CreateChannel).
#[derive(Clone, Debug)]
pub struct CreateChannel {
    /// Its name, which nothing has yet.
    pub channel: ChannelName,
    /// Who belongs to it besides its creator.
    pub members: Vec<EntityId>,
    /// The types whose registered entities may read it, and post to it, as members do.
    pub types: BTreeSet<EntityType>,
}

/// See [`Command::InviteToChannel`](super::Command::InviteToChannel).
#[derive(Clone, Debug)]
pub struct InviteToChannel {
    /// To which channel.
    pub channel: ChannelName,
    /// Whom.
    pub members: Vec<EntityId>,
}
