//! What is raised where a call has no answer.

use coordhub_server::local::Answer;
use pyo3::{
    create_exception,
    exceptions::{PyException, PyValueError},
    prelude::*,
};
use serde_json::{Value, json};

use crate::{held::Held, json::to_python};

create_exception!(
    coordhub._coordhub,
    Refused,
    PyException,
    "A call has no answer. Its one argument is the problem: a dict with status, code, detail, and facts for programs."
);

/// The refusal that an answer is.
pub(crate) fn refused(py: Python<'_>, body: &[u8]) -> PyErr {
    match to_python(py, body) {
        Ok(problem) => Refused::new_err(problem.unbind()),
        Err(why) => why,
    }
}

/// An argument holds what it may not hold.
pub(crate) fn invalid(field: &str, detail: &str) -> PyErr {
    raised(json!({
        "status": 422,
        "detail": format!("{field}: {detail}"),
        "code": "invalid_field",
        "field": field,
    }))
}

/// The hub was closed here.
pub(crate) fn closed() -> Answer {
    let detail = "this hub was closed; open it again";
    let problem = json!({ "status": 503, "detail": detail, "code": "closed" });
    Answer::new(503, problem.to_string().into_bytes())
}

/// The call has no answer, by a fault of ours.
pub(crate) fn internal() -> Answer {
    let detail = "a fault of the hub's own; what came of the call is not known";
    let problem = json!({ "status": 500, "detail": detail, "code": "internal" });
    Answer::new(500, problem.to_string().into_bytes())
}

/// An answer came that is no JSON: whoever answered is no hub, and what came of the call is not known.
pub(crate) fn unreadable() -> Answer {
    let detail = "the answer is not JSON, so that whoever answered is no hub; look at the address";
    let problem =
        json!({ "status": 502, "detail": detail, "code": "unreachable", "outcome": "unknown" });
    Answer::new(502, problem.to_string().into_bytes())
}

/// What an answer holds; where that cannot be read, the problem that this is.
pub(crate) fn read<'py>(py: Python<'py>, answer: &Held) -> PyResult<(bool, Bound<'py, PyAny>)> {
    match to_python(py, answer.body()) {
        Ok(value) => Ok((answer.is_ok(), value)),
        Err(why) if why.is_instance_of::<PyValueError>(py) => {
            Ok((false, to_python(py, &unreadable().body)?))
        }
        Err(why) => Err(why),
    }
}

/// The handle was made before a fork.
pub(crate) fn forked() -> PyErr {
    let detail = "this was made before the process forked, and works in the parent alone; make another after the fork, or start processes by `spawn`";
    raised(json!({ "status": 409, "detail": detail, "code": "forked" }))
}

/// A refusal with any problem.
pub(crate) fn raised(problem: Value) -> PyErr {
    Python::attach(|py| refused(py, problem.to_string().as_bytes()))
}
