//! From Python objects to a JSON text.

use coordhub_core::limits::JSON_DEPTH_MAX;
use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple},
};

use crate::refused;

/// How long an int may be: more than a million digits, which is more than any hub takes.
const INT_BITS_MAX: u64 = 1 << 22;

/// The JSON text of a call's arguments. What JSON cannot say is refused, by the name of its argument.
pub(crate) fn to_json(args: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<u8>> {
    let mut text = Vec::with_capacity(256);
    match args {
        None => text.extend_from_slice(b"{}"),
        Some(args) => write_object(&mut text, args, 0).map_err(Wrong::raise)?,
    }
    Ok(text)
}

/// Why something cannot be written.
enum Wrong {
    /// It is not what JSON has.
    Value {
        /// The way to it, from its own end.
        way: Vec<String>,
        detail: String,
    },
    /// An object of the program raised an exception.
    Raised(PyErr),
}

impl Wrong {
    fn value(detail: impl Into<String>) -> Self {
        Self::Value { way: Vec::new(), detail: detail.into() }
    }

    /// The same, seen from the object that it stands in.
    fn within(mut self, place: impl FnOnce() -> String) -> Self {
        if let Self::Value { way, .. } = &mut self {
            way.push(place());
        }
        self
    }

    fn raise(self) -> PyErr {
        match self {
            Self::Raised(why) => why,
            Self::Value { mut way, detail } => {
                let field = way.pop().unwrap_or_else(|| "args".to_owned());
                let inner: Vec<&str> = way.iter().rev().map(String::as_str).collect();
                match inner.is_empty() {
                    true => refused::invalid(&field, &detail),
                    false => refused::invalid(&field, &format!("at {}: {detail}", inner.join("."))),
                }
            }
        }
    }
}

impl From<PyErr> for Wrong {
    fn from(why: PyErr) -> Self {
        Self::Raised(why)
    }
}

fn write(text: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Wrong> {
    if let Ok(string) = value.cast::<PyString>() {
        return write_string(text, string);
    }
    if value.is_none() {
        text.extend_from_slice(b"null");
    } else if let Ok(flag) = value.cast::<PyBool>() {
        text.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
    } else if let Ok(whole) = value.cast::<PyInt>() {
        write_int(text, whole)?;
    } else if let Ok(number) = value.cast::<PyFloat>() {
        write_float(text, number)?;
    } else if let Ok(object) = value.cast::<PyDict>() {
        write_object(text, object, depth)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        write_array(text, list.iter(), depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_array(text, tuple.iter(), depth)?;
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        let object = PyDict::new(value.py());
        object.update(mapping)?;
        write_object(text, &object, depth)?;
    } else {
        let name = value.get_type().name()?;
        return Err(Wrong::value(format!("JSON has nothing for an object of type {name}")));
    }
    Ok(())
}

fn write_object(text: &mut Vec<u8>, object: &Bound<'_, PyDict>, depth: usize) -> Result<(), Wrong> {
    check_depth(depth)?;
    text.push(b'{');
    for (nth, (key, value)) in object.iter().enumerate() {
        if nth > 0 {
            text.push(b',');
        }
        let Ok(key) = key.cast::<PyString>() else {
            let name = key.get_type().name()?;
            return Err(Wrong::value(format!("a name in JSON is a str, and none of type {name}")));
        };
        write_string(text, key)?;
        text.push(b':');
        write(text, &value, depth + 1)
            .map_err(|why| why.within(|| key.to_string_lossy().into_owned()))?;
    }
    text.push(b'}');
    Ok(())
}

fn write_array<'py>(
    text: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> Result<(), Wrong> {
    check_depth(depth)?;
    text.push(b'[');
    for (nth, item) in items.enumerate() {
        if nth > 0 {
            text.push(b',');
        }
        write(text, &item, depth + 1).map_err(|why| why.within(|| nth.to_string()))?;
    }
    text.push(b']');
    Ok(())
}

/// The hub counts from each argument on. What stands in itself ends here, too.
fn check_depth(depth: usize) -> Result<(), Wrong> {
    if depth <= JSON_DEPTH_MAX + 1 {
        return Ok(());
    }
    Err(Wrong::value(format!("nested more than {JSON_DEPTH_MAX} deep")))
}

fn write_string(text: &mut Vec<u8>, string: &Bound<'_, PyString>) -> Result<(), Wrong> {
    let lone = |_| Wrong::value("it holds half of a surrogate pair, which is no text");
    let string = string.to_str().map_err(lone)?;
    serde_json::to_writer(text, string).map_err(|why| Wrong::value(why.to_string()))
}

fn write_int(text: &mut Vec<u8>, whole: &Bound<'_, PyInt>) -> Result<(), Wrong> {
    match whole.extract::<i64>() {
        Ok(whole) => text.extend_from_slice(whole.to_string().as_bytes()),
        // A subclass may say anything of itself; what it is as an int is what counts.
        Err(_) => {
            let int = whole.py().get_type::<PyInt>();
            let bits: u64 = int.call_method1("bit_length", (whole,))?.extract()?;
            if bits > INT_BITS_MAX {
                return Err(Wrong::value("an int of more digits than a hub takes"));
            }
            // Python writes no more than some thousand digits; `decimal` writes them all, and knows of no subclass.
            let written = int.call_method1("__repr__", (whole,)).or_else(|_| {
                whole
                    .py()
                    .import("decimal")?
                    .getattr("Decimal")?
                    .call1((whole,))?
                    .str()
                    .map(Bound::into_any)
            })?;
            text.extend_from_slice(
                written.cast::<PyString>().map_err(PyErr::from)?.to_str()?.as_bytes(),
            );
        }
    }
    Ok(())
}

fn write_float(text: &mut Vec<u8>, number: &Bound<'_, PyFloat>) -> Result<(), Wrong> {
    let number = number.value();
    if !number.is_finite() {
        return Err(Wrong::value("JSON has no NaN and no infinity"));
    }
    serde_json::to_writer(text, &number).map_err(|why| Wrong::value(why.to_string()))
}
