//! Messages that ask to be acknowledged.

use std::collections::BTreeMap;

use coordhub_core::{
    Timestamp,
    command::{Ack, Send},
    ids::{EntityId, MessageId},
};

use super::{Answer, Message, Model, Reader, Refused, Told, Who};

/// Who was asked to acknowledge a message, and who has.
#[derive(Clone, Debug)]
pub struct RollCall {
    /// Those who were asked, and when each answered.
    pub asked: BTreeMap<EntityId, Option<Timestamp>>,
    /// Until when.
    pub deadline: Option<Timestamp>,
    /// Whether it was told that this has passed.
    pub overdue: bool,
    /// When it was ended, and by whom.
    pub resolved: Option<(Timestamp, EntityId)>,
    /// Whether it is an emergency, which lasts until somebody ends it.
    pub is_urgent: bool,
}

impl RollCall {
    fn has_missing(&self) -> bool {
        self.asked.values().any(Option::is_none)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.resolved.is_some() || (!self.is_urgent && !self.has_missing())
    }
}

impl Model {
    /// The roll-call that a message opens: all who may read it now, but for its sender.
    pub(super) fn roll_call_of(&self, send: &Send, message: &Message) -> Option<RollCall> {
        let deadline = match send.ack {
            Ack::NotAsked => return None,
            Ack::Asked => None,
            Ack::AskedUntil(at) => Some(at),
        };
        let asked = match &message.to {
            Some(to) => BTreeMap::from([(to.clone(), None)]),
            None => {
                let audience = message.audience();
                let others = self.entities.keys().filter(|id| **id != message.from);
                let reads = |id: &&EntityId| self.reader(Some(id)).sees(&audience);
                others.filter(reads).map(|id| (id.clone(), None)).collect()
            }
        };
        let is_urgent = message.channel.as_ref().is_some_and(|c| c.as_str() == "urgent");
        Some(RollCall { asked, deadline, overdue: false, resolved: None, is_urgent })
    }

    pub(super) fn ack(&mut self, who: Who<'_>, id: &MessageId) -> Answer {
        let message = self.find_message(who, id)?;
        let Some(caller) = who.id else { return Err(Refused::one(403, "caller_needed")) };
        // A direct message may be acknowledged unasked.
        let is_direct = message.to.as_ref() == Some(caller);
        let asked = message.roll_call.as_ref().and_then(|call| call.asked.get(caller).copied());
        let unasked = Some(message.acked).filter(|_| is_direct);
        match asked.or(unasked) {
            None => return Err(Refused::one(409, "ack_not_asked")),
            Some(Some(_)) => return Ok(Told::Message(id.clone(), true)),
            Some(None) => {}
        }
        let (now, audience) = (self.now, message.audience());
        let message = self.messages.get_mut(id).expect("it was found");
        match &mut message.roll_call {
            Some(call) => {
                call.asked.insert(caller.clone(), Some(now));
            }
            None => message.acked = Some(now),
        }
        self.note("message_acked", id.as_str(), audience);
        Ok(Told::Message(id.clone(), false))
    }

    pub(super) fn resolve(&mut self, who: Who<'_>, id: &MessageId) -> Answer {
        let message = self.find_to_end(who, id)?;
        let mut refused = Refused::default();
        let may = who.is_admin || who.id == Some(&message.from) || self.is_human(who.id);
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(message.roll_call.is_none(), 409, "no_roll_call");
        refused.check()?;
        let (now, audience) = (self.now, message.audience());
        let message = self.messages.get_mut(id).expect("it was found");
        let call = message.roll_call.as_mut().expect("it was looked for");
        if call.is_over() {
            return Ok(Told::Message(id.clone(), true));
        }
        call.resolved = Some((now, who.id.expect("it was looked for").clone()));
        self.note("roll_call_resolved", id.as_str(), audience);
        Ok(Told::Message(id.clone(), false))
    }

    /// When a roll-call is to be told overdue.
    pub(super) fn due_roll_call(&self, message: &Message) -> Option<Timestamp> {
        let call = message.roll_call.as_ref()?;
        let waits = !call.overdue && !call.is_over() && call.has_missing();
        call.deadline.filter(|_| waits)
    }

    pub(super) fn roll_call_is_overdue(&mut self, id: &MessageId) {
        let message = self.messages.get_mut(id).expect("it is due");
        let audience = message.audience();
        if let Some(call) = &mut message.roll_call {
            call.overdue = true;
        }
        self.note("roll_call_overdue", id.as_str(), audience);
    }

    /// The roll-calls on `urgent` that whoever connects is reminded of.
    pub fn unresolved(&self, reader: &Reader) -> Vec<&MessageId> {
        let mut open: Vec<&Message> = self
            .messages
            .values()
            .filter(|m| m.roll_call.as_ref().is_some_and(|call| call.is_urgent && !call.is_over()))
            .filter(|m| reader.sees(&m.audience()))
            .collect();
        open.sort_by_key(|message| message.seq);
        open.into_iter().map(|message| &message.id).collect()
    }
}
