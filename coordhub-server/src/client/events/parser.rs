//! Server-sent events, found in chunks.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

/// The most that one record may take.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// One record: where the reader stands after it, and perhaps an event.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) epoch: Bytes,
    pub(super) seq: u64,
    pub(super) kind: Bytes,
    pub(super) data: Option<Bytes>,
}

/// Finds records in chunks. What it finds is a part of the chunk and no copy, but where a record came in pieces.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of a record whose end is still to come.
    rest: BytesMut,
}

impl Parser {
    /// Takes a chunk, and adds what it completes.
    pub(super) fn read(&mut self, chunk: Bytes, records: &mut Vec<Record>) -> Result<(), String> {
        let whole = if self.rest.is_empty() {
            chunk
        } else {
            let from = self.rest.len().saturating_sub(3);
            self.rest.extend_from_slice(&chunk);
            if !ends_record(&self.rest[from..]) {
                return self.bounded();
            }
            self.rest.split().freeze()
        };
        let (mut begin, mut at) = (0, 0);
        let mut fields = Fields::default();
        while let Some(length) = memchr(b'\n', &whole[at..]) {
            let mut end = at + length;
            let next = end + 1;
            if end > at && whole[end - 1] == b'\r' {
                end -= 1;
            }
            if end == at {
                records.extend(std::mem::take(&mut fields).record());
                begin = next;
            } else {
                fields.read(&whole, at, end);
            }
            at = next;
        }
        self.rest.extend_from_slice(&whole[begin..]);
        self.bounded()
    }

    fn bounded(&self) -> Result<(), String> {
        if self.rest.len() > RECORD_BYTES_MAX {
            return Err(format!("one of its events is over {RECORD_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}

/// Whether an empty line is in it.
fn ends_record(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        if rest.first() == Some(&b'\n') || rest.starts_with(b"\r\n") {
            return true;
        }
    }
    false
}

/// The fields of the record that is being read.
#[derive(Default)]
struct Fields {
    id: Bytes,
    kind: Bytes,
    data: Option<Bytes>,
}

impl Fields {
    /// A line. Comments, and fields that say nothing here, are passed over.
    fn read(&mut self, whole: &Bytes, from: usize, to: usize) {
        let line = &whole[from..to];
        let Some(colon) = memchr(b':', line) else { return };
        let value = from + colon + 1;
        let value = if whole.get(value) == Some(&b' ') && value < to { value + 1 } else { value };
        let value = || whole.slice(value..to);
        match &line[..colon] {
            b"id" => self.id = value(),
            b"event" => self.kind = value(),
            b"data" => {
                self.data = Some(match self.data.take() {
                    None => value(),
                    Some(before) => [&*before, b"\n", &*value()].concat().into(),
                });
            }
            _ => {}
        }
    }

    /// The record, where it says a position.
    fn record(self) -> Option<Record> {
        let colon = memchr(b':', &self.id)?;
        let seq = str::from_utf8(&self.id[colon + 1..]).ok()?.parse().ok()?;
        Some(Record { epoch: self.id.slice(..colon), seq, kind: self.kind, data: self.data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\n\nid: e1:3\n\nid: e1:4\nevent: task_created\ndata: {\"a\":\"x: y\"}\n\n: keep-alive\n\nid: e1:5\r\nevent:gap\r\ndata: 1\r\ndata: 2\r\n\r\n: keep-alive\nid: e1:6\n\nid: e1:7\ndata: cut";

    fn record(seq: u64, kind: &str, data: Option<&str>) -> Record {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Record { epoch: bytes("e1"), seq, kind: bytes(kind), data: data.map(bytes) }
    }

    #[test]
    fn records_are_found_wherever_the_stream_is_cut() {
        let expected = [
            record(3, "", None),
            record(4, "task_created", Some("{\"a\":\"x: y\"}")),
            record(5, "gap", Some("1\n2")),
            record(6, "", None),
        ];
        for first in 0..STREAM.len() {
            for size in [1, 2, 3, 7, STREAM.len()] {
                let (mut parser, mut records) = (Parser::default(), Vec::new());
                let (head, tail) = STREAM.as_bytes().split_at(first);
                for chunk in [head].into_iter().chain(tail.chunks(size)) {
                    let chunk = Bytes::copy_from_slice(chunk);
                    parser.read(chunk, &mut records).expect("a stream");
                }
                assert_eq!(records, expected, "cut at {first} and then every {size}");
            }
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let (mut parser, mut records) = (Parser::default(), Vec::new());
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let read = (0..20).try_for_each(|_| parser.read(chunk.clone(), &mut records));
        assert!(read.is_err() && records.is_empty());
    }
}
