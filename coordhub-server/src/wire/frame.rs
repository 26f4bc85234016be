//! The frames of a socket: from text to what is asked, and from answers to text.

use std::borrow::Cow;

use coordhub_core::{
    engine::PresenceChange,
    ids::ChannelName,
    json::{self, Scanned, decode_string},
    model::Presence,
};
use serde_json::Value;

use super::{Problem, fields::json_problem};

/// What a frame asks for.
#[derive(Debug, PartialEq)]
pub enum Ask<'a> {
    /// To hear a channel.
    Subscribe(ChannelName),
    /// To hear a channel no more.
    Unsubscribe(ChannelName),
    /// To send a message: its fields as JSON.
    Message(&'a str),
    /// A sign of life.
    Ping,
    /// To begin with what was missed.
    Ready,
    /// To make a change, as over REST.
    Call {
        /// The operation.
        op: Cow<'a, str>,
        /// Its fields as JSON.
        args: &'a str,
        /// The key under which it is made at most once.
        key: Option<Cow<'a, str>>,
    },
}

/// A frame that was understood, and what its answer must repeat.
#[derive(Debug, PartialEq)]
pub struct Frame<'a> {
    /// What it asks for.
    pub ask: Ask<'a>,
    /// The client's own mark, as JSON: `ref` of a message, `id` of a call.
    pub mark: Option<&'a str>,
}

/// A frame that was not understood.
#[derive(Debug, PartialEq)]
pub struct Misframe<'a> {
    /// Why not.
    pub problem: Problem,
    /// The client's own mark, where it could be read.
    pub mark: Option<&'a str>,
}

/// Reads one text frame.
pub fn read(text: &str) -> Result<Frame<'_>, Misframe<'_>> {
    let fields = match json::scan(text) {
        Ok(Scanned::Object(fields)) => fields,
        Ok(_) => {
            let problem = Problem::field("frame", "a frame is a JSON object with a type");
            return Err(Misframe { problem, mark: None });
        }
        Err((field, error)) => {
            return Err(Misframe { problem: json_problem(field.as_deref(), &error), mark: None });
        }
    };
    let raw = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, raw)| *raw);
    // A call is answered under its `id`, everything else under its `ref`.
    let mark = match raw("type") {
        Some("\"call\"") => raw("id"),
        _ => raw("ref"),
    };
    let text = |name: &'static str| {
        let raw = raw(name).ok_or_else(|| Problem::field(name, format!("{name} is missing")))?;
        decode_string(raw).ok_or_else(|| Problem::field(name, format!("{name} must be a string")))
    };
    let object = |name: &'static str, otherwise: Option<&'static str>| {
        let raw = raw(name).or(otherwise);
        let raw = raw.ok_or_else(|| Problem::field(name, format!("{name} is missing")))?;
        let is_object = raw.starts_with('{');
        is_object
            .then_some(raw)
            .ok_or_else(|| Problem::field(name, format!("{name} must be an object")))
    };
    let channel = || {
        ChannelName::parse(&text("channel")?)
            .map_err(|why| Problem::field("channel", format!("channel: {why}")))
    };
    let ask = || {
        Ok(match text("type")?.as_ref() {
            "subscribe_channel" => Ask::Subscribe(channel()?),
            "unsubscribe_channel" => Ask::Unsubscribe(channel()?),
            "message" => Ask::Message(object("message", None)?),
            "ping" => Ask::Ping,
            "ready" => Ask::Ready,
            "call" => Ask::Call {
                op: text("op")?,
                args: object("args", Some("{}"))?,
                key: raw("key").filter(|key| *key != "null").map(|_| text("key")).transpose()?,
            },
            other => {
                let detail = format!(
                    "there is no frame of type {other:?}; there are subscribe_channel, unsubscribe_channel, message, ping, ready, call"
                );
                return Err(Problem::field("type", detail));
            }
        })
    };
    match ask() {
        Ok(ask) => Ok(Frame { ask, mark }),
        Err(problem) => Err(Misframe { problem, mark }),
    }
}

/// The answer to a subscription.
pub fn subscribed(channel: &ChannelName) -> String {
    format!("{{\"type\":\"subscribed\",\"channel\":\"{channel}\"}}")
}

/// The answer to the end of one.
pub fn unsubscribed(channel: &ChannelName) -> String {
    format!("{{\"type\":\"unsubscribed\",\"channel\":\"{channel}\"}}")
}

/// The answer to a frame that was refused.
pub fn error(problem: &Problem, mark: Option<&str>) -> String {
    let mut object = problem.to_json();
    object["type"] = "error".into();
    with_mark(object.to_string(), "ref", mark)
}

/// The answer to a call.
pub fn reply(status: u16, body: &[u8], mark: Option<&str>) -> String {
    let mark = mark.unwrap_or("null");
    let body = String::from_utf8_lossy(body);
    format!("{{\"type\":\"reply\",\"id\":{mark},\"status\":{status},\"body\":{body}}}")
}

/// The answer to a call that was made before, under the same key.
pub fn replayed(body: &[u8], mark: Option<&str>) -> String {
    let mut frame = reply(200, body, mark);
    frame.pop();
    frame.push_str(",\"replayed\":true}");
    frame
}

/// The open roll-calls of the emergency channel, whose messages are JSON already.
pub fn unresolved(messages: &[impl AsRef<[u8]>]) -> String {
    let texts: Vec<_> =
        messages.iter().map(|text| String::from_utf8_lossy(text.as_ref())).collect();
    format!("{{\"type\":\"unresolved\",\"messages\":[{}]}}", texts.join(","))
}

/// The answer to a message.
pub fn sent(message_id: &str, seq: u64, mark: Option<&str>) -> String {
    let mark = mark.unwrap_or("null");
    format!("{{\"type\":\"sent\",\"ref\":{mark},\"message_id\":\"{message_id}\",\"seq\":{seq}}}")
}

/// What an entity's presence has become.
pub fn presence(change: &PresenceChange) -> String {
    let PresenceChange { entity_id, presence: Presence { status, activity, last_seen } } = change;
    let entity_id = Value::from(entity_id.as_str());
    let activity = Value::from(activity.as_deref());
    format!(
        "{{\"type\":\"presence\",\"entity_id\":{entity_id},\"status\":\"{status}\",\"activity\":{activity},\"last_seen\":\"{last_seen}\"}}"
    )
}

fn with_mark(mut object: String, name: &str, mark: Option<&str>) -> String {
    if let Some(mark) = mark {
        object.pop();
        object.push_str(&format!(",\"{name}\":{mark}}}"));
    }
    object
}

#[cfg(test)]
mod tests {
    use coordhub_core::{Timestamp, ids::EntityId, model::Status};

    use super::*;

    fn general() -> ChannelName {
        ChannelName::parse("general").expect("valid")
    }

    #[test]
    fn frames_that_are_understood() {
        for (text, ask, mark) in [
            (r#"{"type":"ping"}"#, Ask::Ping, None),
            (r#"{"type":"ready"}"#, Ask::Ready, None),
            (
                r#"{"type":"subscribe_channel","channel":"general"}"#,
                Ask::Subscribe(general()),
                None,
            ),
            (
                r#"{"type":"unsubscribe_channel","channel":"general"}"#,
                Ask::Unsubscribe(general()),
                None,
            ),
            (
                r#"{"type":"message","message":{"content":"x"},"ref":[1]}"#,
                Ask::Message(r#"{"content":"x"}"#),
                Some("[1]"),
            ),
            (
                r#"{"type":"call","id":7,"op":"tasks.claim"}"#,
                Ask::Call { op: "tasks.claim".into(), args: "{}", key: None },
                Some("7"),
            ),
        ] {
            assert_eq!(read(text), Ok(Frame { ask, mark }), "{text}");
        }
    }

    #[test]
    fn presence_quotes_what_entities_chose() {
        let written = |activity: Option<&str>| {
            presence(&PresenceChange {
                entity_id: EntityId::parse("an \"agent\"").expect("valid"),
                presence: Presence {
                    status: Status::Idle,
                    activity: activity.map(str::to_owned),
                    last_seen: Timestamp::from_millis(7),
                },
            })
        };
        assert_eq!(
            written(Some("line\n\"quoted\"")),
            r#"{"type":"presence","entity_id":"an \"agent\"","status":"idle","activity":"line\n\"quoted\"","last_seen":"1970-01-01T00:00:00.007Z"}"#
        );
        assert!(written(None).contains(r#""activity":null"#));
    }

    #[test]
    fn frames_that_are_not() {
        for (text, code, mark) in [
            ("hello", "not_json", None),
            ("[]", "invalid_field", None),
            ("{}", "invalid_field", None),
            (r#"{"type":5,"ref":"a"}"#, "invalid_field", Some("\"a\"")),
            (r#"{"type":"dance","ref":1}"#, "invalid_field", Some("1")),
            (r#"{"type":"message","message":"x","ref":1}"#, "invalid_field", Some("1")),
            (r#"{"type":"subscribe_channel","channel":"AI-only"}"#, "invalid_field", None),
            (r#"{"type":"call","id":3}"#, "invalid_field", Some("3")),
        ] {
            let misframe = read(text).expect_err(text);
            assert_eq!((misframe.problem.code(), misframe.mark), (code, mark), "{text}");
        }
    }
}
