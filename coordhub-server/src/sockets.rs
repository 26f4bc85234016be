//! The open sockets, by entity: told when their entity is removed.

use coordhub_core::ids::EntityId;
use dashmap::DashMap;
use tokio::sync::watch;

/// Why a socket is closed from the hub's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// Its entity was removed.
    EntityRemoved,
}

/// The open sockets of everybody.
#[derive(Debug, Default)]
pub struct Sockets {
    by_entity: DashMap<EntityId, watch::Sender<Option<Closing>>>,
}

impl Sockets {
    /// Listens for word that the sockets of `id` are to be closed.
    pub fn listen(&self, id: &EntityId) -> watch::Receiver<Option<Closing>> {
        self.by_entity.entry(id.clone()).or_insert_with(|| watch::Sender::new(None)).subscribe()
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
