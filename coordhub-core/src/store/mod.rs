//! The seam between the hub and the disk: one trait to write, one to read history.
//!
//! The writer owns a [`Store`]; everyone else reads through its [`History`]. Tests put a store here
//! that breaks on purpose.

mod schema;
mod rows;
mod lock;
mod check;
mod create;
mod connections;
mod wal;
mod tail;
mod sqlite;
mod reader;
mod legacy;
pub(crate) mod search;
pub mod upkeep;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

pub use sqlite::SqliteStore;

use crate::{
    event::Stamped,
    hub::{KeptKey, KeyId, KnownReceipt, State},
    ids::{ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    limits::Limits,
    model::{
        AuditEntry, HistoryKind, Horizons, LateResult, Message, MessageHead, Note, Priority,
        Proposal, ProposalStatus, Refusal, RollCall, Task, TaskStatus,
    },
    time::Timestamp,
};

/// Keeps what happened. Owned by the writer alone.
pub trait Store: Send {
    /// Everything a hub needs to go on where it stopped.
    fn load(&mut self, limits: &Limits) -> Result<Loaded, StoreError>;

    /// Writes a batch in one transaction and syncs it. After `Ok` it is on disk, and comes back with
    /// [`load`](Self::load); where it says [`Written::Tail`] the history does not show it yet, and the
    /// state must go on naming what was touched.
    fn commit(&mut self, batch: &Batch<'_>) -> Result<Written, CommitError>;

    /// Writes what stands in the tail of the log alone to where the history shows it. `state` is the
    /// one that these events led to, without others.
    fn fold(&mut self, state: &State) -> Result<(), CommitError>;

    /// The events that stand in the tail of the log alone.
    fn tail(&self) -> &[Stamped];

    /// Writes when entities were last seen. Soft: takes no `seq`.
    fn save_presence(&mut self, seen: &[(EntityId, Timestamp)]) -> Result<(), CommitError>;

    /// Writes refusals as they are counted now, and forgets those with these ids. Soft: takes no `seq`.
    fn save_refusals(&mut self, _changed: &[Refusal], _gone: &[u64]) -> Result<(), CommitError> {
        Ok(())
    }

    /// Tries whether a write would go through, changing nothing that anyone can see.
    fn probe(&mut self) -> Result<(), CommitError>;

    /// After [`CommitError::Unknown`]: closes the file, opens it again, syncs what recovery found.
    /// Until that has worked, reads fail.
    fn reopen(&mut self) -> Result<(), StoreError>;

    /// A task that is not in memory.
    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError>;

    /// A proposal that is not in memory.
    fn proposal(&mut self, id: &ProposalId) -> Result<Option<Proposal>, StoreError>;

    /// Where a message stands and whose it is.
    fn message(&mut self, id: &MessageId) -> Result<Option<MessageHead>, StoreError>;

    /// Whether what a message says was removed.
    fn is_redacted(&mut self, id: &MessageId) -> Result<bool, StoreError>;

    /// What is known of one recipient's acknowledgement.
    fn receipt(
        &mut self,
        message: &MessageId,
        entity: &EntityId,
    ) -> Result<KnownReceipt, StoreError>;

    /// Whether a late result was kept for a claim of a task.
    fn has_late_result(&mut self, task: &TaskId, claim_token: u64) -> Result<bool, StoreError>;

    /// An idempotency key.
    fn key(&mut self, id: &KeyId) -> Result<Option<KeptKey>, StoreError>;

    /// Forgets some of the keys that were kept before `past`. Soft: takes no `seq`.
    fn forget_keys(&mut self, past: Timestamp) -> Result<(), CommitError>;

    /// Removes some of what is behind the horizons of the durable state, and says how many rows. Soft:
    /// takes no `seq`.
    fn sweep(&mut self, sweep: &Sweep<'_>) -> Result<usize, CommitError>;

    /// The reading side, to be shared between threads. Stays valid across [`reopen`](Self::reopen).
    fn history(&self) -> Arc<dyn History>;

    /// Where the index of its messages may be kept; in memory where nothing is said.
    fn index_path(&self) -> Option<PathBuf> {
        None
    }
}

/// How far a batch has come with its commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "what is touched must stay so until it is in the tables"]
pub enum Written {
    /// Into the tail of the log: it is durable, and the history follows with [`Store::fold`], or with
    /// a later batch.
    Tail,
    /// Into the tables, with all that was in the tail.
    Tables,
}

/// What [`Store::load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The state, nothing touched.
    pub state: State,
    /// Names this history; a file restored from a backup begins another.
    pub epoch: String,
    /// When registered entities were last seen.
    pub last_seen: Vec<(EntityId, Timestamp)>,
    /// What was refused before.
    pub refusals: Vec<Refusal>,
}

/// What one transaction writes: the events, and, where it comes to the tables, the rows that the
/// state names as touched.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// In order of `seq`, following what is on disk without a hole.
    pub events: &'a [Stamped],
    /// The state with these events in it.
    pub state: &'a State,
}

/// Which entries of the audit.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what this one did.
    pub actor: Option<String>,
    /// Only events of this kind.
    pub kind: Option<&'static str>,
}

/// What is to be removed.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// What is behind these.
    pub horizons: &'a Horizons,
    /// Tasks that stay all the same.
    pub held: &'a [&'a TaskId],
    /// At most so many rows, not counting what hangs on them.
    pub rows_max: usize,
}

/// Reads what is in the tables. Blocking; each call sees one consistent state, as new as the last
/// commit or [`Store::fold`] that wrote to them.
pub trait History: Send + Sync {
    /// Events after `after`, oldest first: at most `limit`, and no more once they hold
    /// [`CATCH_UP_PAGE_BYTES`](crate::limits::CATCH_UP_PAGE_BYTES) of text.
    fn events(&self, after: Seq, limit: usize) -> Result<Vec<Stamped>, StoreError>;

    /// The newest events, oldest first, as many as fit in `bytes_max` of stored text and `limit`.
    fn newest_events(&self, limit: usize, bytes_max: usize) -> Result<Vec<Stamped>, StoreError>;

    /// What the log says of who did what, oldest first: of the next
    /// [`AUDIT_LOOKS_MAX`](crate::limits::AUDIT_LOOKS_MAX) events.
    fn audit(
        &self,
        filter: &AuditFilter,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Events with one of these kinds, oldest first.
    fn events_of_kinds(&self, kinds: &[&str], page: &Page) -> Result<Vec<Stamped>, StoreError>;

    /// The newest of a kind that is older than `before`: its place in the log, or 0 where it has none.
    fn newest_before(
        &self,
        what: HistoryKind,
        before: Timestamp,
    ) -> Result<Option<Seq>, StoreError>;

    /// Messages of one set, oldest first: a page, and no more of it, from the end it is filled from,
    /// once they hold [`ANSWER_BYTES`](crate::limits::ANSWER_BYTES) of text.
    fn messages(&self, set: &MessageSet, page: &Page) -> Result<Vec<Arc<Message>>, StoreError>;

    /// One message.
    fn message(&self, id: &MessageId) -> Result<Option<Arc<Message>>, StoreError>;

    /// The messages at these places of the log, in this order, without those that are not there: no
    /// more once they hold [`ANSWER_BYTES`](crate::limits::ANSWER_BYTES) of text.
    fn messages_at(&self, seqs: &[Seq]) -> Result<Vec<Arc<Message>>, StoreError>;

    /// How many messages by others than `reader` follow `after` in `channel`, counting to `max`.
    fn count_unread(
        &self,
        reader: &EntityId,
        channel: &ChannelName,
        after: Seq,
        max: u64,
    ) -> Result<u64, StoreError>;

    /// How many messages were sent at or after `since`.
    fn count_messages_since(&self, since: Timestamp) -> Result<u64, StoreError>;

    /// Tasks, finished ones included, in order of creation.
    fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<Vec<Task>, StoreError>;

    /// One task.
    fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError>;

    /// What happened to a task, oldest first: the newest `limit` events.
    fn task_history(&self, id: &TaskId, limit: usize) -> Result<Vec<Stamped>, StoreError>;

    /// The newest `limit` notes on a task, oldest first.
    fn notes(&self, id: &TaskId, limit: usize) -> Result<Vec<Note>, StoreError>;

    /// What came too late for a task.
    fn late_results(&self, id: &TaskId) -> Result<Vec<LateResult>, StoreError>;

    /// The roll-call of a message, where it has one, without its recipients; and who was asked to
    /// acknowledge it, or has unasked.
    fn receipts(&self, id: &MessageId) -> Result<StoredReceipts, StoreError>;

    /// Proposals, in order of creation.
    fn proposals(
        &self,
        status: Option<ProposalStatus>,
        page: &Page,
    ) -> Result<Vec<Proposal>, StoreError>;

    /// One proposal.
    fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, StoreError>;
}

/// What [`History::receipts`] finds.
pub type StoredReceipts = (Option<RollCall>, BTreeMap<EntityId, Option<Timestamp>>);

/// Which rows of a list, by their `seq`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// Only rows after this one.
    pub after: Option<Seq>,
    /// Only rows before this one.
    pub before: Option<Seq>,
    /// From which end.
    pub from: End,
    /// At most so many.
    pub limit: usize,
}

/// From which end a page is filled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum End {
    /// The oldest that match.
    #[default]
    Oldest,
    /// The newest that match.
    Newest,
}

/// A set of messages that one reader may ask for. Policy has been applied by whoever made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MessageSet {
    /// All that stand on channels that are not private, but for some channels, and for one sender.
    Channels {
        /// Channels to leave out.
        hidden: Vec<ChannelName>,
        /// Whose messages to leave out.
        not_from: Option<EntityId>,
    },
    /// Those on one channel, but for one sender.
    Channel {
        /// Which channel.
        channel: ChannelName,
        /// Whose messages to leave out.
        not_from: Option<EntityId>,
    },
    /// Direct messages to one entity.
    DirectTo(EntityId),
    /// Direct messages between two entities.
    Pair(EntityId, EntityId),
    /// One thread, its first message included. The reader may see all of it or none.
    Thread(MessageId),
}

/// Which tasks. Every field that is given must match.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TaskFilter {
    /// Where it stands.
    pub status: Option<TaskStatus>,
    /// How soon it should be done.
    pub priority: Option<Priority>,
    /// Whether it needs a human.
    pub requires_human: Option<bool>,
    /// A tag that it carries.
    pub tag: Option<String>,
    /// Who created it.
    pub created_by: Option<EntityId>,
    /// Who holds it, or held it when it was finished.
    pub claimed_by: Option<EntityId>,
}

impl TaskFilter {
    /// Whether `task` matches.
    pub fn matches(&self, task: &Task) -> bool {
        self.status.is_none_or(|status| task.status == status)
            && self.priority.is_none_or(|priority| task.priority == priority)
            && self.requires_human.is_none_or(|needs| task.requires_human == needs)
            && self.tag.as_ref().is_none_or(|tag| task.tags.contains(tag))
            && self.created_by.as_ref().is_none_or(|id| task.created_by.as_ref() == Some(id))
            && self.claimed_by.as_ref().is_none_or(|id| task.claimed_by.as_ref() == Some(id))
    }
}

/// The store cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another hub has the file.
    #[error(
        "{path} is in use by another hub ({holder}); stop it, or choose another file with --db"
    )]
    InUse {
        /// The hub's file.
        path: String,
        /// What the lock says of who holds it.
        holder: String,
    },
    /// The file is somebody else's.
    #[error("{path} is not a coordination hub's file: {why}; it was left as it is")]
    Foreign {
        /// The file.
        path: String,
        /// How that shows.
        why: String,
    },
    /// The file was written by a newer version.
    #[error(
        "{path} has schema {found}, and this version knows schemas up to {known}; use a newer coordhub. It was left as it is"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// The file is damaged.
    #[error("{path} is damaged: {why}; it was left as it is. Restore a backup")]
    Damaged {
        /// The file.
        path: String,
        /// How that shows.
        why: String,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What it said.
        source: std::io::Error,
    },
    /// What was written last is on disk, and cannot be brought to where it can be read.
    #[error("what was written last cannot be read yet: {0}")]
    Behind(String),
    /// SQLite said no.
    #[error("the store cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A batch was not, or perhaps not, written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The disk is full or failing; nothing of the batch is on it.
    #[error("the disk did not take the write: {0}")]
    Disk(String),
    /// The sync failed, or what comes after the commit record: the batch may be on disk, or not. The
    /// store must be reopened.
    #[error("the write may be on disk, or not: {0}")]
    Unknown(String),
    /// Not the disk's fault: something in the batch cannot be written. Nothing of it is on disk.
    #[error("the store refused the write: {0}")]
    Refused(String),
}

fn io_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io { path: path.display().to_string(), source }
}

/// A time that the file system tells.
fn file_time(at: SystemTime) -> Timestamp {
    let millis = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(0))
}

/// What SQLite says of a file that cannot be read for what it holds is damage; all else it says
/// stands as it is.
fn damage(path: &Path, error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let unreadable = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    );
    let corrupt = matches!(
        code,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    );
    if unreadable || corrupt {
        StoreError::Damaged { path: path.display().to_string(), why: error.to_string() }
    } else {
        StoreError::Sqlite(error)
    }
}

#[cfg(test)]
mod tests;
