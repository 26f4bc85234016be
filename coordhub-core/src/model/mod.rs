//! The nouns as plain data. They serialize as the documented JSON, so there is no second copy of them.
//!
//! Fields marked `serde(skip)` are the hub's own bookkeeping and appear in no answer.

mod entity;
mod channel;
mod message;
mod roll_call;
mod task;
mod reservation;
mod proposal;
mod credential;
mod history;
mod audit;

pub use audit::{AuditEntry, Refusal, Refused};
pub use channel::{Channel, ChannelDetails, ChannelView, Membership};
pub use credential::{Invite, Role, Token};
pub use entity::{Entity, EntityType, EntityView, Presence, Status};
pub use history::{HistoryKind, Horizons, Retention};
pub use message::{Message, MessageHead, Recipients};
pub use proposal::{Choice, Proposal, ProposalStatus, Tally, Threshold, Vote};
pub use reservation::{CheckedResource, Conflict, Reservation};
pub use roll_call::{Receipt, Receipts, RollCall};
pub use task::{LateResult, Note, OnBlockerFailed, Priority, Question, Task, TaskStatus};

/// Gives a closed set of words its text, its reading, and its place in JSON.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, serde::Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the documents.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Every word, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The value that `word` stands for.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word, as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        // Not derived: utoipa does not see the words that a macro puts into serde's attributes.
        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some(Self::WORDS.iter().copied()))
                    .into()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
use words;
