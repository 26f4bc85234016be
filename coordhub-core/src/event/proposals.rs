//! Events about proposals.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntityId, ProposalId},
    model::{Proposal, ProposalStatus, Tally, Vote},
};

/// See [`Event::ProposalCreated`](super::Event::ProposalCreated).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalCreated {
    /// The proposal as it began.
    pub proposal: Proposal,
    /// Whether newcomers join its electorate.
    pub open_electorate: bool,
    /// Whether its quorum follows the number of those who may vote.
    pub default_quorum: bool,
    /// The humans in its electorate.
    pub human_electors: Vec<EntityId>,
}

/// See [`Event::VoteCast`](super::Event::VoteCast).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct VoteCast {
    /// On which proposal.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// The vote.
    pub vote: Vote,
    /// Whether a human cast it.
    pub by_human: bool,
    /// How the votes stand with it.
    pub tally: Tally,
}

/// See [`Event::ProposalDecided`](super::Event::ProposalDecided).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalDecided {
    /// Which.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// Its proposer.
    pub proposed_by: Option<EntityId>,
    /// `approved`, `rejected` or `expired`.
    pub status: ProposalStatus,
    /// How the votes stood.
    pub tally: Tally,
    /// Whether an admin decided it against the rule.
    pub forced: bool,
}

/// See [`Event::ProposalWithdrawn`](super::Event::ProposalWithdrawn).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProposalWithdrawn {
    /// Which.
    pub proposal_id: ProposalId,
    /// Its title.
    pub title: String,
    /// Its proposer.
    pub proposed_by: Option<EntityId>,
}
