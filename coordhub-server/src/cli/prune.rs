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

use super::{DB_DEFAULT, backup, ended, remote::Remote, tell, values};

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
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,

    #[command(flatten)]
    remote: Option<Remote>,
}

pub(crate) fn run(args: &PruneArgs) -> ExitCode {
    ended(match (&args.db, &args.remote) {
        (None, Some(hub)) => ask(args, hub),
        (Some(db), _) => prune(args, db),
        (None, None) => {
            let db = std::env::var_os("COORDHUB_DB").unwrap_or_else(|| DB_DEFAULT.into());
            prune(args, Path::new(&db))
        }
    })
}

fn ask(args: &PruneArgs, hub: &Remote) -> Result<(), String> {
    for kind in &args.kind {
        let before = backup::now().plus_millis(-args.older_than);
        let body = json!({ "kind": kind.as_str(), "before": before });
        let answer = hub.call("POST", "/admin/prune", Some(&body))?;
        tell(&if hub.json {
            format!("{answer}\n")
        } else {
            format!("pruned {kind} older than {before}, as of event {}\n", answer["seq"])
        })?;
    }
    Ok(())
}

fn prune(args: &PruneArgs, db: &Path) -> Result<(), String> {
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
