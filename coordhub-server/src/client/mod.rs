//! A hub on the other side of a network.
//!
#![cfg_attr(feature = "server", doc = "```")]
#![cfg_attr(not(feature = "server"), doc = "```ignore")]
//! # use coordhub_server::{Config, net::Drain};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (bind, db) = (vec![([127, 0, 0, 1], 0).into()], folder.path().join("hub.db"));
//! # let drain = Drain::new();
//! # let running = coordhub_server::start(Config { bind, db, ..Config::default() }, drain.clone()).await?;
//! # let url = format!("http://{}", running.local_addresses()[0]);
//! # let served = tokio::spawn(running.run());
//! use coordhub_server::client::{Client, Item, Wanted};
//! use serde_json::Value;
//!
//! let hub = Client::builder(url).entity("session-5").build()?;
//! let args = br#"{"task_id": "t1", "title": "Build the API", "priority": "high"}"#;
//! hub.call("POST", "/tasks/create", args).await?;
//! let claim = hub.call("POST", "/tasks/{task_id}/claim", br#"{"task_id": "t1"}"#).await?;
//! assert_eq!(claim.json::<Value>()?["task"]["claimed_by"], "session-5");
//!
//! let mut events = hub.events(Wanted::since(0).kinds(["task_claimed"]));
//! let Item::Event(event) = &events.batch().await?[0] else { panic!("a new hub has no gaps") };
//! assert_eq!((event.seq(), event.kind()), (2, "task_claimed"));
//!
//! let refused = hub.call("GET", "/tasks/{task_id}", br#"{"task_id": "t2"}"#).await.unwrap_err();
//! assert_eq!(refused.problem().map(|problem| problem.code.as_str()), Some("unknown_task"));
//! # drop((hub, events));
//! # drain.begin();
//! # served.await?;
//! # Ok(())
//! # }
//! ```
//!
//! The whole face of it:
//!
//! - [`Client::builder`]`(url)`, then [`token`](Builder::token), [`entity`](Builder::entity), [`timeout`](Builder::timeout),
//!   [`connect_timeout`](Builder::connect_timeout), [`ca_file`](Builder::ca_file), [`retries`](Builder::retries), and
//!   [`build`](Builder::build)`() -> Result<Client, ClientError>`.
//! - [`Client::call`]`(method, path, args) -> Result<Answer, ClientError>`, and
//!   [`Client::call_with`]`(method, path, args, CallOptions { key, timeout, entity })`: any route of the hub. `path` is as it
//!   stands in the documents, with `{task_id}` where an id stands; `args` is the text of a JSON object with all arguments,
//!   those ids among them.
//! - [`Client::events`]`(Wanted) -> Events`; [`Events::batch`]`() -> Result<Vec<Item>, ClientError>` waits for at least one
//!   item, and may be dropped while it waits. An [`Item`] is an [`Event`] (its `seq`, its kind and its JSON) or a [`Gap`].
//! - [`blocking::Client`]: the same for threads.
//!
//! A [`Client`] is cheap to clone, keeps its connections, and wants a tokio runtime with I/O and time. Dropping the future of
//! a call breaks the call off.
//!
//! Everything has its time. Reads and signs of life are tried again where a connection breaks or the hub is busy, with
//! growing waits. So is a change, because the client makes it under an idempotency key: what the hub has done is not
//! done again. A removal, a change by nobody and a `claim-next` have no key; they are tried again only where nothing
//! was done. The hub takes back a claim without a key when nobody hears of it.

mod address;
mod json;
mod error;
mod request;
mod backoff;
mod connect;
mod shared;
mod call;
mod events;
pub mod blocking;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::de::DeserializeOwned;

pub use error::{ClientError, Delivery, Problem};
pub use events::{Event, Events, Gap, GapReason, Item, Wanted};

use address::Address;
use connect::Connector;
use request::misused;
use shared::Shared;

/// How long a call may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time that anything is given: the clock ends somewhere.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3_600);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a call is tried again.
const RETRIES: u32 = 8;

/// Has the programs of the document compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-client.md")]
struct Documented;

/// A hub on the other side of a network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// A client of the hub at an address such as `http://localhost:8550`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            token: None,
            entity: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            ca_file: None,
            retries: RETRIES,
        }
    }

    /// Makes a call: the method and path of a route, and its arguments.
    pub async fn call(&self, method: &str, path: &str, args: &[u8]) -> Result<Answer, ClientError> {
        self.call_with(method, path, args, CallOptions::default()).await
    }

    /// The same, with what this one call has of its own.
    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        args: &[u8],
        options: CallOptions,
    ) -> Result<Answer, ClientError> {
        call::call(&self.shared, method, path, args, options).await
    }

    /// Follows the log. Nothing is asked before the first [`Events::batch`].
    pub fn events(&self, wanted: Wanted) -> Events {
        Events::new(Arc::clone(&self.shared), wanted)
    }

    /// The hub's address.
    pub fn url(&self) -> &str {
        self.shared.url()
    }
}

/// What a client is made of.
#[derive(Clone)]
pub struct Builder {
    url: String,
    token: Option<String>,
    entity: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    ca_file: Option<PathBuf>,
    retries: u32,
}

impl Builder {
    /// The token to show. It goes over TLS, or stays on this machine.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    /// Who calls, where a call does not say it.
    #[must_use]
    pub fn entity(self, id: impl Into<String>) -> Self {
        Self { entity: Some(id.into()), ..self }
    }

    /// How long a call may take, all its tries together; 30 seconds where not given, a year at most. How long the hub is
    /// asked to wait comes on top.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long a connection may take; 5 seconds where not given.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// A file of certificates (PEM) to trust, in place of those that the machine trusts.
    #[must_use]
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(path.into()), ..self }
    }

    /// How often a call is tried again, where that is safe; 8 times where not given.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// The client. Reads the certificates; connects to nothing.
    pub fn build(self) -> Result<Client, ClientError> {
        let address = Address::parse(&self.url).map_err(misused)?;
        let token = match self.token {
            None => None,
            Some(token) => {
                address.check_secret().map_err(misused)?;
                // The text itself is in no message.
                let is_token =
                    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
                let value = is_token.then(|| call::header("a token", &format!("Bearer {token}")));
                let mut value = value.ok_or_else(|| {
                    misused("this is no token: one is cht_ and letters, digits, - and _".to_owned())
                })??;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let connect_timeout = self.connect_timeout.min(TIMEOUT_MAX);
        let connector = Connector::new(address.clone(), self.ca_file.as_deref(), connect_timeout)
            .map_err(misused)?;
        let Self { entity, timeout, retries, .. } = self;
        let timeout = timeout.min(TIMEOUT_MAX);
        Ok(Client {
            shared: Arc::new(Shared { address, token, entity, timeout, retries, connector }),
        })
    }
}

impl Builder {
    /// The same for threads.
    pub fn build_blocking(self) -> Result<blocking::Client, ClientError> {
        blocking::Client::new(self.build()?)
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("url", &address::shown(&self.url))
            .field("entity", &self.entity)
            .finish_non_exhaustive()
    }
}

/// What one call has of its own.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// Under which idempotency key a change is made.
    pub key: Key,
    /// How long it may take; as long as the client's calls where not given.
    pub timeout: Option<Duration>,
    /// Who calls; whoever the client's calls are by where not given.
    pub entity: Option<String>,
}

/// Under which idempotency key a change is made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Key {
    /// One that the client makes, where the change is somebody's and a key is of use to it.
    #[default]
    Made,
    /// This one.
    Given(String),
    /// None: what may have been done is not tried again.
    None,
}

/// What a hub answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 200 but for what is not JSON.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Whether the change was made by an earlier call under the same key.
    pub is_replayed: bool,
}

impl Answer {
    /// The body as a type of yours, or as a [`serde_json::Value`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        json::read(&self.body).map_err(ClientError::Unfit)
    }
}
