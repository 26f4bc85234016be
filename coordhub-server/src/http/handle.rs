//! From a request to its response.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use coordhub_core::{
    Made, Request as HubRequest,
    command::{Command, Key},
    limits::KEY_CHARS_MAX,
};

use super::{
    call::{Blocking, Call, Change, Read, SoftChange},
    docs, events, openapi, page,
    router::{self, Action, Route},
    stream,
    take_back::TakeBack,
};
use crate::{
    access::{
        caller::{CALLER_HEADER, CallerIn, Named},
        gate::{self, Access},
    },
    app::App,
    bridge,
    net::{BodyError, Deliveries, Undelivered as _, read_body},
    wire::{Fields, Problem, path, reply, request},
    ws,
};

/// Answers one request, whatever it is, by its route.
pub async fn handle(
    app: &App,
    route: Option<&'static Route>,
    request: Request<Body>,
) -> Response<Body> {
    let answered = async {
        let access = gate::admit(app, route, request.headers()).await?;
        let answer = answer(app, route, request, &access);
        if !route.is_some_and(Route::may_wait) {
            return answer.await;
        }
        // Whoever waits is not to learn what comes after its token was revoked.
        tokio::select! {
            biased;
            why = gate::revoked(app, &access) => Err(why),
            answered = answer => answered,
        }
    };
    match answered.await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    app: &App,
    route: Option<&'static Route>,
    request: Request<Body>,
    access: &Access,
) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    let Some(route) = route else {
        return Err(no_route(&parts));
    };
    match route.action {
        Action::Page => {
            return page::asset(parts.uri.path(), &parts.headers).ok_or_else(unknown_path);
        }
        Action::OpenApi => return Ok(json(Bytes::from_static(openapi::document()))),
        Action::Docs => return docs::file(parts.uri.path()),
        Action::Socket => return ws::upgrade(app, route, &mut parts, access).await,
        Action::Events => {
            let wanted = events::wanted(&call_of(app, route, &parts, &[], access)?)?;
            return events::answer(app, wanted).await.map(json);
        }
        Action::Stream => {
            let wanted =
                stream::wanted(&call_of(app, route, &parts, &[], access)?, &parts.headers)?;
            return Ok(stream::answer(app, wanted, access));
        }
        _ => {}
    }
    let body = match route.method {
        router::Verb::Post => read(app, body).await?,
        _ => Bytes::new(),
    };
    let call = call_of(app, route, &parts, &body, access)?;
    let body = match route.action {
        Action::Change(make) => {
            let keyed = |change| under_key(route, &call, &parts, change);
            let made = make(&call).map_err(|why| nobodys_key(route, &parts, why)).and_then(keyed);
            let made = made.and_then(|change| access.check_changes().map(|()| change));
            let change = match made {
                Ok(change) => change,
                Err(problem) => return Err(missing_first(route, &call, problem).await),
            };
            drop(call);
            return answer_change(app, change, &parts).await;
        }
        Action::Soft(act) => match access.check_changes().and_then(|()| act(&call))? {
            SoftChange::Done(body) => body,
            SoftChange::Change(change) => {
                drop(call);
                return answer_change(app, *change, &parts).await;
            }
        },
        Action::Read(look) => match look(&call)? {
            Read::Ready(body) => body,
            Read::Later(read) => {
                drop(call);
                bridge::blocking(app, read).await?
            }
            Read::When(answered) => {
                drop(call);
                answered.await?
            }
        },
        _ => return Err(no_route(&parts)),
    };
    Ok(json(body.into()))
}

/// The answer to a change.
pub struct Answered {
    /// The body.
    pub body: Vec<u8>,
    /// Whether the change was made now, or before under the same idempotency key.
    pub made: Made,
    /// Gives back what the answer tells of, should it not reach anybody.
    pub take_back: Option<TakeBack>,
}

/// Submits a change now, and answers when it is on disk.
pub fn perform(
    app: &App,
    change: Change,
) -> impl Future<Output = Result<Answered, Problem>> + Send + 'static + use<> {
    let Change { caller, command, form, key, wait } = change;
    // Under a key the claimer asks again, and is told of the claim that it has.
    let may_be_lost = key.is_none() && matches!(command, Command::ClaimNext(_));
    let claimer = may_be_lost.then(|| caller.clone());
    let ticket = app.hub().submit_request(HubRequest { caller, command, key, wait });
    let app = app.clone();
    async move {
        let reply = ticket?.await?;
        let take_back = claimer.and_then(|caller| TakeBack::of(app.hub(), &caller, &reply));
        let made = reply.made;
        Ok(Answered { body: reply::change(app.hub(), &form, reply), made, take_back })
    }
}

async fn answer_change(
    app: &App,
    change: Change,
    parts: &Parts,
) -> Result<Response<Body>, Problem> {
    let Answered { body, made, take_back } = perform(app, change).await?;
    let mut response = json(body.into());
    if made == Made::Before {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", replayed);
    }
    if let Some(mut take_back) = take_back {
        match parts.extensions.get::<Arc<Deliveries>>() {
            Some(deliveries) => deliveries.hang(Box::new(take_back)),
            // In another program's server nobody says whether an answer was written.
            None => take_back.delivered(),
        }
    }
    Ok(response)
}

/// The call that a request makes.
pub fn call_of<'a>(
    app: &'a App,
    route: &'static Route,
    parts: &'a Parts,
    body: &'a [u8],
    access: &'a Access,
) -> Result<Call<'a>, Problem> {
    let mut fields = Fields::of_body(body)?;
    if route.takes_query() {
        fields = fields.with_query(parts.uri.query())?;
    } else if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        let detail =
            "what /admin is told stands in the body: addresses are written down in many places";
        return Err(Problem::field("query", detail));
    }
    for (name, segment) in path::parameters(route.path, parts.uri.path()) {
        let value = path::decode(segment).ok_or_else(|| {
            Problem::field(name, format!("{name} in the path is not percent-encoded UTF-8"))
        })?;
        fields.push_path(name, value);
    }
    let mut headers = parts.headers.get_all(CALLER_HEADER).iter().map(HeaderValue::as_bytes);
    let header = headers.next();
    if headers.any(|other| Some(other) != header) {
        return Err(Problem::field("X-Entity-Id", "X-Entity-Id stands twice, with two names"));
    }
    if !route.takes_items() {
        fields.refuse_items()?;
    }
    let named = Named { header, socket: None };
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Ok(Call { app, fields, named, caller_in: route.caller_in, access, host })
}

async fn read(app: &App, body: Body) -> Result<Bytes, Problem> {
    let config = app.config();
    let (most, patience) = (config.body_bytes_max, config.connections.body_progress_timeout);
    read_body(body, most, patience).await.map_err(|error| match error {
        BodyError::TooLarge { limit_bytes } => {
            let detail = format!("the body is larger than the {limit_bytes} bytes that are taken");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
        }
        BodyError::TooSlow => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "the body came too slowly; send it without long pauses",
        ),
        _ => Problem::not_json("the body broke off before its end"),
    })
}

/// The header under which a change is made at most once.
const KEY_HEADER: &str = "idempotency-key";

/// A change under the key that the request's header names. A heartbeat, which may be repeated at will,
/// needs none.
fn under_key(
    route: &Route,
    call: &Call<'_>,
    parts: &Parts,
    change: Change,
) -> Result<Change, Problem> {
    let mut named = parts.headers.get_all(KEY_HEADER).iter();
    let Some(value) = named.next().filter(|_| route.takes_keys()) else { return Ok(change) };
    if named.any(|other| other != value) {
        return Err(Problem::field("Idempotency-Key", "Idempotency-Key stands twice; give one"));
    }
    let text = str::from_utf8(value.as_bytes()).unwrap_or_default();
    Ok(Change { key: Some(key(route, call, text)?), ..change })
}

/// A call that lacks its caller and has a key is refused for the key, as on routes where anyone may call.
fn nobodys_key(route: &Route, parts: &Parts, problem: Problem) -> Problem {
    let is_keyed = route.takes_keys() && parts.headers.contains_key(KEY_HEADER);
    if !is_keyed || problem.code() != "caller_needed" {
        return problem;
    }
    Problem::field("Idempotency-Key", "an Idempotency-Key belongs to a caller; say who you are")
}

/// The idempotency key of a call.
pub fn key(route: &Route, call: &Call<'_>, text: &str) -> Result<Key, Problem> {
    let is_key =
        (1..=KEY_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if !is_key {
        let detail = format!("an Idempotency-Key is 1 to {KEY_CHARS_MAX} characters of text");
        return Err(Problem::field("Idempotency-Key", detail));
    }
    // Whose key it is stands in the key, and how long to wait is no argument of the change.
    let is_no_argument = |name: &str| {
        let is_caller = matches!(call.caller_in, CallerIn::Field(own) if own == name);
        // Where it names others than the caller it is an argument like any other.
        let names_others = call.caller_in == CallerIn::Nowhere || call.access.is_admin();
        is_caller || name == "wait_seconds" || (name == "entity_id" && !names_others)
    };
    Ok(Key {
        route: route.op(),
        key: text.to_owned(),
        fingerprint: call.fields.fingerprint(is_no_argument),
    })
}

/// What the path names and is not there is said before what is wrong in the fields. The hub itself
/// never saw the call.
pub fn missing_first(
    route: &Route,
    call: &Call<'_>,
    problem: Problem,
) -> impl Future<Output = Problem> + Send + 'static + use<> {
    let (app, look) = (call.app.clone(), look_for_missing(route, call, &problem));
    async move {
        let Some(look) = look else { return problem };
        match bridge::blocking(&app, look).await {
            Err(missing) if missing.status() == StatusCode::NOT_FOUND => missing,
            _ => problem,
        }
    }
}

/// Looks for what the path names, where the call was refused for its fields.
fn look_for_missing(route: &Route, call: &Call<'_>, problem: &Problem) -> Option<Blocking> {
    let comes_later = problem.status() == StatusCode::UNPROCESSABLE_ENTITY
        || matches!(problem.code(), "observer" | "caller_mismatch");
    if !comes_later {
        return None;
    }
    if route.path.contains("{task_id}") {
        let id = request::task_id(&call.fields).ok()?;
        return Some(Box::new(move |app| Ok(app.hub().task(&id).map(|_| Vec::new())?)));
    }
    if route.path.contains("{proposal_id}") {
        let id = request::proposal_id(&call.fields).ok()?;
        return Some(Box::new(move |app| Ok(app.hub().proposal(&id).map(|_| Vec::new())?)));
    }
    None
}

fn no_route(parts: &Parts) -> Problem {
    let path = parts.uri.path();
    let methods = router::methods_of(path);
    if methods.is_empty() {
        return unknown_path();
    }
    let allow = methods.join(", ");
    let detail = format!("this path takes {allow}, not {}", parts.method);
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).allow(allow)
}

fn unknown_path() -> Problem {
    let detail = "there is no such path; GET /openapi.json lists what there is";
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
}

fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
