//! What both kinds of hub can be asked: any route of the table, at once or as a ticket, and events.

use std::{pin::Pin, sync::Arc};

use coordhub_server::local::{Answer, Later};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    events::{Events, Feed},
    json::to_json,
    pending::{Pending, Ticket, deadline, shown, timed_out},
    process::Process,
    refused, runtime,
    served::Service,
};

/// One call, on its way to a hub.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) args: &'a [u8],
    pub(crate) caller: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) role: Option<&'a str>,
    /// How many seconds it may take, where the hub is told.
    pub(crate) timeout: Option<f64>,
}

/// What it takes to answer a call.
pub(crate) enum Begun {
    /// Nothing more.
    There(Answer),
    /// Waiting; needs no runtime.
    Coming(Later),
    /// Waiting; needs the runtime's context.
    Waiting(Later),
    /// May block.
    Blocking(Box<dyn FnOnce() -> Answer + Send>),
}

/// A hub of either kind.
pub(crate) trait Backend: Send + Sync {
    /// Begins to answer a call. Does not block.
    fn begin(&self, asked: &Asked<'_>) -> Begun;

    /// Follows the log: args are the fields of `GET /events`. Does not block.
    fn follow(&self, args: &[u8], caller: Option<&str>) -> Result<Box<dyn Follow>, Answer>;

    /// Whether it was closed here.
    fn is_closed(&self) -> bool;

    /// Has nothing new begun. Gives what is to end before it can be closed. Does not block.
    fn begin_close(&self) -> Vec<Arc<Service>>;

    /// Ends every wait, and lets go of everything. May block.
    fn close(&self);
}

/// One who follows the log of a hub. Lives in the runtime's context.
pub(crate) trait Follow: Send {
    /// What comes next: a JSON array, empty only where the hub was closed here; or why there is nothing more.
    fn batch(self: Box<Self>) -> Batch;

    /// Everything up to here was given; empty where a remote hub has not said yet where it begins.
    fn position(&self) -> String;
}

/// The follower comes back with its answer.
pub(crate) type Batch = Pin<Box<dyn Future<Output = (Box<dyn Follow>, Answer)> + Send>>;

/// A hub that can be asked anything of the table of routes. The two kinds are Local and Remote.
#[pyclass(frozen, subclass, module = "coordhub._coordhub")]
pub(crate) struct Face {
    process: Process,
    /// Taken out when it is dropped, and never before.
    backend: Option<Arc<dyn Backend>>,
}

impl Face {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { process: Process::current(), backend: Some(backend) }
    }

    fn backend(&self) -> PyResult<&Arc<dyn Backend>> {
        self.process.check()?;
        self.backend.as_ref().ok_or_else(refused::forked)
    }
}

impl Drop for Face {
    fn drop(&mut self) {
        let taken = self.backend.take();
        if self.process.is_left() {
            self.process.drop(taken);
        } else {
            // Closing waits for the writer. It never takes the GIL, so that this is slow at worst.
            Python::attach(|py| py.detach(|| taken.inspect(|backend| backend.close())));
        }
    }
}

#[pymethods]
impl Face {
    /// Calls a route, and waits for the answer. Path is the route's as in the table of routes, with {name} where an id
    /// stands; args are all its fields, ids of the path among them. Raises Refused, and TimeoutError where timeout
    /// seconds went by. Any signal handler of Python's may run meanwhile, and end it by raising.
    #[pyo3(signature = (method, path, args=None, caller=None, key=None, timeout=None, role=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of a Python method, which have names"
    )]
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        path: &str,
        args: Option<&Bound<'_, PyDict>>,
        caller: Option<&str>,
        key: Option<&str>,
        timeout: Option<f64>,
        role: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let backend = self.backend()?;
        let args = to_json(args)?;
        let pending =
            match backend.begin(&Asked { method, path, args: &args, caller, key, role, timeout }) {
                Begun::There(answer) => return shown(py, &answer.into()),
                Begun::Blocking(work) => {
                    let answer = py.detach(work);
                    return shown(py, &answer.into());
                }
                Begun::Coming(later) => Pending::coming(later),
                Begun::Waiting(later) => Pending::in_context(runtime::handle()?, later),
            };
        match pending.wait(py, deadline(timeout))? {
            Some(answer) => shown(py, &answer),
            None => Err(timed_out()),
        }
    }

    /// Begins the same call, and gives the ticket for its answer. In this process they are done in
    /// the order of these calls.
    #[pyo3(signature = (method, path, args=None, caller=None, key=None, role=None))]
    fn submit(
        &self,
        method: &str,
        path: &str,
        args: Option<&Bound<'_, PyDict>>,
        caller: Option<&str>,
        key: Option<&str>,
        role: Option<&str>,
    ) -> PyResult<Ticket> {
        let backend = self.backend()?;
        let args = to_json(args)?;
        let begun =
            backend.begin(&Asked { method, path, args: &args, caller, key, role, timeout: None });
        Ok(Ticket::new(match begun {
            Begun::There(answer) => Pending::there(answer),
            Begun::Coming(later) => Pending::coming(later),
            Begun::Waiting(later) => Pending::spawned(&runtime::handle()?, later),
            Begun::Blocking(work) => Pending::on_a_thread(&runtime::handle()?, work),
        }))
    }

    /// Follows the log: args are the fields of GET /events/stream. Begins with what comes next where since is not given.
    #[pyo3(signature = (args=None, caller=None))]
    fn events(
        &self,
        py: Python<'_>,
        args: Option<&Bound<'_, PyDict>>,
        caller: Option<&str>,
    ) -> PyResult<Events> {
        let (backend, args, runtime) = (self.backend()?, to_json(args)?, runtime::handle()?);
        let follow = {
            let _context = runtime.enter();
            backend.follow(&args, caller).map_err(|answer| refused::refused(py, &answer.body))?
        };
        Ok(Events::new(Feed::new(backend.clone(), follow, runtime)))
    }

    /// Whether close() was called.
    #[getter]
    fn closed(&self) -> PyResult<bool> {
        Ok(self.backend()?.is_closed())
    }

    /// Finishes what was begun, and lets go of everything. Whoever waits is told. A second call does nothing. Where
    /// a signal handler of Python's raises meanwhile, services are broken off, and it is closed all the same.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let backend = self.backend()?;
        let services = backend.begin_close();
        let ended = services.iter().try_for_each(|service| {
            service.ending().wait(py, None)?;
            Ok(())
        });
        if ended.is_err() {
            services.iter().for_each(|service| service.abort());
        }
        py.detach(|| backend.close());
        ended
    }
}
