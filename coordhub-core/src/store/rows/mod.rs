//! Rows: each noun is written and read in one place, side by side, columns bound by position.

pub(super) mod audit;
pub(super) mod channels;
pub(super) mod credentials;
pub(super) mod entities;
pub(super) mod events;
pub(super) mod history;
pub(super) mod keys;
pub(super) mod meta;
pub(super) mod proposals;
pub(super) mod remarks;
pub(super) mod reservations;
pub(super) mod roll_calls;
pub(super) mod tasks;

use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use crate::{JsonText, Timestamp, ids::Seq};

/// A count or `seq` as SQLite keeps it. None of them comes near 2^63.
pub(super) fn int(value: u64) -> i64 {
    value.cast_signed()
}

fn unsigned(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value))
}

pub(super) fn seq(row: &Row<'_>, at: usize) -> rusqlite::Result<Seq> {
    unsigned(row, at)
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    row.get(at).map(Timestamp::from_millis)
}

fn optional_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
}

fn text<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<&'r str> {
    let value = row.get_ref(at)?;
    value.as_str().map_err(|error| unreadable(at, error))
}

fn optional_text<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Option<&'r str>> {
    let value = row.get_ref(at)?;
    value.as_str_or_null().map_err(|error| unreadable(at, error))
}

/// One of a closed set of words.
fn word<T>(row: &Row<'_>, at: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = text(row, at)?;
    parse(text).ok_or_else(|| unreadable(at, format!("{text:?} is none of the words known here")))
}

fn json_text(row: &Row<'_>, at: usize) -> rusqlite::Result<JsonText> {
    row.get(at).map(JsonText::trusted)
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text(row, at)?).map_err(|error| unreadable(at, error))
}

fn optional_json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    let Some(text) = optional_text(row, at)? else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| unreadable(at, error))
}

/// A list or record as JSON text. Most lists are empty, and cost nothing.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn unreadable(
    at: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, why.into())
}
