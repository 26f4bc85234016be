//! The options of `coordhub serve` for a program that serves a hub of its own.

use std::{ffi::OsString, iter, path::PathBuf};

use clap::Parser;

use super::serve::ServeArgs;
use crate::Config;

#[derive(Debug, Parser)]
#[command(name = "serve")]
struct Serving {
    #[command(flatten)]
    args: ServeArgs,
}

/// How to serve a hub that is kept at `db` and open already, from options of `coordhub serve`, as they stand on a command
/// line. The error says in a line what is wrong with them.
pub fn serving(db: PathBuf, options: impl IntoIterator<Item = OsString>) -> Result<Config, String> {
    let words = iter::once(OsString::from("serve")).chain(options);
    let serving = Serving::try_parse_from(words).map_err(|why| {
        let text = why.to_string();
        let first = text.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })?;
    Ok(Config { db, ..serving.args.into_config() })
}
