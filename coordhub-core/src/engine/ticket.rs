//! The answer that is to come: waited for by a thread, or awaited by a task.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::{Condvar, Mutex};

use super::{HubError, Reply};

/// The answer to a submitted command. Dropping it does not undo the command.
#[must_use = "the command is under way; whether it was accepted stands in the answer"]
pub struct Ticket {
    slot: Arc<Slot>,
    /// What becomes of an answer that nobody takes.
    untaken: Option<Untaken>,
}

/// What becomes of an answer that nobody takes.
pub(crate) type Untaken = Box<dyn FnOnce(Reply) + Send>;

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("slot", &self.slot).finish_non_exhaustive()
    }
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
    /// Whether nobody waits for the answer any more.
    is_abandoned: bool,
}

pub(crate) fn ticket() -> (Answerer, Ticket) {
    let slot = Arc::new(Slot::default());
    (Answerer { slot: Some(slot.clone()) }, Ticket { slot, untaken: None })
}

impl Ticket {
    /// Says what is to be done with the answer, should nobody take it.
    pub(crate) fn if_untaken(mut self, then: Untaken) -> Self {
        self.untaken = Some(then);
        self
    }

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

impl Drop for Ticket {
    fn drop(&mut self) {
        let left = {
            let mut inner = self.slot.inner.lock();
            inner.is_abandoned = true;
            inner.answer.take()
        };
        if let (Some(Ok(reply)), Some(then)) = (left, self.untaken.take()) {
            then(reply);
        }
    }
}

impl Answerer {
    /// Gives the answer. It comes back where nobody waits for it any more.
    pub(crate) fn answer(mut self, answer: Result<Reply, HubError>) -> Option<Reply> {
        self.give(answer)
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| slot.inner.lock().is_abandoned)
    }

    fn give(&mut self, answer: Result<Reply, HubError>) -> Option<Reply> {
        let slot = self.slot.take()?;
        let waker = {
            let mut inner = slot.inner.lock();
            if inner.is_abandoned {
                return answer.ok();
            }
            inner.answer = Some(answer);
            inner.waker.take()
        };
        // A ticket may have been polled before a thread waits for it.
        slot.answered.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
        None
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        let _nobody = self.give(Err(HubError::Internal));
    }
}
