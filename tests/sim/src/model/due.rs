//! What time alone decides.

use coordhub_core::{
    JsonText, Timestamp,
    ids::{MessageId, ProposalId, TaskId},
    model::{ProposalStatus, TaskStatus},
};

use super::{Feed, Mismatch, Model};

/// After a start no lease lapses before this, or its own length.
const GRACE_SECONDS: u32 = 60;

/// Something that is due at an instant; the first is decided first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Lapse(TaskId),
    Opening(TaskId),
    Question(TaskId),
    RollCall(MessageId),
    Proposal(ProposalId),
}

impl Model {
    /// Moves time on, and decides all that is due by then, in the order in which it fell due.
    pub fn advance(&mut self, now: Timestamp, feed: &mut Feed<'_>) -> Result<(), Mismatch> {
        self.now = now;
        while let Some((_, due)) = self.first_due().filter(|(at, _)| *at <= now) {
            self.decide_due(&due);
            self.serve_waiters();
        }
        self.settle(feed).map(|_| ())
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.first_due().map(|(at, _)| at)
    }

    fn first_due(&self) -> Option<(Timestamp, Due)> {
        let tasks = self.tasks.values().flat_map(|task| {
            let lapse = task.lease.map(|(_, end)| (end, Due::Lapse(task.id.clone())));
            let opening = task
                .not_before
                .filter(|_| task.status == TaskStatus::Scheduled)
                .map(|at| (at, Due::Opening(task.id.clone())));
            let asked = task.question.as_ref().filter(|_| Self::is_asked(task));
            let question = asked
                .and_then(|question| question.deadline)
                .map(|at| (at, Due::Question(task.id.clone())));
            [lapse, opening, question].into_iter().flatten()
        });
        let roll_calls = self.messages.values().filter_map(|message| {
            let deadline = self.due_roll_call(message)?;
            Some((deadline, Due::RollCall(message.id.clone())))
        });
        let proposals = self
            .proposals
            .values()
            .filter(|proposal| proposal.status == ProposalStatus::Open)
            .map(|proposal| (proposal.deadline, Due::Proposal(proposal.id.clone())));
        tasks.chain(roll_calls).chain(proposals).min()
    }

    fn decide_due(&mut self, due: &Due) {
        match due {
            Due::Lapse(id) => self.lapse(id),
            Due::Opening(id) => {
                self.task_mut(id).status = TaskStatus::Open;
                self.tell("task_ready", id.as_str());
            }
            Due::Question(id) => self.question_ends(id),
            Due::RollCall(id) => self.roll_call_is_overdue(id),
            Due::Proposal(id) => self.deadline_comes(id),
        }
    }

    fn lapse(&mut self, id: &TaskId) {
        let task = self.task_mut(id);
        task.lease = None;
        task.lapsed = true;
        task.attempts += 1;
        if task.max_attempts.is_some_and(|max| task.attempts >= max) {
            task.status = TaskStatus::Failed;
            self.tell("task_failed", id.as_str());
            return self.blocker_failed(id);
        }
        task.status = TaskStatus::Open;
        task.claimed_by = None;
        task.claimed_at = None;
        self.tell("task_released", id.as_str());
    }

    /// The default is taken for the answer; without one nobody answered.
    fn question_ends(&mut self, id: &TaskId) {
        let default = self.tasks[id].question.as_ref().and_then(|q| q.default.clone());
        let Some(answer) = default else {
            let task = self.task_mut(id);
            task.status = TaskStatus::Failed;
            task.lease = None;
            // The time for an answer is over, and with it that of a claim that lapsed before.
            task.lapsed = false;
            self.tell("task_failed", id.as_str());
            return self.blocker_failed(id);
        };
        self.complete_now(id, None, Some(JsonText::string(&answer)));
    }

    /// Gives every lease more time: nobody could work while the clock jumped.
    pub fn clock_jumped(&mut self, by_millis: i64, feed: &mut Feed<'_>) -> Result<(), Mismatch> {
        self.move_leases(feed, |_, end| end.plus_millis(by_millis))
    }

    /// Gives holders time to come back after a start.
    pub fn started(&mut self, now: Timestamp, feed: &mut Feed<'_>) -> Result<(), Mismatch> {
        self.now = now;
        self.move_leases(feed, |length, end| {
            let grace = i64::from(length.min(GRACE_SECONDS)) * 1_000;
            end.max(now.plus_millis(grace))
        })
    }

    fn move_leases(
        &mut self,
        feed: &mut Feed<'_>,
        to: impl Fn(u32, Timestamp) -> Timestamp,
    ) -> Result<(), Mismatch> {
        let mut moved = false;
        for (length, end) in self.tasks.values_mut().filter_map(|task| task.lease.as_mut()) {
            let later = to(*length, *end);
            moved |= later != *end;
            *end = later;
        }
        if moved {
            self.tell("leases_moved", "");
        }
        self.settle(feed).map(|_| ())
    }
}
