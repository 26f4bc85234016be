//! The open sockets, by entity: told when their entity is removed.

use coordhub_core::ids::EntityId;
use dashmap::DashMap;
use tokio::sync::watch;

/// Why a socket is closed from the hub's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// Its entity was removed.
    EntityRemoved,
    /// The hub is stopping.
    Stopping,
}

/// The open sockets of everybody.
#[derive(Debug)]
pub struct Sockets {
    by_entity: DashMap<EntityId, watch::Sender<Option<Closing>>>,
    closing_all: watch::Sender<Option<Closing>>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { by_entity: DashMap::new(), closing_all: watch::Sender::new(None) }
    }
}

impl Sockets {
    /// Listens for word that the sockets of `id` are to be closed.
    pub fn listen(&self, id: &EntityId) -> watch::Receiver<Option<Closing>> {
        // Looked at after the entry is there: whoever closes all does these in the other order.
        let sender = self.by_entity.entry(id.clone()).or_insert_with(|| watch::Sender::new(None));
        if let Some(why) = *self.closing_all.borrow() {
            sender.send_replace(Some(why));
        }
        sender.subscribe()
    }

    /// Has every open socket of everybody closed, and those that are opened from now on.
    pub fn close_all(&self, why: Closing) {
        self.closing_all.send_replace(Some(why));
        for sender in &self.by_entity {
            sender.send_replace(Some(why));
        }
    }

    /// Has every open socket of `id` closed.
    pub fn close(&self, id: &EntityId, why: Closing) {
        if let Some((_, sender)) = self.by_entity.remove(id) {
            sender.send_replace(Some(why));
        }
    }

    /// Forgets `id` where no socket of it is left.
    pub fn release(&self, id: &EntityId) {
        self.by_entity.remove_if(id, |_, sender| sender.receiver_count() == 0);
    }
}
