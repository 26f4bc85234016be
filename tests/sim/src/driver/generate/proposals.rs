//! Commands about proposals.

use coordhub_core::{
    command::{CastVote, Closing, Command, CreateProposal, Deadline, Elector},
    ids::ProposalId,
    model::{Choice, EntityType, ProposalStatus, Threshold},
};

use super::Generator;

const THRESHOLDS: [&str; 7] = ["0.75", "0.75", "0.5", "0.666666", "0", "1", "0.333333"];

impl Generator<'_> {
    pub(super) fn proposal_command(&mut self) -> Command {
        let few = self.model.proposals.len() < 2;
        let n = self.rng.below(100);
        if n < 22 || few {
            return Command::CreateProposal(self.propose());
        }
        let proposal_id = self.a_proposal();
        match n {
            22..=86 => Command::CastVote(CastVote {
                proposal_id,
                vote: *self.rng.pick(&[Choice::For, Choice::For, Choice::Against, Choice::Abstain]),
                comment: self.rng.percent(20).then(|| format!("because {}", self.rng.below(3))),
            }),
            87..=94 => Command::CloseProposal(proposal_id),
            _ => Command::WithdrawProposal(proposal_id),
        }
    }

    fn propose(&mut self) -> CreateProposal {
        let id = self.rng.percent(60).then(|| format!("p{}", self.rng.below(10)));
        CreateProposal {
            proposal_id: id.map(|id| ProposalId::parse(&id).expect("an id")),
            title: format!("proposal {}", self.label),
            description: String::new(),
            threshold: Threshold::parse(self.rng.word(&THRESHOLDS)).expect("a threshold"),
            quorum: self.rng.percent(30).then(|| self.rng.below(6) as u64),
            deadline: match self.rng.below(4) {
                0 => Deadline::At(self.model.now.plus_millis(self.span() - 500)),
                1 => Deadline::AfterMillis(self.span()),
                _ => Deadline::DEFAULT,
            },
            electorate: self.rng.percent(40).then(|| self.electorate()),
            requires_human: self.rng.percent(25),
            closing: if self.rng.percent(75) { Closing::Early } else { Closing::AtDeadline },
        }
    }

    fn electorate(&mut self) -> Vec<Elector> {
        let count = self.rng.below(5);
        let mut electors: Vec<Elector> = (0..count).map(|_| self.an_elector()).collect();
        if self.rng.percent(30) {
            electors.push(Elector::Type(*self.rng.pick(EntityType::ALL)));
        }
        electors
    }

    fn an_elector(&mut self) -> Elector {
        let known: Vec<_> = self.model.entities.keys().cloned().collect();
        if known.is_empty() || self.rng.percent(3) {
            return Elector::Entity(self.somebody());
        }
        Elector::Entity(self.rng.pick(&known).clone())
    }

    fn a_proposal(&mut self) -> ProposalId {
        let all = self.model.proposals.values();
        let open: Vec<_> =
            all.clone().filter(|proposal| proposal.status == ProposalStatus::Open).collect();
        let all: Vec<_> =
            if open.is_empty() || self.rng.percent(10) { all.collect() } else { open };
        if all.is_empty() || self.rng.percent(3) {
            return ProposalId::parse("no-such-proposal").expect("an id");
        }
        self.rng.pick(&all).id.clone()
    }
}
