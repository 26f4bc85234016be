//! The log of a hub, followed for as long as one likes.
//!
//! By server-sent events and not by a socket: what comes is the event itself, for whoever asks and of the kinds that are
//! wanted, many to a chunk, and where an event ends is found by looking for line breaks. Nothing in it is parsed.

mod connection;
mod parser;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    ClientError, Delivery,
    backoff::Backoff,
    json,
    request::{self, encode, misused},
    shared::Shared,
};
use connection::{Connection, Ended};
use parser::Record;

/// What is wanted of the log.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    since: Option<String>,
    /// What else stands in the query.
    query: String,
    entity: Option<String>,
}

impl Wanted {
    /// What comes next.
    pub fn live() -> Self {
        Self::default()
    }

    /// What follows a position: a `seq`, or `<epoch>:<seq>`, which says of which history it is.
    pub fn since(position: impl fmt::Display) -> Self {
        Self { since: Some(position.to_string()), ..Self::default() }
    }

    /// The same of the arguments of `GET /events/stream`, as a JSON object.
    pub fn from_args(args: &[u8]) -> Result<Self, ClientError> {
        let mut members = json::Members::read(args).map_err(misused)?;
        let since = members.take("since").map(json::text);
        let query = request::query(&members, '&');
        Ok(Self { since, query, entity: None })
    }

    /// The same from another position on.
    #[must_use]
    pub fn after(self, position: impl fmt::Display) -> Self {
        Self { since: Some(position.to_string()), ..self }
    }

    /// Only these kinds.
    #[must_use]
    pub fn kinds<S: AsRef<str>>(self, kinds: impl IntoIterator<Item = S>) -> Self {
        self.listed("kinds", kinds)
    }

    /// Of channel messages only those on these channels.
    #[must_use]
    pub fn channels<S: AsRef<str>>(self, channels: impl IntoIterator<Item = S>) -> Self {
        self.listed("channels", channels)
    }

    /// Who reads; whoever the client's calls are by where not given.
    #[must_use]
    pub fn entity(self, id: impl Into<String>) -> Self {
        Self { entity: Some(id.into()), ..self }
    }

    fn listed<S: AsRef<str>>(mut self, name: &str, words: impl IntoIterator<Item = S>) -> Self {
        let words: Vec<S> = words.into_iter().collect();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        self.query.push('&');
        self.query.push_str(name);
        self.query.push('=');
        encode(&words.join(","), &mut self.query);
        self
    }
}

/// Something that comes while the log is followed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// Something happened.
    Event(Event),
    /// The log does not go on where it was left.
    Gap(Gap),
}

/// One event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    seq: u64,
    kind: Bytes,
    json: Bytes,
}

impl Event {
    /// Its place in the log.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What happened: `task_created`, …
    pub fn kind(&self) -> &str {
        str::from_utf8(&self.kind).unwrap_or_default()
    }

    /// The event as the hub wrote it: an object with `seq`, `at`, `kind`, `actor` and `data`.
    pub fn json(&self) -> &Bytes {
        &self.json
    }
}

/// The log does not go on where it was left. What comes next follows on the position that [`Events::position`] tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The history that is followed from here on.
    pub epoch: String,
    /// The first event that there is.
    pub oldest_seq: u64,
    /// The last.
    pub head_seq: u64,
}

/// Why a log does not go on where it was left.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum GapReason {
    /// The hub has another history: its file was restored, or begun anew. Read afresh what you need.
    OtherHistory,
    /// What came next was given up as too old.
    Pruned,
    /// One that this client does not know.
    Other(String),
}

/// The log as it is followed: once and in order, over any number of connections.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    wanted: Wanted,
    /// How far the reader has come: epoch and `seq`.
    position: Option<(String, u64)>,
    connection: Option<Connection>,
    /// The next connection, in the making: it goes on where nobody waits for it any more. Dropped, it is broken off.
    connecting: JoinSet<Result<Connection, Ended>>,
    backoff: Backoff,
    again: Option<Instant>,
    has_ended: bool,
}

impl Events {
    pub(super) fn new(shared: Arc<Shared>, wanted: Wanted) -> Self {
        Self {
            shared,
            wanted,
            position: None,
            connection: None,
            connecting: JoinSet::new(),
            backoff: Backoff::default(),
            again: None,
            has_ended: false,
        }
    }

    /// What comes next: at least one item, and all that came with it. Waits for it; where the hub is away, for as long as it
    /// is. After an error, which coming back does not mend, and after [`close`](Self::close) there is nothing more.
    ///
    /// It may be dropped while it waits, and nothing is lost.
    pub async fn batch(&mut self) -> Result<Vec<Item>, ClientError> {
        let mut items = Vec::new();
        while items.is_empty() && !self.has_ended {
            if let Err(error) = self.read(&mut items).await {
                self.close();
                return Err(error);
            }
        }
        Ok(items)
    }

    /// One after the other, until there is an error or nobody listens.
    pub fn into_stream(self) -> impl Stream<Item = Result<Item, ClientError>> + Send {
        stream::unfold((self, Vec::new().into_iter()), async |(mut events, mut batch)| {
            loop {
                if let Some(item) = batch.next() {
                    return Some((Ok(item), (events, batch)));
                }
                batch = match events.batch().await {
                    Ok(items) if items.is_empty() => return None,
                    Ok(items) => items.into_iter(),
                    Err(error) => return Some((Err(error), (events, batch))),
                };
            }
        })
    }

    /// How far the reader has come, as `<epoch>:<seq>`: where to go on another time. `None` before the hub has said it.
    pub fn position(&self) -> Option<String> {
        self.position.as_ref().map(|(epoch, seq)| format!("{epoch}:{seq}"))
    }

    /// Ends it.
    pub fn close(&mut self) {
        self.has_ended = true;
        self.connection = None;
        self.connecting = JoinSet::new();
    }

    /// One step: waits, connects, or reads.
    async fn read(&mut self, items: &mut Vec<Item>) -> Result<(), ClientError> {
        if let Some(again) = self.again {
            sleep_until(again).await;
            self.again = None;
        }
        if self.connection.is_none() {
            if self.connecting.is_empty() {
                let entity = self.wanted.entity.as_ref().or(self.shared.entity.as_ref()).cloned();
                let opened = Connection::open(Arc::clone(&self.shared), self.target(), entity);
                self.connecting.spawn(opened);
            }
            match self.connecting.join_next().await {
                Some(Ok(Ok(connection))) => self.connection = Some(connection),
                Some(Ok(Err(Ended::Broken(asked)))) => self.come_back(asked),
                Some(Ok(Err(Ended::Refused(error)))) => return Err(error),
                Some(Err(_)) | None => self.come_back(None),
            }
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let records = connection.records().await.map_err(|why| {
            let (url, delivery) = (self.shared.url().to_owned(), Delivery::NotSent);
            ClientError::Malformed { url, why, delivery }
        })?;
        let Some(records) = records else {
            self.come_back(None);
            return Ok(());
        };
        for record in records {
            items.extend(self.take(record));
        }
        Ok(())
    }

    fn come_back(&mut self, asked: Option<Duration>) {
        self.connection = None;
        self.again = Some(Instant::now() + self.backoff.next(asked));
    }

    /// Where the stream is asked for that goes on from here.
    fn target(&self) -> String {
        let mut target = "/events/stream?".to_owned();
        if let Some(since) = self.position().or_else(|| self.wanted.since.clone()) {
            target.push_str("since=");
            encode(&since, &mut target);
        }
        target.push_str(&self.wanted.query);
        target
    }

    /// What a record says that was not said before.
    fn take(&mut self, record: Record) -> Option<Item> {
        let Record { epoch, seq, kind, data } = record;
        let epoch = str::from_utf8(&epoch).ok()?;
        // It has come through.
        self.backoff = Backoff::default();
        let is_known = match &mut self.position {
            Some((own, last)) if own == epoch => {
                let is_known = seq <= *last;
                *last = seq.max(*last);
                is_known
            }
            other => {
                *other = Some((epoch.to_owned(), seq));
                false
            }
        };
        let json = data?;
        if &*kind == b"gap" {
            // What was pruned may be told at a position that the reader had reached.
            self.position = Some((epoch.to_owned(), seq));
            return Some(Item::Gap(gap(epoch, &json)));
        }
        (!is_known).then_some(Item::Event(Event { seq, kind, json }))
    }
}

fn gap(epoch: &str, data: &[u8]) -> Gap {
    let said = json::object(data).unwrap_or_default();
    let seq = |name: &str| said.get(name).and_then(|value| value.as_u64()).unwrap_or_default();
    let reason = match said.get("reason").and_then(|value| value.as_str()).unwrap_or_default() {
        "other_history" => GapReason::OtherHistory,
        "pruned" => GapReason::Pruned,
        other => GapReason::Other(other.to_owned()),
    };
    let (oldest_seq, head_seq) = (seq("oldest_seq"), seq("head_seq"));
    Gap { reason, epoch: epoch.to_owned(), oldest_seq, head_seq }
}

#[cfg(test)]
mod tests;
