//! What can be asked about reservations, and about all that an entity holds.

use crate::{
    ids::{EntityId, ReservationId},
    resource::Resource,
};

/// See [`Command::AcquireReservation`](super::Command::AcquireReservation). The holder is the caller.
#[derive(Clone, Debug)]
pub struct AcquireReservation {
    /// Which paths and patterns: all of them, or none.
    pub resources: Vec<Resource>,
    /// Whether they are shared with nobody.
    pub exclusive: bool,
    /// For how long, unless it is renewed.
    pub ttl_seconds: Option<u32>,
    /// What for.
    pub reason: Option<String>,
}

impl AcquireReservation {
    /// An exclusive reservation, for as long as is usual.
    pub fn of(resources: Vec<Resource>) -> Self {
        Self { resources, exclusive: true, ttl_seconds: None, reason: None }
    }

    /// About how much memory it holds, beside itself.
    pub(super) fn weight(&self) -> usize {
        let resources = self.resources.iter().map(|one| one.as_str().len() + RESOURCE);
        resources.sum::<usize>() + self.reason.as_ref().map_or(0, String::len)
    }
}

/// About what a resource takes beside its text: the same text in segments.
const RESOURCE: usize = 256;

/// See [`Command::RenewReservation`](super::Command::RenewReservation). The caller must be the holder.
#[derive(Clone, Debug)]
pub struct RenewReservation {
    /// Which.
    pub reservation_id: ReservationId,
    /// For how long from now; as long as before where not given.
    pub ttl_seconds: Option<u32>,
}

/// See [`Command::HandOff`](super::Command::HandOff).
#[derive(Clone, Debug)]
pub struct HandOff {
    /// Whose claims and reservations.
    pub entity_id: EntityId,
    /// Who gets them; whoever comes first where nobody is named.
    pub to: Option<EntityId>,
    /// What there is to say about it.
    pub note: String,
}
