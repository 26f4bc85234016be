//! What was refused, counted: in memory, capped, and written now and then.
//!
//! Whoever floods a hub with what it refuses makes numbers grow, and costs it neither a `seq` nor a
//! write of its own.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use crate::{
    limits::REFUSALS_MAX,
    model::{Refusal, Refused},
    time::Timestamp,
};

/// How many are written at a time. Whoever comes from ever new addresses makes no more work than this.
const SAVED_AT_ONCE: usize = 1_000;

/// The refusals that are kept.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    by_id: BTreeMap<u64, Refusal>,
    id_of: BTreeMap<Refused, u64>,
    /// When the last of each was: the first of these goes first.
    by_age: BTreeSet<(Timestamp, u64)>,
    /// What the file does not have as it is.
    unsaved: BTreeSet<u64>,
    /// What the file may have.
    written: BTreeSet<u64>,
    /// What the file may have, and is not kept any more.
    gone: BTreeSet<u64>,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub(super) changed: Vec<Refusal>,
    pub(super) gone: Vec<u64>,
}

impl Refusals {
    /// With those that were kept.
    pub(super) fn new(kept: Vec<Refusal>) -> Self {
        let mut inner = Inner::default();
        for refusal in kept {
            inner.next_id = inner.next_id.max(refusal.refusal_id);
            inner.written.insert(refusal.refusal_id);
            inner.id_of.insert(refusal.of.clone(), refusal.refusal_id);
            inner.by_age.insert((refusal.last_at, refusal.refusal_id));
            inner.by_id.insert(refusal.refusal_id, refusal);
        }
        Self(Mutex::new(inner))
    }

    /// Counts one.
    pub(super) fn note(&self, of: Refused, now: Timestamp) {
        let mut guard = self.0.lock();
        let inner = &mut *guard;
        let known = inner.id_of.get(&of).copied();
        if let Some(refusal) = known.and_then(|id| inner.by_id.get_mut(&id)) {
            inner.by_age.remove(&(refusal.last_at, refusal.refusal_id));
            refusal.count += 1;
            refusal.last_at = refusal.last_at.max(now);
            inner.by_age.insert((refusal.last_at, refusal.refusal_id));
            inner.unsaved.insert(refusal.refusal_id);
            return;
        }
        inner.next_id += 1;
        let id = inner.next_id;
        inner.id_of.insert(of.clone(), id);
        inner.by_age.insert((now, id));
        inner.unsaved.insert(id);
        let refusal = Refusal { refusal_id: id, of, first_at: now, last_at: now, count: 1 };
        inner.by_id.insert(id, refusal);
        if inner.by_id.len() > REFUSALS_MAX {
            inner.forget_oldest();
        }
    }

    /// Those that a look passes, in the order in which the first of each was.
    pub(super) fn find(&self, passes: impl Fn(&Refusal) -> bool) -> Vec<Refusal> {
        self.0.lock().by_id.values().filter(|refusal| passes(refusal)).cloned().collect()
    }

    /// Takes what is to be written next; nothing, where all of it is.
    pub(super) fn take_unsaved(&self) -> Unsaved {
        let mut guard = self.0.lock();
        let inner = &mut *guard;
        let mut ids = Vec::new();
        while ids.len() < SAVED_AT_ONCE
            && let Some(id) = inner.unsaved.pop_first()
        {
            ids.push(id);
            inner.written.insert(id);
        }
        let mut gone = Vec::new();
        while gone.len() < SAVED_AT_ONCE
            && let Some(id) = inner.gone.pop_first()
        {
            gone.push(id);
        }
        let changed = ids.iter().filter_map(|id| inner.by_id.get(id).cloned()).collect();
        Unsaved { changed, gone }
    }

    /// Gives back what could not be written.
    pub(super) fn mark_unsaved(&self, Unsaved { changed, gone }: Unsaved) {
        let mut inner = self.0.lock();
        for refusal in changed {
            let id = refusal.refusal_id;
            // It may have been forgotten since, and stands among those that are gone.
            if inner.by_id.contains_key(&id) {
                inner.unsaved.insert(id);
            }
        }
        inner.gone.extend(gone);
    }
}

impl Unsaved {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

impl Inner {
    fn forget_oldest(&mut self) {
        let Some((_, id)) = self.by_age.pop_first() else { return };
        let Some(refusal) = self.by_id.remove(&id) else { return };
        self.id_of.remove(&refusal.of);
        self.unsaved.remove(&id);
        if self.written.remove(&id) {
            self.gone.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: usize) -> Refused {
        Refused {
            kind: "unauthorized".to_owned(),
            status: 401,
            entity_id: None,
            address: Some(address.to_string()),
            route: "GET /tasks/list".to_owned(),
        }
    }

    fn at(millis: usize) -> Timestamp {
        Timestamp::from_millis(millis as i64)
    }

    #[test]
    fn what_is_alike_is_counted_and_written_once() {
        let refusals = Refusals::default();
        for nth in 1..=1_000 {
            refusals.note(refused(nth % 2), at(nth));
        }
        let kept = refusals.find(|_| true);
        assert_eq!(kept.iter().map(|refusal| refusal.count).collect::<Vec<_>>(), [500, 500]);
        assert_eq!((kept[0].first_at, kept[0].last_at), (at(1), at(999)));
        let unsaved = refusals.take_unsaved();
        assert_eq!((unsaved.changed.len(), unsaved.gone.len()), (2, 0));
        assert!(refusals.take_unsaved().is_empty());
        refusals.mark_unsaved(unsaved);
        assert_eq!(refusals.take_unsaved().changed, kept);
        // What was read from a file goes on being counted.
        let again = Refusals::new(kept);
        again.note(refused(1), at(2_000));
        again.note(refused(7), at(2_000));
        let kept = again.find(|_| true);
        assert_eq!(
            kept.iter().map(|r| (r.refusal_id, r.count)).collect::<Vec<_>>(),
            [(1, 501), (2, 500), (3, 1)]
        );
    }

    #[test]
    fn the_oldest_go() {
        let refusals = Refusals::default();
        for nth in 0..REFUSALS_MAX {
            refusals.note(refused(nth), at(nth));
        }
        let mut written = 0;
        loop {
            let unsaved = refusals.take_unsaved();
            if unsaved.is_empty() {
                break;
            }
            assert!(unsaved.changed.len() <= SAVED_AT_ONCE);
            written += unsaved.changed.len();
        }
        assert_eq!(written, REFUSALS_MAX);
        // The first is no longer the oldest.
        refusals.note(refused(0), at(REFUSALS_MAX));
        for nth in 0..10 {
            refusals.note(refused(REFUSALS_MAX + nth), at(REFUSALS_MAX + 1 + nth));
        }
        let kept = refusals.find(|_| true);
        assert_eq!(kept.len(), REFUSALS_MAX);
        assert_eq!((kept[0].refusal_id, kept[1].refusal_id), (1, 12));
        let unsaved = refusals.take_unsaved();
        assert_eq!(unsaved.gone, (2..=11).collect::<Vec<_>>());
        assert_eq!(unsaved.changed.len(), 11);
    }
}
