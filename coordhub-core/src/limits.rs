//! Every limit of the hub, in one place.
//!
//! Limits that an operator may change are fields of [`Limits`]; limits that the design depends on
//! are constants. Relations between them are asserted at compile time.

/// The longest id, in characters.
pub const ID_CHARS_MAX: usize = 128;
/// The longest channel name, in bytes (names are ASCII).
pub const CHANNEL_BYTES_MAX: usize = 64;
/// How deeply a JSON text from outside may be nested.
pub const JSON_DEPTH_MAX: usize = 64;
/// How many commands may wait for the writer; beyond it `busy` is answered at once.
pub const QUEUE_COMMANDS_MAX: usize = 8_192;
/// How many bytes of commands may wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many commands one transaction takes.
pub const BATCH_COMMANDS_MAX: usize = 1_024;
/// How many bytes of commands one transaction takes (one command is always taken).
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many events one page of a catch-up from the store scans.
pub const CATCH_UP_PAGE_EVENTS: usize = 512;
/// How many bytes of encoded events one subscriber holds; one event is always taken.
pub const CATCH_UP_PAGE_BYTES: usize = 256 * 1024;
/// How many bytes of messages one answer holds; one message is always taken.
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How many catch-ups from the store run at the same time.
pub const CATCH_UPS_MAX: usize = 4;
/// How many events are passed over in silence before a subscriber is told the position it is at.
pub const CURSOR_HIDDEN_EVENTS_MAX: u64 = 1_000;
/// How many rows a list answers when the caller names no limit.
pub const LIST_ROWS_DEFAULT: usize = 1_000;
/// How many messages are answered when the caller names no limit.
pub const MESSAGE_ROWS_DEFAULT: usize = 50;
/// The largest `limit` a caller may name.
pub const ROWS_MAX: usize = 1_000;
/// How many refusals that are unlike each other are kept.
pub const REFUSALS_MAX: usize = 10_000;
/// How many events one page of the audit looks at.
pub const AUDIT_LOOKS_MAX: u64 = 20_000;
/// How many words one search may ask for.
pub const SEARCH_WORDS_MAX: usize = 32;
/// How many messages one search reads; where more would have to be looked at, it says how far it came.
pub const SEARCH_READS_MAX: usize = 2_000;
/// Where the count of unread messages of a channel stops: "1000 or more".
pub const UNREAD_COUNT_MAX: u64 = 1_000;
/// How many members a private channel has.
pub const CHANNEL_MEMBERS_MAX: usize = 1_000;
/// How many messages or tasks one batch takes.
pub const BATCH_ITEMS_MAX: usize = 1_000;
/// The shortest lease.
pub const LEASE_SECONDS_MIN: u32 = 5;
/// The longest lease.
pub const LEASE_SECONDS_MAX: u32 = 86_400;
/// The lease of `claim-next` where the caller names none.
pub const LEASE_SECONDS_DEFAULT: u32 = 300;
/// How long a caller may ask to wait.
pub const WAIT_SECONDS_MAX: u64 = 60;
/// After a start no lease lapses before its own length or this, whichever is less.
pub const START_GRACE_SECONDS: u32 = 60;
/// For how long an idempotency key is kept.
pub const KEY_HOURS: i64 = 24;
/// The longest idempotency key, in characters.
pub const KEY_CHARS_MAX: usize = 255;
/// How many attempts a task may be given.
pub const ATTEMPTS_MAX: u32 = 1_000;
/// How long a task may rest after a failed attempt: 30 days.
pub const RETRY_DELAY_SECONDS_MAX: u32 = 30 * 86_400;
/// How many answers a question may offer.
pub const OPTIONS_MAX: usize = 64;
/// How many roll-calls may be open; a message that would open one more is refused.
pub const ROLL_CALLS_MAX: usize = 10_000;

/// The longest path or pattern that can be reserved, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 512;
/// How many segments it has at most.
pub const RESOURCE_SEGMENTS_MAX: usize = 64;
/// How many resources one call reserves or asks about.
pub const RESOURCES_MAX: usize = 1_000;
/// How many reservations one entity acquires.
pub const RESERVATIONS_OF_ONE_MAX: usize = 1_000;
/// How many reservations a hub keeps.
pub const RESERVATIONS_MAX: usize = 10_000;
/// How many resources are reserved in a hub.
pub const RESERVED_RESOURCES_MAX: usize = 50_000;
/// The shortest reservation.
pub const RESERVATION_SECONDS_MIN: u32 = 1;
/// The longest reservation: 30 days.
pub const RESERVATION_SECONDS_MAX: u32 = 30 * 86_400;
/// How long a reservation lasts where its holder does not say.
pub const RESERVATION_SECONDS_DEFAULT: u32 = 3_600;
/// How many comparisons of patterns one call may cost: as many as a thousand with a thousand.
/// Those of long patterns count for several.
pub const COMPARISONS_MAX: usize = 1_000_000;
/// How many conflicts a refusal names.
pub const CONFLICTS_NAMED_MAX: usize = 64;
/// How many conflicts of one resource a check names.
pub const CONFLICTS_OF_ONE_MAX: usize = 4;
/// How many tokens a hub has at a time.
pub const TOKENS_MAX: usize = 100_000;
/// How many invites a hub has at a time, those included that are past.
pub const INVITES_MAX: usize = 10_000;
/// How many may register with one invite.
pub const INVITE_USES_MAX: u64 = 10_000;
/// For how long an invite lasts where nothing is said: a week.
pub const INVITE_SECONDS_DEFAULT: u64 = 7 * 86_400;
/// For how long an invite may last: a year.
pub const INVITE_SECONDS_MAX: i64 = 366 * 86_400;
/// For how long a holder must have been offline before its reservations are freed.
pub const GONE_SECONDS: u32 = 60;
/// How many tasks or reservations a message about a handoff names.
pub const HANDOFF_NAMED_MAX: usize = 1_000;

const _: () = assert!(RESOURCES_MAX * RESOURCES_MAX <= COMPARISONS_MAX);
const _: () = assert!(RESOURCES_MAX <= RESERVED_RESOURCES_MAX);
const _: () =
    assert!(LEASE_SECONDS_MIN <= START_GRACE_SECONDS && START_GRACE_SECONDS <= LEASE_SECONDS_MAX);
const _: () = assert!(BATCH_COMMANDS_MAX <= QUEUE_COMMANDS_MAX);
const _: () = assert!(BATCH_BYTES_MAX <= QUEUE_BYTES_MAX);
const _: () = assert!(ROWS_MAX <= SEARCH_READS_MAX);
const _: () = assert!(MESSAGE_ROWS_DEFAULT <= ROWS_MAX && LIST_ROWS_DEFAULT <= ROWS_MAX);

/// The limits an operator may change. [`Limits::default`] is the contract's.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The longest `content`, `description` and `result`, in bytes.
    pub text_bytes_max: usize,
    /// The longest `metadata`, in bytes of its compact JSON text.
    pub metadata_bytes_max: usize,
    /// The longest `title` and `name`, in characters.
    pub title_chars_max: usize,
    /// How many capabilities or tags one thing may carry.
    pub labels_max: usize,
    /// The longest capability, tag or message type, in characters.
    pub label_chars_max: usize,
    /// How many tasks one task may depend on.
    pub depends_on_max: usize,
    /// How many entries an electorate may be named by.
    pub electorate_max: usize,
    /// How many channels a hub may have; posting to one more is refused.
    pub channels_max: usize,
    /// How many bytes of encoded events the shared window holds.
    pub window_bytes_max: usize,
    /// How many bytes of encoded messages the per-channel rings hold together.
    pub rings_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes_max: 256 * 1024,
            metadata_bytes_max: 64 * 1024,
            title_chars_max: 512,
            labels_max: 64,
            label_chars_max: 128,
            depends_on_max: 256,
            electorate_max: 10_000,
            channels_max: 10_000,
            window_bytes_max: 8 * 1024 * 1024,
            rings_bytes_max: 8 * 1024 * 1024,
        }
    }
}
