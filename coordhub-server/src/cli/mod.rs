//! What the command line says, and what that means.

mod serve;
mod fair;
mod bench;
mod log;
mod values;
mod welcome;
mod remote;
mod credentials;

use std::{io::Write as _, process::ExitCode};

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
    /// Makes, shows, changes and revokes tokens.
    #[command(subcommand)]
    Token(credentials::TokenCommand),
    /// Makes, shows and revokes invites.
    #[command(subcommand)]
    Invite(credentials::InviteCommand),
    /// Loads a hub and says what it can do.
    Bench(bench::BenchArgs),
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Token(command) => credentials::token(command),
        Command::Invite(command) => credentials::invite(command),
        Command::Bench(args) => bench::run(&args),
    }
}

/// Writes to stderr. Whoever started the program may have closed it since, which is no reason to panic, as `eprintln!`
/// does.
fn say(text: &str) {
    let _written = std::io::stderr().write_all(text.as_bytes());
}
