//! Which tokens are good after a restore. A backup knows nothing of what was revoked after it was made; the
//! file that it replaces may.

use std::{collections::BTreeSet, fmt, path::Path};

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
    time::Timestamp,
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
    /// Why nobody knows of all that was revoked since, where the backup has any tokens or invites.
    pub unknown: Option<String>,
}

/// What the file that is replaced knows of tokens and invites.
pub(super) struct Known {
    history: HistoryName,
    tokens: Vec<Sealed<Token>>,
    invites: Vec<Sealed<Invite>>,
    /// The ids of tokens and invites that its log says were revoked.
    revoked: BTreeSet<String>,
    /// Whether its log is there from its first event on.
    is_whole: bool,
}

/// The first schema that has tokens.
const SINCE_SCHEMA: i64 = 3;

impl Known {
    /// Reads the file that stands at `db`, or says why it knows nothing.
    pub(super) fn of(db: &Path) -> Result<Self, String> {
        if !db.exists() && !beside(db, "-wal").exists() {
            return Err("no file was there to ask".to_owned());
        }
        let why =
            |error: &dyn fmt::Display| format!("the file that was there cannot be asked ({error})");
        let conn = check::open_settled(db).map_err(|error| why(&damage(db, error)))?;
        must_be_hub(&conn, db).map_err(|error| why(&error))?;
        let version = schema::version(&conn).map_err(|error| why(&damage(db, error)))?;
        if version < SINCE_SCHEMA {
            return Err("the file that was there is older than tokens".to_owned());
        }
        Self::read(&conn).map_err(|error| why(&damage(db, error)))
    }

    fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut select = conn.prepare(
            "SELECT coalesce(data ->> '$.token_id', data ->> '$.invite_id') FROM events
             WHERE kind IN ('token_revoked', 'invite_revoked')",
        )?;
        let oldest = "SELECT coalesce(min(seq), 1) FROM events";
        Ok(Self {
            history: history_name(conn)?,
            tokens: rows::credentials::read_tokens(conn)?,
            invites: rows::credentials::read_invites(conn)?,
            revoked: select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?,
            is_whole: conn.query_row(oldest, [], |row| row.get::<_, i64>(0))? <= 1,
        })
    }

    /// Whether what is not here any more was revoked: the log says so, or it was there once, and the rest of
    /// the log was pruned.
    fn has_revoked(&self, id: &str, created_seq: Seq, backup: &HistoryName) -> bool {
        let was_here = self.history.epoch == backup.epoch && created_seq <= self.history.head;
        self.revoked.contains(id) || was_here
    }

    /// Whether this file gave the token the secret that it has here after the backup gave it another. A
    /// file may be older than the backup in whose place it stands.
    fn has_rotated(
        &self,
        here: &Sealed<Token>,
        theirs: &Sealed<Token>,
        backup: &HistoryName,
    ) -> bool {
        let (here_at, theirs_at) = (here.of.rotated_at, theirs.of.rotated_at);
        let is_ahead = self.history.epoch == backup.epoch && self.history.head > backup.head;
        here.hash != theirs.hash && (here_at > theirs_at || (here_at == theirs_at && is_ahead))
    }

    /// Why it may not know of all that was revoked since.
    fn doubt(&self, backup: &HistoryName) -> Option<String> {
        let may_lack = !self.is_whole && self.history.epoch != backup.epoch;
        may_lack.then(|| {
            "the file that was there is of another history than the backup, and old events were pruned from it".to_owned()
        })
    }
}

/// Makes it so in a copy that nobody else knows yet. `backup` is the history that it holds.
pub(super) fn apply(
    conn: &mut Connection,
    tokens: Tokens,
    known: &Result<Known, String>,
    backup: &HistoryName,
) -> rusqlite::Result<Revocations> {
    if tokens != Tokens::ButRevoked || schema::version(conn)? >= SINCE_SCHEMA {
        schema::migrate(conn)?;
    }
    if schema::version(conn)? < schema::SCHEMA_VERSION {
        return Ok(Revocations::default());
    }
    let there = There {
        tokens: rows::credentials::read_tokens(conn)?,
        invites: rows::credentials::read_invites(conn)?,
    };
    let has_any = !there.tokens.is_empty() || !there.invites.is_empty();
    let unknown = match known {
        Ok(known) => known.doubt(backup),
        Err(why) => Some(why.clone()),
    };
    let commands = match (tokens, known) {
        (Tokens::NoneBut(hash), _) => there.all_revoked(hash),
        (Tokens::ButRevoked, Ok(known)) => there.but_revoked(known, backup),
        (Tokens::ButRevoked, Err(_)) => Vec::new(),
    };
    if !commands.is_empty() {
        write(conn, &commands)?;
    }
    let count = |is: fn(&Command) -> bool| commands.iter().filter(|one| is(&one.command)).count();
    Ok(Revocations {
        tokens: count(|one| matches!(one, Command::RevokeToken(_))),
        rotated: count(|one| matches!(one, Command::RotateToken(_))),
        invites: count(|one| matches!(one, Command::RevokeInvite(_))),
        unknown: unknown.filter(|_| has_any),
    })
}

/// What is to be done in the copy.
struct Due {
    command: Command,
    /// When it happened, where the file that is replaced knows: a restore after this one asks when.
    at: Option<Timestamp>,
}

impl From<Command> for Due {
    fn from(command: Command) -> Self {
        Self { command, at: None }
    }
}

/// What is good in the backup.
struct There {
    tokens: Vec<Sealed<Token>>,
    invites: Vec<Sealed<Invite>>,
}

impl There {
    fn all_revoked(&self, hash: SecretHash) -> Vec<Due> {
        let tokens = self.tokens.iter().map(|one| Command::RevokeToken(one.of.token_id.clone()));
        let invites =
            self.invites.iter().map(|one| Command::RevokeInvite(one.of.invite_id.clone()));
        // First of all: the last token of the admin is never revoked.
        let all = std::iter::once(admins(hash, "restore")).chain(tokens).chain(invites);
        all.map(Due::from).collect()
    }

    fn but_revoked(&self, known: &Known, backup: &HistoryName) -> Vec<Due> {
        let (mut commands, mut admins_left) = (Vec::new(), 0);
        for theirs in &self.tokens {
            let (token, id) = (&theirs.of, &theirs.of.token_id);
            let now = known.tokens.iter().find(|other| other.of.token_id == *id);
            let is_revoked =
                now.is_none() && known.has_revoked(id.as_str(), token.created_seq, backup);
            admins_left += usize::from(!is_revoked && token.entity_id == EntityId::admin());
            match now {
                _ if is_revoked => commands.push(Command::RevokeToken(id.clone()).into()),
                Some(now) if known.has_rotated(now, theirs, backup) => {
                    let rotate = RotateToken { token_id: id.clone(), hash: now.hash };
                    let command = Command::RotateToken(rotate);
                    commands.push(Due { command, at: now.of.rotated_at });
                }
                _ => {}
            }
        }
        for Sealed { of: invite, .. } in &self.invites {
            let id = &invite.invite_id;
            let is_there = known.invites.iter().any(|other| other.of.invite_id == *id);
            if !is_there && known.has_revoked(id.as_str(), invite.created_seq, backup) {
                commands.push(Command::RevokeInvite(id.clone()).into());
            }
        }
        if admins_left == 0 && !commands.is_empty() {
            // Where all that the backup has of the admin's were revoked, those that came after them hold.
            let newer = known.tokens.iter().filter(|one| one.of.entity_id == EntityId::admin());
            let newer = newer.map(|Sealed { of, hash }| admins(*hash, &of.name).into());
            commands.splice(0..0, newer);
        }
        commands
    }
}

fn admins(hash: SecretHash, name: &str) -> Command {
    let (entity_id, name) = (EntityId::admin(), name.to_owned());
    Command::IssueToken(IssueToken { entity_id, role: Role::Admin, name, hash })
}

/// Decides these as a hub would, at the time that the file has or later, and writes what came of it.
fn write(conn: &mut Connection, commands: &[Due]) -> rusqlite::Result<()> {
    let transaction = conn.transaction()?;
    let mut state = sqlite::load(&transaction, &Limits::default())?.state;
    // What is still to come into the log stands before.
    let mut events = tail::read(&transaction)?;
    events.iter().for_each(|stamped| state.evolve(stamped));
    for Due { command, at } in commands {
        let now = at.map_or(state.now(), |at| at.max(state.now()));
        // Two may have the same time, and no two the same secret.
        let random = match command {
            Command::IssueToken(issue) => issue.hash.as_bytes()[..16].try_into().ok(),
            _ => None,
        };
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, random.map_or(0, u128::from_be_bytes));
        let envelope = Envelope {
            caller: Caller::hub(),
            fresh,
            command: command.clone(),
            key: None,
            origin: None,
        };
        events.extend(decided(&mut state, &envelope, now)?);
    }
    sqlite::write_batch(&transaction, &Batch { events: &events, state: &state })?;
    transaction.commit()
}

fn decided(
    state: &mut State,
    envelope: &Envelope,
    now: Timestamp,
) -> rusqlite::Result<Vec<Stamped>> {
    let known = Prefetched::new(&NobodyThere);
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
