//! Loading, replaying and every query, against a history that was kept beside the store.

use std::sync::Arc;

use super::{
    integrity, on_disk,
    story::{Story, channel, entity},
};
use crate::{
    event::{Event, Stamped},
    hub::{PrivateChannels, State, invariants},
    ids::{EntityId, Seq},
    limits::Limits,
    model::{Message, Priority, ProposalStatus, Task, TaskStatus},
    store::{End, MessageSet, Page, SqliteStore, Store, TaskFilter},
};

/// Events as they are stored: what `serde` skips is the state's business.
fn stored(events: &[Stamped]) -> Vec<(Seq, String, String)> {
    events
        .iter()
        .map(|e| {
            (
                e.seq,
                format!("{} {:?} {:?} {}", e.at, e.actor, e.auth, e.event.kind()),
                e.event.data(),
            )
        })
        .collect()
}

fn check_loading<S: Store>(story: &mut Story<S>) {
    let limits = Limits::default();
    let loaded = story.store.load(&limits).expect("loads");
    assert_eq!(loaded.state, story.settled());
    // What stood in the tail was taken in.
    story.state.settle();
    assert_eq!(story.store.tail(), []);
    invariants::check(&loaded.state).expect("holds");
    let history = story.store.history();
    let mut replayed = State::new(limits);
    let mut read = Vec::new();
    loop {
        let page = history.events(replayed.head(), 97).expect("reads");
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|stamped| replayed.evolve(stamped));
        read.extend(page);
        replayed.settle();
    }
    assert_eq!(replayed, story.state);
    assert_eq!(stored(&read), stored(&story.log));
}

#[test]
fn a_random_history_comes_back() {
    for seed in 0..40 {
        let mut story = Story::new(SqliteStore::in_memory().expect("opens"), seed);
        story.live(300);
        check_loading(&mut story);
    }
}

#[test]
fn a_random_history_comes_back_from_a_file() {
    for seed in 100..103 {
        let (folder, store) = on_disk();
        let path = folder.path().join("hub.db");
        let mut story = Story::new(store, seed);
        for _ in 0..3 {
            story.live(120);
            check_loading(&mut story);
            story.store.reopen().expect("reopens");
            check_loading(&mut story);
        }
        let epoch = story.store.load(&Limits::default()).expect("loads").epoch;
        let Story { store, state, log, .. } = story;
        drop(store);
        assert_eq!(integrity(&path), "ok");
        let mut story = Story::new(SqliteStore::open(&path).expect("opens again"), seed);
        assert_eq!(story.state, state);
        story.log = log;
        check_loading(&mut story);
        assert_eq!(story.store.load(&Limits::default()).expect("loads").epoch, epoch);
    }
}

#[test]
fn what_stands_in_the_tail_is_the_history_once_it_is_folded() {
    let (_folder, store) = on_disk();
    let mut story = Story::new(store, 31);
    story.live(40);
    let mut folded = 0;
    for _ in 0..400 {
        story.imagine(1);
        story.commit();
        if story.store.tail().len() >= 3 {
            let known: Vec<Seq> = story.store.tail().iter().map(|stamped| stamped.seq).collect();
            let history = story.store.history();
            assert_eq!(history.events(known[0] - 1, 9).expect("reads"), []);
            story.store.fold(&story.state).expect("folds");
            story.state.settle();
            let found = history.events(known[0] - 1, 9).expect("reads");
            assert_eq!(found.iter().map(|stamped| stamped.seq).collect::<Vec<_>>(), known);
            folded += 1;
        }
    }
    assert!(folded > 9, "{folded}");
    check_loading(&mut story);
}

/// A long history for queries, the same each time.
fn long_story() -> Story<SqliteStore> {
    let mut story = Story::new(SqliteStore::in_memory().expect("opens"), 7);
    story.live(13_000);
    story
}

fn pages(story: &mut Story<SqliteStore>) -> Vec<Page> {
    let head = story.state.head();
    let mut pages = vec![Page { limit: 10_000, ..Page::default() }, Page::default()];
    for from in [End::Oldest, End::Newest] {
        for _ in 0..3 {
            let after = story.dice.one_in(2).then(|| story.dice.below(head));
            let before = story.dice.one_in(2).then(|| story.dice.below(head + 2));
            pages.push(Page { after, before, from, limit: story.dice.below(40) as usize });
        }
    }
    pages
}

/// A page of what is in the order of `seq`, found by looking at all of it.
fn naive<T: Clone>(all: &[T], seq: impl Fn(&T) -> Seq, page: &Page) -> Vec<T> {
    let within = |item: &&T| {
        page.after.is_none_or(|after| seq(item) > after)
            && page.before.is_none_or(|before| seq(item) < before)
    };
    let found: Vec<T> = all.iter().filter(within).cloned().collect();
    let len = found.len().min(page.limit);
    match page.from {
        End::Oldest => found[..len].to_vec(),
        End::Newest => found[found.len() - len..].to_vec(),
    }
}

fn messages_of(log: &[Stamped]) -> Vec<Arc<Message>> {
    log.iter()
        .filter_map(|stamped| match &stamped.event {
            Event::MessageSent(message) => Some(message.clone()),
            _ => None,
        })
        .collect()
}

fn is_in(message: &Message, set: &MessageSet, private: &PrivateChannels) -> bool {
    let other = |not_from: &Option<EntityId>| not_from.as_ref() != Some(&message.from_entity);
    let from_to = |from: &EntityId, to: &EntityId| {
        message.from_entity == *from && message.to_entity.as_ref() == Some(to)
    };
    match set {
        MessageSet::Channels { hidden, not_from } => {
            let is_in = |name| !hidden.contains(name) && !private.contains(name);
            message.channel.as_ref().is_some_and(is_in) && other(not_from)
        }
        MessageSet::Channel { channel, not_from } => {
            message.channel.as_ref() == Some(channel) && other(not_from)
        }
        MessageSet::DirectTo(id) => message.to_entity.as_ref() == Some(id),
        MessageSet::Pair(one, two) => from_to(one, two) || from_to(two, one),
        MessageSet::Thread(root) => message.thread_id == *root,
    }
}

#[test]
fn messages_by_every_set() {
    let mut story = long_story();
    let all = messages_of(&story.log);
    let history = story.store.history();
    let mut sets = vec![
        MessageSet::Channels { hidden: vec![], not_from: None },
        MessageSet::Channels { hidden: vec![channel(2), channel(4)], not_from: Some(entity(1)) },
    ];
    for n in 0..8 {
        sets.push(MessageSet::Channel { channel: channel(n), not_from: None });
        sets.push(MessageSet::Channel { channel: channel(n), not_from: Some(entity(n)) });
        sets.push(MessageSet::DirectTo(entity(n)));
        sets.push(MessageSet::Pair(entity(n), entity(n)));
        sets.push(MessageSet::Pair(entity(n), entity(n + 1)));
    }
    sets.extend(all.iter().step_by(25).map(|m| MessageSet::Thread(m.thread_id.clone())));
    let mut found = 0;
    let private = &story.state.private_channels().clone();
    assert!(private.contains(&channel(6)));
    for page in pages(&mut story) {
        for set in &sets {
            let of_set: Vec<_> = all.iter().filter(|m| is_in(m, set, private)).cloned().collect();
            let expected = naive(&of_set, |message| message.seq, &page);
            assert_eq!(history.messages(set, &page).expect("reads"), expected, "{set:?} {page:?}");
            found += expected.len();
        }
    }
    assert!(found > 500, "{found}");
    for message in &all {
        let id = &message.message_id;
        assert_eq!(history.message(id).expect("reads").as_ref(), Some(message));
        assert_eq!(story.store.message(id).expect("reads"), Some(message.head()));
    }
}

#[test]
fn counts() {
    let mut story = long_story();
    let all = messages_of(&story.log);
    let history = story.store.history();
    for stamped in story.log.iter().step_by(50) {
        for at in [stamped.at, stamped.at.plus_millis(1), stamped.at.plus_millis(-1)] {
            let expected = all.iter().filter(|m| m.timestamp >= at).count() as u64;
            assert_eq!(history.count_messages_since(at).expect("counts"), expected);
        }
    }
    for n in 0..6 {
        let (reader, name, after) = (entity(n), channel(n + 1), story.dice.below(200));
        let expected = all
            .iter()
            .filter(|m| {
                m.channel.as_ref() == Some(&name) && m.seq > after && m.from_entity != reader
            })
            .count() as u64;
        assert_eq!(history.count_unread(&reader, &name, after, 9_999).expect("counts"), expected);
        let capped = history.count_unread(&reader, &name, after, 3).expect("counts");
        assert_eq!(capped, expected.min(3));
    }
}

#[test]
fn events_by_kind_and_from_the_end() {
    let mut story = long_story();
    let history = story.store.history();
    let seen: Vec<&str> = Event::KINDS
        .iter()
        .copied()
        .filter(|k| story.log.iter().any(|e| e.event.kind() == *k))
        .collect();
    assert_eq!(seen, Event::KINDS, "the history should have everything in it");
    let sets: [&[&str]; 5] = [
        &[],
        &["message_sent"],
        &["task_created", "task_completed", "task_created", "no_such_kind"],
        &["message_sent", "vote_cast", "entity_removed"],
        Event::KINDS,
    ];
    for page in pages(&mut story) {
        for kinds in sets {
            let of: Vec<_> =
                story.log.iter().filter(|e| kinds.contains(&e.event.kind())).cloned().collect();
            let expected = stored(&naive(&of, |e| e.seq, &page));
            let got = history.events_of_kinds(kinds, &page).expect("reads");
            assert_eq!(stored(&got), expected, "{kinds:?} {page:?}");
        }
    }
    for (limit, bytes_max) in [(0, 999), (5, 1 << 20), (50_000, 1 << 30), (50_000, 20_000)] {
        let got = history.newest_events(limit, bytes_max).expect("reads");
        assert!(got.len() <= limit);
        assert_eq!(stored(&got), stored(&story.log[story.log.len() - got.len()..]));
    }
    assert_eq!(history.newest_events(50_000, 1 << 30).expect("reads").len(), story.log.len());
    assert!(history.newest_events(50_000, 20_000).expect("reads").len() > 20);
}

/// Every task there ever was, as it is now.
fn tasks_of(story: &mut Story<SqliteStore>) -> Vec<Task> {
    let ids: Vec<_> = story
        .log
        .iter()
        .filter_map(|e| match &e.event {
            Event::TaskCreated(created) => Some(created.task.task_id.clone()),
            _ => None,
        })
        .collect();
    ids.iter().map(|id| story.store.task(id).expect("reads").expect("is there")).collect()
}

#[test]
fn tasks_by_every_filter() {
    let mut story = long_story();
    let all = tasks_of(&mut story);
    let history = story.store.history();
    let mut filters = vec![TaskFilter::default()];
    filters.extend(
        TaskStatus::ALL.iter().map(|s| TaskFilter { status: Some(*s), ..TaskFilter::default() }),
    );
    filters.extend(
        Priority::ALL.iter().map(|p| TaskFilter { priority: Some(*p), ..TaskFilter::default() }),
    );
    for n in 0..6 {
        let (some, needs) = (Some(entity(n)), Some(n % 2 == 0));
        filters.push(TaskFilter { created_by: some.clone(), ..TaskFilter::default() });
        filters.push(TaskFilter {
            claimed_by: some.clone(),
            tag: Some("a".into()),
            ..TaskFilter::default()
        });
        filters.push(TaskFilter {
            requires_human: needs,
            created_by: some,
            ..TaskFilter::default()
        });
    }
    for page in pages(&mut story) {
        for filter in &filters {
            let of: Vec<_> = all.iter().filter(|task| filter.matches(task)).cloned().collect();
            let expected = naive(&of, |task| task.created_seq, &page);
            assert_eq!(
                history.tasks(filter, &page).expect("reads"),
                expected,
                "{filter:?} {page:?}"
            );
        }
    }
    for task in all {
        let about: Vec<_> = story
            .log
            .iter()
            .filter(|e| e.event.subject() == crate::event::Subject::Task(&task.task_id))
            .cloned()
            .collect();
        let got = history.task_history(&task.task_id, 3).expect("reads");
        assert_eq!(stored(&got), stored(&about[about.len().saturating_sub(3)..]));
        assert_eq!(history.task(&task.task_id).expect("reads"), Some(task));
    }
}

#[test]
fn proposals_by_status() {
    let mut story = long_story();
    let ids: Vec<_> = story
        .log
        .iter()
        .filter_map(|e| match &e.event {
            Event::ProposalCreated(created) => Some(created.proposal.proposal_id.clone()),
            _ => None,
        })
        .collect();
    let history = story.store.history();
    let all: Vec<_> =
        ids.iter().map(|id| story.store.proposal(id).expect("reads").expect("is there")).collect();
    assert!(all.iter().any(|p| p.votes.len() > 1));
    assert!(all.iter().any(|p| !p.departed.is_empty()));
    for page in pages(&mut story) {
        for status in [None].into_iter().chain(ProposalStatus::ALL.iter().copied().map(Some)) {
            let of: Vec<_> =
                all.iter().filter(|p| status.is_none_or(|s| p.status == s)).cloned().collect();
            let expected = naive(&of, |proposal| proposal.created_seq, &page);
            assert_eq!(
                history.proposals(status, &page).expect("reads"),
                expected,
                "{status:?} {page:?}"
            );
        }
    }
    for proposal in all {
        assert_eq!(history.proposal(&proposal.proposal_id).expect("reads"), Some(proposal));
    }
}
