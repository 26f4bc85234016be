//! The real binary as a child process.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Client, Request, Response};
use crate::{Metrics, RawSocket, Socket, Stream, WAIT_MAX};

/// What the log line that names the port begins with.
const LISTENING: [&str; 2] = ["listening on http://127.0.0.1:", "listening on https://127.0.0.1:"];

/// How to start a hub.
#[derive(Clone, Debug, Default)]
pub struct HubOptions {
    args: Vec<String>,
    env: Vec<(String, String)>,
    db: Option<PathBuf>,
    under: Vec<String>,
}

impl HubOptions {
    /// A further argument of `coordhub serve`.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// An environment variable of the hub.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A program that sets something up and then becomes the hub, with its arguments (`env`, `nice`).
    pub fn under(mut self, program: &[&str]) -> Self {
        self.under = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The hub's file; `coordination_hub.db` in the hub's own temporary folder where it is not set.
    pub fn db(mut self, path: impl Into<PathBuf>) -> Self {
        self.db = Some(path.into());
        self
    }
}

/// How a hub ended that was expected not to start.
#[derive(Debug)]
pub struct Refused {
    /// Its exit status.
    pub status: ExitStatus,
    /// All it wrote to stderr.
    pub log: String,
}

impl Refused {
    /// The one line that a refused start may write.
    pub fn line(&self) -> &str {
        let lines: Vec<_> = self.log.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(lines.len(), 1, "a refusal is one clear line, not:\n{}", self.log);
        lines[0]
    }
}

/// A hub that is running, or was until the test stopped it. Dropping it kills it.
#[derive(Debug)]
pub struct Hub {
    options: HubOptions,
    home: TempDir,
    db: PathBuf,
    running: Option<Running>,
}

/// One run of the binary.
#[derive(Debug)]
struct Running {
    child: Child,
    port: u16,
    log: Arc<Mutex<String>>,
    news: Receiver<News>,
}

/// What the reader of the hub's stderr reports.
#[derive(Debug)]
enum News {
    Listening(u16),
    Closed,
}

impl Hub {
    /// Starts a hub on a free port and waits until it listens.
    pub fn start(options: HubOptions) -> Self {
        let home = tempfile::Builder::new().prefix("coordhub-test-").tempdir().unwrap();
        let db = options.db.clone().unwrap_or_else(|| home.path().join("coordination_hub.db"));
        let mut hub = Self { options, home, db, running: None };
        hub.restart();
        hub
    }

    /// Starts a hub with nothing but the defaults.
    pub fn new() -> Self {
        Self::start(HubOptions::default())
    }

    /// Starts a hub that must refuse to start.
    pub fn start_refused(options: &HubOptions) -> Refused {
        let home = tempfile::tempdir().unwrap();
        let db = options.db.clone().unwrap_or_else(|| home.path().join("coordination_hub.db"));
        match launch(options, home.path(), &db) {
            Ok(_) => panic!("the hub started although it must refuse {}", db.display()),
            Err(refused) => refused,
        }
    }

    /// Starts the hub again on the same file. It must not be running.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "the hub is still running");
        match launch(&self.options, self.home.path(), &self.db) {
            Ok(running) => self.running = Some(running),
            Err(refused) => panic!("the hub did not start ({}):\n{}", refused.status, refused.log),
        }
    }

    /// SIGKILL: the hub gets no chance to save anything.
    pub fn kill9(&mut self) {
        drop(self.running.take());
    }

    /// SIGTERM, and the status with which the hub then ends.
    pub fn terminate(&mut self) -> ExitStatus {
        let running = self.running.take().expect("the hub is running");
        let pid = running.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        running.wait_for_end()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// The address, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port, which each start chooses anew.
    pub fn port(&self) -> u16 {
        self.running().port
    }

    /// Where the hub listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The hub's file.
    pub fn db_path(&self) -> &Path {
        &self.db
    }

    /// The hub's home and working folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What this run of the hub has logged so far.
    pub fn log(&self) -> String {
        self.running().log.lock().unwrap().clone()
    }

    /// A keep-alive connection of its own.
    pub async fn client(&self) -> Client {
        Client::connect(self.addr()).await
    }

    /// Any request, on a connection of its own.
    pub async fn send(&self, request: Request) -> Response {
        self.client().await.send(request).await
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Response {
        self.send(Request::get(path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.send(Request::post(path).json(&body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Response {
        self.send(Request::new("DELETE", path)).await
    }

    /// `GET` that must succeed.
    pub async fn get_ok(&self, path: &str) -> Value {
        self.get(path).await.ok()
    }

    /// `POST` that must succeed.
    pub async fn post_ok(&self, path: &str, body: Value) -> Value {
        self.post(path, body).await.ok()
    }

    /// Registers an entity, which must succeed.
    pub async fn register(&self, entity_id: &str, entity_type: &str) -> Value {
        self.post_ok(
            "/entities/register",
            json!({ "entity_id": entity_id, "entity_type": entity_type }),
        )
        .await
    }

    /// Sends a message to a channel and gives its `seq`.
    pub async fn say(&self, from_entity: &str, channel: &str, content: &str) -> u64 {
        let body = json!({ "from_entity": from_entity, "channel": channel, "content": content });
        self.post_ok("/messages/send", body).await["seq"].as_u64().expect("a seq")
    }

    /// Creates a task with nothing but a title and gives its id.
    pub async fn task(&self, title: &str) -> String {
        let reply = self.post_ok("/tasks/create", json!({ "title": title })).await;
        reply["task_id"].as_str().expect("a task_id").to_owned()
    }

    /// Opens a socket and takes its `hello`.
    pub async fn socket(&self, path: &str) -> Socket {
        Socket::open(self.addr(), path).await
    }

    /// Opens a stream of server-sent events.
    pub async fn stream(&self, path: &str) -> Stream {
        Stream::open(self.addr(), path, &[]).await
    }

    /// Where the monitor of a hub with `--monitor` listens.
    pub fn monitor(&self) -> SocketAddr {
        const MARK: &str = "monitor  http://";
        loop {
            // The lines after the first are on their way.
            let log = self.log();
            let said = log.split_once(MARK).and_then(|(_, rest)| rest.split_once('/'));
            match said {
                Some((address, _)) => return address.parse().expect("an address"),
                None => std::thread::yield_now(),
            }
        }
    }

    /// What the monitor has counted, which must be in good form.
    pub async fn metrics(&self) -> Metrics {
        let response = Client::connect(self.monitor()).await.send(Request::get("/metrics")).await;
        assert_eq!(response.status, 200, "{}", response.text());
        let kind = response.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        Metrics::parse(&response.text())
    }

    /// Opens a socket on which a test writes the bytes itself.
    pub async fn raw_socket(&self, path: &str) -> RawSocket {
        RawSocket::open(self.addr(), path).await
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the hub is running")
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(running) = &self.running
            && let Ok(log) = running.log.lock()
        {
            eprintln!("--- log of the hub ---\n{log}--- end of the log ---");
        }
        self.kill9();
    }
}

/// However a test ends, its hub ends too, also one that was not to start.
impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and its status was taken.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Waits for the process to end by itself; a hub that does not is killed and fails the test.
    fn wait_for_end(mut self) -> ExitStatus {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            match self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(News::Listening(_)) => {}
                // Its stderr closes when the process ends, not before.
                Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().unwrap();
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().unwrap();
                    self.child.wait().unwrap();
                    panic!(
                        "the hub did not end within {WAIT_MAX:?}:\n{}",
                        self.log.lock().unwrap()
                    );
                }
            }
        }
    }
}

/// Starts the binary; `Err` where it ended instead of listening.
fn launch(options: &HubOptions, home: &Path, db: &Path) -> Result<Running, Refused> {
    let mut command = match options.under.split_first() {
        Some((program, args)) => {
            let mut command = Command::new(program);
            command.args(args).arg(binary());
            command
        }
        None => Command::new(binary()),
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COORDHUB_")
            || name.to_string_lossy().starts_with("XDG_")
        {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--bind", "127.0.0.1:0", "--db"]).arg(db).args(&options.args);
    command
        .env("HOME", home)
        // What a killed hub leaves in the temporary folder goes with the test.
        .env("TMPDIR", home)
        .env("NO_COLOR", "1")
        .envs(options.env.iter().cloned())
        .current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();

    let log = Arc::new(Mutex::new(String::new()));
    let (reporter, news) = channel();
    let stderr = child.stderr.take().unwrap();
    let shared_log = Arc::clone(&log);
    std::thread::spawn(move || follow(stderr, &shared_log, &reporter));

    match news.recv_timeout(WAIT_MAX) {
        Ok(News::Listening(port)) => Ok(Running { child, port, log, news }),
        Ok(News::Closed) | Err(RecvTimeoutError::Disconnected) => {
            let status = child.wait().unwrap();
            let log = log.lock().unwrap().clone();
            Err(Refused { status, log })
        }
        Err(RecvTimeoutError::Timeout) => {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!(
                "the hub neither listened nor ended within {WAIT_MAX:?}:\n{}",
                log.lock().unwrap()
            );
        }
    }
}

/// Keeps what the hub writes, and reports the port and the end.
fn follow(stderr: ChildStderr, log: &Mutex<String>, reporter: &Sender<News>) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Some(Ok(line)) = lines.next() {
        let line = String::from_utf8_lossy(&line);
        writeln!(log.lock().unwrap(), "{line}").unwrap();
        if let Some(port) = port_in(&line) {
            // The receiver is gone once the test has dropped the hub.
            let _ = reporter.send(News::Listening(port));
        }
    }
    let _ = reporter.send(News::Closed);
}

fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = LISTENING.iter().find_map(|words| line.split_once(words))?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The hub's binary: `COORDHUB_BIN`, else the one that cargo put beside the test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("COORDHUB_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .skip(1)
        .map(|folder| folder.join("coordhub"))
        .find(|path| path.is_file())
        .expect("no coordhub binary beside the test: run `cargo build` first, or set COORDHUB_BIN")
}

#[cfg(test)]
mod tests {
    use super::port_in;

    #[test]
    fn the_port_is_read_from_the_log_line() {
        assert_eq!(port_in("listening on http://127.0.0.1:41234"), Some(41234));
        assert_eq!(port_in("INFO coordhub: listening on http://127.0.0.1:80 db=x"), Some(80));
        assert_eq!(port_in("listening on http://[::1]:8550"), None);
    }
}
