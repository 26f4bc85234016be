//! A keep-alive HTTP/1.1 connection with exactly what the load needs: prepared request bytes out, status and body back.

use std::io::{self, Error, ErrorKind};
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most a reply may be: those of a send are a few hundred bytes.
const REPLY_BYTES_MAX: usize = 1 << 20;

/// The authority (`host:port`) of an `http://` address.
pub(crate) fn authority(url: &str) -> io::Result<&str> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| invalid("the address must begin with http://"))?;
    Ok(rest.split('/').next().unwrap_or(rest))
}

/// The bytes of a `POST /messages/send` to `general`.
pub(crate) fn send_request(authority: &str, from_entity: &str, content: &str) -> Vec<u8> {
    let body =
        serde_json::json!({ "from_entity": from_entity, "content": content, "channel": "general" });
    post(authority, "/messages/send", &body)
}

/// The bytes of a `POST`.
pub(crate) fn post(authority: &str, path: &str, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection; a request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) async fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 4096], filled: 0 })
    }

    /// Sends the request and waits for the whole reply.
    pub(crate) async fn round_trip(&mut self, request: &[u8]) -> io::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let (status, body) = loop {
            if let Some((status, body)) = parse_head(&self.buffer[..self.filled])? {
                break (status, body);
            }
            self.read_more(REPLY_BYTES_MAX).await?;
        };
        while self.filled < body.end {
            self.read_more(body.end).await?;
        }
        Ok((status, &self.buffer[body]))
    }

    async fn read_more(&mut self, wanted: usize) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            if self.filled >= REPLY_BYTES_MAX {
                return Err(invalid("a reply of over 1 MiB"));
            }
            self.buffer
                .resize((self.filled * 2).min(REPLY_BYTES_MAX).max(wanted.min(REPLY_BYTES_MAX)), 0);
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
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head =
        std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("a head that is not text"))?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4..end + 4 + length))),
        _ => Err(invalid("a reply without status or content-length")),
    }
}

/// The first `seq` in it.
pub(crate) fn seq_of(json: &[u8]) -> Option<u64> {
    number_after(json, b"\"seq\":")
}

/// The number after the first such `"member":`. In JSON a quote within text is escaped, so this cannot match inside a
/// string.
pub(crate) fn number_after(json: &[u8], member: &[u8]) -> Option<u64> {
    let start = find(json, member)? + member.len();
    let mut number = None;
    for digit in json[start..].iter().take_while(|byte| byte.is_ascii_digit()) {
        number =
            Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(u64::from(digit - b'0'))?);
    }
    number
}

/// A text member of a JSON object.
pub(crate) fn text_of(json: &[u8], name: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    value[name].as_str().map(str::to_owned)
}

/// Where `needle` first stands in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seq_is_found_outside_strings_only() {
        assert_eq!(seq_of(br#"{"type":"message","seq":42,"message":{}}"#), Some(42));
        assert_eq!(seq_of(br#"{"head_seq":7,"text":"\"seq\":1","seq":12}"#), Some(12));
        assert_eq!(seq_of(br#"{"type":"pong"}"#), None);
        assert_eq!(seq_of(br#"{"seq":null}"#), None);
    }

    #[test]
    fn a_head_gives_status_and_body_place() {
        let reply = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\n{}";
        assert_eq!(parse_head(reply).expect("valid"), Some((200, 38..40)));
        assert_eq!(parse_head(&reply[..20]).expect("incomplete"), None);
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
