//! What the command line says, and what that means.

mod serve;
mod backup;
mod transfer;
mod prune;
mod doctor;
mod fair;
mod bench;
mod log;
mod values;
mod welcome;
mod remote;
mod credentials;
mod audit;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

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
    Serve(Box<serve::ServeArgs>),
    /// Makes, shows, changes and revokes tokens.
    #[command(subcommand)]
    Token(credentials::TokenCommand),
    /// Makes, shows and revokes invites.
    #[command(subcommand)]
    Invite(credentials::InviteCommand),
    /// Shows who did what, or what was refused.
    Audit(audit::AuditArgs),
    /// Copies the hub's file, while a hub runs on it or not.
    Backup(backup::BackupArgs),
    /// Puts a backup in the place of a hub's file, as another history.
    Restore(backup::RestoreArgs),
    /// Writes all that a hub's file holds as lines of JSON.
    Export(transfer::ExportArgs),
    /// Makes a hub's file of an export, as another history.
    Import(transfer::ImportArgs),
    /// Removes what is old.
    Prune(prune::PruneArgs),
    /// Says whether a hub is well, and what to do where it is not.
    Doctor(doctor::DoctorArgs),
    /// Loads a hub and says what it can do.
    Bench(bench::BenchArgs),
}

/// The file that a hub is kept in where nobody says otherwise.
const DB_DEFAULT: &str = "coordination_hub.db";

/// Which hub's file a command is about.
#[derive(Args, Debug)]
struct DbArgs {
    /// The file that the hub is kept in.
    #[arg(long, env = "COORDHUB_DB", default_value = DB_DEFAULT, value_name = "FILE")]
    db: PathBuf,
}

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
        Command::Token(command) => credentials::token(command),
        Command::Invite(command) => credentials::invite(command),
        Command::Audit(args) => audit::run(&args),
        Command::Backup(args) => backup::back_up(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Export(args) => transfer::export(&args),
        Command::Import(args) => transfer::import(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Bench(args) => bench::run(&args),
    }
}

/// Writes what was asked for to stdout.
fn tell(text: &str) -> Result<(), String> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|why| format!("standard output: {why}"))
}

/// How a command ends that either does what it should, or says in one line why not.
fn ended(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("coordhub: {}\n", why.replace('\n', " ")));
            ExitCode::FAILURE
        }
    }
}

/// Writes to stderr. Whoever started the program may have closed it since, which is no reason to panic, as `eprintln!`
/// does.
fn say(text: &str) {
    let _written = std::io::stderr().write_all(text.as_bytes());
}
