//! `GET /events/stream`: the log as server-sent events.
//!
//! A stream is a [`Subscription`] that is asked only when the connection has room for more. A slow reader therefore
//! costs what it has in its own socket's buffers; it falls behind and is caught up from the store, and there is neither
//! a queue nor a task for it.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, header},
};
use bytes::Bytes;
use coordhub_core::{
    ids::EntityId,
    subscribe::{Gap, Item, Next, Start, Subscription},
};
use futures_util::{FutureExt, future::BoxFuture, stream};
use tokio::time::{Instant, sleep_until};

use super::{call::Call, events};
use crate::{
    access::{
        fair::Held,
        gate::{self, Access},
    },
    app::App,
    bridge,
    places::Place,
    sockets::Whose,
    wire::Problem,
};

/// How often a silent stream shows that it lives. Proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How much is joined into one write.
const JOINED_BYTES: usize = 16 * 1_024;
/// Where a browser says what it saw last, when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream as it was asked for.
#[derive(Debug)]
pub struct Wanted {
    log: events::WantedLog,
    start: Start,
}

/// Reads what a caller wants. What it saw last goes before `since`: a browser that comes back asks at the same address.
pub fn wanted(call: &Call<'_>, headers: &HeaderMap) -> Result<Wanted, Problem> {
    let seen = match headers.get(LAST_EVENT_ID).map(HeaderValue::to_str) {
        Some(Ok("")) | None => None,
        Some(text) => Some(events::position("Last-Event-ID", text.unwrap_or("?"))?),
    };
    let since = events::since(call)?;
    Ok(Wanted { log: events::wanted_log(call)?, start: seen.or(since).unwrap_or(Start::Live) })
}

/// The stream, which ends when its reader leaves or is removed, its token is revoked, or the hub stops.
pub fn answer(app: &App, wanted: Wanted, access: &Access, held: Held) -> Response<Body> {
    let chunks =
        stream::unfold(Following::new(app, wanted, access, held), async |mut following| {
            let chunk = following.chunk().await?;
            Some((Ok::<_, std::convert::Infallible>(chunk), following))
        });
    let mut response = Response::new(Body::from_stream(chunks));
    let mut set = |name: HeaderName, value| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, "text/event-stream; charset=utf-8");
    set(header::CACHE_CONTROL, "no-store");
    // Asks nginx, which others have learnt from, not to collect the stream before it passes it on.
    set(HeaderName::from_static("x-accel-buffering"), "no");
    response
}

/// One open stream.
struct Following {
    app: App,
    reader: Option<EntityId>,
    /// `None` once the stream has ended.
    subscription: Option<Subscription>,
    place: Place,
    /// Ready when nothing more is to be sent.
    ending: BoxFuture<'static, ()>,
    silent_until: Instant,
    is_begun: bool,
    /// Its place among those that its caller may have.
    _held: Held,
}

impl Following {
    fn new(app: &App, Wanted { log, start }: Wanted, access: &Access, held: Held) -> Self {
        let reader = log.reader.clone();
        let mut ending = ending(app.clone(), reader.clone(), access.clone()).boxed();
        // Listens from here on, though it is waited for later.
        let has_ended = (&mut ending).now_or_never().is_some();
        let subscription = app.hub().subscribe(log.into_filter(), start);
        let place = app.places().take(subscription.position());
        app.metrics().stream_opened();
        Self {
            app: app.clone(),
            reader,
            subscription: Some(subscription).filter(|_| !has_ended),
            place,
            ending,
            silent_until: Instant::now() + KEEP_ALIVE,
            is_begun: false,
            _held: held,
        }
    }

    /// What comes next; waits for it. `None` where the stream has ended.
    async fn chunk(&mut self) -> Option<Bytes> {
        // A stream that always has something to say must see its end, too.
        (&mut self.ending).now_or_never().map_or(Some(()), |()| None)?;
        let mut chunk = Vec::new();
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if is_first {
            // How soon to come back.
            chunk.extend_from_slice(b"retry: 1000\n\n");
        }
        loop {
            let next = match self.subscription.as_mut()?.try_next() {
                Next::Idle if is_first => {
                    // From where to come back, should the stream break before its first event.
                    let position = self.subscription.as_ref()?.position();
                    self.write_position(&mut chunk, position);
                    return Some(self.sent(chunk));
                }
                Next::Idle if !chunk.is_empty() => return Some(self.sent(chunk)),
                Next::Idle => tokio::select! {
                    biased;
                    () = &mut self.ending => return None,
                    next = self.subscription.as_mut()?.next() => next,
                    () = sleep_until(self.silent_until) => return self.keep_alive(),
                },
                next => next,
            };
            match next {
                Next::Item(item) => self.write(&mut chunk, &item),
                Next::Behind if !chunk.is_empty() => return Some(self.sent(chunk)),
                Next::Behind => self.read_store().await?,
                // The hub has closed.
                Next::Idle => return None,
            }
            if chunk.len() >= JOINED_BYTES {
                return Some(self.sent(chunk));
            }
        }
    }

    async fn read_store(&mut self) -> Option<()> {
        let subscription = self.subscription.take()?;
        let caught_up = tokio::select! {
            caught_up = bridge::catch_up(subscription) => caught_up,
            () = &mut self.ending => return None,
        };
        // What could not be read now is asked for again when the reader is back.
        let failed = |why: &_| tracing::warn!(%why, "a catch-up failed");
        self.subscription = Some(caught_up.inspect_err(failed).ok()?);
        Some(())
    }

    /// A comment, and where the reader stands: it need not come back to where it last heard something.
    fn keep_alive(&mut self) -> Option<Bytes> {
        // Reading on is being there.
        self.reader.as_ref().and_then(|reader| self.app.hub().touch(reader));
        let mut chunk = Vec::from(&b": keep-alive\n"[..]);
        match self.subscription.as_mut()?.take_cursor() {
            Some(seq) => self.write_position(&mut chunk, seq),
            None => chunk.push(b'\n'),
        }
        Some(self.sent(chunk))
    }

    fn write(&self, chunk: &mut Vec<u8>, item: &Item) {
        match item {
            Item::Shown(entry, _) => {
                self.write_event(chunk, entry.kind(), entry.seq(), &entry.event_json());
            }
            Item::Cursor(seq) => self.write_position(chunk, *seq),
            Item::Gap(Gap { reason, oldest_seq, head_seq }) => {
                let reason = reason.as_str();
                let data = format!(
                    "{{\"reason\":\"{reason}\",\"oldest_seq\":{oldest_seq},\"head_seq\":{head_seq}}}"
                );
                let position = self.subscription.as_ref().map_or(0, Subscription::position);
                self.write_event(chunk, "gap", position, data.as_bytes());
            }
        }
    }

    /// One event. Its data is JSON as the hub writes it, which has no line break outside of escapes.
    fn write_event(&self, chunk: &mut Vec<u8>, kind: &str, seq: u64, data: &[u8]) {
        let head = format!("id: {}:{seq}\nevent: {kind}\ndata: ", self.app.hub().epoch());
        chunk.extend_from_slice(head.as_bytes());
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(b"\n\n");
    }

    /// An id without data: browsers remember it, and tell nobody.
    fn write_position(&self, chunk: &mut Vec<u8>, seq: u64) {
        chunk.extend_from_slice(format!("id: {}:{seq}\n\n", self.app.hub().epoch()).as_bytes());
    }

    fn sent(&mut self, chunk: Vec<u8>) -> Bytes {
        self.silent_until = Instant::now() + KEEP_ALIVE;
        if let Some(subscription) = &self.subscription {
            self.place.move_to(subscription.position());
        }
        chunk.into()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.app.metrics().stream_closed();
    }
}

/// Waits until the hub stops, the reader is removed, or its token is revoked.
async fn ending(app: App, reader: Option<EntityId>, access: Access) {
    let drain = app.drain().clone();
    let removed = async {
        match &reader {
            Some(reader) => drop(app.sockets().closed(&Whose::Entity(reader.clone())).await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = removed => {}
        _ = gate::revoked(&app, &access) => {}
        () = drain.wait() => {}
    }
}
