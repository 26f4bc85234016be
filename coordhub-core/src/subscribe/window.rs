//! The newest events, encoded, in one ring that every subscriber reads.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
};

use parking_lot::RwLock;

use super::Entry;
use crate::ids::Seq;

/// A bounded run of the log without holes, ending at its head.
#[derive(Debug)]
pub(crate) struct Window {
    bytes_max: usize,
    inner: RwLock<Inner>,
    /// The `seq` of the newest event published, in the window or not. Written under the lock.
    head: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

/// What the window has after a position.
pub(crate) enum After {
    /// The entries that follow, oldest first; none where the position is the head.
    Entries(Vec<Arc<Entry>>),
    /// What follows has left the window.
    Behind,
}

impl Window {
    pub(crate) fn new(bytes_max: usize, head: Seq) -> Self {
        let inner = Inner { entries: VecDeque::new(), bytes: 0 };
        Self { bytes_max, inner: RwLock::new(inner), head: AtomicU64::new(head) }
    }

    /// Takes in what was committed; lets the oldest go where there is too much.
    pub(crate) fn extend(&self, entries: &[Arc<Entry>]) {
        let mut inner = self.inner.write();
        for entry in entries {
            inner.bytes += entry.weight();
            inner.entries.push_back(entry.clone());
        }
        while inner.bytes > self.bytes_max {
            let Some(oldest) = inner.entries.pop_front() else { break };
            inner.bytes -= oldest.weight();
        }
        if let Some(newest) = entries.last() {
            self.head.store(newest.seq(), Release);
        }
    }

    /// Lets go of what stands before `oldest`.
    pub(crate) fn forget_before(&self, oldest: Seq) {
        let mut inner = self.inner.write();
        while inner.entries.front().is_some_and(|first| first.seq() < oldest) {
            let Some(first) = inner.entries.pop_front() else { break };
            inner.bytes -= first.weight();
        }
    }

    /// Puts an entry in the place of the one with the same `seq`, where that is still here.
    pub(crate) fn replace(&self, entry: &Arc<Entry>) {
        let mut inner = self.inner.write();
        let first = inner.entries.front().map_or(Seq::MAX, |first| first.seq());
        let Some(at) = entry.seq().checked_sub(first) else { return };
        let Some(place) = inner.entries.get_mut(at as usize) else { return };
        let before = std::mem::replace(place, entry.clone()).weight();
        inner.bytes = inner.bytes + entry.weight() - before;
    }

    /// The entry with this `seq`, where it is still here.
    pub(crate) fn get(&self, seq: Seq) -> Option<Arc<Entry>> {
        let inner = self.inner.read();
        let first = inner.entries.front()?.seq();
        inner.entries.get(seq.checked_sub(first)? as usize).cloned()
    }

    /// The `seq` of the newest event published.
    pub(crate) fn head(&self) -> Seq {
        self.head.load(Acquire)
    }

    /// The entries after `position`: at most so many, and about so many bytes.
    pub(crate) fn after(&self, position: Seq, (limit, bytes_max): (usize, usize)) -> After {
        let inner = self.inner.read();
        if position >= self.head() {
            return After::Entries(Vec::new());
        }
        match inner.entries.front() {
            Some(first) if first.seq() <= position + 1 => {
                let skip = (position + 1 - first.seq()) as usize;
                let mut bytes = 0;
                let within = |entry: &&Arc<Entry>| {
                    let room = bytes < bytes_max;
                    bytes += entry.weight();
                    room
                };
                let page = inner.entries.iter().skip(skip).take(limit).take_while(within);
                After::Entries(page.cloned().collect())
            }
            _ => After::Behind,
        }
    }
}
