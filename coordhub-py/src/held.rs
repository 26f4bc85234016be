//! An answer that has come, and whether anybody has it.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use coordhub_server::local::Answer;

/// An answer that has come. A claim that it tells of goes back, unless it is taken before it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    is_ok: bool,
    body: Vec<u8>,
    /// The answer without its body, until somebody takes it.
    untaken: Mutex<Option<Answer>>,
}

impl From<Answer> for Held {
    fn from(mut answer: Answer) -> Self {
        let body = mem::take(&mut answer.body);
        Self { is_ok: answer.is_ok(), body, untaken: Mutex::new(Some(answer)) }
    }
}

impl Held {
    /// Whether it is what was asked for.
    pub(crate) fn is_ok(&self) -> bool {
        self.is_ok
    }

    /// A JSON text: what was asked for, or the problem.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whoever called has it.
    pub(crate) fn take(&self) {
        let untaken = self.untaken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut answer) = untaken {
            answer.taken();
        }
    }
}
