//! What a socket has asked for and was not answered yet.

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

/// Answers to come, in whatever order they come. Most sockets wait for none most of the time: an empty
/// set takes no memory.
pub(super) struct UnderWay<T> {
    set: Option<FuturesUnordered<BoxFuture<'static, T>>>,
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self { set: None }
    }
}

impl<T> UnderWay<T> {
    pub(super) fn len(&self) -> usize {
        self.set.as_ref().map_or(0, FuturesUnordered::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, answer: BoxFuture<'static, T>) {
        self.set.get_or_insert_default().push(answer);
    }

    /// The next answer that is there; `None` where none is to come.
    pub(super) async fn next(&mut self) -> Option<T> {
        let set = self.set.as_mut()?;
        let answer = set.next().await;
        if set.is_empty() {
            self.set = None;
        }
        answer
    }
}
