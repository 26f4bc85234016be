//! What is done with every request, before and after it is answered.

use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
    },
};
use coordhub_core::HubError;
use futures_util::FutureExt;
use tower_service::Service;
use tracing::{debug, error, warn};

use super::{
    handle::{RefusedTo, handle},
    request_id::{REQUEST_ID, RequestId},
    router::{self, ROUTES},
};
use crate::{
    access::{
        fair,
        gate::{Page, Sender},
        origin::{Head, Verdict},
        refusals::{self, Whom},
        secret,
    },
    app::App,
    net::Peer,
    wire::{Problem, error::Code},
};

/// The whole HTTP face as one service: judges where a request comes from, answers it, counts it.
#[derive(Clone, Debug)]
pub struct Face {
    app: App,
}

impl Face {
    /// The face of a server.
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

impl<B> Service<Request<B>> for Face
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let app = self.app.clone();
        Box::pin(async move { Ok(respond(&app, request.map(Body::new)).await) })
    }
}

/// What is remembered of a request while it is answered.
struct Asked {
    id: HeaderValue,
    method: Method,
    uri: Uri,
    /// The position of its route.
    route: Option<usize>,
    began: Instant,
}

impl Asked {
    /// Its name, for the log.
    fn name(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// What it asks for, for the log: its path, or where a secret was written into that, its route.
    fn place(&self) -> &str {
        let path = self.uri.path();
        if !secret::is_in(path) {
            return path;
        }
        self.route.map_or("", |position| ROUTES[position].path)
    }
}

async fn respond(app: &App, mut request: Request<Body>) -> Response<Body> {
    let network = &app.config().network;
    let client = network.client(request.extensions().get::<Peer>(), request.headers());
    let asked = Asked {
        id: app.request_ids().of(request.headers()),
        method: request.method().clone(),
        uri: request.uri().clone(),
        route: router::find(request.method(), request.uri().path()),
        began: Instant::now(),
    };
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let judged = if network.trusts(&client) {
        app.origins().judge(Head {
            method: &asked.method,
            uri: &asked.uri,
            headers: request.headers(),
            scheme: client.scheme(),
            auth: app.config().auth,
        })
    } else {
        Err(stranger())
    };
    let page = match &judged {
        Ok(Verdict::OwnPage) => Page::Own,
        _ => Page::Unknown,
    };
    request.extensions_mut().insert(Sender { client, page });
    request.extensions_mut().insert(RequestId(asked.id.clone()));
    let mut response = match judged {
        Err(problem) => problem.into_response(),
        Ok(Verdict::Own | Verdict::OwnPage) => guarded(app, &asked, request).await,
        Ok(Verdict::Allowed(origin)) => {
            let mut response = match preflight(&request) {
                Some(response) => response,
                None => guarded(app, &asked, request).await,
            };
            allow_origin(&mut response, origin);
            response
        }
    };
    count(app, &asked, &response, client.address);
    if let Some(code) = response.extensions().get().map(|Code(code)| *code) {
        fair::hold_back(code).await;
    }
    make_harmless(response.headers_mut(), client.is_secure);
    if is_chunked {
        // There may have been a Content-Length beside it, which a proxy went by: what it takes for the rest
        // of this request must not become the next one (RFC 9112, 6.1).
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response.headers_mut().insert(REQUEST_ID, asked.id);
    response
}

fn stranger() -> Problem {
    let detail = "this hub serves the networks that --trusted-network names, and this address is in none of them";
    Problem::new(StatusCode::FORBIDDEN, "address_not_allowed", detail)
}

/// What a browser must not make of any answer, whatever it is. A page has a policy of its own.
fn make_harmless(headers: &mut HeaderMap, is_secure: bool) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::CACHE_CONTROL, "no-store");
    if is_secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// A handler that panics costs its request an answer, not the connection its life.
async fn guarded(app: &App, asked: &Asked, request: Request<Body>) -> Response<Body> {
    let route = asked.route.map(|position| &ROUTES[position]);
    match AssertUnwindSafe(handle(app, route, request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(request_id = asked.name(), path = asked.place(), "a handler panicked");
            Problem::from(HubError::Internal).into_response()
        }
    }
}

/// Counts what was answered, and logs it where it failed or everything is logged. Paths go without their query, in
/// which there may be what is nobody else's business.
fn count(app: &App, asked: &Asked, response: &Response<Body>, address: Option<IpAddr>) {
    let (metrics, status) = (app.metrics(), response.status().as_u16());
    let took = metrics.answered(asked.route, status, asked.began);
    let code = response.extensions().get().map(|Code(code)| *code);
    if let Some(code) = code {
        metrics.refused(status, code);
        refusals::note(app, (status, code), || Whom {
            entity: response.extensions().get().map(|RefusedTo(id)| id),
            address,
            route: asked.route.map(|position| &ROUTES[position]),
        });
    }
    let (method, path) = (&asked.method, asked.place());
    let micros = took.as_micros() as u64;
    if status == 503 && metrics.is_first_this_second() {
        warn!(request_id = asked.name(), %method, path, status, code, micros, "refused; more may follow");
    } else if status >= 500 && status != 503 {
        error!(request_id = asked.name(), %method, path, status, code, micros, "failed");
    } else {
        debug!(request_id = asked.name(), %method, path, status, code, micros, "answered");
    }
}

const ALLOWED_METHODS: &str = "GET, POST, DELETE";
const ALLOWED_HEADERS: &str =
    "authorization, content-type, idempotency-key, last-event-id, x-entity-id, x-request-id";

/// The answer to a browser that asks an allowed page's permission first.
fn preflight(request: &Request<Body>) -> Option<Response<Body>> {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let mut set = |name: HeaderName, value| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        set(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        set(header::ACCESS_CONTROL_MAX_AGE, "600");
        response
    })
}

fn allow_origin(response: &mut Response<Body>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let exposed = HeaderValue::from_static("retry-after, x-request-id");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}
