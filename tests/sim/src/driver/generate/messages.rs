//! Commands about messages.

use coordhub_core::{
    JsonText,
    command::{
        Ack, Command, CreateChannel, CursorScope, Destination, InviteToChannel, MoveCursor, Send,
    },
    ids::{ChannelName, EntityId, MessageId},
    model::EntityType,
};

use super::{Generator, json};
use crate::model::Message;

const CHANNELS: [&str; 12] = [
    "general",
    "general",
    "technical",
    "urgent",
    "ai-only",
    "ai-only",
    "human-only",
    "kitchen",
    "crew",
    "crew",
    "lab",
    "lab",
];

/// Those that are made private, where nobody has posted to them before.
const PRIVATE: [&str; 3] = ["crew", "lab", "kitchen"];

impl Generator<'_> {
    pub(super) fn message_command(
        &mut self,
        caller: Option<EntityId>,
    ) -> (Option<EntityId>, Command) {
        if self.rng.percent(12) {
            return (caller, self.channel_command());
        }
        let few = self.model.messages.len() < 3;
        let n = self.rng.below(100);
        if n < 50 || few {
            // The sender is the caller.
            let from = caller.unwrap_or_else(|| self.somebody());
            let send = self.send(&from);
            return (Some(from), Command::Send(send));
        }
        if n < 55 {
            let from = caller.unwrap_or_else(|| self.somebody());
            let count = 1 + self.rng.below(3);
            let sends = (0..count).map(|_| self.send(&from)).collect();
            return (Some(from), Command::SendBatch(sends));
        }
        if n < 72 {
            let id = caller.clone().unwrap_or_else(|| self.somebody());
            let entity_id = if self.rng.percent(95) { id.clone() } else { self.somebody() };
            return (Some(caller.unwrap_or(id)), self.move_cursor(entity_id));
        }
        let asks = (76..96).contains(&n);
        let id = self.a_message(|message| !asks || message.roll_call.is_some());
        let command = match n {
            72..=75 => Command::RedactMessage(id),
            76..=89 => Command::AckMessage(id),
            90..=95 => Command::ResolveRollCall(id),
            _ => Command::RedactMessage(id),
        };
        (caller, command)
    }

    fn channel_command(&mut self) -> Command {
        let name = channel(self.rng.word(&PRIVATE));
        let is_made = self.model.private.contains_key(&name);
        let n = if is_made { self.rng.below(10) } else { self.rng.below(4) };
        match n {
            0..=2 if !is_made => {
                let members = self.some_entities();
                let types = self.rng.some(EntityType::ALL, 20).into_iter().collect();
                Command::CreateChannel(CreateChannel { channel: name, members, types })
            }
            0..=3 => Command::JoinChannel(name),
            4..=5 => Command::LeaveChannel(name),
            6 => Command::JoinChannel(channel(self.rng.word(&CHANNELS))),
            _ => Command::InviteToChannel(InviteToChannel {
                channel: name,
                members: self.some_entities(),
            }),
        }
    }

    pub(super) fn some_entities(&mut self) -> Vec<EntityId> {
        (0..self.rng.below(3)).map(|_| self.somebody()).collect()
    }

    fn send(&mut self, from: &EntityId) -> Send {
        let reply_to = self.rng.percent(25).then(|| self.a_message(|_| true));
        let to = match self.rng.below(10) {
            0..=5 if reply_to.is_some() => None,
            0 => None,
            1..=6 => Some(Destination::Channel(channel(self.rng.word(&CHANNELS)))),
            _ => Some(Destination::Entity(self.somebody())),
        };
        let task = self.rng.percent(6).then(|| Box::new(self.create_task(&[])));
        Send {
            from_entity: from.clone(),
            to,
            // Unique, so that it can be looked for where it must not be.
            content: format!("content-{}-{:x};", self.label, self.rng.next_u64()),
            message_type: self.message_type(),
            metadata: self.message_metadata(),
            reply_to,
            ack: self.an_ack(),
            task,
        }
    }

    fn message_type(&mut self) -> Option<String> {
        let kind = match self.rng.below(40) {
            0 => "task_done",
            1 => "system_event",
            2 => "proposal_made",
            3..=6 => "alert",
            7..=9 => "own-type",
            _ => return None,
        };
        Some(kind.to_owned())
    }

    fn message_metadata(&mut self) -> JsonText {
        match self.rng.below(30) {
            0 => json("{\"hub\":1}"),
            1 => json("{\"timestamp\":\"long ago\"}"),
            _ => self.metadata(),
        }
    }

    fn an_ack(&mut self) -> Ack {
        match self.rng.below(12) {
            0 => Ack::Asked,
            1..=2 => Ack::AskedUntil(self.model.now.plus_millis(self.span())),
            3 if self.rng.percent(10) => Ack::AskedUntil(self.model.now),
            _ => Ack::NotAsked,
        }
    }

    fn move_cursor(&mut self, entity_id: EntityId) -> Command {
        let scope = match self.rng.below(4) {
            0 => CursorScope::All,
            1 => CursorScope::Direct,
            _ => {
                CursorScope::Channel(channel(self.rng.word(&["general", "urgent", "crew", "lab"])))
            }
        };
        let head = self.model.head as usize;
        let up_to = match self.rng.below(4) {
            0 => head as u64 + 5,
            1 => head as u64,
            _ => self.rng.below(head + 1) as u64,
        };
        Command::MoveCursor(MoveCursor { entity_id, scope, up_to })
    }

    fn a_message(&mut self, fits: impl Fn(&Message) -> bool) -> MessageId {
        let all = self.model.messages.values().filter(|message| fits(message));
        let all: Vec<&Message> = all.collect();
        if all.is_empty() || self.rng.percent(3) {
            return MessageId::parse("no-such-message").expect("an id");
        }
        self.rng.pick(&all).id.clone()
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).expect("a channel")
}
