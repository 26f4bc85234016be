//! Whose presence changed, in order: the latest change of each entity, and nothing older.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

use crate::{ids::EntityId, time::Timestamp};

/// How many removed entities are remembered, so that whoever follows hears that they left.
const REMOVED_MAX: usize = 1_024;
/// How many changes one look gives; the next look goes on from there.
const CHANGES_MAX: usize = 1_000;

/// The changes, each with a version that grows. It holds an entry for each entity at most, so that it
/// need not be told who has read how far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// That of the newest change: who has seen it takes no lock.
    version: AtomicU64,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_version: BTreeMap<u64, Entry>,
    version_of: BTreeMap<EntityId, u64>,
    /// Versions of removals, oldest first. Those that a registration has replaced are still in it.
    removals: VecDeque<u64>,
}

/// An entity whose presence changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) entity_id: EntityId,
    /// When it last acted, where it was removed.
    pub(super) removed: Option<Timestamp>,
}

impl Journal {
    /// The version of the newest change; 0 before the first.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// Notes a change; an older one of the same entity is forgotten.
    pub(super) fn note(&self, entity_id: &EntityId) {
        self.add(Entry { entity_id: entity_id.clone(), removed: None });
    }

    /// Notes that an entity, last seen then, was removed.
    pub(super) fn note_removal(&self, entity_id: &EntityId, last_seen: Timestamp) {
        self.add(Entry { entity_id: entity_id.clone(), removed: Some(last_seen) });
    }

    /// What changed after a version, oldest first, and the version that this has come to.
    pub(super) fn since(&self, version: u64) -> (Vec<Entry>, u64) {
        if version == self.version() {
            return (Vec::new(), version);
        }
        let entries = self.entries.lock();
        let mut reached = version;
        let after = entries.by_version.range(version.saturating_add(1)..).take(CHANGES_MAX);
        let changed = after.map(|(version, entry)| {
            reached = *version;
            entry.clone()
        });
        (changed.collect(), reached)
    }

    fn add(&self, entry: Entry) {
        let mut entries = self.entries.lock();
        // The lock keeps others from doing the same.
        let version = self.version.load(Relaxed) + 1;
        self.version.store(version, Relaxed);
        let is_removal = entry.removed.is_some();
        if let Some(older) = entries.version_of.insert(entry.entity_id.clone(), version) {
            entries.by_version.remove(&older);
        }
        entries.by_version.insert(version, entry);
        if is_removal {
            entries.removals.push_back(version);
            entries.forget_old_removals();
        }
    }
}

impl Entries {
    fn forget_old_removals(&mut self) {
        while self.removals.len() > REMOVED_MAX {
            let oldest = self.removals.pop_front();
            if let Some(entry) = oldest.and_then(|version| self.by_version.remove(&version)) {
                self.version_of.remove(&entry.entity_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EntityId {
        EntityId::parse(text).expect("a valid id")
    }

    /// Who changed after a version, and what that has come to.
    fn since(journal: &Journal, version: u64) -> (Vec<String>, u64) {
        let (entries, reached) = journal.since(version);
        (entries.iter().map(|entry| entry.entity_id.to_string()).collect(), reached)
    }

    #[test]
    fn the_latest_change_of_each_entity_stands_in_order() {
        let journal = Journal::default();
        assert_eq!(since(&journal, 0), (vec![], 0));
        for name in ["a", "b", "a", "c", "a"] {
            journal.note(&id(name));
        }
        assert_eq!(journal.version(), 5);
        for (version, changed) in
            [(0, &["b", "c", "a"][..]), (2, &["c", "a"]), (3, &["c", "a"]), (4, &["a"]), (5, &[])]
        {
            let changed = changed.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(since(&journal, version), (changed, 5), "after {version}");
        }
        for _ in 0..1_000 {
            journal.note(&id("a"));
        }
        assert_eq!(journal.entries.lock().by_version.len(), 3);
        assert_eq!(journal.entries.lock().version_of.len(), 3);
    }

    #[test]
    fn a_look_is_bounded_and_the_next_goes_on() {
        let journal = Journal::default();
        for n in 0..CHANGES_MAX + 10 {
            journal.note(&id(&format!("e{n}")));
        }
        let (first, reached) = journal.since(0);
        assert_eq!((first.len(), reached), (CHANGES_MAX, CHANGES_MAX as u64));
        let (rest, reached) = journal.since(reached);
        assert_eq!((rest.len(), reached), (10, journal.version()));
    }

    #[test]
    fn removals_are_remembered_for_a_while() {
        let journal = Journal::default();
        let gone = Timestamp::from_millis(7);
        journal.note(&id("stays"));
        journal.note_removal(&id("comes-back"), gone);
        journal.note(&id("comes-back"));
        journal.note_removal(&id("first"), gone);
        assert_eq!(journal.since(3).0, [Entry { entity_id: id("first"), removed: Some(gone) }]);
        for n in 0..REMOVED_MAX {
            journal.note_removal(&id(&format!("e{n}")), gone);
        }
        let entries = journal.entries.lock();
        assert_eq!(entries.removals.len(), REMOVED_MAX);
        assert_eq!(entries.by_version.len(), REMOVED_MAX + 2);
        assert!(!entries.version_of.contains_key(&id("first")), "the oldest is forgotten");
        assert!(entries.version_of.contains_key(&id("comes-back")), "it is there again");
    }
}
