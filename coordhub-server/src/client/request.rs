//! What is asked, as HTTP has it.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

use super::{
    CallOptions, ClientError,
    json::{self, Members},
};

/// The fields that name who makes a change.
const CALLER_FIELDS: [&str; 6] =
    ["entity_id", "from_entity", "created_by", "proposed_by", "asked_by", "source"];

/// A call, ready to be sent as often as it takes.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) method: Method,
    /// Path and query.
    pub(super) target: String,
    pub(super) body: Bytes,
    /// For how long the hub itself may wait.
    pub(super) wait: Duration,
    /// Whether the arguments name who calls.
    pub(super) names_caller: bool,
    pub(super) repeats: Repeats,
}

/// When a call does no harm twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Repeats {
    /// Always: reads, and signs of life.
    AtWill,
    /// Under an idempotency key, which the client makes: changes.
    UnderKey,
    /// Under a key of the caller's own. The hub takes back a claim of `claim-next` that nobody hears of, but not under a
    /// key: then it waits for whoever asks again, and of a key of the client's own nobody else knows.
    UnderGivenKey,
    /// Never: the hub knows no key for removals, and what is removed the second time may be another of the same name.
    Never,
}

impl Repeats {
    fn of(method: &Method, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        match *method {
            Method::POST if path.ends_with("/heartbeat") => Self::AtWill,
            Method::POST if path.ends_with("/claim-next") => Self::UnderGivenKey,
            Method::POST => Self::UnderKey,
            Method::DELETE => Self::Never,
            _ => Self::AtWill,
        }
    }
}

/// Makes a request of a route's method and path, with `{id}` where an id stands, and of all arguments as one object. A
/// path takes its ids out of them, and may have a query already. What is left stands in the body of a POST, and otherwise in the query.
pub(super) fn prepare(
    method: &str,
    path: &str,
    args: &[u8],
    options: &CallOptions,
    entity: Option<&str>,
) -> Result<Prepared, ClientError> {
    let method = match method {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "DELETE" => Method::DELETE,
        _ => {
            return Err(misused(format!(
                "{method:?} is no method of the hub: GET, POST or DELETE"
            )));
        }
    };
    if !path.starts_with('/')
        || !path.bytes().all(|byte| byte.is_ascii_graphic())
        || path.contains('#')
    {
        return Err(misused(format!("{path:?} is no path of the hub")));
    }
    let repeats = Repeats::of(&method, path);
    // A batch may be the list of its items.
    if method == Method::POST && args.trim_ascii_start().starts_with(b"[") && !path.contains('{') {
        let body = Bytes::copy_from_slice(args);
        let (target, wait) = (path.to_owned(), Duration::ZERO);
        return Ok(Prepared { method, target, body, wait, names_caller: true, repeats });
    }
    let mut members = Members::read(args).map_err(misused)?;
    let wait = ["wait_seconds", "wait"].iter().find_map(|name| members.number(name)).unwrap_or(0.0);
    let wait = Duration::try_from_secs_f64(wait.clamp(0.0, 3_600.0)).unwrap_or_default();
    let names_caller = members.has_any(&CALLER_FIELDS);
    let mut target = filled(path, &mut members, options.entity.as_deref().or(entity))?;
    let mut body = Bytes::new();
    if method == Method::POST {
        body =
            if path.contains('{') { members.write().into() } else { Bytes::copy_from_slice(args) };
    } else {
        target.push_str(&query(&members, if path.contains('?') { '&' } else { '?' }));
    }
    Ok(Prepared { method, target, body, wait, names_caller, repeats })
}

/// The path with its ids. The entity's own may be left out of the arguments.
fn filled(
    path: &str,
    members: &mut Members<'_>,
    entity: Option<&str>,
) -> Result<String, ClientError> {
    let mut filled = String::with_capacity(path.len() + 32);
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after
            .split_once('}')
            .ok_or_else(|| misused(format!("{path:?} is no path of the hub")))?;
        let id = members.take(name).map(json::text);
        let id = id.or_else(|| entity.filter(|_| name == "entity_id").map(str::to_owned));
        let id = id.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| misused(format!("{name} is missing: it belongs into {path}")))?;
        filled.push_str(before);
        encode(&id, &mut filled);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The members as a query string, where there are any: after `first`, and parted by `&`.
pub(super) fn query(members: &Members<'_>, first: char) -> String {
    let mut query = String::new();
    for (name, text) in members.texts() {
        query.push(if query.is_empty() { first } else { '&' });
        encode(name, &mut query);
        query.push('=');
        encode(&text, &mut query);
    }
    query
}

/// Percent-encodes a text as one segment of a path, or one value of a query.
pub(super) fn encode(text: &str, to: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                to.push(char::from(byte));
            }
            _ => {
                to.push('%');
                to.push(char::from(HEX[usize::from(byte >> 4)]));
                to.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

pub(super) fn misused(why: String) -> ClientError {
    ClientError::Misused(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, args: &str, target: &str, body: &str) -> Prepared {
        let prepared = prepare(method, path, args.as_bytes(), &CallOptions::default(), Some("me"))
            .expect("a call");
        assert_eq!((prepared.target.as_str(), &*prepared.body), (target, body.as_bytes()));
        prepared
    }

    #[test]
    fn arguments_stand_where_the_hub_looks_for_them() {
        check(
            "GET",
            "/tasks/list",
            r#"{"status":"open","tag":"ä b","limit":5,"x":null}"#,
            "/tasks/list?status=open&tag=%C3%A4%20b&limit=5",
            "",
        );
        check(
            "GET",
            "/events",
            r#"{"kinds":["a","b"],"since":"e:1"}"#,
            "/events?kinds=a%2Cb&since=e%3A1",
            "",
        );
        check(
            "POST",
            "/tasks/{task_id}/claim",
            r#"{"task_id":"a/b","entity_id":"me"}"#,
            "/tasks/a%2Fb/claim",
            r#"{"entity_id":"me"}"#,
        );
        check(
            "POST",
            "/messages/send",
            r#"{"content" : "x"}"#,
            "/messages/send",
            r#"{"content" : "x"}"#,
        );
        check("POST", "/messages/send-batch", "[1]", "/messages/send-batch", "[1]");
        check(
            "DELETE",
            "/entities/{id}",
            r#"{"id":7,"entity_id":"me"}"#,
            "/entities/7?entity_id=me",
            "",
        );
        check("POST", "/entities/{entity_id}/heartbeat", "", "/entities/me/heartbeat", "{}");
        check("GET", "/", "", "/", "");
        check("GET", "/audit?kind=x", r#"{"limit":5}"#, "/audit?kind=x&limit=5", "");
    }

    #[test]
    fn what_a_call_may_do_is_read_off_it() {
        let waits = check("GET", "/events", r#"{"wait":7}"#, "/events?wait=7", "");
        assert_eq!((waits.wait, waits.repeats), (Duration::from_secs(7), Repeats::AtWill));
        let send = check("POST", "/messages/send", "{}", "/messages/send", "{}");
        assert_eq!((send.wait, send.names_caller), (Duration::ZERO, false));
        let named = r#"{"from_entity":"a"}"#;
        assert!(check("POST", "/messages/send", named, "/messages/send", named).names_caller);
    }

    #[test]
    fn what_does_no_harm_twice_is_read_off_the_route() {
        for (method, path, expected) in [
            (Method::GET, "/tasks/list", Repeats::AtWill),
            (Method::POST, "/entities/{entity_id}/heartbeat", Repeats::AtWill),
            (Method::POST, "/messages/send", Repeats::UnderKey),
            (Method::POST, "/tasks/{task_id}/claim", Repeats::UnderKey),
            (Method::POST, "/tasks/claim-next", Repeats::UnderGivenKey),
            (Method::POST, "/tasks/claim-next?wait_seconds=5", Repeats::UnderGivenKey),
            (Method::DELETE, "/entities/{id}", Repeats::Never),
        ] {
            assert_eq!(Repeats::of(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for (method, path, args) in [
            ("PUT", "/tasks/list", "{}"),
            ("GET", "tasks", "{}"),
            ("GET", "/a b", "{}"),
            ("GET", "/tasks#x", "{}"),
            ("GET", "/tasks/{task_id}", "{}"),
            ("GET", "/tasks/{task_id}", r#"{"task_id":""}"#),
            ("GET", "/tasks/{task_id}", r#"{"task_id":null}"#),
            ("GET", "/tasks/{task_id", r#"{"task_id":"a"}"#),
            ("GET", "/tasks/list", "[]"),
            ("POST", "/tasks/create", "{"),
        ] {
            let refused = prepare(method, path, args.as_bytes(), &CallOptions::default(), None);
            assert!(matches!(refused, Err(ClientError::Misused(_))), "{method} {path} {args}");
        }
    }
}
