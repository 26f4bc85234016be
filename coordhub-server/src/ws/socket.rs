//! Drives one socket: moves frames between it, the session, the hub and the subscription.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use coordhub_core::{
    Hub,
    command::Origin,
    engine::{Connection, PresenceChange},
    ids::{ChannelName, EntityId},
    subscribe::{Filter, Next, Start, Subscription},
};
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use tokio::time::{Instant, interval_at, timeout, timeout_at};
use tokio_tungstenite::tungstenite;

use self::asked::Told;
use super::{
    calls::{self, Answer},
    outgoing::{cursor_frame, frame_of, text},
    presence::{self, Watch},
    session::{self, Ask, Frame, Misframe, Opening},
    under_way::UnderWay,
};
use crate::{
    access::{
        fair::Held,
        gate::{self, Access},
        network::Client,
    },
    app::App,
    bridge,
    http::take_back::TakeBack,
    net::Undelivered,
    places::Place,
    sockets::{Closing, Whose},
    wire::Problem,
};

mod asked;

/// How often a socket is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A socket that says nothing for so long is gone; neither does one that takes nothing.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A replay without named channels begins after so long without a frame.
const QUIET: Duration = Duration::from_millis(250);
/// How many changes one socket may have under way; the next frame is read when one is answered.
const CALLS_MAX: usize = 64;
/// How long the answers of changes under way are waited for when a socket is closed.
const ANSWERS_AT_END: Duration = Duration::from_secs(3);
/// How many frames are joined into one write.
const JOINED_FRAMES_MAX: usize = 128;

/// A socket as it was asked for.
#[derive(Debug)]
pub(super) struct Opened {
    /// Whose it is.
    pub(super) entity: EntityId,
    /// What was shown for it.
    pub(super) access: Access,
    /// From where it came.
    pub(super) client: Client,
    /// The request that opened it.
    pub(super) request_id: Box<str>,
    /// Its place among those that its entity may have.
    pub(super) held: Held,
    /// The channels that it is subscribed to, with their places.
    pub(super) subscribed: BTreeMap<ChannelName, Held>,
    /// What it wants to see.
    pub(super) filter: Filter,
    /// From where on.
    pub(super) start: Start,
    /// When the stream begins.
    pub(super) opening: Opening,
    /// Whether it is told of presence.
    pub(super) watches_presence: bool,
}

/// Why a socket ends, as the close frame says it.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The client left, or cannot be reached.
    Gone,
    /// With this code and reason.
    Close(u16, &'static str),
}

struct Session {
    app: App,
    entity: EntityId,
    access: Access,
    client: Client,
    origin: Arc<Origin>,
    socket: WebSocket,
    /// `None` while it is away reading the store.
    subscription: Option<Subscription>,
    catching_up: Option<BoxFuture<'static, Option<Subscription>>>,
    /// The channels that it is subscribed to, each with its place among those that its entity may have.
    subscribed: BTreeMap<ChannelName, Held>,
    opening: Opening,
    calls: UnderWay<Answer>,
    /// Changes that wait for something to claim. They hold up nothing else.
    waits: UnderWay<Answer>,
    /// A refusal that is looked up or held back: until it is told, no more is read of the client, and all else goes on.
    refusals: UnderWay<Answer>,
    /// What is given back if the frames that tell of it cannot be written.
    unwritten: Vec<TakeBack>,
    connection: Option<Connection>,
    heard_at: Instant,
    /// Frames that came while a write waited, to be looked at when it is done.
    unread: VecDeque<Result<Message, axum::Error>>,
    /// How far it has come, for the monitor.
    place: Place,
    /// `None` where it is not told of presence.
    watch: Option<Watch>,
}

/// Serves a socket until it ends.
pub(super) async fn serve(app: App, socket: WebSocket, opened: Opened) {
    let Opened { entity, access, client, request_id, held, .. } = opened;
    let Opened { filter, start, opening, subscribed, watches_presence, .. } = opened;
    let origin = Arc::new(Origin { address: client.address, request_id });
    let whose = Whose::Entity(entity.clone());
    let mut closing = app.sockets().listen(&whose);
    let hub = app.hub().clone();
    // Before it connects, so that it is told of its own coming, too.
    let watch = watches_presence.then(|| Watch::new(&hub));
    let connection = (!access.only_watches()).then(|| hub.connect(&entity));
    let sockets_app = app.clone();
    // The subscription is taken before `hello`, so that what is published in between follows it.
    let subscription = hub.subscribe(filter, start);
    let place = app.places().take(subscription.position());
    let mut session = Session {
        app,
        socket,
        subscription: Some(subscription),
        catching_up: None,
        subscribed,
        opening,
        calls: UnderWay::default(),
        waits: UnderWay::default(),
        refusals: UnderWay::default(),
        unwritten: Vec::new(),
        connection,
        heard_at: Instant::now(),
        unread: VecDeque::new(),
        entity,
        access: access.clone(),
        client,
        origin,
        place,
        watch,
    };
    let end = tokio::select! {
        biased;
        why = closed(&mut closing) => match why {
            Closing::EntityRemoved => End::Close(4404, "the entity was removed"),
            Closing::TokenRevoked => TOKEN_REVOKED,
            Closing::Stopping => End::Close(1012, "the hub is stopping"),
        },
        _ = gate::revoked(&sockets_app, &access) => TOKEN_REVOKED,
        end = session.run(&hub) => end,
    };
    session.end(end).await;
    drop((closing, held));
    sockets_app.sockets().release(&whose);
}

/// The end of a socket whose token is good no more.
const TOKEN_REVOKED: End = End::Close(4401, "the token was revoked");

async fn closed(closing: &mut tokio::sync::watch::Receiver<Option<Closing>>) -> Closing {
    match closing.wait_for(Option::is_some).await.ok().and_then(|why| *why) {
        Some(why) => why,
        None => std::future::pending().await,
    }
}

impl Session {
    async fn run(&mut self, hub: &Hub) -> End {
        let hello = format!(
            "{{\"type\":\"hello\",\"epoch\":\"{}\",\"head_seq\":{},\"oldest_seq\":{}}}",
            hub.epoch(),
            hub.head_seq(),
            hub.oldest_seq()
        );
        if let Err(end) = self.feed(text(hello)).await {
            return end;
        }
        if let Err(end) = self.remind(hub).await {
            return end;
        }
        let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            if let Err(end) = self.deliver().await {
                return end;
            }
            let stepped = tokio::select! {
                frame = next_frame(&mut self.unread, &mut self.socket), if self.may_read() => {
                    self.heard(frame).await
                }
                Some(answer) = self.calls.next(), if !self.calls.is_empty() => {
                    self.answer(answer).await
                }
                Some(answer) = self.refusals.next(), if !self.refusals.is_empty() => {
                    self.answer(answer).await
                }
                Some(answer) = self.waits.next(), if !self.waits.is_empty() => {
                    self.answer(answer).await
                }
                caught_up = wait_for(&mut self.catching_up) => self.caught_up(caught_up),
                () = rung(&mut self.subscription), if self.opening == Opening::Begun => Ok(()),
                () = quiet(self.opening) => {
                    self.opening = Opening::Begun;
                    Ok(())
                }
                changes = presence::changes(&mut self.watch, hub) => self.tell(&changes).await,
                _ = pings.tick() => self.ping().await,
            };
            if let Err(end) = stepped {
                return end;
            }
        }
    }

    /// Whether the client may ask for more.
    fn may_read(&self) -> bool {
        self.calls.len() < CALLS_MAX && self.refusals.is_empty()
    }

    /// Tells of the roll-calls of the emergency channel that are open: a reminder, outside the order.
    async fn remind(&mut self, hub: &Hub) -> Result<(), End> {
        if !hub.has_unresolved() {
            return Ok(());
        }
        let reader = hub.reader(Some(self.entity.clone())).in_role(self.access.role());
        let open = bridge::blocking(&self.app, move |app| Ok(app.hub().unresolved(&reader)?)).await;
        match open {
            Ok(open) if open.is_empty() => Ok(()),
            Ok(open) => self.feed(text(session::unresolved(&open))).await,
            Err(_) => Err(End::Close(1013, "the store cannot be read")),
        }
    }

    /// Feeds what the subscription has, joined into one write, until it has no more.
    async fn deliver(&mut self) -> Result<(), End> {
        loop {
            // Answers that are there go along.
            while !self.calls.is_empty()
                && let Some(Some(answer)) = self.calls.next().now_or_never()
            {
                self.answer(answer).await?;
            }
            while !self.refusals.is_empty()
                && let Some(Some(answer)) = self.refusals.next().now_or_never()
            {
                self.answer(answer).await?;
            }
            let fed = match self.opening {
                Opening::Begun => self.feed_items().await?,
                Opening::Waiting => 0,
            };
            self.flush().await?;
            if let Some(subscription) = &self.subscription {
                self.place.move_to(subscription.position());
            }
            if fed < JOINED_FRAMES_MAX {
                return Ok(());
            }
            // A long replay must not keep the client's own frames from being read.
            while self.may_read()
                && let Some(frame) = next_frame(&mut self.unread, &mut self.socket).now_or_never()
            {
                self.heard(frame).await?;
            }
        }
    }

    async fn feed_items(&mut self) -> Result<usize, End> {
        for fed in 0..JOINED_FRAMES_MAX {
            let Some(subscription) = &mut self.subscription else { return Ok(fed) };
            let frame = match subscription.try_next() {
                Next::Idle => return Ok(fed),
                Next::Behind => {
                    if let Some(subscription) = self.subscription.take() {
                        self.catching_up = Some(catch_up(subscription).boxed());
                    }
                    return Ok(fed);
                }
                Next::Item(item) => frame_of(&item),
            };
            if let Some(frame) = frame {
                self.feed(frame).await?;
            }
        }
        Ok(JOINED_FRAMES_MAX)
    }

    /// Feeds what became of others' presence.
    async fn tell(&mut self, changes: &[PresenceChange]) -> Result<(), End> {
        for change in changes {
            self.feed(text(session::presence(change))).await?;
        }
        Ok(())
    }

    fn caught_up(&mut self, subscription: Option<Subscription>) -> Result<(), End> {
        self.catching_up = None;
        // What could not be read now is asked for again when the client is back.
        self.subscription = Some(subscription.ok_or(End::Close(1013, "the store cannot be read"))?);
        Ok(())
    }

    /// What came from the client.
    async fn heard(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_at = Instant::now();
        self.connection.iter().for_each(|there| there.touch(self.app.hub().now()));
        match frame {
            None => Err(End::Gone),
            Some(Err(error)) => Err(broken(error)),
            Some(Ok(Message::Text(frame))) => self.frame(&frame).await,
            Some(Ok(Message::Binary(_))) => {
                self.opening = self.opening.after(None);
                let problem = Problem::field("frame", "frames are JSON text, not binary");
                self.feed(text(calls::misframed(&self.app, &problem, None))).await
            }
            // Pongs are sent by the library; a close is answered by it before `None` comes.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => Ok(()),
        }
    }

    async fn frame(&mut self, frame: &str) -> Result<(), End> {
        let Frame { ask, mark } = match session::read(frame) {
            Ok(frame) => frame,
            Err(Misframe { problem, mark }) => {
                self.opening = self.opening.after(None);
                return self.feed(text(calls::misframed(&self.app, &problem, mark))).await;
            }
        };
        self.opening = self.opening.after(Some(&ask));
        let op = match &ask {
            Ask::Message(_) => "messages.send".into(),
            Ask::Call { op, .. } => op.to_string().into(),
            _ => Cow::default(),
        };
        let at = self.at(op, mark);
        let refused = if matches!(ask, Ask::Call { .. }) { calls::refused } else { calls::error };
        match self.asked(ask, &at, mark).await? {
            Told::Frame(frame) => self.feed(text(frame)).await,
            Told::Later => Ok(()),
            Told::Refused(problem) => {
                self.refusals.push(refused(self.app.clone(), at, problem, mark));
                Ok(())
            }
        }
    }

    /// The subscription, which may be away reading the store.
    async fn wait_for_subscription(&mut self) -> Result<&mut Subscription, End> {
        if self.subscription.is_none() {
            let caught_up = wait_for(&mut self.catching_up).await;
            self.caught_up(caught_up)?;
        }
        self.subscription.as_mut().ok_or(End::Gone)
    }

    async fn ping(&mut self) -> Result<(), End> {
        // While a write waited nothing was read: what has come since counts.
        while self.heard_at.elapsed() > SILENCE_MAX {
            match next_frame(&mut self.unread, &mut self.socket).now_or_never() {
                Some(frame) => self.heard(frame).await?,
                None => return Err(End::Gone),
            }
        }
        let cursor = self.subscription.as_mut().and_then(Subscription::take_cursor);
        if let Some(seq) = cursor.filter(|_| self.opening == Opening::Begun) {
            self.feed(text(cursor_frame(seq))).await?;
        }
        self.feed(Message::Ping(Bytes::new())).await
    }

    /// Feeds the answer to a change; what it tells of hangs on whether it is written.
    async fn answer(&mut self, answer: Answer) -> Result<(), End> {
        self.unwritten.extend(answer.take_back);
        self.feed(text(answer.frame)).await
    }

    /// Puts a frame into the write buffer, which empties itself where it is full.
    async fn feed(&mut self, frame: Message) -> Result<(), End> {
        self.written(|socket, context| socket.poll_ready_unpin(context)).await?;
        self.socket.start_send_unpin(frame).map_err(|_| End::Gone)
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.written(|socket, context| socket.poll_flush_unpin(context)).await?;
        self.unwritten.drain(..).for_each(|mut take_back| take_back.delivered());
        Ok(())
    }

    /// Waits for a write. A client that reads slowly is not gone for as long as it says something:
    /// its frames are taken in meanwhile, a few of them, and looked at afterwards.
    async fn written(
        &mut self,
        mut write: impl FnMut(&mut WebSocket, &mut Context<'_>) -> Poll<Result<(), axum::Error>>,
    ) -> Result<(), End> {
        let written = poll_fn(|context| write(&mut self.socket, context)).now_or_never();
        if let Some(written) = written {
            return written.map_err(|_| End::Gone);
        }
        // A timer is set only where the client does not take what is there.
        let mut patience = Instant::now() + SILENCE_MAX;
        loop {
            let step = poll_fn(|context| {
                if let Poll::Ready(written) = write(&mut self.socket, context) {
                    return Poll::Ready(Step::Written(written));
                }
                if self.unread.len() >= CALLS_MAX {
                    return Poll::Pending;
                }
                self.socket.poll_next_unpin(context).map(Step::Heard)
            });
            match timeout_at(patience, step).await {
                Ok(Step::Written(written)) => return written.map_err(|_| End::Gone),
                Ok(Step::Heard(Some(frame))) => {
                    patience = Instant::now() + SILENCE_MAX;
                    self.unread.push_back(frame);
                }
                Ok(Step::Heard(None)) | Err(_) => return Err(End::Gone),
            }
        }
    }

    async fn end(mut self, end: End) {
        let End::Close(code, reason) = end else { return };
        // What is under way will be decided: whoever asked is told before the door closes.
        let answered = async {
            while let Some(answer) = self.calls.next().await {
                self.answer(answer).await?;
            }
            while let Some(answer) = self.refusals.next().await {
                self.answer(answer).await?;
            }
            while let Some(answer) = self.waits.next().await {
                self.answer(answer).await?;
            }
            self.flush().await
        };
        let _answered = timeout(ANSWERS_AT_END, answered).await;
        let close = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        // Whoever does not take the close frame within a second learns from the connection's end.
        let closed = async {
            self.socket.send(Message::Close(Some(close))).await.ok()?;
            while self.socket.recv().await?.is_ok() {}
            Some(())
        };
        let _told = timeout(Duration::from_secs(1), closed).await;
    }
}

/// What came first while a write waited.
enum Step {
    Written(Result<(), axum::Error>),
    Heard(Option<Result<Message, axum::Error>>),
}

/// The next frame of the client: one that came while a write waited, or a new one.
async fn next_frame(
    unread: &mut VecDeque<Result<Message, axum::Error>>,
    socket: &mut WebSocket,
) -> Option<Result<Message, axum::Error>> {
    match unread.pop_front() {
        Some(frame) => Some(frame),
        None => socket.recv().await,
    }
}

async fn catch_up(subscription: Subscription) -> Option<Subscription> {
    bridge::catch_up(subscription)
        .await
        .inspect_err(|why| tracing::warn!(%why, "a catch-up failed"))
        .ok()
}

/// Waits for what is under way; for ever where nothing is.
async fn wait_for<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    match under_way {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Waits for quiet, while the replay waits for it.
async fn quiet(opening: Opening) {
    match opening {
        Opening::Waiting => tokio::time::sleep(QUIET).await,
        Opening::Begun => std::future::pending().await,
    }
}

/// Waits until the subscription has something to say.
async fn rung(subscription: &mut Option<Subscription>) {
    match subscription {
        Some(subscription) => subscription.ready().await,
        None => std::future::pending().await,
    }
}

/// The close code for what the client did wrong.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Utf8(_)) => End::Close(1007, "a text frame is not UTF-8"),
        Some(tungstenite::Error::Capacity(_)) => End::Close(1009, "a message is over 1 MiB"),
        Some(tungstenite::Error::Protocol(_)) => End::Close(1002, "not the WebSocket protocol"),
        _ => End::Gone,
    }
}
