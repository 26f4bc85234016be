//! Deciding about proposals, and the rule by which votes become an outcome.

use std::{collections::BTreeSet, sync::Arc};

use super::{Answer, Decision, Desk, Rejection, policy};
use crate::{
    command::{CastVote, Closing, CreateProposal, Deadline, Elector, Role},
    event::{Event, ProposalCreated, ProposalDecided, ProposalWithdrawn, VoteCast},
    ids::{EntityId, ProposalId},
    model::{Choice, Entity, EntityType, Proposal, ProposalStatus, Tally, Vote},
    time::Timestamp,
};

/// How lately somebody must have been seen to be in an electorate that nobody named.
const ELECTORATE_SEEN_WITHIN_MILLIS: i64 = 24 * 60 * 60 * 1_000;

impl<'a> Desk<'a> {
    pub(super) fn create_proposal(&self, command: &CreateProposal) -> Result<Decision, Rejection> {
        self.check_title("title", &command.title)?;
        self.check_text("description", &command.description)?;
        let deadline = self.deadline(command.deadline)?;
        let electorate = self.electorate(command)?;
        let eligible = electorate.len() as u64;
        if let Some(quorum) = command.quorum
            && !(1..=eligible.max(1)).contains(&quorum)
        {
            let detail = format!("quorum must be from 1 to the {eligible} that may vote");
            return Err(Rejection::invalid("quorum", detail));
        }
        let proposal_id = match &command.proposal_id {
            Some(id) if self.known.proposal(self.state, id).is_some() => {
                return Err(Rejection::ProposalExists(id.clone()));
            }
            Some(id) => id.clone(),
            None => ProposalId::trusted(&self.fresh_id("prop", 0)),
        };
        let human_electors = electorate.iter().filter(|id| self.is_human(id)).cloned().collect();
        let proposal = Proposal {
            proposal_id: proposal_id.clone(),
            title: command.title.clone(),
            description: command.description.clone(),
            proposed_by: self.envelope.caller.id.clone(),
            status: ProposalStatus::Open,
            threshold: command.threshold,
            quorum: command.quorum.unwrap_or(majority(eligible)),
            deadline,
            requires_human: command.requires_human,
            early_close: command.closing == Closing::Early,
            tally: Tally { eligible, ..Tally::default() },
            votes: Vec::new(),
            electorate,
            created_at: self.now,
            decided_at: None,
            forced: false,
            created_seq: 0,
            open_electorate: false,
            default_quorum: false,
            human_electors: BTreeSet::new(),
            departed: BTreeSet::new(),
        };
        let event = ProposalCreated {
            proposal,
            open_electorate: command.electorate.is_none(),
            default_quorum: command.quorum.is_none(),
            human_electors,
        };
        Ok(Decision::new(
            Event::ProposalCreated(event),
            Answer::Proposal { proposal_id, already: false },
        ))
    }

    fn deadline(&self, asked: Deadline) -> Result<Timestamp, Rejection> {
        match asked {
            Deadline::AfterMillis(millis) => Ok(self.now.plus_millis(millis)),
            Deadline::At(at) if at > self.now => Ok(at),
            Deadline::At(at) => {
                let detail =
                    format!("the deadline {at} is past; by the hub's clock it is {}", self.now);
                Err(Rejection::invalid("deadline", detail))
            }
        }
    }

    /// Who may vote: frozen now, so that ghosts and late arrivals cannot swing it.
    fn electorate(&self, command: &CreateProposal) -> Result<BTreeSet<EntityId>, Rejection> {
        let Some(named) = &command.electorate else {
            let since = self.now.plus_millis(-ELECTORATE_SEEN_WITHIN_MILLIS);
            // Whoever registered in the batch that is being decided is seen by nobody yet.
            let about = |entity: &Entity| {
                let seen = self.known.soft.last_seen(&entity.entity_id);
                seen.unwrap_or_default().max(entity.registered_at) >= since
            };
            return Ok(self.registered(|kind| kind.is_ai() || kind == EntityType::Human, about));
        };
        let most = self.state.limits().electorate_max;
        if named.len() > most {
            let detail =
                format!("electorate has {} entries; at most {most} are taken", named.len());
            return Err(Rejection::invalid("electorate", detail));
        }
        let mut electorate = BTreeSet::new();
        let mut types = BTreeSet::new();
        for elector in named {
            match elector {
                Elector::Type(wanted) => {
                    types.insert(*wanted);
                }
                Elector::Entity(id) if self.state.entity(id).is_some() => {
                    electorate.insert(id.clone());
                }
                Elector::Entity(id) => {
                    let detail = format!("electorate names {id:?}, who is not registered");
                    return Err(Rejection::invalid("electorate", detail));
                }
            }
        }
        electorate.extend(self.registered(|kind| types.contains(&kind), |_| true));
        if electorate.is_empty() {
            let detail =
                "electorate is empty: nobody could vote; name ids or types of registered entities";
            return Err(Rejection::invalid("electorate", detail));
        }
        if command.requires_human && !electorate.iter().any(|id| self.is_human(id)) {
            let detail =
                "requires_human is set and electorate has no human: it could never be approved";
            return Err(Rejection::invalid("electorate", detail));
        }
        Ok(electorate)
    }

    fn registered(
        &self,
        kind: impl Fn(EntityType) -> bool,
        also: impl Fn(&Entity) -> bool,
    ) -> BTreeSet<EntityId> {
        self.state
            .entities()
            .map(|(_, entity)| entity)
            .filter(|entity| kind(entity.entity_type) && also(entity))
            .map(|entity| entity.entity_id.clone())
            .collect()
    }

    fn is_human(&self, id: &EntityId) -> bool {
        policy::standing(self.state, Some(id)).is_human()
    }

    pub(super) fn cast_vote(&self, command: &CastVote) -> Result<Decision, Rejection> {
        if let Some(comment) = &command.comment {
            self.check_text("comment", comment)?;
        }
        let proposal = self.proposal(&command.proposal_id)?;
        let voter = self.caller()?;
        let registered = self.state.entity(voter).is_some();
        let has_vote = proposal.electorate.contains(voter) && !proposal.departed.contains(voter);
        if !registered || !has_vote {
            return Err(Rejection::NotInElectorate {
                proposal_id: proposal.proposal_id.clone(),
                entity_id: voter.clone(),
            });
        }
        check_open(proposal)?;
        let (proposal_id, already) = (proposal.proposal_id.clone(), false);
        let answer = Answer::Proposal { proposal_id, already };
        let same = |vote: &&Vote| vote.vote == command.vote && vote.comment == command.comment;
        if vote_of(proposal, voter).filter(same).is_some() {
            let proposal_id = proposal.proposal_id.clone();
            return Ok(Decision::nothing(Answer::Proposal { proposal_id, already: true }));
        }
        let by_human = self.is_human(voter);
        let vote = Vote {
            entity_id: voter.clone(),
            vote: command.vote,
            comment: command.comment.clone(),
            at: self.now,
            by_human,
        };
        let mut after = proposal.as_ref().clone();
        cast(&mut after, vote.clone(), by_human);
        let mut events = vec![Event::VoteCast(VoteCast {
            proposal_id: proposal.proposal_id.clone(),
            title: proposal.title.clone(),
            vote,
            by_human,
            tally: after.tally,
        })];
        events.extend(decided_early(&after));
        Ok(Decision::of(events, answer))
    }

    pub(super) fn close_proposal(&self, id: &ProposalId) -> Result<Decision, Rejection> {
        let proposal = self.proposal(id)?;
        check_open(proposal)?;
        let answer = Answer::Proposal { proposal_id: id.clone(), already: false };
        if let Some(status) = certain_outcome(proposal) {
            return Ok(Decision::new(decided(proposal, status, Force::ByRule), answer));
        }
        if self.envelope.caller.role != Role::Admin {
            return Err(Rejection::NotDecidedYet(id.clone()));
        }
        let status = final_outcome(proposal);
        Ok(Decision::new(decided(proposal, status, Force::ByAdmin), answer))
    }

    pub(super) fn withdraw_proposal(&self, id: &ProposalId) -> Result<Decision, Rejection> {
        let proposal = self.proposal(id)?;
        let caller = self.caller()?;
        let owner = proposal.proposed_by.as_ref();
        let own = owner.is_none_or(|owner| owner == caller);
        if !own && self.envelope.caller.role != Role::Admin {
            let detail = format!("proposal {id:?} may be withdrawn by its proposer only");
            return Err(Rejection::NotAllowed(detail));
        }
        check_open(proposal)?;
        let event = ProposalWithdrawn {
            proposal_id: id.clone(),
            title: proposal.title.clone(),
            proposed_by: proposal.proposed_by.clone(),
        };
        let answer = Answer::Proposal { proposal_id: id.clone(), already: false };
        Ok(Decision::new(Event::ProposalWithdrawn(event), answer))
    }

    fn proposal(&self, id: &ProposalId) -> Result<&'a Arc<Proposal>, Rejection> {
        let found = self.known.proposal(self.state, id);
        found.ok_or_else(|| Rejection::UnknownProposal(id.clone()))
    }
}

fn check_open(proposal: &Proposal) -> Result<(), Rejection> {
    if proposal.status == ProposalStatus::Open {
        return Ok(());
    }
    let (proposal_id, status) = (proposal.proposal_id.clone(), proposal.status);
    Err(Rejection::ProposalClosed { proposal_id, status })
}

// How votes, arrivals and departures change a proposal: the same code when it is decided and when
// the event is made true.

/// Counts a vote, in place of the caster's earlier one.
pub(super) fn cast(proposal: &mut Proposal, vote: Vote, by_human: bool) {
    let vote = Vote { by_human, ..vote };
    match proposal.votes.binary_search_by(|other| other.entity_id.cmp(&vote.entity_id)) {
        Ok(at) => proposal.votes[at] = vote,
        Err(at) => proposal.votes.insert(at, vote),
    }
    recount(proposal);
}

/// Takes a newcomer into the electorate.
pub(super) fn join(proposal: &mut Proposal, id: &EntityId, kind: EntityType) {
    proposal.electorate.insert(id.clone());
    if kind == EntityType::Human {
        proposal.human_electors.insert(id.clone());
    }
    recount(proposal);
}

/// Takes a removed entity out. A vote it has cast stands.
pub(super) fn depart(proposal: &mut Proposal, id: &EntityId) {
    // Who could never have joined need not be remembered.
    if !proposal.open_electorate && !proposal.electorate.contains(id) {
        return;
    }
    proposal.departed.insert(id.clone());
    if !has_voted(proposal, id) {
        proposal.electorate.remove(id);
        proposal.human_electors.remove(id);
    }
    recount(proposal);
}

/// Whether a newcomer of this type joins: before the first vote every AI and human, a human always.
pub(super) fn admits(proposal: &Proposal, id: &EntityId, kind: EntityType) -> bool {
    proposal.status == ProposalStatus::Open
        && proposal.open_electorate
        && !proposal.departed.contains(id)
        && (kind == EntityType::Human || (kind.is_ai() && proposal.votes.is_empty()))
}

fn recount(proposal: &mut Proposal) {
    let count = |choice| proposal.votes.iter().filter(|v| v.vote == choice).count() as u64;
    proposal.tally = Tally {
        r#for: count(Choice::For),
        against: count(Choice::Against),
        abstain: count(Choice::Abstain),
        eligible: proposal.electorate.len() as u64,
    };
    if proposal.default_quorum {
        proposal.quorum = majority(proposal.tally.eligible);
    }
}

fn vote_of<'p>(proposal: &'p Proposal, id: &EntityId) -> Option<&'p Vote> {
    let at = proposal.votes.binary_search_by(|vote| vote.entity_id.cmp(id)).ok()?;
    proposal.votes.get(at)
}

fn has_voted(proposal: &Proposal, id: &EntityId) -> bool {
    vote_of(proposal, id).is_some()
}

fn majority(eligible: u64) -> u64 {
    eligible / 2 + 1
}

// The rule.

/// The outcome as the votes stand, when nobody may vote any more.
pub(super) fn final_outcome(proposal: &Proposal) -> ProposalStatus {
    let Tally { r#for, against, abstain, .. } = proposal.tally;
    if r#for + against + abstain < proposal.quorum {
        return ProposalStatus::Expired;
    }
    let human = !proposal.requires_human || has_human_for(proposal);
    if human && proposal.threshold.is_passed(r#for, against) {
        ProposalStatus::Approved
    } else {
        ProposalStatus::Rejected
    }
}

/// The outcome that no vote still out could change, where there is one.
///
/// Votes cast count as they stand; who might still join is not a vote out.
pub(super) fn certain_outcome(proposal: &Proposal) -> Option<ProposalStatus> {
    let Tally { r#for, against, abstain, eligible } = proposal.tally;
    let cast = r#for + against + abstain;
    let out = eligible.saturating_sub(cast);
    let approved_now = final_outcome(proposal) == ProposalStatus::Approved;
    if approved_now && proposal.threshold.is_passed(r#for, against + out) {
        return Some(ProposalStatus::Approved);
    }
    let human_out = proposal.human_electors.iter().any(|id| !has_voted(proposal, id));
    let can_have_human = !proposal.requires_human || has_human_for(proposal) || human_out;
    let can_pass = proposal.threshold.is_passed(r#for + out, against);
    let can_have_quorum = cast + out >= proposal.quorum;
    if can_have_human && can_pass && can_have_quorum {
        return None;
    }
    Some(ProposalStatus::Rejected)
}

/// The event that decides a proposal early, where it closes early and its outcome is certain.
pub(super) fn decided_early(proposal: &Proposal) -> Option<Event> {
    if !proposal.early_close {
        return None;
    }
    certain_outcome(proposal).map(|status| decided(proposal, status, Force::ByRule))
}

fn has_human_for(proposal: &Proposal) -> bool {
    proposal.votes.iter().any(|vote| vote.by_human && vote.vote == Choice::For)
}

/// By what a proposal is decided.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Force {
    ByRule,
    ByAdmin,
}

/// The event that decides a proposal.
pub(super) fn decided(proposal: &Proposal, status: ProposalStatus, force: Force) -> Event {
    Event::ProposalDecided(ProposalDecided {
        proposal_id: proposal.proposal_id.clone(),
        title: proposal.title.clone(),
        proposed_by: proposal.proposed_by.clone(),
        status,
        tally: proposal.tally,
        forced: force == Force::ByAdmin,
    })
}
