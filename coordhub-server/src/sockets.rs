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

    /// Waits until the sockets of `id` are to be closed, as a stream of its events is then.
    pub async fn closed(&self, id: &EntityId) {
        let mut listening = Listening { sockets: self, id, closing: Some(self.listen(id)) };
        if let Some(closing) = &mut listening.closing {
            // An error means that there is no sender, and then nobody to wait for.
            let _word = closing.wait_for(Option::is_some).await.map(drop);
        }
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

/// Somebody who waits, and may stop waiting at any time.
struct Listening<'a> {
    sockets: &'a Sockets,
    id: &'a EntityId,
    closing: Option<watch::Receiver<Option<Closing>>>,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        // First the receiver, which counts.
        self.closing = None;
        self.sockets.release(self.id);
    }
}
