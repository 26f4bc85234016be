//! The log: one line an event, as text or JSON, on standard error or in a file.

use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, fmt::MakeWriter, layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// What is logged, where, and how it looks.
#[derive(Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// What is logged: error, warn, info, debug, trace or off; also by part, as in
    /// `info,coordhub_core=debug`.
    #[arg(long, env = "COORDHUB_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    pub(super) log_level: String,

    /// How it looks.
    #[arg(long, env = "COORDHUB_LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,

    /// Logs to this file instead of standard error, at its end; SIGHUP has it opened anew.
    #[arg(long, env = "COORDHUB_LOG_FILE", value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

/// The levels, as they may be named.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Starts to log. Whatever is wrong with what was asked for is said here.
pub(super) fn start(args: &LogArgs) -> Result<Log, String> {
    let filter = filter(&args.log_level)?;
    let log = Log(Arc::new(match &args.log_file {
        None => Target::StandardError,
        Some(path) => {
            let file = open(path).map_err(|why| {
                format!("--log-file {}: cannot be written: {why}", path.display())
            })?;
            Target::File { path: path.clone(), file: Mutex::new(file) }
        }
    }));
    // `log_internal_errors` would report a line that cannot be written with `eprintln!`, whose panic ends the task or
    // thread that logs: a hub whose log nobody reads any more could not be stopped.
    let text = fmt::layer().with_writer(log.clone()).with_ansi(false).log_internal_errors(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match args.log_format {
        LogFormat::Text => text.boxed(),
        LogFormat::Json => text.json().flatten_event(true).boxed(),
    };
    // A second subscriber in one process is a program that embeds the command: it keeps its own.
    let _set = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    Ok(log)
}

/// What is logged. A word that is no level would be taken for the name of a part, and all of it logged.
fn filter(level: &str) -> Result<Targets, String> {
    let wrong = || {
        format!(
            "--log-level {level:?} is neither a level ({}) nor levels by part such as info,coordhub_core=debug",
            LEVELS.join(", ")
        )
    };
    let is_level = |word: &str| LEVELS.iter().any(|known| known.eq_ignore_ascii_case(word));
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|letter| letter.is_alphanumeric() || "_:".contains(letter))
    };
    let is_sound = |part: &str| match part.split_once('=') {
        None => is_level(part),
        Some((name, word)) => is_name(name) && is_level(word),
    };
    if !level.split(',').all(is_sound) {
        return Err(wrong());
    }
    level.parse().map_err(|_| wrong())
}

/// A file that only its owner may read: paths in it hold the names of who did what.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Where the log goes. Clones are handles to the same.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Target>);

#[derive(Debug)]
enum Target {
    StandardError,
    File { path: PathBuf, file: Mutex<File> },
}

impl Log {
    /// Whether it goes to a file.
    pub(super) fn is_file(&self) -> bool {
        matches!(*self.0, Target::File { .. })
    }

    /// Opens the file anew at each SIGHUP, for programs that rotate logs. A log on standard error leaves the signal
    /// alone: it then ends the hub, as it does others.
    pub(super) fn reopen_on_hangup(self) -> io::Result<()> {
        if !self.is_file() {
            return Ok(());
        }
        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                match self.reopen() {
                    Ok(()) => tracing::info!("the log file was opened anew"),
                    Err(why) => tracing::error!(%why, "the log file cannot be opened anew"),
                }
            }
        });
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        let Target::File { path, file } = &*self.0 else { return Ok(()) };
        let fresh = open(path)?;
        *file.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// Takes one event, whole, and makes one line of it.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Target);

impl Write for Line<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = one_line(event);
        match self.0 {
            Target::StandardError => io::stderr().write_all(&line)?,
            Target::File { file, .. } => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event with its control characters escaped: what somebody else wrote must not begin a line, nor paint a terminal.
fn one_line(event: &[u8]) -> Cow<'_, [u8]> {
    let body = event.strip_suffix(b"\n").unwrap_or(event);
    if !body.iter().any(u8::is_ascii_control) {
        return Cow::Borrowed(event);
    }
    let mut line = Vec::with_capacity(event.len() + 16);
    for byte in body {
        match byte {
            b'\t' => line.push(b'\t'),
            control if control.is_ascii_control() => line.extend(control.escape_ascii()),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for sound in
            ["info", "DEBUG", "off", "info,coordhub_core=debug", "coordhub_server::net=trace"]
        {
            assert!(filter(sound).is_ok(), "{sound}");
        }
        for wrong in
            ["", "inof", "info,", "coordhub_core", "=debug", "x=loud", "info coordhub=debug"]
        {
            let why = filter(wrong).expect_err(wrong);
            assert!(why.contains("--log-level") && why.contains("debug"), "{why}");
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let check = |event: &str, expected: &str| {
            assert_eq!(String::from_utf8_lossy(&one_line(event.as_bytes())), expected);
        };
        check("plain\n", "plain\n");
        check("a\tb\u{e9}\n", "a\tb\u{e9}\n");
        check("a\nb\r\n", "a\\nb\\r\n");
        check("\x1b[31mred\n", "\\x1b[31mred\n");
    }
}
