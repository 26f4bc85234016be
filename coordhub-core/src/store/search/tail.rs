//! The newest block of the index, in memory until it is full.

use std::collections::HashMap;

use super::{
    places::{BLOCK_SEQS, Places},
    query::{TakeTerms, Term, give_terms},
};
use crate::{hub::policy::Scope, ids::Seq};

/// How much the tail may hold, in about as many bytes. A block of short messages takes less; one of
/// long messages ends here. The message that goes beyond is always taken.
const TAIL_BYTES_MAX: usize = 16 << 20;

/// About what an entry of a map takes beside its key.
const ENTRY_BYTES: usize = 80;

/// A scope as the text that the index has it under: nothing for the public one, so that it takes no
/// room.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct ScopeKey(pub(super) String);

impl From<&Scope> for ScopeKey {
    fn from(scope: &Scope) -> Self {
        Self(match scope {
            Scope::Public => String::new(),
            Scope::Channel(channel) => format!("#{channel}"),
            Scope::DirectOf(id) => format!("@{id}"),
        })
    }
}

/// Which places of the block have each term, in ascending order.
#[derive(Debug, Default)]
struct Terms {
    words: HashMap<Box<str>, Vec<u16>>,
    drawers: HashMap<u16, Vec<u16>>,
}

impl Terms {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.drawers.is_empty()
    }

    fn get(&self, term: &Term) -> Option<&Vec<u16>> {
        match term {
            Term::Word(word) => self.words.get(word.as_str()),
            Term::Drawer(drawer) => self.drawers.get(drawer),
        }
    }
}

/// Notes the terms of one message.
struct Noting<'a> {
    terms: &'a mut Terms,
    place: u16,
    /// About how many bytes that took.
    bytes: usize,
}

impl TakeTerms for Noting<'_> {
    fn word(&mut self, word: &str) {
        match self.terms.words.get_mut(word) {
            Some(places) if places.last() == Some(&self.place) => {}
            Some(places) => {
                places.push(self.place);
                self.bytes += size_of::<u16>();
            }
            None => {
                self.terms.words.insert(word.into(), vec![self.place]);
                self.bytes += ENTRY_BYTES + word.len();
            }
        }
    }

    fn drawer(&mut self, drawer: u16) {
        let places = self.terms.drawers.entry(drawer).or_default();
        if places.last() != Some(&self.place) {
            self.bytes += if places.is_empty() { ENTRY_BYTES } else { size_of::<u16>() };
            places.push(self.place);
        }
    }
}

/// A block that is being filled.
#[derive(Debug)]
pub(super) struct Tail {
    /// The first place of the block.
    first: Seq,
    scopes: HashMap<ScopeKey, Terms>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(first: Seq) -> Self {
        Self { first, scopes: HashMap::new(), bytes: 0 }
    }

    pub(super) fn first(&self) -> Seq {
        self.first
    }

    /// Whether it holds no message.
    pub(super) fn is_empty(&self) -> bool {
        self.scopes.is_empty()
    }

    /// Whether what stands at `seq` has to go into another block.
    pub(super) fn is_full_for(&self, seq: Seq) -> bool {
        seq - self.first >= BLOCK_SEQS || self.bytes >= TAIL_BYTES_MAX
    }

    /// Takes in a message, which is newer than all before. `label` is a term of its own.
    pub(super) fn add(
        &mut self,
        seq: Seq,
        scopes: &[ScopeKey],
        label: Option<&str>,
        content: &str,
    ) {
        // Below 2^16, since the tail is not full for it.
        let place = (seq - self.first) as u16;
        for scope in scopes {
            if !self.scopes.contains_key(scope) {
                self.scopes.insert(scope.clone(), Terms::default());
            }
            let Some(terms) = self.scopes.get_mut(scope) else { continue };
            let mut noting = Noting { terms, place, bytes: 0 };
            label.into_iter().for_each(|label| noting.word(label));
            give_terms(content, &mut noting);
            self.bytes += noting.bytes;
        }
    }

    /// Takes in what was written of an unfinished block.
    pub(super) fn restore(&mut self, scope: ScopeKey, term: Term, places: Vec<u16>) {
        self.bytes += ENTRY_BYTES + size_of::<u16>() * places.len();
        let terms = self.scopes.entry(scope).or_default();
        match term {
            Term::Word(word) => drop(terms.words.insert(word.into(), places)),
            Term::Drawer(drawer) => drop(terms.drawers.insert(drawer, places)),
        }
    }

    /// Forgets a message.
    pub(super) fn remove(&mut self, seq: Seq) {
        let Some(place) = seq.checked_sub(self.first) else { return };
        self.retain(|other| u64::from(other) != place);
    }

    /// Forgets every message up to and with this one.
    pub(super) fn forget(&mut self, up_to: Seq) {
        let Some(end) = (up_to + 1).checked_sub(self.first).filter(|end| *end > 0) else { return };
        self.retain(|place| u64::from(place) >= end);
    }

    fn retain(&mut self, keep: impl Fn(u16) -> bool) {
        let left = |places: &mut Vec<u16>| {
            places.retain(|place| keep(*place));
            !places.is_empty()
        };
        for terms in self.scopes.values_mut() {
            terms.words.retain(|_, places| left(places));
            terms.drawers.retain(|_, places| left(places));
        }
        self.scopes.retain(|_, terms| !terms.is_empty());
    }

    /// The places in a scope that have all of these terms.
    pub(super) fn places(&self, scope: &ScopeKey, terms: &[Term]) -> Option<Places> {
        let known = self.scopes.get(scope)?;
        let lists: Option<Vec<&Vec<u16>>> = terms.iter().map(|term| known.get(term)).collect();
        let mut lists = lists?.into_iter();
        let mut places = Places::of(lists.next()?);
        lists.for_each(|list| places.and(&Places::of(list)));
        Some(places)
    }

    /// Each scope with its words and its drawers, all in ascending order.
    pub(super) fn sorted(&self) -> Vec<Sorted<'_>> {
        let mut all: Vec<_> =
            self.scopes.iter().map(|(scope, terms)| Sorted::new(scope, terms)).collect();
        all.sort_unstable_by_key(|sorted| sorted.scope);
        all
    }
}

/// One scope of the tail, in order.
#[derive(Debug, PartialEq)]
pub(super) struct Sorted<'a> {
    pub(super) scope: &'a ScopeKey,
    pub(super) words: Vec<(&'a str, &'a [u16])>,
    pub(super) drawers: Vec<(u16, &'a [u16])>,
}

impl<'a> Sorted<'a> {
    fn new(scope: &'a ScopeKey, terms: &'a Terms) -> Self {
        let words = terms.words.iter().map(|(word, places)| (&**word, &**places));
        let drawers = terms.drawers.iter().map(|(drawer, places)| (*drawer, &**places));
        let (mut words, mut drawers): (Vec<_>, Vec<_>) = (words.collect(), drawers.collect());
        words.sort_unstable_by_key(|(word, _)| *word);
        drawers.sort_unstable_by_key(|(drawer, _)| *drawer);
        Self { scope, words, drawers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ScopeKey {
        ScopeKey(text.to_owned())
    }

    fn found(tail: &Tail, scope: &str, terms: &[&str]) -> Vec<u16> {
        let terms: Vec<Term> = terms.iter().map(|term| Term::Word((*term).to_owned())).collect();
        tail.places(&key(scope), &terms).map_or(Vec::new(), |places| places.backwards())
    }

    fn filled() -> Tail {
        let mut tail = Tail::new(100);
        tail.add(100, &[key("")], Some("#general"), "a b a");
        tail.add(105, &[key("@x"), key("@y")], None, "a c");
        tail.add(107, &[key("")], Some("#other"), "b a");
        tail
    }

    #[test]
    fn scopes_are_apart() {
        let tail = filled();
        assert_eq!(found(&tail, "", &["a"]), [7, 0]);
        assert_eq!(found(&tail, "", &["a", "#other"]), [7]);
        assert_eq!(found(&tail, "", &["c"]), [0; 0]);
        assert_eq!(found(&tail, "@x", &["a", "c"]), [5]);
        assert_eq!(found(&tail, "@y", &["c"]), [5]);
        assert_eq!(found(&tail, "@z", &["c"]), [0; 0]);
    }

    #[test]
    fn what_is_removed_leaves_nothing() {
        let mut tail = filled();
        tail.remove(105);
        tail.remove(99);
        assert!(tail.sorted().iter().all(|sorted| sorted.scope.0.is_empty()));
        assert_eq!(found(&tail, "", &["a"]), [7, 0]);
        tail.remove(100);
        tail.remove(107);
        assert!(tail.is_empty());
    }

    #[test]
    fn what_is_sorted_makes_the_same_tail() {
        let tail = filled();
        let mut again = Tail::new(100);
        for Sorted { scope, words, drawers } in tail.sorted() {
            assert!(words.is_sorted() && drawers.is_sorted());
            for (word, places) in words {
                again.restore(scope.clone(), Term::Word(word.to_owned()), places.to_vec());
            }
            for (drawer, places) in drawers {
                again.restore(scope.clone(), Term::Drawer(drawer), places.to_vec());
            }
        }
        assert_eq!(again.sorted(), tail.sorted());
    }

    #[test]
    fn a_tail_is_full_by_places_and_by_bytes() {
        let mut tail = Tail::new(100);
        assert!(!tail.is_full_for(100 + BLOCK_SEQS - 1));
        assert!(tail.is_full_for(100 + BLOCK_SEQS));
        let mut seq = 100;
        while !tail.is_full_for(seq) {
            let words: Vec<String> = (0..20_000).map(|n| format!("w{seq}x{n}")).collect();
            tail.add(seq, &[key("")], None, &words.join(" "));
            seq += 1;
        }
        assert!(seq < 110);
    }
}
