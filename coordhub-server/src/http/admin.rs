//! Calls about tokens and invites, and about what is old: for whoever runs the hub.

use coordhub_core::{
    command::{Command, GiveUp, Role},
    ids::{InviteId, TokenId},
    limits::INVITE_SECONDS_DEFAULT,
    model::HistoryKind,
};
use serde_json::json;

use super::call::{AFTER, Call, Change, LIMIT, ORDER, Read, optional, required};
use crate::{
    access::secret::{Kind as SecretKind, Secret},
    wire::{Field, Kind, Problem, credentials, reply, reply::Form},
};

/// A new secret.
pub fn secret(call: &Call<'_>, kind: SecretKind) -> Result<Secret, Problem> {
    call.access.check_told_secrets()?;
    Secret::new(kind).map_err(|why| {
        tracing::error!(%why, "the system gives no random bytes");
        coordhub_core::HubError::Internal.into()
    })
}

const ROLE: Field = optional(
    "role",
    Kind::Word(Role::WORDS),
    "`member` (the default), `observer`, who changes nothing, or `admin`.",
);

/// Fields of `POST /admin/invites`.
pub const MAKE_INVITE: &[Field] = &[
    required("name", Kind::Text, "What you call it: whom it is for, say."),
    required(
        "entity_types",
        Kind::Texts,
        "As what one may register with it. A human's invite is what makes a human.",
    ),
    optional("entity_ids", Kind::Texts, "Under which ids; any, where none is given."),
    ROLE,
    optional("uses", Kind::Integer, "How many may register with it; 1 where not given."),
    optional("expires_at", Kind::Time, "Until when."),
    optional(
        "expires_in_seconds",
        Kind::Integer,
        "For how long, instead; a week where neither is given.",
    ),
];

/// `POST /admin/invites`
pub fn make_invite(call: &Call<'_>) -> Result<Change, Problem> {
    let secret = secret(call, SecretKind::Invite)?;
    let command = credentials::make_invite(&call.fields, secret.hash(), INVITE_SECONDS_DEFAULT)?;
    // What stands behind `#` stays in the browser: no server is sent it, and no log has it.
    let link = call.base_url().map(|base| format!("{base}/#invite={}", secret.expose()));
    let form = Form::Invited { secret, link: link.map(reply::Hidden) };
    Ok(Change { form, ..call.change(command, "made")? })
}

/// Fields of the lists.
pub const LIST: &[Field] = &[AFTER, ORDER, LIMIT];

/// `GET /admin/invites`
pub fn invites(call: &Call<'_>) -> Result<Read, Problem> {
    let list = call.app.hub().invites(call.list_window()?);
    Ok(Read::Ready(reply::list_of("invites", &list.items, list.next)))
}

/// `DELETE /admin/invites/{invite_id}`
pub fn revoke_invite(call: &Call<'_>) -> Result<Change, Problem> {
    let id = call.fields.needed("invite_id", InviteId::parse)?;
    call.change(Command::RevokeInvite(id), "revoked")
}

/// Fields of `POST /admin/tokens`.
pub const ISSUE_TOKEN: &[Field] = &[
    required("entity_id", Kind::Text, "As whom its holder acts: a registered entity, or `admin`."),
    required("name", Kind::Text, "What you call it: where it is kept, say."),
    ROLE,
];

/// `POST /admin/tokens`
pub fn issue_token(call: &Call<'_>) -> Result<Change, Problem> {
    let secret = secret(call, SecretKind::Token)?;
    let command = credentials::issue_token(&call.fields, secret.hash())?;
    Ok(Change {
        form: Form::Issued { status: "issued", secret },
        ..call.change(command, "issued")?
    })
}

/// `GET /admin/tokens`
pub fn tokens(call: &Call<'_>) -> Result<Read, Problem> {
    let list = call.app.hub().tokens(call.list_window()?);
    Ok(Read::Ready(reply::list_of("tokens", &list.items, list.next)))
}

/// `POST /admin/tokens/{token_id}/rotate`
pub fn rotate_token(call: &Call<'_>) -> Result<Change, Problem> {
    let secret = secret(call, SecretKind::Token)?;
    let own = call.access.holder().map(|identity| &identity.token_id);
    let command = credentials::rotate_token(&call.fields, own, secret.hash())?;
    Ok(Change {
        form: Form::Issued { status: "rotated", secret },
        ..call.change(command, "rotated")?
    })
}

/// `DELETE /admin/tokens/{token_id}`
pub fn revoke_token(call: &Call<'_>) -> Result<Change, Problem> {
    let id = call.fields.needed("token_id", TokenId::parse)?;
    call.change(Command::RevokeToken(id), "revoked")
}

/// What may be given up from afar. The log itself, which the audit is, goes by configuration alone, or by
/// whoever has the file.
const PRUNABLE: [&str; 3] = ["messages", "tasks", "proposals"];

/// Fields of `POST /admin/prune`.
pub const PRUNE: &[Field] = &[
    required(
        "kind",
        Kind::Word(&PRUNABLE),
        "`messages`, `tasks` (finished ones) or `proposals` (decided ones).",
    ),
    optional("before", Kind::Time, "What is older than this: a day ago at the latest."),
    optional("older_than_days", Kind::Integer, "The same by age; give one of the two."),
];

/// `POST /admin/prune`
pub fn prune(call: &Call<'_>) -> Result<Change, Problem> {
    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
    /// A hundred years.
    const DAYS_MAX: u64 = 36_500;
    let known = |word: &str| PRUNABLE.contains(&word).then(|| HistoryKind::parse(word)).flatten();
    let what = call.fields.word("kind", known, &PRUNABLE)?.ok_or_else(|| {
        Problem::field("kind", format!("kind is missing; it is one of {}", PRUNABLE.join(", ")))
    })?;
    let days = call.fields.integer_in("older_than_days", 1..=DAYS_MAX)?;
    let before = match (call.fields.time("before")?, days) {
        (Some(before), None) => before,
        (None, Some(days)) => {
            let days = i64::try_from(days).unwrap_or(i64::MAX);
            call.app.hub().now().plus_millis(-days.saturating_mul(DAY_MILLIS))
        }
        _ => {
            let detail = "give before or older_than_days: one of the two";
            return Err(Problem::field("before", detail));
        }
    };
    let facts = vec![("kind", json!(what.as_str())), ("before", json!(before))];
    let form = Form::Status("pruned", facts);
    Ok(Change { form, ..call.change(Command::GiveUp(GiveUp { what, before }), "pruned")? })
}
