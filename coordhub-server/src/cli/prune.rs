//! `coordhub prune`: gives up what is old in the file of a hub that does not run.

use std::{process::ExitCode, thread, time::Duration};

use clap::Args;
use coordhub_core::{Hub, model::HistoryKind, store::StoreError};

use super::{DbArgs, ended, tell, values};

/// How often it looks whether all is gone.
const LOOKS: Duration = Duration::from_millis(20);

/// Removes what is old, while no hub runs on the file. A hub that runs does it by itself, with
/// `--retain-…`.
#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    /// How old it must be, such as 30d or 12h; 1d at least.
    #[arg(long, value_parser = values::age, value_name = "AGE")]
    older_than: i64,

    /// What: messages; events (the log, and messages with it); tasks (finished ones); proposals
    /// (decided ones). Several times, or parted by commas.
    #[arg(long, required = true, value_delimiter = ',', value_parser = values::history_kind, value_name = "KIND")]
    kind: Vec<HistoryKind>,

    #[command(flatten)]
    db: DbArgs,
}

pub(crate) fn run(args: &PruneArgs) -> ExitCode {
    ended(prune(args))
}

fn prune(args: &PruneArgs) -> Result<(), String> {
    let db = &args.db.db;
    if !db.exists() {
        return Err(format!("{} does not exist", db.display()));
    }
    let hub = Hub::open(db).map_err(|why| match why {
        StoreError::InUse { .. } => format!(
            "{why}. A hub that runs removes what is old by itself: start it with --retain-messages and its like"
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
