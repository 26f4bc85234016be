//! A keep-alive HTTP/1.1 connection with exactly what the load needs: prepared request bytes out, status and body back.

use std::{
    fmt::Display,
    io::{self, Error, ErrorKind},
    ops::Range,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most a reply may be: those of a list of a thousand are a few hundred kilobytes.
const REPLY_BYTES_MAX: usize = 8 << 20;
const LENGTH: &[u8] = b"content-length:";

/// The bytes of a `GET`.
pub fn get(authority: &str, path: impl Display) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes()
}

/// The bytes of a `POST`.
pub fn post(authority: &str, path: impl Display, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection; a request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    /// Connects.
    pub async fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 4096], filled: 0 })
    }

    /// Sends the request and waits for the whole reply.
    pub async fn round_trip(&mut self, request: &[u8]) -> io::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let (status, body) = loop {
            if let Some(head) = parse_head(&self.buffer[..self.filled])? {
                break head;
            }
            self.read_more(0).await?;
        };
        while self.filled < body.end {
            self.read_more(body.end).await?;
        }
        Ok((status, &self.buffer[body]))
    }

    /// The last reply, with its head.
    pub fn reply(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// A round trip that must end with 200.
    pub async fn expect_ok(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        match self.round_trip(request).await? {
            (200, body) => Ok(body),
            (status, body) => {
                let said = String::from_utf8_lossy(&body[..body.len().min(300)]);
                Err(Error::other(format!("the hub answered {status}: {said}")))
            }
        }
    }

    async fn read_more(&mut self, wanted: usize) -> io::Result<()> {
        if self.filled == self.buffer.len() || self.buffer.len() < wanted {
            let size = (self.buffer.len() * 2).max(wanted);
            if size > REPLY_BYTES_MAX {
                return Err(invalid("a reply of over 8 MiB"));
            }
            self.buffer.resize(size, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        if read == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the hub closed the connection"));
        }
        self.filled += read;
        Ok(())
    }
}

/// Status and place of the body, once the head is complete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(u16, Range<usize>)>> {
    let (mut at, mut length) = (0, None::<usize>);
    while let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[at..at + end + 1];
        at += line.len();
        if line == b"\r\n" {
            let status = number_at(bytes, 9).and_then(|status| u16::try_from(status).ok());
            return match (status, length) {
                (Some(status), Some(length)) => Ok(Some((status, at..at + length))),
                _ => Err(invalid("a reply without status or content-length")),
            };
        }
        if let Some((name, value)) = line.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            length = number_at(value.trim_ascii(), 0).and_then(|length| length.try_into().ok());
        }
    }
    Ok(None)
}

/// The number behind `needle`, which is a member's name with quotes and colon. In JSON a quote within text is escaped,
/// so this cannot match inside a string.
pub fn number_after(json: &[u8], needle: &[u8]) -> Option<u64> {
    number_at(json, find(json, needle)? + needle.len())
}

/// The text behind `needle`, which is a member's name with quotes, colon and quote; for ids, which are not escaped.
pub fn text_after<'a>(json: &'a [u8], needle: &[u8]) -> Option<&'a str> {
    let rest = json.get(find(json, needle)? + needle.len()..)?;
    std::str::from_utf8(rest.split(|byte| *byte == b'"').next()?).ok()
}

/// The number whose digits begin at `start`.
pub fn number_at(bytes: &[u8], start: usize) -> Option<u64> {
    let mut number = None;
    for digit in bytes.get(start..)?.iter().take_while(|byte| byte.is_ascii_digit()) {
        let so_far = number.unwrap_or(0_u64);
        number = Some(so_far.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    number
}

/// Where `needle` first stands in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

pub(super) fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_outside_strings_only() {
        let seq = |json: &[u8]| number_after(json, b"\"seq\":");
        assert_eq!(seq(br#"{"type":"message","seq":42,"message":{}}"#), Some(42));
        assert_eq!(seq(br#"{"head_seq":7,"text":"\"seq\":1","seq":12}"#), Some(12));
        assert_eq!(seq(br#"{"type":"pong"}"#), None);
        assert_eq!(seq(br#"{"seq":null}"#), None);
        assert_eq!(text_after(br#"{"task_id":"t-1","x":1}"#, b"\"task_id\":\""), Some("t-1"));
    }

    #[test]
    fn a_head_gives_status_and_body_place() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\n{}";
        assert_eq!(parse_head(reply).expect("valid"), Some((200, 38..40)));
        assert_eq!(parse_head(&reply[..20]).expect("incomplete"), None);
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
