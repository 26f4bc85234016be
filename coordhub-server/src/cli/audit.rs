//! `coordhub audit`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use coordhub_core::{
    event::Event,
    store::{AuditFilter, upkeep::AuditFile},
};
use serde_json::{Value, json};

use super::{
    credentials::{refuse, show_list, show_rows},
    remote::{Remote, segment},
};

const OF_EVENTS: [&str; 10] = [
    "seq",
    "timestamp",
    "kind",
    "actor",
    "auth",
    "address",
    "request_id",
    "cause",
    "bytes",
    "about",
];
const OF_REFUSALS: [&str; 8] =
    ["last_at", "first_at", "count", "status", "kind", "entity_id", "address", "route"];

/// What is shown of the audit. A running hub is asked, with an admin's token; a file needs the right to
/// read it.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// What was refused, instead of what was done.
    #[arg(long)]
    refusals: bool,

    /// Only what this one did, or was refused.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,

    /// Only events of this kind, or refusals with this code.
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// Reads this file, on which no hub need run, instead of asking a hub.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    #[command(flatten)]
    remote: Remote,
}

/// Does what `coordhub audit` was told.
pub(crate) fn run(args: &AuditArgs) -> ExitCode {
    match &args.db {
        Some(db) => of_file(args, db),
        None => of_hub(args),
    }
}

fn of_hub(args: &AuditArgs) -> ExitCode {
    let named = [("actor", &args.actor), ("kind", &args.kind)];
    let given = named.into_iter().filter_map(|(name, value)| value.as_ref().map(|it| (name, it)));
    let query = given.map(|(name, value)| format!("{name}={}", segment(value)));
    let query = query.collect::<Vec<_>>().join("&");
    let list =
        |path: &str| if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if args.refusals {
        show_list(&args.remote, &list("/audit/refusals"), "refusals", &OF_REFUSALS)
    } else {
        show_list(&args.remote, &list("/audit"), "events", &OF_EVENTS)
    }
}

fn of_file(args: &AuditArgs, db: &Path) -> ExitCode {
    let (plural, columns, rows) = if args.refusals {
        ("refusals", &OF_REFUSALS[..], refusals(args, db))
    } else {
        ("events", &OF_EVENTS[..], events(args, db))
    };
    match rows {
        Ok(rows) => show_rows(&args.remote, &rows, plural, columns),
        Err(why) => refuse(&why),
    }
}

fn events(args: &AuditArgs, db: &Path) -> Result<Vec<Value>, String> {
    const PAGE: usize = 1_000;
    let known = |word: &String| {
        let known = Event::KINDS.iter().copied().find(|kind| kind == word);
        known.ok_or_else(|| format!("there are no events of the kind {word:?}"))
    };
    let kind = args.kind.as_ref().map(known).transpose()?;
    let filter = AuditFilter { actor: args.actor.clone(), kind };
    let file = AuditFile::open(db).map_err(|why| why.to_string())?;
    let (mut rows, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let (found, next) = file.entries(&filter, from, PAGE).map_err(|why| why.to_string())?;
        rows.extend(found.iter().map(|entry| json!(entry)));
        after = next;
    }
    Ok(rows)
}

fn refusals(args: &AuditArgs, db: &Path) -> Result<Vec<Value>, String> {
    let file = AuditFile::open(db).map_err(|why| why.to_string())?;
    let found = file.refusals().map_err(|why| why.to_string())?;
    let wanted = found.iter().filter(|one| {
        let entity = one.of.entity_id.as_ref().map(|id| id.as_str());
        args.actor.as_deref().is_none_or(|actor| entity == Some(actor))
            && args.kind.as_ref().is_none_or(|kind| one.of.kind == *kind)
    });
    Ok(wanted.map(|one| json!(one)).collect())
}
