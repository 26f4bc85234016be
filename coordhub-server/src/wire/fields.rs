//! The fields of a call, wherever they stand: body, query, path or header.
//!
//! Each route declares its fields once ([`Field`]); the same table reads them and documents them.

use std::{borrow::Cow, collections::BTreeMap};

use coordhub_core::{
    JsonText, Timestamp,
    ids::InvalidName,
    json::{self, JsonError, Scanned, decode_string},
};

use super::Problem;

/// A field that a route takes.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, in the body and the query.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub need: Need,
    /// What it is for, in a sentence.
    pub doc: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, not negative.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An instant, RFC 3339 with a zone.
    Time,
    /// A list of texts.
    Texts,
    /// A JSON object.
    Object,
    /// Any JSON value.
    Any,
    /// A list of JSON objects; the whole body may be the list.
    Objects,
}

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// The fields of one call.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    body: Vec<(Cow<'a, str>, &'a str)>,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    path: Vec<(&'static str, Cow<'a, str>)>,
    /// The elements of the body, where it is a list.
    items: Option<Vec<&'a str>>,
}

impl<'a> Fields<'a> {
    /// The fields of a body, which is read as JSON whatever it says it is. An empty one is `{}`.
    pub fn of_body(body: &'a [u8]) -> Result<Self, Problem> {
        let text = str::from_utf8(body)
            .map_err(|_| Problem::not_json("the body is not UTF-8, so it is not JSON"))?;
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        match json::scan(text) {
            Ok(Scanned::Object(body)) => Ok(Self { body, ..Self::default() }),
            Ok(Scanned::Array(items)) => Ok(Self { items: Some(items), ..Self::default() }),
            Ok(_) => Err(not_an_object()),
            Err((field, error)) => Err(json_problem(field.as_deref(), &error)),
        }
    }

    /// Refuses a body that is a list, where a call takes none.
    pub fn refuse_items(&self) -> Result<(), Problem> {
        if self.items.is_some() { Err(not_an_object()) } else { Ok(()) }
    }

    /// A list of objects, each with its fields: the body itself, or its field of this name.
    pub fn objects(&self, name: &'static str) -> Result<Option<Vec<Fields<'a>>>, Problem> {
        self.refuse_in_query(name)?;
        let wrong = || wrong_type(name, "a list of JSON objects");
        let items = match (&self.items, self.body_field(name)) {
            (Some(items), _) => items.clone(),
            (None, Some(raw)) => match json::scan(raw) {
                Ok(Scanned::Array(items)) => items,
                _ => return Err(wrong()),
            },
            (None, None) => return Ok(None),
        };
        items
            .into_iter()
            .map(|raw| Self::of_object(raw).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A JSON object with fields of its own.
    pub fn nested(&self, name: &'static str) -> Result<Option<Fields<'a>>, Problem> {
        self.refuse_in_query(name)?;
        let Some(raw) = self.body_field(name) else { return Ok(None) };
        Self::of_object(raw).map(Some).ok_or_else(|| wrong_type(name, "a JSON object"))
    }

    /// The fields of an object that was scanned with the body it stands in.
    fn of_object(raw: &'a str) -> Option<Self> {
        match json::scan(raw) {
            Ok(Scanned::Object(body)) => Some(Self { body, ..Self::default() }),
            _ => None,
        }
    }

    /// Stands for all that the call says, but for the fields that `leaves_out` names: other arguments
    /// give another number. Where a field stands, and in which order, does not count.
    pub fn fingerprint(&self, leaves_out: impl Fn(&str) -> bool) -> u64 {
        let mut said: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
        for (name, value) in &self.query {
            said.insert(name, Cow::Borrowed(value));
        }
        for (name, raw) in &self.body {
            if *raw == "null" {
                said.remove(&**name);
            } else {
                said.insert(name, decode_string(raw).unwrap_or(Cow::Borrowed(raw)));
            }
        }
        for (name, value) in &self.path {
            said.insert(name, Cow::Borrowed(value));
        }
        let mut hash = Fnv::default();
        for (name, value) in said.iter().filter(|(name, _)| !leaves_out(name)) {
            [name, &**value].into_iter().for_each(|text| hash.add(text));
        }
        self.items.iter().flatten().for_each(|raw| hash.add(raw));
        hash.0
    }

    /// Adds the query string's parameters. A name that stands twice is refused.
    pub fn with_query(mut self, query: Option<&'a str>) -> Result<Self, Problem> {
        for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_query(name)?, decode_query(value)?);
            if self.query.iter().any(|(other, _)| *other == name) {
                let detail = format!("the query parameter {name:?} stands twice");
                return Err(Problem::field(&name, detail));
            }
            self.query.push((name, value));
        }
        Ok(self)
    }

    /// Adds an id that stands in the path.
    pub fn push_path(&mut self, name: &'static str, value: Cow<'a, str>) {
        self.path.push((name, value));
    }

    /// A text.
    pub fn text(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, Problem> {
        if let Some((_, value)) = self.path.iter().find(|(other, _)| *other == name) {
            return Ok(Some(Cow::Borrowed(value)));
        }
        self.beside_path(name)
    }

    /// What the body or the query says under the name of an id in the path.
    pub fn beside_path(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, Problem> {
        match self.raw(name) {
            Raw::Body(raw) => decode_string(raw)
                .map(Some)
                .ok_or_else(|| wrong_type(name, "a string in double quotes")),
            Raw::Query(value) => Ok(Some(Cow::Borrowed(value))),
            Raw::Absent => Ok(None),
        }
    }

    /// A text that must be there.
    pub fn needed_text(&self, name: &'static str) -> Result<Cow<'_, str>, Problem> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A text read as a name or id.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|why| Problem::field(name, format!("{name}: {why}")))
    }

    /// A name or id that must be there.
    pub fn needed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, InvalidName>,
    ) -> Result<T, Problem> {
        self.parsed(name, parse)?.ok_or_else(|| missing(name))
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| {
            let detail = format!("{name} must be one of {}", all.join(", "));
            Problem::field(name, detail)
        })
    }

    /// A whole number, not negative.
    pub fn integer(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let text = match self.raw(name) {
            Raw::Body(raw) => raw,
            Raw::Query(value) => value,
            Raw::Absent => return Ok(None),
        };
        text.parse().map(Some).map_err(|_| wrong_type(name, "a whole number, 0 or more"))
    }

    /// A whole number from `range`.
    pub fn integer_in(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<u64>, Problem> {
        match self.integer(name)? {
            Some(value) if !range.contains(&value) => {
                let detail = format!("{name} must be from {} to {}", range.start(), range.end());
                Err(Problem::field(name, detail))
            }
            value => Ok(value),
        }
    }

    /// A number, as it was written.
    pub fn number(&self, name: &'static str) -> Option<&str> {
        match self.raw(name) {
            Raw::Body(text) | Raw::Query(text) => Some(text),
            Raw::Absent => None,
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        // Python writes `True` into a query.
        let (text, in_query) = match self.raw(name) {
            Raw::Body(raw) => (raw, false),
            Raw::Query(value) => (value, true),
            Raw::Absent => return Ok(None),
        };
        let is_word = |word| text == word || (in_query && text.eq_ignore_ascii_case(word));
        match (is_word("true"), is_word("false")) {
            (true, _) => Ok(Some(true)),
            (_, true) => Ok(Some(false)),
            _ => Err(wrong_type(name, "true or false")),
        }
    }

    /// An instant.
    pub fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Timestamp::parse(&text)
            .map(Some)
            .map_err(|why| Problem::field(name, format!("{name}: {why}")))
    }

    /// A list of texts. Only a body can hold one.
    pub fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Problem> {
        self.refuse_in_query(name)?;
        let Some(raw) = self.body_field(name) else { return Ok(None) };
        let wrong = || wrong_type(name, "a list of strings");
        let Ok(Scanned::Array(elements)) = json::scan(raw) else { return Err(wrong()) };
        let texts = elements.into_iter().map(|element| decode_string(element).map(Cow::into_owned));
        texts.collect::<Option<Vec<_>>>().map(Some).ok_or_else(wrong)
    }

    /// Words in one parameter, parted by commas; also a list in a body.
    pub fn comma_texts(&self, name: &'static str) -> Result<Option<Vec<String>>, Problem> {
        if self.body_field(name).is_some_and(|raw| raw.starts_with('[')) {
            return self.texts(name);
        }
        let Some(text) = self.text(name)? else { return Ok(None) };
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(Some(words.map(str::to_owned).collect()))
    }

    /// A JSON object. Only a body can hold one.
    pub fn object(&self, name: &'static str) -> Result<Option<JsonText>, Problem> {
        self.refuse_in_query(name)?;
        let Some(raw) = self.body_field(name) else { return Ok(None) };
        if !raw.starts_with('{') {
            return Err(wrong_type(name, "a JSON object"));
        }
        kept(name, raw).map(Some)
    }

    /// Any JSON value; a query parameter is taken as a string.
    pub fn any(&self, name: &'static str) -> Result<Option<JsonText>, Problem> {
        match self.raw(name) {
            Raw::Body(raw) => kept(name, raw).map(Some),
            Raw::Query(value) => Ok(Some(JsonText::string(value))),
            Raw::Absent => Ok(None),
        }
    }

    /// The raw JSON of a body's field, where it is there and not `null`.
    pub fn body_field(&self, name: &str) -> Option<&'a str> {
        let found = self.body.iter().find(|(other, _)| other == name);
        found.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
    }

    /// Lists and objects have no place in a query; to drop one in silence would lose it.
    fn refuse_in_query(&self, name: &'static str) -> Result<(), Problem> {
        if self.query.iter().any(|(other, _)| other == name) {
            return Err(Problem::field(
                name,
                format!("{name} can stand in the body only, as JSON"),
            ));
        }
        Ok(())
    }

    fn raw(&self, name: &str) -> Raw<'_> {
        if let Some((_, raw)) = self.body.iter().find(|(other, _)| other == name) {
            // The body wins, also where it says `null`.
            return if *raw == "null" { Raw::Absent } else { Raw::Body(raw) };
        }
        match self.query.iter().find(|(other, _)| other == name) {
            Some((_, value)) => Raw::Query(value),
            None => Raw::Absent,
        }
    }
}

/// FNV-1a: the same on every machine and in every version, which is all that telling a caller's own
/// calls apart needs.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds a text, and where it ends.
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

enum Raw<'a> {
    Body(&'a str),
    Query(&'a str),
    Absent,
}

/// What a refused JSON text is on the wire.
pub fn json_problem(field: Option<&str>, error: &JsonError) -> Problem {
    match error {
        JsonError::Syntax { .. } => Problem::not_json(format!("the body is {error}")),
        _ => {
            let place = field.unwrap_or("body");
            Problem::field(place, format!("{place}: {error}"))
        }
    }
}

fn kept(name: &'static str, raw: &str) -> Result<JsonText, Problem> {
    JsonText::parse(raw).map_err(|error| json_problem(Some(name), &error))
}

fn not_an_object() -> Problem {
    Problem::field("body", "the body must be a JSON object, such as {}")
}

fn missing(name: &str) -> Problem {
    Problem::field(name, format!("{name} is missing"))
}

fn wrong_type(name: &str, wanted: &str) -> Problem {
    Problem::field(name, format!("{name} must be {wanted}"))
}

fn decode_query(text: &str) -> Result<Cow<'_, str>, Problem> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { text.into() };
    match spaced {
        Cow::Borrowed(text) => super::path::decode(text),
        Cow::Owned(text) => super::path::decode(&text).map(|text| Cow::Owned(text.into_owned())),
    }
    .ok_or_else(|| Problem::field("query", "the query string is not valid percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<'a>(body: &'a str, query: &'a str) -> Fields<'a> {
        Fields::of_body(body.as_bytes()).and_then(|f| f.with_query(Some(query))).expect("valid")
    }

    #[test]
    fn the_body_wins_and_null_is_absent() {
        let both = fields(r#"{"a":"body","n":null}"#, "a=query&b=x+y%21&n=5");
        assert_eq!(both.text("a").expect("text").as_deref(), Some("body"));
        assert_eq!(both.text("b").expect("text").as_deref(), Some("x y!"));
        assert_eq!(both.integer("n"), Ok(None));
        assert_eq!(both.text("c"), Ok(None));
    }

    #[test]
    fn a_fingerprint_tells_arguments_apart_and_not_their_order() {
        let of = |body: &str, query: &str| fields(body, query).fingerprint(|name| name == "who");
        let one = of(r#"{"a":1,"b":"x"}"#, "c=2");
        assert_eq!(one, of(r#"{"b":"x","a":1}"#, "c=2"));
        assert_eq!(one, of(r#"{"a":1,"b":"\u0078","d":null}"#, "c=2&who=me"));
        assert_eq!(one, of(r#"{"a":1,"b":"x","c":2}"#, ""));
        assert_eq!(one, of(r#"{"a":1}"#, "b=x&c=2"));
        for (body, query) in [
            (r#"{"a":1,"b":"y"}"#, "c=2"),
            (r#"{"a":1,"b":"x"}"#, "c=3"),
            (r#"{"a":1,"b":"x"}"#, ""),
            ("[1,2]", ""),
            ("[2,1]", ""),
        ] {
            assert_ne!(one, of(body, query), "{body} {query}");
        }
        assert_ne!(of("[1,2]", ""), of("[2,1]", ""));
    }

    #[test]
    fn a_value_takes_the_type_of_its_field() {
        let query = fields("", "limit=7&flag=true&result=5");
        assert_eq!(query.integer("limit"), Ok(Some(7)));
        assert_eq!(query.flag("flag"), Ok(Some(true)));
        let result = query.any("result").expect("any").expect("present");
        assert_eq!(result.as_str(), "\"5\"");
    }

    #[test]
    fn what_is_refused_names_its_field() {
        let body = fields(r#"{"n":-1,"t":5,"l":[1],"f":"true","o":[]}"#, "limit=x");
        for (refused, name) in [
            (body.integer("n").err(), "n"),
            (body.integer("limit").err(), "limit"),
            (body.text("t").err(), "t"),
            (body.texts("l").err(), "l"),
            (body.flag("f").err(), "f"),
            (body.object("o").err(), "o"),
            (body.needed_text("x").err(), "x"),
            (Fields::default().with_query(Some("a=1&a=2")).err(), "a"),
            (Fields::of_body(br#"{"m":{"a":1,"a":2}}"#).err(), "m"),
            (Fields::of_body(b"[]").expect("a list").refuse_items().err(), "body"),
            (Fields::of_body(b"5").err(), "body"),
            (Fields::of_body(b"[5]").expect("a list").objects("o").err(), "o"),
        ] {
            let problem = refused.expect(name);
            assert_eq!(problem.to_json()["field"], name);
            assert_eq!(problem.status().as_u16(), 422, "{name}");
        }
        for not_json in [&b"{"[..], b"hello", b"\xff", b"{} {}", b"{'a':1}"] {
            let problem = Fields::of_body(not_json).expect_err("not JSON");
            assert_eq!((problem.status().as_u16(), problem.code()), (400, "not_json"));
        }
    }
}
