//! What the examples share: somebody who takes part, from a plain thread.

use std::{error::Error, sync::Arc, thread::ScopedJoinHandle, time::Duration};

use coordhub_core::{
    Claim, Hub, HubError, JsonText, Outcome, Reply,
    command::{Caller, Command, Register, Role, Send},
    ids::{ChannelName, EntityId},
    model::{EntityType, Message, Task},
    subscribe::{Channels, Entry, Filter, Item, Show, Start, Subscription},
};

/// An error of a thread must be able to leave it.
pub type Failure = Box<dyn Error + std::marker::Send + Sync>;

/// How long the next event is waited for before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Where.
    pub hub: Hub,
    /// As whom.
    pub id: EntityId,
}

impl Actor {
    /// Registers somebody.
    pub fn register(hub: &Hub, id: &str, entity_type: EntityType) -> Result<Self, Failure> {
        let actor = Self { hub: hub.clone(), id: EntityId::parse(id)? };
        actor.call(Command::Register(Register {
            entity_id: actor.id.clone(),
            entity_type,
            name: None,
            capabilities: Vec::new(),
            metadata: JsonText::empty_object(),
        }))?;
        Ok(actor)
    }

    /// Who calls.
    pub fn caller(&self) -> Caller {
        Caller::named(self.id.clone())
    }

    /// Changes something. It is on disk when this returns.
    pub fn call(&self, command: Command) -> Result<Reply, HubError> {
        self.hub.call(self.caller(), command)
    }

    /// The same, for what is answered with a task.
    pub fn task(&self, command: Command) -> Result<Arc<Task>, HubError> {
        match self.call(command)?.outcome {
            Outcome::Task { task, .. } | Outcome::Claimed(Claim { task, .. }) => Ok(task),
            other => unreachable!("no task: {other:?}"),
        }
    }

    /// A message of its own on a channel, to be sent.
    pub fn message(&self, channel: &str, content: &str) -> Result<Send, Failure> {
        Ok(Send::on_channel(self.id.clone(), ChannelName::parse(channel)?, content))
    }

    /// Everything of these kinds that happens from now on, as far as it may see it.
    pub fn follow(&self, kinds: &[&str]) -> Subscription {
        let kinds = Some(kinds.iter().map(|kind| (*kind).to_owned()).collect());
        let (reader, show) = (Some(self.id.clone()), Show::Log { kinds });
        self.hub.subscribe(
            Filter { reader, role: Role::Member, channels: Channels::All, show },
            Start::Live,
        )
    }
}

/// Waits for the first entry of the log that `pick` takes something of.
pub fn wait_for<T>(
    follower: &mut Subscription,
    mut pick: impl FnMut(&Entry) -> Option<T>,
) -> Result<T, Failure> {
    loop {
        let item = follower.next_timeout(PATIENCE)?.ok_or("what was waited for did not happen")?;
        if let Item::Shown(entry, _) = item
            && let Some(found) = pick(&entry)
        {
            return Ok(found);
        }
    }
}

/// The message, where the entry is one. It is kept as the JSON that subscribers are sent.
pub fn message(entry: &Entry) -> Option<Message> {
    serde_json::from_slice(&entry.message_json()?).ok()
}

/// What a thread came to.
pub fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
