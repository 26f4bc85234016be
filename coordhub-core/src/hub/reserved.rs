//! What is reserved, and what of it stands in whose way.
//!
//! All reservations are in memory. Their resources stand in a tree, each at the node that its literal
//! segments lead to. Whoever asks about a path meets only what stands on the way to it, and whoever
//! asks about a pattern also what is below; what is elsewhere costs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, RangeBounds},
    sync::Arc,
};

use super::{
    Rejection,
    state::{Due, State},
};
use crate::{
    event::{ReservationAcquired, ReservationReleased, ReservationRenewed, Stamped},
    ids::{EntityId, ReservationId, Seq},
    limits::COMPARISONS_MAX,
    model::{Conflict, Reservation},
    resource::{Pattern, Resource},
    time::Timestamp,
};

/// Every reservation that holds. A snapshot of it costs nothing: the state shares it until it changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reservations {
    all: BTreeMap<ReservationId, Arc<Reservation>>,
    order: BTreeMap<Seq, ReservationId>,
    holders: BTreeMap<EntityId, BTreeSet<ReservationId>>,
    resources: usize,
    tree: Node,
}

/// A place in the tree of literal segments.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    /// Paths that end here.
    paths: BTreeMap<Key, Resource>,
    /// Patterns whose literal segments end here.
    patterns: BTreeMap<Key, Resource>,
    below: BTreeMap<Box<str>, Node>,
}

/// Which resource of which reservation.
type Key = (ReservationId, usize);

/// Who asks, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Seeker<'a> {
    /// Whose own reservations stand in nobody's way.
    pub entity_id: Option<&'a EntityId>,
    /// Whether the resources would be shared with nobody.
    pub exclusive: bool,
}

/// How many comparisons of patterns a call may still cost, so that none holds others up.
#[derive(Debug)]
pub struct Comparisons {
    left: usize,
}

impl Default for Comparisons {
    fn default() -> Self {
        Self { left: COMPARISONS_MAX }
    }
}

/// Why a search ends before it has seen all.
enum Stop {
    Enough,
    TooMuch,
}

impl Reservations {
    /// A reservation that holds.
    pub fn get(&self, id: &ReservationId) -> Option<&Arc<Reservation>> {
        self.all.get(id)
    }

    /// Reservations in the order of their acquisition, within a range of its `seq`.
    pub fn in_order(
        &self,
        range: impl RangeBounds<Seq>,
    ) -> impl DoubleEndedIterator<Item = &Arc<Reservation>> {
        self.order.range(range).filter_map(|(_, id)| self.all.get(id))
    }

    /// What an entity has reserved, by id.
    pub fn of(&self, holder: &EntityId) -> impl Iterator<Item = &Arc<Reservation>> {
        self.holders.get(holder).into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    /// How many reservations an entity holds.
    pub fn count_of(&self, holder: &EntityId) -> usize {
        self.holders.get(holder).map_or(0, BTreeSet::len)
    }

    /// Who has reserved something.
    pub fn holders(&self) -> impl Iterator<Item = &EntityId> {
        self.holders.keys()
    }

    /// When somebody last reserved something, or was handed it.
    pub fn newest_of(&self, holder: &EntityId) -> Option<Timestamp> {
        let own = self.holders.get(holder)?.iter().filter_map(|id| self.all.get(id));
        own.map(|reservation| reservation.acquired_at).max()
    }

    /// How many reservations there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing is reserved.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many resources they reserve.
    pub fn resources(&self) -> usize {
        self.resources
    }

    /// What stands in the way of somebody who asks for a resource: at most `most` reservations, one
    /// resource of each.
    pub fn conflicts(
        &self,
        asked: &Resource,
        seeker: Seeker<'_>,
        most: usize,
        comparisons: &mut Comparisons,
    ) -> Result<Vec<Conflict>, Rejection> {
        let mut found: Vec<Conflict> = Vec::new();
        let mut look = |(id, _): &Key, held: &Resource| {
            if found.iter().any(|conflict| conflict.reservation_id == *id) {
                return ControlFlow::Continue(());
            }
            let Some(left) = comparisons.left.checked_sub(held.comparison_cost(asked)) else {
                return ControlFlow::Break(Stop::TooMuch);
            };
            comparisons.left = left;
            if !held.overlaps(asked) {
                return ControlFlow::Continue(());
            }
            let Some(holder) = self.all.get(id).filter(|other| seeker.is_hindered_by(other)) else {
                return ControlFlow::Continue(());
            };
            found.push(Conflict {
                resource: asked.clone(),
                held_by: holder.entity_id.clone(),
                reservation_id: id.clone(),
                held_resource: held.clone(),
                expires_at: holder.expires_at,
            });
            if found.len() < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(Stop::Enough)
            }
        };
        for pattern in asked.patterns() {
            match self.tree.visit(pattern, &mut look) {
                ControlFlow::Break(Stop::TooMuch) => return Err(too_much()),
                ControlFlow::Break(Stop::Enough) => break,
                ControlFlow::Continue(()) => {}
            }
        }
        Ok(found)
    }

    pub(super) fn insert(&mut self, reservation: Arc<Reservation>) {
        let id = &reservation.reservation_id;
        for (nth, resource) in reservation.resources.iter().enumerate() {
            for pattern in resource.patterns() {
                let entries = self.tree.entries(pattern);
                entries.insert((id.clone(), nth), resource.clone());
            }
        }
        self.resources += reservation.resources.len();
        self.order.insert(reservation.acquired_seq, id.clone());
        self.holders.entry(reservation.entity_id.clone()).or_default().insert(id.clone());
        self.all.insert(id.clone(), reservation);
    }

    fn remove(&mut self, id: &ReservationId) -> Option<Arc<Reservation>> {
        let reservation = self.all.remove(id)?;
        for (nth, resource) in reservation.resources.iter().enumerate() {
            let key = (id.clone(), nth);
            for pattern in resource.patterns() {
                let literals: Vec<&str> = pattern.literals().collect();
                self.tree.remove(&key, &literals);
            }
        }
        self.resources -= reservation.resources.len();
        self.order.remove(&reservation.acquired_seq);
        super::evolve::remove_from(&mut self.holders, &reservation.entity_id, id);
        Some(reservation)
    }
}

impl Seeker<'_> {
    fn is_hindered_by(self, other: &Reservation) -> bool {
        let is_own = self.entity_id == Some(&other.entity_id);
        !is_own && (self.exclusive || other.exclusive)
    }
}

impl Node {
    /// Where a pattern is kept.
    fn entries(&mut self, pattern: &Pattern) -> &mut BTreeMap<Key, Resource> {
        let mut node = self;
        for literal in pattern.literals() {
            node = node.below.entry(literal.into()).or_default();
        }
        if pattern.first_wild().is_some() { &mut node.patterns } else { &mut node.paths }
    }

    /// Takes an entry out, and the nodes that this leaves empty.
    fn remove(&mut self, key: &Key, literals: &[&str]) {
        let Some((first, rest)) = literals.split_first() else {
            self.paths.remove(key);
            self.patterns.remove(key);
            return;
        };
        if let Some(node) = self.below.get_mut(*first) {
            node.remove(key, rest);
            if node.is_empty() {
                self.below.remove(*first);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.patterns.is_empty() && self.below.is_empty()
    }

    /// Looks at everything that may have a path in common with `pattern`.
    fn visit<B>(
        &self,
        pattern: &Pattern,
        look: &mut impl FnMut(&Key, &Resource) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut node = self;
        for literal in pattern.literals() {
            node.patterns.iter().try_for_each(|(key, held)| look(key, held))?;
            match node.below.get(literal) {
                Some(below) => node = below,
                None => return ControlFlow::Continue(()),
            }
        }
        node.visit_here(look)?;
        let Some(wild) = pattern.first_wild() else { return ControlFlow::Continue(()) };
        let mut below = node.below.iter().filter(|(name, _)| wild.matches(name));
        below.try_for_each(|(_, node)| node.visit_all(look))
    }

    fn visit_here<B>(
        &self,
        look: &mut impl FnMut(&Key, &Resource) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.patterns.iter().chain(&self.paths).try_for_each(|(key, held)| look(key, held))
    }

    fn visit_all<B>(
        &self,
        look: &mut impl FnMut(&Key, &Resource) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.visit_here(look)?;
        self.below.values().try_for_each(|node| node.visit_all(look))
    }
}

fn too_much() -> Rejection {
    let detail = format!(
        "to compare these resources with all that is reserved takes over {COMPARISONS_MAX} comparisons; ask for fewer at once, or for patterns that begin with more of a path"
    );
    Rejection::invalid("resources", detail)
}

/// How events change what is reserved.
impl State {
    pub(super) fn reservation_acquired(&mut self, stamped: &Stamped, event: &ReservationAcquired) {
        self.touched.reservations.insert(event.reservation_id.clone());
        self.insert_reservation(Arc::new(Reservation {
            reservation_id: event.reservation_id.clone(),
            entity_id: event.entity_id.clone(),
            resources: event.resources.clone(),
            exclusive: event.exclusive,
            reason: event.reason.clone(),
            ttl_seconds: event.ttl_seconds,
            acquired_at: stamped.at,
            expires_at: event.expires_at,
            acquired_seq: stamped.seq,
        }));
    }

    pub(super) fn reservation_renewed(&mut self, event: &ReservationRenewed) {
        self.set_reservation_end(&event.reservation_id, event.expires_at);
        self.change_reservation(&event.reservation_id, |reservation| {
            reservation.ttl_seconds = event.ttl_seconds;
        });
    }

    /// Another end changes nothing of what is reserved, so that the tree stays as it is.
    pub(super) fn set_reservation_end(&mut self, id: &ReservationId, end: Timestamp) {
        let Some(before) = self.reservations.get(id).map(|known| known.expires_at) else { return };
        self.deadlines.remove(&(before, Due::Reservation(id.clone())));
        self.deadlines.insert((end, Due::Reservation(id.clone())));
        self.change_reservation(id, |reservation| reservation.expires_at = end);
    }

    fn change_reservation(&mut self, id: &ReservationId, change: impl FnOnce(&mut Reservation)) {
        let reservations = Arc::make_mut(&mut self.reservations);
        let Some(reservation) = reservations.all.get_mut(id) else { return };
        change(Arc::make_mut(reservation));
        self.touched.reservations.insert(id.clone());
    }

    pub(super) fn reservation_released(&mut self, event: &ReservationReleased) {
        let id = &event.reservation_id;
        let Some(gone) = Arc::make_mut(&mut self.reservations).remove(id) else { return };
        self.deadlines.remove(&(gone.expires_at, Due::Reservation(id.clone())));
        self.touched.reservations.insert(id.clone());
    }

    pub(super) fn insert_reservation(&mut self, reservation: Arc<Reservation>) {
        let due = Due::Reservation(reservation.reservation_id.clone());
        self.deadlines.insert((reservation.expires_at, due));
        Arc::make_mut(&mut self.reservations).insert(reservation);
    }
}

#[cfg(test)]
mod tests;
