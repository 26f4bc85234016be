//! A hub on the other side of a network, for threads.
//!
//! ```no_run
//! # fn example() -> Result<(), coordhub_server::client::ClientError> {
//! use coordhub_server::client::{Client, Wanted};
//!
//! let hub = Client::builder("http://localhost:8550").entity("session-5").build_blocking()?;
//! hub.call("POST", "/messages/send", br#"{"content": "API ready"}"#)?;
//! let mut events = hub.events(Wanted::since(0));
//! println!("{:?}", events.batch(None)?);
//! # Ok(())
//! # }
//! ```
//!
//! One thread of the client's own does all its waiting, whoever asks. It ends with the last handle.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};

use super::{Answer, CallOptions, ClientError, Item, Wanted, request::misused};

/// A hub on the other side of a network, for threads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    inner: super::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    pub(super) fn new(inner: super::Client) -> Result<Self, ClientError> {
        let started =
            Runtime::start().map_err(|why| misused(format!("no thread for it: {why}")))?;
        Ok(Self { inner, runtime: Arc::new(started) })
    }

    /// Makes a call: the method and path of a route, and its arguments.
    pub fn call(&self, method: &str, path: &str, args: &[u8]) -> Result<Answer, ClientError> {
        self.call_with(method, path, args, CallOptions::default())
    }

    /// The same, with what this one call has of its own.
    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        args: &[u8],
        options: CallOptions,
    ) -> Result<Answer, ClientError> {
        let hub = self.inner.clone();
        let (method, path, args) = (method.to_owned(), path.to_owned(), args.to_vec());
        let (done, answer) = mpsc::sync_channel(1);
        self.runtime.handle.spawn(async move {
            // Whoever asked waits below.
            let _taken = done.send(hub.call_with(&method, &path, &args, options).await);
        });
        answer.recv().unwrap_or_else(|_| Err(ended()))
    }

    /// Follows the log.
    pub fn events(&self, wanted: Wanted) -> Events {
        let mut inner = self.inner.events(wanted);
        let (ask, mut asked) = tokio::sync::mpsc::channel::<()>(1);
        let (tell, told) = mpsc::channel();
        self.runtime.handle.spawn(async move {
            // One batch whenever it is asked for, and none when nobody can ask any more.
            while asked.recv().await.is_some() {
                let batch = tokio::select! {
                    batch = inner.batch() => batch,
                    () = ask_gone(&mut asked) => return,
                };
                if tell.send(batch).is_err() {
                    return;
                }
            }
        });
        Events { ask, told, is_asked: false, _runtime: Arc::clone(&self.runtime) }
    }

    /// The hub's address.
    pub fn url(&self) -> &str {
        self.inner.url()
    }
}

/// Waits until nobody can ask any more. Whoever asked waits for the answer first, so nothing else can come.
async fn ask_gone(asked: &mut tokio::sync::mpsc::Receiver<()>) {
    while asked.recv().await.is_some() {}
}

/// The log as it is followed: once and in order, over any number of connections.
#[derive(Debug)]
pub struct Events {
    ask: tokio::sync::mpsc::Sender<()>,
    told: mpsc::Receiver<Result<Vec<Item>, ClientError>>,
    /// Whether a batch was asked for that nobody has taken yet.
    is_asked: bool,
    _runtime: Arc<Runtime>,
}

impl Events {
    /// What comes next: at least one item; none where the time is up, or where the stream has ended by an error.
    pub fn batch(&mut self, patience: Option<Duration>) -> Result<Vec<Item>, ClientError> {
        if !self.is_asked {
            self.is_asked = self.ask.try_send(()).is_ok();
        }
        let batch = match patience {
            None => self.told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(patience) => self.told.recv_timeout(patience),
        };
        match batch {
            Ok(batch) => {
                self.is_asked = false;
                batch
            }
            Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }
}

fn ended() -> ClientError {
    misused("the thread of this client has ended".to_owned())
}

/// A thread that drives what others wait for.
#[derive(Debug)]
struct Runtime {
    handle: Handle,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Runtime {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let driver = thread::Builder::new().name("coordhub-client".to_owned());
        driver.spawn(move || {
            // What is still under way goes with the runtime.
            let _dropped = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }
}
