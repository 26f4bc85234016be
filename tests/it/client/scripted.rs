//! A server that answers as a test says, and the door that a test can shut between a client and its hub.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// This goes back, as it stands.
    Says(String),
    /// The connection is closed.
    Closes,
    /// Nothing, for ever.
    Silent,
}

impl Answer {
    /// An answer of JSON.
    pub(super) fn json(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Says(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
    }
}

/// Answers requests in the order of a script; whatever comes after its end gets the last of it.
#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(super) async fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, script.clone(), Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    /// What was asked, each with its head and body.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Answer>, seen: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut bytes).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        match script.get(number).or(script.last()).unwrap() {
            Answer::Says(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Answer::Closes => return,
            Answer::Silent => std::future::pending().await,
        }
    }
}

async fn next_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
            };
            let length: usize = head.lines().find_map(length).unwrap_or(0);
            if body.len() >= length {
                let end = head.len() + 4 + length;
                return Some(String::from_utf8(bytes.drain(..end).collect()).unwrap());
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// One address for a hub that is started again on other ports, and a count of who came through.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) url: String,
    port: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    /// How many more answers are lost on their way.
    loses: Arc<AtomicUsize>,
}

impl Door {
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (connections, loses) = (Arc::default(), Arc::default());
        let door = Self { url, port: Arc::new(port.into()), connections, loses };
        let own = door.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                own.connections.fetch_add(1, Ordering::SeqCst);
                let port = own.port.load(Ordering::SeqCst);
                let less = |left: usize| left.checked_sub(1);
                let is_lost = own.loses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
                tokio::spawn(async move {
                    // Where there is no hub the client finds the door shut.
                    let Ok(mut hub) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    if is_lost.is_err() {
                        let _ended = copy_bidirectional(&mut client, &mut hub).await;
                        return;
                    }
                    let mut bytes = Vec::new();
                    let request = next_request(&mut client, &mut bytes).await.unwrap();
                    hub.write_all(request.as_bytes()).await.unwrap();
                    assert_ne!(hub.read_buf(&mut bytes).await.unwrap(), 0);
                });
            }
        });
        door
    }

    /// Leads to another port from here on.
    pub(super) fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// From here on, and so often: what the hub answers on a new connection reaches nobody.
    pub(super) fn lose_answers(&self, count: usize) {
        self.loses.store(count, Ordering::SeqCst);
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
