//! Every refusal on the wire: `application/problem+json`, one table from codes to statuses.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use coordhub_core::{HubError, command::Auth, hub::Rejection, store::StoreError};
use serde_json::{Map, Value, json};

/// A refusal, as the contract shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    // Boxed: it stands in the error of every `Result`, and is rare.
    inner: Box<Inner>,
}

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    facts: Map<String, Value>,
    allow: Option<String>,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A refusal with a stable code and a sentence that a person can act on.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (facts, detail) = (Map::new(), detail.into());
        let inner = Inner { status, code, detail, facts, allow: None, retry_after_seconds: None };
        Self { inner: Box::new(inner) }
    }

    /// A field holds what it may not hold.
    pub fn field(field: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).with("field", field)
    }

    /// The body is not JSON.
    pub fn not_json(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not_json", detail)
    }

    /// One fact more, for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.inner.facts.insert(key.to_owned(), value.into());
        self
    }

    /// The same for an object within the body: its field is named with the way to it.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        if let Some(Value::String(field)) = self.inner.facts.get("field") {
            let whole = format!("{place}.{field}");
            self.inner.facts.insert("field".to_owned(), whole.into());
        }
        self
    }

    /// The same for an item of a batch, none of which is done.
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        self.inner.detail =
            format!("item {index}: {}; nothing of the batch was done", self.inner.detail).into();
        self.with("index", index)
    }

    /// The methods that the path does take.
    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.inner.allow = Some(methods);
        self
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.inner.retry_after_seconds = Some(seconds);
        self
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.inner.status
    }

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        self.inner.code
    }

    /// Its sentence.
    pub fn detail(&self) -> &str {
        &self.inner.detail
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".to_owned(), "about:blank".into());
        let title = self.inner.status.canonical_reason().unwrap_or("Error");
        object.insert("title".to_owned(), title.into());
        object.insert("status".to_owned(), self.inner.status.as_u16().into());
        object.insert("detail".to_owned(), self.inner.detail.as_ref().into());
        object.insert("code".to_owned(), self.inner.code.into());
        object.extend(self.inner.facts.clone());
        Value::Object(object)
    }

    /// As a response, which carries its [`Code`] along for whoever counts.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        response.extensions_mut().insert(Code(self.inner.code));
        *response.status_mut() = self.inner.status;
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem);
        if self.inner.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.inner.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.inner.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

/// Two names for one caller: in open mode a mistake in the fields, in token mode acting as another.
pub fn two_callers(auth: Auth, field: &str, detail: String) -> Problem {
    match auth {
        Auth::Open => Problem::field(field, detail),
        Auth::Token => Problem::new(StatusCode::FORBIDDEN, "caller_mismatch", detail),
    }
}

/// The code of the refusal that a response is, as its extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code(pub &'static str);

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let rejection = match rejection {
            Rejection::InBatch { index, why } => return Self::from(*why).in_item(index),
            Rejection::InTask(why) => return Self::from(*why).within("task"),
            Rejection::LateResultKept(why) => {
                let mut problem = Self::from(*why);
                let kept = "; the result was kept in `late_results`";
                problem.inner.detail = format!("{}{kept}", problem.inner.detail).into();
                return problem;
            }
            other => other,
        };
        let problem = Self::new(status_of(&rejection), rejection.code(), rejection.to_string());
        let problem = match rejection.field() {
            Some(field) => problem.with("field", field),
            None => problem,
        };
        match &rejection {
            Rejection::TaskAlreadyClaimed { claimed_by, .. }
            | Rejection::NotHolder { claimed_by, .. } => {
                problem.with("claimed_by", claimed_by.as_str())
            }
            Rejection::TaskNotOpen { status, .. } => problem.with("task_status", status.as_str()),
            Rejection::TaskBlocked { blocked_by, .. } => {
                let ids: Vec<&str> = blocked_by.iter().map(|id| id.as_str()).collect();
                problem.with("blocked_by", ids)
            }
            Rejection::TaskScheduled { not_before, .. } => {
                problem.with("not_before", not_before.to_string())
            }
            Rejection::MissingCapabilities { missing, .. } => {
                problem.with("missing", missing.clone())
            }
            Rejection::ReservationConflict(conflicts) => {
                problem.with("conflicts", json!(conflicts))
            }
            Rejection::ProposalClosed { status, .. } => {
                problem.with("proposal_status", status.as_str())
            }
            _ => problem,
        }
    }
}

/// The one table from the hub's refusals to statuses.
fn status_of(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::UnknownEntity(_)
        | Rejection::UnknownRecipient(_)
        | Rejection::UnknownMessage(_)
        | Rejection::UnknownChannel(_)
        | Rejection::UnknownTask(_)
        | Rejection::UnknownProposal(_)
        | Rejection::UnknownReservation(_)
        | Rejection::UnknownToken(_)
        | Rejection::UnknownInvite(_) => StatusCode::NOT_FOUND,
        Rejection::TokenRevoked => StatusCode::UNAUTHORIZED,
        Rejection::Invalid { .. } | Rejection::KeyReused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Rejection::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::CallerNeeded
        | Rejection::NotAllowed(_)
        | Rejection::ChannelForbidden { .. }
        | Rejection::ReservedType(_)
        | Rejection::RequiresHuman(_)
        | Rejection::RequiresAi(_)
        | Rejection::MissingCapabilities { .. }
        | Rejection::NotInElectorate { .. }
        | Rejection::Observer
        | Rejection::InviteNeeded
        | Rejection::InviteRefused(_) => StatusCode::FORBIDDEN,
        // Everything else conflicts with how things stand.
        _ => StatusCode::CONFLICT,
    }
}

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        let detail = error.to_string();
        match error {
            HubError::Rejected(rejection) => rejection.into(),
            HubError::Busy => Self::new(UNAVAILABLE, "busy", detail).retry_after(1),
            HubError::Unavailable(_) => {
                Self::new(UNAVAILABLE, "unavailable", detail).retry_after(5)
            }
            HubError::OutcomeUnknown(_) => Self::new(UNAVAILABLE, "unavailable", detail)
                .retry_after(5)
                .with("outcome", "unknown"),
            HubError::Closed => Self::new(UNAVAILABLE, "unavailable", detail).retry_after(5),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        HubError::from(error).into()
    }
}
