//! `coordhub serve`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    fair::FairArgs,
    log::{self, Log, LogArgs, LogFormat},
    welcome::Welcome,
};
use crate::{
    Config, Running,
    access::{fair::FairUse, gate::AuthMode, network::Network, origin::Origins},
    net::{Cidr, ConnectionLimits, Drain, Signals, TlsFiles},
};
use clap::Args;
use coordhub_core::{limits::Limits, model::Retention};

use super::{ended, say, values};

/// How the hub is run. Each option may also stand in the environment, as `COORDHUB_…`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where to listen; may be given several times.
    #[arg(long, env = "COORDHUB_BIND", value_delimiter = ',', value_parser = values::address, default_value = "127.0.0.1:8550")]
    pub(super) bind: Vec<SocketAddr>,

    /// How callers are known: `open`, they name themselves; `token`, they show a token.
    #[arg(long, env = "COORDHUB_AUTH", value_name = "MODE", value_parser = values::auth, default_value = "open")]
    auth: AuthMode,

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

    /// A network (`10.0.0.0/8`, or one address) that may come; nobody else may then. May be given several times.
    #[arg(long, env = "COORDHUB_TRUSTED_NETWORK", value_delimiter = ',', value_name = "CIDR")]
    trusted_network: Vec<Cidr>,

    /// A proxy (an address or a network) whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    #[arg(long, env = "COORDHUB_BEHIND_PROXY", value_delimiter = ',', value_name = "CIDR")]
    behind_proxy: Vec<Cidr>,

    /// The certificate (PEM), with those between it and whom clients trust: the hub then speaks TLS.
    #[arg(long, env = "COORDHUB_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, env = "COORDHUB_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    #[command(flatten)]
    fair: FairArgs,

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

    /// How long messages are kept, such as 30d; for ever where not given. That they were sent stays in
    /// the log.
    #[arg(long, env = "COORDHUB_RETAIN_MESSAGES", value_parser = values::age, value_name = "AGE")]
    retain_messages: Option<i64>,

    /// How long the log is kept, and messages at most as long.
    #[arg(long, env = "COORDHUB_RETAIN_EVENTS", value_parser = values::age, value_name = "AGE")]
    retain_events: Option<i64>,

    /// How long tasks are kept after they were finished.
    #[arg(long, env = "COORDHUB_RETAIN_FINISHED_TASKS", value_parser = values::age, value_name = "AGE")]
    retain_finished_tasks: Option<i64>,

    /// How long proposals are kept after they were decided.
    #[arg(long, env = "COORDHUB_RETAIN_DECIDED_PROPOSALS", value_parser = values::age, value_name = "AGE")]
    retain_decided_proposals: Option<i64>,

    /// Where the monitor (`/health`, `/metrics`) listens: a loopback address such as 127.0.0.1:8551.
    #[arg(long, env = "COORDHUB_MONITOR", value_name = "ADDRESS")]
    monitor: Option<SocketAddr>,

    #[command(flatten)]
    log: LogArgs,
}

impl ServeArgs {
    pub(super) fn into_config(self) -> Config {
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
        let mut origins = Origins {
            hosts: self.allow_host,
            origins: self.allow_origin,
            public: self.public_url.clone(),
        };
        let tls = self.tls_cert.zip(self.tls_key).map(|(cert, key)| TlsFiles { cert, key });
        let network = Network { trusted: self.trusted_network, proxies: self.behind_proxy, tls };
        let fair = self.fair.over(FairUse::standard(self.auth, &self.bind));
        let public_url = self.public_url.clone();
        if let Some(url) = self.public_url {
            let authority = url.split_once("://").map_or("", |(_, authority)| authority);
            // What was taken for an origin has a host.
            origins.hosts.extend(values::host(authority));
        }
        Config {
            bind: self.bind,
            auth: self.auth,
            public_url,
            monitor: self.monitor,
            db: self.db,
            origins,
            network,
            fair,
            connections: connections.fit_descriptors(raise_descriptors()),
            body_bytes_max: self.max_body_bytes.unwrap_or(config.body_bytes_max),
            limits,
            retention: Retention {
                messages_millis: self.retain_messages,
                events_millis: self.retain_events,
                tasks_millis: self.retain_finished_tasks,
                proposals_millis: self.retain_decided_proposals,
            },
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
    let log_args = args.log.clone();
    let log = match log::start(&log_args) {
        Ok(log) => log,
        Err(why) => return ended(Err(why)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return ended(Err(format!("the async runtime cannot start: {why}"))),
    };
    let served = runtime.block_on(serve(args.into_config(), &log_args, log));
    // Reads that hang on a broken disk must not keep the process.
    runtime.shutdown_background();
    ended(served)
}

async fn serve(config: Config, log_args: &LogArgs, log: Log) -> Result<(), String> {
    let signals = Signals::install().map_err(|why| format!("signals cannot be caught: {why}"))?;
    log.reopen_on_hangup().map_err(|why| format!("signals cannot be caught: {why}"))?;
    let drain = Drain::new();
    let db = config.db.clone();
    let running = crate::start(config, drain.clone()).await.map_err(|why| why.to_string())?;
    greet(&running, &db, log_args);
    tokio::spawn(signals.drive(drain));
    // Settled or not, what was acknowledged is on disk, and the drain is over.
    let _drained = running.run().await;
    Ok(())
}

/// Says on stderr, where people look, what has started; where stderr is a log for programs, in its form.
fn greet(running: &Running, db: &Path, log: &LogArgs) {
    let absolute = std::path::absolute(db).unwrap_or_else(|_| db.to_owned());
    let welcome = Welcome {
        addresses: running.local_addresses(),
        db: &absolute,
        monitor: running.monitor_address(),
        auth: running.app().config().auth,
        network: &running.app().config().network,
        admin_token: running.admin_token(),
        log_file: log.log_file.as_deref(),
    };
    match (log.log_format, &log.log_file) {
        (LogFormat::Json, None) => say(&welcome.to_json(running.app().started_at())),
        _ => say(&welcome.to_text()),
    }
    if log.log_file.is_some() {
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, addresses = ?welcome.addresses, file = %absolute.display(), "started");
    }
}
