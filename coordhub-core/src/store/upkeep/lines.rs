//! What an export is made of: one JSON object a line, `{"kind":"message","row":{…}}`.
//!
//! A row is the row of its table, column by column, so that nothing is lost on the way. A column that
//! holds JSON stands there as it is; what is NULL is left out, for JSON's own `null` is a value.

use std::io::{self, Write};

use rusqlite::{Row, types::ValueRef};

/// The first line says what follows.
pub(super) const HEADER: &str = "hub";
/// The last line, so that an export that was cut short is known for it.
pub(super) const END: &str = "end";
/// Of these lines; another is another number.
pub(super) const FORMAT: u32 = 1;

/// What a table's rows are called, in the order in which they are written.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("meta", "meta"),
    ("entity", "entities"),
    ("cursor", "cursors"),
    ("channel", "channels"),
    // Before the events that they stand in.
    ("message", "messages"),
    ("event", "events"),
    ("task", "tasks"),
    ("note", "notes"),
    ("late_result", "late_results"),
    ("proposal", "proposals"),
    ("vote", "votes"),
    ("roll_call", "roll_calls"),
    ("receipt", "receipts"),
    ("reservation", "reservations"),
    ("idempotency_key", "idempotency_keys"),
    ("private_channel", "private_channels"),
    ("channel_member", "channel_members"),
    ("tombstone", "tombstones"),
    // By the hashes of their secrets: whoever has one goes on having it, and an export lets nobody in.
    ("token", "tokens"),
    ("invite", "invites"),
    ("refusal", "refusals"),
];

/// What is not exported: what stands in the tail was written to the other tables first.
#[cfg(test)]
pub(super) const LEFT_OUT: &[&str] = &["tail"];

/// Columns whose text is JSON, in whichever table.
const JSON_COLUMNS: &[&str] = &[
    "blocked_by",
    "capabilities",
    "data",
    "departed",
    "depends_on",
    "electorate",
    "entity_ids",
    "entity_types",
    "human_electors",
    "metadata",
    "question",
    "resources",
    "result",
    "tags",
    "told",
    "types",
];

/// Whether the text of a column is JSON.
pub(super) fn is_json(column: &str) -> bool {
    JSON_COLUMNS.contains(&column)
}

/// In which order a table's rows are written.
pub(super) fn order(table: &str) -> &'static str {
    match table {
        "messages" | "events" | "notes" => "seq",
        "tasks" | "proposals" => "created_seq",
        "entities" => "registered_seq",
        "tombstones" | "refusals" => "1",
        _ => "1, 2",
    }
}

/// Writes one row as a line.
pub(super) fn write_row(
    out: &mut dyn Write,
    kind: &str,
    columns: &[String],
    row: &Row<'_>,
) -> io::Result<()> {
    write!(out, "{{\"kind\":\"{kind}\",\"row\":{{")?;
    let mut comma = "";
    for (at, column) in columns.iter().enumerate() {
        let value = row.get_ref(at).map_err(io::Error::other)?;
        if matches!(value, ValueRef::Null) {
            continue;
        }
        write!(out, "{comma}\"{column}\":")?;
        comma = ",";
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(number) => write!(out, "{number}")?,
            ValueRef::Real(number) => write!(out, "{number}")?,
            ValueRef::Text(bytes) => {
                let text = str::from_utf8(bytes).map_err(io::Error::other)?;
                if is_json(column) {
                    out.write_all(text.as_bytes())?;
                } else {
                    serde_json::to_writer(&mut *out, text)?;
                }
            }
            ValueRef::Blob(bytes) => {
                out.write_all(b"{\"hex\":\"")?;
                bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
                out.write_all(b"\"}")?;
            }
        }
    }
    out.write_all(b"}}\n")
}
