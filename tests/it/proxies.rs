//! nginx and Caddy before the hub, as `docs/operations.md` shows them, on addresses of this machine alone.
//!
//! What stands in the document is what is run: only the address to listen on, the certificate, and where the hub is, are
//! put in. A proxy that a machine has not is not tried there; `tests/run` installs both.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::{fs, io};

use coordhub_harness::{HubOptions, WAIT_MAX};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::tokens::{TokenHub, WRONG_TOKEN};

/// The hub's name in the document.
const NAME: &str = "hub.example";
/// Where the clients of these tests come from: this machine, and not the proxy's address.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

/// A proxy that is killed with the test.
struct Proxy {
    child: Child,
    port: u16,
    roots: RootCertStore,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The block of the document that has this in it.
fn documented(with: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let document = fs::read_to_string(path).unwrap();
    let block = document.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    block.into_iter().find(|block| block.contains(with)).expect("it is documented").to_owned()
}

/// A text with each of these replaced, which must be there.
fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} stands in the document: {text}");
        text.replace(from, to)
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nginx with the server of the document; `None` where the machine has none.
fn nginx(folder: &Path, port: u16, hub: &str) -> io::Result<Child> {
    let shown = with(
        &documented("proxy_pass"),
        &[
            ("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;")),
            (
                "/etc/letsencrypt/live/hub.example/fullchain.pem",
                &folder.join("cert.pem").display().to_string(),
            ),
            (
                "/etc/letsencrypt/live/hub.example/privkey.pem",
                &folder.join("key.pem").display().to_string(),
            ),
            ("127.0.0.1:8550", hub),
        ],
    );
    let at = folder.display();
    let kept = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/{name};\n"))
        .concat();
    let config = folder.join("nginx.conf");
    let text = format!(
        "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{kept}{shown}}}\n"
    );
    fs::write(&config, text)?;
    let program =
        ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].iter().find(|path| Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or(&"nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(&config).args(["-e", "stderr"]);
    command.stdin(Stdio::null()).spawn()
}

/// Caddy with the site of the document.
fn caddy(folder: &Path, port: u16, hub: &str) -> io::Result<Child> {
    let tls = format!("tls {0}/cert.pem {0}/key.pem", folder.display());
    let shown = with(
        &documented("reverse_proxy"),
        &[
            (
                "hub.example {",
                &format!("https://hub.example:{port} {{\n    bind 127.0.0.1\n    {tls}"),
            ),
            ("127.0.0.1:8550", hub),
        ],
    );
    let config = folder.join("Caddyfile");
    // It would redirect from port 80, and listen for its administrator.
    fs::write(
        &config,
        format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{shown}"),
    )?;
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&config);
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// The proxy before a hub on this port, listening; `None` where the machine has no such proxy.
async fn start(
    name: &str,
    program: impl FnOnce(&Path, u16, &str) -> io::Result<Child>,
    hub_port: u16,
    port: u16,
) -> Option<Proxy> {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let child = match program(folder.path(), port, &format!("127.0.0.1:{hub_port}")) {
        Ok(child) => child,
        Err(why) => {
            crate::support::not_here(name, &why);
            return None;
        }
    };
    let mut proxy = Proxy { child, port, roots, _folder: folder };
    let listening = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(proxy.child.try_wait().unwrap().is_none(), "{name} ended");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, listening).await.unwrap_or_else(|_| panic!("{name} listens"));
    Some(proxy)
}

impl Proxy {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(CLIENT.into(), 0)).unwrap();
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port);
        let stream = socket.connect(to).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// Sends a request whose answer goes on, and reads until that has come.
    async fn follow(&self, head: &str, until: &str) -> (TlsStream<TcpStream>, String) {
        let mut stream = self.connect().await;
        stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
        let said = read_until(&mut stream, until).await;
        (stream, said)
    }

    /// One request, and its answer.
    async fn ask(&self, method: &str, path: &str, lines: &[&str], body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n");
        lines.iter().for_each(|line| head += &format!("{line}\r\n"));
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        // Not every proxy says goodbye before it closes.
        let _ended = tokio::time::timeout(WAIT_MAX, stream.read_to_end(&mut said)).await.unwrap();
        Answer(String::from_utf8(said).unwrap())
    }
}

async fn read_until(stream: &mut TlsStream<TcpStream>, wanted: &str) -> String {
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(wanted) {
        let read = tokio::time::timeout(WAIT_MAX, stream.read_buf(&mut said)).await;
        let text = String::from_utf8_lossy(&said);
        assert_ne!(read.unwrap_or_else(|_| panic!("no {wanted} in {text}")).unwrap(), 0, "{text}");
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// All that came back.
struct Answer(String);

impl Answer {
    #[track_caller]
    fn is(&self, status: u16) -> &Self {
        assert!(self.0.starts_with(&format!("HTTP/1.1 {status} ")), "not {status}: {}", self.0);
        self
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// All that a hub must be able to do behind a proxy.
async fn serves(name: &str, program: impl FnOnce(&Path, u16, &str) -> io::Result<Child>) {
    let behind = HubOptions::default().arg("--behind-proxy").arg("127.0.0.1,::1");
    let options = behind.arg("--public-url").arg(format!("https://{NAME}"));
    let hub = TokenHub::with_everyone_at(options).await;
    let Some(proxy) = start(name, program, hub.port(), free_port()).await else { return };
    let bearer = format!("Authorization: Bearer {}", hub.token("anna"));
    let none = Value::Null;

    // Requests, and that they came by TLS.
    let said =
        proxy.ask("POST", "/messages/send", &[&bearer], &json!({ "content": "by REST" })).await;
    let hsts = said.is(200).header("strict-transport-security");
    assert!(hsts.is_some_and(|value| value.contains("max-age=")), "{}", said.0);
    proxy.ask("GET", "/messages/recent", &[&bearer], &none).await.is(200);

    // Who called is the client, whatever it writes before that itself.
    let wrong = format!("Authorization: Bearer {WRONG_TOKEN}");
    let forged = "X-Forwarded-For: 203.0.113.9";
    proxy.ask("GET", "/tasks/list", &[&wrong, forged], &none).await.is(401);
    let counted = hub.get_as(hub.token("admin"), "/audit/refusals").await.text();
    assert!(counted.contains(&CLIENT.to_string()), "{counted}");
    assert!(!counted.contains("203.0.113.9"), "{counted}");

    // Pages: the hub's own is that of its name, and its cookie goes by TLS alone.
    let own = format!("Origin: https://{NAME}");
    let signed_in = proxy.ask("POST", "/session", &[&bearer, &own], &none).await;
    let set = signed_in.is(200).header("set-cookie").expect("a cookie").to_owned();
    assert!(set.contains("Secure") && set.contains("HttpOnly"), "{set}");
    let cookie = format!("Cookie: {}", set.split(';').next().unwrap());
    let send = json!({ "content": "from the page" });
    proxy.ask("POST", "/messages/send", &[&cookie, &own], &send).await.is(200);
    for foreign in ["https://evil.example", "http://hub.example", "null"] {
        let origin = format!("Origin: {foreign}");
        proxy.ask("POST", "/messages/send", &[&cookie, &origin], &send).await.is(403);
    }
    proxy.ask("POST", "/messages/send", &[&cookie], &send).await.is(401);

    // A socket, and frames in both directions.
    let upgrade = format!(
        "GET /ws/anna?channels=general HTTP/1.1\r\nHost: {NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{cookie}\r\n{own}"
    );
    let (mut socket, head) = proxy.follow(&upgrade, "\"type\":\"hello\"").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let ping = coordhub_harness::raw_socket::frame(
        coordhub_harness::raw_socket::TEXT,
        b"{\"type\":\"ping\"}",
        true,
    );
    socket.write_all(&ping).await.unwrap();
    read_until(&mut socket, "\"type\":\"pong\"").await;

    // A stream: what is said while it is open comes while it is open.
    let stream = format!("GET /events/stream HTTP/1.1\r\nHost: {NAME}\r\n{bearer}");
    let (mut stream, _) = proxy.follow(&stream, "id: ").await;
    for nth in 0..3 {
        let content = format!("said at {nth}");
        hub.post_as(hub.token("ai"), "/messages/send", json!({ "content": content })).await.ok();
        read_until(&mut stream, &content).await;
        read_until(&mut socket, &content).await;
    }

    // The largest body that the hub takes, and one that is too large for either.
    let large = json!({ "content": "c", "metadata": { "k": "x".repeat(60_000) } });
    proxy.ask("POST", "/messages/send", &[&bearer], &large).await.is(200);
    let body = "x".repeat(2 * 1_024 * 1_024);
    let request = format!(
        "POST /messages/send HTTP/1.1\r\nHost: {NAME}\r\n{bearer}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = proxy.connect().await;
    // It may be refused before it is there.
    let _written = stream.write_all(request.as_bytes()).await;
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn nginx_before_the_hub_as_documented() {
    serves("nginx", nginx).await;
}

#[tokio::test]
async fn caddy_before_the_hub_as_documented() {
    serves("caddy", caddy).await;
}
