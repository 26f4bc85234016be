//! `coordhub prune`: gives up what is old, in the file of a hub that does not run, or by asking one that
//! does.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Args;
use coordhub_core::{Hub, model::HistoryKind, store::StoreError};
use serde_json::json;

use super::{
    DB_DEFAULT, ended,
    remote::{By, printable},
    tell, values,
};

/// How often it looks whether all is gone.
const LOOKS: Duration = Duration::from_millis(20);

/// Removes what is old: in a file on which no hub runs, or, with --url, by asking the hub that runs there.
/// A hub also does it by itself, with `--retain-…`.
#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    /// How old it must be, such as 30d or 12h; 1d at least.
    #[arg(long, value_parser = values::age, value_name = "AGE")]
    older_than: i64,

    /// What: messages; events (the log, and messages with it; not by --url); tasks (finished ones);
    /// proposals (decided ones). Several times, or parted by commas.
    #[arg(long, required = true, value_delimiter = ',', value_parser = values::history_kind, value_name = "KIND")]
    kind: Vec<HistoryKind>,

    /// The file that the hub is kept in. Without it, and without --url, COORDHUB_DB, or the file of that
    /// name in this folder.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    db: Option<PathBuf>,

    /// The hub to ask. It is not taken from COORDHUB_URL: what is removed is said in full.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    #[command(flatten)]
    by: By,
}

pub(crate) fn run(args: &PruneArgs) -> ExitCode {
    ended(match (&args.db, &args.url) {
        (_, Some(url)) => ask(args, url),
        (Some(db), None) => prune(args, db),
        (None, None) => {
            let db = std::env::var_os("COORDHUB_DB").unwrap_or_else(|| DB_DEFAULT.into());
            prune(args, Path::new(&db))
        }
    })
}

fn ask(args: &PruneArgs, url: &str) -> Result<(), String> {
    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
    // What would be refused is, before anything is removed.
    if args.kind.contains(&HistoryKind::Events) {
        return Err("a hub that runs gives up no events of its log when asked: stop it and use --db, or start it with --retain-events".to_owned());
    }
    // The age goes to the hub, whose clock it is that counts, and which is told days.
    if args.older_than % DAY_MILLIS != 0 {
        return Err("with --url the age is in whole days, such as 30d".to_owned());
    }
    for kind in &args.kind {
        let body =
            json!({ "kind": kind.as_str(), "older_than_days": args.older_than / DAY_MILLIS });
        let answer = args.by.call(url, "POST", "/admin/prune", Some(&body))?;
        let before = answer["before"].as_str().map(printable).unwrap_or_default();
        tell(&if args.by.json {
            format!("{answer}\n")
        } else {
            format!("pruned {kind} older than {before}, as of event {}\n", answer["seq"])
        })?;
    }
    Ok(())
}

fn prune(args: &PruneArgs, db: &Path) -> Result<(), String> {
    if args.by.json || args.by.token_file.is_some() {
        return Err("--json and --token-file go with --url".to_owned());
    }
    if !db.exists() {
        return Err(format!("{} does not exist", db.display()));
    }
    let hub = Hub::open(db).map_err(|why| match why {
        StoreError::InUse { .. } => format!(
            "{why}. Ask the hub that runs, with --url and an admin's token; by itself it removes what is old when it is started with --retain-messages and its like"
        ),
        other => other.to_string(),
    })?;
    for kind in &args.kind {
        let before = hub.now().plus_millis(-args.older_than);
        let found = hub.prune(*kind, before).map_err(|why| why.to_string())?;
        while hub.is_pruning() {
            thread::sleep(LOOKS);
        }
        if hub.is_degraded() {
            return Err("the store does not take writes; not all was removed".to_owned());
        }
        let done = if found { "pruned" } else { "nothing to prune of" };
        tell(&format!("{done} {kind} older than {before}\n"))?;
    }
    tell(&format!("the log is whole from {} to {}\n", hub.oldest_seq(), hub.head_seq()))?;
    hub.close();
    Ok(())
}
