//! Stopping without cutting what runs.

use std::sync::Arc;

use tokio::sync::watch;

/// One switch from "serving" to "stopping", known everywhere, and the count of those who must be
/// waited for. Clones are handles on the same switch.
///
/// The accept loop stops accepting, idle connections close, running requests get to finish and
/// say `Connection: close`. Whatever would go on for ever must look for itself: a socket sends its
/// close frame, a long poll answers as if its time were up, a stream ends, when [`Drain::wait`]
/// returns.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use coordhub_server::net::Drain;
///
/// let drain = Drain::new();
/// let guard = drain.guard();
/// drain.begin();
/// drain.wait().await;
/// drop(guard); // Until here `settled` would have waited.
/// drain.settled().await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Drain {
    // The receivers of the channel are the guards: it counts them for us, and wakes `settled` when
    // the last one is gone.
    draining: Arc<watch::Sender<bool>>,
}

/// Keeps [`Drain::settled`] waiting for as long as it lives.
///
/// Every connection holds one from accept to close, in the socket itself, so an upgraded
/// connection keeps it too: websocket code needs none of its own for as long as it owns the socket.
#[derive(Debug)]
pub struct DrainGuard {
    _receiver: watch::Receiver<bool>,
}

impl Drain {
    /// A switch that is still on "serving".
    #[must_use]
    pub fn new() -> Self {
        Self { draining: Arc::new(watch::Sender::new(false)) }
    }

    /// Starts the drain. A second call changes nothing.
    pub fn begin(&self) {
        self.draining.send_if_modified(|draining| !std::mem::replace(draining, true));
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Returns when the drain begins, at once if it has. Cancel safe.
    ///
    /// While it waits it counts like a [`DrainGuard`]; it stops doing so by returning.
    pub async fn wait(&self) {
        let mut receiver = self.draining.subscribe();
        // An error means that the sender is gone, which `self` excludes.
        let _ = receiver.wait_for(|&draining| draining).await.map(drop);
    }

    /// A guard for work that must be over before the process ends.
    #[must_use]
    pub fn guard(&self) -> DrainGuard {
        DrainGuard { _receiver: self.draining.subscribe() }
    }

    /// Returns when no guard is left. Cancel safe.
    pub async fn settled(&self) {
        self.draining.closed().await;
    }

    /// How many guards are left.
    #[must_use]
    pub fn guards(&self) -> usize {
        self.draining.receiver_count()
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}
