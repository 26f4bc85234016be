//! What can be asked about proposals.

use crate::{
    ids::{EntityId, ProposalId},
    model::{Choice, EntityType, Threshold},
    time::Timestamp,
};

/// See [`Command::CreateProposal`](super::Command::CreateProposal).
#[derive(Clone, Debug)]
pub struct CreateProposal {
    /// Under which id; the hub makes one where none is given.
    pub proposal_id: Option<ProposalId>,
    /// One line that says what is proposed.
    pub title: String,
    /// The rest.
    pub description: String,
    /// The share that must be exceeded.
    pub threshold: Threshold,
    /// How many must vote; more than half of the eligible where not given.
    pub quorum: Option<u64>,
    /// When it is decided at the latest.
    pub deadline: Deadline,
    /// Who may vote; those about where `None`.
    pub electorate: Option<Vec<Elector>>,
    /// Whether at least one human must be for it.
    pub requires_human: bool,
    /// When it may be decided before its deadline.
    pub closing: Closing,
}

/// When a proposal is decided at the latest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deadline {
    /// At an instant, which must be to come.
    At(Timestamp),
    /// So many milliseconds after it was made.
    AfterMillis(i64),
}

impl Deadline {
    /// A day.
    pub const DEFAULT: Self = Self::AfterMillis(86_400_000);
}

/// When a proposal may be decided before its deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// As soon as no vote still out could change the outcome.
    Early,
    /// Only when someone asks for it, or at the deadline.
    AtDeadline,
}

/// Who may vote: one entity, or all of a type that are registered now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Elector {
    /// One entity.
    Entity(EntityId),
    /// Every registered entity of a type.
    Type(EntityType),
}

/// See [`Command::CastVote`](super::Command::CastVote). The voter is the caller.
#[derive(Clone, Debug)]
pub struct CastVote {
    /// On which proposal.
    pub proposal_id: ProposalId,
    /// What.
    pub vote: Choice,
    /// Why.
    pub comment: Option<String>,
}
