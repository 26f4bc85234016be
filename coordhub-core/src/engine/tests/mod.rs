//! The engine on a store that breaks on purpose.

mod faults;
mod failures;
mod behind;
mod following;
mod waiting;
mod attention;
mod presence;
mod private;
mod searching;
mod pruning;
mod reservations;

use super::*;
use crate::{
    command::{CreateTask, Register, Send},
    ids::{ChannelName, MessageId},
    json::JsonText,
    model::{EntityType, Message},
};

pub(super) fn id(text: &str) -> EntityId {
    EntityId::parse(text).expect("a valid id")
}

pub(super) fn channel(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a valid name")
}

/// A message on a channel, from somebody who never registered.
pub(super) fn say(content: &str) -> (Caller, Command) {
    say_on("general", content)
}

pub(super) fn say_on(name: &str, content: &str) -> (Caller, Command) {
    let send = Send::on_channel(id("ada"), channel(name), content);
    (Caller::named(id("ada")), Command::Send(send))
}

pub(super) fn register(hub: &Hub, name: &str, kind: EntityType) -> Reply {
    let register = Register {
        entity_id: id(name),
        entity_type: kind,
        name: None,
        capabilities: Vec::new(),
        metadata: JsonText::empty_object(),
    };
    hub.call(Caller::named(id(name)), Command::Register(register)).expect("registered")
}

pub(super) fn titled(title: &str) -> (Caller, Command) {
    (Caller::default(), Command::CreateTask(CreateTask::titled(title)))
}

pub(super) fn send(hub: &Hub, content: &str) -> Result<Reply, HubError> {
    let (caller, command) = say(content);
    hub.call(caller, command)
}

/// What the channel `general` holds, oldest first.
pub(super) fn contents(hub: &Hub) -> Vec<String> {
    let query = RecentQuery { limit: 1_000, ..RecentQuery::default() };
    let list = hub.recent(&hub.reader(None), &query).expect("readable");
    let message = |json: &bytes::Bytes| {
        let message: Message = serde_json::from_slice(json).expect("a message");
        message.content
    };
    list.items.iter().map(message).collect()
}
