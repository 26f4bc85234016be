//! What hangs on whether an answer could be written.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

/// Something that is undone when it is dropped, unless the answer that tells of it was written.
pub trait Undelivered: Send {
    /// The answer was written: there is nothing to undo.
    fn delivered(&mut self);
}

/// What hangs on the next answer of one connection, as an extension of its requests.
///
/// "Written" means that the socket took bytes of it. Whether they arrived nobody can know; what the
/// socket refused has certainly not.
#[derive(Default)]
pub struct Deliveries {
    waiting: Mutex<Vec<Box<dyn Undelivered>>>,
    /// Whether there is anything in it: most connections never have.
    has_some: AtomicBool,
}

impl Deliveries {
    /// Undoes this if the connection ends before it has taken anything more.
    pub fn hang(&self, undelivered: Box<dyn Undelivered>) {
        self.waiting.lock().push(undelivered);
        self.has_some.store(true, Relaxed);
    }

    /// The socket took bytes.
    pub(super) fn written(&self) {
        if self.has_some.swap(false, Relaxed) {
            self.waiting.lock().drain(..).for_each(|mut one| one.delivered());
        }
    }
}

impl std::fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliveries").field("waiting", &self.waiting.lock().len()).finish()
    }
}
