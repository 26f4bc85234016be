//! A WebSocket client that speaks JSON.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::WAIT_MAX;

/// The most frames that are passed over while waiting for one.
const PASSED_OVER_MAX: usize = 100_000;

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    hello: Value,
}

impl Socket {
    /// Opens a socket and takes its `hello`, which must come first.
    pub async fn open(addr: SocketAddr, path: &str) -> Self {
        match Self::try_open(addr, path, &[]).await {
            Ok(socket) => socket,
            Err(status) => panic!("no socket at {path}: {status}"),
        }
    }

    /// Opens a socket with further headers; `Err` is the status with which the hub refused.
    pub async fn try_open(
        addr: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{addr}{path}").into_client_request().expect("a valid path");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a valid header"));
        }
        let stream = TcpStream::connect(addr).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let mut socket = match timeout(WAIT_MAX, client_async(request, stream))
            .await
            .expect("an answer in time")
        {
            Ok((stream, _)) => Self { stream, hello: Value::Null },
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("no socket at {path}: {error}"),
        };
        socket.hello = socket.expect("hello").await;
        Ok(socket)
    }

    /// The hub's first frame.
    pub fn hello(&self) -> &Value {
        &self.hello
    }

    /// The next frame; `None` once the socket is closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let frame = timeout(WAIT_MAX, self.stream.next()).await;
            match frame.unwrap_or_else(|_| panic!("no frame within {WAIT_MAX:?}")) {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(&text).expect("frames are JSON"));
                }
                Some(Ok(Message::Binary(_))) => panic!("the hub sends text frames only"),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame, which must be of that type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await.unwrap_or_else(|| panic!("closed instead of {kind}"));
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The next frame of that type, passing over others.
    pub async fn until(&mut self, kind: &str) -> Value {
        self.find(kind, |frame| frame["type"] == kind).await.1
    }

    /// The first frame that `wanted` accepts, and those before it.
    pub async fn find(
        &mut self,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> (Vec<Value>, Value) {
        let mut before = Vec::new();
        while before.len() < PASSED_OVER_MAX {
            let frame = self
                .next()
                .await
                .unwrap_or_else(|| panic!("closed before {what}; came: {before:?}"));
            if wanted(&frame) {
                return (before, frame);
            }
            before.push(frame);
        }
        panic!("{PASSED_OVER_MAX} frames and no {what}");
    }

    /// All frames before the message of that content, and that message. Frames come in one order, so what was sent
    /// earlier and is not among them does not come at all.
    pub async fn before_content(&mut self, content: &str) -> (Vec<Value>, Value) {
        self.find(content, |frame| frame["message"]["content"] == content).await
    }

    /// Sends a JSON frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text frame that need not be JSON.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("an open socket");
    }

    /// Sends a binary frame.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.stream.send(Message::binary(bytes.to_vec())).await.expect("an open socket");
    }

    /// Sends a text frame whose bytes need not be UTF-8.
    pub async fn send_text_bytes(&mut self, bytes: &[u8]) {
        let frame = Frame::message(bytes.to_vec(), OpCode::Data(Data::Text), true);
        self.stream.send(Message::Frame(frame)).await.expect("an open socket");
    }

    /// Subscribes and waits for the hub's word that it did.
    pub async fn subscribe(&mut self, channel: &str) {
        self.send(json!({ "type": "subscribe_channel", "channel": channel })).await;
        let frame = self.until("subscribed").await;
        assert_eq!(frame["channel"], channel, "{frame}");
    }

    /// Asks for a REST change and waits for its reply.
    pub async fn call(&mut self, op: &str, args: Value) -> Value {
        let id = format!("call-{op}");
        self.send(json!({ "type": "call", "id": id, "op": op, "args": args })).await;
        self.find("the reply", |frame| frame["type"] == "reply" && frame["id"] == id.as_str())
            .await
            .1
    }

    /// Waits for the hub to close the socket and gives its close code.
    pub async fn close_code(&mut self) -> Option<u16> {
        for _ in 0..PASSED_OVER_MAX {
            let frame = timeout(WAIT_MAX, self.stream.next()).await;
            match frame.unwrap_or_else(|_| panic!("not closed within {WAIT_MAX:?}")) {
                Some(Ok(Message::Close(close))) => return close.map(|close| close.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
        panic!("{PASSED_OVER_MAX} frames and no close");
    }

    /// Closes the socket from this side.
    pub async fn close(mut self) {
        // The hub may have closed it first.
        let _ = self.stream.close(None).await;
    }
}
