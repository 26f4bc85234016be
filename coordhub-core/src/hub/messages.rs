//! Deciding what is sent, and what is read.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Answer, Decision, Desk, Rejection, SentAnswer, policy, prefetched,
    tasks::{Drafts, Made},
};
use crate::{
    command::{Ack, CreateTask, CursorScope, Destination, MoveCursor, Send},
    event::{Event, ReadCursorMoved},
    ids::{ChannelName, EntityId, MessageId, TaskId},
    json::JsonText,
    model::{Message, MessageHead, Recipients},
};

impl Desk<'_> {
    pub(super) fn send(&self, command: &Send) -> Result<Decision, Rejection> {
        let mut events = Vec::new();
        let sent = self.send_one(command, 0, &mut Drafted::default(), &mut events)?;
        Ok(Decision::of(events, Answer::Sent(vec![sent])))
    }

    /// Sends messages, all or none.
    pub(super) fn send_batch(&self, commands: &[Send]) -> Result<Decision, Rejection> {
        let (mut events, mut sent) = (Vec::new(), Vec::with_capacity(commands.len()));
        let mut drafted = Drafted::default();
        for (nth, command) in commands.iter().enumerate() {
            let answer = self.send_one(command, nth, &mut drafted, &mut events);
            sent.push(answer.map_err(|why| why.in_item(nth))?);
        }
        Ok(Decision::of(events, Answer::Sent(sent)))
    }

    /// Sends one message: adds its events, and says who was there to see it. `nth` counts the messages
    /// of the command, and `drafted` is what those before it brought.
    fn send_one(
        &self,
        command: &Send,
        nth: usize,
        drafted: &mut Drafted,
        events: &mut Vec<Event>,
    ) -> Result<SentAnswer, Rejection> {
        let from = &command.from_entity;
        let message_type = command.message_type.as_deref().unwrap_or("text");
        self.check_text("content", &command.content)?;
        let parent = command.reply_to.as_ref().map(|id| self.parent(from, id)).transpose()?;
        let home = home(command, parent);
        if let Destination::Entity(to) = command.to.as_ref().unwrap_or(&home) {
            self.check_recipient(to)?;
        }
        self.check_label("message_type", message_type)?;
        self.check_metadata(&command.metadata)?;
        self.check_ack(command.ack)?;
        let destination = destination(command, parent, home)?;
        if self.envelope.caller.id.as_ref().is_some_and(|caller| caller != from) {
            let detail = "a message is sent in one's own name; from_entity must be the caller";
            return Err(Rejection::NotAllowed(detail.to_owned()));
        }
        let recipients = self.recipients(from, &destination, drafted)?;
        check_reserved(message_type, &command.metadata)?;
        let task =
            command.task.as_deref().map(|task| self.task_of(task, nth, drafted)).transpose()?;
        let message_id = MessageId::trusted(&self.fresh_id("msg", nth));
        let (to_entity, channel) = match destination {
            Destination::Entity(id) => (Some(id), None),
            Destination::Channel(name) => (None, Some(name)),
        };
        let task_id = task.as_ref().map(|made| made.task.task_id.clone());
        let message = Message {
            thread_id: parent.map_or_else(|| message_id.clone(), |p| p.thread_id.clone()),
            message_id: message_id.clone(),
            seq: self.state.head() + 1 + events.len() as u64,
            from_entity: from.clone(),
            to_entity,
            channel,
            content: command.content.clone(),
            message_type: message_type.to_owned(),
            metadata: self.metadata(&command.metadata, task_id.as_ref()),
            reply_to: command.reply_to.clone(),
            ack_required: command.ack != Ack::NotAsked,
            timestamp: self.now,
        };
        let roll_call = self.roll_call(command.ack, &message, drafted.roll_calls)?;
        drafted.roll_calls += usize::from(roll_call.is_some());
        events.push(Event::MessageSent(Arc::new(message)));
        events.extend(roll_call);
        events.extend(task.into_iter().flat_map(Made::into_events));
        Ok(SentAnswer { message_id, recipients, task_id })
    }

    /// The task that is made with a message.
    fn task_of(
        &self,
        command: &CreateTask,
        nth: usize,
        drafted: &mut Drafted,
    ) -> Result<Made, Rejection> {
        let made = self.make_task(command, nth, &drafted.tasks);
        let made = made.map_err(|why| Rejection::InTask(Box::new(why)))?;
        drafted.tasks.insert(made.task.task_id.clone(), made.status());
        Ok(made)
    }

    /// The metadata to keep: as given, with the time where it names none, as the old hub did, and the
    /// task that was made with the message.
    fn metadata(&self, given: &JsonText, task_id: Option<&TaskId>) -> JsonText {
        let metadata = self.with_timestamp(given);
        match task_id {
            Some(id) => {
                let id = JsonText::string(id.as_str());
                metadata.with_field("hub", &format!("{{\"task_id\":{}}}", id.as_str()))
            }
            None => metadata,
        }
    }

    pub(super) fn with_timestamp(&self, given: &JsonText) -> JsonText {
        // Most messages have none, and need no second look.
        if given.as_str() == "{}" {
            return JsonText::trusted(format!("{{\"timestamp\":\"{}\"}}", self.now));
        }
        match given.field("timestamp") {
            Some(_) => given.clone(),
            None => given.with_field("timestamp", &format!("\"{}\"", self.now)),
        }
    }

    /// The message that is answered, if the sender may read it.
    fn parent(&self, from: &EntityId, id: &MessageId) -> Result<&MessageHead, Rejection> {
        let reader = policy::Reader::new(self.state, Some(from.clone()));
        self.known
            .message(id)
            .filter(|parent| policy::may_read_message(&reader, parent))
            .ok_or_else(|| Rejection::UnknownMessage(id.clone()))
    }

    /// What does not exist is said before what is wrong.
    fn check_recipient(&self, to: &EntityId) -> Result<(), Rejection> {
        if self.state.entity(to).is_none() && !self.known.soft.is_connected(to) {
            return Err(Rejection::UnknownRecipient(to.clone()));
        }
        Ok(())
    }

    /// Checks that the message may go there, and counts who is there to see it.
    fn recipients(
        &self,
        from: &EntityId,
        to: &Destination,
        drafted: &mut Drafted,
    ) -> Result<Recipients, Rejection> {
        let (state, soft) = (self.state, self.known.soft);
        match to {
            Destination::Channel(channel) => {
                policy::check_post(state, from, channel)?;
                if !drafted.channels.contains(channel) {
                    self.check_channels_max(channel, drafted.channels.len())?;
                    if state.channel(channel).is_none() {
                        drafted.channels.insert(channel.clone());
                    }
                }
                Ok(prefetched::recipients(state, soft, from, channel))
            }
            Destination::Entity(to) => {
                let online = u64::from(soft.is_connected(to) || soft.is_online(to));
                Ok(Recipients { online, offline: 1 - online })
            }
        }
    }

    /// Checks that there is room for a channel that does not exist yet, beside those that the same
    /// command makes.
    pub(super) fn check_channels_max(
        &self,
        channel: &ChannelName,
        drafted: usize,
    ) -> Result<(), Rejection> {
        let channels_max = self.state.limits().channels_max;
        let is_new = self.state.channel(channel).is_none();
        if is_new && self.state.channels().len() + drafted >= channels_max {
            let detail =
                format!("this hub has {channels_max} channels already; post to one of them");
            return Err(Rejection::invalid("channel", detail));
        }
        Ok(())
    }

    pub(super) fn move_cursor(&self, command: &MoveCursor) -> Result<Decision, Rejection> {
        let id = &command.entity_id;
        let Some(cursors) = self.state.cursors(id) else {
            return Err(Rejection::UnknownEntity(id.clone()));
        };
        let up_to = command.up_to.min(self.state.head());
        let (channel, direct, stands_at) = match &command.scope {
            CursorScope::All => (None, false, cursors.all),
            CursorScope::Direct => (None, true, cursors.direct()),
            CursorScope::Channel(name) => {
                let reader = policy::Reader::new(self.state, Some(id.clone()));
                let hidden = !policy::may_read_channel(&reader, name);
                if hidden || self.state.channel(name).is_none() {
                    let detail = format!("there is no channel {name:?}");
                    return Err(Rejection::invalid("channel", detail));
                }
                (Some(name.clone()), false, cursors.channel(name))
            }
        };
        if self.envelope.caller.id.as_ref().is_some_and(|caller| caller != id) {
            let detail = "only an entity itself marks its messages read";
            return Err(Rejection::NotAllowed(detail.to_owned()));
        }
        if up_to <= stands_at {
            return Ok(Decision::nothing(Answer::CursorAt(stands_at)));
        }
        let event = ReadCursorMoved { entity_id: id.clone(), channel, direct, up_to };
        Ok(Decision::new(Event::ReadCursorMoved(event), Answer::CursorAt(up_to)))
    }
}

/// What a command that sends several messages has brought so far.
#[derive(Default)]
struct Drafted {
    channels: BTreeSet<ChannelName>,
    tasks: Drafts,
    roll_calls: usize,
}

/// Where the message goes that is not told to go elsewhere: a reply where its parent is.
fn home(command: &Send, parent: Option<&MessageHead>) -> Destination {
    let Some(parent) = parent else {
        let general = || Destination::Channel(ChannelName::trusted("general"));
        return command.to.clone().unwrap_or_else(general);
    };
    match (&parent.channel, &parent.to_entity) {
        (Some(channel), _) => Destination::Channel(channel.clone()),
        (None, Some(to)) if *to != command.from_entity => Destination::Entity(to.clone()),
        (None, _) => Destination::Entity(parent.from_entity.clone()),
    }
}

/// Where the message goes; a reply goes nowhere but home.
fn destination(
    command: &Send,
    parent: Option<&MessageHead>,
    home: Destination,
) -> Result<Destination, Rejection> {
    match &command.to {
        Some(asked) if parent.is_some() && *asked != home => {
            let field = match asked {
                Destination::Channel(_) => "channel",
                Destination::Entity(_) => "to_entity",
            };
            let place = match &home {
                Destination::Channel(channel) => format!("on channel {channel:?}"),
                Destination::Entity(other) => format!("between you and {other:?}"),
            };
            let detail = format!("a reply stays where its parent is: {place}; leave {field} out");
            Err(Rejection::invalid(field, detail))
        }
        _ => Ok(home),
    }
}

/// Refuses what only the hub itself says.
fn check_reserved(message_type: &str, metadata: &JsonText) -> Result<(), Rejection> {
    let reserved = ["task_", "proposal_", "question_"].iter().any(|p| message_type.starts_with(p));
    if reserved || message_type == "system_event" {
        return Err(Rejection::ReservedType(format!(
            "the message type {message_type:?} is the hub's own (task_…, proposal_…, question_…, system_event); choose another"
        )));
    }
    if metadata.as_str() != "{}" && metadata.field("hub").is_some() {
        let detail = "the metadata key \"hub\" is the hub's own; choose another";
        return Err(Rejection::ReservedType(detail.to_owned()));
    }
    Ok(())
}
