//! The names of members, which are few and come again and again: each is one object of Python's.

use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::{prelude::*, types::PyString};

/// Enough for all names of the contract, each mostly in a place of its own.
const PLACES: usize = 512;
/// What is longer is a name of somebody's own.
const BYTES_MAX: usize = 32;

type Places = [Option<(Box<str>, Py<PyString>)>; PLACES];

static KNOWN: Mutex<Places> = Mutex::new([const { None }; PLACES]);

/// The names that are known, for as long as one text is read.
pub(super) struct Keys {
    /// None where another text is read at the same time, as a finalizer's may be.
    known: Option<MutexGuard<'static, Places>>,
}

impl Keys {
    pub(super) fn new() -> Self {
        let known = match KNOWN.try_lock() {
            Ok(known) => Some(known),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        Self { known }
    }

    pub(super) fn get<'py>(&mut self, py: Python<'py>, name: &str) -> Bound<'py, PyString> {
        let Some(known) = self.known.as_mut().filter(|_| name.len() <= BYTES_MAX) else {
            return PyString::intern(py, name);
        };
        let place = &mut known[place(name)];
        if let Some((other, key)) = place
            && **other == *name
        {
            return key.bind(py).clone();
        }
        let key = PyString::intern(py, name);
        *place = Some((name.into(), key.clone().unbind()));
        key
    }
}

fn place(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as usize % PLACES
}
