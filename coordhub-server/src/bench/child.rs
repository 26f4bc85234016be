//! A server of the run's own: a child process on a free port, in a folder of its own, which both go with the run.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, Instant},
};

use super::target::Target;

/// What the line that names the port begins with.
const LISTENING: &str = "listening on http://";
/// How long a start may take: a large file is looked at.
const START_MAX: Duration = Duration::from_secs(120);
/// A hub has ten seconds to stop.
const STOP_MAX: Duration = Duration::from_secs(15);

/// A folder that is removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder within another.
    pub fn within(parent: &Path) -> io::Result<Self> {
        for attempt in 0..1_000 {
            let path = parent.join(format!("coordhub-bench-{}-{attempt}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no name for a temporary folder is free"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays; there is nobody to tell.
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// A server that this process started. Dropped, it is killed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    target: Target,
    news: Receiver<String>,
    start: Duration,
}

impl Server {
    /// Starts a hub on a free port with this file.
    pub fn hub(program: &Path, file: &Path) -> io::Result<Self> {
        Self::hub_with(program, file, &[])
    }

    /// The same, with these options.
    pub fn hub_with(program: &Path, file: &Path, options: &[&str]) -> io::Result<Self> {
        let words = ["serve", "--bind", "127.0.0.1:0", "--log-level", "warn", "--db"];
        let mut args: Vec<OsString> = words.map(OsString::from).into();
        args.push(file.into());
        args.extend(options.iter().map(OsString::from));
        Self::start(program, &args)
    }

    /// Starts a program, and waits until it says on standard error where it listens.
    pub fn start(program: &Path, args: &[impl AsRef<OsStr>]) -> io::Result<Self> {
        let mut command = Command::new(program);
        // The options of the hub that is measured are those of the command line alone.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("COORDHUB_") {
                command.env_remove(name);
            }
        }
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn()?;
        let (reporter, news) = channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || follow(stderr, &reporter));
        }
        let mut said = String::new();
        let deadline = started + START_MAX;
        loop {
            match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some((_, address)) = line.split_once(LISTENING) {
                        let target = Target::own(address.trim(), child.id());
                        return Ok(Self { child, target, news, start: started.elapsed() });
                    }
                    said = line;
                }
                Err(why) => {
                    let _ended = child.kill().and_then(|()| child.wait());
                    let why = match why {
                        RecvTimeoutError::Timeout => "it does not say where it listens",
                        RecvTimeoutError::Disconnected => "it ended",
                    };
                    return Err(io::Error::other(format!(
                        "the server did not start: {why}: {said}"
                    )));
                }
            }
        }
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How long its start took.
    pub fn start_duration(&self) -> Duration {
        self.start
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> io::Result<()> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status()?;
        if !asked.success() {
            return Err(io::Error::other("the server had ended by itself"));
        }
        let deadline = Instant::now() + STOP_MAX;
        // Its standard error closes when it ends.
        while self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        if self.child.try_wait()?.is_none() && Instant::now() >= deadline {
            return Err(io::Error::other("the server does not stop"));
        }
        self.child.wait().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Passes the lines on, and reads on where nobody wants them, so that the child can write.
fn follow(stderr: impl Read, reporter: &Sender<String>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let _passed_on = reporter.send(String::from_utf8_lossy(&line).into_owned());
    }
}
