//! The hub in this process on the network.

use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use coordhub_core::Hub;
use coordhub_server::{Config, access::gate::AuthMode, cli, local::Answer, net::Drain};
use pyo3::{
    exceptions::PyOSError,
    prelude::*,
    types::{PyDict, PyString},
};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

use crate::{pending::Pending, process::Process, refused};

/// What stands for a path where a hub is kept in no file.
const MEMORY: &str = ":memory:";

/// A hub of this process as it is on the network.
#[pyclass(frozen, module = "coordhub._coordhub")]
pub(crate) struct Served {
    process: Process,
    service: Arc<Service>,
    services: Arc<Services>,
    addresses: Vec<String>,
    admin_token: Option<String>,
}

/// Starts the service.
pub(crate) fn serve(
    py: Python<'_>,
    runtime: &Handle,
    hub: Hub,
    services: &Arc<Services>,
    db: &Path,
    bind: &str,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Served> {
    let mut config = config(db, bind, options)?;
    if config.auth == AuthMode::Token && db == Path::new(MEMORY) {
        // There is no file to write the admin's token beside.
        config.db = services.folder()?.join("memory");
    }
    let drain = Drain::new();
    let started =
        py.detach(|| runtime.block_on(coordhub_server::start_on(hub, config, drain.clone())));
    let running = started.map_err(|why| PyOSError::new_err(why.to_string()))?;
    let addresses = running.local_addresses().iter().map(SocketAddr::to_string).collect();
    let admin_token = running.admin_token().map(|path| path.display().to_string());
    let (has_ended, ended) = watch::channel(());
    let running = runtime.spawn(async move {
        // Dropped when it is done, however that comes.
        let _has_ended = has_ended;
        let _drained = running.run().await;
    });
    let service = Service { runtime: runtime.clone(), drain, ended, abort: running.abort_handle() };
    let service = Arc::new(service);
    if !services.add(&service) {
        // The hub was closed meanwhile.
        service.drain.begin();
        service.ending().wait(py, None).inspect_err(|_| service.abort())?;
        return Err(refused::refused(py, &refused::closed().body));
    }
    let (process, services) = (Process::current(), services.clone());
    Ok(Served { process, service, services, addresses, admin_token })
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

/// What a hub must stop before it closes: the services on it, whether or not anybody kept a handle of theirs.
#[derive(Default)]
pub(crate) struct Services {
    on: Mutex<On>,
}

#[derive(Default)]
struct On {
    is_closed: bool,
    running: Vec<Arc<Service>>,
    /// For the admin's token of a hub that has no file; goes with the hub.
    folder: Option<Folder>,
}

impl Services {
    fn lock(&self) -> MutexGuard<'_, On> {
        self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False where the hub was closed.
    fn add(&self, service: &Arc<Service>) -> bool {
        let mut on = self.lock();
        if !on.is_closed {
            on.running.push(service.clone());
        }
        !on.is_closed
    }

    fn remove(&self, service: &Arc<Service>) {
        self.lock().running.retain(|other| !Arc::ptr_eq(other, service));
    }

    fn folder(&self) -> io::Result<PathBuf> {
        let mut on = self.lock();
        match &on.folder {
            Some(folder) => Ok(folder.0.clone()),
            None => Ok(on.folder.insert(Folder::new()?).0.clone()),
        }
    }

    /// Begins to stop them all, for good: none is added after it.
    pub(crate) fn begin_stop(&self) -> Vec<Arc<Service>> {
        let mut on = self.lock();
        on.is_closed = true;
        on.running.iter().for_each(|service| service.drain.begin());
        on.running.clone()
    }

    /// Lets go of those that were stopped.
    pub(crate) fn forget(&self) {
        let mut on = self.lock();
        on.running.clear();
        on.folder = None;
    }
}

/// A folder of its own for what nobody else may read.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let (temporary, process) = (env::temp_dir(), std::process::id());
        let mut number = 0_u64;
        loop {
            let path = temporary.join(format!("coordhub-{process}-{number}"));
            match builder.create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(why) => return Err(why),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is of a hub that is gone.
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// A service that runs, or ran.
pub(crate) struct Service {
    runtime: Handle,
    drain: Drain,
    /// Its other end is dropped when the service has ended.
    ended: watch::Receiver<()>,
    abort: AbortHandle,
}

impl Service {
    /// What comes when it has ended.
    pub(crate) fn ending(&self) -> Pending {
        let mut ended = self.ended.clone();
        Pending::coming(Box::pin(async move {
            let _dropped = ended.wait_for(|()| false).await.is_err();
            Answer::new(200, b"{}".to_vec())
        }))
    }

    /// Waits until it has ended. Blocks.
    pub(crate) fn wait(&self) {
        let mut ended = self.ended.clone();
        let _dropped = self.runtime.block_on(ended.wait_for(|()| false)).is_err();
    }

    /// Ends it here and now, whatever it has under way.
    pub(crate) fn abort(&self) {
        self.abort.abort();
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
    /// does nothing. Any signal handler of Python's may run meanwhile; where it raises, what runs is broken off.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.process.check()?;
        self.service.drain.begin();
        self.service.ending().wait(py, None).inspect_err(|_| self.service.abort())?;
        self.services.remove(&self.service);
        Ok(())
    }
}
