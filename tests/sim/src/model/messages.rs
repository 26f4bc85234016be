//! Messages: on channels and between two.

use coordhub_core::{
    JsonText, Timestamp,
    command::{Ack, Destination, Send},
    ids::{ChannelName, EntityId, MessageId, Seq, TaskId},
};

use super::{Answer, Audience, Feed, Model, Refused, RollCall, Told, Who, sight::may_post};

/// A message.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct Message {
    pub id: MessageId,
    pub seq: Seq,
    pub from: EntityId,
    pub to: Option<EntityId>,
    pub channel: Option<ChannelName>,
    pub content: String,
    /// What it said before it was redacted.
    pub said: String,
    pub message_type: String,
    pub metadata: JsonText,
    pub reply_to: Option<MessageId>,
    pub thread: MessageId,
    pub at: Timestamp,
    pub redacted: bool,
    pub roll_call: Option<RollCall>,
    /// When the recipient of a direct message acknowledged it unasked.
    pub acked: Option<Timestamp>,
}

impl Message {
    /// Who may see it.
    pub fn audience(&self) -> Audience {
        match (&self.to, &self.channel) {
            (Some(to), _) => Audience::Pair(self.from.clone(), to.clone()),
            (None, Some(channel)) => Audience::Channel(channel.clone()),
            (None, None) => unreachable!("it goes somewhere"),
        }
    }
}

impl Model {
    /// Sends messages, all or none.
    pub(super) fn send(&mut self, who: Who<'_>, sends: &[Send], feed: &Feed<'_>) -> Answer {
        // One message without a task is judged before anything is changed.
        let alone = sends.len() == 1 && sends.iter().all(|send| send.task.is_none());
        let before = (!alone).then(|| self.clone());
        let mut fresh = feed.message_ids();
        let mut told = Vec::new();
        let mut tasks_taken = 0;
        for send in sends {
            let logged = fresh.pop_front();
            let id = logged.unwrap_or_else(|| {
                MessageId::parse(&format!("msg-not-in-the-log-{}", told.len())).expect("an id")
            });
            match self.send_one(who, send, id, tasks_taken, feed) {
                Ok((message, task)) => {
                    tasks_taken += usize::from(task.is_some());
                    told.push((message, task));
                }
                Err(refused) => {
                    if let Some(before) = before {
                        *self = before;
                    }
                    return Err(refused);
                }
            }
        }
        Ok(Told::Sent(told))
    }

    fn send_one(
        &mut self,
        who: Who<'_>,
        send: &Send,
        id: MessageId,
        tasks_taken: usize,
        feed: &Feed<'_>,
    ) -> Result<(MessageId, Option<TaskId>), Refused> {
        let sender = &send.from_entity;
        let mut refused = Refused::default();
        refused.add(who.id.is_some_and(|caller| caller != sender), 403, "not_allowed");
        let parent = match &send.reply_to {
            Some(parent) => {
                let parent = self.find_message(Who::member(Some(sender)), parent);
                Some(parent?.clone())
            }
            None => None,
        };
        let to = self.destination(send, parent.as_ref(), &mut refused);
        if let Destination::Entity(to) = send.to.as_ref().unwrap_or(&to) {
            // A socket that is being closed is open, or not any more.
            let closes = self.closing.contains(to) && feed.refused != Some(true);
            let known = self.entities.contains_key(to) || self.connected.contains(to) || closes;
            refused.add(!known, 404, "unknown_recipient");
        }
        if let Destination::Channel(channel) = &to {
            let reader = self.reader(Some(sender));
            let may = may_post(reader.kind, channel) && !reader.hidden.contains(channel);
            refused.add(!may, 403, "channel_forbidden");
        }
        refused.add(!send.metadata.is_object(), 422, "invalid_field");
        let is_late = matches!(send.ack, Ack::AskedUntil(at) if at <= self.now);
        refused.add(is_late, 422, "invalid_field");
        let kind = send.message_type.clone().unwrap_or_else(|| "text".to_owned());
        let reserved = ["task_", "proposal_", "question_"].iter().any(|p| kind.starts_with(p))
            || kind == "system_event"
            || send.metadata.field("hub").is_some();
        refused.add(reserved, 403, "reserved_type");
        refused.check()?;
        let (to, channel) = match to {
            Destination::Entity(to) => (Some(to), None),
            Destination::Channel(channel) => (None, Some(channel)),
        };
        let mut message = Message {
            thread: parent.as_ref().map_or(&id, |parent| &parent.thread).clone(),
            id: id.clone(),
            seq: 0,
            from: sender.clone(),
            to,
            channel,
            content: send.content.clone(),
            said: send.content.clone(),
            message_type: kind,
            metadata: send.metadata.clone(),
            reply_to: send.reply_to.clone(),
            at: self.now,
            redacted: false,
            roll_call: None,
            acked: None,
        };
        message.roll_call = self.roll_call_of(send, &message);
        let (audience, asks) = (message.audience(), message.roll_call.is_some());
        self.messages.insert(id.clone(), message);
        self.note("message_sent", id.as_str(), audience.clone());
        if asks {
            self.note("roll_call_opened", id.as_str(), audience);
        }
        let Some(create) = &send.task else { return Ok((id, None)) };
        let mut ids = feed.task_ids();
        ids.drain(..tasks_taken.min(ids.len()));
        let named = create.task_id.clone().or_else(|| ids.pop_front());
        let create = coordhub_core::command::CreateTask { task_id: named, ..(**create).clone() };
        let by = Who { id: Some(sender), ..who };
        let made = self.create_tasks(by, std::slice::from_ref(&create), feed)?;
        Ok((id, made.into_iter().next()))
    }

    /// Where a message goes: a reply stays where its parent is.
    fn destination(
        &self,
        send: &Send,
        parent: Option<&Message>,
        refused: &mut Refused,
    ) -> Destination {
        let general = || Destination::Channel(ChannelName::parse("general").expect("a channel"));
        let Some(parent) = parent else { return send.to.clone().unwrap_or_else(general) };
        let stays = match (&parent.channel, &parent.to) {
            (Some(channel), _) => Destination::Channel(channel.clone()),
            // The other of the two; who writes to itself answers itself.
            (None, Some(to)) if parent.from == send.from_entity => Destination::Entity(to.clone()),
            (None, _) => Destination::Entity(parent.from.clone()),
        };
        let leaves = send.to.as_ref().is_some_and(|to| *to != stays);
        refused.add(leaves, 422, "invalid_field");
        stays
    }

    /// A message that somebody may read.
    pub(super) fn find_message(&self, who: Who<'_>, id: &MessageId) -> Result<&Message, Refused> {
        let reader = self.reader(who.id);
        let found = self.messages.get(id).filter(|m| reader.sees(&m.audience()));
        found.ok_or(Refused::one(404, "unknown_message"))
    }

    /// A message that one may read, or end all the same: an admin need not see what it removes.
    pub(super) fn find_to_end(&self, who: Who<'_>, id: &MessageId) -> Result<&Message, Refused> {
        match self.messages.get(id) {
            Some(message) if who.is_admin && who.has_token => Ok(message),
            _ => self.find_message(who, id),
        }
    }

    pub(super) fn redact(&mut self, who: Who<'_>, id: &MessageId) -> Answer {
        let message = self.find_to_end(who, id)?;
        let mut refused = Refused::default();
        let may = who.is_admin || who.id == Some(&message.from) || self.is_human(who.id);
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.check()?;
        if message.redacted {
            return Ok(Told::Message(id.clone(), true));
        }
        let audience = message.audience();
        let message = self.messages.get_mut(id).expect("it was found");
        message.redacted = true;
        message.content.clear();
        self.note("message_redacted", id.as_str(), audience);
        Ok(Told::Message(id.clone(), false))
    }
}
