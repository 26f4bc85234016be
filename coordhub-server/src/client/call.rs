//! One call: sent, answered, and repeated where that is safe.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    Answer, CallOptions, ClientError, Delivery, Key, Problem, TIMEOUT_MAX,
    backoff::Backoff,
    connect::Sender,
    json,
    request::{self, Prepared, Repeats, misused},
    shared::Shared,
};

/// The most an answer may be.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How one try ended that brought no answer.
struct Failed {
    error: ClientError,
    /// When whoever refused wants to be asked again.
    retry_after: Option<Duration>,
    /// Which calls may be repeated after it.
    repeat: Repeat,
}

/// Which calls may be repeated after a try.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Repeat {
    /// All: nothing was done.
    Any,
    /// Those that do no harm twice.
    Harmless,
    None,
}

/// Makes a call, and makes it again where it came to nothing and that is safe, until its time is over.
pub(super) async fn call(
    shared: &Shared,
    method: &str,
    path: &str,
    args: &[u8],
    options: CallOptions,
) -> Result<Answer, ClientError> {
    let prepared = request::prepare(method, path, args, &options, shared.entity.as_deref())?;
    let mut sending = Sending::new(shared, &prepared, &options)?;
    let after = options.timeout.unwrap_or(shared.timeout).min(TIMEOUT_MAX) + prepared.wait;
    let deadline = Instant::now() + after;
    let mut backoff = Backoff::default();
    loop {
        let outcome = timeout_at(deadline, sending.once()).await;
        let Ok(outcome) = outcome else {
            let (url, delivery) = (shared.url().to_owned(), sending.delivery);
            return Err(ClientError::TimedOut { url, after, delivery });
        };
        let failed = match outcome {
            Ok(answer) => return Ok(answer),
            Err(failed) => failed,
        };
        if sending.gives_up_own_key(&failed.error) {
            continue;
        }
        let is_safe = match failed.repeat {
            Repeat::Any => true,
            Repeat::Harmless => sending.is_harmless_twice(),
            Repeat::None => false,
        };
        let again = Instant::now() + backoff.next(failed.retry_after);
        if !is_safe || backoff.tries() > shared.retries || again >= deadline {
            return Err(failed.error);
        }
        sleep_until(again).await;
    }
}

/// A call under way.
struct Sending<'a> {
    shared: &'a Shared,
    prepared: &'a Prepared,
    entity: Option<HeaderValue>,
    key: Option<HeaderValue>,
    is_key_own: bool,
    /// Whether a try of it may have reached the hub.
    delivery: Delivery,
}

impl<'a> Sending<'a> {
    fn new(
        shared: &'a Shared,
        prepared: &'a Prepared,
        options: &CallOptions,
    ) -> Result<Self, ClientError> {
        let entity = options.entity.as_deref().or(shared.entity.as_deref());
        let entity = entity.map(|id| header("an entity's id", id)).transpose()?;
        let is_known = shared.token.is_some() || entity.is_some() || prepared.names_caller;
        let (key, is_key_own) = match &options.key {
            Key::Given(key) => (Some(header("an idempotency key", key)?), false),
            // A key belongs to a caller.
            Key::Made if prepared.repeats == Repeats::UnderKey && is_known => {
                (Some(own_key()?), true)
            }
            Key::Made | Key::None => (None, false),
        };
        Ok(Self { shared, prepared, entity, key, is_key_own, delivery: Delivery::NotSent })
    }

    /// Whether the hub does the same, or nothing more, when it is asked again.
    fn is_harmless_twice(&self) -> bool {
        match self.prepared.repeats {
            Repeats::AtWill => true,
            Repeats::UnderKey | Repeats::UnderGivenKey => self.key.is_some(),
            Repeats::Never => false,
        }
    }

    /// A key that the client made itself is nothing to fail for: the hub finds that nobody calls.
    fn gives_up_own_key(&mut self, error: &ClientError) -> bool {
        let is_refused = self.is_key_own
            && error.problem().is_some_and(|problem| {
                problem.status == 422 && problem.text("field").as_deref() == Some("Idempotency-Key")
            });
        if is_refused {
            (self.key, self.is_key_own) = (None, false);
        }
        is_refused
    }

    /// One try.
    async fn once(&mut self) -> Result<Answer, Failed> {
        // Those that wait for something to happen keep no other from being sent.
        let _turn = match self.prepared.wait.is_zero() {
            true => self.shared.connector.turn().await,
            false => None,
        };
        let response = self.answer().await?;
        let (head, mut body) = (response.response.map(|_| ()), response.body);
        let mut whole = Bytes::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|why| self.broken(&why))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > ANSWER_BYTES_MAX {
                return Err(self.malformed(format!("its answer is over {ANSWER_BYTES_MAX} bytes")));
            }
            // Nearly always it comes in one piece.
            whole = if whole.is_empty() { data } else { [whole, data].concat().into() };
        }
        self.shared.connector.keep(response.sender);
        self.judged(&head, whole)
    }

    /// Sends the request, over a connection that was used before where there is one.
    async fn answer(&mut self) -> Result<Answering, Failed> {
        while let Some(sender) = self.shared.connector.used() {
            match self.send(sender).await {
                Ok(answering) => return Ok(answering),
                // It was closed meanwhile, before anything was written.
                Err(None) => {}
                Err(Some(failed)) => return Err(failed),
            }
        }
        let sender = self.shared.connector.connect().await.map_err(|error| Failed {
            error: self.shared.unreachable(error.why, self.delivery),
            retry_after: None,
            repeat: if error.is_final { Repeat::None } else { Repeat::Any },
        })?;
        self.send(sender).await.map_err(|failed| {
            let unsent = || Failed {
                error: self
                    .shared
                    .unreachable("it closed the connection".to_owned(), self.delivery),
                retry_after: None,
                repeat: Repeat::Any,
            };
            failed.unwrap_or_else(unsent)
        })
    }

    /// `Err(None)` where nothing was sent.
    async fn send(&mut self, mut sender: Sender) -> Result<Answering, Option<Failed>> {
        sender.ready().await.map_err(|_| None)?;
        let request = self
            .request()
            .map_err(|error| Some(Failed { error, retry_after: None, repeat: Repeat::None }))?;
        let before = std::mem::replace(&mut self.delivery, Delivery::Unknown);
        match sender.try_send_request(request).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                Ok(Answering { response: Response::from_parts(head, ()), body, sender })
            }
            // Given back, it was never written.
            Err(mut why) => match why.take_message() {
                Some(_) => {
                    self.delivery = before;
                    Err(None)
                }
                None => Err(Some(self.broken(why.error()))),
            },
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, ClientError> {
        let Prepared { method, target, body, .. } = self.prepared;
        let mut request =
            self.shared.request(method.clone(), target, self.entity.as_ref(), body.clone())?;
        let headers = request.headers_mut();
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = &self.key {
            headers.insert(KEY_HEADER, key.clone());
        }
        Ok(request)
    }

    /// What an answer means that came whole.
    fn judged(&self, head: &Response<()>, body: Bytes) -> Result<Answer, Failed> {
        let status = head.status();
        if status.is_success() {
            let is_replayed = head.headers().contains_key(REPLAYED_HEADER);
            return Ok(Answer { status: status.as_u16(), body, is_replayed });
        }
        let problem = problem(status, head.headers(), body);
        let repeat = match status {
            StatusCode::TOO_MANY_REQUESTS => Repeat::Any,
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => {
                if problem.is_outcome_unknown() {
                    Repeat::Harmless
                } else {
                    Repeat::Any
                }
            }
            _ => Repeat::None,
        };
        let retry_after = problem.retry_after;
        Err(Failed { error: ClientError::Problem(Box::new(problem)), retry_after, repeat })
    }

    fn broken(&self, why: &hyper::Error) -> Failed {
        if why.is_parse() {
            return self.malformed(why.to_string());
        }
        let error = self.shared.unreachable(why.to_string(), self.delivery);
        Failed { error, retry_after: None, repeat: Repeat::Harmless }
    }

    fn malformed(&self, why: String) -> Failed {
        let (url, delivery) = (self.shared.url().to_owned(), self.delivery);
        let error = ClientError::Malformed { url, why, delivery };
        Failed { error, retry_after: None, repeat: Repeat::None }
    }
}

/// An answer whose body is still to come.
struct Answering {
    response: Response<()>,
    body: Incoming,
    sender: Sender,
}

/// A refusal as it came. What stands between client and hub may have answered in words of its own.
pub(super) fn problem(status: StatusCode, headers: &HeaderMap, document: Bytes) -> Problem {
    let fields = json::object(&document).unwrap_or_default();
    let text = |name: &str| fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let millis = fields.get("retry_after_ms").and_then(|value| value.as_u64());
    let seconds = || headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok();
    Problem {
        status: status.as_u16(),
        code: text("code").unwrap_or_default(),
        detail: text("detail").unwrap_or_else(|| format!("the hub answered {status}")),
        retry_after: millis
            .map(Duration::from_millis)
            .or_else(|| seconds().map(Duration::from_secs)),
        document,
    }
}

/// A text as a header takes it.
pub(super) fn header(what: &str, text: &str) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_bytes(text.as_bytes()).ok().filter(|_| !text.is_empty());
    value.ok_or_else(|| misused(format!("{text:?} cannot be {what}")))
}

fn own_key() -> Result<HeaderValue, ClientError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|why| misused(format!("no chance is to be had: {why}")))?;
    header("an idempotency key", &format!("{:032x}", u128::from_ne_bytes(bytes)))
}
