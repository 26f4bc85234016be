//! Tasks and proposals of the hub beside those of the model.

use coordhub_core::model::{self as hub, Choice, TaskStatus};

use crate::model::{Model, Proposal, Task};

/// In what a task differs, if in anything.
pub(super) fn task_differs(model: &Model, due: &Task, task: &hub::Task) -> Option<String> {
    let mut fields = Differences::default();
    fields.of("task_id", &due.id, &task.task_id);
    fields.of("status", &due.status, &task.status);
    fields.of("title", &due.title, &task.title);
    fields.of("description", &due.description, &task.description);
    fields.of("priority", &due.priority, &task.priority);
    fields.of("created_by", &due.created_by, &task.created_by);
    fields.of("requires_human", &due.requires_human, &task.requires_human);
    fields.of("requires_ai", &due.requires_ai, &task.requires_ai);
    fields.of("tags", &due.tags, &task.tags);
    fields.of("capabilities", &due.capabilities, &task.capabilities);
    fields.of("depends_on", &due.depends_on, &task.depends_on);
    fields.of("metadata", &due.metadata, &task.metadata);
    fields.of("result", &due.result, &task.result);
    fields.of("attempts", &due.attempts, &task.attempts);
    fields.of("max_attempts", &due.max_attempts, &task.max_attempts);
    fields.of("retry_delay_seconds", &due.retry_delay_seconds, &task.retry_delay_seconds);
    // Once its time has come it says nothing any more.
    if matches!(due.status, TaskStatus::Scheduled | TaskStatus::Blocked) {
        fields.of("not_before", &due.not_before, &task.not_before);
    }
    fields.of("lease", &due.lease.map(|(_, end)| end), &task.lease_expires_at);
    fields.of("question", &due.question, &task.question);
    fields.of("created_at", &due.created_at, &task.created_at);
    fields.of("completed_at", &due.completed_at, &task.completed_at);
    fields.of("created_seq", &due.created_seq, &task.created_seq);
    fields.of("claim_token", &due.token, &task.claim_token);
    let (mut blockers, mut blocked_by) = (model.blockers(due), task.blocked_by.clone());
    blockers.sort();
    blocked_by.sort();
    // What a task waited for that was withdrawn or failed, the contract leaves open.
    if !due.status.is_finished() {
        fields.of("blocked_by", &blockers, &blocked_by);
    }
    // Who held a task that failed, lapsed or was withdrawn, the contract leaves open.
    if matches!(due.status, TaskStatus::InProgress | TaskStatus::Completed) {
        fields.of("claimed_by", &due.claimed_by, &task.claimed_by);
    } else if !due.status.is_finished() {
        fields.of("claimed_by", &None, &task.claimed_by);
    }
    if due.status == TaskStatus::InProgress {
        fields.of("claimed_at", &due.claimed_at, &task.claimed_at);
    }
    fields.told(due.id.as_str())
}

/// In what a proposal differs, if in anything.
pub(super) fn proposal_differs(due: &Proposal, proposal: &hub::Proposal) -> Option<String> {
    let mut fields = Differences::default();
    fields.of("proposal_id", &due.id, &proposal.proposal_id);
    fields.of("title", &due.title, &proposal.title);
    fields.of("proposed_by", &due.proposed_by, &proposal.proposed_by);
    fields.of("status", &due.status, &proposal.status);
    fields.of("threshold", &due.threshold, &proposal.threshold);
    fields.of("quorum", &due.quorum(), &proposal.quorum);
    fields.of("deadline", &due.deadline, &proposal.deadline);
    fields.of("requires_human", &due.requires_human, &proposal.requires_human);
    fields.of("early_close", &due.early_close, &proposal.early_close);
    fields.of("electorate", &due.electorate, &proposal.electorate);
    fields.of("created_at", &due.created_at, &proposal.created_at);
    fields.of("created_seq", &due.created_seq, &proposal.created_seq);
    fields.of("decided_at", &due.decided_at, &proposal.decided_at);
    fields.of("forced", &due.forced, &proposal.forced);
    let tally = proposal.tally;
    fields.of("for", &due.count(Choice::For), &tally.r#for);
    fields.of("against", &due.count(Choice::Against), &tally.against);
    fields.of("abstain", &due.count(Choice::Abstain), &tally.abstain);
    fields.of("eligible", &(due.electorate.len() as u64), &tally.eligible);
    let votes: Vec<_> = due
        .votes
        .iter()
        .map(|(id, vote)| (id.clone(), vote.choice, vote.comment.clone(), vote.at))
        .collect();
    let mut hubs: Vec<_> = proposal
        .votes
        .iter()
        .map(|vote| (vote.entity_id.clone(), vote.vote, vote.comment.clone(), vote.at))
        .collect();
    hubs.sort();
    fields.of("votes", &votes, &hubs);
    fields.told(due.id.as_str())
}

/// What differs between what was due and what is.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn of<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, due: &T, is: &T) {
        if due != is {
            self.0.push(format!("{name} is {is:?} and not {due:?}"));
        }
    }

    fn told(self, of: &str) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("{of}: {}", self.0.join("; ")))
    }
}
