//! Who takes part.

use std::collections::BTreeMap;

use coordhub_core::{
    JsonText, Timestamp,
    command::{CursorScope, MoveCursor, Register},
    ids::{ChannelName, EntityId, Seq},
    model::EntityType,
};

use super::{Answer, Audience, Model, Refused, Told, Who};

/// Whoever was seen within this is one of the default electorate.
const SEEN_MILLIS: i64 = 86_400_000;

/// A registered entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// What it is.
    pub entity_type: EntityType,
    /// What people call it.
    pub name: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Whatever it said of itself.
    pub metadata: JsonText,
    /// When it registered.
    pub registered_at: Timestamp,
    /// The `seq` of that.
    pub registered_seq: Seq,
    /// Everything up to here is read.
    pub read: Seq,
    /// Channels that were read further.
    pub read_channels: BTreeMap<ChannelName, Seq>,
    /// Direct messages up to here are read.
    pub read_direct: Seq,
}

impl Entity {
    /// Cursors start at the registration.
    pub(super) fn begin(&mut self, seq: Seq) {
        self.registered_seq = seq;
        self.read = seq;
        self.read_direct = seq;
    }

    /// How far a channel is read.
    pub fn read_on(&self, channel: &ChannelName) -> Seq {
        self.read_channels.get(channel).copied().unwrap_or(0).max(self.read)
    }

    /// How far direct messages are read.
    pub fn direct_read(&self) -> Seq {
        self.read_direct.max(self.read)
    }
}

impl Model {
    /// The type that somebody is registered as.
    pub fn type_of(&self, id: Option<&EntityId>) -> Option<EntityType> {
        id.and_then(|id| self.entities.get(id)).map(|entity| entity.entity_type)
    }

    pub(super) fn is_human(&self, id: Option<&EntityId>) -> bool {
        self.type_of(id) == Some(EntityType::Human)
    }

    /// Whether somebody who owns what `owner` made calls: the owner, a human, an admin. What nobody is
    /// named to have made is everybody's.
    pub(super) fn acts_for(&self, who: Who<'_>, owner: Option<&EntityId>) -> bool {
        who.is_admin || owner.is_none() || owner == who.id || self.is_human(who.id)
    }

    /// Whether somebody was seen within a day; `None` where a kill has left that open.
    pub(super) fn was_seen(&self, id: &EntityId) -> Option<bool> {
        let registered = self.entities.get(id).map(|entity| entity.registered_at);
        let seen = self.seen.get(id).copied().max(registered);
        let recently = seen.is_some_and(|at| self.now.millis() - at.millis() <= SEEN_MILLIS);
        if recently { (!self.vague.contains(id)).then_some(true) } else { Some(false) }
    }

    /// Notes that somebody acted.
    pub fn touch(&mut self, id: &EntityId) {
        self.seen.insert(id.clone(), self.now);
        self.vague.remove(id);
    }

    /// Notes that somebody acts who may be seen a moment before that or not.
    pub fn seen_perhaps(&mut self, id: &EntityId) {
        if self.entities.contains_key(id) && self.was_seen(id) == Some(false) {
            self.seen.insert(id.clone(), self.now);
            self.vague.insert(id.clone());
        }
    }

    pub(super) fn register(&mut self, who: Who<'_>, command: &Register) -> Answer {
        let id = &command.entity_id;
        let known = self.entities.get(id);
        let mut refused = self.check_said(command);
        // With a token an admin registers others; without one everyone registers itself.
        let may_others = who.is_admin && who.has_token;
        let is_other = who.id.is_some_and(|caller| caller != id);
        refused.add(is_other && !may_others, 403, "not_allowed");
        let is_uninvited = who.has_token && !who.is_admin && known.is_none();
        refused.add(is_uninvited, 403, "invite_needed");
        let other_type = known.is_some_and(|known| known.entity_type != command.entity_type);
        refused.add(other_type, 409, "type_is_fixed");
        refused.check()?;
        if known.is_some() {
            self.update_entity(command);
        } else {
            self.register_first(command);
        }
        // An admin's word about somebody is no sign of life.
        if !is_other {
            self.touch(id);
        }
        Ok(Told::Entity(id.clone()))
    }

    /// Whether what somebody says of itself can be taken.
    pub(super) fn check_said(&self, command: &Register) -> Refused {
        let mut refused = Refused::default();
        let is_blank = command.name.as_ref().is_some_and(|name| name.trim().is_empty());
        refused.add(is_blank, 422, "invalid_field");
        refused.add(!command.metadata.is_object(), 422, "invalid_field");
        refused
    }

    /// What somebody who is registered says of itself anew.
    pub(super) fn update_entity(&mut self, command: &Register) {
        let id = &command.entity_id;
        let known = self.entities.get_mut(id).expect("it is registered");
        let before = known.clone();
        known.name = command.name.clone().unwrap_or_else(|| id.to_string());
        known.capabilities = command.capabilities.clone();
        known.metadata = command.metadata.clone();
        if *known != before {
            self.tell("entity_updated", id.as_str());
        }
    }

    pub(super) fn register_first(&mut self, command: &Register) {
        let id = &command.entity_id;
        let entity = Entity {
            entity_type: command.entity_type,
            name: command.name.clone().unwrap_or_else(|| id.to_string()),
            capabilities: command.capabilities.clone(),
            metadata: command.metadata.clone(),
            registered_at: self.now,
            registered_seq: 0,
            read: 0,
            read_channels: BTreeMap::new(),
            read_direct: 0,
        };
        self.entities.insert(id.clone(), entity);
        self.removed.remove(id);
        self.tell("entity_registered", id.as_str());
        self.join_proposals(id);
    }

    pub(super) fn remove(&mut self, who: Who<'_>, id: &EntityId) -> Answer {
        let mut refused = Refused::default();
        refused.add(!self.entities.contains_key(id), 404, "unknown_entity");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(who.id != Some(id) && !who.is_admin, 403, "not_allowed");
        refused.check()?;
        let held: Vec<_> = self.tasks.values().filter(|task| task.is_held_by(id)).collect();
        let held: Vec<_> = held.into_iter().map(|task| task.id.clone()).collect();
        for task in held {
            self.free(&task);
        }
        self.entities.remove(id);
        for crew in self.private.values_mut() {
            crew.members.remove(id);
        }
        self.seen.remove(id);
        self.vague.remove(id);
        // Its sockets are closed.
        if self.connected.remove(id) {
            self.closing.insert(id.clone());
        }
        self.tell("entity_removed", id.as_str());
        self.removed.insert(id.clone());
        self.revoke_all_of(id);
        self.leave_proposals(id);
        Ok(Told::Done)
    }

    pub(super) fn move_cursor(&mut self, who: Who<'_>, command: &MoveCursor) -> Answer {
        let id = &command.entity_id;
        let mut refused = Refused::default();
        refused.add(!self.entities.contains_key(id), 404, "unknown_entity");
        if let CursorScope::Channel(channel) = &command.scope {
            let sees = self.reader(Some(id)).sees(&Audience::Channel(channel.clone()));
            let is_there = self.channels().contains(channel) && sees;
            refused.add(!is_there, 422, "invalid_field");
        }
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(who.id != Some(id), 403, "not_allowed");
        refused.check()?;
        let to = command.up_to.min(self.head);
        let entity = self.entities.get_mut(id).expect("it is registered");
        let before = match &command.scope {
            CursorScope::All => entity.read,
            CursorScope::Channel(channel) => entity.read_on(channel),
            CursorScope::Direct => entity.direct_read(),
        };
        if to > before {
            match &command.scope {
                CursorScope::All => entity.read = to,
                CursorScope::Channel(channel) => {
                    entity.read_channels.insert(channel.clone(), to);
                }
                CursorScope::Direct => entity.read_direct = to,
            }
            self.note("read_cursor_moved", id.as_str(), Audience::Only(id.clone()));
        }
        Ok(Told::CursorAt(to.max(before)))
    }
}
