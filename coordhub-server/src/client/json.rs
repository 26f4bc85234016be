//! JSON of a client: the arguments that it is given, and what a hub says. The only file of the client that reads any.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

/// The members of an object, in order; their values as they stand there.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Takes an object apart; no text at all is an empty one.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, String> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(text)
            .map_err(|why| format!("the arguments are no JSON object: {why}"))
    }

    /// Takes a member out, where there is one that is not `null`.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        let (_, value) = self.0.remove(at);
        Some(value).filter(|value| value.get() != "null")
    }

    /// Whether one of the names is that of a member that says something.
    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(own, value)| names.contains(&&**own) && value.get() != "null")
    }

    /// A number, where a member is one.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        value.get().parse().ok()
    }

    /// The members that say something, each as a query string has it.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        let says = |(_, value): &&(Cow<'a, str>, &'a RawValue)| value.get() != "null";
        self.0.iter().filter(says).map(|(name, value)| (&**name, text(value)))
    }

    /// The object again.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut object = Vec::with_capacity(64);
        for (name, value) in &self.0 {
            object.push(if object.is_empty() { b'{' } else { b',' });
            object.extend_from_slice(Value::from(&**name).to_string().as_bytes());
            object.push(b':');
            object.extend_from_slice(value.get().as_bytes());
        }
        if object.is_empty() {
            object.push(b'{');
        }
        object.push(b'}');
        object
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taken;

        impl<'de> Visitor<'de> for Taken {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

                let mut members = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Taken)
    }
}

/// A value as a path or a query string has it: a text without its quotes, a list with commas.
pub(super) fn text(value: &RawValue) -> String {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).unwrap_or_default(),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
            items.into_iter().map(text).collect::<Vec<_>>().join(",")
        }
        _ => raw.to_owned(),
    }
}

/// An object, where it is one.
pub(super) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(text).ok()
}

/// What a hub said, as a type of the caller's.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_taken_apart_and_put_together_again() {
        let mut members = Members::read(
            br#" {"a": "x\n", "t\u0061g": [1, "b,c"], "n": null, "big": 12345678901234567890.5} "#,
        )
        .expect("an object");
        assert!(members.has_any(&["b", "a"]) && !members.has_any(&["n"]));
        assert_eq!(members.take("a").map(text).as_deref(), Some("x\n"));
        assert!(members.take("a").is_none());
        let texts: Vec<_> = members.texts().collect();
        let big = ("big", "12345678901234567890.5".to_owned());
        assert_eq!(texts, [("tag", "1,b,c".to_owned()), big]);
        let written = String::from_utf8(members.write()).expect("text");
        assert_eq!(written, r#"{"tag":[1, "b,c"],"n":null,"big":12345678901234567890.5}"#);
        assert_eq!(Members::read(b" ").expect("nothing").write(), b"{}");
        for wrong in ["[]", "{", "1", "{\"a\":}", "null"] {
            assert!(Members::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
