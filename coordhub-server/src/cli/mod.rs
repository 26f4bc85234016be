//! What the command line says, and what that means: the program `coordhub`, for whoever starts it.

mod serve;
mod embedded;
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

use std::{ffi::OsString, io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

pub use embedded::serving;

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

/// Does what a command line says, whose first word is the program's name. The process's exit status: 0 where it did, 1
/// where it could not, 2 where the words mean nothing.
///
/// It catches signals, and takes the log of the process: one call a process.
pub fn run_with(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(other) => {
            // Help goes to stdout, and what is wrong to stderr. Where nobody takes it there is nobody to tell.
            let _printed = other.print();
            return u8::try_from(other.exit_code()).unwrap_or(1);
        }
    };
    let ended = match cli.command {
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
        Command::Bench(args) => bench::run(&args, words.first()),
    };
    u8::from(ended != ExitCode::SUCCESS)
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
