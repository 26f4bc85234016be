//! Subscriptions: everything once, in order, live or from the store, and nothing that is hidden.

use std::{thread, time::Duration};

use super::*;
use crate::{
    command::Role,
    limits::Limits,
    subscribe::{Channels, Filter, GapReason, Item, Next, Notices, Rest, Show, View},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn everything() -> Filter {
    Filter {
        reader: None,
        role: Role::Member,
        channels: Channels::All,
        show: Show::Log { kinds: None },
    }
}

fn frames(reader: Option<&str>, channels: &[&str], notices: Notices, rest: Rest) -> Filter {
    let named = channels.iter().map(|name| channel(name)).collect();
    Filter {
        reader: reader.map(id),
        role: Role::Member,
        channels: Channels::Named(named),
        show: Show::Frames { notices, rest },
    }
}

/// A hub whose window holds a handful of events only.
fn narrow() -> Hub {
    let limits = Limits { window_bytes_max: 4_096, rings_bytes_max: 4_096, ..Limits::default() };
    Hub::builder().limits(limits).in_memory().expect("it opens")
}

/// The next thing shown: its `seq` and how; cursors and gaps as they are.
fn next(subscription: &mut Subscription) -> Option<(u64, Option<View>)> {
    match subscription.next_timeout(PATIENCE).expect("readable")? {
        Item::Shown(entry, view) => Some((entry.seq(), Some(view))),
        Item::Cursor(seq) => Some((seq, None)),
        Item::Gap(gap) => panic!("{gap:?}"),
    }
}

fn drain(subscription: &mut Subscription) -> Vec<(u64, Option<View>)> {
    let mut seen = Vec::new();
    loop {
        match subscription.try_next() {
            Next::Item(Item::Shown(entry, view)) => seen.push((entry.seq(), Some(view))),
            Next::Item(Item::Cursor(seq)) => seen.push((seq, None)),
            Next::Item(Item::Gap(gap)) => panic!("{gap:?}"),
            Next::Behind => subscription.catch_up().expect("readable"),
            Next::Idle => return seen,
        }
    }
}

#[test]
fn a_slow_reader_and_a_live_one_see_the_same() {
    let hub = narrow();
    let mut slow = hub.subscribe(everything(), Start::After(0));
    let mut live = hub.subscribe(everything(), Start::Live);
    let writer = {
        let hub = hub.clone();
        thread::spawn(move || {
            for n in 0..1_500 {
                send(&hub, &format!("{n}")).expect("sent");
            }
        })
    };
    for seq in 1..=1_500 {
        assert_eq!(next(&mut live), Some((seq, Some(View::Event))));
    }
    writer.join().expect("no panic");
    assert!(matches!(slow.try_next(), Next::Behind));
    let seen = drain(&mut slow);
    assert_eq!(seen.len(), 1_500);
    assert!(seen.iter().enumerate().all(|(n, (seq, _))| *seq == n as u64 + 1));
}

#[test]
fn resuming_anywhere_gives_what_follows() {
    let hub = narrow();
    for n in 0..40 {
        send(&hub, &format!("{n}")).expect("sent");
    }
    for since in 0..=40 {
        let mut resumed = hub.subscribe(everything(), Start::After(since));
        let seqs: Vec<u64> = drain(&mut resumed).into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(seqs, (since + 1..=40).collect::<Vec<_>>(), "since {since}");
    }
}

#[test]
fn a_position_of_another_history_is_a_gap() {
    for start in [Start::After(2), Start::AfterIn("another".to_owned(), 1)] {
        let hub = narrow();
        send(&hub, "one").expect("sent");
        let mut resumed = hub.subscribe(everything(), start);
        let Next::Item(Item::Gap(gap)) = resumed.try_next() else { panic!("a gap") };
        assert_eq!((gap.reason, gap.oldest_seq, gap.head_seq), (GapReason::OtherHistory, 1, 1));
        send(&hub, "more").expect("sent");
        // The stream goes on with what comes next.
        assert_eq!(drain(&mut resumed), [(2, Some(View::Event))]);
    }
}

#[test]
fn this_history_by_name_is_none() {
    let hub = narrow();
    send(&hub, "one").expect("sent");
    let start = Start::AfterIn(hub.epoch().to_owned(), 0);
    assert_eq!(drain(&mut hub.subscribe(everything(), start)).len(), 1);
}

#[test]
fn hidden_runs_are_told_by_a_cursor() {
    let hub = narrow();
    let tickets: Vec<_> = (0..2_500)
        .map(|_| {
            let (caller, command) = say("x");
            hub.submit(caller, command).expect("taken")
        })
        .collect();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    let filter = frames(None, &["technical"], Notices::All, Rest::Hidden);
    let mut elsewhere = hub.subscribe(filter, Start::After(0));
    assert_eq!(drain(&mut elsewhere), [(1_000, None), (2_000, None)]);
    assert_eq!(elsewhere.take_cursor(), Some(2_500));
    assert_eq!(elsewhere.take_cursor(), None);
}

#[test]
fn each_sees_what_it_may_and_asked_for() {
    let hub = narrow();
    register(&hub, "mind", EntityType::AiAgent); // 1
    register(&hub, "paula", EntityType::Human); // 2
    let post = |name: &str, who: &str| {
        let send = Send::on_channel(id(who), channel(name), "x");
        hub.call(Caller::named(id(who)), Command::Send(send)).expect("sent");
    };
    post("ai-only", "mind"); // 3
    post("general", "paula"); // 4
    post("urgent", "mind"); // 5
    let (caller, command) = titled("x");
    hub.call(caller, command).expect("created"); // 6
    let shown = |filter: Filter| drain(&mut hub.subscribe(filter, Start::After(0)));
    let (message, notice, event) = (Some(View::Message), Some(View::Notice), Some(View::Event));
    for (filter, expected) in [
        (
            frames(Some("mind"), &["ai-only"], Notices::None, Rest::Hidden),
            vec![(3, message), (5, message)],
        ),
        (frames(Some("paula"), &["ai-only"], Notices::None, Rest::Hidden), vec![(5, message)]),
        (
            frames(None, &["ai-only", "general"], Notices::None, Rest::Hidden),
            vec![(4, message), (5, message)],
        ),
        (
            frames(Some("paula"), &[], Notices::All, Rest::Hidden),
            vec![(1, notice), (2, notice), (5, message), (6, notice)],
        ),
        (frames(Some("paula"), &[], Notices::Mine, Rest::Hidden), vec![(2, notice), (5, message)]),
        (
            frames(
                Some("paula"),
                &[],
                Notices::Kinds(["task_created".to_owned()].into()),
                Rest::Shown,
            ),
            vec![(1, event), (2, event), (4, event), (5, message), (6, notice)],
        ),
    ] {
        assert_eq!(shown(filter.clone()), expected, "{filter:?}");
    }
}

#[test]
fn direct_messages_reach_their_two_ends_only() {
    let hub = narrow();
    for name in ["one", "two", "three"] {
        register(&hub, name, EntityType::Service);
    }
    let to = crate::command::Destination::Entity(id("two"));
    let send = Send { to: Some(to), ..Send::on_channel(id("one"), channel("general"), "psst") };
    hub.call(Caller::named(id("one")), Command::Send(send)).expect("sent");
    for (reader, sees) in
        [(Some("one"), true), (Some("two"), true), (Some("three"), false), (None, false)]
    {
        for rest in [Rest::Hidden, Rest::Shown] {
            let filter = frames(reader, &["general"], Notices::None, rest);
            let seen = drain(&mut hub.subscribe(filter, Start::After(3)));
            assert_eq!(!seen.is_empty(), sees, "{reader:?} {rest:?}");
        }
        let filter = Filter { reader: reader.map(id), ..everything() };
        let seen = drain(&mut hub.subscribe(filter, Start::After(3)));
        assert_eq!(!seen.is_empty(), sees, "{reader:?} in the log");
    }
}

#[test]
fn policy_follows_the_type_a_reader_has_now() {
    let hub = narrow();
    register(&hub, "mind", EntityType::AiAgent);
    let secret = |_| {
        let send = Send::on_channel(id("mind"), channel("ai-only"), "x");
        hub.call(Caller::named(id("mind")), Command::Send(send)).expect("sent").seq
    };
    let mut newcomer =
        hub.subscribe(frames(Some("new"), &["ai-only"], Notices::None, Rest::Hidden), Start::Live);
    secret(());
    assert!(drain(&mut newcomer).is_empty());
    register(&hub, "new", EntityType::ClaudeSession);
    let seq = secret(());
    assert_eq!(drain(&mut newcomer), [(seq, Some(View::Message))]);
}

#[test]
fn recent_is_the_same_from_memory_and_from_the_store() {
    let wide = Hub::in_memory().expect("it opens");
    let narrow = narrow();
    for hub in [&wide, &narrow] {
        register(hub, "mind", EntityType::AiAgent);
        register(hub, "paula", EntityType::Human);
        for n in 0..60 {
            let name = ["general", "ai-only", "technical", "general", "mine"][n % 5];
            let send = Send::on_channel(id("mind"), channel(name), format!("{n} on {name}"));
            hub.call(Caller::named(id("mind")), Command::Send(send)).expect("sent");
        }
    }
    let contents = |hub: &Hub, reader: Option<&str>, query: &RecentQuery| -> Vec<String> {
        let reader = hub.reader(reader.map(id));
        let list = hub.recent(&reader, query).expect("readable");
        let message =
            |json: &bytes::Bytes| serde_json::from_slice::<Message>(json).expect("a message");
        list.items
            .iter()
            .map(|json| format!("{} {}", message(json).seq, message(json).content))
            .collect()
    };
    for reader in [None, Some("mind"), Some("paula")] {
        for name in [None, Some("general"), Some("ai-only"), Some("mine"), Some("nowhere")] {
            for (before, after) in [
                (None, None),
                (Some(40), None),
                (None, Some(0)),
                (None, Some(30)),
                (Some(50), Some(20)),
            ] {
                for limit in [1, 7, 1_000] {
                    let query = RecentQuery {
                        channel: name.map(channel),
                        before,
                        after,
                        limit,
                        ..RecentQuery::default()
                    };
                    let (hot, cold) =
                        (contents(&wide, reader, &query), contents(&narrow, reader, &query));
                    assert_eq!(hot, cold, "{reader:?} {query:?}");
                    let hidden = hot.iter().any(|line| line.contains("ai-only"));
                    assert!(!hidden || reader == Some("mind"), "{reader:?} {query:?}");
                }
            }
        }
    }
}
