//! Giving up what is old: what goes, what stays, and what those see who are behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    faults::{Fault, Faulty, Levers},
    *,
};
use crate::{
    command::{Ack, ClaimTask, CompleteTask, FailTask, GiveUp},
    ids::TaskId,
    limits::Limits,
    model::{HistoryKind, Retention, Role, TaskStatus},
    subscribe::{Channels, Gap, GapReason, Item, Next, Show},
};

const DAY: i64 = 86_400_000;

/// A clock that stands where it is put, days after the first.
#[derive(Clone, Default)]
struct Days(Arc<AtomicI64>);

impl Days {
    fn pass(&self, days: i64) {
        self.pass_millis(days * DAY);
    }

    fn pass_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Days {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(DAY * 20_000 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

fn hub(days: &Days) -> Hub {
    Hub::builder().clock(days.clone()).in_memory().expect("it opens")
}

/// Gives up what is older than a day, and waits until it is gone.
fn prune(hub: &Hub, what: HistoryKind) -> bool {
    let pruned = hub.prune(what, hub.now().plus_millis(-DAY)).expect("prunes");
    while hub.is_pruning() {
        thread::sleep(Duration::from_millis(1));
    }
    pruned
}

fn resumed(hub: &Hub, after: Seq) -> (Option<Gap>, Vec<Seq>) {
    let everything = Filter {
        reader: None,
        channels: Channels::All,
        show: Show::Log { kinds: None },
        role: Role::Member,
    };
    let mut subscription = hub.subscribe(everything, Start::After(after));
    drain(&mut subscription)
}

fn drain(subscription: &mut Subscription) -> (Option<Gap>, Vec<Seq>) {
    let (mut gap, mut seqs) = (None, Vec::new());
    loop {
        match subscription.try_next() {
            Next::Item(Item::Shown(entry, _)) => seqs.push(entry.seq()),
            Next::Item(Item::Cursor(_)) => {}
            Next::Item(Item::Gap(found)) => gap = Some(found),
            Next::Behind => subscription.catch_up().expect("readable"),
            Next::Idle => return (gap, seqs),
        }
    }
}

fn finds(hub: &Hub, word: &str) -> usize {
    while hub.indexed_up_to() < hub.head_seq() {
        thread::sleep(Duration::from_millis(1));
    }
    let words = SearchWords::parse(word).expect("a word");
    let query = SearchQuery { words, channel: None, before: None, limit: 50 };
    hub.search(&hub.reader(None), &query).expect("searches").messages.items.len()
}

#[test]
fn old_messages_go_and_the_log_says_so() {
    for limits in [Limits::default(), Limits { rings_bytes_max: 1, ..Limits::default() }] {
        let days = Days::default();
        let hub = Hub::builder().clock(days.clone()).limits(limits).in_memory().expect("it opens");
        register(&hub, "anna", EntityType::Human);
        for content in ["old one", "old two"] {
            send(&hub, content).expect("sent");
        }
        let everything = Filter {
            reader: None,
            channels: Channels::All,
            show: Show::Log { kinds: None },
            role: Role::Member,
        };
        let mut behind = hub.subscribe(everything, Start::After(1));
        days.pass(2);
        send(&hub, "young").expect("sent");
        assert_eq!(finds(&hub, "old"), 2);

        assert!(prune(&hub, HistoryKind::Messages));
        assert!(!prune(&hub, HistoryKind::Messages), "there is nothing more");
        assert_eq!(contents(&hub), ["young"]);
        assert_eq!((finds(&hub, "old"), finds(&hub, "young")), (0, 1));
        assert_eq!(hub.oldest_seq(), 4);
        let gap = Gap { reason: GapReason::Pruned, oldest_seq: 4, head_seq: 5 };
        assert_eq!(resumed(&hub, 0), (Some(gap), vec![4, 5]));
        assert_eq!(resumed(&hub, 3), (None, vec![4, 5]));
        assert_eq!(drain(&mut behind), (Some(gap), vec![4, 5]));
        // What an inbox has unread is what is left.
        let query = InboxQuery {
            after: None,
            limit: 50,
            unread: Unread::Only,
            only_direct: OnlyDirect::No,
        };
        let unread = hub.inbox(&hub.reader(Some(id("anna"))), &query).expect("reads");
        assert_eq!(unread.items.len(), 1);
        let channels = hub.channels(&hub.reader(Some(id("anna")))).expect("reads");
        assert!(channels.iter().any(|view| view.unread == Some(1)));
    }
}

#[test]
fn a_message_that_is_still_to_be_answered_stays_until_it_is() {
    let days = Days::default();
    let hub = hub(&days);
    register(&hub, "anna", EntityType::Human);
    let send = Send {
        to: Some(crate::command::Destination::Entity(id("anna"))),
        ack: Ack::Asked,
        ..Send::on_channel(id("ada"), channel("general"), "answer me")
    };
    let reply = hub.call(Caller::named(id("ada")), Command::Send(send)).expect("sent");
    let Outcome::Sent(sent) = reply.outcome else { panic!("sent") };
    let asked = sent[0].message.message_id.clone();
    days.pass(2);
    prune(&hub, HistoryKind::Events);
    let anna = hub.reader(Some(id("anna")));
    assert!(hub.message(&anna, &asked).is_ok());
    assert_eq!(hub.with_state(State::open_roll_calls), 1);
    hub.call(Caller::named(id("anna")), Command::AckMessage(asked.clone())).expect("acked");
    // An hour later what was kept is looked at again.
    days.pass(2);
    let (caller, command) = say("something to do");
    hub.call(caller, command).expect("sent");
    prune(&hub, HistoryKind::Events);
    assert!(hub.message(&anna, &asked).is_err());
}

fn task_id(text: &str) -> TaskId {
    TaskId::parse(text).expect("an id")
}

fn create(hub: &Hub, name: &str, after: &[&str]) {
    let create = CreateTask {
        task_id: Some(task_id(name)),
        depends_on: after.iter().map(|text| task_id(text)).collect(),
        ..CreateTask::titled("t")
    };
    hub.call(Caller::default(), Command::CreateTask(create)).expect("created");
}

fn claim(hub: &Hub, name: &str) {
    let claim = ClaimTask { task_id: task_id(name), lease_seconds: None, claim_token: None };
    hub.call(Caller::named(id("ai")), Command::ClaimTask(claim)).expect("claimed");
}

fn complete(hub: &Hub, name: &str) {
    let task_id = task_id(name);
    let command = CompleteTask { task_id, result: None, claim_token: None };
    hub.call(Caller::default(), Command::CompleteTask(command)).expect("completed");
}

fn fail(hub: &Hub, name: &str) {
    let command = FailTask { task_id: task_id(name), reason: None, claim_token: None };
    hub.call(Caller::default(), Command::FailTask(command)).expect("failed");
}

#[test]
fn finished_tasks_go_but_for_those_that_hold_others_up() {
    let days = Days::default();
    let hub = hub(&days);
    for (name, after) in [
        ("done", &[][..]),
        ("broken", &[]),
        ("waits", &["broken"]),
        ("again", &["done"]),
        ("open", &[]),
    ] {
        create(&hub, name, after);
    }
    claim(&hub, "done");
    claim(&hub, "broken");
    complete(&hub, "done");
    fail(&hub, "broken");
    days.pass(2);
    claim(&hub, "again");
    fail(&hub, "again");
    assert!(prune(&hub, HistoryKind::Tasks));
    assert!(!prune(&hub, HistoryKind::Tasks), "what is held is not given up again and again");
    let left = |name: &str| hub.task(&task_id(name)).is_ok();
    let left = ["done", "broken", "waits", "again", "open"].map(left);
    assert_eq!(left, [false, true, true, true, true]);
    assert_eq!(hub.oldest_seq(), 1, "the log has it all");
    // What was pruned was finished, and holds nobody up.
    let reopen = |name: &str| {
        let command = Command::ReopenTask(task_id(name));
        let reply = hub.call(Caller::named(id("ai")), command).expect("reopened");
        let Outcome::Task { task, .. } = reply.outcome else { panic!("a task") };
        task.status
    };
    assert_eq!(reopen("again"), TaskStatus::Open);
    assert_eq!(reopen("broken"), TaskStatus::Open);
    claim(&hub, "broken");
    complete(&hub, "broken");
    assert_eq!(hub.task(&task_id("waits")).expect("there").status, TaskStatus::Open);
}

#[test]
fn what_could_not_be_removed_is_removed_later() {
    let days = Days::default();
    let levers = Levers::default();
    let builder = Hub::builder().clock(days.clone());
    let hub = builder.with_store(Faulty::new(&levers)).expect("it opens");
    send(&hub, "old").expect("sent");
    days.pass(2);
    send(&hub, "young").expect("sent");
    levers.fail_sweeps([Fault::Disk, Fault::SyncLost, Fault::Panic]);
    assert!(prune(&hub, HistoryKind::Messages));
    assert_eq!(hub.oldest_seq(), 2, "it is given up all the same");
    // The clock that the writer goes by stands still but for this; it tries again each second.
    while contents(&hub) != ["young"] {
        days.pass_millis(1_000);
        thread::sleep(Duration::from_millis(5));
    }
    send(&hub, "younger").expect("the hub lives");
}

#[test]
fn the_log_is_kept_as_long_as_it_was_asked_and_a_restart_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hub.db");
    let days = Days::default();
    let keep = Retention { events_millis: Some(10 * DAY), ..Retention::default() };
    let open = |keep: &Retention| {
        let builder = Hub::builder().clock(days.clone()).retention(keep.clone());
        builder.open(&path).expect("it opens")
    };
    let hub = open(&keep);
    send(&hub, "first").expect("sent");
    send(&hub, "second").expect("sent");
    days.pass(9);
    send(&hub, "third").expect("sent");
    hub.close();
    let hub = open(&keep);
    assert_eq!(contents(&hub), ["first", "second", "third"]);
    days.pass(2);
    while hub.oldest_seq() < 3 {
        send(&hub, "more").expect("sent");
    }
    let head = hub.head_seq();
    hub.close();
    let hub = open(&Retention::default());
    assert_eq!((hub.oldest_seq(), hub.head_seq()), (3, head));
    assert_eq!(contents(&hub)[0], "third");
    while hub.is_pruning() {
        thread::sleep(Duration::from_millis(1));
    }
    let (gap, seqs) = resumed(&hub, 0);
    assert_eq!(gap.map(|gap| gap.oldest_seq), Some(3));
    assert_eq!(seqs, (3..=head).collect::<Vec<_>>());
    assert_eq!(finds(&hub, "second"), 0);
}

#[test]
fn what_was_written_a_moment_ago_is_given_up_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let days = Days::default();
    let builder = Hub::builder().clock(days.clone());
    let hub = builder.open(folder.path().join("hub.db")).expect("it opens");
    // It stands in the tail, for the clock does not move on.
    send(&hub, "just now").expect("sent");
    assert!(hub.prune(HistoryKind::Messages, hub.now().plus_millis(1)).expect("prunes"));
    while hub.is_pruning() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(contents(&hub), [""; 0]);
}

#[test]
fn an_admin_gives_up_what_is_old_and_nobody_else_does() {
    let days = Days::default();
    let hub = hub(&days);
    send(&hub, "old").expect("sent");
    days.pass(3);
    send(&hub, "young").expect("sent");
    let give_up = |caller: Caller, before: Timestamp| {
        let command = GiveUp { what: HistoryKind::Messages, before };
        hub.call(caller, Command::GiveUp(command))
    };
    let yesterday = hub.now().plus_millis(-DAY);
    let refused = give_up(Caller::named(id("ada")), yesterday).expect_err("no admin");
    assert!(matches!(refused, HubError::Rejected(Rejection::NotAllowed(_))), "{refused}");
    let refused = give_up(Caller::hub(), hub.now()).expect_err("too young");
    assert!(matches!(refused, HubError::Rejected(Rejection::Invalid { .. })), "{refused}");
    assert_eq!(contents(&hub), ["old", "young"]);

    let head = hub.head_seq();
    assert_eq!(give_up(Caller::hub(), yesterday).expect("prunes").seq, head + 1);
    while hub.is_pruning() {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(contents(&hub), ["young"]);
    // There is no more of it.
    assert_eq!(give_up(Caller::hub(), yesterday).expect("nothing").seq, head + 1);
}
