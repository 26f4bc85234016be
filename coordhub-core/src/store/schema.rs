//! What the file looks like: who it belongs to, its tables, and how older files become newer ones.

use std::time::Duration;

use rusqlite::{Connection, Transaction};

/// Marks the file as a hub's: `coor` in ASCII, at byte 68 of the header.
pub(super) const APPLICATION_ID: i32 = 0x636f_6f72;

/// How to get from schema `n` to schema `n + 1`. Append only: an entry that was released never
/// changes again, since files exist that went through it.
const MIGRATIONS: &[&str] = &[SCHEMA_1, SCHEMA_2, SCHEMA_3];

/// The newest schema this version knows.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The tables that each schema added to those of the one before it.
const TABLES: [&[&str]; MIGRATIONS.len()] = [
    &[
        "channels",
        "cursors",
        "entities",
        "events",
        "messages",
        "meta",
        "proposals",
        "tasks",
        "votes",
    ],
    &["idempotency_keys", "late_results", "notes", "receipts", "reservations", "roll_calls"],
    &["channel_members", "invites", "private_channels", "refusals", "tail", "tombstones", "tokens"],
];

/// The tables that a file of some schema has.
pub(super) fn tables(version: i64) -> impl Iterator<Item = &'static str> {
    let schemas = usize::try_from(version).unwrap_or(0);
    TABLES.iter().take(schemas).flat_map(|tables| tables.iter().copied())
}

/// The built-in channel that the index of public messages leaves out, as migrations wrote it: what
/// `hub::policy` restricts.
pub(super) const RESTRICTED_CHANNEL: &str = "ai-only";

/// Lists are JSON texts; times are milliseconds since 1970; `seq` is the rowid wherever it is the
/// order that rows are listed in, so that pages need no index of their own.
const SCHEMA_1: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The log. `data` is NULL where the event is a message: that stands in `messages`, once.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    actor TEXT,
    auth TEXT NOT NULL,
    task_id TEXT,
    proposal_id TEXT,
    entity_id TEXT,
    data TEXT
) STRICT;
CREATE INDEX events_by_task ON events (task_id, seq) WHERE task_id IS NOT NULL;
CREATE INDEX events_by_proposal ON events (proposal_id, seq) WHERE proposal_id IS NOT NULL;
CREATE INDEX events_by_kind ON events (kind, seq) WHERE kind <> 'message_sent';

-- What is filtered by stands before what may be long, so that filtering reads no overflow page.
-- `thread_id` is NULL where the message begins its thread.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    from_entity TEXT NOT NULL,
    to_entity TEXT,
    channel TEXT,
    at INTEGER NOT NULL,
    message_type TEXT NOT NULL,
    reply_to TEXT,
    thread_id TEXT,
    ack_required INTEGER NOT NULL,
    content TEXT NOT NULL,
    metadata TEXT NOT NULL
) STRICT;
-- The public messages, in order: hidden and direct ones, however many, cost their readers nothing.
CREATE INDEX messages_public ON messages (seq, from_entity)
    WHERE channel IS NOT NULL AND channel <> 'ai-only';
-- A reader's own messages are left out, and counted out, without a look at their rows.
CREATE INDEX messages_by_channel ON messages (channel, seq, from_entity) WHERE channel IS NOT NULL;
CREATE INDEX messages_by_recipient ON messages (to_entity, seq) WHERE to_entity IS NOT NULL;
CREATE INDEX messages_by_pair ON messages (to_entity, from_entity, seq) WHERE to_entity IS NOT NULL;
CREATE INDEX messages_by_thread ON messages (thread_id, seq) WHERE reply_to IS NOT NULL;

CREATE TABLE entities (
    entity_id TEXT PRIMARY KEY,
    entity_type TEXT NOT NULL,
    name TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    metadata TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    registered_seq INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;

-- `scope` is 'all', 'direct', or '#' and a channel.
CREATE TABLE cursors (
    entity_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (entity_id, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    channel TEXT PRIMARY KEY,
    created_at INTEGER,
    created_by TEXT,
    head INTEGER NOT NULL,
    messages INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    created_seq INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    created_by TEXT,
    claimed_by TEXT,
    requires_human INTEGER NOT NULL,
    requires_ai INTEGER NOT NULL,
    claim_token INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER,
    retry_delay_seconds INTEGER,
    not_before INTEGER,
    lease_expires_at INTEGER,
    created_at INTEGER NOT NULL,
    claimed_at INTEGER,
    completed_at INTEGER,
    updated_at INTEGER NOT NULL,
    tags TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    blocked_by TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    metadata TEXT NOT NULL,
    result TEXT
) STRICT;
CREATE INDEX tasks_by_status ON tasks (status, created_seq);
CREATE INDEX tasks_by_creator ON tasks (created_by, created_seq) WHERE created_by IS NOT NULL;
CREATE INDEX tasks_by_holder ON tasks (claimed_by, created_seq) WHERE claimed_by IS NOT NULL;

-- `threshold` is in millionths.
CREATE TABLE proposals (
    created_seq INTEGER PRIMARY KEY,
    proposal_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    proposed_by TEXT,
    threshold INTEGER NOT NULL,
    quorum INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    requires_human INTEGER NOT NULL,
    early_close INTEGER NOT NULL,
    forced INTEGER NOT NULL,
    open_electorate INTEGER NOT NULL,
    default_quorum INTEGER NOT NULL,
    tally_for INTEGER NOT NULL,
    tally_against INTEGER NOT NULL,
    tally_abstain INTEGER NOT NULL,
    tally_eligible INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    decided_at INTEGER,
    electorate TEXT NOT NULL,
    human_electors TEXT NOT NULL,
    departed TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL
) STRICT;
CREATE INDEX proposals_by_status ON proposals (status, created_seq);

CREATE TABLE votes (
    proposal_id TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    vote TEXT NOT NULL,
    at INTEGER NOT NULL,
    by_human INTEGER NOT NULL,
    comment TEXT,
    PRIMARY KEY (proposal_id, entity_id)
) STRICT, WITHOUT ROWID;
";

/// Leases that lapse, questions, notes, late results, roll-calls, reservations and idempotency keys.
const SCHEMA_2: &str = "
ALTER TABLE messages ADD COLUMN redacted_at INTEGER;
ALTER TABLE tasks ADD COLUMN on_blocker_failed TEXT NOT NULL DEFAULT 'hold';
ALTER TABLE tasks ADD COLUMN lease_seconds INTEGER;
ALTER TABLE tasks ADD COLUMN lapsed_holder TEXT;
ALTER TABLE tasks ADD COLUMN question TEXT;

CREATE TABLE notes (
    seq INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    entity_id TEXT,
    note TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_by_task ON notes (task_id, seq);

CREATE TABLE late_results (
    task_id TEXT NOT NULL,
    claim_token INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    entity_id TEXT,
    result TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (task_id, claim_token)
) STRICT, WITHOUT ROWID;

CREATE TABLE roll_calls (
    message_seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    from_entity TEXT NOT NULL,
    to_entity TEXT,
    channel TEXT,
    deadline INTEGER,
    is_overdue INTEGER NOT NULL,
    resolved_at INTEGER,
    resolved_by TEXT,
    is_open INTEGER NOT NULL
) STRICT;
CREATE INDEX roll_calls_open ON roll_calls (message_seq) WHERE is_open;

-- Who was asked to acknowledge a message, and when each did.
CREATE TABLE receipts (
    message_id TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    acked_at INTEGER,
    PRIMARY KEY (message_id, entity_id)
) STRICT, WITHOUT ROWID;

-- What is reserved now. A reservation that ended stands in the log alone.
CREATE TABLE reservations (
    reservation_id TEXT PRIMARY KEY,
    acquired_seq INTEGER NOT NULL,
    entity_id TEXT NOT NULL,
    exclusive INTEGER NOT NULL,
    ttl_seconds INTEGER NOT NULL,
    acquired_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    reason TEXT,
    resources TEXT NOT NULL
) STRICT;

-- `told` is the answer by its ids, as JSON.
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    at INTEGER NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (caller, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);
";

/// The tail of the log, tokens and invites, private channels, pruning.
const SCHEMA_3: &str = "
-- What happened and is still to be written to the tables above: the rows whose `seq` is not in the log yet.
-- The others are old. `kept` is an idempotency key, as JSON. The rest is as in the log.
CREATE TABLE tail (
    slot INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT,
    auth TEXT NOT NULL,
    data TEXT NOT NULL,
    kept TEXT,
    address TEXT,
    request_id TEXT,
    cause INTEGER
) STRICT;

-- Tokens and invites that are good: what was revoked stands in the log alone. `hash` is the SHA-256 of
-- the secret, which is kept nowhere.
CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY,
    created_seq INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    entity_id TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT,
    invite_id TEXT,
    first_used_at INTEGER,
    rotated_at INTEGER
) STRICT;

CREATE TABLE invites (
    invite_id TEXT PRIMARY KEY,
    created_seq INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    entity_types TEXT NOT NULL,
    entity_ids TEXT NOT NULL,
    role TEXT NOT NULL,
    uses_max INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT
) STRICT;

-- Ids whose entities were removed, and that nobody has registered since.
CREATE TABLE tombstones (
    entity_id TEXT PRIMARY KEY
) STRICT;
INSERT INTO tombstones (entity_id)
    SELECT DISTINCT entity_id FROM events
    WHERE kind = 'entity_removed' AND entity_id IS NOT NULL
        AND entity_id NOT IN (SELECT entity_id FROM entities);
-- End of tokens and invites.

-- Private channels. `is_private` is 1 where the message stands on one, and else NULL, which takes no
-- room. It is the last column, and still costs no look at what is long before it.
ALTER TABLE messages ADD COLUMN is_private INTEGER;
DROP INDEX messages_public;
CREATE INDEX messages_public ON messages (seq, from_entity)
    WHERE channel IS NOT NULL AND channel <> 'ai-only' AND is_private IS NULL;

-- Written with the event that makes the channel, so that whatever follows it in the log finds it here.
CREATE TABLE private_channels (
    channel TEXT PRIMARY KEY,
    types TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE channel_members (
    channel TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    joined_seq INTEGER NOT NULL,
    PRIMARY KEY (channel, entity_id)
) STRICT, WITHOUT ROWID;
-- End of private channels.

-- Pruning.
CREATE INDEX tasks_finished ON tasks (updated_at)
    WHERE status IN ('completed', 'failed', 'cancelled');
CREATE INDEX proposals_decided ON proposals (decided_at) WHERE decided_at IS NOT NULL;

-- Refusals, counted. They are no events: whoever floods the hub with them is to cost it no disk.
CREATE TABLE refusals (
    refusal_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    status INTEGER NOT NULL,
    entity_id TEXT,
    address TEXT,
    route TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT;
-- End of refusals.

-- How events came about: from which address, in which request, and from which other event of the same
-- decision. All are NULL where nobody said so, which takes no room in old rows and three bytes in new ones.
ALTER TABLE events ADD COLUMN address TEXT;
ALTER TABLE events ADD COLUMN request_id TEXT;
ALTER TABLE events ADD COLUMN cause INTEGER;
-- End of how events came about.
";

/// How long a write waits for another program that has the file locked, such as a `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept prepared on each connection: more than there are in the code.
const STATEMENTS_MAX: usize = 128;

/// What every connection needs. An idle hub stays small: 2 MiB of pages each for five connections.
pub(super) fn prepare_connection(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048;",
    )
}

/// Runs `body` without waiting for other programs that have the file locked.
pub(super) fn without_waiting<T>(
    conn: &Connection,
    body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    conn.busy_timeout(Duration::ZERO)?;
    let outcome = body(conn);
    conn.busy_timeout(BUSY_TIMEOUT)?;
    outcome
}

/// What a connection needs that writes. What is overwritten is gone from the file, for a message may
/// be redacted. `fullfsync` makes Apple's disks write through their own
/// cache, and does nothing elsewhere.
pub(super) fn prepare_writer(conn: &Connection) -> rusqlite::Result<()> {
    prepare_connection(conn)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1;",
    )
}

/// The schema of a file that is the hub's.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes a file from whatever schema it has to the newest, each step in a transaction of its own.
pub(super) fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    migrate_to(conn, SCHEMA_VERSION)
}

/// The same, to some schema on the way.
pub(super) fn migrate_to(conn: &mut Connection, wanted: i64) -> rusqlite::Result<()> {
    loop {
        let found = version(conn)?;
        let step = usize::try_from(found).ok().and_then(|at| MIGRATIONS.get(at));
        let Some(step) = step.filter(|_| found < wanted) else { return Ok(()) };
        let transaction = conn.transaction()?;
        transaction.execute_batch(step)?;
        if found == 0 {
            begin_history(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", found + 1)?;
        transaction.commit()?;
    }
}

/// Names a history anew that is another from here on, though it begins alike.
pub(super) fn rename_history(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("UPDATE meta SET value = lower(hex(randomblob(8))) WHERE key = 'epoch'")
}

/// Names a history that begins. SQLite rolls the dice and looks at the clock: nothing else in this
/// crate may.
fn begin_history(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(
        "INSERT INTO meta (key, value) VALUES
            ('epoch', lower(hex(randomblob(8)))),
            ('created_at', CAST(CAST(unixepoch('subsec') * 1000 AS INTEGER) AS TEXT)),
            ('hub_time', '0'),
            ('totals', '{\"entities\":[0,0,0,0],\"messages\":0,\"tasks\":0,\"proposals\":0}');",
    )
}
