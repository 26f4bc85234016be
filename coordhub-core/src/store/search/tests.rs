//! The index of a log that is made up: what is found, what stays apart, and what becomes of a bad file.

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use super::*;
use crate::{
    Timestamp,
    command::Auth,
    event::{Event, MessageRedacted, MessageRef, Stamped, Trace},
    hub::{
        PrivateChannels,
        policy::{Reader, Scope, Standing},
    },
    ids::{ChannelName, EntityId, MessageId, Seq},
    json::JsonText,
    limits::Limits,
    model::{Membership, Message, Role},
    store::{Batch, SqliteStore, Store},
};

fn id(name: &str) -> EntityId {
    EntityId::parse(name).expect("a valid id")
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).expect("a valid name")
}

/// A message from `ada`: `general`, `ai-only`, … or `@bob`.
fn message(seq: Seq, place: &str, content: &str) -> Stamped {
    let to_entity = place.strip_prefix('@').map(id);
    let message_id = MessageId::trusted(&format!("msg-{seq}"));
    let message = Message {
        message_id: message_id.clone(),
        seq,
        from_entity: id("ada"),
        channel: to_entity.is_none().then(|| channel(place)),
        to_entity,
        content: content.to_owned(),
        message_type: "text".to_owned(),
        metadata: JsonText::empty_object(),
        reply_to: None,
        thread_id: message_id,
        ack_required: false,
        timestamp: Timestamp::from_millis(0),
    };
    let event = Event::MessageSent(message.into());
    Stamped {
        seq,
        at: Timestamp::from_millis(0),
        actor: None,
        auth: Auth::Open,
        key: None,
        trace: Trace::default(),
        event,
    }
}

fn redacted(message_seq: Seq) -> Event {
    let of = MessageRef {
        message_id: MessageId::trusted("msg-x"),
        message_seq,
        from_entity: id("ada"),
        to_entity: None,
        channel: Some(channel("general")),
    };
    Event::MessageRedacted(MessageRedacted { of, metadata: JsonText::empty_object() })
}

/// In these tests the channel `crew` is private, and ada belongs to it.
fn private() -> PrivateChannels {
    let crew = Membership { members: [(id("ada"), 1)].into(), types: [].into() };
    let mut private = PrivateChannels::default();
    private.insert(channel("crew"), crew);
    private
}

fn take_in(index: &Index, events: &[Stamped]) {
    let private = private();
    for stamped in events {
        index.add_event(&private, stamped.seq, &stamped.event).expect("takes it in");
    }
}

fn public() -> [Scope; 1] {
    [Scope::Public]
}

fn direct(name: &str) -> [Scope; 1] {
    [Scope::DirectOf(id(name))]
}

/// All places of which the index thinks that they match, the newest first.
fn found_before(index: &Index, scopes: &[Scope], q: &str, before: Seq) -> Vec<Seq> {
    let look_up = LookUp::new(&SearchWords::parse(q).expect("words"), scopes);
    walk(index, &look_up, before).expect("readable")
}

fn found(index: &Index, scopes: &[Scope], q: &str) -> Vec<Seq> {
    found_before(index, scopes, q, Seq::MAX)
}

fn walk(index: &Index, look_up: &LookUp, mut below: Seq) -> Result<Vec<Seq>, IndexError> {
    let mut found = Vec::new();
    while let Some(Candidates { seqs, next }) = index.candidates(look_up, below)? {
        found.extend(seqs);
        below = next;
    }
    Ok(found)
}

/// A hub's file and its index, on disk.
struct Kept {
    folder: tempfile::TempDir,
    store: SqliteStore,
    head: Seq,
    epoch: String,
}

impl Kept {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = SqliteStore::open(&folder.path().join("hub.db")).expect("opens");
        let epoch = store.load(&Limits::default()).expect("loads").epoch;
        Self { folder, store, head: 0, epoch }
    }

    fn path(&self) -> PathBuf {
        self.store.index_path().expect("a file has one beside it")
    }

    /// Sends messages on `general`.
    fn say(&mut self, contents: impl IntoIterator<Item = String>) {
        let mut state = self.store.load(&Limits::default()).expect("loads").state;
        let mut events = Vec::new();
        for content in contents {
            self.head += 1;
            let stamped = message(self.head, "general", &content);
            state.evolve(&stamped);
            events.push(stamped);
        }
        let batch = Batch { events: &events, state: &state };
        let _written = self.store.commit(&batch).expect("commits");
        self.store.fold(&state).expect("folds");
    }

    /// Opens the index; what it has then, and not yet.
    fn open(&self) -> Index {
        let index = Index::new(Some(self.path()));
        index.open(&self.epoch, self.head, &*self.store.history()).expect("opens");
        index
    }

    /// Has the index follow to the head.
    fn follow(&self, index: &Index) {
        while index.up_to() < self.head {
            let page = self.store.history().events(index.up_to(), 512).expect("readable");
            take_in(index, &page);
        }
    }

    /// The index of everything, saved and closed.
    fn indexed(contents: impl IntoIterator<Item = String>) -> Self {
        let mut kept = Self::new();
        kept.say(contents);
        let index = kept.open();
        kept.follow(&index);
        index.save().expect("saves");
        index.close();
        kept
    }
}

fn numbers(range: std::ops::Range<u64>) -> impl Iterator<Item = String> {
    range.map(|n| format!("all {} n{n}", if n.is_multiple_of(2) { "even" } else { "odd" }))
}

fn in_memory() -> Index {
    let index = Index::new(None);
    let store = SqliteStore::in_memory().expect("memory is there");
    index.open("epoch", 0, &*store.history()).expect("opens");
    index
}

#[test]
fn each_scope_has_words_of_its_own() {
    let index = in_memory();
    let events = [
        message(1, "general", "word one"),
        message(2, "ai-only", "word two"),
        message(3, "@bob", "word three"),
        message(4, "@ada", "word four"),
        message(5, "technical", "word five"),
        message(6, "crew", "word six"),
    ];
    take_in(&index, &events);
    assert_eq!(found(&index, &public(), "word"), [5, 1]);
    assert_eq!(found(&index, &[Scope::Channel(channel("crew"))], "word"), [6]);
    assert_eq!(found(&index, &[Scope::Channel(channel("ai-only"))], "word"), [2]);
    assert_eq!(found(&index, &direct("ada"), "word"), [4, 3]);
    assert_eq!(found(&index, &direct("bob"), "word"), [3]);
    assert_eq!(found(&index, &direct("eve"), "word"), [0; 0]);
    let all = [Scope::Public, Scope::Channel(channel("ai-only")), Scope::DirectOf(id("bob"))];
    assert_eq!(found(&index, &all, "word"), [5, 3, 2, 1]);
    assert_eq!(found(&index, &all, "two"), [2]);
    assert_eq!(found_before(&index, &all, "word", 3), [2, 1]);
    let on = |name: &str| {
        let words = SearchWords::parse("word").expect("words");
        let standing = Standing::Unregistered;
        let reader = Reader { id: None, standing, private: private().into(), role: Role::Member };
        let look_up = LookUp::on_channel(&words, &reader, &channel(name));
        walk(&index, &look_up, Seq::MAX).expect("readable")
    };
    assert_eq!(on("general"), [1]);
    assert_eq!(on("technical"), [5]);
    assert_eq!(on("ai-only"), [2]);
    assert_eq!(on("crew"), [6]);
    assert_eq!(on("strategic"), [0; 0]);
}

/// A search reads what its own scopes hold and nothing else. That is the same bytes, in as many steps,
/// whatever is said where its reader may not look; so its time says nothing of that either.
#[test]
fn what_is_hidden_changes_nothing_that_a_search_reads() {
    // A block and a bit.
    const COUNT: u64 = 70_000;
    let reads = |hidden: &str| {
        let kept = Kept::new();
        let index = kept.open();
        let events: Vec<_> = (1..=COUNT)
            .map(|seq| match seq % 4 {
                0 => message(seq, "ai-only", hidden),
                1 => message(seq, "@bob", hidden),
                2 => message(seq, "crew", hidden),
                _ => message(seq, "general", &format!("all n{seq}")),
            })
            .collect();
        take_in(&index, &events);
        let steps = ["secret", "\"secret word\"", "all", "n69999"].map(|q| {
            let look_up = LookUp::new(&SearchWords::parse(q).expect("words"), &public());
            let (mut steps, mut below) = (Vec::new(), Seq::MAX);
            while let Some(found) = index.candidates(&look_up, below).expect("readable") {
                below = found.next;
                steps.push((found.seqs, found.next));
            }
            steps
        });
        index.save().expect("saves");
        index.close();
        let conn = Connection::open(kept.path()).expect("opens");
        let sql = "SELECT block, scope, first, hex(terms) FROM pages WHERE scope IN ('', '~')
            ORDER BY block, scope, first";
        let mut select = conn.prepare(sql).expect("a table of pages");
        let pages = select
            .query_map([], |row| {
                let (block, scope): (i64, String) = (row.get(0)?, row.get(1)?);
                Ok((
                    block,
                    scope,
                    row.get::<_, rusqlite::types::Value>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })
            .expect("rows")
            .collect::<rusqlite::Result<Vec<_>>>()
            .expect("readable");
        (steps, pages)
    };
    let (steps, pages) = reads("a secret word, and another");
    assert!(pages.len() > 2, "{} pages of what everyone may read", pages.len());
    assert!(steps[0].iter().chain(&steps[1]).all(|(seqs, _)| seqs.is_empty()));
    assert!(!steps[2].is_empty() && !steps[3].is_empty());
    let others = reads("nothing");
    assert!(others.0 == steps, "the steps of a search");
    assert!(others.1 == pages, "the pages that it reads");
}

#[test]
fn blocks_and_tail_are_searched_together() {
    // Two blocks and a half.
    const COUNT: u64 = 160_000;
    let index = in_memory();
    let events: Vec<_> = (1_u64..)
        .zip(numbers(1..COUNT + 1))
        .map(|(seq, content)| message(seq, "general", &content))
        .collect();
    take_in(&index, &events);
    assert_eq!(index.up_to(), COUNT);
    let check = |q: &str, before: Seq, expected: Vec<Seq>| {
        assert!(found_before(&index, &public(), q, before) == expected, "{q} before {before}");
    };
    check("all", Seq::MAX, (1..=COUNT).rev().collect());
    check("all even", Seq::MAX, (1..=COUNT).rev().filter(|seq| seq % 2 == 0).collect());
    check("all \"all odd\"", 100_000, (1..100_000).rev().filter(|seq| seq % 2 == 1).collect());
    check("even odd", Seq::MAX, Vec::new());
    for seq in [1, 65_535, 65_536, 65_537, 131_072, 131_073, COUNT] {
        check(&format!("all n{seq}"), Seq::MAX, vec![seq]);
        check(&format!("all n{seq}"), seq, Vec::new());
        check(&format!("all n{seq}"), seq + 1, vec![seq]);
    }
    for seq in [7, 65_536, 150_000] {
        index.add_event(&private(), index.up_to() + 1, &redacted(seq)).expect("forgets it");
        check(&format!("n{seq}"), Seq::MAX, Vec::new());
        check("all", Seq::MAX, found(&index, &public(), "all"));
        assert!(!found(&index, &public(), "all").contains(&seq));
    }
    assert_eq!(found(&index, &public(), "all").len() as u64, COUNT - 3);
    // There is nothing to forget.
    index.add_event(&private(), COUNT + 10, &redacted(COUNT + 1)).expect("goes on");
}

#[test]
fn a_start_goes_on_where_the_last_stopped() {
    let mut kept = Kept::indexed(numbers(1..1_001));
    kept.say(numbers(1_001..1_101));
    let index = kept.open();
    assert_eq!(index.up_to(), 1_000);
    assert_eq!(found(&index, &public(), "n1000"), [1_000]);
    assert_eq!(found(&index, &public(), "n1100"), [0; 0]);
    kept.follow(&index);
    assert_eq!(found(&index, &public(), "all").len(), 1_100);
    // It was not saved: the next start has what the last one saved.
    index.close();
    assert_eq!(kept.open().up_to(), 1_000);
}

#[test]
fn an_index_that_is_gone_is_made_again() {
    let kept = Kept::indexed(numbers(1..101));
    fs::remove_file(kept.path()).expect("is there");
    let index = kept.open();
    assert_eq!(index.up_to(), 0);
    kept.follow(&index);
    assert_eq!(found(&index, &public(), "n7"), [7]);
}

#[test]
fn an_index_of_another_log_is_dropped() {
    let check = |why: &str, change: &dyn Fn(&mut Kept)| {
        let mut kept = Kept::indexed(numbers(1..101));
        change(&mut kept);
        let index = kept.open();
        assert_eq!(index.up_to(), 0, "{why}");
        kept.follow(&index);
        assert_eq!(found(&index, &public(), "n7"), [7], "{why}");
    };
    let sql = |kept: &mut Kept, sql: &str| {
        let conn = Connection::open(kept.path()).expect("opens");
        conn.execute_batch(sql).expect("changes");
    };
    check("another epoch", &|kept| kept.epoch = "other".to_owned());
    check("ahead of the log", &|kept| sql(kept, "UPDATE position SET up_to = 101"));
    check("another message at its end", &|kept| {
        sql(kept, "UPDATE position SET newest_id = 'msg-other'");
    });
    check("another version", &|kept| sql(kept, "PRAGMA user_version = 99"));
    check("without its tables", &|kept| sql(kept, "DROP TABLE position"));
    check("nonsense in its rows", &|kept| sql(kept, "UPDATE pages SET terms = x'07'"));
}

#[test]
fn a_damaged_file_is_made_again() {
    let whole = {
        let kept = Kept::indexed(numbers(1..5_001));
        fs::read(kept.path()).expect("is there")
    };
    let mut torn = whole.clone();
    torn[4_096..20_000].fill(0xa5);
    let cases = [
        ("empty", Vec::new()),
        ("text", b"This is no index. ".repeat(500)),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("torn", torn),
    ];
    for (name, bytes) in cases {
        let kept = Kept::indexed(numbers(1..101));
        fs::write(kept.path(), bytes).expect("writes");
        let index = kept.open();
        kept.follow(&index);
        assert_eq!(found(&index, &public(), "n7"), [7], "{name}");
    }
}

#[test]
fn damage_that_a_search_meets_is_told_and_made_good() {
    let kept = Kept::indexed(numbers(1..70_001));
    let conn = Connection::open(kept.path()).expect("opens");
    conn.execute_batch("UPDATE pages SET terms = x'07' WHERE block = 1").expect("changes");
    drop(conn);
    let index = kept.open();
    assert_eq!(index.up_to(), 70_000, "the start does not read all of it");
    let look_up = LookUp::new(&SearchWords::parse("even").expect("words"), &public());
    index.check().expect("nobody has met it");
    let met = walk(&index, &look_up, 65_000).expect_err("is damaged");
    assert!(matches!(met, IndexError::Damaged(_)), "{met}");
    assert!(matches!(index.check(), Err(IndexError::Damaged(_))));
    index.drop_all(&kept.epoch).expect("begins again");
    index.check().expect("is good again");
    kept.follow(&index);
    assert_eq!(found(&index, &public(), "even").len(), 35_000);
}

#[test]
fn without_room_for_a_file_searches_are_refused() {
    let kept = Kept::indexed(numbers(1..11));
    let index = Index::new(Some(kept.folder.path().join("no-such-folder").join("hub.db.search")));
    let look_up = LookUp::new(&SearchWords::parse("all").expect("words"), &public());
    assert!(walk(&index, &look_up, 99).expect("is not open yet").is_empty());
    index.open(&kept.epoch, 10, &*kept.store.history()).expect_err("cannot be made");
    let refused = walk(&index, &look_up, 99).expect_err("has failed");
    assert!(matches!(refused, IndexError::Failing(_)), "{refused}");
}

#[test]
fn its_file_is_private() {
    let kept = Kept::indexed(numbers(1..11));
    let index = kept.open();
    assert!(index.bytes() > 0);
    #[cfg(unix)]
    for suffix in ["", "-wal"] {
        use std::os::unix::fs::PermissionsExt;
        let path = crate::store::lock::beside(&kept.path(), suffix);
        let mode = fs::metadata(path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
