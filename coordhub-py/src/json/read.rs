//! From a JSON text to Python objects.
//!
//! The text comes from the hub, which writes what is valid. What is not is refused all the same: it may have
//! come over a network.

use coordhub_core::json::decode_string;
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString},
};

use super::keys::Keys;

/// How deep a text may be nested: the hub takes 64, and wraps what it took.
const DEPTH_MAX: usize = 128;

/// The objects that a JSON text stands for, as Python's own `json` would make them.
pub(crate) fn to_python<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let text = str::from_utf8(text).map_err(|_| malformed())?;
    let mut reader = Reader { py, text, bytes: text.as_bytes(), at: 0, keys: Keys::new() };
    let value = reader.value(DEPTH_MAX)?;
    reader.skip_space();
    if reader.at == text.len() { Ok(value) } else { Err(malformed()) }
}

fn malformed() -> PyErr {
    PyValueError::new_err("the hub's answer is not JSON")
}

struct Reader<'py, 'a> {
    py: Python<'py>,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    keys: Keys,
}

impl<'py, 'a> Reader<'py, 'a> {
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let depth = depth.checked_sub(1).ok_or_else(malformed)?;
        self.skip_space();
        match self.peek() {
            Some(b'"') => Ok(self.string()?.into_any()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.word("true", PyBool::new(self.py, true).to_owned().into_any()),
            Some(b'f') => self.word("false", PyBool::new(self.py, false).to_owned().into_any()),
            Some(b'n') => self.word("null", self.py.None().into_bound(self.py)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let object = PyDict::new(self.py);
        self.at += 1;
        self.skip_space();
        if self.takes(b'}') {
            return Ok(object.into_any());
        }
        loop {
            self.skip_space();
            let key = self.key()?;
            self.skip_space();
            self.expect(b':')?;
            object.set_item(key, self.value(depth)?)?;
            self.skip_space();
            if self.takes(b'}') {
                return Ok(object.into_any());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if !self.takes(b']') {
            loop {
                items.push(self.value(depth)?);
                self.skip_space();
                if self.takes(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(PyList::new(self.py, items)?.into_any())
    }

    /// The same few names come again and again.
    fn key(&mut self) -> PyResult<Bound<'py, PyString>> {
        let raw = self.raw_string()?;
        match raw.contains('\\') {
            false => Ok(self.keys.get(self.py, &raw[1..raw.len() - 1])),
            true => self.decoded(raw),
        }
    }

    fn string(&mut self) -> PyResult<Bound<'py, PyString>> {
        let raw = self.raw_string()?;
        match raw.contains('\\') {
            false => Ok(PyString::new(self.py, &raw[1..raw.len() - 1])),
            true => self.decoded(raw),
        }
    }

    fn decoded(&self, raw: &str) -> PyResult<Bound<'py, PyString>> {
        let text = decode_string(raw).ok_or_else(malformed)?;
        Ok(PyString::new(self.py, &text))
    }

    /// A string with its quotes, as it stands in the text.
    fn raw_string(&mut self) -> PyResult<&'a str> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek().ok_or_else(malformed)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at).ok_or_else(malformed)
    }

    /// A number: an `int` of any size where it is whole, a `float` else.
    fn number(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let raw = self.text.get(self.at..self.at + length).ok_or_else(malformed)?;
        self.at += length;
        if let Ok(whole) = raw.parse::<i64>() {
            return Ok(PyInt::new(self.py, whole).into_any());
        }
        if raw.contains(['.', 'e', 'E']) {
            let number: f64 = raw.parse().map_err(|_| malformed())?;
            return Ok(PyFloat::new(self.py, number).into_any());
        }
        let int = self.py.get_type::<PyInt>();
        int.call1((raw,)).or_else(|_| self.long(raw)).map_err(|_| malformed())
    }

    /// An `int` of more digits than Python makes of a text: its limit is for texts of strangers that are of any length,
    /// and one of the hub's is not. What `decimal` takes has none.
    fn long(&self, raw: &str) -> PyResult<Bound<'py, PyAny>> {
        let decimal = self.py.import("decimal")?.getattr("Decimal")?.call1((raw,))?;
        self.py.get_type::<PyInt>().call1((decimal,))
    }

    fn word(&mut self, word: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(malformed());
        }
        self.at += word.len();
        Ok(value)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> PyResult<()> {
        if self.takes(byte) { Ok(()) } else { Err(malformed()) }
    }
}
