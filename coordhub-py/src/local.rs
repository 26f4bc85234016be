//! The hub in this process.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use coordhub_core::command::Role;
use coordhub_server::{
    Config,
    local::{self, Answer, LocalCall, Started},
};
use pyo3::prelude::*;
use serde_json::json;

use crate::{
    face::{Asked, Backend, Batch, Begun, Face, Follow},
    process::Process,
    refused, runtime,
    served::{self, Served, Service, Services},
};

/// A hub in this process. Use coordhub.Hub, which has names and types for what it can do.
#[pyclass(frozen, extends = Face, module = "coordhub._coordhub")]
pub(crate) struct Local {
    process: Process,
    here: Arc<Here>,
    epoch: String,
    path: PathBuf,
}

struct Here {
    /// Taken out by `close`, so that nothing of the file stays open after it.
    hub: Mutex<Option<local::Local>>,
    /// Where it is until it is closed indeed.
    closing: Mutex<Option<local::Local>>,
    services: Arc<Services>,
}

impl Here {
    /// A handle for one call. The lock is held for the time of a copy, never while a call runs.
    fn handle(&self) -> Result<local::Local, Answer> {
        let hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        hub.clone().ok_or_else(refused::closed)
    }
}

impl Backend for Here {
    fn begin(&self, asked: &Asked<'_>) -> Begun {
        let hub = match self.handle() {
            Ok(hub) => hub,
            Err(closed) => return Begun::There(closed),
        };
        let Asked { method, path, args, caller, key, role, timeout: _ } = *asked;
        let role = match role.map_or(Some(Role::Member), Role::parse) {
            Some(role) => role,
            None => return Begun::There(no_role()),
        };
        match hub.call(LocalCall { method, path, args, caller, role, key }) {
            Started::Done(answer) => Begun::There(answer),
            Started::Submitted(later) => Begun::Coming(later),
            Started::Blocking(work) => Begun::Blocking(work),
            Started::Waiting(later) => Begun::Waiting(later),
        }
    }

    fn follow(&self, args: &[u8], caller: Option<&str>) -> Result<Box<dyn Follow>, Answer> {
        let followed = self.handle()?.follow(args, caller);
        let followed = followed.map_err(|problem| Answer::refused(&problem))?;
        Ok(Box::new(Following(followed)))
    }

    fn is_closed(&self) -> bool {
        self.handle().is_err()
    }

    fn begin_close(&self) -> Vec<Arc<Service>> {
        let taken = self.hub.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hub) = taken {
            *self.closing.lock().unwrap_or_else(PoisonError::into_inner) = Some(hub);
        }
        self.services.begin_stop()
    }

    fn close(&self) {
        self.begin_close().iter().for_each(|service| service.wait());
        self.services.forget();
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(hub) = closing {
            hub.end_waits();
            hub.hub().close();
        }
    }
}

struct Following(local::Follow);

impl Follow for Following {
    fn batch(mut self: Box<Self>) -> Batch {
        Box::pin(async move {
            let batch = self.0.batch().await;
            (self as Box<dyn Follow>, Answer::new(200, batch))
        })
    }

    fn position(&self) -> String {
        self.0.position()
    }
}

fn no_role() -> Answer {
    let detail = format!("role: one of {}", Role::WORDS.join(", "));
    let problem =
        json!({ "status": 422, "detail": detail, "code": "invalid_field", "field": "role" });
    Answer::new(422, problem.to_string().into_bytes())
}

#[pymethods]
impl Local {
    /// Opens the hub kept in the file at path, which is made where there is none; ":memory:" keeps it in memory alone.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<PyClassInitializer<Self>> {
        let opened = py.detach(|| local::open(&path));
        let hub = opened.map_err(|why| refused::refused(py, &Answer::refused(&why).body))?;
        let epoch = hub.epoch().to_owned();
        let hub = Mutex::new(Some(local::Local::new(hub, Config::default())));
        let here = Arc::new(Here { hub, closing: Mutex::default(), services: Arc::default() });
        let face = PyClassInitializer::from(Face::new(here.clone()));
        Ok(face.add_subclass(Self { process: Process::current(), here, epoch, path }))
    }

    /// Puts the hub on the network, page and all, in the background. Bind names addresses, parted by commas; options are
    /// those of `coordhub serve`, by name, a list where one may be given several times. Ends with stop(), or when the hub is closed.
    #[pyo3(signature = (bind="127.0.0.1:8550", options=None))]
    fn serve(
        &self,
        py: Python<'_>,
        bind: &str,
        options: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Served> {
        self.process.check()?;
        let hub = self.here.handle().map_err(|closed| refused::refused(py, &closed.body))?;
        served::serve(
            py,
            &runtime::handle()?,
            hub.hub().clone(),
            &self.here.services,
            &self.path,
            bind,
            options,
        )
    }

    /// Names this history of the hub.
    #[getter]
    fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The seq of the newest event; 0 before the first. Raises Refused where the hub was closed.
    #[getter]
    fn head_seq(&self, py: Python<'_>) -> PyResult<u64> {
        self.process.check()?;
        let hub = self.here.handle().map_err(|closed| refused::refused(py, &closed.body))?;
        Ok(hub.hub().head_seq())
    }
}
