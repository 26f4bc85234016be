//! Reservations: paths that somebody works on, so that others keep out of them.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntityId, ReservationId, Seq},
    resource::Resource,
    time::Timestamp,
};

/// What somebody has reserved, and until when.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reservation {
    /// Its id.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub reservation_id: ReservationId,
    /// Who holds it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub entity_id: EntityId,
    /// Which paths, in the order in which they were given.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub resources: Vec<Resource>,
    /// Whether its holder shares them with nobody.
    pub exclusive: bool,
    /// What for.
    pub reason: Option<String>,
    /// For how long it was acquired, or renewed last.
    pub ttl_seconds: u32,
    /// Since when its holder has it.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub acquired_at: Timestamp,
    /// When it lapses.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// The `seq` of its acquisition; lists are in this order.
    #[serde(skip)]
    pub acquired_seq: Seq,
}

/// Something reserved that stands in somebody's way.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Conflict {
    /// What was asked for.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub resource: Resource,
    /// Who has it, or a part of it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub held_by: EntityId,
    /// In which reservation.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub reservation_id: ReservationId,
    /// As what.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub held_resource: Resource,
    /// Until when.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// Whether a resource could be had.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CheckedResource {
    /// Which.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub resource: Resource,
    /// Whether nothing stands in the way.
    pub free: bool,
    /// What does: the first few.
    pub conflicts: Vec<Conflict>,
}
