//! `coordhub serve`.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args;
use coordhub_core::limits::Limits;
use coordhub_server::{
    Config,
    access::origin::Origins,
    net::{ConnectionLimits, Drain, Signals},
};

use super::values;

/// How the hub is run. Each option may also stand in the environment, as `COORDHUB_…`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where to listen; may be given several times.
    #[arg(long, env = "COORDHUB_BIND", value_delimiter = ',', value_parser = values::address, default_value = "127.0.0.1:8550")]
    bind: Vec<SocketAddr>,

    /// The file that the hub is kept in; made where there is none.
    #[arg(long, env = "COORDHUB_DB", default_value = "coordination_hub.db")]
    db: PathBuf,

    /// A further name that the hub may be called by, as it stands in `Host`.
    #[arg(long, env = "COORDHUB_ALLOW_HOST", value_delimiter = ',', value_parser = values::host, value_name = "HOST")]
    allow_host: Vec<String>,

    /// An origin (`scheme://host[:port]`) whose pages may call the hub.
    #[arg(long, env = "COORDHUB_ALLOW_ORIGIN", value_delimiter = ',', value_parser = values::origin, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// The origin (`scheme://host[:port]`) that people reach the hub by, where a proxy stands before it.
    #[arg(long, env = "COORDHUB_PUBLIC_URL", value_parser = values::origin, value_name = "URL")]
    public_url: Option<String>,

    /// How many connections may be open at a time.
    #[arg(long, env = "COORDHUB_MAX_CONNECTIONS", value_parser = values::count, value_name = "COUNT")]
    max_connections: Option<usize>,

    /// The largest request body, in bytes.
    #[arg(long, env = "COORDHUB_MAX_BODY_BYTES", value_name = "BYTES")]
    max_body_bytes: Option<usize>,

    /// The longest content, description, result, reason or comment, in bytes.
    #[arg(long, env = "COORDHUB_MAX_TEXT_BYTES", value_name = "BYTES")]
    max_text_bytes: Option<usize>,

    /// The longest metadata, in bytes.
    #[arg(long, env = "COORDHUB_MAX_METADATA_BYTES", value_name = "BYTES")]
    max_metadata_bytes: Option<usize>,

    /// The longest title or name, in characters.
    #[arg(long, env = "COORDHUB_MAX_TITLE_CHARS", value_name = "COUNT")]
    max_title_chars: Option<usize>,

    /// How many capabilities or tags one thing may carry.
    #[arg(long, env = "COORDHUB_MAX_LABELS", value_name = "COUNT")]
    max_labels: Option<usize>,

    /// What is logged: error, warn, info, debug or trace, or a filter such as `coordhub_core=debug`.
    #[arg(long, env = "COORDHUB_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    log_level: String,
}

impl ServeArgs {
    fn into_config(self) -> Config {
        let mut connections = ConnectionLimits::default();
        if let Some(most) = self.max_connections {
            connections.connections_max = most;
        }
        let standard = Limits::default();
        let limits = Limits {
            text_bytes_max: self.max_text_bytes.unwrap_or(standard.text_bytes_max),
            metadata_bytes_max: self.max_metadata_bytes.unwrap_or(standard.metadata_bytes_max),
            title_chars_max: self.max_title_chars.unwrap_or(standard.title_chars_max),
            labels_max: self.max_labels.unwrap_or(standard.labels_max),
            ..standard
        };
        let config = Config::default();
        let mut origins = Origins { hosts: self.allow_host, origins: self.allow_origin };
        if let Some(url) = self.public_url {
            let authority = url.split_once("://").map_or("", |(_, authority)| authority);
            // What was taken for an origin has a host.
            origins.hosts.extend(values::host(authority));
            origins.origins.push(url);
        }
        Config {
            bind: self.bind,
            db: self.db,
            origins,
            connections: connections.fit_descriptors(raise_descriptors()),
            body_bytes_max: self.max_body_bytes.unwrap_or(config.body_bytes_max),
            limits,
            ..config
        }
    }
}

/// Raises the soft limit of open files to the hard one, as every server of many sockets must.
fn raise_descriptors() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024)
}

/// Runs the hub until it is told to stop. Exit status: 0 after a drain, 1 where it could not start.
pub(crate) fn run(args: ServeArgs) -> ExitCode {
    start_log(&args.log_level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return refuse(&format!("the async runtime cannot start: {why}")),
    };
    let ended = runtime.block_on(serve(args.into_config()));
    // Reads that hang on a broken disk must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &str) -> ExitCode {
    say(&format!("coordhub: {}", why.replace('\n', " ")));
    ExitCode::FAILURE
}

/// Writes a line to stderr. Whoever started the hub may have closed it since, which is no reason to
/// panic, as `eprintln!` does.
fn say(line: &str) {
    let _written = writeln!(std::io::stderr(), "{line}");
}

async fn serve(config: Config) -> Result<(), String> {
    let signals = Signals::install().map_err(|why| format!("signals cannot be caught: {why}"))?;
    let drain = Drain::new();
    let db = config.db.clone();
    let running =
        coordhub_server::start(config, drain.clone()).await.map_err(|why| why.to_string())?;
    let addresses = running.local_addresses();
    for address in addresses {
        say(&format!("listening on http://{address}"));
    }
    let port = addresses.first().map_or(0, SocketAddr::port);
    say(&format!(
        "coordhub {}: file {}, open mode (callers name themselves); open http://localhost:{port}",
        env!("CARGO_PKG_VERSION"),
        db.display()
    ));
    tokio::spawn(signals.drive(drain));
    // Settled or not, what was acknowledged is on disk, and the drain is over.
    let _drained = running.run().await;
    Ok(())
}

fn start_log(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second subscriber in one process is a program that embeds the command: it keeps its own.
    let _set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // It would report a log line that cannot be written with `eprintln!`, whose panic ends the
        // task or thread that logs: a hub whose log nobody reads any more could not be stopped.
        .log_internal_errors(false)
        .try_init();
}
