//! The monitor: `/health` and `/metrics` on a port of their own, for when the hub itself does not answer.
//!
//! It has threads of its own and reads atomics, so it answers when every thread of the async runtime is blocked, when
//! the writer waits for its disk, and when all connections of the hub are taken. It is on loopback only, and asks of
//! `Host` what the hub asks.
//!
//! The path of a request: `door` (bounds), tiny_http (the protocol), `answer` here, `text` (what was counted).

mod door;
mod machine;
mod text;

#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, thread};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tiny_http::{Header, Request, Response, Server};

pub use door::Door;

use crate::{
    access::{gate::AuthMode, origin::Head},
    app::App,
};
use machine::Machine;

/// How many threads answer. One more than one, so that a reader who is slow to take its answer holds up nobody.
const ANSWERING_THREADS: usize = 2;

/// The monitor could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// It would listen where others can reach it.
    #[error(
        "the monitor may not listen on {0}, which can be reached from other machines: it does not ask who calls; give --monitor a loopback address such as 127.0.0.1:8551"
    )]
    NotLoopback(SocketAddr),
    /// Somebody listens there already, or the machine has no such address.
    #[error("the monitor cannot listen on {address}: {source}; --monitor chooses another address")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread, or the socket between its parts, could not be had.
    #[error("the monitor cannot start: {0}")]
    Start(String),
}

/// A monitor that answers, until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    address: SocketAddr,
    door: Arc<Door>,
    server: Inner,
    machine: Arc<Machine>,
}

/// The server behind the door.
struct Inner(Arc<Server>);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Monitor {
    /// Starts to answer at a door that is open already.
    pub fn start(door: Door, app: &App) -> Result<Self, MonitorError> {
        let start = |why: io::Error| MonitorError::Start(why.to_string());
        let server = Server::http_unix(&door.inner_path())
            .map_err(|why| MonitorError::Start(why.to_string()))?;
        let (door, server) = (Arc::new(door), Arc::new(server));
        let machine = Machine::watch(app.config().db.clone()).map_err(start)?;
        let named = || thread::Builder::new().name("coordhub-monitor".to_owned());
        for _ in 0..ANSWERING_THREADS {
            let (server, app, machine) = (server.clone(), app.clone(), machine.clone());
            named().spawn(move || answer_all(&server, &app, &machine)).map_err(start)?;
        }
        let accepting = door.clone();
        named().spawn(move || accepting.accept_all()).map_err(start)?;
        Ok(Self { address: door.address(), door, server: Inner(server), machine })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.door.close();
        self.machine.stop();
        (0..ANSWERING_THREADS).for_each(|_| self.server.0.unblock());
    }
}

fn answer_all(server: &Server, app: &App, machine: &Machine) {
    while let Ok(request) = server.recv() {
        let Answer { status, kind, body } = answer(&request, app, machine);
        let response = Response::from_data(body).with_status_code(status);
        let header = |name: &str, value: &str| Header::from_bytes(name, value).ok();
        let headers = [header("Content-Type", kind), header("Cache-Control", "no-store")];
        let response = headers.into_iter().flatten().fold(response, Response::with_header);
        // Whoever asked may have left.
        let _written = request.respond(response);
    }
}

struct Answer {
    status: u16,
    kind: &'static str,
    body: Vec<u8>,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

fn answer(request: &Request, app: &App, machine: &Machine) -> Answer {
    let path = request.url().split('?').next().unwrap_or_default();
    if let Err(problem) = judge(request, app) {
        let (status, body) = (problem.status().as_u16(), problem.to_json().to_string());
        return Answer { status, kind: PROBLEM, body: body.into() };
    }
    let is_read = matches!(request.method(), tiny_http::Method::Get | tiny_http::Method::Head);
    match path {
        "/health" | "/metrics" if !is_read => refusal(405, "method_not_allowed", "GET asks"),
        "/health" => Answer { status: 200, kind: JSON, body: text::health(app).into() },
        "/metrics" => Answer {
            status: 200,
            kind: "text/plain; version=0.0.4; charset=utf-8",
            body: text::metrics(app, machine).into(),
        },
        _ => refusal(404, "unknown_path", "the monitor has /health and /metrics"),
    }
}

fn refusal(status: u16, code: &str, detail: &str) -> Answer {
    let body = serde_json::json!({ "status": status, "code": code, "detail": detail });
    Answer { status, kind: PROBLEM, body: body.to_string().into() }
}

/// The rule of the hub, with its one exemption: `/health` may be asked for by any name.
fn judge(request: &Request, app: &App) -> Result<(), crate::wire::Problem> {
    let mut headers = HeaderMap::new();
    for header in request.headers() {
        let name = HeaderName::from_bytes(header.field.as_str().as_bytes());
        let value = HeaderValue::from_bytes(header.value.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    // A target that is none matches no path, and has no exemption.
    let uri: Uri = request.url().parse().unwrap_or_else(|_| Uri::from_static("/-"));
    let method = Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::GET);
    // It asks for no token, so none may stand for a name.
    let (scheme, auth) = ("http", AuthMode::Open);
    let head = Head { method: &method, uri: &uri, headers: &headers, scheme, auth };
    app.origins().judge(head).map(drop)
}
