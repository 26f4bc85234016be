//! Asking a hub that runs, as its admin.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, TcpStream, ToSocketAddrs as _},
    path::PathBuf,
    time::Duration,
};

use crate::wire::reply;
use clap::Args;
use serde_json::Value;

/// How long a hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most an answer may be.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Which hub, and by what right. A token is no argument: those are shown to everyone on the machine.
#[derive(Args, Debug)]
pub(super) struct Remote {
    /// The hub.
    #[arg(long, env = "COORDHUB_URL", value_name = "URL", default_value = "http://localhost:8550")]
    url: String,

    /// A file with your token, such as the one that the hub wrote; COORDHUB_TOKEN where not given.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The hub's answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Remote {
    /// One call. The answer, or a sentence that says why there is none.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let token = self.token()?;
        let authority = authority(&self.url)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let unreachable =
            |why: io::Error| format!("no hub could be reached at {}: {why}", self.url);
        let answer = exchange(authority, request.as_bytes()).map_err(unreachable)?;
        let (status, body) = parted(&answer).ok_or("what answers there is no hub")?;
        let answer = reply::read(body).ok_or("what answers there is no hub")?;
        if status == 200 {
            return Ok(answer);
        }
        let detail = answer["detail"].as_str().unwrap_or("the hub refused");
        Err(printable(detail))
    }

    fn token(&self) -> Result<String, String> {
        let token = match &self.token_file {
            Some(path) => {
                fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?
            }
            None => std::env::var("COORDHUB_TOKEN").unwrap_or_default(),
        };
        let token = token.trim();
        if token.is_empty() {
            return Err("set COORDHUB_TOKEN to your token, or name a file with it by --token-file; the hub wrote its admin's beside its own file".to_owned());
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("this is no token: one is cht_ and letters, digits, - and _".to_owned());
        }
        Ok(token.to_owned())
    }
}

/// `host:port` of an address.
fn authority(url: &str) -> Result<&str, String> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(format!("{url}: write an address that begins with http://, with its port"));
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let is_here = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if !is_here {
        return Err(format!(
            "{url} is another machine, and a token would go there for all to read: run this where the hub runs, or through a tunnel (ssh -L 8550:localhost:8550 {host})"
        ));
    }
    Ok(authority)
}

fn exchange(authority: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let with_port =
        if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let mut stream = Err(io::Error::other("the name leads nowhere"));
    for address in with_port.to_socket_addrs()? {
        stream = TcpStream::connect_timeout(&address, PATIENCE);
        if stream.is_ok() {
            break;
        }
    }
    let mut stream = stream?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body of an answer that came whole.
fn parted(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    Some((status, &answer[end + 4..]))
}

/// A text from elsewhere, fit for a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// One segment of a path.
pub(super) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_addresses_are_taken_apart() {
        assert_eq!(authority("http://localhost:8550/x"), Ok("localhost:8550"));
        assert!(authority("https://localhost").is_err() && authority("localhost").is_err());
        assert_eq!(parted(b"HTTP/1.1 401 x\r\na: b\r\n\r\n{}"), Some((401, &b"{}"[..])));
        assert_eq!(parted(b"HTTP/1.1 401 x\r\na: b\r\n"), None);
        assert_eq!(parted(b"\r\n\r\n"), None);
        assert_eq!(segment("a/ä?"), "a%2F%C3%A4%3F");
        assert_eq!(printable("a\u{1b}[2J"), "a\u{fffd}[2J");
    }
}
