//! One event of the log, encoded once as the bytes that sockets send.

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::notice::{Notice, NoticeIds, notice};
use crate::{
    event::{Event, Stamped},
    hub::policy::{self, Audience},
    ids::{EntityId, Seq},
    json::JsonText,
    model::{Message, MessageHead},
    time::Timestamp,
};

/// An event with its encodings. Shared by everyone who reads the window.
#[derive(Debug)]
pub struct Entry {
    seq: Seq,
    at: Timestamp,
    actor: Option<EntityId>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// A message: its frame, and where in that the message object stands. What it says stands in the
    /// frame alone, so that the window holds it once.
    Message { head: MessageHead, frame: Bytes, object: Range<usize> },
    /// Anything else: rarer and larger.
    Other(Box<Other>),
}

#[derive(Debug)]
struct Other {
    event: Event,
    /// The event as an object.
    json: Bytes,
    notice: Option<Notice>,
    notice_frame: OnceLock<(Bytes, Range<usize>)>,
}

/// How an entry is shown to one subscriber.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// As the message it is.
    Message,
    /// As a message from the hub.
    Notice,
    /// As an event.
    Event,
}

impl Entry {
    /// Encodes an event as what is shown of it most.
    pub fn new(stamped: Stamped) -> Self {
        let Stamped { seq, at, actor, auth: _, event, key: _, trace: _ } = stamped;
        let body = match event {
            Event::MessageSent(message) => {
                let (frame, object) = message_frame(seq, "", &*message);
                Body::Message { head: message.head(), frame, object }
            }
            event => {
                let data = event.shown_data();
                let json = encode_event(seq, at, event.kind(), actor.as_ref(), data.as_bytes());
                let notice = notice(&event);
                Body::Other(Box::new(Other { event, json, notice, notice_frame: OnceLock::new() }))
            }
        };
        Self { seq, at, actor, body }
    }

    /// The same without what the message says. `None` where it is no message.
    pub(super) fn redacted(&self, metadata: &JsonText) -> Option<Self> {
        let Body::Message { head, .. } = &self.body else { return None };
        let message: Message = serde_json::from_slice(&self.message_json()?).ok()?;
        let blank = Message { content: String::new(), metadata: metadata.clone(), ..message };
        let (frame, object) = message_frame(self.seq, "", &blank);
        let (actor, body) =
            (self.actor.clone(), Body::Message { head: head.clone(), frame, object });
        Some(Self { seq: self.seq, at: self.at, actor, body })
    }

    /// Its place in the log.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The kind of event.
    pub fn kind(&self) -> &'static str {
        match &self.body {
            Body::Message { .. } => "message_sent",
            Body::Other(other) => other.event.kind(),
        }
    }

    /// Whom it is for.
    pub fn audience(&self) -> Audience<'_> {
        match &self.body {
            Body::Message { head, .. } => policy::audience_of_message(
                &head.from_entity,
                head.to_entity.as_ref(),
                head.channel.as_ref(),
            ),
            Body::Other(other) => policy::audience(&other.event),
        }
    }

    /// Where the message stands and whose it is, where the entry is one.
    pub fn message(&self) -> Option<&MessageHead> {
        match &self.body {
            Body::Message { head, .. } => Some(head),
            Body::Other(_) => None,
        }
    }

    /// The message object, where the entry is a message.
    pub fn message_json(&self) -> Option<Bytes> {
        match &self.body {
            Body::Message { frame, object, .. } => Some(frame.slice(object.clone())),
            Body::Other(_) => None,
        }
    }

    /// What the message says, where the entry is one.
    pub(crate) fn content(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Said {
            content: String,
        }
        // Encoded here, so that it reads.
        let said: Option<Said> = serde_json::from_slice(&self.message_json()?).ok();
        said.map(|said| said.content)
    }

    /// The event, where the entry is no message.
    pub fn event(&self) -> Option<&Event> {
        match &self.body {
            Body::Message { .. } => None,
            Body::Other(other) => Some(&other.event),
        }
    }

    /// The notice that the entry is shown as, where it is.
    pub fn notice(&self) -> Option<&Notice> {
        match &self.body {
            Body::Message { .. } => None,
            Body::Other(other) => other.notice.as_ref(),
        }
    }

    /// The notice as a message object.
    pub fn notice_json(&self) -> Option<Bytes> {
        self.notice_frame().map(|(frame, object)| frame.slice(object.clone()))
    }

    /// The event as an object: `seq`, `at`, `kind`, `actor`, `data`.
    pub fn event_json(&self) -> Bytes {
        match &self.body {
            // Put together when somebody reads the log: kept, it would double what a message takes.
            Body::Message { frame, object, .. } => {
                let data = &frame[object.clone()];
                encode_event(self.seq, self.at, self.kind(), self.actor.as_ref(), data)
            }
            Body::Other(other) => other.json.clone(),
        }
    }

    /// The frame that shows the entry in this way. `None` where it cannot be shown so.
    pub fn frame(&self, view: View) -> Option<Bytes> {
        match (view, &self.body) {
            (View::Message, Body::Message { frame, .. }) => Some(frame.clone()),
            (View::Notice, _) => self.notice_frame().map(|(frame, _)| frame.clone()),
            (View::Event, _) => {
                let mut frame = Vec::from(&b"{\"type\":\"event\","[..]);
                // The object's opening brace is already there.
                frame.extend_from_slice(&self.event_json()[1..]);
                Some(frame.into())
            }
            (View::Message, Body::Other(_)) => None,
        }
    }

    /// About how much memory it holds.
    pub fn weight(&self) -> usize {
        const BASE: usize = 512;
        match &self.body {
            Body::Message { frame, .. } => BASE + frame.len(),
            // The event itself, and what it is encoded as.
            Body::Other(other) => BASE + 2 * other.json.len(),
        }
    }

    fn notice_frame(&self) -> Option<&(Bytes, Range<usize>)> {
        let Body::Other(other) = &self.body else { return None };
        let notice = other.notice.as_ref()?;
        Some(other.notice_frame.get_or_init(|| {
            let id = format!("evt-{}", self.seq);
            let message = NoticeMessage {
                message_id: &id,
                seq: self.seq,
                from_entity: "system",
                to_entity: None,
                channel: "general",
                content: &notice.content,
                message_type: notice.kind,
                metadata: &notice.metadata,
                reply_to: None,
                thread_id: &id,
                ack_required: false,
                timestamp: self.at,
                notice: true,
            };
            message_frame(self.seq, "\"notice\":true,", &message)
        }))
    }
}

fn encode_event(
    seq: Seq,
    at: Timestamp,
    kind: &str,
    actor: Option<&EntityId>,
    data: &[u8],
) -> Bytes {
    let actor = match actor {
        Some(id) => serde_json::to_string(id).unwrap_or_else(|_| "null".to_owned()),
        None => "null".to_owned(),
    };
    let head =
        format!("{{\"seq\":{seq},\"at\":\"{at}\",\"kind\":\"{kind}\",\"actor\":{actor},\"data\":");
    let mut json = Vec::with_capacity(head.len() + data.len() + 1);
    json.extend_from_slice(head.as_bytes());
    json.extend_from_slice(data);
    json.push(b'}');
    json.into()
}

/// A message object on its own, as it stands in lists.
pub(crate) fn message_object(message: &Message) -> Bytes {
    let (frame, object) = message_frame(message.seq, "", message);
    frame.slice(object)
}

/// The frame around a message object, and where in it the object stands.
fn message_frame(seq: Seq, extra: &str, message: &impl Serialize) -> (Bytes, Range<usize>) {
    let mut frame = Vec::with_capacity(512);
    frame.extend_from_slice(b"{\"type\":\"message\",\"seq\":");
    frame.extend_from_slice(seq.to_string().as_bytes());
    frame.push(b',');
    frame.extend_from_slice(extra.as_bytes());
    frame.extend_from_slice(b"\"message\":");
    let start = frame.len();
    // Serializing plain data with text keys has no way to fail.
    let _written = serde_json::to_writer(&mut frame, message);
    let end = frame.len();
    frame.push(b'}');
    (frame.into(), start..end)
}

/// A notice in the shape of a message.
#[derive(Serialize)]
struct NoticeMessage<'a> {
    message_id: &'a str,
    seq: Seq,
    from_entity: &'static str,
    to_entity: Option<&'a str>,
    channel: &'static str,
    content: &'a str,
    message_type: &'static str,
    metadata: &'a NoticeIds,
    reply_to: Option<&'a str>,
    thread_id: &'a str,
    ack_required: bool,
    timestamp: Timestamp,
    notice: bool,
}
