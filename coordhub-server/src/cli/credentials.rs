//! `coordhub token` and `coordhub invite`.

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::access::secret::{Kind, Secret};
use clap::{Args, Subcommand};
use coordhub_core::{
    Hub,
    command::{Caller, Command, IssueToken, Role},
    ids::EntityId,
    limits::AUDIT_LOOKS_MAX,
};
use serde_json::{Map, Value, json};

use super::{
    remote::{Remote, printable, segment},
    say,
};

/// What becomes of tokens. A running hub is asked, with an admin's token.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Shows the tokens there are, without their secrets.
    List(List),
    /// Makes a token for an entity, and shows its secret this once.
    Create(CreateToken),
    /// Changes the secret of a token for another, and shows that this once.
    Rotate(One),
    /// Lets nobody act by a token any more.
    Revoke(One),
    /// Makes a token for the admin of a hub that is stopped, in place of all it had, and shows it this once.
    Reset(Reset),
}

/// What becomes of invites. A running hub is asked, with an admin's token.
#[derive(Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// Makes an invite, and shows its secret and its link this once.
    Create(CreateInvite),
    /// Shows the invites there are, without their secrets.
    List(List),
    /// Lets nobody more register with an invite.
    Revoke(One),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(crate) struct One {
    /// Its id, as the list shows it.
    id: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(crate) struct Reset {
    /// The hub's file.
    #[arg(long, env = "COORDHUB_DB", default_value = "coordination_hub.db")]
    db: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct CreateToken {
    /// As whom its holder acts: a registered entity, or admin.
    #[arg(long, value_name = "ID")]
    entity: String,
    /// What you call it: where it is kept, say.
    #[arg(long)]
    name: String,
    /// admin, member or observer; member where not given.
    #[arg(long)]
    role: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args, Debug)]
pub(crate) struct CreateInvite {
    /// What you call it: whom it is for, say.
    #[arg(long)]
    name: String,
    /// As what one may register with it: claude_session, ai_agent, human, service.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', required = true)]
    types: Vec<String>,
    /// Under which id one may register with it; may be given several times; any where not given.
    #[arg(long = "entity", value_name = "ID")]
    entities: Vec<String>,
    /// What the tokens that come of it may do: member where not given.
    #[arg(long)]
    role: Option<String>,
    /// How many may register with it.
    #[arg(long, default_value_t = 1)]
    uses: u64,
    /// For how long, in hours; a week where not given.
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=8_784))]
    hours: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// Does what `coordhub token` was told.
pub(crate) fn token(command: TokenCommand) -> ExitCode {
    match command {
        TokenCommand::List(List { remote }) => {
            let columns = ["token_id", "entity_id", "role", "name", "first_used_at"];
            show_list(&remote, "/admin/tokens", "tokens", &columns)
        }
        TokenCommand::Create(CreateToken { entity, name, role, remote }) => {
            let mut body = Map::new();
            body.insert("entity_id".to_owned(), entity.into());
            body.insert("name".to_owned(), name.into());
            body.extend(role.map(|role| ("role".to_owned(), role.into())));
            ask(&remote, "POST", "/admin/tokens", Some(&body.into()), &["token"])
        }
        TokenCommand::Rotate(One { id, remote }) => {
            let path = format!("/admin/tokens/{}/rotate", segment(&id));
            ask(&remote, "POST", &path, None, &["token"])
        }
        TokenCommand::Reset(Reset { db }) => match reset(&db) {
            Ok(secret) => print(&format!("{}\n", secret.expose())),
            Err(why) => refuse(&why),
        },
        TokenCommand::Revoke(One { id, remote }) => {
            ask(&remote, "DELETE", &format!("/admin/tokens/{}", segment(&id)), None, &["status"])
        }
    }
}

/// A token for whoever owns the file, who needs no other right.
fn reset(db: &Path) -> Result<Secret, String> {
    // Opening makes a hub where there is none, which is not what was meant.
    if !db.exists() {
        return Err(format!("{}: there is no such file", db.display()));
    }
    let why = |error: &dyn Display| error.to_string();
    let hub = Hub::open(db).map_err(|error| why(&error))?;
    let admin = EntityId::admin();
    let before = hub.with_state(|state| {
        let tokens = state.credentials().tokens_of(&admin);
        tokens.map(|token| token.token_id.clone()).collect::<Vec<_>>()
    });
    let secret = Secret::new(Kind::Token).map_err(|error| why(&error))?;
    let issue = IssueToken {
        entity_id: admin,
        role: Role::Admin,
        name: "reset".to_owned(),
        hash: secret.hash(),
    };
    let made = std::iter::once(Command::IssueToken(issue));
    for command in made.chain(before.into_iter().map(Command::RevokeToken)) {
        hub.call(Caller::hub(), command).map_err(|error| why(&error))?;
    }
    hub.close();
    Ok(secret)
}

/// Does what `coordhub invite` was told.
pub(crate) fn invite(command: InviteCommand) -> ExitCode {
    match command {
        InviteCommand::Create(create) => {
            let CreateInvite { name, types, entities, role, uses, hours, remote } = create;
            let body = json!({
                "name": name,
                "entity_types": types,
                "entity_ids": entities,
                "role": role,
                "uses": uses,
                "expires_in_seconds": hours.map(|hours| hours * 3_600),
            });
            ask(&remote, "POST", "/admin/invites", Some(&body), &["secret", "link"])
        }
        InviteCommand::List(List { remote }) => {
            let columns = ["invite_id", "name", "entity_types", "uses", "uses_max", "expires_at"];
            show_list(&remote, "/admin/invites", "invites", &columns)
        }
        InviteCommand::Revoke(One { id, remote }) => {
            ask(&remote, "DELETE", &format!("/admin/invites/{}", segment(&id)), None, &["status"])
        }
    }
}

/// One call, and these members of its answer, a line each.
fn ask(
    remote: &Remote,
    method: &str,
    path: &str,
    body: Option<&Value>,
    shown: &[&str],
) -> ExitCode {
    match remote.call(method, path, body) {
        Ok(answer) if remote.by.json => print(&format!("{answer}\n")),
        // The hub had done it, the answer was lost on its way, and what is asked again tells no secret.
        Ok(answer) if shown.first().is_some_and(|name| answer[*name].is_null()) => {
            let id = ["token_id", "invite_id"].iter().find_map(|name| answer[*name].as_str());
            refuse(&format!(
                "it was done, but its secret was lost with the connection: rotate or revoke {}, and make another",
                printable(id.unwrap_or("it"))
            ))
        }
        Ok(answer) => {
            let lines = shown.iter().filter(|name| !answer[**name].is_null());
            print(&lines.map(|name| format!("{}\n", cell(&answer[*name]))).collect::<String>())
        }
        Err(why) => refuse(&why),
    }
}

/// A whole list, page by page. A page may hold nothing and still have come further.
pub(super) fn show_list(remote: &Remote, list: &str, plural: &str, columns: &[&str]) -> ExitCode {
    const PAGE: usize = 1_000;
    let (mut rows, mut after) = (Vec::new(), 0_u64);
    loop {
        let path = format!(
            "{list}{}limit={PAGE}&after={after}",
            if list.contains('?') { '&' } else { '?' }
        );
        let page = match remote.call("GET", &path, None) {
            Ok(page) => page,
            Err(why) => return refuse(&why),
        };
        rows.extend(page[plural].as_array().into_iter().flatten().cloned());
        let next = page["next"].as_u64().unwrap_or(0);
        let found = page[plural].as_array().map_or(0, Vec::len);
        // What happens while this goes on belongs to the next time.
        if found < PAGE && next < after.saturating_add(AUDIT_LOOKS_MAX) {
            break;
        }
        after = next;
    }
    show_rows(remote, &rows, plural, columns)
}

/// Rows as a table, or as JSON.
pub(super) fn show_rows(
    remote: &Remote,
    rows: &[Value],
    plural: &str,
    columns: &[&str],
) -> ExitCode {
    if remote.by.json {
        return print(&format!("{}\n", json!({ plural: rows, "count": rows.len() })));
    }
    let mut table = vec![columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    table.extend(rows.iter().map(|row| columns.iter().map(|name| cell(&row[*name])).collect()));
    print(&aligned(&table))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            let cell = |(name, value)| format!("{name}={}", cell(value));
            members.iter().map(cell).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |at: usize| table.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    table.iter().map(line).collect()
}

fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

pub(super) fn refuse(why: &str) -> ExitCode {
    say(&format!("coordhub: {why}\n"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_stands_in_columns() {
        let table =
            [vec!["id".to_owned(), "name".to_owned()], vec!["token-1".to_owned(), "ä".to_owned()]];
        assert_eq!(aligned(&table), "id       name\ntoken-1  ä\n");
        assert_eq!(cell(&json!(["a", 1, null])), "a,1,-");
    }
}
