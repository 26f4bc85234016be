//! Those who wait for something to claim: first come, first served, and nobody asks twice.
//!
//! A waiter is looked at when a task opens that it might take, when it changes what it can do, and when
//! its time is up; in between it costs nothing but memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::queue::{Job, Place};
use crate::{
    command::{ClaimNext, Command, Key},
    hub::{State, Wants},
    ids::{EntityId, TaskId},
    model::TaskStatus,
};

/// How many may wait; one more is told at once that there is nothing.
const WAITERS_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Waiters {
    arrivals: u64,
    by_arrival: BTreeMap<u64, Waiter>,
    by_wants: BTreeMap<Wants, BTreeSet<u64>>,
    by_entity: BTreeMap<EntityId, BTreeSet<u64>>,
    by_end: BTreeSet<(Duration, u64)>,
}

/// What one command has changed, as far as those who wait care.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// Tasks that may be open now.
    pub(super) tasks: BTreeSet<TaskId>,
    /// Entities that may be able to do more now.
    pub(super) entities: BTreeSet<EntityId>,
}

#[derive(Debug)]
struct Waiter {
    job: Job,
    wants: Wants,
    /// When its time is up, by the monotonic clock.
    end: Duration,
}

impl Waiters {
    /// Takes in somebody for whom there is nothing. It comes back where it does not wait, or there is
    /// no room.
    pub(super) fn park(&mut self, job: Job, state: &State, now: Duration) -> Option<Job> {
        let room = self.by_arrival.len() < WAITERS_MAX;
        if job.wait.is_zero() || !room {
            return Some(job);
        }
        self.arrivals += 1;
        let place = Place { arrival: self.arrivals, end: now + job.wait };
        self.put(job, place, state)
    }

    /// Puts somebody back who was taken out, and for whom there was nothing after all, at its old
    /// place. It comes back where it never had one.
    pub(super) fn put_back(&mut self, job: Job, state: &State) -> Option<Job> {
        match job.place {
            Some(place) => self.put(job, place, state),
            None => Some(job),
        }
    }

    fn put(&mut self, job: Job, Place { arrival, end }: Place, state: &State) -> Option<Job> {
        let Some((claimer, wants)) = wants(&job, state) else { return Some(job) };
        self.by_wants.entry(wants.clone()).or_default().insert(arrival);
        self.by_entity.entry(claimer).or_default().insert(arrival);
        self.by_end.insert((end, arrival));
        self.by_arrival.insert(arrival, Waiter { job, wants, end });
        None
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.by_arrival.is_empty()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_arrival.len()
    }

    /// Takes out who has waited longest of those who would take one of these tasks, or who can do more
    /// now and would take any. Who is gone is forgotten.
    pub(super) fn first_for(&mut self, opened: &Opened, state: &State) -> Option<Job> {
        loop {
            let fits = |wants: &Wants| {
                let open = opened.tasks.iter().filter_map(|id| state.task(id));
                open.filter(|task| task.status == TaskStatus::Open).any(|task| wants.fit(task))
            };
            let fitting = self.by_wants.iter().filter(|(wants, _)| fits(wants));
            let first = fitting.filter_map(|(_, places)| places.first()).min().copied();
            let changed = opened.entities.iter().filter_map(|id| self.by_entity.get(id)).flatten();
            let able = changed.copied().filter(|place| {
                let waiter = self.by_arrival.get(place);
                waiter.is_some_and(|waiter| state.next_task(&waiter.wants).is_some())
            });
            let job = self.take(first.into_iter().chain(able).min()?)?;
            if !job.answerer.is_abandoned() {
                return Some(job);
            }
        }
    }

    /// Looks again at what somebody wants, who has changed.
    pub(super) fn refresh(&mut self, entity: &EntityId, state: &State) {
        for place in self.by_entity.get(entity).cloned().unwrap_or_default() {
            self.refresh_one(place, state);
        }
    }

    /// Looks again at everybody after `arrival`, and takes out the first who would take something that
    /// is open already, with its place: what was decided for them may have come to nothing.
    pub(super) fn reconsider_next(&mut self, arrival: u64, state: &State) -> Option<(u64, Job)> {
        let mut after = arrival;
        loop {
            let (next, _) = self.by_arrival.range(after + 1..).next()?;
            after = *next;
            if let Some(job) = self.reconsider_one(after, state) {
                return Some((after, job));
            }
        }
    }

    fn reconsider_one(&mut self, place: u64, state: &State) -> Option<Job> {
        if self.by_arrival.get(&place)?.job.answerer.is_abandoned() {
            drop(self.take(place));
            return None;
        }
        self.refresh_one(place, state);
        state.next_task(&self.by_arrival.get(&place)?.wants)?;
        self.take(place)
    }

    fn refresh_one(&mut self, place: u64, state: &State) {
        let Some(waiter) = self.by_arrival.get_mut(&place) else { return };
        let Some((_, wants)) = wants(&waiter.job, state) else { return };
        if wants != waiter.wants {
            let before = std::mem::replace(&mut waiter.wants, wants.clone());
            remove_from(&mut self.by_wants, &before, place);
            self.by_wants.entry(wants).or_default().insert(place);
        }
    }

    /// Takes out those of one entity that wait under a key.
    pub(super) fn under_key(&mut self, entity: &EntityId, key: &Key) -> Vec<Job> {
        let places = self.by_entity.get(entity).cloned().unwrap_or_default();
        let same = |place: &u64| {
            let waiter = self.by_arrival.get(place);
            let other = waiter.and_then(|waiter| waiter.job.envelope.key.as_ref());
            other.is_some_and(|other| other.route == key.route && other.key == key.key)
        };
        let places: Vec<u64> = places.into_iter().filter(same).collect();
        places.into_iter().filter_map(|place| self.take(place)).collect()
    }

    /// When the first of them has waited long enough.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// Takes out those whose time is up at `now`.
    pub(super) fn ended(&mut self, now: Duration) -> Vec<Job> {
        let places: Vec<u64> = self
            .by_end
            .iter()
            .take_while(|(end, _)| *end <= now)
            .map(|(_, place)| *place)
            .collect();
        places.into_iter().filter_map(|place| self.take(place)).collect()
    }

    /// Takes out everybody.
    pub(super) fn all(&mut self) -> Vec<Job> {
        std::mem::take(self).by_arrival.into_values().map(|waiter| waiter.job).collect()
    }

    fn take(&mut self, place: u64) -> Option<Job> {
        let Waiter { mut job, wants, end } = self.by_arrival.remove(&place)?;
        job.place = Some(Place { arrival: place, end });
        remove_from(&mut self.by_wants, &wants, place);
        if let Some(claimer) = &job.envelope.caller.id {
            remove_from(&mut self.by_entity, claimer, place);
        }
        self.by_end.remove(&(end, place));
        Some(job)
    }
}

/// Who asks for the next task, and what it wants.
fn wants(job: &Job, state: &State) -> Option<(EntityId, Wants)> {
    let (Command::ClaimNext(asked), Some(claimer)) =
        (&job.envelope.command, &job.envelope.caller.id)
    else {
        return None;
    };
    let asked: &ClaimNext = asked;
    Some((claimer.clone(), Wants::new(state, claimer, asked)))
}

fn remove_from<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<u64>>, key: &K, place: u64) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(&place);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
