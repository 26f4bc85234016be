//! Which open task is next for whom.
//!
//! Open tasks stand in groups of the same needs, each in the order in which they are due to be taken.
//! Looking for the next one is a look at the head of each group that the claimer fits, so its cost
//! hangs on how many kinds of needs there are, not on how many tasks.

use std::collections::BTreeMap;

use super::{
    State,
    policy::{self, Standing},
};
use crate::{
    command::ClaimNext,
    ids::{EntityId, Seq, TaskId},
    model::{Priority, Task, TaskStatus},
};

/// How much earlier a task of high priority counts as created.
const HIGH_AHEAD_MILLIS: i64 = 15 * 60 * 1_000;
/// How much later a task of low priority counts as created, so that it comes at last.
const LOW_BEHIND_MILLIS: i64 = 4 * 60 * 60 * 1_000;

/// The open tasks by what they need.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ready {
    groups: BTreeMap<Needs, BTreeMap<Rank, TaskId>>,
    /// How many open tasks carry each tag: who asks for one that none carries need not look.
    tags: BTreeMap<String, usize>,
}

/// What a claimer must be, and be able to do.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Needs {
    human: bool,
    ai: bool,
    capabilities: Vec<String>,
}

impl Needs {
    fn of(task: &Task) -> Self {
        let mut capabilities = task.capabilities.clone();
        capabilities.sort_unstable();
        capabilities.dedup();
        Self { human: task.requires_human, ai: task.requires_ai, capabilities }
    }
}

/// The place of a task among those of its group: urgent ones first, then by age.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Rank {
    is_not_urgent: bool,
    counts_as_created_millis: i64,
    created_seq: Seq,
}

impl Rank {
    fn of(task: &Task) -> Self {
        let shift = match task.priority {
            Priority::Urgent | Priority::Normal => 0,
            Priority::High => -HIGH_AHEAD_MILLIS,
            Priority::Low => LOW_BEHIND_MILLIS,
        };
        Self {
            is_not_urgent: task.priority != Priority::Urgent,
            counts_as_created_millis: task.created_at.millis() + shift,
            created_seq: task.created_seq,
        }
    }
}

impl Ready {
    /// Takes in a task, if it is open.
    pub(super) fn insert(&mut self, task: &Task) {
        if task.status == TaskStatus::Open {
            let group = self.groups.entry(Needs::of(task)).or_default();
            group.insert(Rank::of(task), task.task_id.clone());
            for tag in &task.tags {
                *self.tags.entry(tag.clone()).or_default() += 1;
            }
        }
    }

    /// Takes a task out, as it was taken in.
    pub(super) fn remove(&mut self, task: &Task) {
        if task.status != TaskStatus::Open {
            return;
        }
        for tag in &task.tags {
            if let Some(count) = self.tags.get_mut(tag) {
                *count -= 1;
                if *count == 0 {
                    self.tags.remove(tag);
                }
            }
        }
        let needs = Needs::of(task);
        if let Some(group) = self.groups.get_mut(&needs) {
            group.remove(&Rank::of(task));
            if group.is_empty() {
                self.groups.remove(&needs);
            }
        }
    }

    /// How many tasks are open.
    pub(super) fn len(&self) -> usize {
        self.groups.values().map(BTreeMap::len).sum()
    }
}

/// What somebody who asks for the next task would take.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Wants {
    standing: Standing,
    capabilities: Vec<String>,
    tags: Vec<String>,
}

impl Wants {
    /// What `claimer` wants, as it is registered now. Asking for capabilities narrows what it has
    /// registered, and never widens it.
    pub fn new(state: &State, claimer: &EntityId, asked: &ClaimNext) -> Self {
        let registered = state.entity(claimer).map_or(&[][..], |entity| &entity.capabilities);
        let used = |word: &&String| asked.capabilities.as_ref().is_none_or(|c| c.contains(word));
        let mut capabilities: Vec<String> = registered.iter().filter(used).cloned().collect();
        capabilities.sort_unstable();
        let mut tags = asked.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        Self { standing: policy::standing(state, Some(claimer)), capabilities, tags }
    }

    /// Whether `task` is for it, and open.
    pub fn fit(&self, task: &Task) -> bool {
        task.status == TaskStatus::Open
            && policy::is_of_the_kind(self.standing, task.requires_human, task.requires_ai)
            && self.include(&task.capabilities)
            && self.are_tagged(task)
    }

    fn meet(&self, needs: &Needs) -> bool {
        policy::is_of_the_kind(self.standing, needs.human, needs.ai)
            && self.include(&needs.capabilities)
    }

    fn include(&self, capabilities: &[String]) -> bool {
        capabilities.iter().all(|need| self.capabilities.binary_search(need).is_ok())
    }

    fn are_tagged(&self, task: &Task) -> bool {
        self.tags.iter().all(|tag| task.tags.contains(tag))
    }
}

impl State {
    /// The open task that comes next for somebody.
    pub fn next_task(&self, wants: &Wants) -> Option<&Task> {
        if wants.tags.iter().any(|tag| !self.ready.tags.contains_key(tag)) {
            return None;
        }
        let mut best: Option<(Rank, &Task)> = None;
        for (_, group) in self.ready.groups.iter().filter(|(needs, _)| wants.meet(needs)) {
            for (rank, id) in group {
                if best.is_some_and(|(found, _)| found <= *rank) {
                    break;
                }
                if let Some(task) = self.tasks.get(id).filter(|task| wants.are_tagged(task)) {
                    best = Some((*rank, task));
                    break;
                }
            }
        }
        best.map(|(_, task)| task)
    }

    /// The open tasks that only a human can move, as far as this one could.
    pub fn open_for_humans<'a>(&'a self, wants: &'a Wants) -> impl Iterator<Item = &'a Task> {
        let groups = self.ready.groups.iter();
        let fitting = groups.filter(|(needs, _)| needs.human && wants.meet(needs));
        fitting
            .flat_map(|(_, group)| group.values())
            .filter_map(|id| self.tasks.get(id))
            .map(|t| &**t)
    }

    /// How many tasks could be claimed now.
    pub fn open_tasks(&self) -> usize {
        self.ready.len()
    }
}
