//! The native half of the Python package: the module `coordhub._coordhub`.
//!
//! Thin on purpose: a call is a route of the hub's own table with a dict of its fields, and comes to whatever
//! the network would be answered, by the same code, as plain Python objects. The package's Python half gives
//! names and types to that. The modules below stand in the order that a call passes them.

mod face;
mod local;
mod remote;
mod served;
mod json;
mod pending;
mod held;
mod events;
mod completions;
mod program;
mod runtime;
mod process;
mod refused;

/// The native half of the package `coordhub`.
#[pyo3::pymodule]
mod _coordhub {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{
        completions::Completions, events::Events, face::Face, local::Local, pending::Ticket,
        program::run_cli, refused::Refused, remote::Remote, served::Served,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
