//! Waiting until a task or a proposal gets somewhere.

use std::{collections::BTreeSet, time::Duration};

use coordhub_core::{
    command::Role,
    event::{Event, Subject},
    ids::{ProposalId, TaskId},
    subscribe::{Channels, Filter, Item, Next, Show, Start},
};

use super::call::{Call, Read, optional};
use crate::{
    app::App,
    bridge,
    wire::{Field, Kind, Problem},
};

/// How long to wait, where a caller waits.
pub const WAIT_SECONDS: Field = optional(
    "wait_seconds",
    Kind::Integer,
    "How long to wait for it, 0 to 60; it answers at once where not given.",
);

/// What is waited for.
#[derive(Clone, Debug)]
pub enum About {
    /// A task.
    Task(TaskId),
    /// A proposal.
    Proposal(ProposalId),
}

impl About {
    /// Whether an event may have moved it.
    fn is_moved_by(&self, event: &Event) -> bool {
        match (self, event.subject()) {
            (Self::Task(id), Subject::Task(other)) => id == other,
            (Self::Proposal(id), Subject::Proposal(other)) => id == other,
            _ => false,
        }
    }

    fn kinds(&self) -> BTreeSet<String> {
        let prefixes: &[&str] = match self {
            Self::Task(_) => &["task_", "lease_", "late_"],
            Self::Proposal(_) => &["proposal_", "vote_"],
        };
        let ours = |kind: &&&str| prefixes.iter().any(|prefix| kind.starts_with(prefix));
        Event::KINDS.iter().filter(ours).map(|kind| (*kind).to_owned()).collect()
    }
}

/// For how long the caller wants to wait.
pub fn wait(call: &Call<'_>) -> Result<Duration, Problem> {
    let seconds = call
        .fields
        .integer_in("wait_seconds", 0..=coordhub_core::limits::WAIT_SECONDS_MAX)?
        .unwrap_or(0);
    Ok(Duration::from_secs(seconds))
}

/// What a look came to.
pub enum Looked {
    /// It is where it was waited for.
    There(Vec<u8>),
    /// It is not; this is how it stands.
    NotYet(Vec<u8>),
}

/// Looks, and looks again whenever something moved what it is about, until it is there or the time is
/// up: then it is answered as it stands.
pub fn until(
    call: &Call<'_>,
    about: About,
    look: impl Fn(&App) -> Result<Looked, Problem> + Clone + Send + Sync + 'static,
) -> Result<Read, Problem> {
    let (app, wait) = (call.app.clone(), wait(call)?);
    if wait.is_zero() {
        return Read::later(move |app| {
            Ok(match look(app)? {
                Looked::There(body) | Looked::NotYet(body) => body,
            })
        });
    }
    Ok(Read::When(Box::pin(async move {
        let filter = Filter {
            reader: None,
            role: Role::Member,
            channels: Channels::All,
            show: Show::Log { kinds: Some(about.kinds()) },
        };
        // Subscribed before the first look, so that nothing falls between.
        let mut subscription = app.hub().subscribe(filter, Start::Live);
        let mut deadline = std::pin::pin!(tokio::time::sleep(wait));
        let drain = app.drain().clone();
        let mut stopping = std::pin::pin!(drain.wait());
        loop {
            let mut stands = match bridge::blocking(&app, look.clone()).await? {
                Looked::There(body) => return Ok(body),
                Looked::NotYet(body) => body,
            };
            loop {
                let next = tokio::select! {
                    next = subscription.next() => next,
                    () = &mut deadline => return Ok(std::mem::take(&mut stands)),
                    () = &mut stopping => return Ok(std::mem::take(&mut stands)),
                };
                match next {
                    Next::Item(Item::Shown(entry, _)) => {
                        if entry.event().is_some_and(|event| about.is_moved_by(event)) {
                            break;
                        }
                    }
                    Next::Item(_) => {}
                    Next::Behind => subscription = bridge::catch_up(subscription).await?,
                    Next::Idle => return Ok(std::mem::take(&mut stands)),
                }
            }
        }
    })))
}
