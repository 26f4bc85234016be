//! The hub in this process on the network.

use std::{net::SocketAddr, path::Path, sync::Mutex};

use coordhub_core::Hub;
use coordhub_server::{Config, access::gate::AuthMode, net::Drain};
use pyo3::{exceptions::PyOSError, prelude::*, types::PyDict};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{process::Process, refused};

/// A hub of this process as it is on the network.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Served {
    process: Process,
    runtime: Handle,
    drain: Drain,
    running: Mutex<Option<JoinHandle<()>>>,
    addresses: Vec<String>,
    admin_token: Option<String>,
}

/// Starts the service.
pub(crate) fn serve(
    py: Python<'_>,
    runtime: &Handle,
    hub: Hub,
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
    let (process, runtime) = (Process::current(), runtime.clone());
    Ok(Served {
        process,
        runtime,
        drain,
        running: Mutex::new(Some(running)),
        addresses,
        admin_token,
    })
}

fn config(db: &Path, bind: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Config> {
    let addresses: Result<Vec<SocketAddr>, _> =
        bind.split(',').map(|one| one.trim().parse()).collect();
    let bind = addresses
        .map_err(|_| refused::invalid("bind", "an address and a port, such as 127.0.0.1:8550"))?;
    let mut auth = AuthMode::Open;
    if let Some(options) = options
        && let Some(word) = options.get_item("auth")?
    {
        auth = match word.str()?.to_str()? {
            "open" => AuthMode::Open,
            "token" => AuthMode::Token,
            _ => return Err(refused::invalid("auth", "open or token")),
        };
    }
    Ok(Config { bind, auth, db: db.to_owned(), ..Config::default() })
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
        self.drain.begin();
        let running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(running) = running {
            py.detach(|| self.runtime.block_on(running))
                .map_err(|why| PyOSError::new_err(why.to_string()))?;
        }
        Ok(())
    }
}
