//! What a call in this process comes to.

use axum::http::StatusCode;
use coordhub_core::store::StoreError;

use crate::{http::take_back::TakeBack, net::Undelivered as _, wire::Problem};

/// The answer to a call.
#[derive(Debug)]
pub struct Answer {
    /// Its status, as over the network: 200, or that of a refusal.
    pub status: u16,
    /// A JSON text: what was asked for, or the problem.
    pub body: Vec<u8>,
    /// Whether it is what the same idempotency key led to before.
    pub is_replayed: bool,
    /// Gives back what the answer tells of, should nobody take it.
    pub(super) take_back: Option<Box<TakeBack>>,
}

impl Answer {
    /// An answer that holds a JSON text.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, is_replayed: false, take_back: None }
    }

    pub(super) fn of(body: Vec<u8>) -> Self {
        Self::new(200, body)
    }

    /// The answer to what is refused.
    pub fn refused(problem: &Problem) -> Self {
        Self::new(problem.status().as_u16(), problem.to_json().to_string().into_bytes())
    }

    /// Whether it is what was asked for.
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }

    /// Whoever called has it: a claim that it tells of does not go back.
    pub fn taken(&mut self) {
        if let Some(mut take_back) = self.take_back.take() {
            take_back.delivered();
        }
    }
}

impl From<Result<Vec<u8>, Problem>> for Answer {
    fn from(answered: Result<Vec<u8>, Problem>) -> Self {
        match answered {
            Ok(body) => Self::of(body),
            Err(problem) => Self::refused(&problem),
        }
    }
}

/// Why a hub's file cannot be opened, with a code for each cause.
pub(super) fn unopened(why: &StoreError) -> Problem {
    let code = match why {
        StoreError::InUse { .. } => "store_in_use",
        StoreError::Foreign { .. } => "store_foreign",
        StoreError::Newer { .. } => "store_newer",
        StoreError::Damaged { .. } => "store_damaged",
        _ => "store_unreadable",
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why.to_string())
}
