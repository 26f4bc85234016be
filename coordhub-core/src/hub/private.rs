//! The private channels: who belongs to each, and who may read which.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    ids::{ChannelName, EntityId, Seq},
    model::{EntityType, Membership},
};

/// Every private channel, found by its name, by its members and by the types it is open to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrivateChannels {
    by_name: BTreeMap<ChannelName, Arc<Membership>>,
    by_member: BTreeMap<EntityId, BTreeSet<ChannelName>>,
    by_type: BTreeMap<EntityType, BTreeSet<ChannelName>>,
}

impl PrivateChannels {
    // Getters.

    /// Who belongs to a channel; `None` where it is not private.
    pub fn get(&self, channel: &ChannelName) -> Option<&Membership> {
        self.by_name.get(channel).map(Arc::as_ref)
    }

    /// Whether this is a private channel.
    pub fn contains(&self, channel: &ChannelName) -> bool {
        self.by_name.contains_key(channel)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelName, &Membership)> {
        self.by_name.iter().map(|(name, membership)| (name, &**membership))
    }

    /// Those that a registered entity may read, by name: each is found without a look at the others.
    pub fn readable<'a>(
        &'a self,
        id: &EntityId,
        kind: EntityType,
    ) -> impl Iterator<Item = &'a ChannelName> {
        const NONE: &BTreeSet<ChannelName> = &BTreeSet::new();
        let own = self.by_member.get(id).unwrap_or(NONE);
        own.union(self.by_type.get(&kind).unwrap_or(NONE))
    }

    // Changes.

    pub(crate) fn insert(&mut self, channel: ChannelName, membership: Membership) {
        for id in membership.members.keys() {
            self.by_member.entry(id.clone()).or_default().insert(channel.clone());
        }
        for kind in &membership.types {
            self.by_type.entry(*kind).or_default().insert(channel.clone());
        }
        self.by_name.insert(channel, Arc::new(membership));
    }

    pub(super) fn join(&mut self, channel: &ChannelName, id: &EntityId, at: Seq) {
        let Some(membership) = self.by_name.get_mut(channel) else { return };
        Arc::make_mut(membership).members.insert(id.clone(), at);
        self.by_member.entry(id.clone()).or_default().insert(channel.clone());
    }

    pub(super) fn leave(&mut self, channel: &ChannelName, id: &EntityId) {
        if let Some(membership) = self.by_name.get_mut(channel) {
            Arc::make_mut(membership).members.remove(id);
        }
        super::evolve::remove_from(&mut self.by_member, id, channel);
    }

    /// Takes an entity out of every channel that it is a member of, and names them.
    pub(super) fn leave_all(&mut self, id: &EntityId) -> BTreeSet<ChannelName> {
        let left = self.by_member.remove(id).unwrap_or_default();
        for channel in &left {
            if let Some(membership) = self.by_name.get_mut(channel) {
                Arc::make_mut(membership).members.remove(id);
            }
        }
        left
    }

    pub(super) fn is_member_of_any(&self, id: &EntityId) -> bool {
        self.by_member.contains_key(id)
    }
}
