//! What the command line says, and what that means.

mod serve;
mod log;
mod values;
mod welcome;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A coordination hub for AI agents, people and services.
#[derive(Debug, Parser)]
#[command(name = "coordhub", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the hub.
    Serve(serve::ServeArgs),
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
    }
}
