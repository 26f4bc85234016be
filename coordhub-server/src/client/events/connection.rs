//! One connection of a stream: how it comes to be, and whether anybody is still at its other end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Method, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::{
    ClientError, Delivery,
    call::{header, problem},
    connect::Sender,
    shared::Shared,
};
use super::parser::{Parser, Record};

/// How long a stream may be silent. A hub shows every fifteen seconds that it is there.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How long it may be so on where nobody had looked for all that time: what came meanwhile may lie further down.
const SECOND_LOOK: Duration = Duration::from_secs(5);
/// The most that a refusal may say.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

/// One connection of a stream.
#[derive(Debug)]
pub(super) struct Connection {
    body: Incoming,
    parser: Parser,
    /// When it counts as dead if nothing comes. It is kept here, for who waits may ask again and again for a moment only.
    silent_until: Instant,
    /// Whether it was looked at a second time since something came.
    is_doubted: bool,
    /// Keeps the connection open.
    _sender: Sender,
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum Ended {
    /// It may be there the next time.
    Broken(Option<Duration>),
    /// It will not.
    Refused(ClientError),
}

impl Connection {
    /// Asks for the stream at a target.
    pub(super) async fn open(
        shared: Arc<Shared>,
        target: String,
        entity: Option<String>,
    ) -> Result<Self, Ended> {
        let sent = timeout(shared.timeout, ask(&shared, &target, entity.as_deref())).await;
        let (mut response, sender) = sent.map_err(|_| Ended::Broken(None))??;
        let status = response.status();
        if status == StatusCode::OK {
            let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
            if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
                let (url, why) = (shared.url().to_owned(), "it sends no events".to_owned());
                let delivery = Delivery::NotSent;
                return Err(Ended::Refused(ClientError::Malformed { url, why, delivery }));
            }
            return Ok(Self {
                body: response.into_body(),
                parser: Parser::default(),
                silent_until: Instant::now() + SILENCE_MAX,
                is_doubted: false,
                _sender: sender,
            });
        }
        let document = Limited::new(response.body_mut(), REFUSAL_BYTES_MAX).collect();
        let document = match timeout(shared.timeout, document).await {
            Ok(Ok(document)) => document.to_bytes(),
            _ => Bytes::new(),
        };
        let problem = problem(status, response.headers(), document);
        if matches!(problem.status, 429 | 502 | 503 | 504) {
            return Err(Ended::Broken(problem.retry_after));
        }
        Err(Ended::Refused(ClientError::Problem(Box::new(problem))))
    }

    /// What comes next; `None` where it broke, ended, or fell silent. It may be dropped while it waits.
    pub(super) async fn records(&mut self) -> Result<Option<Vec<Record>>, String> {
        if !self.is_doubted && self.silent_until <= Instant::now() {
            (self.silent_until, self.is_doubted) = (Instant::now() + SECOND_LOOK, true);
        }
        let Ok(Some(Ok(frame))) = timeout_at(self.silent_until, self.body.frame()).await else {
            return Ok(None);
        };
        (self.silent_until, self.is_doubted) = (Instant::now() + SILENCE_MAX, false);
        let mut records = Vec::new();
        if let Ok(chunk) = frame.into_data() {
            self.parser.read(chunk, &mut records)?;
        }
        Ok(Some(records))
    }
}

async fn ask(
    shared: &Shared,
    target: &str,
    entity: Option<&str>,
) -> Result<(hyper::Response<Incoming>, Sender), Ended> {
    let entity = entity.map(|id| header("an entity's id", id)).transpose()?;
    let mut request = shared.request(Method::GET, target, entity.as_ref(), Bytes::new())?;
    let accept = HeaderValue::from_static("text/event-stream");
    request.headers_mut().insert(header::ACCEPT, accept);
    let mut sender = shared.connector.connect().await.map_err(|error| match error.is_final {
        true => Ended::Refused(shared.unreachable(error.why, Delivery::NotSent)),
        false => Ended::Broken(None),
    })?;
    let response = sender.send_request(request).await.map_err(|_| Ended::Broken(None))?;
    Ok((response, sender))
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Refused(error)
    }
}
