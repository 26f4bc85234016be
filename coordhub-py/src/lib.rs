//! The in-process hub for Python, as the native module `coordhub._coordhub`.
//!
//! Thin on purpose: it turns Python's calls into the library's and its errors into exceptions, and decides nothing. The
//! GIL is released around everything that may block.

use pyo3::prelude::*;

/// The native half of the package `coordhub`.
#[pymodule]
mod _coordhub {
    use std::path::PathBuf;

    use coordhub_core as core;
    use pyo3::{create_exception, exceptions::PyException, prelude::*};

    create_exception!(
        coordhub,
        StoreError,
        PyException,
        "The hub's file cannot be opened; the message says why, and that it was left as it was."
    );

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("StoreError", module.py().get_type::<StoreError>())
    }

    /// A hub in this process.
    ///
    /// Hub(path) keeps it in the file at path, which is made where there is none; Hub(":memory:") keeps it in memory
    /// alone. It closes with close(), at the end of a with block, or when it is collected.
    #[pyclass(frozen, module = "coordhub")]
    struct Hub {
        inner: core::Hub,
    }

    #[pymethods]
    impl Hub {
        #[new]
        fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
            let opened = py.detach(|| match path.to_str() {
                Some(":memory:") => core::Hub::in_memory(),
                _ => core::Hub::open(&path),
            });
            opened.map(|inner| Self { inner }).map_err(|why| StoreError::new_err(why.to_string()))
        }

        /// Names this history of the hub.
        #[getter]
        fn epoch(&self) -> &str {
            self.inner.epoch()
        }

        /// The seq of the newest event; 0 before the first.
        #[getter]
        fn head_seq(&self) -> u64 {
            self.inner.head_seq()
        }

        /// Finishes what was begun, saves presence, and lets go of the file. A second call does nothing.
        fn close(&self, py: Python<'_>) {
            py.detach(|| self.inner.close());
        }

        fn __enter__(this: Py<Self>) -> Py<Self> {
            this
        }

        #[pyo3(signature = (*_exception))]
        fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
            self.close(py);
        }

        fn __repr__(&self) -> String {
            format!(
                "<coordhub.Hub epoch={} head_seq={}>",
                self.inner.epoch(),
                self.inner.head_seq()
            )
        }
    }
}
