//! Deciding who keeps others out of which paths.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Answer, Decision, Desk, Rejection,
    leases::end,
    reserved::{Comparisons, Seeker},
};
use crate::{
    command::{AcquireReservation, RenewReservation},
    event::{Event, ReservationAcquired, ReservationEnd, ReservationReleased, ReservationRenewed},
    ids::{EntityId, ReservationId},
    limits::{
        CONFLICTS_NAMED_MAX, RESERVATION_SECONDS_DEFAULT, RESERVATION_SECONDS_MAX,
        RESERVATION_SECONDS_MIN, RESERVATIONS_MAX, RESERVATIONS_OF_ONE_MAX, RESERVED_RESOURCES_MAX,
        RESOURCES_MAX,
    },
    model::{Conflict, Reservation},
    resource::Resource,
};

impl Desk<'_> {
    pub(super) fn acquire_reservation(
        &self,
        command: &AcquireReservation,
    ) -> Result<Decision, Rejection> {
        let resources = distinct(&command.resources)?;
        check_seconds(command.ttl_seconds)?;
        if let Some(reason) = &command.reason {
            self.check_title("reason", reason)?;
        }
        let holder = self.caller()?;
        if let Some(own) = self.same_as(holder, &resources, command.exclusive) {
            return Ok(self.renew(own, command.ttl_seconds, Known::Before));
        }
        self.check_room(holder, resources.len())?;
        self.check_free(holder, &resources, command.exclusive)?;
        let ttl_seconds = command.ttl_seconds.unwrap_or(RESERVATION_SECONDS_DEFAULT);
        let event = ReservationAcquired {
            reservation_id: ReservationId::trusted(&self.fresh_id("res", 0)),
            entity_id: holder.clone(),
            resources,
            exclusive: command.exclusive,
            reason: command.reason.clone(),
            ttl_seconds,
            expires_at: end(self.now, ttl_seconds),
        };
        let reservation = Reservation {
            reservation_id: event.reservation_id.clone(),
            entity_id: event.entity_id.clone(),
            resources: event.resources.clone(),
            exclusive: event.exclusive,
            reason: event.reason.clone(),
            ttl_seconds,
            acquired_at: self.now,
            expires_at: event.expires_at,
            acquired_seq: 0,
        };
        let answer = Answer::Reserved { reservation: Arc::new(reservation), already: false };
        Ok(Decision::new(Event::ReservationAcquired(event), answer))
    }

    /// The caller's reservation of just these resources: to acquire it again is to renew it.
    fn same_as(
        &self,
        holder: &EntityId,
        resources: &[Resource],
        exclusive: bool,
    ) -> Option<&Arc<Reservation>> {
        let asked: BTreeSet<&Resource> = resources.iter().collect();
        self.state.reservations().of(holder).find(|own| {
            own.exclusive == exclusive
                && own.resources.len() == asked.len()
                && own.resources.iter().all(|one| asked.contains(one))
        })
    }

    fn check_room(&self, holder: &EntityId, resources: usize) -> Result<(), Rejection> {
        let reserved = self.state.reservations();
        let detail = if reserved.count_of(holder) >= RESERVATIONS_OF_ONE_MAX {
            format!("{holder:?} holds {RESERVATIONS_OF_ONE_MAX} reservations already; release some")
        } else if reserved.len() >= RESERVATIONS_MAX {
            format!("this hub keeps {RESERVATIONS_MAX} reservations already; release some")
        } else if reserved.resources() + resources > RESERVED_RESOURCES_MAX {
            format!(
                "this hub would have more than {RESERVED_RESOURCES_MAX} resources reserved; reserve patterns of many paths instead of each"
            )
        } else {
            return Ok(());
        };
        Err(Rejection::invalid("resources", detail))
    }

    fn check_free(
        &self,
        holder: &EntityId,
        resources: &[Resource],
        exclusive: bool,
    ) -> Result<(), Rejection> {
        let seeker = Seeker { entity_id: Some(holder), exclusive };
        let mut comparisons = Comparisons::default();
        let mut conflicts: Vec<Conflict> = Vec::new();
        for resource in resources {
            let most = CONFLICTS_NAMED_MAX - conflicts.len();
            let found =
                self.state.reservations().conflicts(resource, seeker, most, &mut comparisons)?;
            conflicts.extend(found);
            if conflicts.len() == CONFLICTS_NAMED_MAX {
                break;
            }
        }
        if conflicts.is_empty() { Ok(()) } else { Err(Rejection::ReservationConflict(conflicts)) }
    }

    pub(super) fn renew_reservation(
        &self,
        command: &RenewReservation,
    ) -> Result<Decision, Rejection> {
        let reservation = self.reservation(&command.reservation_id)?;
        check_seconds(command.ttl_seconds)?;
        if self.caller()? != &reservation.entity_id {
            return Err(not_yours(reservation, "its holder alone may renew it"));
        }
        Ok(self.renew(reservation, command.ttl_seconds, Known::Not))
    }

    fn renew(&self, of: &Reservation, ttl_seconds: Option<u32>, known: Known) -> Decision {
        let ttl_seconds = ttl_seconds.unwrap_or(of.ttl_seconds);
        let expires_at = end(self.now, ttl_seconds);
        let event = ReservationRenewed {
            reservation_id: of.reservation_id.clone(),
            entity_id: of.entity_id.clone(),
            ttl_seconds,
            expires_at,
        };
        let reservation = Arc::new(Reservation { ttl_seconds, expires_at, ..of.clone() });
        let answer = Answer::Reserved { reservation, already: known == Known::Before };
        Decision::new(Event::ReservationRenewed(event), answer)
    }

    pub(super) fn release_reservation(&self, id: &ReservationId) -> Result<Decision, Rejection> {
        let reservation = self.reservation(id)?;
        self.caller()?;
        if !self.may_act_for(Some(&reservation.entity_id)) {
            return Err(not_yours(reservation, "its holder or a human may release it"));
        }
        let event = released(reservation, ReservationEnd::Released);
        Ok(Decision::new(event, Answer::Released(id.clone())))
    }

    /// Frees what those hold who are gone. Soft facts said that they are; the events say it for good.
    pub(super) fn free_reservations(&self, gone: &[EntityId]) -> Decision {
        let held = gone.iter().flat_map(|holder| self.state.reservations().of(holder));
        let events = held.map(|one| released(one, ReservationEnd::HolderGone)).collect();
        Decision::of(events, Answer::Done)
    }

    fn reservation(&self, id: &ReservationId) -> Result<&Arc<Reservation>, Rejection> {
        // All that hold are in memory.
        let unknown = || Rejection::UnknownReservation(id.clone());
        self.state.reservations().get(id).ok_or_else(unknown)
    }
}

/// Whether the caller had what it asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    Not,
    Before,
}

/// A reservation that ended.
pub(super) fn released(reservation: &Reservation, reason: ReservationEnd) -> Event {
    Event::ReservationReleased(ReservationReleased {
        reservation_id: reservation.reservation_id.clone(),
        entity_id: reservation.entity_id.clone(),
        resources: reservation.resources.clone(),
        reason,
    })
}

/// The resources in the order in which they were given, each once.
fn distinct(asked: &[Resource]) -> Result<Vec<Resource>, Rejection> {
    if asked.is_empty() || asked.len() > RESOURCES_MAX {
        let detail =
            format!("resources has {} entries; 1 to {RESOURCES_MAX} are taken", asked.len());
        return Err(Rejection::invalid("resources", detail));
    }
    let mut seen = BTreeSet::new();
    Ok(asked.iter().filter(|one| seen.insert(*one)).cloned().collect())
}

fn check_seconds(asked: Option<u32>) -> Result<(), Rejection> {
    let range = RESERVATION_SECONDS_MIN..=RESERVATION_SECONDS_MAX;
    if asked.is_none_or(|seconds| range.contains(&seconds)) {
        return Ok(());
    }
    let detail =
        format!("ttl_seconds must be from {RESERVATION_SECONDS_MIN} to {RESERVATION_SECONDS_MAX}");
    Err(Rejection::invalid("ttl_seconds", detail))
}

fn not_yours(reservation: &Reservation, who: &str) -> Rejection {
    let (id, holder) = (&reservation.reservation_id, &reservation.entity_id);
    Rejection::NotAllowed(format!("reservation {id:?} is held by {holder:?}: {who}"))
}
