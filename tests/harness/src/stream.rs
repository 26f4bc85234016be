//! A reader of server-sent events that follows the standard's rules and nothing else.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::WAIT_MAX;

/// One event as a browser would hand it on.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// The last id by then.
    pub id: String,
    /// Its kind.
    pub event: String,
    /// Its data, as JSON.
    pub data: Value,
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    stream: TcpStream,
    head: String,
    /// Bytes of the transfer coding that were not taken apart yet.
    coded: Vec<u8>,
    text: String,
    last_id: String,
    comments: usize,
    ended: bool,
}

impl Stream {
    /// The status with which a stream is answered.
    pub async fn status(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all((request + "\r\n").as_bytes()).await.unwrap();
        let mut line = [0; 12];
        timeout(WAIT_MAX, stream.read_exact(&mut line)).await.expect("in time").expect("a head");
        std::str::from_utf8(&line[9..])
            .ok()
            .and_then(|status| status.parse().ok())
            .expect("a status")
    }

    /// Opens a stream; its head must say 200.
    pub async fn open(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all((request + "\r\n").as_bytes()).await.unwrap();
        let mut stream = Self {
            stream,
            head: String::new(),
            coded: Vec::new(),
            text: String::new(),
            last_id: String::new(),
            comments: 0,
            ended: false,
        };
        let end = loop {
            if let Some(end) = stream.coded.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(stream.fill().await, "a head");
        };
        stream.head = String::from_utf8(stream.coded.drain(..end + 4).collect()).unwrap();
        assert!(stream.head.starts_with("HTTP/1.1 200"), "{}", stream.head);
        // The first chunk may have come along.
        stream.decode();
        stream
    }

    /// The head of the answer, in lower case.
    pub fn head(&self) -> String {
        self.head.to_ascii_lowercase()
    }

    /// The last id that was sent, with an event or alone.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The next event; `None` where the hub has ended the stream as it should.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                if let Some(event) = self.dispatch(&block) {
                    return Some(event);
                }
            }
            if self.ended {
                assert_eq!(self.text, "", "the stream ended within an event");
                return None;
            }
            assert!(self.fill().await, "the stream broke off");
            self.decode();
        }
    }

    /// Waits until an id was sent, which the hub does at once.
    pub async fn until_id(&mut self) {
        while self.last_id.is_empty() {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                assert_eq!(self.dispatch(&block), None, "an event before the first id alone");
                continue;
            }
            assert!(self.fill().await, "the stream broke off");
            self.decode();
        }
    }

    fn dispatch(&mut self, block: &str) -> Option<StreamEvent> {
        let (mut event, mut data) = (String::new(), None);
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments += 1,
                "id" => self.last_id = value.to_owned(),
                "event" => event = value.to_owned(),
                "data" => data = Some(value.to_owned()),
                "retry" => assert!(value.parse::<u32>().is_ok(), "{line}"),
                _ => panic!("a line that means nothing: {line}"),
            }
        }
        let data = serde_json::from_str(&data?).expect("data is JSON");
        Some(StreamEvent { id: self.last_id.clone(), event, data })
    }

    /// Takes whole chunks out of the transfer coding.
    fn decode(&mut self) {
        while let Some(at) = self.coded.windows(2).position(|two| two == b"\r\n") {
            let size = str::from_utf8(&self.coded[..at]).unwrap();
            let size = usize::from_str_radix(size, 16).expect("a chunk size");
            if self.coded.len() < at + size + 4 {
                return;
            }
            let chunk: Vec<u8> =
                self.coded.drain(..at + size + 4).skip(at + 2).take(size).collect();
            self.text += str::from_utf8(&chunk).expect("the hub cuts between events");
            self.ended |= size == 0;
        }
    }

    async fn fill(&mut self) -> bool {
        let read = timeout(WAIT_MAX, self.stream.read_buf(&mut self.coded)).await;
        read.expect("a byte in time").is_ok_and(|bytes| bytes > 0)
    }
}
