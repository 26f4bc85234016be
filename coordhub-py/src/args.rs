//! The arguments of one call, read from a JSON object. `null` is as good as absent.

use std::{borrow::Cow, ops::RangeInclusive};

use coordhub_core::{
    JsonText, Timestamp,
    ids::{EntityId, InvalidName},
    json::{self, Scanned, decode_string},
};

use crate::failure::Failure;

/// The arguments of one call.
pub(crate) struct Args<'a> {
    fields: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Args<'a> {
    /// Reads them. The Python half wrote the object; what is in its values may be anything.
    pub(crate) fn read(text: &'a str) -> Result<Self, Failure> {
        match json::scan(text) {
            Ok(Scanned::Object(fields)) => Ok(Self { fields }),
            Ok(_) => Err(Failure::invalid("args", "the arguments must be a JSON object")),
            Err((field, error)) => {
                let field = field.as_deref().unwrap_or("args");
                Err(Failure::invalid(field, format!("{field}: {error}")))
            }
        }
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text = decode_string(raw).ok_or_else(|| wrong_type(name, "a string"))?;
        Ok(Some(text.into_owned()))
    }

    /// A text that must be there.
    pub(crate) fn needed_text(&self, name: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A text read as a name or id.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|why| Failure::invalid(name, format!("{name}: {why}")))
    }

    /// A name or id that must be there.
    pub(crate) fn needed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Result<T, Failure> {
        self.parsed(name, parse)?.ok_or_else(|| missing(name))
    }

    /// An entity, where one is named.
    pub(crate) fn entity(&self, name: &str) -> Result<Option<EntityId>, Failure> {
        self.parsed(name, EntityId::parse)
    }

    /// Names or ids.
    pub(crate) fn all_parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Result<Vec<T>, Failure> {
        let wrong = |why| Failure::invalid(name, format!("{name}: {why}"));
        let texts = self.texts(name)?.unwrap_or_default();
        texts.iter().map(|text| parse(text).map_err(wrong)).collect()
    }

    /// One of a closed set of words.
    pub(crate) fn word<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let wrong = || Failure::invalid(name, format!("{name} must be one of {}", all.join(", ")));
        parse(&text).map(Some).ok_or_else(wrong)
    }

    /// A whole number, not negative.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<u64>, Failure> {
        let read =
            |raw: &str| raw.parse().map_err(|_| wrong_type(name, "a whole number, 0 or more"));
        self.raw(name).map(read).transpose()
    }

    /// A whole number from `range`.
    pub(crate) fn integer_in(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Failure> {
        let (least, most) = (range.start(), range.end());
        match self.integer(name)? {
            Some(value) if !range.contains(&value) => {
                Err(Failure::invalid(name, format!("{name} must be from {least} to {most}")))
            }
            value => Ok(value),
        }
    }

    /// A number, as it was written.
    pub(crate) fn number(&self, name: &str) -> Option<&'a str> {
        self.raw(name)
    }

    /// `true` or `false`; `false` where it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.optional_flag(name)?.unwrap_or(false))
    }

    /// `true`, `false`, or neither.
    pub(crate) fn optional_flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let read = |raw: &str| raw.parse().map_err(|_| wrong_type(name, "True or False"));
        self.raw(name).map(read).transpose()
    }

    /// An instant.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let wrong = |why| Failure::invalid(name, format!("{name}: {why}"));
        Timestamp::parse(&text).map(Some).map_err(wrong)
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let wrong = || wrong_type(name, "a list of strings");
        let Ok(Scanned::Array(elements)) = json::scan(raw) else { return Err(wrong()) };
        let texts = elements.into_iter().map(|raw| decode_string(raw).map(Cow::into_owned));
        texts.collect::<Option<Vec<_>>>().map(Some).ok_or_else(wrong)
    }

    /// A JSON object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<JsonText>, Failure> {
        match self.any(name)? {
            Some(value) if !value.is_object() => Err(wrong_type(name, "a dict")),
            value => Ok(value),
        }
    }

    /// Any JSON value.
    pub(crate) fn any(&self, name: &str) -> Result<Option<JsonText>, Failure> {
        let read = |raw| {
            JsonText::parse(raw).map_err(|why| Failure::invalid(name, format!("{name}: {why}")))
        };
        self.raw(name).map(read).transpose()
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let found = self.fields.iter().find(|(other, _)| other == name);
        found.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }
}

/// An argument that must be there is not.
pub(crate) fn missing(name: &str) -> Failure {
    Failure::invalid(name, format!("{name} is missing"))
}

fn wrong_type(name: &str, wanted: &str) -> Failure {
    Failure::invalid(name, format!("{name} must be {wanted}"))
}
