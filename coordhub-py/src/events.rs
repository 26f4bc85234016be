//! Following the log, page by page; the next page is asked for as soon as somebody waits for it.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use coordhub_server::local::Answer;
use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};
use tokio::runtime::Handle;

use crate::{
    completions::{Completions, Waiting},
    face::{Asked, Backend, Begun},
    json::to_python,
    pending::{Pending, deadline},
    process::Process,
    refused,
};

/// How long one request waits. There is another after it.
const WAIT_SECONDS: u32 = 60;

/// One who follows the log.
pub(crate) struct Feed {
    backend: Arc<dyn Backend>,
    /// A JSON object: what is asked for, but for where and how long.
    args: Vec<u8>,
    caller: Option<String>,
    runtime: Handle,
    at: Mutex<At>,
}

struct At {
    /// `<epoch>:<seq>`, or a `seq` alone.
    position: String,
    under_way: Option<Arc<Pending>>,
    is_closed: bool,
}

impl Feed {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        args: Vec<u8>,
        caller: Option<String>,
        position: String,
        runtime: Handle,
    ) -> Self {
        let at = At { position, under_way: None, is_closed: false };
        Self { backend, args, caller, runtime, at: Mutex::new(at) }
    }

    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next page, where it is there.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Arc<Answer>> {
        self.page().poll(waker)
    }

    /// The page that is waited for now.
    fn page(&self) -> Arc<Pending> {
        let mut at = self.lock();
        if at.is_closed {
            return Arc::new(Pending::there(refused::closed()));
        }
        if let Some(under_way) = &at.under_way {
            return under_way.clone();
        }
        let args = self.args_at(&at.position);
        let begun = self.backend.begin(&Asked {
            method: "GET",
            path: "/events",
            args: &args,
            caller: self.caller.as_deref(),
            key: None,
            role: None,
        });
        let pending = Arc::new(match begun {
            Begun::There(answer) => Pending::there(answer),
            Begun::Coming(later) => Pending::coming(later),
            Begun::Waiting(later) => Pending::spawned(&self.runtime, later),
            Begun::Blocking(work) => Pending::on_a_thread(&self.runtime, work),
        });
        at.under_way = Some(pending.clone());
        pending
    }

    fn args_at(&self, position: &str) -> Vec<u8> {
        let rest = self.args.get(1..).unwrap_or(b"}");
        let comma = if rest.starts_with(b"}") { "" } else { "," };
        let since = serde_json::Value::from(position);
        let mut args = format!("{{\"since\":{since},\"wait\":{WAIT_SECONDS}{comma}").into_bytes();
        args.extend_from_slice(rest);
        args
    }

    /// The events of a page. The next one follows them.
    pub(crate) fn show<'py>(
        &self,
        py: Python<'py>,
        answer: &Answer,
    ) -> PyResult<Bound<'py, PyList>> {
        let page = to_python(py, &answer.body)?;
        let (next, epoch) = (page.get_item("next")?, page.get_item("epoch")?);
        let position = format!("{epoch}:{next}");
        let events = page.get_item("events")?.cast_into::<PyList>().map_err(PyErr::from)?;
        if let Some(gap) = page.cast::<PyDict>().map_err(PyErr::from)?.get_item("gap")? {
            gap.set_item("type", "gap")?;
            events.insert(0, gap)?;
        }
        let mut at = self.lock();
        at.position = position;
        at.under_way = None;
        Ok(events)
    }

    fn close(&self) {
        let under_way = {
            let mut at = self.lock();
            at.is_closed = true;
            mem::take(&mut at.under_way)
        };
        drop(under_way);
    }
}

/// Follows the log of a hub: every event once, in order.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Events {
    process: Process,
    /// Taken out when it is dropped, and never before.
    feed: Option<Arc<Feed>>,
}

impl Events {
    pub(crate) fn new(feed: Feed) -> Self {
        Self { process: Process::current(), feed: Some(Arc::new(feed)) }
    }

    fn feed(&self) -> PyResult<&Arc<Feed>> {
        self.process.check()?;
        self.feed.as_ref().ok_or_else(refused::forked)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.process.drop(self.feed.take());
    }
}

#[pymethods]
impl Events {
    /// The events that come next, one or more; none where timeout seconds went by. A dict whose type is gap stands
    /// before what follows a gap in the log. Raises Refused.
    #[pyo3(signature = (timeout=None))]
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyList>> {
        let (feed, deadline) = (self.feed()?, deadline(timeout));
        loop {
            let Some(answer) = feed.page().wait(py, deadline)? else {
                return Ok(PyList::empty(py));
            };
            if !answer.is_ok() {
                feed.lock().under_way = None;
                return Err(refused::refused(py, &answer.body));
            }
            let events = feed.show(py, &answer)?;
            if !events.is_empty() {
                return Ok(events);
            }
            if feed.backend.is_closed() {
                return Err(refused::refused(py, &refused::closed().body));
            }
        }
    }

    /// Has what next() would give handed out by completions, under token; it may be no event.
    fn add_to(&self, completions: &Completions, token: u64) -> PyResult<()> {
        completions.add(token, Waiting::Events(self.feed()?.clone()))
    }

    /// Where to go on: every event up to here was given.
    #[getter]
    fn position(&self) -> PyResult<String> {
        Ok(self.feed()?.lock().position.clone())
    }

    /// Follows no more.
    fn close(&self) -> PyResult<()> {
        self.feed()?.close();
        Ok(())
    }
}
