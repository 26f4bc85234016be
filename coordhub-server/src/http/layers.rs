//! What is done with every request, before and after it is answered.

use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};
use futures_util::FutureExt;
use tower_service::Service;

use super::handle::handle;
use crate::{access::origin::Verdict, app::App, wire::Problem};

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

async fn respond(app: &App, request: Request<Body>) -> Response<Body> {
    let judged = app.origins().judge(request.method(), request.uri(), request.headers());
    let response = match judged {
        Err(problem) => problem.into_response(),
        Ok(Verdict::Own) => guarded(app, request).await,
        Ok(Verdict::Allowed(origin)) => {
            let mut response = match preflight(&request) {
                Some(response) => response,
                None => guarded(app, request).await,
            };
            allow_origin(&mut response, origin);
            response
        }
    };
    app.counters().answered(response.status().as_u16());
    response
}

/// A handler that panics costs its request an answer, not the connection its life.
async fn guarded(app: &App, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    match AssertUnwindSafe(handle(app, request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(path, "a handler panicked");
            coordhub_core::HubError::Internal.into_response()
        }
    }
}

trait IntoResponse {
    fn into_response(self) -> Response<Body>;
}

impl IntoResponse for coordhub_core::HubError {
    fn into_response(self) -> Response<Body> {
        Problem::from(self).into_response()
    }
}

const ALLOWED_METHODS: &str = "GET, POST, DELETE";
const ALLOWED_HEADERS: &str =
    "authorization, content-type, idempotency-key, last-event-id, x-entity-id";

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
    let exposed = HeaderValue::from_static("retry-after");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}
