//! What is kept of who did what, and of what was refused: never what anybody said.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    ids::{EntityId, Seq},
    time::Timestamp,
};

/// A change, without its content.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its place in the log.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub seq: Seq,
    /// When it was.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub timestamp: Timestamp,
    /// The kind of event.
    pub kind: String,
    /// Who did it: an entity, `system`, or nobody that was named.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub actor: Option<EntityId>,
    /// How the hub knew who that was.
    pub auth: String,
    /// From which address it was asked for; `null` where the hub decided it by itself, and where a program
    /// holds the hub in its own process.
    pub address: Option<String>,
    /// In which request; for a socket, the request that opened it, and the frame's own id behind a `/`.
    pub request_id: Option<String>,
    /// The event of the same decision that this one follows from. `null` where it is what was asked for, or,
    /// with `system` as its actor, what time alone decided.
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub cause: Option<Seq>,
    /// What it was about: ids and places, nothing else.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub about: Map<String, Value>,
    /// How many bytes its content has, which is not shown; 0 where it was pruned.
    pub bytes: u64,
}

/// Refusals that are alike, counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// Counts up with each that is unlike those before it.
    pub refusal_id: u64,
    /// What is alike about them.
    #[serde(flatten)]
    pub of: Refused,
    /// When the first of them was.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub first_at: Timestamp,
    /// When the last of them was.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub last_at: Timestamp,
    /// How many there were.
    pub count: u64,
}

/// What was refused, to whom, and why.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refused {
    /// The code of the refusal.
    pub kind: String,
    /// Its status.
    pub status: u16,
    /// Whose token was shown, where that was good, or whose socket it was.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub entity_id: Option<EntityId>,
    /// From which address.
    pub address: Option<String>,
    /// What was asked for: a route as the documents write it, or the operation of a socket. A path that is
    /// none is not kept, for whoever sent it may have put a secret into it.
    pub route: String,
}
