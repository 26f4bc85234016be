//! `coordhub bench`.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use crate::bench::{
    Run,
    finding::{Finding, head, row},
    http::text_after,
    progress::Progress,
    target::{Target, file_system},
    tokens::Tokens,
    workload::{Own, Session, WORKLOADS, Workload},
};
use clap::Args;
use serde_json::{Value, json};

use super::say;

/// What a hub can do on this machine. Everything that is sent to it is stored, and stays.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    hub: Which,

    /// Where --self makes the folder of its hub, which goes with the run; on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER", requires = "own")]
    dir: Option<PathBuf>,

    /// How long each workload loads the hub.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// Only these workloads, by name or the first words of it (`send`, `fanout-1000`).
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = known)]
    only: Vec<String>,

    /// How many messages are stored for the workloads on a large hub.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    messages: u64,

    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// A hub that runs. In token mode with an admin's token in COORDHUB_TOKEN; then only sends, heartbeats and the mixture.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// A hub of its own: this program, on a free port, with a new file.
    #[arg(long = "self")]
    own: bool,

    /// Says which workloads there are, and ends.
    #[arg(long)]
    list: bool,
}

fn known(name: &str) -> Result<String, String> {
    if WORKLOADS.iter().any(|workload| workload.is_meant_by(name)) {
        Ok(name.to_owned())
    } else {
        Err("there is no such workload; --list says which there are".to_owned())
    }
}

/// Loads the hub. Exit status: 0 where all that was sent arrived once, 1 where it did not, or the hub could not be asked.
pub(crate) fn run(args: &BenchArgs, called: Option<&OsString>) -> ExitCode {
    if args.hub.list {
        let lines = WORKLOADS.iter().map(|it| format!("{:<18} {}\n", it.name, it.what));
        print(&lines.collect::<String>());
        return ExitCode::SUCCESS;
    }
    // A thousand sockets do not fit the usual soft limit of 1,024 descriptors. Where it cannot be raised, opening fails.
    let _raised = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(until_told(args, called))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            say("coordhub: something was lost, doubled, refused or claimed twice; see above\n");
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("coordhub: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// A hub of its own goes with its folder, also where the run is broken off.
async fn until_told(args: &BenchArgs, called: Option<&OsString>) -> io::Result<bool> {
    tokio::select! {
        ended = load(args, called) => ended,
        told = tokio::signal::ctrl_c() => told.and(Err(io::Error::other("broken off"))),
    }
}

async fn load(args: &BenchArgs, called: Option<&OsString>) -> io::Result<bool> {
    let mut session = open(args, called)?;
    let about = about(args, &session).await?;
    if !args.json {
        print(&format!("{}\n\n{}\n", line(&about), head()));
    }
    let mut findings = Vec::new();
    for workload in WORKLOADS.iter().filter(|workload| is_wanted(args, workload)) {
        let Some(finding) = session.run(workload).await? else {
            say(&format!("{}: not on this hub\n", workload.name));
            continue;
        };
        if !args.json {
            print(&format!("{}\n", row(&finding)));
        }
        findings.push(finding);
    }
    let is_clean = findings.iter().all(|finding| finding.faults().next().is_none());
    if args.json {
        let workloads: Vec<Value> = findings.iter().map(Finding::to_json).collect();
        print(&format!("{}\n", json!({ "run": about, "workloads": workloads, "clean": is_clean })));
    } else {
        print(&format!("\n{LEGEND}"));
    }
    Ok(is_clean)
}

const LEGEND: &str = "\
closed   each connection asks again when it was answered: latencies of a busy hub; what a stall kept from being asked
         stands in no quantile
clock    latency from when a message was due to its receipt: a stall shows in all that it held up
";

fn is_wanted(args: &BenchArgs, workload: &Workload) -> bool {
    args.only.is_empty() || args.only.iter().any(|name| workload.is_meant_by(name))
}

fn open(args: &BenchArgs, called: Option<&OsString>) -> io::Result<Session> {
    let (duration, progress) = (Duration::from_secs(args.seconds), Progress::on_stderr());
    match &args.hub.url {
        Some(url) => {
            let run = Run::new(Target::at(url)?, duration, progress);
            // An admin's: the load makes itself those that it needs.
            let token = std::env::var("COORDHUB_TOKEN").ok().filter(|token| !token.is_empty());
            let run = Run { tokens: token.map(|token| Arc::new(Tokens::new(token))), ..run };
            Ok(Session { run, own: None, messages: args.messages })
        }
        None => {
            let folder = args.dir.clone().unwrap_or_else(std::env::temp_dir);
            let own = Own::start(&program(called)?, &folder)?;
            Session::on_own(own, duration, args.messages, progress)
        }
    }
}

/// What starts this program again. Where it runs within an interpreter that is the script it was called by.
fn program(called: Option<&OsString>) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let script =
        called.map(Path::new).filter(|path| path.components().count() > 1 && path.is_file());
    Ok(script.map_or(own, Path::to_owned))
}

/// What the figures are of.
async fn about(args: &BenchArgs, session: &Session) -> io::Result<Value> {
    let capabilities = session.run.get("/capabilities").await?;
    let folder = session.own.as_ref().and_then(|own| own.file().parent());
    Ok(json!({
        "hub": text_after(&capabilities, b"\"version\":\""),
        "bench": env!("CARGO_PKG_VERSION"),
        "address": format!("http://{}", session.run.authority()),
        "cores": std::thread::available_parallelism().ok().map(usize::from),
        "file_system": folder.and_then(file_system),
        "seconds": args.seconds,
        "messages": args.messages,
        "resident_bytes": session.run.target.resident_bytes(),
    }))
}

fn line(about: &Value) -> String {
    let disk = match about["file_system"].as_str() {
        Some("tmpfs" | "ramfs") => {
            ", file in MEMORY: syncs cost nothing, take --dir to choose a disk".to_owned()
        }
        Some(kind) => format!(", file on {kind}"),
        None => String::new(),
    };
    let word = |name: &str| about[name].as_str().unwrap_or("?").to_owned();
    format!(
        "coordhub {} at {}, {} cores{disk}, {} s a workload",
        word("hub"),
        word("address"),
        about["cores"],
        about["seconds"]
    )
}

/// Where nobody takes the output any more there is nobody to tell.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
