//! The bell that rings when something was published: a condition variable for threads, wakers for
//! futures, and no runtime.

use std::{
    mem,
    task::{Context, Waker},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

#[derive(Debug, Default)]
pub(crate) struct Signal {
    inner: Mutex<Inner>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// How often it has rung.
    rings: u64,
    wakers: Vec<Waker>,
    /// Places whose listener has gone.
    free: Vec<usize>,
}

/// Where a listener's waker stands, so that polling twice between two rings keeps one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    rings: u64,
    index: usize,
}

impl Signal {
    /// Wakes everybody who listens.
    pub(crate) fn ring(&self) {
        let wakers = {
            let mut inner = self.inner.lock();
            inner.rings += 1;
            inner.free.clear();
            // The list keeps its capacity: as many will be back soon.
            let capacity = inner.wakers.len();
            mem::replace(&mut inner.wakers, Vec::with_capacity(capacity))
        };
        self.rung.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How often it has rung: taken before looking, given to [`wait`](Self::wait) after.
    pub(crate) fn rings(&self) -> u64 {
        self.inner.lock().rings
    }

    /// Has the task woken at the next ring.
    pub(crate) fn listen(&self, place: &mut Option<Place>, context: &Context<'_>) {
        let mut inner = self.inner.lock();
        if let Some(Place { rings, index }) = *place
            && rings == inner.rings
            && let Some(mine) = inner.wakers.get_mut(index)
        {
            mine.clone_from(context.waker());
            return;
        }
        let waker = context.waker().clone();
        let index = match inner.free.pop() {
            Some(index) => {
                inner.wakers[index] = waker;
                index
            }
            None => {
                inner.wakers.push(waker);
                inner.wakers.len() - 1
            }
        };
        *place = Some(Place { rings: inner.rings, index });
    }

    /// The listener has gone: its waker must not be kept until the next ring, which may be far.
    pub(crate) fn forget(&self, place: Place) {
        let mut inner = self.inner.lock();
        if place.rings == inner.rings
            && let Some(waker) = inner.wakers.get_mut(place.index)
        {
            *waker = Waker::noop().clone();
            inner.free.push(place.index);
        }
    }

    /// Blocks until it has rung since `rings` was taken. `false` where the deadline came before.
    pub(crate) fn wait(&self, rings: u64, deadline: Instant) -> bool {
        let mut inner = self.inner.lock();
        while inner.rings == rings {
            if self.rung.wait_until(&mut inner, deadline).timed_out() {
                return false;
            }
        }
        true
    }
}
