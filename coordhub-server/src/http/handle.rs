//! From a request to its response.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    http::{Extensions, HeaderValue, Request, Response, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use coordhub_core::{
    Hub, Made, Outcome, Reply, Request as HubRequest,
    command::{Command, Key, Origin},
    ids::EntityId,
    limits::KEY_CHARS_MAX,
};

use super::{
    call::{Blocking, Call, Change, Read, SoftChange},
    docs, events, openapi, page,
    request_id::RequestId,
    router::{self, Action, Route},
    session, stream,
    take_back::TakeBack,
};
use crate::{
    access::{
        caller::{CALLER_HEADER, CallerIn, Named},
        fair::{Asked, Asker, Held, Kept},
        gate::{self, Access, Sender},
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
    let sender = sender_of(request.extensions());
    let access = match gate::know(app, request.headers(), &sender) {
        Ok(access) => access,
        Err(problem) => return problem.into_response(),
    };
    let first_use = access.is_first_use().then(|| origin_of(request.extensions())).flatten();
    let answered = async {
        gate::may_come(route, &access)
            .or_else(|refusal| take_refused(app, &access, sender).and(Err(refusal)))?;
        gate::note_use(app, &access, first_use).await?;
        take(app, route, &access, sender)?;
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
        Err(problem) => {
            let mut response = problem.into_response();
            if let Some(holder) = access.holder() {
                response.extensions_mut().insert(RefusedTo(holder.entity_id.clone()));
            }
            response
        }
    }
}

/// Stands in a refusal: whose token was shown.
#[derive(Clone, Debug)]
pub struct RefusedTo(pub EntityId);

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
            let (wanted, _held) = {
                let call = call_of(app, route, &parts, &[], access)?;
                (events::wanted(&call)?, may_wait(route, &call)?)
            };
            return events::answer(app, wanted).await.map(json);
        }
        Action::Stream => {
            let (wanted, held) = {
                let call = call_of(app, route, &parts, &[], access)?;
                (stream::wanted(&call, &parts.headers)?, keeps(&call, Kept::Socket)?)
            };
            return Ok(stream::answer(app, wanted, access, held));
        }
        Action::SignOut => {
            return Ok(session::sign_out(app, sender_of(&parts.extensions), access));
        }
        _ => {}
    }
    let body = match route.method {
        router::Verb::Post => read(app, body).await?,
        _ => Bytes::new(),
    };
    let call = call_of(app, route, &parts, &body, access)?;
    let _held = may_wait(route, &call)?;
    let body = match route.action {
        Action::SignIn => {
            let (wanted, sender) = (session::wanted(&call)?, call.sender);
            drop(call);
            return session::sign_in(app, sender, wanted, origin_of(&parts.extensions)).await;
        }
        Action::Change(make) => {
            let keyed = |change| under_key(route, &call, &parts, change);
            let made = make(&call).map_err(|why| nobodys_key(route, &parts, why)).and_then(keyed);
            let made = made.and_then(|change| access.check_changes().map(|()| change));
            let address = call.sender.client.address;
            let made = made.and_then(|change| take_items(app, change, address));
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

/// From where a request was sent.
fn sender_of(extensions: &Extensions) -> Sender {
    extensions.get().copied().unwrap_or_default()
}

/// Where a request came from, for the audit.
fn origin_of(extensions: &Extensions) -> Option<Arc<Origin>> {
    let RequestId(id) = extensions.get()?;
    let request_id = id.to_str().ok()?.into();
    Some(Arc::new(Origin { address: sender_of(extensions).client.address, request_id }))
}

/// Takes out of the buckets what a request costs whoever is known to have sent it.
fn take(app: &App, route: Option<&Route>, access: &Access, sender: Sender) -> Result<(), Problem> {
    let Some(asked) = route.map_or(Some(Asked::Read), Route::asks) else { return Ok(()) };
    let entity = access.holder().map(|identity| &identity.entity_id);
    let asker = Asker { entity, address: sender.client.address };
    let may_change = match route.map(|route| &route.action) {
        Some(Action::Change(_)) => access.check_changes(),
        _ => Ok(()),
    };
    // A change that is refused all the same takes nothing of what its entity may change by another token; and
    // whoever shows nothing, nothing of what those from the same address may do who show a token.
    let asked = match access {
        Access::Nobody => Asked::StrangersRead,
        _ if may_change.is_err() => Asked::Read,
        _ => asked,
    };
    app.buckets().take(asker, asked, 1)?;
    may_change?;
    if route.is_some_and(Route::registers) && access.holder().is_none() {
        app.buckets().take(asker, Asked::Registration, 1)?;
    }
    Ok(())
}

/// Takes the worth of a look out of the buckets of whoever is turned away: what is refused for nothing would be
/// asked for without end.
fn take_refused(app: &App, access: &Access, sender: Sender) -> Result<(), Problem> {
    let asked = match access {
        Access::Nobody | Access::Guest(_) => Asked::StrangersRead,
        Access::Open | Access::Holder(..) | Access::Program(_) => Asked::Read,
    };
    let entity = access.holder().map(|identity| &identity.entity_id);
    app.buckets().take(Asker { entity, address: sender.client.address }, asked, 1)
}

/// The same of a caller that only the fields name.
fn take_named(app: &App, route: &Route, call: &Call<'_>) -> Result<(), Problem> {
    let (Access::Open, Some(asked)) = (call.access, route.asks()) else { return Ok(()) };
    if !app.buckets().has_any_of_entities() {
        return Ok(());
    }
    // A caller that is named wrongly is refused for that.
    let Some(entity) = call.caller().ok().and_then(|caller| caller.id) else { return Ok(()) };
    app.buckets().take(Asker { entity: Some(&entity), address: None }, asked, 1)
}

/// A change, if its caller may have all that is in it: each item of a batch is a change.
pub fn take_items(app: &App, change: Change, address: Option<IpAddr>) -> Result<Change, Problem> {
    let items = match &change.command {
        Command::SendBatch(messages) => messages.len(),
        Command::CreateTasks(tasks) => tasks.len(),
        _ => 1,
    };
    let more = u32::try_from(items).unwrap_or(u32::MAX).saturating_sub(1);
    if more > 0 {
        let asker = Asker { entity: change.caller.id.as_ref(), address };
        app.buckets().take(asker, Asked::Change, more)?;
    }
    Ok(change)
}

/// What a call that waits keeps open.
fn may_wait(route: &Route, call: &Call<'_>) -> Result<Option<Held>, Problem> {
    let waits = |name| matches!(call.fields.integer(name), Ok(Some(seconds)) if seconds > 0);
    if !route.may_wait() || !["wait", "wait_seconds"].into_iter().any(waits) {
        return Ok(None);
    }
    keeps(call, Kept::Wait).map(Some)
}

/// Has whoever calls keep one more open.
pub fn keeps(call: &Call<'_>, kept: Kept) -> Result<Held, Problem> {
    let entity = call.caller().ok().and_then(|caller| caller.id);
    let asker = Asker { entity: entity.as_ref(), address: call.sender.client.address };
    call.app.seats().take(asker, kept)
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
    origin: Option<Arc<Origin>>,
) -> impl Future<Output = Result<Answered, Problem>> + Send + 'static + use<> {
    let Change { caller, command, form, key, wait } = change;
    // Under a key the claimer asks again, and is told of the claim that it has.
    let may_be_lost = key.is_none() && matches!(command, Command::ClaimNext(_));
    let claimer = may_be_lost.then(|| (caller.clone(), origin.clone()));
    let ticket = app.hub().submit_request(HubRequest { caller, command, key, wait, origin });
    let app = app.clone();
    async move {
        let ticket = ticket?;
        let reply = if wait.is_zero() {
            ticket.await?
        } else {
            let drain = app.drain().clone();
            tokio::select! {
                biased;
                reply = ticket => reply?,
                // The hub may go on without this service. What is claimed for nobody goes back.
                () = drain.wait() => nothing(app.hub()),
            }
        };
        let take_back =
            claimer.and_then(|(caller, origin)| TakeBack::of(app.hub(), caller, origin, &reply));
        let made = reply.made;
        Ok(Answered { body: reply::change(app.hub(), &form, reply), made, take_back })
    }
}

/// The reply to whoever waited in vain.
fn nothing(hub: &Hub) -> Reply {
    Reply { seq: hub.head_seq(), outcome: Outcome::NoTask, made: Made::Now }
}

async fn answer_change(
    app: &App,
    change: Change,
    parts: &Parts,
) -> Result<Response<Body>, Problem> {
    let Answered { body, made, take_back } =
        perform(app, change, origin_of(&parts.extensions)).await?;
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
    let sender = sender_of(&parts.extensions);
    let call = Call { app, fields, named, caller_in: route.caller_in, access, sender, host };
    take_named(app, route, &call)?;
    Ok(call)
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
pub fn look_for_missing(route: &Route, call: &Call<'_>, problem: &Problem) -> Option<Blocking> {
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

/// The refusal of a path that there is not.
pub fn unknown_path() -> Problem {
    let detail = "there is no such path; GET /openapi.json lists what there is";
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
}

/// An answer in JSON.
pub fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
