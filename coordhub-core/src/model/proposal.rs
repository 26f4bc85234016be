//! Proposals: questions put to a vote.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::words;
use crate::{
    ids::{EntityId, ProposalId, Seq},
    time::Timestamp,
};

words! {
    /// Where a proposal stands. It leaves `open` once and for all.
    ProposalStatus {
        /// Votes are taken.
        Open = "open",
        /// More than the threshold were for it, with a quorum.
        Approved = "approved",
        /// It could not, or did not, pass the threshold.
        Rejected = "rejected",
        /// Its deadline came without a quorum.
        Expired = "expired",
        /// Its proposer took it back.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// A vote.
    Choice {
        /// Yes.
        For = "for",
        /// No.
        Against = "against",
        /// Neither; it counts for the quorum.
        Abstain = "abstain",
    }
}

/// The share of *for* among *for* and *against* that must be exceeded, in millionths.
///
/// One whole means "all of them". Integer arithmetic: `75 of 100` does not exceed `0.75`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Threshold(u32);

/// The number is no threshold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a threshold is a number from 0 to 1 with at most 6 decimal places, such as 0.75")]
pub struct InvalidThreshold;

impl Threshold {
    /// Three quarters, the default.
    pub const DEFAULT: Self = Self(750_000);
    /// All of *for* and *against*.
    pub const UNANIMOUS: Self = Self(1_000_000);

    /// Reads a number as it stands in JSON.
    pub fn parse(number: &str) -> Result<Self, InvalidThreshold> {
        let value: f64 = number.parse().map_err(|_| InvalidThreshold)?;
        let scaled = value * 1e6;
        if !(0.0..=1e6).contains(&scaled) || (scaled - scaled.round()).abs() > 1e-6 {
            return Err(InvalidThreshold);
        }
        Ok(Self(scaled.round() as u32))
    }

    /// In millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// From millionths, as they stand in the store.
    pub(crate) fn from_millionths(millionths: u32) -> Self {
        Self(millionths.min(1_000_000))
    }

    /// Whether `for_` of `for_ + against` passes.
    pub fn is_passed(self, for_: u64, against: u64) -> bool {
        if self == Self::UNANIMOUS {
            for_ > 0 && against == 0
        } else {
            for_ * 1_000_000 > u64::from(self.0) * (for_ + against)
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&(f64::from(self.0) / 1e6), f)
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 1e6)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::parse(&value.to_string()).map_err(de::Error::custom)
    }
}

/// How the votes stand.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Tally {
    /// Votes for.
    pub r#for: u64,
    /// Votes against.
    pub against: u64,
    /// Abstentions.
    pub abstain: u64,
    /// How many may vote.
    pub eligible: u64,
}

/// One entity's vote.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Vote {
    /// Whose.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub entity_id: EntityId,
    /// What it is.
    pub vote: Choice,
    /// Why, where its caster said so.
    pub comment: Option<String>,
    /// When it was last cast.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Whether its caster was a human then: a proposal may need one.
    #[serde(skip)]
    pub by_human: bool,
}

/// A proposal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// Its id, made by the hub or chosen by its proposer.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub proposal_id: ProposalId,
    /// One line that says what is proposed.
    pub title: String,
    /// The rest of what is to be said.
    pub description: String,
    /// Who proposed it; `null` where nobody was named.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub proposed_by: Option<EntityId>,
    /// Where it stands.
    pub status: ProposalStatus,
    /// The share that must be exceeded.
    #[cfg_attr(feature = "schema", schema(value_type = f64))]
    pub threshold: Threshold,
    /// How many must vote.
    pub quorum: u64,
    /// When it is decided at the latest.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub deadline: Timestamp,
    /// Whether at least one human must be for it.
    pub requires_human: bool,
    /// Whether it is decided as soon as no vote still out could change the outcome.
    pub early_close: bool,
    /// How the votes stand.
    pub tally: Tally,
    /// The votes, by entity id.
    pub votes: Vec<Vote>,
    /// Who may vote, by id.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub electorate: BTreeSet<EntityId>,
    /// When it was made.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it left `open`.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub decided_at: Option<Timestamp>,
    /// Whether an admin decided it against the rule.
    pub forced: bool,
    /// The `seq` of its creation; lists are in this order.
    #[serde(skip)]
    pub created_seq: Seq,
    /// Whether newcomers join the electorate: nobody named one.
    #[serde(skip)]
    pub open_electorate: bool,
    /// Whether the quorum is "more than half of those who may vote": nobody named one.
    #[serde(skip)]
    pub default_quorum: bool,
    /// Humans of the electorate, for `requires_human`.
    #[serde(skip)]
    pub human_electors: BTreeSet<EntityId>,
    /// Who was removed while it was open and has no vote in it, whatever they register as again.
    #[serde(skip)]
    pub departed: BTreeSet<EntityId>,
}
