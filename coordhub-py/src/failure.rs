//! Why a call has no answer, on its way to the exceptions of the Python half.

use coordhub_core::{HubError, hub::Rejection, store::StoreError};
use pyo3::{create_exception, exceptions::PyException, prelude::*};
use serde_json::{Map, Value};

create_exception!(
    coordhub._coordhub,
    Refused,
    PyException,
    "A call has no answer. Its one argument is a JSON object with code, detail, and facts for programs."
);

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An argument holds what it may not hold.
    Invalid {
        /// Which argument.
        field: String,
        /// What would be right.
        detail: String,
    },
    /// The hub said so.
    Hub(HubError),
    /// The hub cannot be opened.
    Store(StoreError),
    /// The hub was closed here.
    Closed,
}

impl Failure {
    /// An argument holds what it may not hold.
    pub(crate) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::Invalid { field: field.to_owned(), detail: detail.into() }
    }

    /// As the exception that carries it to the Python half.
    pub(crate) fn raise(&self) -> PyErr {
        let mut problem = Map::new();
        let (code, detail) = self.told(&mut problem);
        problem.insert("code".into(), code.into());
        problem.insert("detail".into(), detail.into());
        Refused::new_err(Value::Object(problem).to_string())
    }

    /// The code and the sentence; facts for programs go into `problem`.
    fn told(&self, problem: &mut Map<String, Value>) -> (&'static str, String) {
        match self {
            Self::Invalid { field, detail } => {
                problem.insert("field".into(), field.as_str().into());
                ("invalid_field", detail.clone())
            }
            Self::Hub(error) => (hub_error(error, problem), error.to_string()),
            Self::Store(error) => (store_error(error), error.to_string()),
            Self::Closed => ("unavailable", "this hub was closed; open it again".to_owned()),
        }
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::Hub(error)
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Hub(rejection.into())
    }
}

fn hub_error(error: &HubError, problem: &mut Map<String, Value>) -> &'static str {
    match error {
        HubError::Rejected(rejection) => {
            facts(rejection, problem);
            rejection.code()
        }
        HubError::Busy => "busy",
        HubError::OutcomeUnknown(_) => {
            problem.insert("outcome".into(), "unknown".into());
            "unavailable"
        }
        HubError::Unavailable(_) | HubError::Closed => "unavailable",
        _ => "internal",
    }
}

/// What a program may want to know of a refusal without reading its sentence.
fn facts(rejection: &Rejection, problem: &mut Map<String, Value>) {
    if let Some(field) = rejection.field() {
        problem.insert("field".into(), field.into());
    }
    let (name, value) = match rejection {
        Rejection::TaskAlreadyClaimed { claimed_by, .. }
        | Rejection::NotHolder { claimed_by, .. } => ("claimed_by", claimed_by.as_str().into()),
        Rejection::TaskNotOpen { status, .. } => ("task_status", status.as_str().into()),
        Rejection::TaskBlocked { blocked_by, .. } => {
            let ids: Vec<&str> = blocked_by.iter().map(|id| id.as_str()).collect();
            ("blocked_by", ids.into())
        }
        Rejection::MissingCapabilities { missing, .. } => ("missing", missing.clone().into()),
        Rejection::ProposalClosed { status, .. } => ("proposal_status", status.as_str().into()),
        _ => return,
    };
    problem.insert(name.into(), value);
}

fn store_error(error: &StoreError) -> &'static str {
    match error {
        StoreError::InUse { .. } => "store_in_use",
        StoreError::Foreign { .. } => "store_foreign",
        StoreError::Newer { .. } => "store_newer",
        StoreError::Damaged { .. } => "store_damaged",
        _ => "store_unreadable",
    }
}
