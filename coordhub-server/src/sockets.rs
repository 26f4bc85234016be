//! The open sockets and streams, by entity and by token: told when either is no more.

use coordhub_core::ids::{EntityId, TokenId};
use dashmap::DashMap;
use tokio::sync::watch;

use crate::access::session::SessionId;

/// Why a socket is closed from the hub's side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// Its entity was removed.
    EntityRemoved,
    /// Its token was revoked, or has another secret.
    TokenRevoked,
    /// The hub is stopping.
    Stopping,
}

/// What a socket stands and falls with.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Whose {
    /// An entity.
    Entity(EntityId),
    /// A token.
    Token(TokenId),
    /// A session of the hub's page.
    Session(SessionId),
}

/// The open sockets of everybody.
#[derive(Debug)]
pub struct Sockets {
    by_whom: DashMap<Whose, watch::Sender<Option<Closing>>>,
    closing_all: watch::Sender<Option<Closing>>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { by_whom: DashMap::new(), closing_all: watch::Sender::new(None) }
    }
}

impl Sockets {
    /// Listens for word that the sockets of `whose` are to be closed.
    pub fn listen(&self, whose: &Whose) -> watch::Receiver<Option<Closing>> {
        // Looked at after the entry is there: whoever closes all does these in the other order.
        let sender = self.by_whom.entry(whose.clone()).or_insert_with(|| watch::Sender::new(None));
        if let Some(why) = *self.closing_all.borrow() {
            sender.send_replace(Some(why));
        }
        sender.subscribe()
    }

    /// Waits until the sockets of `whose` are to be closed, as a stream of its events is then.
    pub async fn closed(&self, whose: &Whose) -> Closing {
        let mut listening = Listening { sockets: self, whose, closing: Some(self.listen(whose)) };
        if let Some(closing) = &mut listening.closing
            && let Ok(why) = closing.wait_for(Option::is_some).await
            && let Some(why) = *why
        {
            return why;
        }
        // There is no sender, and then nobody to wait for.
        std::future::pending().await
    }

    /// Has every open socket of everybody closed, and those that are opened from now on.
    pub fn close_all(&self, why: Closing) {
        self.closing_all.send_replace(Some(why));
        for sender in &self.by_whom {
            sender.send_replace(Some(why));
        }
    }

    /// Has every open socket of `whose` closed.
    pub fn close(&self, whose: &Whose, why: Closing) {
        if let Some((_, sender)) = self.by_whom.remove(whose) {
            sender.send_replace(Some(why));
        }
    }

    /// Forgets `whose` where no socket of it is left.
    pub fn release(&self, whose: &Whose) {
        self.by_whom.remove_if(whose, |_, sender| sender.receiver_count() == 0);
    }
}

/// Somebody who waits, and may stop waiting at any time.
struct Listening<'a> {
    sockets: &'a Sockets,
    whose: &'a Whose,
    closing: Option<watch::Receiver<Option<Closing>>>,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        // First the receiver, which counts.
        self.closing = None;
        self.sockets.release(self.whose);
    }
}
