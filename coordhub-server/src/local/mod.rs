//! The hub in the process of whoever calls: the same routes, judged and answered by the same code as over
//! the network, with neither connection nor request around them.
//!
//! A call names a route as it stands in [`router::ROUTES`] and brings its fields, those of the path too,
//! in one JSON object. It is not waited for here: what it takes to answer is given back ([`Started`]), so
//! that a thread, or an event loop of any kind, can do so in its own way.
//!
//! ```
//! use coordhub_core::{Hub, command::Role};
//! use coordhub_server::{Config, local::{Local, LocalCall, Started}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let local = Local::new(Hub::in_memory()?, Config::default());
//! let started = local.call(LocalCall {
//!     method: "POST",
//!     path: "/tasks/create",
//!     args: br#"{"title": "Build the API"}"#,
//!     caller: Some("session-5"),
//!     role: Role::Member,
//!     key: None,
//! });
//! let mut answer = match started {
//!     Started::Done(answer) => answer,
//!     Started::Blocking(work) => work(),
//!     Started::Submitted(later) | Started::Waiting(later) => later.await,
//! };
//! answer.taken();
//! assert_eq!(answer.status, 200);
//! # Ok(())
//! # }
//! ```

mod answer;
mod follow;
#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use follow::Follow;

use std::{fmt, pin::Pin};

use coordhub_core::{Hub, Made, command::Role, ids::EntityId};

use crate::{
    access::{
        caller::{CallerIn, Named},
        gate::{self, Access, Sender},
    },
    app::App,
    config::Config,
    http::{
        call::{Call, Change, Read, SoftChange},
        events, handle, openapi,
        router::{self, Action, Route},
    },
    net::Drain,
    wire::{Fields, Problem},
};

/// A hub as the program has it that it is part of. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Local {
    app: App,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct LocalCall<'a> {
    /// The route's method.
    pub method: &'a str,
    /// Its path, with `{name}` where an id stands, as in the table.
    pub path: &'a str,
    /// A JSON object with all its fields, ids of the path among them.
    pub args: &'a [u8],
    /// Who calls, where the fields do not say.
    pub caller: Option<&'a str>,
    /// As what: the program may do whatever an admin may.
    pub role: Role,
    /// Under which idempotency key.
    pub key: Option<&'a str>,
}

/// What it takes to answer a call.
pub enum Started {
    /// Nothing more.
    Done(Answer),
    /// Waiting for the writer. Needs no async runtime; what was asked for is under way.
    Submitted(Later),
    /// Reading what may be on disk. May block.
    Blocking(Box<dyn FnOnce() -> Answer + Send>),
    /// Waiting for something to happen. Needs tokio around it.
    Waiting(Later),
}

/// An answer that is to come. Dropped before, nobody waits any more.
pub type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::Submitted(_) => "Submitted",
            Self::Blocking(_) => "Blocking",
            Self::Waiting(_) => "Waiting",
        })
    }
}

impl Local {
    /// A hub's face to the program that it is part of.
    pub fn new(hub: Hub, config: Config) -> Self {
        Self { app: App::new(hub, config, Drain::new()) }
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        self.app.hub()
    }

    /// Has whatever waits here answered as if its time were up, now and from now on.
    pub fn end_waits(&self) {
        self.app.drain().begin();
        self.hub().end_waits();
    }

    /// Whether nothing waits here any more.
    pub fn ends_waits(&self) -> bool {
        self.app.drain().is_draining()
    }

    /// Begins to answer a call.
    pub fn call(&self, call: LocalCall<'_>) -> Started {
        self.start(call).unwrap_or_else(|problem| Started::Done(Answer::refused(&problem)))
    }

    /// Follows the log: `args` are fields of `GET /events`, of which `wait` does not count. It begins with what comes
    /// next where no position is given.
    pub fn follow(&self, args: &[u8], caller: Option<&str>) -> Result<Follow, Problem> {
        let asked = LocalCall {
            method: "GET",
            path: "/events",
            args,
            caller,
            role: Role::Member,
            key: None,
        };
        self.with_call(asked, |_, call| Follow::new(call))
    }

    fn start(&self, asked: LocalCall<'_>) -> Result<Started, Problem> {
        self.with_call(asked, |route, call| self.act(route, call, asked.key))
    }

    /// Reads a call as the network's are read.
    fn with_call<T>(
        &self,
        asked: LocalCall<'_>,
        then: impl FnOnce(&'static Route, &Call<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let route =
            router::by_template(asked.method, asked.path).ok_or_else(handle::unknown_path)?;
        let access = Access::Program(asked.role);
        gate::check(route.open_to, &access)?;
        let caller = asked.caller.map(|name| named(name, &access)).transpose()?;
        let fields = Fields::of_body(asked.args)?;
        fields.refuse_items()?;
        let call = Call {
            app: &self.app,
            fields,
            named: Named { header: None, socket: caller.as_ref() },
            caller_in: match route.caller_in {
                // All fields stand together here.
                CallerIn::Path => CallerIn::EntityId,
                place => place,
            },
            access: &access,
            sender: Sender::default(),
            host: None,
        };
        then(route, &call)
    }

    fn act(
        &self,
        route: &'static Route,
        call: &Call<'_>,
        key: Option<&str>,
    ) -> Result<Started, Problem> {
        let (app, access) = (call.app, call.access);
        let key = key.filter(|_| route.takes_keys());
        match route.action {
            Action::Change(make) => {
                let keyed = |change: Change| match key {
                    Some(text) => {
                        Ok(Change { key: Some(handle::key(route, call, text)?), ..change })
                    }
                    None => Ok(change),
                };
                let made = make(call).and_then(keyed);
                match made.and_then(|change| access.check_changes().map(|()| change)) {
                    Ok(change) => Ok(self.submit(change)),
                    Err(problem) => Ok(match handle::look_for_missing(route, call, &problem) {
                        None => return Err(problem),
                        Some(look) => self.blocking(move |app| match look(app) {
                            Err(missing) if missing.status().as_u16() == 404 => Err(missing),
                            _ => Err(problem),
                        }),
                    }),
                }
            }
            Action::Soft(act) => Ok(match access.check_changes().and_then(|()| act(call))? {
                SoftChange::Done(body) => Started::Done(Answer::of(body)),
                SoftChange::Change(change) => self.submit(*change),
            }),
            Action::Read(look) => Ok(match look(call)? {
                Read::Ready(body) => Started::Done(Answer::of(body)),
                Read::Later(read) => self.blocking(read),
                Read::When(answered) => {
                    Started::Waiting(Box::pin(async move { Answer::from(answered.await) }))
                }
            }),
            Action::Events => {
                let (app, wanted) = (app.clone(), events::wanted(call)?);
                Ok(Started::Waiting(Box::pin(async move {
                    Answer::from(events::answer(&app, wanted).await.map(Vec::from))
                })))
            }
            Action::OpenApi => Ok(Started::Done(Answer::of(openapi::document().to_vec()))),
            _ => Err(handle::unknown_path()),
        }
    }

    fn submit(&self, change: Change) -> Started {
        let performed = handle::perform(&self.app, change, None);
        Started::Submitted(Box::pin(async move {
            match performed.await {
                Ok(handle::Answered { body, made, take_back }) => Answer {
                    is_replayed: made == Made::Before,
                    take_back: take_back.map(Box::new),
                    ..Answer::of(body)
                },
                Err(problem) => Answer::refused(&problem),
            }
        }))
    }

    fn blocking(
        &self,
        read: impl FnOnce(&App) -> Result<Vec<u8>, Problem> + Send + 'static,
    ) -> Started {
        let app = self.app.clone();
        Started::Blocking(Box::new(move || Answer::from(read(&app))))
    }
}

fn named(name: &str, access: &Access) -> Result<EntityId, Problem> {
    access.parse_id(name).map_err(|why| Problem::field("entity_id", format!("entity_id: {why}")))
}

/// Opens the hub kept in the file at `path`, for whoever embeds it; `:memory:` is kept nowhere. The problem
/// says why it cannot be.
pub fn open(path: &std::path::Path) -> Result<Hub, Problem> {
    let opened = match path.to_str() {
        Some(":memory:") => Hub::in_memory(),
        _ => Hub::open(path),
    };
    opened.map_err(|why| answer::unopened(&why))
}
