//! Why a call brought no answer.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde_json::{Map, Value};

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client was asked for what it cannot do: an address that is none, arguments that are no JSON object, a token
    /// that would go over the network for all to read. Nothing was sent.
    #[error("{0}")]
    Misused(String),
    /// There is no connection, or it broke before the answer was there.
    #[error("the hub at {url} cannot be reached: {why}")]
    Unreachable {
        /// The hub's address.
        url: String,
        /// Why.
        why: String,
        /// Whether the hub may have acted all the same.
        delivery: Delivery,
    },
    /// The time that the call had is over.
    #[error("the hub at {url} did not answer within {} seconds", after.as_secs_f32())]
    TimedOut {
        /// The hub's address.
        url: String,
        /// How long the call had.
        after: Duration,
        /// Whether the hub may have acted all the same.
        delivery: Delivery,
    },
    /// The hub refused, or could not do it.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// An answer is of another form than it was to be read as.
    #[error("the answer is of another form: {0}")]
    Unfit(String),
    /// What came is nothing that a hub says.
    #[error("what answers at {url} is no hub: {why}")]
    Malformed {
        /// The address.
        url: String,
        /// What is wrong.
        why: String,
        /// Whether a hub may have acted all the same.
        delivery: Delivery,
    },
}

impl ClientError {
    /// Whether the hub may have made the change that was asked for, though nobody heard of it. Where it was asked for
    /// under an idempotency key, the same call under the same key tells.
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::Misused(_) | Self::Unfit(_) => false,
            Self::Unreachable { delivery, .. }
            | Self::TimedOut { delivery, .. }
            | Self::Malformed { delivery, .. } => *delivery == Delivery::Unknown,
            Self::Problem(problem) => problem.is_outcome_unknown(),
        }
    }

    /// What the hub said, where it said something.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

/// Whether a call reached the hub that brought no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// It did not.
    NotSent,
    /// It may have.
    Unknown,
}

/// A refusal of the hub: a problem document.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The status.
    pub status: u16,
    /// The stable code, such as `task_already_claimed`; empty where something in between answered.
    pub code: String,
    /// A sentence to act on.
    pub detail: String,
    /// When to come back, where it is a matter of time.
    pub retry_after: Option<Duration>,
    /// The document as it came.
    pub document: Bytes,
}

impl Problem {
    /// All that the document says, facts for programs included: `claimed_by`, `field`, …
    pub fn fields(&self) -> Map<String, Value> {
        super::json::object(&self.document).unwrap_or_default()
    }

    /// One of its members, where it is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.fields().get(name)?.as_str().map(str::to_owned)
    }

    /// Whether the hub itself does not know whether it made the change.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        // Of what something in between says nothing is known.
        let is_nobodys = self.code.is_empty() && self.status >= 500;
        is_nobodys || self.text("outcome").as_deref() == Some("unknown")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "{} ({})", self.detail, self.status),
            code => write!(f, "{} ({} {code})", self.detail, self.status),
        }
    }
}
