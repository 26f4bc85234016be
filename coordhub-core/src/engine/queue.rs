//! What waits for the writer: bounded in number and in bytes.

use std::{
    collections::VecDeque,
    mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use super::{
    HubError,
    ticket::{Answerer, Ticket, ticket},
};
use crate::{
    command::Envelope,
    limits::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, QUEUE_BYTES_MAX, QUEUE_COMMANDS_MAX},
};

/// A command, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) envelope: Envelope,
    pub(crate) answerer: Answerer,
    /// For how long it may wait for something to claim.
    pub(crate) wait: Duration,
    /// Its place among those who wait, where it has been one of them.
    pub(crate) place: Option<Place>,
    weight: usize,
}

/// A place among those who wait for something to claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// How many came before it.
    pub(crate) arrival: u64,
    /// When its time is up, by the monotonic clock.
    pub(crate) end: Duration,
}

impl Job {
    pub(crate) fn new(envelope: Envelope, wait: Duration) -> (Self, Ticket) {
        let weight = envelope.command.weight();
        let (answerer, ticket) = ticket();
        (Self { envelope, answerer, wait, place: None, weight }, ticket)
    }

    /// A command that is decided once more; it waits for nothing, unless it has waited before.
    pub(crate) fn again(envelope: Envelope, answerer: Answerer, place: Option<Place>) -> Self {
        Self { envelope, answerer, wait: Duration::ZERO, place, weight: 0 }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    pushed: Condvar,
    /// How many jobs wait, for those who only watch.
    depth: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: VecDeque<Job>,
    bytes: usize,
    is_closed: bool,
    /// Whether the writer is to look up although nothing waits.
    is_rung: bool,
}

/// What draining the queue came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drained {
    /// There may be jobs.
    Open,
    /// There are no jobs, and none will come.
    Closed,
}

impl Queue {
    /// Takes a job in, or says at once that there is no room.
    pub(crate) fn push(&self, job: Job) -> Result<(), HubError> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err(HubError::Closed);
        }
        let full = inner.jobs.len() >= QUEUE_COMMANDS_MAX
            || (inner.bytes + job.weight > QUEUE_BYTES_MAX && !inner.jobs.is_empty());
        if full {
            return Err(HubError::Busy);
        }
        inner.bytes += job.weight;
        inner.jobs.push_back(job);
        let was_empty = inner.jobs.len() == 1;
        self.depth.store(inner.jobs.len() as u64, Relaxed);
        drop(inner);
        // The writer waits only while the queue is empty.
        if was_empty {
            self.pushed.notify_one();
        }
        Ok(())
    }

    /// Moves a batch of jobs into `batch`; waits for the first until `deadline`.
    pub(crate) fn drain(&self, batch: &mut Vec<Job>, deadline: Instant) -> Drained {
        let mut inner = self.inner.lock();
        while inner.jobs.is_empty() {
            if inner.is_closed {
                return Drained::Closed;
            }
            let is_rung = mem::take(&mut inner.is_rung);
            if is_rung || self.pushed.wait_until(&mut inner, deadline).timed_out() {
                return Drained::Open;
            }
        }
        let mut bytes = 0;
        while batch.len() < BATCH_COMMANDS_MAX && (bytes < BATCH_BYTES_MAX) {
            let Some(job) = inner.jobs.pop_front() else { break };
            bytes += job.weight;
            inner.bytes -= job.weight;
            batch.push(job);
        }
        self.depth.store(inner.jobs.len() as u64, Relaxed);
        Drained::Open
    }

    /// Has the writer look up, although nothing waits.
    pub(crate) fn ring(&self) {
        self.inner.lock().is_rung = true;
        self.pushed.notify_one();
    }

    /// How many jobs wait.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.load(Relaxed)
    }

    /// Drops what waits: whoever asked is told that something went wrong.
    pub(crate) fn clear(&self) {
        let dropped = mem::take(&mut self.inner.lock().jobs);
        self.depth.store(0, Relaxed);
        drop(dropped);
    }

    /// Takes no more jobs in. Those that wait are still drained.
    pub(crate) fn close(&self) {
        self.inner.lock().is_closed = true;
        self.pushed.notify_one();
    }
}
