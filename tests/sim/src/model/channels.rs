//! Private channels: who belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use coordhub_core::{
    command::{CreateChannel, InviteToChannel},
    ids::{BUILT_IN_CHANNELS, ChannelName, EntityId, Seq},
    model::EntityType,
};

use super::{Answer, Audience, Model, Refused, Told, Who};

/// Who belongs to a private channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Crew {
    /// Its members, each with the `seq` at which it came.
    pub members: BTreeMap<EntityId, Seq>,
    /// The types that it is open to.
    pub types: BTreeSet<EntityType>,
}

impl Crew {
    /// Whether somebody who is registered as this may read it.
    pub fn admits(&self, id: Option<&EntityId>, kind: Option<EntityType>) -> bool {
        let by_name = id.is_some_and(|id| self.members.contains_key(id));
        by_name || kind.is_some_and(|kind| self.types.contains(&kind))
    }
}

impl Model {
    /// Every channel that there is.
    pub fn channels(&self) -> BTreeSet<ChannelName> {
        let built_in = BUILT_IN_CHANNELS.iter().map(|name| ChannelName::parse(name).expect("one"));
        let posted = self.messages.values().filter_map(|message| message.channel.clone());
        posted.chain(built_in).chain(self.private.keys().cloned()).collect()
    }

    /// Since when somebody who may read a channel has been able to.
    pub fn reads_since(&self, id: &EntityId, channel: &ChannelName) -> Seq {
        let entity = &self.entities[id];
        let by_name =
            self.private.get(channel).filter(|crew| !crew.types.contains(&entity.entity_type));
        by_name.and_then(|crew| crew.members.get(id).copied()).unwrap_or(entity.registered_seq)
    }

    pub(super) fn create_channel(&mut self, who: Who<'_>, command: &CreateChannel) -> Answer {
        let channel = &command.channel;
        let members: BTreeSet<EntityId> = command.members.iter().chain(who.id).cloned().collect();
        let mut refused = Refused::default();
        let strange = members.iter().any(|id| !self.entities.contains_key(id));
        refused.add(strange, 404, "unknown_entity");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(self.channels().contains(channel), 409, "channel_exists");
        refused.check()?;
        let members = members.into_iter().map(|id| (id, 0)).collect();
        self.private.insert(channel.clone(), Crew { members, types: command.types.clone() });
        self.note("channel_created", channel.as_str(), Audience::Channel(channel.clone()));
        Ok(Told::Channel(channel.clone(), false))
    }

    pub(super) fn join_channel(&mut self, who: Who<'_>, channel: &ChannelName) -> Answer {
        self.check_seen(who, channel).check()?;
        let id = who.id.expect("nobody sees it without a name");
        self.bring_in(channel, [id.clone()].into())
    }

    pub(super) fn leave_channel(&mut self, who: Who<'_>, channel: &ChannelName) -> Answer {
        self.check_seen(who, channel).check()?;
        let id = who.id.expect("nobody sees it without a name");
        let crew = self.private.get_mut(channel).expect("it is private");
        let was_member = crew.members.remove(id).is_some();
        if was_member {
            let about = format!("{channel} {id}");
            self.note("channel_member_left", &about, Audience::Channel(channel.clone()));
        }
        Ok(Told::Channel(channel.clone(), !was_member))
    }

    pub(super) fn invite(&mut self, who: Who<'_>, command: &InviteToChannel) -> Answer {
        let InviteToChannel { channel, members } = command;
        let mut refused = self.check_seen(who, channel);
        let strange = members.iter().any(|id| !self.entities.contains_key(id));
        refused.add(strange, 404, "unknown_entity");
        let crew = self.private.get(channel);
        let is_member = crew.zip(who.id).is_some_and(|(crew, id)| crew.members.contains_key(id));
        refused.add(!is_member, 403, "not_allowed");
        refused.check()?;
        self.bring_in(channel, members.iter().cloned().collect())
    }

    fn bring_in(&mut self, channel: &ChannelName, members: BTreeSet<EntityId>) -> Answer {
        let crew = self.private.get_mut(channel).expect("it is private");
        let mut new = members;
        new.retain(|id| !crew.members.contains_key(id));
        crew.members.extend(new.iter().map(|id| (id.clone(), 0)));
        for id in &new {
            let about = format!("{channel} {id}");
            self.note("channel_member_joined", &about, Audience::Channel(channel.clone()));
        }
        Ok(Told::Channel(channel.clone(), new.is_empty()))
    }

    /// Whether there is such a private channel, for somebody who is registered.
    fn check_seen(&self, who: Who<'_>, channel: &ChannelName) -> Refused {
        let mut refused = Refused::default();
        let strange = who.id.is_some_and(|id| !self.entities.contains_key(id));
        refused.add(strange, 404, "unknown_entity");
        let is_seen = self.reader(who.id).sees(&Audience::Channel(channel.clone()));
        let is_there =
            self.channels().contains(channel) && (is_seen || channel.as_str() == "ai-only");
        refused.add(!is_there, 404, "unknown_channel");
        let is_public = is_there && !self.private.contains_key(channel);
        refused.add(is_public, 422, "invalid_field");
        refused
    }

    /// Learns the `seq` at which members came.
    pub(super) fn learn_members(&mut self, channel: &ChannelName, ids: &[&EntityId], seq: Seq) {
        let Some(crew) = self.private.get_mut(channel) else { return };
        for id in ids {
            if let Some(since) = crew.members.get_mut(*id) {
                *since = seq;
            }
        }
    }
}
