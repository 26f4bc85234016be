//! How votes are counted: whole numbers, as the contract says it in words.

use coordhub_core::model::{Choice, ProposalStatus};

use super::Proposal;

/// One whole, in which a threshold is counted.
const WHOLE: u128 = 1_000_000;

impl Proposal {
    /// How many chose so.
    pub fn count(&self, choice: Choice) -> u64 {
        self.votes.values().filter(|vote| vote.choice == choice).count() as u64
    }

    /// How many must vote.
    pub fn quorum(&self) -> u64 {
        self.named_quorum.unwrap_or(self.electorate.len() as u64 / 2 + 1)
    }

    fn meets_quorum(&self, cast: u64) -> bool {
        cast >= self.quorum()
    }

    /// Whether the share of *for* exceeds the threshold; one whole means all of them.
    fn passes(&self, r#for: u64, against: u64) -> bool {
        let threshold = u128::from(self.threshold.millionths());
        let all = u128::from(r#for) + u128::from(against);
        if all == 0 {
            return false;
        }
        let share = u128::from(r#for) * WHOLE;
        share > threshold * all || (threshold == WHOLE && against == 0)
    }

    fn has_human_for(&self) -> bool {
        self.votes.values().any(|vote| vote.by_human && vote.choice == Choice::For)
    }

    /// The outcome, where no vote still out could change it.
    pub(super) fn certain(&self) -> Option<ProposalStatus> {
        let (r#for, against) = (self.count(Choice::For), self.count(Choice::Against));
        let cast = self.votes.len() as u64;
        let out = self.electorate.iter().filter(|id| !self.votes.contains_key(*id));
        let humans_out = out.clone().filter(|id| self.humans.contains(*id)).count();
        let out = out.count() as u64;
        let human_is_for = !self.requires_human || self.has_human_for();
        if self.meets_quorum(cast) && human_is_for && self.passes(r#for, against + out) {
            return Some(ProposalStatus::Approved);
        }
        // At best all that are out are for it.
        let could_pass = self.passes(r#for + out, against)
            && self.meets_quorum(cast + out)
            && (human_is_for || humans_out > 0);
        (!could_pass).then_some(ProposalStatus::Rejected)
    }

    /// The outcome at the deadline.
    pub(super) fn at_deadline(&self) -> ProposalStatus {
        let (r#for, against) = (self.count(Choice::For), self.count(Choice::Against));
        if !self.meets_quorum(self.votes.len() as u64) {
            return ProposalStatus::Expired;
        }
        let human_is_for = !self.requires_human || self.has_human_for();
        if human_is_for && self.passes(r#for, against) {
            ProposalStatus::Approved
        } else {
            ProposalStatus::Rejected
        }
    }
}
