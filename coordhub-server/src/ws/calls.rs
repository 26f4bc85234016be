//! The changes that a socket's client asks for, and their answers.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use coordhub_core::{HubError, Made, Outcome, Request, command::Origin, ids::EntityId};
use futures_util::{FutureExt, future::BoxFuture};

use super::session;
use crate::{
    access::{
        caller::{CallerIn, Named},
        fair::{self, Asked, Asker},
        gate::{self, Access, Page, Sender},
        network::Client,
        refusals::{self, Whom},
    },
    app::App,
    http::{
        call::{Call, Change, SoftChange},
        handle::{Answered, key, missing_first, perform, take_items},
        request_id::is_sane,
        router::{self, Action},
        take_back::TakeBack,
    },
    wire::{Fields, Problem},
};

/// What an operation came to before it is answered.
pub(super) enum Do {
    /// A change to make.
    Change(Box<Change>),
    /// Done on the spot.
    Done(Vec<u8>),
    /// Refused, and looked up why.
    Refused(BoxFuture<'static, Problem>),
}

/// The answer to a change.
pub(super) struct Answer {
    /// The frame.
    pub(super) frame: String,
    /// Gives back what the frame tells of, should it not reach the client.
    pub(super) take_back: Option<TakeBack>,
}

impl Answer {
    fn of(frame: String) -> Self {
        Self { frame, take_back: None }
    }
}

/// Who asks over a socket.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    /// What was shown for it.
    pub(super) access: &'a Access,
    /// Whose it is.
    pub(super) entity: &'a EntityId,
    /// Where its other end is.
    pub(super) address: Option<IpAddr>,
}

/// Who asked for what over a socket, for as long as the answer takes.
#[derive(Clone)]
pub(super) struct At {
    pub(super) entity: EntityId,
    pub(super) address: Option<IpAddr>,
    /// What was asked for; empty where it is no change.
    pub(super) op: Cow<'static, str>,
    /// Where it came from, for the audit.
    pub(super) origin: Arc<Origin>,
}

/// Where a frame came from: the request that opened its socket, and its own mark where it has one.
pub(super) fn origin_of(socket: &Arc<Origin>, mark: Option<&str>) -> Arc<Origin> {
    let own = mark.map(|mark| mark.trim_matches('"')).filter(|own| is_sane(own.as_bytes()));
    let Some(own) = own else { return socket.clone() };
    let request_id = format!("{}/{own}", socket.request_id).into();
    Arc::new(Origin { address: socket.address, request_id })
}

impl At {
    fn note(&self, app: &App, problem: &Problem) {
        let (status, code) = (problem.status().as_u16(), problem.code());
        app.metrics().refused(status, code);
        refusals::note(app, (status, code), || Whom {
            entity: Some(&self.entity),
            address: self.address,
            route: router::by_op(&self.op),
        });
    }
}

/// The change that an operation makes in the name of a socket's entity; soft ones are done on the spot.
pub(super) fn change(
    app: &App,
    by: By<'_>,
    op: &str,
    args: &str,
    under: Option<&str>,
) -> Result<Do, Problem> {
    let By { access, entity, address } = by;
    let asker = Asker { entity: Some(entity), address };
    let route = router::by_op(op).ok_or_else(|| {
        Problem::field(
            "op",
            format!("there is no operation {op:?}; GET /capabilities lists the calls"),
        )
    });
    // As over HTTP: what is refused here takes the worth of a look.
    let route = route
        .and_then(|route| gate::check(route.open_to, access).map(|()| route))
        .or_else(|refusal| app.buckets().take(asker, Asked::Read, 1).and(Err(refusal)))?;
    if let Some(asked) = route.asks() {
        let may_change = access.check_changes();
        // As over HTTP: what an observer is refused takes nothing of its entity's changes.
        app.buckets().take(asker, if may_change.is_ok() { asked } else { Asked::Read }, 1)?;
        if matches!(route.action, Action::Change(_)) {
            may_change?;
        }
    }
    if route.registers() && access.holder().is_none() {
        app.buckets().take(asker, Asked::Registration, 1)?;
    }
    let named = Named { header: None, socket: Some(entity) };
    let fields = Fields::of_body(args.as_bytes())?;
    let caller_in = match route.caller_in {
        // The socket stands for the path, which may still be given and must then agree.
        CallerIn::Path => CallerIn::EntityId,
        place => place,
    };
    let client = Client { address, ..Client::default() };
    let sender = Sender { client, page: Page::Unknown };
    let call = Call { app, fields, named, caller_in, access, sender, host: None };
    let under = under.filter(|_| route.takes_keys());
    let keyed = |change: Change| match under {
        Some(text) => Ok(Change { key: Some(key(route, &call, text)?), ..change }),
        None => Ok(change),
    };
    let may_change = |change: Change| access.check_changes().map(|()| change);
    let may_have = |change: Change| take_items(app, change, address);
    match route.action {
        Action::Change(make) => {
            Ok(match make(&call).and_then(keyed).and_then(may_change).and_then(may_have) {
                Ok(change) => Do::Change(Box::new(change)),
                Err(problem) => Do::Refused(missing_first(route, &call, problem).boxed()),
            })
        }
        Action::Soft(act) => Ok(match access.check_changes().and_then(|()| act(&call))? {
            SoftChange::Done(body) => Do::Done(body),
            SoftChange::Change(change) => Do::Change(change),
        }),
        _ => Err(Problem::field("op", "this operation is not a change")),
    }
}

/// Sends a message, and makes the frame that says so.
pub(super) fn send(
    app: App,
    at: At,
    change: Change,
    mark: Option<&str>,
) -> BoxFuture<'static, Answer> {
    let mark = mark.map(str::to_owned);
    // Submitted now, so that a socket's changes are decided in the order of its frames.
    let request = Request::new(change.caller, change.command);
    let origin = Some(at.origin.clone());
    let ticket = app.hub().submit_request(Request { origin, ..request });
    async move {
        let answered: Result<_, HubError> = async { ticket?.await }.await;
        let sent = answered.and_then(|reply| match reply.outcome {
            Outcome::Sent(sent) => {
                let first = sent.into_iter().next().ok_or(HubError::Internal)?;
                Ok((first.message.message_id.clone(), reply.seq))
            }
            _ => Err(HubError::Internal),
        });
        Answer::of(match sent {
            Ok((message_id, seq)) => session::sent(message_id.as_str(), seq, mark.as_deref()),
            Err(why) => error_frame(&app, &at, &Problem::from(why), mark.as_deref()).await,
        })
    }
    .boxed()
}

/// Makes a change, and the frame with its reply.
pub(super) fn call(
    app: App,
    at: At,
    change: Change,
    mark: Option<&str>,
) -> BoxFuture<'static, Answer> {
    let mark = mark.map(str::to_owned);
    let performed = perform(&app, change, Some(at.origin.clone()));
    async move {
        match performed.await {
            Ok(Answered { body, made, take_back }) => {
                let frame = match made {
                    Made::Now => session::reply(200, &body, mark.as_deref()),
                    Made::Before => session::replayed(&body, mark.as_deref()),
                };
                Answer { frame, take_back }
            }
            Err(problem) => Answer::of(refused_frame(&app, &at, &problem, mark.as_deref()).await),
        }
    }
    .boxed()
}

/// A socket that waits for too much at once.
pub(super) fn too_many_waits(most: usize) -> Problem {
    let detail = format!(
        "this socket has {most} calls that wait for a task already; leave wait_seconds out, or open another"
    );
    Problem::field("wait_seconds", detail)
}

/// How many channels one socket may subscribe to.
const CHANNELS_MAX: usize = 1_000;

/// Refuses more channels than one socket may have, which the field `name` asks for.
pub(super) fn check_channels(count: usize, name: &'static str) -> Result<(), Problem> {
    if count <= CHANNELS_MAX {
        return Ok(());
    }
    let detail = format!("one socket subscribes to at most {CHANNELS_MAX} channels; open another");
    Err(Problem::field(name, detail))
}

/// The frame for one that could not be read, which is counted.
pub(super) fn misframed(app: &App, problem: &Problem, mark: Option<&str>) -> String {
    app.metrics().refused(problem.status().as_u16(), problem.code());
    session::error(problem, mark)
}

/// The frame for what was refused, which is counted.
pub(super) fn error(
    app: App,
    at: At,
    problem: BoxFuture<'static, Problem>,
    mark: Option<&str>,
) -> BoxFuture<'static, Answer> {
    let mark = mark.map(str::to_owned);
    async move { Answer::of(error_frame(&app, &at, &problem.await, mark.as_deref()).await) }.boxed()
}

/// The reply to a call that was refused, which is counted.
pub(super) fn refused(
    app: App,
    at: At,
    problem: BoxFuture<'static, Problem>,
    mark: Option<&str>,
) -> BoxFuture<'static, Answer> {
    let mark = mark.map(str::to_owned);
    async move { Answer::of(refused_frame(&app, &at, &problem.await, mark.as_deref()).await) }
        .boxed()
}

async fn error_frame(app: &App, at: &At, problem: &Problem, mark: Option<&str>) -> String {
    at.note(app, problem);
    fair::hold_back(problem.code()).await;
    session::error(problem, mark)
}

async fn refused_frame(app: &App, at: &At, problem: &Problem, mark: Option<&str>) -> String {
    at.note(app, problem);
    fair::hold_back(problem.code()).await;
    session::reply(problem.status().as_u16(), problem.to_json().to_string().as_bytes(), mark)
}
