//! Which tokens are good after a restore. A backup knows nothing of what was revoked after it was made; the
//! file that it replaces may.

use std::{collections::BTreeSet, path::Path};

use rusqlite::Connection;
use ulid::Ulid;

use super::{HistoryName, history_name, must_be_hub};
use crate::{
    command::{Caller, Command, Envelope, IssueToken, Role, RotateToken},
    event::{Stamped, Trace},
    hub::{NobodyThere, Prefetched, Sealed, State, decide},
    ids::{EntityId, Seq},
    limits::Limits,
    model::{Invite, Token},
    secret::SecretHash,
    store::{Batch, check, damage, lock::beside, rows, schema, sqlite, tail},
};

/// Which tokens and invites are good in the restored file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tokens {
    /// Those of the backup, but for what the file that is replaced knows to have been revoked since. A
    /// secret that was changed since stays changed.
    #[default]
    ButRevoked,
    /// None, but one of the admin with this hash.
    NoneBut(SecretHash),
}

/// What became of tokens and invites.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Revocations {
    /// How many tokens of the backup are good no more.
    pub tokens: usize,
    /// How many have another secret than in the backup.
    pub rotated: usize,
    /// How many invites of the backup are good no more.
    pub invites: usize,
    /// Why the file that was replaced could not be asked.
    pub unread: Option<String>,
}

/// What the file that is replaced knows of tokens and invites.
pub(super) struct Known {
    history: HistoryName,
    tokens: Vec<Sealed<Token>>,
    invites: Vec<Sealed<Invite>>,
    /// The ids of tokens and invites that its log says were revoked.
    revoked: BTreeSet<String>,
}

/// The first schema that has tokens.
const SINCE_SCHEMA: i64 = 3;

impl Known {
    /// Reads the file that stands at `db`; `None` where there is none, or none with tokens.
    pub(super) fn of(db: &Path) -> Result<Option<Self>, String> {
        if !db.exists() && !beside(db, "-wal").exists() {
            return Ok(None);
        }
        let conn = check::open_settled(db).map_err(|error| damage(db, error).to_string())?;
        must_be_hub(&conn, db).map_err(|error| error.to_string())?;
        Self::read(&conn).map_err(|error| damage(db, error).to_string())
    }

    fn read(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        if schema::version(conn)? < SINCE_SCHEMA {
            return Ok(None);
        }
        let mut select = conn.prepare(
            "SELECT coalesce(data ->> '$.token_id', data ->> '$.invite_id') FROM events
             WHERE kind IN ('token_revoked', 'invite_revoked')",
        )?;
        Ok(Some(Self {
            history: history_name(conn)?,
            tokens: rows::credentials::read_tokens(conn)?,
            invites: rows::credentials::read_invites(conn)?,
            revoked: select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?,
        }))
    }

    /// Whether what is not here any more was revoked: the log says so, or it was there once, and the rest of
    /// the log was pruned.
    fn has_revoked(&self, id: &str, created_seq: Seq, backup: &HistoryName) -> bool {
        let was_here = self.history.epoch == backup.epoch && created_seq <= self.history.head;
        self.revoked.contains(id) || was_here
    }
}

/// Makes it so in a copy that nobody else knows yet. `backup` is the history that it holds.
pub(super) fn apply(
    conn: &mut Connection,
    tokens: Tokens,
    known: Option<&Known>,
    backup: &HistoryName,
) -> rusqlite::Result<Revocations> {
    if tokens != Tokens::ButRevoked {
        schema::migrate(conn)?;
    }
    if schema::version(conn)? < schema::SCHEMA_VERSION {
        return Ok(Revocations::default());
    }
    let there = There {
        tokens: rows::credentials::read_tokens(conn)?,
        invites: rows::credentials::read_invites(conn)?,
    };
    let commands = match (tokens, known) {
        (Tokens::NoneBut(hash), _) => there.all_revoked(hash),
        (Tokens::ButRevoked, Some(known)) => there.but_revoked(known, backup),
        (Tokens::ButRevoked, None) => Vec::new(),
    };
    if !commands.is_empty() {
        write(conn, &commands)?;
    }
    let count = |is: fn(&Command) -> bool| commands.iter().filter(|one| is(one)).count();
    Ok(Revocations {
        tokens: count(|one| matches!(one, Command::RevokeToken(_))),
        rotated: count(|one| matches!(one, Command::RotateToken(_))),
        invites: count(|one| matches!(one, Command::RevokeInvite(_))),
        unread: None,
    })
}

/// What is good in the backup.
struct There {
    tokens: Vec<Sealed<Token>>,
    invites: Vec<Sealed<Invite>>,
}

impl There {
    fn all_revoked(&self, hash: SecretHash) -> Vec<Command> {
        let tokens = self.tokens.iter().map(|one| Command::RevokeToken(one.of.token_id.clone()));
        let invites =
            self.invites.iter().map(|one| Command::RevokeInvite(one.of.invite_id.clone()));
        // First of all: the last token of the admin is never revoked.
        std::iter::once(admins(hash, "restore")).chain(tokens).chain(invites).collect()
    }

    fn but_revoked(&self, known: &Known, backup: &HistoryName) -> Vec<Command> {
        let (mut commands, mut admins_left) = (Vec::new(), 0);
        for Sealed { of: token, hash } in &self.tokens {
            let id = &token.token_id;
            let now = known.tokens.iter().find(|other| other.of.token_id == *id);
            let is_revoked =
                now.is_none() && known.has_revoked(id.as_str(), token.created_seq, backup);
            admins_left += usize::from(!is_revoked && token.entity_id == EntityId::admin());
            match now {
                _ if is_revoked => commands.push(Command::RevokeToken(id.clone())),
                Some(now) if now.hash != *hash => {
                    let token_id = id.clone();
                    commands.push(Command::RotateToken(RotateToken { token_id, hash: now.hash }));
                }
                _ => {}
            }
        }
        for Sealed { of: invite, .. } in &self.invites {
            let id = &invite.invite_id;
            let is_there = known.invites.iter().any(|other| other.of.invite_id == *id);
            if !is_there && known.has_revoked(id.as_str(), invite.created_seq, backup) {
                commands.push(Command::RevokeInvite(id.clone()));
            }
        }
        if admins_left == 0 && !commands.is_empty() {
            // Where all that the backup has of the admin's were revoked, those that came after them hold.
            let newer = known.tokens.iter().filter(|one| one.of.entity_id == EntityId::admin());
            let newer = newer.map(|Sealed { of, hash }| admins(*hash, &of.name));
            commands.splice(0..0, newer);
        }
        commands
    }
}

fn admins(hash: SecretHash, name: &str) -> Command {
    let (entity_id, name) = (EntityId::admin(), name.to_owned());
    Command::IssueToken(IssueToken { entity_id, role: Role::Admin, name, hash })
}

/// Decides these as a hub would, at the time that the file has, and writes what came of it.
fn write(conn: &mut Connection, commands: &[Command]) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    let mut state = sqlite::load(&transaction, &Limits::default())?.state;
    // What is still to come into the log stands before.
    let mut events = tail::read(&transaction)?;
    events.iter().for_each(|stamped| state.evolve(stamped));
    for command in commands {
        // Two may have the same time, and no two the same secret.
        let random = match command {
            Command::IssueToken(issue) => issue.hash.as_bytes()[..16].try_into().ok(),
            _ => None,
        };
        let millis = u64::try_from(state.now().millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, random.map_or(0, u128::from_be_bytes));
        let envelope = Envelope {
            caller: Caller::hub(),
            fresh,
            command: command.clone(),
            key: None,
            origin: None,
        };
        events.extend(decided(&mut state, &envelope)?);
    }
    sqlite::write_batch(&transaction, &Batch { events: &events, state: &state })?;
    transaction.commit()
}

fn decided(state: &mut State, envelope: &Envelope) -> rusqlite::Result<Vec<Stamped>> {
    let (now, known) = (state.now(), Prefetched::new(&NobodyThere));
    let decision = decide(state, &known, envelope, now)
        .map_err(|why| rusqlite::Error::ToSqlConversionFailure(Box::new(why)))?;
    let mut stamped = Vec::new();
    for event in decision.events {
        let one = Stamped {
            seq: state.head() + 1,
            at: now,
            actor: envelope.caller.id.clone(),
            auth: envelope.caller.auth,
            event,
            key: None,
            trace: Trace::default(),
        };
        state.evolve(&one);
        stamped.push(one);
    }
    Ok(stamped)
}
