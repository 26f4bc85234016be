//! The load of `coordhub bench` on the hub and, in turn, on what the same machine can do at all: a server of hyper alone,
//! sockets of tokio-tungstenite alone, SQLite alone. Absolute figures are not stable on machines that are shared; shares
//! are.

mod pairs;
mod table;
mod ceiling;
mod core;
mod lines;
mod short;
mod vocabulary;
mod search;

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// The allocator of the hub, so that the ceilings have the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The hub beside what the same machine can do at all.
#[derive(Parser)]
#[command(name = "coordhub-bench", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serves what the hub is compared with, until it is killed.
    #[command(hide = true)]
    Ceiling(ceiling::CeilingArgs),
    /// What the library writes in this process, of messages that are under way at a time.
    Core(core::CoreArgs),
    /// Many messages, and then searches for two words of every frequency, one after the other.
    Search(search::SearchArgs),
}

/// How the table is made.
#[derive(Args, Clone)]
struct TableArgs {
    /// Every kind of load for a moment: only what must never happen is looked for, and no figure is judged.
    #[arg(long)]
    short: bool,

    /// The hub's program; by default the one beside this, or COORDHUB_BIN.
    #[arg(long, env = "COORDHUB_BIN", value_name = "PROGRAM")]
    hub: Option<PathBuf>,

    /// Where the files are; on the disk that is to be measured.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,

    /// How long each half of a pair is.
    #[arg(long, default_value_t = 1_000, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(50..=60_000))]
    millis: u64,

    /// How many pairs a share is the median of.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pairs: u32,

    /// How many messages a large hub has stored.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,

    /// Only the lines of these names.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,

    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl TableArgs {
    /// The hub's program.
    fn program(&self) -> io::Result<PathBuf> {
        let found = match &self.hub {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("coordhub"),
        };
        if found.is_file() {
            return Ok(found);
        }
        let what = "is no program; `cargo build --release` makes it, and --hub names another";
        Err(io::Error::other(format!("{} {what}", found.display())))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A thousand sockets do not fit the usual soft limit of 1,024 descriptors. Where it cannot be raised, opening fails.
    let _raised = rlimit::increase_nofile_limit(u64::MAX);
    let outcome = match &cli.command {
        Some(Command::Ceiling(args)) => ceiling::serve(args).map(|()| true),
        Some(Command::Core(args)) => core::run(args).map(|()| true),
        Some(Command::Search(args)) => search::run(args),
        None if cli.table.short => short::run(&cli.table),
        None => lines::run(&cli.table),
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
