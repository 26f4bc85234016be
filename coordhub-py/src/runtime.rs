//! The async runtime of this process: for what waits for time, and for what is across a network. Python is
//! never run on its threads.

use std::sync::{Mutex, PoisonError};

use pyo3::{exceptions::PyOSError, prelude::*};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::process::Process;

/// Two threads are enough for what never computes.
const THREADS: usize = 2;

/// The runtime, and the process that it was started in. It is never stopped: it ends with its process.
static STARTED: Mutex<Option<(Process, Runtime)>> = Mutex::new(None);

/// The runtime of this process, which is started where there is none.
pub(crate) fn handle() -> PyResult<Handle> {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((process, runtime)) = &*started
        && !process.is_left()
    {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("coordhub")
        .enable_all()
        .build()
        .map_err(|why| PyOSError::new_err(format!("the async runtime cannot start: {why}")))?;
    let handle = runtime.handle().clone();
    // What was there is of a process that this one was forked off; its threads are not here.
    std::mem::forget(started.replace((Process::current(), runtime)));
    Ok(handle)
}
