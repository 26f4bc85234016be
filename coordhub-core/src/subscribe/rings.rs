//! The newest messages of each channel, already encoded, so that `recent` is a join of slices.
//!
//! One ring holds the messages of all public channels together: most readers ask for those. Each
//! channel has a ring of its own beside it. A ring knows from which position on it is complete, so an
//! answer is taken from it only when history could add nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::RwLock;

use super::Entry;
use crate::{
    hub::{PrivateChannels, policy},
    ids::{ChannelName, Seq},
    limits::ROWS_MAX,
};

/// A message as the bytes of its JSON object.
#[derive(Clone, Debug)]
pub struct MessageJson {
    /// Its place in the log.
    pub seq: Seq,
    /// The object.
    pub json: Bytes,
}

#[derive(Debug)]
pub(crate) struct Rings {
    bytes_max: usize,
    inner: RwLock<Inner>,
}

#[derive(Debug)]
struct Inner {
    public: Ring,
    by_channel: BTreeMap<ChannelName, Ring>,
    /// Channels by the `seq` of their newest message: the first is the one to let go.
    by_age: BTreeMap<Seq, ChannelName>,
    bytes: usize,
    /// Rings made from now on are complete after this position.
    floor: Seq,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Every message of the channel after this position is here.
    complete_after: Seq,
}

impl Rings {
    /// Rings that know of nothing up to and with `floor`.
    pub(crate) fn new(bytes_max: usize, floor: Seq) -> Self {
        let inner = Inner {
            public: Ring { complete_after: floor, ..Ring::default() },
            by_channel: BTreeMap::new(),
            by_age: BTreeMap::new(),
            bytes: 0,
            floor,
        };
        Self { bytes_max, inner: RwLock::new(inner) }
    }

    /// Takes in the messages among what was committed.
    pub(crate) fn extend(&self, entries: &[Arc<Entry>], private: &PrivateChannels) {
        let mut inner = self.inner.write();
        for entry in entries {
            let Some(channel) = entry.message().and_then(|m| m.channel.as_ref()) else { continue };
            if policy::is_public(private, channel) {
                inner.public.push(entry.clone());
                // The public ring may hold as much as the largest answer, whatever its size.
                inner.public.shrink_to(self.bytes_max);
            }
            inner.push(channel, entry);
        }
        while inner.bytes > self.bytes_max {
            if !inner.drop_oldest_channel() {
                break;
            }
        }
    }

    /// Lets go of what stands before `oldest`. Some of it may stay on disk for a while, so that history
    /// is asked for what is older.
    pub(crate) fn forget_before(&self, oldest: Seq) {
        let mut inner = self.inner.write();
        let floor = oldest.saturating_sub(1);
        inner.floor = inner.floor.max(floor);
        inner.public.forget(floor);
        let mut bytes = 0;
        inner.by_channel.retain(|_, ring| {
            ring.forget(floor);
            bytes += ring.bytes;
            !ring.entries.is_empty()
        });
        inner.by_age.retain(|newest, _| *newest >= oldest);
        inner.bytes = bytes;
    }

    /// Puts a message in the place of the one with the same `seq`, where that is still here.
    pub(crate) fn replace(&self, entry: &Arc<Entry>) {
        let Some(channel) = entry.message().and_then(|m| m.channel.as_ref()) else { return };
        let mut inner = self.inner.write();
        inner.public.replace(entry);
        let Some(ring) = inner.by_channel.get_mut(channel) else { return };
        let before = ring.bytes;
        ring.replace(entry);
        let after = ring.bytes;
        inner.bytes = inner.bytes + after - before;
    }

    /// The message with this `seq`, where it is still here.
    pub(crate) fn get(&self, channel: &ChannelName, seq: Seq) -> Option<Arc<Entry>> {
        let inner = self.inner.read();
        let own = inner.by_channel.get(channel).and_then(|ring| ring.get(seq));
        own.or_else(|| inner.public.get(seq)).cloned()
    }

    /// The newest `limit` messages before `before` and after `after`, oldest first, of one channel or
    /// of all public ones. `None` where history might hold some of them.
    pub(crate) fn newest(
        &self,
        channel: Option<&ChannelName>,
        before: Option<Seq>,
        after: Seq,
        limit: usize,
    ) -> Option<Vec<MessageJson>> {
        let inner = self.inner.read();
        let Some(ring) = inner.ring(channel) else {
            return (after >= inner.floor).then(Vec::new);
        };
        let before = before.unwrap_or(Seq::MAX);
        let mut found: Vec<MessageJson> = ring
            .entries
            .iter()
            .rev()
            .skip_while(|entry| entry.seq() >= before)
            .take_while(|entry| entry.seq() > after)
            .take(limit)
            .filter_map(MessageJson::of)
            .collect();
        if found.len() < limit && after < ring.complete_after {
            return None;
        }
        found.reverse();
        Some(found)
    }

    /// The first `limit` messages after `after` and before `before`, oldest first. `None` where
    /// history might hold some of them.
    pub(crate) fn following(
        &self,
        channel: Option<&ChannelName>,
        after: Seq,
        before: Option<Seq>,
        limit: usize,
    ) -> Option<Vec<MessageJson>> {
        let inner = self.inner.read();
        let Some(ring) = inner.ring(channel) else {
            return (after >= inner.floor).then(Vec::new);
        };
        if after < ring.complete_after {
            return None;
        }
        let before = before.unwrap_or(Seq::MAX);
        let first = ring.entries.partition_point(|entry| entry.seq() <= after);
        let wanted = ring.entries.iter().skip(first).take_while(|entry| entry.seq() < before);
        Some(wanted.take(limit).filter_map(MessageJson::of).collect())
    }
}

impl MessageJson {
    fn of(entry: &Arc<Entry>) -> Option<Self> {
        Some(Self { seq: entry.seq(), json: entry.message_json()? })
    }
}

impl Inner {
    fn ring(&self, channel: Option<&ChannelName>) -> Option<&Ring> {
        match channel {
            Some(name) => self.by_channel.get(name),
            None => Some(&self.public),
        }
    }

    fn push(&mut self, channel: &ChannelName, entry: &Arc<Entry>) {
        let floor = self.floor;
        if !self.by_channel.contains_key(channel) {
            let ring = Ring { complete_after: floor, ..Ring::default() };
            self.by_channel.insert(channel.clone(), ring);
        }
        let Some(ring) = self.by_channel.get_mut(channel) else { return };
        if let Some(newest) = ring.entries.back() {
            self.by_age.remove(&newest.seq());
        }
        self.by_age.insert(entry.seq(), channel.clone());
        let before = ring.bytes;
        ring.push(entry.clone());
        self.bytes = self.bytes + ring.bytes - before;
    }

    /// Lets the ring go that was posted to longest ago. Rings made later know nothing of its past.
    fn drop_oldest_channel(&mut self) -> bool {
        if self.by_channel.len() <= 1 {
            // One channel alone is too large: its older half goes.
            let Some(ring) = self.by_channel.values_mut().next() else { return false };
            let before = ring.bytes;
            ring.shrink_to(before / 2);
            self.bytes -= before - ring.bytes;
            return before > ring.bytes;
        }
        let Some((newest, channel)) = self.by_age.pop_first() else { return false };
        if let Some(ring) = self.by_channel.remove(&channel) {
            self.bytes -= ring.bytes;
        }
        self.floor = self.floor.max(newest);
        true
    }
}

impl Ring {
    fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > ROWS_MAX {
            self.pop();
        }
    }

    fn place(&self, seq: Seq) -> Option<usize> {
        self.entries.binary_search_by_key(&seq, |entry| entry.seq()).ok()
    }

    fn get(&self, seq: Seq) -> Option<&Arc<Entry>> {
        self.entries.get(self.place(seq)?)
    }

    fn replace(&mut self, entry: &Arc<Entry>) {
        let place = self.place(entry.seq()).and_then(|at| self.entries.get_mut(at));
        let Some(place) = place else { return };
        let before = std::mem::replace(place, entry.clone()).weight();
        self.bytes = self.bytes + entry.weight() - before;
    }

    fn shrink_to(&mut self, bytes_max: usize) {
        // The newest always stays: the ring's age is kept under it.
        while self.bytes > bytes_max && self.entries.len() > 1 {
            self.pop();
        }
    }

    fn forget(&mut self, floor: Seq) {
        while self.entries.front().is_some_and(|first| first.seq() <= floor) {
            self.pop();
        }
        self.complete_after = self.complete_after.max(floor);
    }

    fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.weight();
            self.complete_after = entry.seq();
        }
    }
}
