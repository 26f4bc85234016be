//! Who sees what: the contract's table of channels, and the lists that follow from it.

use std::collections::BTreeSet;

use coordhub_core::{
    command::Role,
    ids::{ChannelName, EntityId, Seq},
    model::EntityType,
};

use super::{Message, Model};

/// Who may see something.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Audience {
    /// Everyone.
    Everyone,
    /// Whoever may read the channel.
    Channel(ChannelName),
    /// These two.
    Pair(EntityId, EntityId),
    /// One alone.
    Only(EntityId),
    /// Those who run the hub.
    Admins,
}

/// Somebody who reads, as the hub knows it now.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Its name, where it has one.
    pub id: Option<EntityId>,
    /// What it is registered as.
    pub kind: Option<EntityType>,
    /// The private channels that are not there for it.
    pub hidden: BTreeSet<ChannelName>,
    /// Whether it shows an admin's token.
    pub is_admin: bool,
}

impl Reader {
    /// The same, where it shows a token of this role.
    pub fn in_role(self, role: Role) -> Self {
        Self { is_admin: role == Role::Admin, ..self }
    }

    /// Whether it is one of an audience.
    pub fn sees(&self, audience: &Audience) -> bool {
        let is = |id: &EntityId| self.id.as_ref() == Some(id);
        match audience {
            Audience::Everyone => true,
            Audience::Channel(channel) => {
                may_read(self.kind, channel) && !self.hidden.contains(channel)
            }
            Audience::Pair(one, other) => is(one) || is(other),
            Audience::Only(id) => is(id),
            Audience::Admins => self.is_admin,
        }
    }
}

/// Whether somebody of a type, or of none, may read a channel.
pub(super) fn may_read(kind: Option<EntityType>, channel: &ChannelName) -> bool {
    channel.as_str() != "ai-only" || kind.is_some_and(|kind| kind != EntityType::Human)
}

/// Whether it may post there.
pub(super) fn may_post(kind: Option<EntityType>, channel: &ChannelName) -> bool {
    match channel.as_str() {
        "ai-only" => may_read(kind, channel),
        "human-only" => kind == Some(EntityType::Human),
        _ => true,
    }
}

impl Model {
    /// A reader as the hub knows it now.
    pub fn reader(&self, id: Option<&EntityId>) -> Reader {
        let kind = self.type_of(id);
        let hidden = self.private.iter().filter(|(_, crew)| !crew.admits(id, kind));
        let hidden = hidden.map(|(name, _)| name.clone()).collect();
        Reader { id: id.cloned(), kind, hidden, is_admin: false }
    }

    /// Messages in order, of those that a reader may see and that are wanted.
    pub fn messages_for<'a>(
        &'a self,
        reader: &Reader,
        wanted: impl Fn(&Message) -> bool,
    ) -> Vec<&'a Message> {
        let mut found: Vec<&Message> = self
            .messages
            .values()
            .filter(|message| reader.sees(&message.audience()) && wanted(message))
            .collect();
        found.sort_by_key(|message| message.seq);
        found
    }

    /// The inbox: direct messages to it, and what others say on channels that it may read.
    pub fn inbox(&self, id: &EntityId, only_direct: bool) -> Vec<&Message> {
        self.messages_for(&self.reader(Some(id)), |message| {
            message.to.as_ref() == Some(id)
                || (!only_direct && message.channel.is_some() && message.from != *id)
        })
    }

    /// What of an inbox is not marked read.
    pub fn unread(&self, id: &EntityId, only_direct: bool) -> Vec<&Message> {
        let Some(entity) = self.entities.get(id) else { return Vec::new() };
        let mut inbox = self.inbox(id, only_direct);
        inbox.retain(|message| message.seq > entity_read(entity, message));
        inbox
    }

    /// The `seq` of the events that a reader may see.
    pub fn visible_seqs(&self, reader: &Reader) -> Vec<Seq> {
        let seen = (1..).zip(&self.log).filter(|(_, fact)| reader.sees(&fact.audience));
        seen.map(|(seq, _)| seq).collect()
    }
}

/// How far somebody has read where a message stands.
pub(super) fn entity_read(entity: &super::Entity, message: &Message) -> Seq {
    match &message.channel {
        Some(channel) => entity.read_on(channel),
        None => entity.direct_read(),
    }
}
