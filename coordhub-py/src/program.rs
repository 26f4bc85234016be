//! The program `coordhub`, as the wheel installs it.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Does what a command line says, whose first word is the program's name, and gives the exit status: the same program as
/// the Rust binary. It handles signals itself, so that it is for the main thread, and for a process that does nothing else.
#[pyfunction]
pub(crate) fn run_cli(py: Python<'_>, argv: Vec<OsString>) -> PyResult<i32> {
    // Python would only note that Ctrl-C was pressed, and look when the program has ended.
    let signal = py.import("signal")?;
    signal.call_method1("signal", (signal.getattr("SIGINT")?, signal.getattr("SIG_DFL")?))?;
    Ok(i32::from(py.detach(|| coordhub_server::cli::run_with(argv))))
}
