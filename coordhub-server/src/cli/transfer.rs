//! `coordhub export` and `coordhub import`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use coordhub_core::store::upkeep::{self, Transferred};

use super::{DbArgs, ended, say, tell};

/// Writes all that a hub's file holds to standard output, an object of JSON a line.
#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    db: DbArgs,
}

/// Makes a hub's file of an export, as another history.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The export; `-` is standard input.
    #[arg(value_name = "EXPORT")]
    from: PathBuf,

    #[command(flatten)]
    db: DbArgs,
}

pub(crate) fn export(args: &ExportArgs) -> ExitCode {
    ended(write_export(&args.db.db))
}

fn write_export(db: &Path) -> Result<(), String> {
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    let Transferred { history, lines } =
        upkeep::export(db, &mut out).map_err(|why| why.to_string())?;
    // Standard output is the export.
    say(&format!(
        "exported {lines} lines: events up to {} of epoch {}\n",
        history.head, history.epoch
    ));
    Ok(())
}

pub(crate) fn import(args: &ImportArgs) -> ExitCode {
    ended(read_import(args))
}

fn read_import(args: &ImportArgs) -> Result<(), String> {
    let mut from: Box<dyn BufRead> = if args.from.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.from);
        let file = file.map_err(|why| format!("{}: {why}", args.from.display()))?;
        Box::new(BufReader::with_capacity(1 << 18, file))
    };
    let Transferred { history, lines } =
        upkeep::import(&mut *from, &args.db.db).map_err(|why| why.to_string())?;
    let db = args.db.db.display();
    tell(&format!(
        "imported {lines} lines into {db}: events up to {}, now of epoch {}\n",
        history.head, history.epoch
    ))
}
