//! Who did what, and what was refused: for whoever runs the hub.

use coordhub_core::{event::Event, store::AuditFilter};

use super::call::{AFTER, Call, LIMIT, ORDER, Read, optional};
use crate::wire::{Field, Kind, Problem, reply};

const ACTOR: Field = optional("actor", Kind::Text, "Only what this one did.");

/// Fields of `GET /audit`.
pub const LIST: &[Field] = &[
    optional("after", Kind::Integer, "Only what follows this `seq`."),
    LIMIT,
    ACTOR,
    optional("kind", Kind::Word(Event::KINDS), "Only events of this kind."),
];

/// `GET /audit`
pub fn events(call: &Call<'_>) -> Result<Read, Problem> {
    let known = |word: &str| Event::KINDS.iter().copied().find(|kind| *kind == word);
    let filter = AuditFilter {
        actor: call.fields.text("actor")?.map(|actor| actor.into_owned()),
        kind: call.fields.word("kind", known, Event::KINDS)?,
    };
    let window = call.list_window()?;
    Read::later(move |app| {
        let found = app.hub().audit(&filter, window.after.unwrap_or(0), window.limit)?;
        Ok(reply::list_of("events", &found.items, found.next))
    })
}

/// Fields of `GET /audit/refusals`.
pub const REFUSALS: &[Field] = &[
    AFTER,
    ORDER,
    LIMIT,
    optional("actor", Kind::Text, "Only those of whoever showed this one's token."),
    optional("kind", Kind::Text, "Only those with this code."),
];

/// `GET /audit/refusals`
pub fn refusals(call: &Call<'_>) -> Result<Read, Problem> {
    let (actor, kind) = (call.fields.text("actor")?, call.fields.text("kind")?);
    let found = call.app.hub().refusals(actor.as_deref(), kind.as_deref(), call.list_window()?);
    Ok(Read::Ready(reply::list_of("refusals", &found.items, found.next)))
}
