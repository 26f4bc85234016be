//! The client end of a WebSocket, as cheap as the load needs it: bytes are read into one buffer for all sockets, and
//! frames are looked at where they lie. A library's reader costs more than the hub spends on a frame, and what the
//! generator spends is missing to the hub.

use std::{
    io::{self, ErrorKind},
    ops::Range,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::http::{find, invalid, number_after};

const HELLO_MAX: Duration = Duration::from_secs(20);
const HEAD_BYTES_MAX: usize = 8 << 10;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The buffer that all sockets of a run read into, one at a time.
#[derive(Debug)]
pub struct Scratch(Mutex<Vec<u8>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Mutex::new(vec![0; 64 << 10]))
    }
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
}

impl Socket {
    /// Opens a socket at a path with its query, and waits for its `hello`.
    pub async fn open(authority: &str, path: &str) -> io::Result<Self> {
        timeout(HELLO_MAX, Self::shake_hands(authority, path)).await?
    }

    async fn shake_hands(authority: &str, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        // The key is there against caches, of which there are none.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y29vcmRodWItYmVuY2gtMQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut rest = Vec::new();
        loop {
            if let Some(end) = find(&rest, b"\r\n\r\n") {
                if !rest.starts_with(b"HTTP/1.1 101") {
                    return Err(invalid("the hub did not open a socket"));
                }
                if let Some(frame) = parse(&rest[end + 4..])? {
                    let hello = &rest[end + 4..][frame.payload];
                    if number_after(hello, b"\"head_seq\":").is_none() {
                        return Err(invalid("no hello came first"));
                    }
                    rest.drain(..end + 4 + frame.end);
                    return Ok(Self { stream, rest });
                }
            }
            if rest.len() > HEAD_BYTES_MAX || stream.read_buf(&mut rest).await? == 0 {
                return Err(invalid("the hub did not open a socket"));
            }
        }
    }

    /// Writes frames that [`text_frame`] made.
    pub async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames).await
    }

    /// Waits until there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Reads what has come and shows each text to `each`. `false` where the hub closed the socket.
    pub fn take(&mut self, scratch: &Scratch, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        let mut scratch = scratch.0.lock();
        let read = match self.stream.try_read(&mut scratch) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        if self.rest.is_empty() {
            let taken = self.show(&scratch[..read], &mut each)?;
            let Some(taken) = taken else { return Ok(false) };
            self.rest.extend_from_slice(&scratch[taken..read]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(&scratch[..read]);
            let taken = self.show(&bytes, &mut each)?;
            let Some(taken) = taken else { return Ok(false) };
            bytes.drain(..taken);
            self.rest = bytes;
        }
        Ok(true)
    }

    /// How many bytes the whole frames were. `None` where one of them closed the socket.
    fn show(&self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> io::Result<Option<usize>> {
        let mut at = 0;
        while let Some(frame) = parse(&bytes[at..])? {
            let payload = &bytes[at..][frame.payload];
            match frame.opcode {
                TEXT => each(payload),
                CLOSE => return Ok(None),
                PING => {
                    // Where it cannot be written now, the next one is answered.
                    let _written = self.stream.try_write(&client_frame(PONG, payload));
                }
                _ => {}
            }
            at += frame.end;
        }
        Ok(Some(at))
    }
}

/// The bytes of a text from a client, under a mask of zeros.
pub fn text_frame(text: &[u8]) -> Vec<u8> {
    client_frame(TEXT, text)
}

fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![FINAL | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            frame.push(MASKED | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

#[derive(Debug, Eq, PartialEq)]
struct Frame {
    opcode: u8,
    payload: Range<usize>,
    end: usize,
}

/// The first frame of these bytes, if the whole of it is there.
fn parse(bytes: &[u8]) -> io::Result<Option<Frame>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & FINAL == 0 || second & MASKED != 0 {
        return Err(invalid("a frame in parts, or masked, came from the hub"));
    }
    let (start, length): (usize, usize) = match (second, rest) {
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, rest) => match rest.first_chunk() {
            Some(length) => {
                (10, usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX))
            }
            None => return Ok(None),
        },
        (126, _) => return Ok(None),
        (length, _) => (2, usize::from(*length)),
    };
    let end = start.checked_add(length).ok_or_else(|| invalid("a frame without end"))?;
    let frame = Frame { opcode: first & 15, payload: start..end, end };
    Ok((end <= bytes.len()).then_some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_when_they_are_whole() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536, 100_000] {
            let mut bytes = client_frame(TEXT, &vec![b'x'; length]);
            // As a server sends it: without the mask.
            bytes[1] &= 0x7f;
            let payload = bytes.len() - length;
            bytes.drain(payload - 4..payload);
            let whole = parse(&bytes).expect("a frame").expect("all of it");
            assert_eq!((whole.opcode, whole.payload.len(), whole.end), (TEXT, length, bytes.len()));
            if length > 0 {
                assert_eq!(parse(&bytes[..bytes.len() - 1]).expect("a frame"), None);
            }
        }
        assert!(parse(&[1, 1, 0]).is_err() && parse(&[0x81, 0x81, 0, 0, 0, 0, 0]).is_err());
    }
}
