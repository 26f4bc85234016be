//! `coordhub audit`.

use std::process::ExitCode;

use clap::Args;

use super::{
    credentials::show_list,
    remote::{Remote, segment},
};

/// What is shown of the audit. A running hub is asked, with an admin's token.
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

    #[command(flatten)]
    remote: Remote,
}

/// Does what `coordhub audit` was told.
pub(crate) fn run(args: &AuditArgs) -> ExitCode {
    let named = [("actor", &args.actor), ("kind", &args.kind)];
    let given = named.into_iter().filter_map(|(name, value)| value.as_ref().map(|it| (name, it)));
    let query = given.map(|(name, value)| format!("{name}={}", segment(value)));
    let query = query.collect::<Vec<_>>().join("&");
    let list =
        |path: &str| if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    if args.refusals {
        let columns =
            ["last_at", "first_at", "count", "status", "kind", "entity_id", "address", "route"];
        show_list(&args.remote, &list("/audit/refusals"), "refusals", &columns)
    } else {
        let columns = [
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
        show_list(&args.remote, &list("/audit"), "events", &columns)
    }
}
