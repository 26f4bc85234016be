//! Answers that are to come: waited for by threads, or by an event loop.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use coordhub_server::local::{Answer, Later};
use pyo3::{exceptions::PyTimeoutError, prelude::*};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    completions::{Completions, Waiting},
    held::Held,
    process::Process,
    refused,
};

/// How long a thread waits before it looks whether a signal has come.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// An answer that is there or to come.
pub(crate) struct Pending {
    state: Mutex<State>,
}

enum State {
    Coming(Later),
    There(Arc<Held>),
}

impl Pending {
    /// An answer that is there.
    pub(crate) fn there(answer: Answer) -> Self {
        Self { state: Mutex::new(State::There(Arc::new(answer.into()))) }
    }

    /// An answer that was there before.
    pub(crate) fn held(answer: Arc<Held>) -> Self {
        Self { state: Mutex::new(State::There(answer)) }
    }

    /// An answer that comes without a runtime.
    pub(crate) fn coming(later: Later) -> Self {
        Self { state: Mutex::new(State::Coming(later)) }
    }

    /// An answer that takes a runtime.
    pub(crate) fn spawned(
        runtime: &Handle,
        later: impl Future<Output = Answer> + Send + 'static,
    ) -> Self {
        Self::coming(Box::pin(Spawned(runtime.spawn(later))))
    }

    /// An answer that takes the context of a runtime, and goes on when it is looked at.
    pub(crate) fn in_context(runtime: Handle, later: Later) -> Self {
        Self::coming(Box::pin(InContext { runtime, later }))
    }

    /// An answer that takes a thread which may block.
    pub(crate) fn on_a_thread(
        runtime: &Handle,
        work: impl FnOnce() -> Answer + Send + 'static,
    ) -> Self {
        Self::coming(Box::pin(Spawned(runtime.spawn_blocking(work))))
    }

    /// The answer, where it is there; else `waker` is woken when it is. The last one that looked is.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Arc<Held>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let later = match &mut *state {
            State::There(answer) => return Poll::Ready(answer.clone()),
            State::Coming(later) => later,
        };
        let Poll::Ready(answer) = later.as_mut().poll(&mut Context::from_waker(waker)) else {
            return Poll::Pending;
        };
        let answer = Arc::new(Held::from(answer));
        *state = State::There(answer.clone());
        Poll::Ready(answer)
    }

    /// Whether this is its answer.
    pub(crate) fn is_answered_by(&self, answer: &Arc<Held>) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&*state, State::There(there) if Arc::ptr_eq(there, answer))
    }

    /// Waits for the answer until the deadline; ends early where a signal raises an exception.
    pub(crate) fn wait(
        &self,
        py: Python<'_>,
        deadline: Option<Instant>,
    ) -> PyResult<Option<Arc<Held>>> {
        if let Poll::Ready(answer) = self.poll(Waker::noop()) {
            return Ok(Some(answer));
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            let next_look = Instant::now() + SIGNALS_EVERY;
            let until = deadline.map_or(next_look, |deadline| deadline.min(next_look));
            if let Some(answer) = py.detach(|| self.wait_until(&waker, until)) {
                return Ok(Some(answer));
            }
            py.check_signals()?;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    fn wait_until(&self, waker: &Waker, until: Instant) -> Option<Arc<Held>> {
        loop {
            if let Poll::Ready(answer) = self.poll(waker) {
                return Some(answer);
            }
            let left = until.checked_duration_since(Instant::now())?;
            thread::park_timeout(left);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What goes on on whatever thread looks at it.
struct InContext {
    runtime: Handle,
    later: Later,
}

impl Future for InContext {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let this = &mut *self;
        let _context = this.runtime.enter();
        this.later.as_mut().poll(context)
    }
}

/// What runs on the runtime for as long as somebody waits for it.
struct Spawned(JoinHandle<Answer>);

impl Future for Spawned {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let joined = Pin::new(&mut self.0).poll(context);
        joined.map(|answer| answer.unwrap_or_else(|_| refused::internal()))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The instant that a timeout in seconds ends at. `None` where that is never.
pub(crate) fn deadline(timeout: Option<f64>) -> Option<Instant> {
    let timeout = Duration::try_from_secs_f64(timeout?.max(0.0)).ok()?;
    Instant::now().checked_add(timeout)
}

/// What an answer is in Python: the object that was asked for, or the exception that it stands for.
/// Whoever calls has it then.
pub(crate) fn shown<'py>(py: Python<'py>, answer: &Held) -> PyResult<Bound<'py, PyAny>> {
    match refused::read(py, answer)? {
        (true, value) => {
            answer.take();
            Ok(value)
        }
        (false, problem) => Err(refused::Refused::new_err(problem.unbind())),
    }
}

/// A call that is under way. Dropped before its answer was taken, nobody waits for it any more; what it
/// changes may be changed all the same.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Ticket {
    process: Process,
    /// Taken out when it is dropped, and never before.
    pending: Option<Arc<Pending>>,
}

impl Ticket {
    pub(crate) fn new(pending: Pending) -> Self {
        Self { process: Process::current(), pending: Some(Arc::new(pending)) }
    }

    fn pending(&self) -> PyResult<&Arc<Pending>> {
        self.process.check()?;
        self.pending.as_ref().ok_or_else(refused::forked)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.process.drop(self.pending.take());
    }
}

#[pymethods]
impl Ticket {
    /// Waits for the answer, and gives it: the same however often it is asked for. Raises Refused where it is a
    /// refusal, and TimeoutError where timeout seconds went by; the call is under way all the same then.
    #[pyo3(signature = (timeout=None))]
    fn result<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        match self.pending()?.wait(py, deadline(timeout))? {
            Some(answer) => shown(py, &answer),
            None => Err(timed_out()),
        }
    }

    /// Waits for the answer like result(), and says only whether it is a refusal: it is not made an object.
    #[pyo3(signature = (timeout=None))]
    fn is_refused(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        match self.pending()?.wait(py, deadline(timeout))? {
            Some(answer) => {
                answer.take();
                Ok(!answer.is_ok())
            }
            None => Err(timed_out()),
        }
    }

    /// Says that the answer which completions handed out has arrived: else a claim that it tells of is given back when
    /// the ticket is dropped.
    fn keep(&self) -> PyResult<()> {
        if let Poll::Ready(answer) = self.pending()?.poll(Waker::noop()) {
            answer.take();
        }
        Ok(())
    }

    /// Whether the answer is there.
    fn done(&self) -> PyResult<bool> {
        Ok(self.pending()?.poll(Waker::noop()).is_ready())
    }

    /// Has the answer handed out by completions, under token.
    fn add_to(&self, completions: &Completions, token: u64) -> PyResult<()> {
        completions.add(token, Waiting::Call(self.pending()?.clone()))
    }
}

/// The time that a caller would wait is over.
pub(crate) fn timed_out() -> PyErr {
    PyTimeoutError::new_err("no answer came in time; what was asked for may be done all the same")
}
