//! The handle that Python holds.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use coordhub_core as core;
use pyo3::prelude::*;

use crate::{calls, failure::Failure};

/// A hub in this process, spoken to in JSON. Use coordhub.Hub, which has names and types for what it can do.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Hub {
    /// Taken out by `close`, so that nothing of the file stays open after it.
    inner: Mutex<Option<core::Hub>>,
    epoch: String,
}

impl Hub {
    /// A handle for one call. The lock is held for the time of a copy, never while a call runs.
    fn handle(&self) -> Result<core::Hub, Failure> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clone().ok_or(Failure::Closed)
    }
}

#[pymethods]
impl Hub {
    /// Opens the hub kept in the file at path, which is made where there is none; ":memory:" keeps it in memory alone.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let opened = py.detach(|| match path.to_str() {
            Some(":memory:") => core::Hub::in_memory(),
            _ => core::Hub::open(&path),
        });
        let inner = opened.map_err(|why| Failure::Store(why).raise())?;
        let epoch = inner.epoch().to_owned();
        Ok(Self { inner: Mutex::new(Some(inner)), epoch })
    }

    /// Does what op says with the arguments in a JSON object, and answers with a JSON object.
    fn call(&self, py: Python<'_>, op: &str, args: &str) -> PyResult<String> {
        let hub = self.handle().map_err(|failure| failure.raise())?;
        // A handle may be the last one, and dropping that one waits: it is dropped without the GIL, too.
        py.detach(move || calls::answer(&hub, op, args)).map_err(|failure| failure.raise())
    }

    /// Names this history of the hub.
    #[getter]
    fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The seq of the newest event; 0 before the first.
    #[getter]
    fn head_seq(&self) -> PyResult<u64> {
        Ok(self.handle().map_err(|failure| failure.raise())?.head_seq())
    }

    /// Whether close() was called.
    #[getter]
    fn closed(&self) -> bool {
        self.handle().is_err()
    }

    /// Finishes what was begun, saves presence, and lets go of the file. A second call does nothing.
    fn close(&self, py: Python<'_>) {
        let taken = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(move || taken.inspect(core::Hub::close));
    }
}
