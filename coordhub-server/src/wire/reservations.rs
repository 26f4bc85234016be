//! From fields to commands about reservations, and to what a check asks.

use coordhub_core::{
    command::{AcquireReservation, Command, HandOff, RenewReservation},
    ids::{EntityId, ReservationId},
    resource::Resource,
};

use super::{Fields, Problem, request::number};

/// `POST /reservations/acquire`.
pub fn acquire(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::AcquireReservation(AcquireReservation {
        resources: resources(fields)?,
        exclusive: exclusive(fields)?,
        ttl_seconds: number(fields, "ttl_seconds")?,
        reason: fields.text("reason")?.map(Into::into),
    }))
}

/// `POST /reservations/renew`.
pub fn renew(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::RenewReservation(RenewReservation {
        reservation_id: reservation_id(fields)?,
        ttl_seconds: number(fields, "ttl_seconds")?,
    }))
}

/// `POST /reservations/release`.
pub fn release(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::ReleaseReservation(reservation_id(fields)?))
}

/// `POST /entities/{id}/handoff`: the work of `giver`.
pub fn hand_off(fields: &Fields<'_>, giver: EntityId) -> Result<Command, Problem> {
    Ok(Command::HandOff(HandOff {
        entity_id: giver,
        to: fields.parsed("to", EntityId::parse)?,
        note: fields.needed_text("note")?.into_owned(),
    }))
}

/// The paths and patterns that a call is about.
pub fn resources(fields: &Fields<'_>) -> Result<Vec<Resource>, Problem> {
    let missing = || Problem::field("resources", "resources is missing: say which paths");
    let texts = fields.texts("resources")?.ok_or_else(missing)?;
    let parse = |(at, text): (usize, &String)| {
        Resource::parse(text)
            .map_err(|why| Problem::field("resources", format!("resources[{at}]: {why}")))
    };
    texts.iter().enumerate().map(parse).collect()
}

/// Whether they are, or would be, shared with nobody.
pub fn exclusive(fields: &Fields<'_>) -> Result<bool, Problem> {
    Ok(fields.flag("exclusive")?.unwrap_or(true))
}

fn reservation_id(fields: &Fields<'_>) -> Result<ReservationId, Problem> {
    fields.needed("reservation_id", ReservationId::parse)
}
