//! The answer that is to come: waited for by a thread, or awaited by a task.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::{Condvar, Mutex};

use super::{HubError, Reply};

/// The answer to a submitted command. Dropping it does not undo the command.
#[derive(Debug)]
#[must_use = "the command is under way; whether it was accepted stands in the answer"]
pub struct Ticket {
    slot: Arc<Slot>,
}

/// The other end: answers once. Dropped without an answer, it says that something went wrong.
#[derive(Debug)]
pub(crate) struct Answerer {
    slot: Option<Arc<Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    inner: Mutex<Inner>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    answer: Option<Result<Reply, HubError>>,
    waker: Option<Waker>,
}

pub(crate) fn ticket() -> (Answerer, Ticket) {
    let slot = Arc::new(Slot::default());
    (Answerer { slot: Some(slot.clone()) }, Ticket { slot })
}

impl Ticket {
    /// Blocks until the answer is there.
    pub fn wait(self) -> Result<Reply, HubError> {
        let mut inner = self.slot.inner.lock();
        loop {
            if let Some(answer) = inner.answer.take() {
                return answer;
            }
            self.slot.answered.wait(&mut inner);
        }
    }
}

impl Future for Ticket {
    type Output = Result<Reply, HubError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.slot.inner.lock();
        match inner.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Answerer {
    pub(crate) fn answer(mut self, answer: Result<Reply, HubError>) {
        self.give(answer);
    }

    fn give(&mut self, answer: Result<Reply, HubError>) {
        let Some(slot) = self.slot.take() else { return };
        let waker = {
            let mut inner = slot.inner.lock();
            inner.answer = Some(answer);
            inner.waker.take()
        };
        // A ticket may have been polled before a thread waits for it.
        slot.answered.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.give(Err(HubError::Internal));
    }
}
