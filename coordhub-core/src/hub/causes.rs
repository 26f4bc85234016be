//! Which event of a decision follows from which: for the audit. What a caller asked for follows from the
//! call; what that brought with it follows from what was asked for.

use std::collections::BTreeMap;

use crate::event::{Event, ReleaseReason, ReservationEnd};

/// For each event of one decision, the place of the one that it follows from. That may stand behind it:
/// what somebody holds is freed before it is removed.
pub fn causes(events: &[Event]) -> Vec<Option<usize>> {
    let find = |is: fn(&Event) -> bool| events.iter().position(is);
    let removal = find(|event| matches!(event, Event::EntityRemoved(_)));
    let registration = find(|event| matches!(event, Event::EntityRegistered(_)));
    let vote = find(|event| matches!(event, Event::VoteCast(_)));
    let completion = find(|event| matches!(event, Event::TaskCompleted(_)));
    // Where each task ended or was given back: what depends on it fell with it, or went on to another.
    let mut ended = BTreeMap::new();
    let mut causes = Vec::with_capacity(events.len());
    for (nth, event) in events.iter().enumerate() {
        let before = nth.checked_sub(1);
        causes.push(match event {
            Event::TaskFailed(e) => {
                ended.insert(&e.task_id, nth);
                None
            }
            Event::TaskCancelled(e) => {
                ended.insert(&e.task_id, nth);
                e.blocker.as_ref().and_then(|blocker| ended.get(blocker).copied())
            }
            Event::TaskReleased(e) => {
                ended.insert(&e.task_id, nth);
                removal.filter(|_| e.reason == ReleaseReason::HolderRemoved)
            }
            Event::TaskClaimed(e) => ended.get(&e.task_id).copied(),
            Event::TaskReady(_) => completion,
            Event::ReservationReleased(e) => {
                removal.filter(|_| e.reason == ReservationEnd::HolderRemoved)
            }
            Event::ReservationAcquired(_) => before.filter(|before| {
                matches!(&events[*before], Event::ReservationReleased(e)
                    if e.reason == ReservationEnd::HandedOver)
            }),
            Event::RollCallOpened(_) => before,
            Event::ProposalDecided(_) => vote.or(removal),
            Event::TokenRevoked(_) => removal,
            Event::TokenIssued(_) => registration,
            _ => None,
        });
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{FailCause, TaskCancelled, TaskCompleted, TaskFailed, TaskReady},
        ids::{EntityId, TaskId},
        model::TaskStatus,
    };

    fn id(text: &str) -> TaskId {
        TaskId::parse(text).expect("an id")
    }

    fn cancelled(task: &str, blocker: &str) -> Event {
        Event::TaskCancelled(TaskCancelled {
            task_id: id(task),
            title: String::new(),
            created_by: None,
            claimed_by: None,
            blocker: Some(id(blocker)),
        })
    }

    #[test]
    fn what_falls_with_a_task_follows_from_what_it_hung_on() {
        let failed = Event::TaskFailed(TaskFailed {
            task_id: id("root"),
            title: String::new(),
            created_by: None,
            claimed_by: None,
            reason: None,
            attempts: 1,
            cause: FailCause::Reported,
            status: TaskStatus::Failed,
            not_before: None,
        });
        let events = [failed, cancelled("a", "root"), cancelled("b", "root"), cancelled("c", "a")];
        assert_eq!(causes(&events), [None, Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn what_was_waited_for_is_the_cause_of_what_is_ready() {
        let completed = Event::TaskCompleted(TaskCompleted {
            task_id: id("first"),
            title: String::new(),
            created_by: None,
            claimed_by: EntityId::system(),
            result: None,
        });
        let ready = |task: &str| {
            let (title, created_by) = (String::new(), None);
            Event::TaskReady(TaskReady { task_id: id(task), title, created_by })
        };
        assert_eq!(causes(&[completed, ready("a"), ready("b")]), [None, Some(0), Some(0)]);
        // Its time has come, and that is all.
        assert_eq!(causes(&[ready("a")]), [None]);
    }
}
