//! Events about reservations.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{EntityId, ReservationId},
    resource::Resource,
    time::Timestamp,
};

/// See [`Event::ReservationAcquired`](super::Event::ReservationAcquired).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReservationAcquired {
    /// Its id; that of the reservation that was handed over, where one was.
    pub reservation_id: ReservationId,
    /// Who holds it now.
    pub entity_id: EntityId,
    /// Which paths.
    pub resources: Vec<Resource>,
    /// Whether its holder shares them with nobody.
    pub exclusive: bool,
    /// What for.
    pub reason: Option<String>,
    /// For how long.
    pub ttl_seconds: u32,
    /// When it lapses.
    pub expires_at: Timestamp,
}

/// See [`Event::ReservationRenewed`](super::Event::ReservationRenewed).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReservationRenewed {
    /// Which.
    pub reservation_id: ReservationId,
    /// Its holder.
    pub entity_id: EntityId,
    /// For how long from now.
    pub ttl_seconds: u32,
    /// When it lapses now.
    pub expires_at: Timestamp,
}

/// See [`Event::ReservationReleased`](super::Event::ReservationReleased).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReservationReleased {
    /// Which.
    pub reservation_id: ReservationId,
    /// Who held it.
    pub entity_id: EntityId,
    /// Which paths.
    pub resources: Vec<Resource>,
    /// Why it ended.
    pub reason: ReservationEnd,
}

/// Why a reservation ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationEnd {
    /// Its holder, a human or an admin gave it up.
    Released,
    /// Its time was up.
    Lapsed,
    /// Its holder had been offline for a minute.
    HolderGone,
    /// Its holder was removed.
    HolderRemoved,
    /// Its holder handed it over; where another has it now, the next event says so.
    HandedOver,
}
