//! Following the log, page by page; the next page is asked for as soon as somebody waits for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Instant,
};

use coordhub_server::net::Drain;
use pyo3::{prelude::*, types::PyList};
use tokio::runtime::Handle;

use crate::{
    completions::{Completions, Waiting},
    face::{Backend, Follow},
    held::Held,
    pending::{Pending, deadline, shown},
    process::Process,
    refused,
};

/// One who follows the log.
pub(crate) struct Feed {
    backend: Arc<dyn Backend>,
    runtime: Handle,
    /// Begins when it is closed, which whoever waits is told.
    closed: Drain,
    at: Mutex<At>,
}

struct At {
    position: String,
    /// Here while nobody waits; else with the page that is under way.
    follow: Option<Box<dyn Follow>>,
    under_way: Option<Page>,
    /// Why there is nothing more, as it is told to whoever asks again.
    ended: Option<Arc<Held>>,
}

/// A page that is waited for.
#[derive(Clone)]
struct Page {
    pending: Arc<Pending>,
    /// Comes back with the answer.
    follow: Arc<Mutex<Option<Box<dyn Follow>>>>,
}

impl Feed {
    pub(crate) fn new(backend: Arc<dyn Backend>, follow: Box<dyn Follow>, runtime: Handle) -> Self {
        let position = follow.position();
        let at = At { position, follow: Some(follow), under_way: None, ended: None };
        Self { backend, runtime, closed: Drain::new(), at: Mutex::new(at) }
    }

    fn lock(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next page, where it is there.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Arc<Held>> {
        self.page().poll(waker)
    }

    /// The page that is waited for now.
    fn page(&self) -> Arc<Pending> {
        let mut at = self.lock();
        if let Some(ended) = &at.ended {
            return Arc::new(Pending::held(ended.clone()));
        }
        if let Some(page) = &at.under_way {
            return page.pending.clone();
        }
        // It is away only after a fault that took it along.
        let Some(follow) = at.follow.take() else {
            return Arc::new(Pending::there(refused::internal()));
        };
        let (home, batch) = (Arc::new(Mutex::new(None)), follow.batch());
        let back = home.clone();
        let (backend, closed) = (self.backend.clone(), self.closed.clone());
        let later = Box::pin(async move {
            let (follow, answer) = tokio::select! {
                came = batch => came,
                () = closed.wait() => return refused::closed(),
            };
            *back.lock().unwrap_or_else(PoisonError::into_inner) = Some(follow);
            // Where the hub was closed here, nothing more will come.
            if answer.body == b"[]" && backend.is_closed() { refused::closed() } else { answer }
        });
        let pending = Arc::new(Pending::in_context(self.runtime.clone(), later));
        at.under_way = Some(Page { pending: pending.clone(), follow: home });
        pending
    }

    /// Has the next page follow this one, which whoever calls has read. False where another was first.
    pub(crate) fn turn(&self, answer: &Arc<Held>) -> bool {
        let mut at = self.lock();
        let Some(page) = at.under_way.take_if(|page| page.pending.is_answered_by(answer)) else {
            return false;
        };
        let follow = page.follow.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(follow) = &follow {
            at.position = follow.position();
        }
        at.follow = follow;
        if !answer.is_ok() {
            at.ended = Some(answer.clone());
        }
        true
    }

    fn close(&self) {
        let left = {
            let mut at = self.lock();
            at.ended = Some(Arc::new(refused::closed().into()));
            (at.under_way.take(), at.follow.take())
        };
        self.closed.begin();
        let _context = self.runtime.enter();
        drop(left);
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
            // A page that cannot be made objects stays where it is.
            let events = shown(py, &answer).inspect_err(|_| {
                if !answer.is_ok() {
                    feed.turn(&answer);
                }
            })?;
            let events = events.cast_into::<PyList>().map_err(PyErr::from)?;
            if feed.turn(&answer) && !events.is_empty() {
                return Ok(events);
            }
            py.check_signals()?;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(PyList::empty(py));
            }
        }
    }

    /// Has what next() would give handed out by completions, under token; it may be no event.
    fn add_to(&self, completions: &Completions, token: u64) -> PyResult<()> {
        completions.add(token, Waiting::Events(self.feed()?.clone()))
    }

    /// Where to go on: every event up to here was given. Empty before a remote hub has said it.
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
