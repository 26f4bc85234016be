//! An HTTP/1.1 client that sends what it is told, however wrong, and returns what came back, whatever it is.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::WAIT_MAX;

/// A request. Only `Host` and `Content-Length` are added, and only where the test did not set them.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Any method; `path` goes out as it is.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST`.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// A header; a `Host` replaces the usual one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Shows a token.
    pub fn bearer(self, secret: &str) -> Self {
        self.header("Authorization", &format!("Bearer {secret}"))
    }

    /// The body, with no content type.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as JSON, with its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name))
    }

    fn to_bytes(&self, addr: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.has("host") {
            head += &format!("Host: {addr}\r\n");
        }
        if !self.has("content-length") && !self.has("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The JSON of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        assert!(json.is_object(), "a success is a JSON object, not {json}");
        json
    }

    /// The problem of a refusal: its status, its stable code, and the form that every problem has.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.refusal(status);
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }

    /// The problem of a refusal whose code the contract does not name.
    #[track_caller]
    pub fn refusal(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let content_type = self.header("content-type").unwrap_or_default();
        assert!(
            content_type.starts_with("application/problem+json"),
            "content type {content_type}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        for member in ["type", "title", "detail", "code"] {
            assert!(
                problem[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member} of {problem}"
            );
        }
        let code = problem["code"].as_str().unwrap_or_default();
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "code {code}");
        problem
    }

    /// The problem of a 422, which names its field.
    #[track_caller]
    pub fn wrong_field(&self, field: &str) -> Value {
        let problem = self.refusal(422);
        assert_eq!(problem["field"], field, "{problem}");
        problem
    }
}

/// One keep-alive connection.
#[derive(Debug)]
pub struct Client {
    addr: SocketAddr,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr)
            .await
            .unwrap_or_else(|error| panic!("no connection to {addr}: {error}"))
    }

    /// Connects to a hub that may be gone.
    pub async fn try_connect(addr: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { addr, stream, unread: Vec::new() })
    }

    /// Sends a request and reads its reply, which must come.
    pub async fn send(&mut self, request: Request) -> Response {
        let line = format!("{} {}", request.method, request.path);
        self.try_send(request).await.unwrap_or_else(|error| panic!("no reply to {line}: {error}"))
    }

    /// Sends a request to a hub that may die meanwhile.
    pub async fn try_send(&mut self, request: Request) -> std::io::Result<Response> {
        let bytes = request.to_bytes(self.addr);
        self.try_send_bytes(&bytes, request.method == "HEAD").await
    }

    /// Sends bytes that need not be HTTP and reads one reply.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Response {
        self.try_send_bytes(bytes, false).await.unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Reads while it writes: a hub that refuses a body early may answer before it has taken all of it.
    async fn try_send_bytes(&mut self, bytes: &[u8], bodiless: bool) -> std::io::Result<Response> {
        let (mut reader, mut writer) = self.stream.split();
        let writing = async {
            // A failed write shows in what can be read.
            let _ = writer.write_all(bytes).await;
            std::future::pending::<()>().await;
        };
        let reading = read_response(&mut reader, &mut self.unread, bodiless);
        let exchange = async {
            tokio::select! {
                response = reading => response,
                () = writing => unreachable!("it waits for ever"),
            }
        };
        timeout(WAIT_MAX, exchange).await.unwrap_or_else(|_| panic!("no reply within {WAIT_MAX:?}"))
    }

    /// Whether the hub has closed the connection; waits for it.
    pub async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let read = timeout(WAIT_MAX, self.stream.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

async fn read_response<R: AsyncRead + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
    bodiless: bool,
) -> std::io::Result<Response> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        fill(reader, unread).await?;
    };
    let head: Vec<u8> = unread.drain(..head_end + 4).collect();
    let head = String::from_utf8_lossy(&head[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let status = status.unwrap_or_else(|| panic!("not an HTTP reply: {head}"));
    let mut response = Response { status, headers, body: Vec::new() };
    if bodiless || matches!(status, 100..=199 | 204 | 304) {
        return Ok(response);
    }
    response.body =
        if response.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            read_chunks(reader, unread).await?
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().expect("a number in content-length");
            take(reader, unread, length).await?
        } else {
            while fill(reader, unread).await.is_ok() {}
            std::mem::take(unread)
        };
    Ok(response)
}

async fn read_chunks<R: AsyncRead + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        while !unread.windows(2).any(|window| window == b"\r\n") {
            fill(reader, unread).await?;
        }
        let end = unread.windows(2).position(|window| window == b"\r\n").unwrap_or(0);
        let size: Vec<u8> = unread.drain(..end + 2).collect();
        let size = String::from_utf8_lossy(&size[..end]).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
            .expect("a chunk size");
        let mut chunk = take(reader, unread, size + 2).await?;
        chunk.truncate(size);
        body.append(&mut chunk);
        if size == 0 {
            return Ok(body);
        }
    }
}

async fn take<R: AsyncRead + Unpin>(
    reader: &mut R,
    unread: &mut Vec<u8>,
    length: usize,
) -> std::io::Result<Vec<u8>> {
    while unread.len() < length {
        fill(reader, unread).await?;
    }
    Ok(unread.drain(..length).collect())
}

async fn fill<R: AsyncRead + Unpin>(reader: &mut R, unread: &mut Vec<u8>) -> std::io::Result<()> {
    if reader.read_buf(unread).await? == 0 {
        return Err(std::io::Error::new(
            std::io::ErrorKind::UnexpectedEof,
            "the hub closed the connection",
        ));
    }
    Ok(())
}

/// Percent-encodes one segment of a path, or one value of a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
