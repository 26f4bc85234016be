//! The in-process hub for Python, as the native module `coordhub._coordhub`.
//!
//! Thin on purpose: a call comes in as the name of an operation and its arguments as JSON text, and its answer goes out
//! as JSON text, both as the wire contract has them. The package's Python half gives them signatures and types. The GIL
//! is released from the arguments to the answer. The modules below stand in the order that a call passes them.

mod hub;
mod calls;
mod args;
mod commands;
mod queries;
mod reply;
mod failure;

/// The native half of the package `coordhub`.
#[pyo3::pymodule]
mod _coordhub {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{failure::Refused, hub::Hub};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
