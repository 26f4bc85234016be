//! What is refused, as an admin may look it up: who, from where, what for and how often, and nothing of
//! what was sent.

use std::net::IpAddr;

use coordhub_core::{ids::EntityId, model::Refused};

use crate::{app::App, http::router::Route};

/// Who was refused what.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// Whose token was shown, or whose socket it was.
    pub entity: Option<&'a EntityId>,
    /// From where.
    pub address: Option<IpAddr>,
    /// What was asked for, where there is such a thing.
    pub route: Option<&'a Route>,
}

/// Counts a refusal, where it is one that says something of its caller: it is not known, it may not, or
/// it asks for too much. In memory alone.
pub fn note<'a>(app: &App, (status, code): (u16, &str), whom: impl FnOnce() -> Whom<'a>) {
    if !matches!(status, 401 | 403 | 429) {
        return;
    }
    let Whom { entity, address, route } = whom();
    app.hub().note_refusal(Refused {
        kind: code.to_owned(),
        status,
        entity_id: entity.cloned(),
        address: address.map(|address| address.to_string()),
        route: route
            .map_or_else(String::new, |route| format!("{} {}", route.method.as_str(), route.path)),
    });
}
