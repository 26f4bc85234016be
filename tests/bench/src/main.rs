//! Load against a running hub: durable sends, one sender to many sockets, and searches.
//!
//! The generator shares its machine with the hub, so it is cheap on purpose: one thread unless told otherwise, requests
//! built once, replies read by substring. What it saves on parsing it does not save on checking: only a 200 counts as a
//! send, and a fan-out that lost, doubled or reordered a message exits with 1.

mod claim;
mod fanout;
mod histogram;
mod http;
mod report;
mod search;
mod send;
mod vocabulary;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::report::Report;

/// Load against a running coordination hub.
#[derive(Parser)]
#[command(name = "coordhub-bench", version)]
struct Cli {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Keep-alive connections that post one message after another.
    Send(SendArgs),
    /// One sender, one message at a time, to many sockets.
    Fanout(FanoutArgs),
    /// Workers that ask for the next task, complete it and bring a new one.
    Claim(ClaimArgs),
    /// Many messages, and then searches for two words of every frequency, one after the other.
    Search(SearchArgs),
}

/// What every workload takes.
#[derive(Args)]
struct Common {
    /// The hub.
    #[arg(long, default_value = "http://127.0.0.1:8550")]
    url: String,
    /// How long to load it.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Threads of the generator itself.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct SendArgs {
    #[command(flatten)]
    common: Common,
    /// Connections, each with one request under way.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
}

#[derive(Args)]
struct FanoutArgs {
    #[command(flatten)]
    common: Common,
    /// Sockets that each must get every message.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    sockets: u32,
    /// Messages a second at most; as fast as they are acknowledged where it is left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

#[derive(Args)]
struct ClaimArgs {
    #[command(flatten)]
    common: Common,
    /// Unfinished tasks to begin with: one in ten can be claimed, the others depend on it.
    #[arg(long, default_value_t = 10_000)]
    tasks: u32,
    /// Finished tasks to begin with.
    #[arg(long, default_value_t = 0)]
    finished: u32,
    /// Those who wait for a task that never comes.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    waiters: u32,
    /// Those who work, each on a connection of its own.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: u32,
}

#[derive(Args)]
struct SearchArgs {
    #[command(flatten)]
    common: Common,
    /// Messages that the hub is filled with.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    messages: u64,
    /// The hub was filled with them before.
    #[arg(long)]
    filled: bool,
    /// How often each query is asked.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.workload {
        Workload::Send(args) => run(&args.common, send::run(args)),
        Workload::Fanout(args) => run(&args.common, fanout::run(args)),
        Workload::Claim(args) => run(&args.common, claim::run(args)),
        Workload::Search(args) => run(&args.common, search::run(args)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("coordhub-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Drives one workload on a runtime of the asked size and prints its report; `false` where the report found a fault.
fn run(common: &Common, workload: impl Future<Output = io::Result<Report>>) -> io::Result<bool> {
    // A thousand sockets do not fit the usual soft limit of 1,024 descriptors.
    rlimit::increase_nofile_limit(65_536)?;
    let runtime = if common.threads == 1 {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(usize::from(common.threads))
            .enable_all()
            .build()?
    };
    let report = runtime.block_on(workload)?;
    report.print(common.json);
    Ok(report.is_clean())
}
