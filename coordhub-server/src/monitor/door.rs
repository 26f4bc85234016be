//! What stands before tiny_http, which bounds nothing: it has no time-outs, gives every connection a thread, reads a
//! head without end, and makes room for whatever `Content-Length` announces, so that one request could end the process.
//!
//! Each connection has a seat, a few seconds for its head, and one request. Of the head only what the monitor looks at
//! goes on, to a socket in a folder that nobody else may enter. What is left unbounded is the hub's own: how long it
//! takes to write the answer, which depends on nobody.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::MonitorError;

/// How many connections may be open at a time.
pub(super) const SEATS_MAX: usize = 64;
/// How long the whole head of a request may take, and then each write of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes that a head may have.
const HEAD_BYTES_MAX: usize = 8 * 1_024;
/// How long to leave the listener alone when the process cannot open more files.
const BACK_OFF: Duration = Duration::from_millis(100);
/// The fields that go on to the server: those that say where a request comes from.
const PASSED_FIELDS: [&str; 4] = ["host", "origin", "sec-fetch-site", "sec-fetch-mode"];

/// A listening socket with seats behind it.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    folder: PathBuf,
    taken: AtomicUsize,
    is_closed: AtomicBool,
}

/// A place among the bounded number of connections.
struct Seat(Arc<Door>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

impl Door {
    /// Binds the address, which must be one that only this machine can reach.
    pub fn bind(address: SocketAddr) -> Result<Self, MonitorError> {
        if !address.ip().is_loopback() {
            return Err(MonitorError::NotLoopback(address));
        }
        let bind = |source| MonitorError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let folder = private_folder().map_err(|why| MonitorError::Start(why.to_string()))?;
        let (taken, is_closed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Self { listener, address, folder, taken, is_closed })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the server behind it is to listen.
    pub(super) fn inner_path(&self) -> PathBuf {
        self.folder.join("http")
    }

    /// Lets connections in until it is closed.
    pub(super) fn accept_all(self: Arc<Self>) {
        while !self.is_closed.load(Relaxed) {
            match self.listener.accept() {
                Ok((client, _)) => self.admit(client),
                Err(why) => {
                    tracing::debug!(%why, "the monitor could not accept a connection");
                    thread::sleep(BACK_OFF);
                }
            }
        }
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Relaxed);
        // Wakes the thread that waits for a connection.
        let _woken = TcpStream::connect_timeout(&self.address, PATIENCE);
    }

    fn admit(self: &Arc<Self>, client: TcpStream) {
        if self.taken.fetch_add(1, Relaxed) >= SEATS_MAX {
            drop(Seat(self.clone()));
            // Its buffer is empty: this does not wait.
            return refuse(&client, "503 Service Unavailable", "busy");
        }
        let seat = Seat(self.clone());
        let serving = thread::Builder::new().name("coordhub-monitor".to_owned());
        // Without a thread the connection closes, and its seat is free again.
        let _spawned = serving.spawn(move || {
            if let Err(why) = serve(&client, &seat.0.inner_path()) {
                tracing::debug!(%why, "a connection of the monitor failed");
            }
        });
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The server removes its socket when it ends, which may be later; either order leaves nothing.
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that nobody else may enter. One that exists already is never used. A process that is killed leaves its
/// folder behind.
fn private_folder() -> io::Result<PathBuf> {
    let unguessable = RandomState::new().build_hasher().finish();
    let name = format!("coordhub-monitor-{}-{unguessable:016x}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// One request, and its answer.
fn serve(client: &TcpStream, inner: &Path) -> io::Result<()> {
    client.set_nodelay(true)?;
    client.set_write_timeout(Some(PATIENCE))?;
    let head = match read_head(client)? {
        Ok(head) => head,
        Err(status) => {
            refuse(client, status, "bad_request");
            return Ok(());
        }
    };
    let mut server = UnixStream::connect(inner)?;
    server.write_all(head.as_bytes())?;
    io::copy(&mut server, &mut &*client)?;
    client.shutdown(Shutdown::Write)
}

/// Reads a head, and gives what of it goes on; or the status that refuses it.
fn read_head(mut client: &TcpStream) -> io::Result<Result<String, &'static str>> {
    let until = Instant::now() + PATIENCE;
    let mut read = Vec::new();
    let mut buffer = [0; 1_024];
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(passed_on(&read[..end]).ok_or("400 Bad Request"));
        }
        if read.len() > HEAD_BYTES_MAX {
            return Ok(Err("431 Request Header Fields Too Large"));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err("408 Request Timeout"));
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => read.extend_from_slice(&buffer[..bytes]),
            // The system's word for a time-out is either.
            Err(why)
                if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(why) => return Err(why),
        }
    }
}

/// The head that goes on to the server. `None` where it announces a body, or is no head.
fn passed_on(head: &[u8]) -> Option<String> {
    let text = str::from_utf8(head).ok().filter(|text| text.is_ascii())?;
    let mut lines = text.split("\r\n");
    let mut passed = format!("{}\r\n", lines.next()?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "content-length" if value.trim() != "0" => return None,
            "transfer-encoding" | "expect" => return None,
            known if PASSED_FIELDS.contains(&known) => passed += &format!("{line}\r\n"),
            _ => {}
        }
    }
    passed += "Connection: close\r\n\r\n";
    // What ends a line for somebody else must not stand within one.
    let stray = passed.replace("\r\n", "").contains(|letter: char| letter.is_ascii_control());
    (!stray).then_some(passed)
}

fn refuse(mut client: &TcpStream, status: &str, code: &str) {
    let number = &status[..3];
    let body = format!("{{\"status\":{number},\"code\":\"{code}\",\"detail\":\"{status}\"}}");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    // Whoever is refused may have left.
    let _written = client.write_all(answer.as_bytes());
    let _ended = client.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_head_only_what_is_looked_at_goes_on() {
        let check = |head: &str, expected: Option<&str>| {
            let expected = expected.map(|lines| format!("{lines}Connection: close\r\n\r\n"));
            assert_eq!(passed_on(head.as_bytes()), expected, "{head:?}");
        };
        check("GET / HTTP/1.1", Some("GET / HTTP/1.1\r\n"));
        check("GET / HTTP/1.1\r\nHOST: a\r\nCookie: b", Some("GET / HTTP/1.1\r\nHOST: a\r\n"));
        check("GET / HTTP/1.1\r\nContent-Length: 0", Some("GET / HTTP/1.1\r\n"));
        check("GET / HTTP/1.1\r\nConnection: upgrade", Some("GET / HTTP/1.1\r\n"));
        for refused in [
            "GET / HTTP/1.1\r\nContent-Length: 18446744073709551615",
            "GET / HTTP/1.1\r\ncontent-length: 5",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
            "GET / HTTP/1.1\r\nExpect: 100-continue",
            "GET / HTTP/1.1\r\nno colon",
            "GET / HTTP/1.1\r\nHost: a\nContent-Length: 5",
            "GET / HTTP/1.1\r\nHost: a\rb",
            "GET /\u{e9} HTTP/1.1",
        ] {
            check(refused, None);
        }
    }
}
