//! Searching a hub: who finds what, pages, and an index that comes, goes and falls behind.

use std::{fs, thread, time::Duration};

use super::{
    faults::{Fault, Faulty, Levers},
    *,
};
use crate::limits::SEARCH_READS_MAX;

/// Blocks until everything that was sent can be found.
fn caught_up(hub: &Hub) {
    while hub.indexed_up_to() < hub.head_seq() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn query(q: &str) -> SearchQuery {
    let words = SearchWords::parse(q).expect(q);
    SearchQuery { words, channel: None, before: None, limit: 50 }
}

fn search(hub: &Hub, reader: Option<&str>, query: &SearchQuery) -> (Vec<String>, Seq) {
    let found = hub.search(&hub.reader(reader.map(id)), query).expect("searches");
    let content = |json: &bytes::Bytes| {
        let message: Message = serde_json::from_slice(json).expect("a message");
        message.content
    };
    (found.messages.items.iter().map(content).collect(), found.messages.next)
}

fn direct(hub: &Hub, from: &str, to: &str, content: &str) {
    let to = Some(crate::command::Destination::Entity(id(to)));
    let send = Send { to, ..Send::on_channel(id(from), channel("general"), content) };
    hub.call(Caller::named(id(from)), Command::Send(send)).expect("sent");
}

fn hub_with_everyone() -> Hub {
    let hub = Hub::in_memory().expect("memory is there");
    for (name, kind) in [
        ("ai", EntityType::AiAgent),
        ("session", EntityType::ClaudeSession),
        ("anna", EntityType::Human),
        ("backup", EntityType::Service),
    ] {
        register(&hub, name, kind);
    }
    hub
}

#[test]
fn everyone_finds_what_they_may_read() {
    let hub = hub_with_everyone();
    send(&hub, "word public").expect("sent");
    let hidden = Send::on_channel(id("ai"), channel("ai-only"), "word hidden");
    hub.call(Caller::named(id("ai")), Command::Send(hidden)).expect("sent");
    direct(&hub, "session", "anna", "word direct");
    direct(&hub, "ai", "ai", "word to myself");
    caught_up(&hub);
    let check = |reader: Option<&str>, on: Option<&str>, expected: &[&str]| {
        let query = SearchQuery { channel: on.map(channel), ..query("word") };
        let (found, next) = search(&hub, reader, &query);
        let expected: Vec<_> = expected.iter().map(|word| format!("word {word}")).collect();
        assert_eq!((found, next), (expected, 0), "{reader:?} on {on:?}");
    };
    check(Some("ai"), None, &["to myself", "hidden", "public"]);
    check(Some("session"), None, &["direct", "hidden", "public"]);
    check(Some("anna"), None, &["direct", "public"]);
    check(Some("backup"), None, &["hidden", "public"]);
    check(Some("stranger"), None, &["public"]);
    check(None, None, &["public"]);
    check(Some("ai"), Some("ai-only"), &["hidden"]);
    check(Some("anna"), Some("ai-only"), &[]);
    check(None, Some("ai-only"), &[]);
    check(Some("anna"), Some("general"), &["public"]);
    check(Some("anna"), Some("technical"), &[]);
}

#[test]
fn a_change_of_standing_counts_at_once() {
    let hub = hub_with_everyone();
    let hidden = Send::on_channel(id("ai"), channel("ai-only"), "word");
    hub.call(Caller::named(id("ai")), Command::Send(hidden)).expect("sent");
    caught_up(&hub);
    assert_eq!(search(&hub, Some("session"), &query("word")).0, ["word"]);
    let remove = Command::Remove(crate::command::Remove { entity_id: id("session") });
    hub.call(Caller::named(id("session")), remove).expect("removed");
    assert!(search(&hub, Some("session"), &query("word")).0.is_empty());
}

#[test]
fn pages_go_back_to_the_start() {
    let hub = Hub::in_memory().expect("memory is there");
    for number in 0..25 {
        send(&hub, &format!("all n{number}")).expect("sent");
        titled_task(&hub);
    }
    caught_up(&hub);
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let (found, next) = search(&hub, None, &SearchQuery { before, limit: 10, ..query("all") });
        pages.push(found);
        if next == 0 {
            break;
        }
        before = Some(next);
    }
    let expected: Vec<String> = (0..25).rev().map(|number| format!("all n{number}")).collect();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(pages.concat(), expected);
    let nothing = SearchQuery { before: Some(0), ..query("all") };
    assert_eq!(search(&hub, None, &nothing), (Vec::new(), 0));
    let beyond = SearchQuery { before: Some(Seq::MAX), ..query("n24") };
    assert_eq!(search(&hub, None, &beyond).0.len(), 1);
}

fn titled_task(hub: &Hub) {
    let (caller, command) = titled("all the tasks");
    hub.call(caller, command).expect("created");
}

/// The index knows of neighbours, not of places: what it takes for a match is read, and passed over.
#[test]
fn phrases_are_held_against_the_text() {
    let hub = Hub::in_memory().expect("memory is there");
    send(&hub, "a b c").expect("sent");
    send(&hub, "b c a b").expect("sent");
    caught_up(&hub);
    for (q, expected) in [
        ("\"a b\"", &["b c a b", "a b c"][..]),
        ("\"a b c\"", &["a b c"]),
        ("\"c a\"", &["b c a b"]),
        ("\"b a\"", &[]),
    ] {
        assert_eq!(search(&hub, None, &query(q)).0, expected, "{q}");
    }
}

#[test]
fn what_was_redacted_is_found_no_more() {
    let hub = hub_with_everyone();
    let mut ids = Vec::new();
    for content in ["word kept", "word taken back", "word kept, too"] {
        let send = Send::on_channel(id("ai"), channel("general"), content);
        let reply = hub.call(Caller::named(id("ai")), Command::Send(send)).expect("sent");
        let Outcome::Sent(sent) = reply.outcome else { panic!("a message is answered") };
        ids.extend(sent.iter().map(|sent| sent.message.message_id.clone()));
    }
    caught_up(&hub);
    let redact = Command::RedactMessage(ids[1].clone());
    hub.call(Caller::named(id("ai")), redact).expect("redacted");
    let kept = ["word kept, too", "word kept"];
    assert_eq!(search(&hub, None, &query("word")).0, kept, "before the index has heard of it");
    caught_up(&hub);
    assert_eq!(search(&hub, None, &query("word")).0, kept);
    assert!(search(&hub, None, &query("back")).0.is_empty());
}

#[test]
fn a_search_that_reads_too_much_says_how_far_it_came() {
    let hub = Hub::in_memory().expect("memory is there");
    // Each has every word and every pair of the phrase, and one alone has the phrase.
    let tickets: Vec<_> = (0..SEARCH_READS_MAX + 500)
        .map(|number| {
            let (caller, command) = say(if number == 0 { "a b c" } else { "a b x b c" });
            hub.submit(caller, command).expect("taken")
        })
        .collect();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    caught_up(&hub);
    let first = query("\"a b c\"");
    let (found, next) = search(&hub, None, &first);
    assert!(found.is_empty() && next > 1, "{found:?} {next}");
    let rest = SearchQuery { before: Some(next), ..first };
    assert_eq!(search(&hub, None, &rest), (vec!["a b c".to_owned()], 0));
}

#[test]
fn a_restart_goes_on_and_a_lost_index_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, index) = (folder.path().join("hub.db"), folder.path().join("hub.db.search"));
    let hub = Hub::open(&db).expect("opens");
    (0..10).for_each(|number| drop(send(&hub, &format!("all n{number}")).expect("sent")));
    caught_up(&hub);
    hub.close();
    let saved = fs::read(&index).expect("is there");
    let reopened = |expected: usize| {
        let hub = Hub::open(&db).expect("opens");
        caught_up(&hub);
        assert_eq!(search(&hub, None, &query("all")).0.len(), expected);
        hub
    };
    let hub = reopened(10);
    send(&hub, "all n10").expect("sent");
    hub.close();
    fs::remove_file(&index).expect("is there");
    reopened(11).close();
    // Behind the log, damaged, and none: never a reason not to start.
    fs::write(&index, saved).expect("writes");
    reopened(11).close();
    fs::write(&index, b"nonsense".repeat(1_000)).expect("writes");
    reopened(11).close();
}

#[test]
fn a_hub_closes_while_it_is_indexing() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("hub.db");
    let hub = Hub::open(&db).expect("opens");
    let tickets: Vec<_> = (0..5_000)
        .map(|number| {
            let (caller, command) = say(&format!("all n{number}"));
            hub.submit(caller, command).expect("taken")
        })
        .collect();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    hub.close();
    // From nothing, as when the index was dropped: closed before it can have come far.
    fs::remove_file(folder.path().join("hub.db.search")).expect("is there");
    Hub::open(&db).expect("opens").close();
    let hub = Hub::open(&db).expect("opens");
    caught_up(&hub);
    let all = SearchQuery { limit: 1_000, ..query("all") };
    assert_eq!(search(&hub, None, &all).0.len(), 1_000);
    assert_eq!(search(&hub, None, &query("n0")).0, ["all n0"]);
    hub.close();
    let reader = hub.reader(None);
    let refused = hub.search(&reader, &query("n0"));
    assert!(matches!(refused, Ok(_) | Err(HubError::Unavailable(_))), "{refused:?}");
}

#[test]
fn what_was_never_published_is_never_found() {
    let levers = Levers::default();
    let hub = Hub::builder().with_store(Faulty::new(&levers)).expect("opens");
    send(&hub, "kept").expect("sent");
    levers.fail([Fault::SyncLost]);
    send(&hub, "lost").expect_err("the sync failed");
    send(&hub, "after").expect("sent");
    caught_up(&hub);
    assert_eq!(search(&hub, None, &query("kept")).0, ["kept"]);
    assert_eq!(search(&hub, None, &query("after")).0, ["after"]);
    assert!(search(&hub, None, &query("lost")).0.is_empty());
}
