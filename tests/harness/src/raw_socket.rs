//! A WebSocket on which the test writes the bytes itself, for frames that no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::WAIT_MAX;

/// The first byte of a whole text.
pub const TEXT: u8 = 0x81;
/// The first byte of a text that goes on in further frames.
pub const TEXT_BEGUN: u8 = 0x01;
/// The first byte of the last frame of such a text.
pub const TEXT_ENDED: u8 = 0x80;
const CLOSE: u8 = 0x88;

/// A socket after its handshake.
#[derive(Debug)]
pub struct RawSocket {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

impl RawSocket {
    /// Shakes hands; the hub must agree.
    pub async fn open(addr: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(WAIT_MAX, stream.read_u8()).await.unwrap().unwrap());
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(
            head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "the accept key of RFC 6455: {head}"
        );
        let (reader, writer) = stream.into_split();
        Self { reader, writer }
    }

    /// Reads and says nothing, not even to a ping, until the hub has closed the connection.
    pub async fn until_closed(mut self) {
        let mut bytes = [0; 1024];
        while self.reader.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    }

    /// Writes bytes in the background of `close_code`: the hub may refuse before it has read them all.
    pub async fn write_then_close_code(self, bytes: Vec<u8>) -> Option<u16> {
        let Self { mut reader, mut writer } = self;
        let writing = tokio::spawn(async move {
            // A failed write shows in what can be read.
            let _ = writer.write_all(&bytes).await;
            writer
        });
        let code = timeout(WAIT_MAX, read_close_code(&mut reader)).await.expect("closed in time");
        writing.abort();
        code
    }
}

/// A frame as a client must send it, or unmasked as it must not.
pub fn frame(first_byte: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first_byte];
    match payload.len() {
        length @ 0..=125 => bytes.push(mask_bit | length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if masked {
        let mask = [0x12, 0x34, 0x56, 0x78];
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// The code of the hub's close frame; `None` where the connection ended without one.
async fn read_close_code(reader: &mut OwnedReadHalf) -> Option<u16> {
    loop {
        let first = reader.read_u8().await.ok()?;
        let length = match reader.read_u8().await.ok()? {
            126 => u64::from(reader.read_u16().await.ok()?),
            127 => reader.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length that fits")];
        reader.read_exact(&mut payload).await.ok()?;
        if first == CLOSE {
            return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
    }
}
