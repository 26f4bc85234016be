//! Proposals: made, joined, voted on, decided.

use std::collections::{BTreeMap, BTreeSet};

use coordhub_core::{
    Timestamp,
    command::{CastVote, Closing, CreateProposal, Deadline, Elector},
    event::Event,
    ids::{EntityId, ProposalId, Seq},
    model::{Choice, EntityType, ProposalStatus, Threshold},
};

use super::{Answer, Feed, Model, Refused, Told, Who};

/// A proposal.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct Proposal {
    pub id: ProposalId,
    pub title: String,
    pub proposed_by: Option<EntityId>,
    pub status: ProposalStatus,
    pub threshold: Threshold,
    /// As it was named; otherwise more than half of those who may vote.
    pub named_quorum: Option<u64>,
    pub deadline: Timestamp,
    pub requires_human: bool,
    pub early_close: bool,
    pub votes: BTreeMap<EntityId, Vote>,
    pub electorate: BTreeSet<EntityId>,
    /// Those of the electorate who are human, as they were when they came in.
    pub humans: BTreeSet<EntityId>,
    /// Whether newcomers join.
    pub is_open_to_newcomers: bool,
    /// Who was removed meanwhile.
    pub departed: BTreeSet<EntityId>,
    pub created_at: Timestamp,
    pub created_seq: Seq,
    pub decided_at: Option<Timestamp>,
    pub forced: bool,
}

/// A vote.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the contract")]
pub struct Vote {
    pub choice: Choice,
    pub comment: Option<String>,
    pub at: Timestamp,
    pub by_human: bool,
}

impl Proposal {
    /// Whether somebody may vote and has not.
    pub fn awaits(&self, id: &EntityId) -> bool {
        self.status == ProposalStatus::Open
            && self.electorate.contains(id)
            && !self.departed.contains(id)
            && !self.votes.contains_key(id)
    }
}

impl Model {
    pub(super) fn propose(
        &mut self,
        who: Who<'_>,
        command: &CreateProposal,
        feed: &Feed<'_>,
    ) -> Answer {
        let id = command.proposal_id.clone().or_else(|| feed.proposal_id());
        let id = id.unwrap_or_else(|| ProposalId::parse("prop-not-in-the-log").expect("an id"));
        let electorate = match &command.electorate {
            Some(named) => self.named_electorate(named),
            None => Ok(self.default_electorate(feed)),
        };
        let mut refused = Refused::default();
        let electorate = electorate.unwrap_or_else(|why| {
            refused.join(why);
            BTreeSet::new()
        });
        let humans: BTreeSet<EntityId> =
            electorate.iter().filter(|id| self.is_human(Some(id))).cloned().collect();
        let named = command.electorate.is_some();
        refused.add(named && electorate.is_empty(), 422, "invalid_field");
        let no_human = named && command.requires_human && humans.is_empty();
        refused.add(no_human, 422, "invalid_field");
        let eligible = electorate.len() as u64;
        // Where nobody is there yet whoever comes first may do.
        let most = eligible.max(1);
        let bad_quorum = command.quorum.is_some_and(|quorum| quorum < 1 || quorum > most);
        // Where it is open who was seen, it is open whether the quorum is too large.
        let is_vague = !named && !self.vague.is_empty() && feed.refused == Some(true);
        if bad_quorum && is_vague && self.proposals.contains_key(&id) {
            return Err(Refused::either(&[(422, "invalid_field"), (409, "proposal_exists")]));
        }
        refused.add(bad_quorum, 422, "invalid_field");
        refused.add(command.title.trim().is_empty(), 422, "invalid_field");
        let deadline = match command.deadline {
            Deadline::At(at) => at,
            Deadline::AfterMillis(millis) => self.now.plus_millis(millis),
        };
        refused.add(deadline <= self.now, 422, "invalid_field");
        refused.add(self.proposals.contains_key(&id), 409, "proposal_exists");
        refused.check()?;
        let proposal = Proposal {
            id: id.clone(),
            title: command.title.clone(),
            proposed_by: who.id.cloned(),
            status: ProposalStatus::Open,
            threshold: command.threshold,
            named_quorum: command.quorum,
            deadline,
            requires_human: command.requires_human,
            early_close: command.closing == Closing::Early,
            votes: BTreeMap::new(),
            electorate,
            humans,
            is_open_to_newcomers: !named,
            departed: BTreeSet::new(),
            created_at: self.now,
            created_seq: 0,
            decided_at: None,
            forced: false,
        };
        self.proposals.insert(id.clone(), proposal);
        self.tell("proposal_created", id.as_str());
        Ok(Told::Proposal(id, false))
    }

    fn named_electorate(&self, named: &[Elector]) -> Result<BTreeSet<EntityId>, Refused> {
        let mut electorate = BTreeSet::new();
        for elector in named {
            match elector {
                Elector::Entity(id) if self.entities.contains_key(id) => {
                    electorate.insert(id.clone());
                }
                Elector::Entity(_) => return Err(Refused::one(422, "invalid_field")),
                Elector::Type(kind) => electorate.extend(self.registered(*kind)),
            }
        }
        Ok(electorate)
    }

    fn registered(&self, kind: EntityType) -> impl Iterator<Item = EntityId> {
        let of = self.entities.iter().filter(move |(_, entity)| entity.entity_type == kind);
        of.map(|(id, _)| id.clone())
    }

    /// AIs and humans seen within a day. Of those of whom a kill has left that open, the hub says.
    fn default_electorate(&self, feed: &Feed<'_>) -> BTreeSet<EntityId> {
        let hubs = feed.upcoming.iter().find_map(|stamped| match &stamped.event {
            Event::ProposalCreated(created) => Some(&created.proposal.electorate),
            _ => None,
        });
        let votes = self.entities.iter().filter(|(_, e)| e.entity_type != EntityType::Service);
        votes
            .filter(|(id, _)| {
                let open = || hubs.is_some_and(|electorate| electorate.contains(*id));
                self.was_seen(id).unwrap_or_else(open)
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Those who register join what is open to newcomers: anybody who votes before the first vote, a
    /// human at any time; not who was removed while it was open.
    pub(super) fn join_proposals(&mut self, id: &EntityId) {
        let kind = self.type_of(Some(id));
        let is_human = kind == Some(EntityType::Human);
        let votes = is_human || kind.is_some_and(EntityType::is_ai);
        for proposal in self.proposals.values_mut() {
            let joins = proposal.status == ProposalStatus::Open
                && proposal.is_open_to_newcomers
                && votes
                && (is_human || proposal.votes.is_empty())
                && !proposal.departed.contains(id);
            if joins {
                proposal.electorate.insert(id.clone());
                if is_human {
                    proposal.humans.insert(id.clone());
                }
            }
        }
    }

    /// Who is removed and has not voted may vote no more; a vote that was cast stands.
    pub(super) fn leave_proposals(&mut self, id: &EntityId) {
        let mut touched = Vec::new();
        for proposal in self.proposals.values_mut() {
            if proposal.status != ProposalStatus::Open {
                continue;
            }
            proposal.departed.insert(id.clone());
            if !proposal.electorate.contains(id) {
                continue;
            }
            if !proposal.votes.contains_key(id) {
                proposal.electorate.remove(id);
                proposal.humans.remove(id);
            }
            touched.push(proposal.id.clone());
        }
        for id in touched {
            self.decide_if_certain(&id);
        }
    }

    pub(super) fn find_proposal(&self, id: &ProposalId) -> Result<&Proposal, Refused> {
        self.proposals.get(id).ok_or(Refused::one(404, "unknown_proposal"))
    }

    pub(super) fn vote(&mut self, who: Who<'_>, command: &CastVote) -> Answer {
        let proposal = self.find_proposal(&command.proposal_id)?;
        let mut refused = Refused::default();
        let Some(id) = who.id else { return Err(Refused::one(403, "caller_needed")) };
        let may = proposal.electorate.contains(id)
            && self.entities.contains_key(id)
            && !proposal.departed.contains(id);
        refused.add(!may, 403, "not_in_electorate");
        refused.add(proposal.status != ProposalStatus::Open, 409, "proposal_closed");
        refused.check()?;
        let (now, by_human) = (self.now, self.is_human(who.id));
        let proposal = self.proposals.get_mut(&command.proposal_id).expect("it was found");
        let same = proposal
            .votes
            .get(id)
            .is_some_and(|vote| vote.choice == command.vote && vote.comment == command.comment);
        if same {
            return Ok(Told::Proposal(command.proposal_id.clone(), true));
        }
        let vote =
            Vote { choice: command.vote, comment: command.comment.clone(), at: now, by_human };
        proposal.votes.insert(id.clone(), vote);
        self.tell("vote_cast", command.proposal_id.as_str());
        self.decide_if_certain(&command.proposal_id);
        Ok(Told::Proposal(command.proposal_id.clone(), false))
    }

    /// Decides early where that is wanted and nothing can change the outcome.
    fn decide_if_certain(&mut self, id: &ProposalId) {
        let proposal = &self.proposals[id];
        let certain = proposal.certain().filter(|_| proposal.early_close);
        if let Some(status) = certain {
            self.decide_proposal(id, status, false);
        }
    }

    fn decide_proposal(&mut self, id: &ProposalId, status: ProposalStatus, forced: bool) {
        let now = self.now;
        let proposal = self.proposals.get_mut(id).expect("it is there");
        proposal.status = status;
        proposal.decided_at = Some(now);
        proposal.forced = forced;
        self.tell("proposal_decided", id.as_str());
    }

    pub(super) fn deadline_comes(&mut self, id: &ProposalId) {
        let status = self.proposals[id].at_deadline();
        self.decide_proposal(id, status, false);
    }

    pub(super) fn close_proposal(&mut self, who: Who<'_>, id: &ProposalId) -> Answer {
        let proposal = self.find_proposal(id)?;
        let mut refused = Refused::default();
        refused.add(proposal.status != ProposalStatus::Open, 409, "proposal_closed");
        let certain = proposal.certain();
        let undecided = certain.is_none() && !who.is_admin;
        refused.add(undecided, 409, "not_decided_yet");
        refused.check()?;
        let status = certain.unwrap_or_else(|| proposal.at_deadline());
        self.decide_proposal(id, status, certain.is_none());
        Ok(Told::Proposal(id.clone(), false))
    }

    pub(super) fn withdraw(&mut self, who: Who<'_>, id: &ProposalId) -> Answer {
        let proposal = self.find_proposal(id)?;
        let mut refused = Refused::default();
        let owner = proposal.proposed_by.as_ref();
        let may = who.is_admin || owner.is_none() || owner == who.id;
        refused.add(!may, 403, "not_allowed");
        refused.add(who.id.is_none(), 403, "caller_needed");
        refused.add(proposal.status != ProposalStatus::Open, 409, "proposal_closed");
        refused.check()?;
        let now = self.now;
        let proposal = self.proposals.get_mut(id).expect("it was found");
        proposal.status = ProposalStatus::Withdrawn;
        proposal.decided_at = Some(now);
        self.tell("proposal_withdrawn", id.as_str());
        Ok(Told::Proposal(id.clone(), false))
    }
}
