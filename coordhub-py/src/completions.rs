//! What an event loop waits for: answers are handed out on its own thread when a file descriptor can be read.
//! Who makes them ready takes no lock of Python's.

use std::{
    collections::HashMap,
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    mem,
    os::fd::AsRawFd as _,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Wake, Waker},
};

use pyo3::{prelude::*, types::PyList};

use crate::{events::Feed, held::Held, pending::Pending, process::Process, refused};

/// What is waited for under a token.
#[derive(Clone)]
pub(crate) enum Waiting {
    /// The answer to a call.
    Call(Arc<Pending>),
    /// The next events.
    Events(Arc<Feed>),
}

impl Waiting {
    fn poll(&self, waker: &Waker) -> Poll<Arc<Held>> {
        match self {
            Self::Call(pending) => pending.poll(waker),
            Self::Events(feed) => feed.poll(waker),
        }
    }
}

/// Hands out answers to one event loop.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Completions {
    process: Process,
    /// Taken out when it is dropped, and never before.
    inner: Option<Inner>,
}

struct Inner {
    waiting: Mutex<HashMap<u64, Waiting>>,
    bell: Arc<Bell>,
}

/// Wakes the loop. At most one byte stands in the pipe, so that writing it never blocks.
struct Bell {
    rung: Mutex<Rung>,
    reader: PipeReader,
    writer: PipeWriter,
}

#[derive(Default)]
struct Rung {
    ready: Vec<u64>,
    has_byte: bool,
}

impl Bell {
    fn ring(&self, token: u64) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.ready.push(token);
        if !mem::replace(&mut rung.has_byte, true) {
            // A loop that has gone reads no more, which is no matter.
            let _gone = (&self.writer).write_all(&[1]);
        }
    }

    fn take(&self) -> Vec<u64> {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        if mem::take(&mut rung.has_byte) {
            let _byte = (&self.reader).read_exact(&mut [0]);
        }
        mem::take(&mut rung.ready)
    }
}

/// Rings for one token.
struct Ring {
    token: u64,
    bell: Arc<Bell>,
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.bell.ring(self.token);
    }
}

impl Completions {
    /// Has something handed out under a token when it is there.
    pub(crate) fn add(&self, token: u64, waiting: Waiting) -> PyResult<()> {
        let inner = self.inner()?;
        inner.lock().insert(token, waiting.clone());
        if waiting.poll(&inner.waker(token)).is_ready() {
            inner.bell.ring(token);
        }
        Ok(())
    }

    fn inner(&self) -> PyResult<&Inner> {
        self.process.check()?;
        self.inner.as_ref().ok_or_else(refused::forked)
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self, token: u64) -> Waker {
        Waker::from(Arc::new(Ring { token, bell: self.bell.clone() }))
    }

    /// What is there now. A token whose answer was called ready too early goes on waiting.
    fn take_ready(&self) -> Vec<(u64, Waiting, Arc<Held>)> {
        let mut ready = Vec::new();
        for token in self.bell.take() {
            let Some(waiting) = self.lock().get(&token).cloned() else { continue };
            if let Poll::Ready(answer) = waiting.poll(&self.waker(token)) {
                self.lock().remove(&token);
                ready.push((token, waiting, answer));
            }
        }
        ready
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        self.process.drop(self.inner.take());
    }
}

#[pymethods]
impl Completions {
    #[new]
    fn new() -> PyResult<Self> {
        let (reader, writer) = pipe()?;
        let bell = Arc::new(Bell { rung: Mutex::default(), reader, writer });
        let inner = Inner { waiting: Mutex::default(), bell };
        Ok(Self { process: Process::current(), inner: Some(inner) })
    }

    /// A file descriptor that can be read when drain() has something to give.
    fn fileno(&self) -> PyResult<i32> {
        Ok(self.inner()?.bell.reader.as_raw_fd())
    }

    /// All that is there: token, whether it is what was asked for, and that or the problem. Never blocks.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, bool, Bound<'py, PyAny>)>> {
        let inner = self.inner()?;
        let ready = py.detach(|| inner.take_ready());
        // One that cannot be read is a failure of its own, and no matter of those beside it.
        let show = |(token, waiting, answer): (u64, Waiting, Arc<Held>)| {
            let (is_ok, mut value) = refused::read(py, &answer)?;
            if let Waiting::Events(feed) = &waiting
                && !feed.turn(&answer)
                && is_ok
            {
                // Somebody else has them.
                value = PyList::empty(py).into_any();
            }
            Ok((token, is_ok, value))
        };
        ready.into_iter().map(show).collect()
    }

    /// Waits no more for what was added under token.
    fn forget(&self, token: u64) -> PyResult<()> {
        let forgotten = self.inner()?.lock().remove(&token);
        drop(forgotten);
        Ok(())
    }
}
