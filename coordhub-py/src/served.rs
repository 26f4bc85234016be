//! The hub in this process on the network.

use std::{
    ffi::OsString,
    mem,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use coordhub_core::Hub;
use coordhub_server::{Config, cli, net::Drain};
use pyo3::{
    exceptions::PyOSError,
    prelude::*,
    types::{PyDict, PyString},
};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{process::Process, refused};

/// A hub of this process as it is on the network.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Served {
    process: Process,
    service: Arc<Service>,
    addresses: Vec<String>,
    admin_token: Option<String>,
}

/// Starts the service.
pub(crate) fn serve(
    py: Python<'_>,
    runtime: &Handle,
    hub: Hub,
    services: &Services,
    db: &Path,
    bind: &str,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Served> {
    let config = config(db, bind, options)?;
    let drain = Drain::new();
    let started =
        py.detach(|| runtime.block_on(coordhub_server::start_on(hub, config, drain.clone())));
    let running = started.map_err(|why| PyOSError::new_err(why.to_string()))?;
    let addresses = running.local_addresses().iter().map(SocketAddr::to_string).collect();
    let admin_token = running.admin_token().map(|path| path.display().to_string());
    let running = runtime.spawn(async move {
        let _drained = running.run().await;
    });
    let service = Service { runtime: runtime.clone(), drain, running: Mutex::new(Some(running)) };
    let service = Arc::new(service);
    services.add(&service);
    Ok(Served { process: Process::current(), service, addresses, admin_token })
}

/// Options of `coordhub serve` that are about the hub itself, which is open, or about the program.
const NOT_HERE: &[&str] = &[
    "bind",
    "db",
    "log_level",
    "log_format",
    "log_file",
    "max_text_bytes",
    "max_metadata_bytes",
    "max_title_chars",
    "max_labels",
    "retain_messages",
    "retain_events",
    "retain_finished_tasks",
    "retain_decided_proposals",
    "help",
    "version",
];

fn config(db: &Path, bind: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Config> {
    let mut words = vec![OsString::from(format!("--bind={bind}"))];
    for (name, value) in options.into_iter().flatten() {
        let name: String = name.extract()?;
        if NOT_HERE.contains(&name.as_str()) || name.starts_with('-') {
            return Err(refused::invalid(&name, "there is no such option of a hub that is open"));
        }
        let values = match value.cast::<PyString>() {
            Err(_) if value.is_none() => continue,
            // A single value is no list of letters.
            Ok(_) => vec![value],
            Err(_) => match value.try_iter() {
                Ok(items) => items.collect::<PyResult<_>>()?,
                Err(_) => vec![value],
            },
        };
        for value in values {
            let mut word = OsString::from(format!("--{}=", name.replace('_', "-")));
            match value.extract::<PathBuf>() {
                Ok(path) => word.push(path),
                Err(_) => word.push(value.str()?.to_str()?),
            }
            words.push(word);
        }
    }
    cli::serving(db.to_owned(), words).map_err(|why| refused::invalid("options", &why))
}

/// What a hub must stop before it closes: the services on it.
#[derive(Default)]
pub(crate) struct Services {
    running: Mutex<Vec<Weak<Service>>>,
}

impl Services {
    fn add(&self, service: &Arc<Service>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|other| other.strong_count() > 0);
        running.push(Arc::downgrade(service));
    }

    /// Stops them all. Blocks.
    pub(crate) fn stop(&self) {
        let running = mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let running: Vec<Arc<Service>> = running.iter().filter_map(Weak::upgrade).collect();
        running.iter().for_each(|service| service.drain.begin());
        running.iter().for_each(|service| service.stop());
    }
}

/// A service that runs, or ran.
struct Service {
    runtime: Handle,
    drain: Drain,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Stops it. Blocks.
    fn stop(&self) {
        self.drain.begin();
        // Whoever comes second waits as well.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.take() {
            // It has ended, be it by a panic.
            let _ended = self.runtime.block_on(running);
        }
    }
}

#[pymethods]
impl Served {
    /// Where it listens, each as address:port.
    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    /// The file with the admin's token, where this start made one.
    #[getter]
    fn admin_token(&self) -> Option<String> {
        self.admin_token.clone()
    }

    /// Takes the hub off the network: what runs may finish, sockets are closed. The hub itself stays open. A second call
    /// does nothing.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.process.check()?;
        py.detach(|| self.service.stop());
        Ok(())
    }
}
