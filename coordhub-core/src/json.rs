//! JSON from outside, taken strictly and kept as it was written.
//!
//! A body is scanned once: syntax, depth, duplicate keys and lone surrogates are found in that one
//! pass, and its top-level fields come out as slices of the text. Numbers are never converted, so
//! what the hub keeps in `metadata` and `result` is exactly what the client sent, less its white space.

use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::limits::JSON_DEPTH_MAX;

/// Why a text was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON at all.
    #[error("not JSON: {what} at byte {at}")]
    Syntax {
        /// What was wrong.
        what: &'static str,
        /// Where, in bytes from the start.
        at: usize,
    },
    /// JSON, but nested too deeply.
    #[error("nested more than {JSON_DEPTH_MAX} deep")]
    TooDeep,
    /// JSON, but an object has a key twice: readers disagree on what that means.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// JSON, but a string holds half a surrogate pair, which is no text.
    #[error("a string holds a lone surrogate (\\ud800 to \\udfff), which is no character")]
    LoneSurrogate,
}

/// An error, and the top-level field it was met in, where it was in one.
pub type FieldError = (Option<String>, JsonError);

/// A JSON value kept as compact, validated text. Cheap to clone.
///
/// ```
/// use coordhub_core::JsonText;
/// let kept = JsonText::parse(r#"{ "n": 1e400, "k": [1, 2] }"#).expect("valid");
/// assert_eq!(kept.as_str(), r#"{"n":1e400,"k":[1,2]}"#);
/// assert!(JsonText::parse(r#"{"a":1,"a":2}"#).is_err());
/// ```
#[derive(Clone)]
pub struct JsonText(Arc<RawValue>);

impl JsonText {
    /// Validates `text` and keeps it without its insignificant white space.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        scan(text).map_err(|(_, error)| error)?;
        Ok(Self::trusted(compact(text)))
    }

    /// The empty object, `{}`.
    pub fn empty_object() -> Self {
        Self::trusted("{}".to_owned())
    }

    /// The JSON string that holds `text`.
    pub fn string(text: &str) -> Self {
        Self::trusted(serde_json::Value::from(text).to_string())
    }

    /// The text, compact.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    /// The raw text of the field `key`, where the value is an object that has it.
    pub fn field(&self, key: &str) -> Option<&str> {
        let Ok(Scanned::Object(fields)) = scan(self.as_str()) else { return None };
        fields.into_iter().find(|(name, _)| name == key).map(|(_, raw)| raw)
    }

    /// The same object with one field more. The caller has seen that `key` is not in it.
    #[must_use]
    pub(crate) fn with_field(&self, key: &str, value: &str) -> Self {
        let inner = self.as_str().trim_start_matches('{');
        let comma = if inner == "}" { "" } else { "," };
        Self::trusted(format!("{{\"{key}\":{value}{comma}{inner}"))
    }

    /// Text that the hub itself wrote or has scanned. Text that is not JSON becomes `null`.
    pub(crate) fn trusted(text: String) -> Self {
        let raw = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self(raw.into())
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Eq for JsonText {}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Default for JsonText {
    fn default() -> Self {
        Self::empty_object()
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

/// A scanned text: its top-level fields where it is an object, its elements where it is an array.
#[derive(Debug, Eq, PartialEq)]
pub enum Scanned<'a> {
    /// An object's fields, in order, each with its raw text.
    Object(Vec<(Cow<'a, str>, &'a str)>),
    /// An array's elements, each as its raw text.
    Array(Vec<&'a str>),
    /// Anything else: a string, number, `true`, `false` or `null`.
    Scalar,
}

/// Scans one JSON text from end to end.
pub fn scan(text: &str) -> Result<Scanned<'_>, FieldError> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0, surrogate: None };
    scanner.space();
    let top = match scanner.peek() {
        Some(b'{') => Scanned::Object(scanner.top_object()?),
        Some(b'[') => Scanned::Array(scanner.top_array().map_err(|error| (None, error))?),
        _ => {
            scanner.value(0).map_err(|error| (None, error))?;
            Scanned::Scalar
        }
    };
    scanner.space();
    if scanner.at < scanner.bytes.len() {
        return Err((None, scanner.syntax("something follows the value")));
    }
    Ok(top)
}

/// Decodes a raw JSON string, quotes included. `None` where `raw` is another kind of value.
pub fn decode_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Drops white space outside strings. `text` is valid JSON.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The first half of a surrogate pair whose second half must follow.
    surrogate: Option<u16>,
}

impl<'a> Scanner<'a> {
    fn top_object(&mut self) -> Result<Vec<(Cow<'a, str>, &'a str)>, FieldError> {
        let mut fields: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
        let mut keys = KeySet::default();
        self.at += 1;
        self.members(b'}', |scanner| {
            let key = scanner.key(&mut keys).map_err(|error| (None, error))?;
            let start = scanner.at;
            scanner.value(1).map_err(|error| (Some(key.to_string()), error))?;
            fields.push((key, &scanner.text[start..scanner.at]));
            Ok::<(), FieldError>(())
        })?;
        Ok(fields)
    }

    fn top_array(&mut self) -> Result<Vec<&'a str>, JsonError> {
        let mut elements = Vec::new();
        self.at += 1;
        self.members(b']', |scanner| {
            let start = scanner.at;
            scanner.value(1)?;
            elements.push(&scanner.text[start..scanner.at]);
            Ok(())
        })?;
        Ok(elements)
    }

    /// One value; `depth` is how many containers stand around it.
    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth > JSON_DEPTH_MAX => Err(JsonError::TooDeep),
            Some(b'{') => {
                let mut keys = KeySet::default();
                self.at += 1;
                self.members(b'}', |scanner| {
                    scanner.key(&mut keys)?;
                    scanner.value(depth + 1)
                })
            }
            Some(b'[') => {
                self.at += 1;
                self.members(b']', |scanner| scanner.value(depth + 1))
            }
            Some(b'"') => self.string(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.syntax("a value was expected")),
            None => Err(self.syntax("the text ends too soon")),
        }
    }

    /// The members of an object or array after its opening bracket, up to and with `close`.
    fn members<E: From<JsonError>>(
        &mut self,
        close: u8,
        mut member: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E>
    where
        JsonError: Into<E>,
    {
        self.space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            self.space();
            member(self)?;
            self.space();
            if self.take(close) {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.syntax("',' or a closing bracket was expected").into());
            }
        }
    }

    /// A key that is not yet in `keys`, and the colon behind it.
    fn key(&mut self, keys: &mut KeySet<'a>) -> Result<Cow<'a, str>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key in double quotes was expected"));
        }
        let start = self.at;
        self.string()?;
        let raw = &self.text[start..self.at];
        let key = decode_string(raw).ok_or(JsonError::LoneSurrogate)?;
        if !keys.insert(key.clone()) {
            return Err(JsonError::DuplicateKey(key.chars().take(64).collect()));
        }
        self.space();
        if !self.take(b':') {
            return Err(self.syntax("':' was expected"));
        }
        self.space();
        Ok(key)
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.syntax("a string is not closed"));
            };
            if self.surrogate.is_some() && byte != b'\\' {
                return Err(JsonError::LoneSurrogate);
            }
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..=0x1f => return Err(self.syntax("a control character stands in a string")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let kind = self.bytes.get(self.at + 1).copied();
        if self.surrogate.is_some() && kind != Some(b'u') {
            return Err(JsonError::LoneSurrogate);
        }
        match kind {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self
                    .text
                    .get(self.at + 2..self.at + 6)
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|hex| u16::from_str_radix(hex, 16).ok())
                    .ok_or_else(|| self.syntax("\\u needs four hexadecimal digits"))?;
                self.surrogate = match (self.surrogate, unit) {
                    (None, 0xd800..=0xdbff) => Some(unit),
                    (Some(_), 0xdc00..=0xdfff) => None,
                    (None, 0xdc00..=0xdfff) | (Some(_), _) => return Err(JsonError::LoneSurrogate),
                    (None, _) => None,
                };
                self.at += 6;
            }
            _ => return Err(self.syntax("an unknown escape stands in a string")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(self.syntax("a digit was expected"));
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(self.syntax("a digit was expected"));
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            if self.digits() == 0 {
                return Err(self.syntax("a digit was expected"));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.syntax("a value was expected"))
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn syntax(&self, what: &'static str) -> JsonError {
        JsonError::Syntax { what, at: self.at }
    }
}

impl From<JsonError> for FieldError {
    fn from(error: JsonError) -> Self {
        (None, error)
    }
}

/// The keys of one object. Most objects have few: those are compared one by one, a tree comes late.
#[derive(Default)]
struct KeySet<'a> {
    few: Vec<Cow<'a, str>>,
    many: BTreeSet<Cow<'a, str>>,
}

impl<'a> KeySet<'a> {
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if self.few.len() < 16 {
            let new = !self.few.contains(&key);
            if new {
                self.few.push(key);
            }
            return new;
        }
        !self.few.contains(&key) && self.many.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> JsonError {
        scan(text).expect_err(text).1
    }

    #[test]
    fn agrees_with_an_independent_parser_on_syntax() {
        for text in [
            "null",
            "true",
            "-0",
            "0.5e-3",
            "\"a\\u00e9\"",
            "[]",
            "{}",
            "[1,2,[3]]",
            " {\"a\" : 1 } ",
            "",
            " ",
            "nul",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "1 2",
            "[1",
            "\"\u{1}\"",
            "\"tab\there\"",
            "NaN",
            "'a'",
            "[1}",
        ] {
            let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(scan(text).is_ok(), theirs, "{text:?}");
        }
    }

    #[test]
    fn what_is_json_but_not_taken() {
        assert!(matches!(refused(r#"{"a":1,"a":2}"#), JsonError::DuplicateKey(_)));
        assert!(matches!(refused(r#"[{"a":1,"\u0061":2}]"#), JsonError::DuplicateKey(_)));
        for lone in
            [r#""\ud800""#, r#""\udc00""#, r#""\ud800x""#, r#""\ud800\n""#, r#""\ud800\u0041""#]
        {
            assert_eq!(refused(lone), JsonError::LoneSurrogate, "{lone}");
        }
        assert!(scan(r#""\ud83d\ude00""#).is_ok());
        let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
        let twice = format!("{{{},\"k50\":1}}", many.join(","));
        assert!(matches!(refused(&twice), JsonError::DuplicateKey(_)));
    }

    #[test]
    fn depth_is_bounded_and_names_its_field() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let body = |depth| format!("{{\"x\":1,\"metadata\":{}}}", nested(depth));
        assert!(scan(&body(JSON_DEPTH_MAX)).is_ok());
        let deep = body(JSON_DEPTH_MAX + 1);
        assert_eq!(scan(&deep), Err((Some("metadata".to_owned()), JsonError::TooDeep)));
        assert!(scan(&nested(1_000_000)).is_err());
    }

    #[test]
    fn fields_come_out_as_written() {
        let Ok(Scanned::Object(fields)) = scan(r#" {"a" : "x\ty" , "b":[1, 2],"\u0063":-1.50} "#)
        else {
            panic!("an object");
        };
        let got: Vec<_> = fields.iter().map(|(k, v)| (k.as_ref(), *v)).collect();
        assert_eq!(got, [("a", r#""x\ty""#), ("b", "[1, 2]"), ("c", "-1.50")]);
        assert_eq!(decode_string(r#""x\ty""#).as_deref(), Some("x\ty"));
        assert_eq!(decode_string("12"), None);
    }

    #[test]
    fn text_is_kept_compact_and_can_grow() {
        let kept = JsonText::parse("{ \"a b\" : \"c \\\" d\", \"n\" : 100000000000000000000.0 }")
            .expect("valid");
        assert_eq!(kept.as_str(), r#"{"a b":"c \" d","n":100000000000000000000.0}"#);
        assert_eq!(kept.field("n"), Some("100000000000000000000.0"));
        assert_eq!(JsonText::empty_object().with_field("t", "1").as_str(), r#"{"t":1}"#);
        assert_eq!(kept.with_field("t", "1").field("a b"), Some(r#""c \" d""#));
    }
}
