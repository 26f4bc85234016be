//! `GET /events`: the log as pages, and waiting for the next one.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use coordhub_core::{
    command::Role,
    event::Event,
    ids::{ChannelName, EntityId},
    limits::{ANSWER_BYTES, ROWS_MAX},
    subscribe::{Channels, Filter, Gap, Item, Next, Show, Start},
};

use super::call::{Call, ENTITY_ID, LIMIT, optional};
use crate::{
    app::App,
    bridge,
    wire::{Field, Kind, Problem},
};

/// The longest that a caller may ask to wait.
const WAIT_SECONDS_MAX: u64 = 60;

const KINDS: Field = optional("kinds", Kind::Text, "Only these kinds, parted by commas.");
const CHANNELS: Field = optional(
    "channels",
    Kind::Text,
    "Of channel messages only those on these channels, parted by commas.",
);

/// Fields of `GET /events`.
pub const LIST: &[Field] = &[
    optional(
        "since",
        Kind::Text,
        "Only what follows this `seq`, or `<epoch>:<seq>`; 0 where not given.",
    ),
    optional("wait", Kind::Integer, "How many seconds to wait where there is nothing, 0 to 60."),
    KINDS,
    CHANNELS,
    LIMIT,
    ENTITY_ID,
];

/// Fields of `GET /events/stream`.
pub const STREAM: &[Field] = &[
    optional(
        "since",
        Kind::Text,
        "Begin after this `seq`, or `<epoch>:<seq>`; with what comes next where not given. The header `Last-Event-ID` goes before it.",
    ),
    KINDS,
    CHANNELS,
    ENTITY_ID,
];

/// Fields of `GET /ws/{entity_id}`.
pub const SOCKET: &[Field] = &[
    optional(
        "since",
        Kind::Text,
        "Begin after this `seq`, or `<epoch>:<seq>`; with what comes next where not given.",
    ),
    optional("channels", Kind::Text, "Channels to subscribe to, parted by commas."),
    optional(
        "notices",
        Kind::Text,
        "`none`, `mine`, or kinds of notices parted by commas; all where not given.",
    ),
    optional("events", Kind::Flag, "Also the events that no message and no notice shows."),
    optional("presence", Kind::Flag, "Also who comes, who goes, and what they say they are doing."),
];

/// What a caller wants of the log, page by page or as a stream.
#[derive(Debug)]
pub struct WantedLog {
    /// Who reads.
    pub reader: Option<EntityId>,
    role: Role,
    channels: Channels,
    kinds: Option<BTreeSet<String>>,
}

impl WantedLog {
    /// As a subscription takes it.
    pub fn into_filter(self) -> Filter {
        let Self { reader, role, channels, kinds } = self;
        Filter { reader, role, channels, show: Show::Log { kinds } }
    }
}

/// Reads what a caller wants of the log.
pub fn wanted_log(call: &Call<'_>) -> Result<WantedLog, Problem> {
    let reader = call.reader()?;
    let kinds = call.fields.comma_texts("kinds")?.map(known_kinds).transpose()?;
    let channels = channels(call)?.map_or(Channels::All, Channels::Named);
    Ok(WantedLog { reader: reader.id, role: reader.role, channels, kinds })
}

/// What a caller wants of a page.
#[derive(Debug)]
pub struct Wanted {
    /// What is shown.
    pub filter: Filter,
    /// From where on.
    pub start: Start,
    /// For how long to wait where there is nothing.
    pub wait: Duration,
    /// At most so many events.
    pub limit: usize,
}

/// Reads what a caller wants.
pub fn wanted(call: &Call<'_>) -> Result<Wanted, Problem> {
    let log = wanted_log(call)?;
    let limit = call.fields.integer_in("limit", 1..=ROWS_MAX as u64)?;
    let wait = call.fields.integer_in("wait", 0..=WAIT_SECONDS_MAX)?.unwrap_or(0);
    Ok(Wanted {
        filter: log.into_filter(),
        start: since(call)?.unwrap_or(Start::After(0)),
        wait: Duration::from_secs(wait),
        limit: limit.map_or(ROWS_MAX, |limit| limit as usize),
    })
}

/// The channels that the parameter `channels` names.
pub fn channels(call: &Call<'_>) -> Result<Option<BTreeSet<ChannelName>>, Problem> {
    let Some(names) = call.fields.comma_texts("channels")? else { return Ok(None) };
    let parse = |name: &String| {
        ChannelName::parse(name).map_err(|why| Problem::field("channels", why.to_string()))
    };
    names.iter().map(parse).collect::<Result<_, _>>().map(Some)
}

/// The position that the parameter `since` names: `<seq>`, or `<epoch>:<seq>`.
pub fn since(call: &Call<'_>) -> Result<Option<Start>, Problem> {
    // A body may have a bare `seq` as the number that it is.
    if let Ok(Some(seq)) = call.fields.integer("since") {
        return Ok(Some(Start::After(seq)));
    }
    let Some(text) = call.fields.text("since")? else { return Ok(None) };
    position("since", &text).map(Some)
}

/// A position in the log, as the field `name` has it.
pub fn position(name: &str, text: &str) -> Result<Start, Problem> {
    let wrong = || Problem::field(name, format!("{name} must be a seq, or <epoch>:<seq>"));
    match text.rsplit_once(':') {
        Some((epoch, seq)) if !epoch.is_empty() => {
            Ok(Start::AfterIn(epoch.to_owned(), seq.parse().map_err(|_| wrong())?))
        }
        Some(_) => Err(wrong()),
        None => Ok(Start::After(text.parse().map_err(|_| wrong())?)),
    }
}

fn known_kinds(kinds: Vec<String>) -> Result<BTreeSet<String>, Problem> {
    match kinds.iter().find(|kind| !Event::KINDS.contains(&kind.as_str())) {
        Some(kind) => {
            let detail = format!(
                "there is no kind of event {kind:?}; there are {}",
                Event::KINDS.join(", ")
            );
            Err(Problem::field("kinds", detail))
        }
        None => Ok(kinds.into_iter().collect()),
    }
}

/// One page of the log; waits for its first event where there is none and the caller wants to wait.
pub async fn answer(app: &App, wanted: Wanted) -> Result<Bytes, Problem> {
    let Wanted { filter, start, wait, limit } = wanted;
    let mut subscription = app.hub().subscribe(filter, start);
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let drain = app.drain().clone();
    let stopping = drain.wait();
    tokio::pin!(stopping);
    let (mut found, mut gap): (Vec<Bytes>, Option<Gap>) = (Vec::new(), None);
    let mut bytes = 0;
    while found.len() < limit && bytes < ANSWER_BYTES {
        let next = match subscription.try_next() {
            Next::Idle if !found.is_empty() || wait.is_zero() || gap.is_some() => break,
            Next::Idle => tokio::select! {
                next = subscription.next() => next,
                () = &mut deadline => break,
                () = &mut stopping => break,
            },
            next => next,
        };
        match next {
            Next::Item(Item::Shown(entry, _)) => {
                let event = entry.event_json();
                bytes += event.len();
                found.push(event);
            }
            Next::Item(Item::Gap(met)) => gap = Some(met),
            Next::Item(Item::Cursor(_)) => {}
            Next::Behind => subscription = bridge::catch_up(subscription).await?,
            Next::Idle => break,
        }
    }
    Ok(page(app, &found, subscription.position(), gap))
}

fn page(app: &App, found: &[Bytes], next: u64, gap: Option<Gap>) -> Bytes {
    let mut body = crate::wire::reply::list("events", found, next);
    // What follows belongs inside the object.
    body.pop();
    body.extend_from_slice(format!(",\"epoch\":\"{}\"", app.hub().epoch()).as_bytes());
    if let Some(Gap { reason, oldest_seq, head_seq }) = gap {
        let reason = reason.as_str();
        let gap = format!(
            ",\"gap\":{{\"reason\":\"{reason}\",\"oldest_seq\":{oldest_seq},\"head_seq\":{head_seq}}}"
        );
        body.extend_from_slice(gap.as_bytes());
    }
    body.push(b'}');
    body.into()
}
