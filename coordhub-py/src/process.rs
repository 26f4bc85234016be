//! Which process this is. A hub belongs to the process that made it: a child that was forked off has its
//! memory, but neither its threads nor its locks on files.

use std::mem;

use pyo3::PyResult;

use crate::refused;

/// The process that something was made in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Process(u32);

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this process was forked off the one meant.
    pub(crate) fn is_left(self) -> bool {
        self != Self::current()
    }

    /// Refuses the use of what was made in another process.
    pub(crate) fn check(self) -> PyResult<()> {
        if self.is_left() { Err(refused::forked()) } else { Ok(()) }
    }

    /// Drops something in the process that it was made in, and leaves it alone in every other: locks may be
    /// held there by threads that this process does not have.
    pub(crate) fn drop<T>(self, value: T) {
        if self.is_left() {
            mem::forget(value);
        } else {
            drop(value);
        }
    }
}
