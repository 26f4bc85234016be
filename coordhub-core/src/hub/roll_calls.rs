//! Deciding who has seen a message, and what may no longer be seen of one.

use std::collections::BTreeSet;

use super::{Answer, Decision, Desk, KnownReceipt, Rejection, policy};
use crate::{
    command::{Ack, Auth, Role},
    event::{
        Event, MessageAcked, MessageRedacted, MessageRef, RollCallOpened, RollCallOverdue,
        RollCallResolved,
    },
    ids::{EntityId, MessageId},
    json::JsonText,
    limits::ROLL_CALLS_MAX,
    model::{Message, MessageHead, RollCall},
    time::Timestamp,
};

impl Desk<'_> {
    /// The roll-call of a message that asks for one. `opened` are those that the same command opens.
    pub(super) fn roll_call(
        &self,
        ack: Ack,
        message: &Message,
        opened: usize,
    ) -> Result<Option<Event>, Rejection> {
        let deadline = match ack {
            Ack::NotAsked => return Ok(None),
            Ack::Asked => None,
            Ack::AskedUntil(at) => Some(at),
        };
        // An emergency must not be refused because others were never answered.
        let is_emergency = message.channel.as_ref().is_some_and(policy::is_emergency);
        if !is_emergency && self.state.open_roll_calls() + opened >= ROLL_CALLS_MAX {
            let detail = format!(
                "{ROLL_CALLS_MAX} roll-calls are open already; resolve some before opening another"
            );
            return Err(Rejection::invalid("ack_required", detail));
        }
        let event = RollCallOpened {
            of: MessageRef::from(&message.head()),
            recipients: self.asked(message),
            deadline,
        };
        Ok(Some(Event::RollCallOpened(event)))
    }

    /// Who is asked: the recipient, or every registered reader of the channel but the sender.
    fn asked(&self, message: &Message) -> BTreeSet<EntityId> {
        let Some(channel) = &message.channel else {
            return message.to_entity.clone().into_iter().collect();
        };
        self.state
            .entities()
            .map(|(_, entity)| &entity.entity_id)
            .filter(|id| policy::reads_since(self.state, id, channel).is_some())
            .filter(|id| **id != message.from_entity)
            .cloned()
            .collect()
    }

    pub(super) fn check_ack(&self, ack: Ack) -> Result<(), Rejection> {
        match ack {
            Ack::AskedUntil(at) if at <= self.now => {
                let detail =
                    format!("the ack_deadline {at} is past; by the hub's clock it is {}", self.now);
                Err(Rejection::invalid("ack_deadline", detail))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn ack_message(&self, id: &MessageId) -> Result<Decision, Rejection> {
        let head = self.readable(id)?;
        let caller = self.caller()?;
        let asked = match self.state.roll_call(id).and_then(|call| call.recipients.get(caller)) {
            Some(Some(_)) => KnownReceipt::Acked,
            Some(None) => KnownReceipt::Asked,
            None => self.known.receipt(self.state, id, caller),
        };
        let is_direct = head.to_entity.as_ref() == Some(caller);
        let answer = |already| Answer::Message { message_id: id.clone(), already };
        match asked {
            KnownReceipt::Acked => return Ok(Decision::nothing(answer(true))),
            KnownReceipt::NotAsked if !is_direct => {
                return Err(Rejection::AckNotAsked {
                    message_id: id.clone(),
                    entity_id: caller.clone(),
                });
            }
            KnownReceipt::Asked | KnownReceipt::NotAsked => {}
        }
        let event = MessageAcked { of: MessageRef::from(head), entity_id: caller.clone() };
        Ok(Decision::new(Event::MessageAcked(event), answer(false)))
    }

    pub(super) fn resolve_roll_call(&self, id: &MessageId) -> Result<Decision, Rejection> {
        let head = self.endable(id)?;
        let caller = self.caller()?;
        self.check_may_end(head, caller, "end the roll-call of")?;
        if !head.ack_required {
            return Err(Rejection::NoRollCall(id.clone()));
        }
        let answer = |already| Answer::Message { message_id: id.clone(), already };
        if self.state.roll_call(id).is_none_or(|call| !call.is_open()) {
            return Ok(Decision::nothing(answer(true)));
        }
        let (of, resolved_by) = (MessageRef::from(head), caller.clone());
        let event = Event::RollCallResolved(RollCallResolved { of, resolved_by });
        Ok(Decision::new(event, answer(false)))
    }

    pub(super) fn redact_message(&self, id: &MessageId) -> Result<Decision, Rejection> {
        let head = self.endable(id)?;
        let caller = self.caller()?;
        self.check_may_end(head, caller, "redact")?;
        let answer = |already| Answer::Message { message_id: id.clone(), already };
        if self.known.is_redacted(self.state, id) {
            return Ok(Decision::nothing(answer(true)));
        }
        let event = MessageRedacted {
            of: MessageRef::from(head),
            metadata: redacted_metadata(head.timestamp, self.now, caller),
        };
        Ok(Decision::new(Event::MessageRedacted(event), answer(false)))
    }

    /// The sender, a human and an admin may do to a message what cannot be taken back.
    fn check_may_end(
        &self,
        head: &MessageHead,
        caller: &EntityId,
        verb: &str,
    ) -> Result<(), Rejection> {
        let may = *caller == head.from_entity
            || self.caller_standing().is_human()
            || self.envelope.caller.role == Role::Admin;
        if may {
            return Ok(());
        }
        Err(Rejection::NotAllowed(format!(
            "message {:?} was sent by {:?}: its sender or a human may {verb} it",
            head.message_id, head.from_entity
        )))
    }

    /// A message that the caller may read.
    fn readable(&self, id: &MessageId) -> Result<&MessageHead, Rejection> {
        let reader = policy::Reader::new(self.state, self.envelope.caller.id.clone());
        self.known
            .message(id)
            .filter(|head| policy::may_read_message(&reader, head))
            .ok_or_else(|| Rejection::UnknownMessage(id.clone()))
    }

    /// A message that the caller may read, or end unread: an admin need not see what it removes.
    fn endable(&self, id: &MessageId) -> Result<&MessageHead, Rejection> {
        let caller = &self.envelope.caller;
        match self.known.message(id) {
            Some(head) if caller.auth == Auth::Token && caller.role == Role::Admin => Ok(head),
            _ => self.readable(id),
        }
    }

    /// A roll-call's deadline has passed.
    pub(super) fn overdue(&self, id: &MessageId) -> Option<Event> {
        let call = self.state.roll_call(id)?;
        Some(Event::RollCallOverdue(RollCallOverdue {
            of: reference(call),
            missing: call.missing().cloned().collect(),
            asked: call.recipients.len() as u64,
        }))
    }
}

fn reference(call: &RollCall) -> MessageRef {
    MessageRef {
        message_id: call.message_id.clone(),
        message_seq: call.seq,
        from_entity: call.from_entity.clone(),
        to_entity: call.to_entity.clone(),
        channel: call.channel.clone(),
    }
}

/// What stays of the metadata: that the content was removed, when, and by whom.
fn redacted_metadata(sent_at: Timestamp, now: Timestamp, by: &EntityId) -> JsonText {
    let by = JsonText::string(by.as_str());
    JsonText::trusted(format!(
        "{{\"timestamp\":\"{sent_at}\",\"hub\":{{\"redacted_at\":\"{now}\",\"redacted_by\":{}}}}}",
        by.as_str()
    ))
}
