//! What the hub says and does when its store fails.

use super::{
    faults::{Fault, Faulty, Levers},
    *,
};
use crate::{
    command::{ClaimTask, Role},
    hub::{Rejection, invariants},
    ids::TaskId,
    limits::QUEUE_COMMANDS_MAX,
    subscribe::{Channels, Filter, Item, Notices, Rest, Show},
};

fn hub(levers: &Levers) -> Hub {
    Hub::builder().with_store(Faulty::new(levers)).expect("it opens")
}

/// Submits everything while the first commit is held, so that the rest is one batch.
fn as_one_batch(hub: &Hub, levers: &Levers, commands: Vec<(Caller, Command)>) -> Vec<Ticket> {
    levers.hold();
    let (caller, command) = say("first");
    let first = hub.submit(caller, command).expect("taken");
    levers.wait_until_one_waits();
    let submit = |(caller, command)| hub.submit(caller, command).expect("taken");
    let tickets = commands.into_iter().map(submit).collect();
    levers.let_go();
    first.wait().expect("the first is committed");
    tickets
}

#[test]
fn a_full_disk_changes_nothing_and_readers_go_on() {
    let levers = Levers::default();
    let hub = hub(&levers);
    send(&hub, "before").expect("sent");
    levers.fail([Fault::Disk]);
    assert_eq!(send(&hub, "lost"), Err(HubError::Unavailable("no space".to_owned())));
    assert!(hub.is_degraded());
    assert_eq!(contents(&hub), ["before"]);
    assert_eq!(hub.head_seq(), 1);
    // There is room again.
    assert_eq!(send(&hub, "after").expect("sent").seq, 2);
    assert!(!hub.is_degraded());
    assert_eq!(contents(&hub), ["before", "after"]);
}

#[test]
fn refusals_of_a_failed_batch_fail_with_it() {
    let levers = Levers::default();
    let hub = hub(&levers);
    let create =
        CreateTask { task_id: Some(TaskId::parse("t").expect("valid")), ..CreateTask::titled("x") };
    let again = create.clone();
    let commands = vec![
        (Caller::default(), Command::CreateTask(create)),
        (Caller::default(), Command::CreateTask(again)),
    ];
    levers.hold();
    let (caller, command) = say("first");
    let first = hub.submit(caller, command).expect("taken");
    levers.wait_until_one_waits();
    let tickets: Vec<_> =
        commands.into_iter().map(|(who, what)| hub.submit(who, what).expect("taken")).collect();
    // The held commit takes the first entry, which is no fault.
    levers.let_go();
    first.wait().expect("committed");
    let answers: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert!(matches!(&answers[0], Ok(reply) if reply.seq == 2));
    assert!(matches!(&answers[1], Err(HubError::Rejected(Rejection::TaskExists(_)))));
    // The same on a disk that fails: the refusal was decided on a task that is not there.
    let other =
        CreateTask { task_id: Some(TaskId::parse("u").expect("valid")), ..CreateTask::titled("x") };
    levers.hold();
    let tickets: Vec<_> = [
        say("x"),
        (Caller::default(), Command::CreateTask(other.clone())),
        (Caller::default(), Command::CreateTask(other)),
    ]
    .into_iter()
    .map(|(who, what)| hub.submit(who, what).expect("taken"))
    .collect();
    levers.fail([Fault::Disk, Fault::Disk, Fault::Disk]);
    levers.let_go();
    for ticket in tickets {
        assert!(matches!(ticket.wait(), Err(HubError::Unavailable(_))));
    }
    assert_eq!(hub.head_seq(), 2);
}

#[test]
fn a_failed_sync_that_kept_the_batch_shows_it_once() {
    let levers = Levers::default();
    let hub = hub(&levers);
    send(&hub, "before").expect("sent");
    let mut following = follow(&hub);
    levers.fail([Fault::SyncKept]);
    levers.fail_reopens(2);
    assert_eq!(send(&hub, "perhaps"), Err(HubError::OutcomeUnknown("sync failed".to_owned())));
    assert_eq!(next_content(&mut following), "perhaps");
    assert_eq!(send(&hub, "after").expect("sent").seq, 3);
    assert_eq!(next_content(&mut following), "after");
    assert_eq!(contents(&hub), ["before", "perhaps", "after"]);
    assert!(!hub.is_degraded());
}

#[test]
fn a_failed_sync_that_lost_the_batch_shows_nothing_of_it() {
    let levers = Levers::default();
    let hub = hub(&levers);
    send(&hub, "before").expect("sent");
    let mut following = follow(&hub);
    levers.fail([Fault::SyncLost]);
    assert_eq!(send(&hub, "lost"), Err(HubError::OutcomeUnknown("sync failed".to_owned())));
    assert_eq!(send(&hub, "after").expect("sent").seq, 2);
    assert_eq!(next_content(&mut following), "after");
    assert_eq!(contents(&hub), ["before", "after"]);
}

#[test]
fn commands_that_come_while_the_file_is_opened_again_are_refused() {
    let levers = Levers::default();
    let hub = hub(&levers);
    levers.fail([Fault::SyncLost]);
    levers.fail_reopens(1);
    assert!(matches!(send(&hub, "lost"), Err(HubError::OutcomeUnknown(_))));
    // Either it comes while the file is away, or after: never a wrong answer.
    match send(&hub, "next") {
        Ok(reply) => assert_eq!(reply.seq, 1),
        Err(error) => assert!(matches!(error, HubError::Unavailable(_)), "{error}"),
    }
}

#[test]
fn what_cannot_be_written_fails_alone() {
    let levers = Levers::default();
    let hub = hub(&levers);
    levers.poison("poison");
    let tickets = as_one_batch(&hub, &levers, vec![say("one"), say("poison"), say("two")]);
    let answers: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(answers[1], Err(HubError::Internal));
    assert_eq!(contents(&hub), ["first", "one", "two"]);
    assert_eq!(hub.head_seq(), 3);
    assert!(!hub.is_degraded());
}

#[test]
fn a_panic_costs_its_batch_and_not_the_hub() {
    let levers = Levers::default();
    let hub = hub(&levers);
    levers.fail([Fault::Panic]);
    assert_eq!(send(&hub, "lost"), Err(HubError::Internal));
    assert_eq!(send(&hub, "after").expect("sent").seq, 1);
    assert_eq!(contents(&hub), ["after"]);
}

#[test]
fn a_batch_forms_while_the_last_one_syncs() {
    let levers = Levers::default();
    let hub = hub(&levers);
    let tickets = as_one_batch(&hub, &levers, (0..100).map(|n| say(&format!("{n}"))).collect());
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    assert_eq!(levers.batches(), [1, 100]);
    hub.with_state(invariants::check).expect("sound");
}

#[test]
fn a_full_queue_says_so_at_once() {
    let levers = Levers::default();
    let hub = hub(&levers);
    levers.hold();
    let submit = |content: &str| {
        let (caller, command) = say(content);
        hub.submit(caller, command)
    };
    let first = submit("first").expect("taken");
    levers.wait_until_one_waits();
    let waiting: Vec<_> = (0..QUEUE_COMMANDS_MAX).map(|_| submit("x").expect("taken")).collect();
    assert!(matches!(submit("too many"), Err(HubError::Busy)));
    levers.let_go();
    first.wait().expect("sent");
    waiting.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    assert_eq!(hub.head_seq(), QUEUE_COMMANDS_MAX as u64 + 1);
    assert!(levers.batches().iter().all(|events| *events <= crate::limits::BATCH_COMMANDS_MAX));
}

#[test]
fn of_many_claims_in_one_batch_exactly_one_wins() {
    let levers = Levers::default();
    let hub = hub(&levers);
    let (caller, command) = titled("contested");
    let created = hub.call(caller, command).expect("created");
    let Outcome::Task { task, .. } = created.outcome else { panic!("a task") };
    let claim = |n: usize| {
        let claim = ClaimTask::of(task.task_id.clone());
        (Caller::named(id(&format!("worker-{n}"))), Command::ClaimTask(claim))
    };
    let tickets = as_one_batch(&hub, &levers, (0..64).map(claim).collect());
    let answers: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let winner = id("worker-0");
    for answer in answers.iter().skip(1) {
        let Err(HubError::Rejected(Rejection::TaskAlreadyClaimed { claimed_by, .. })) = answer
        else {
            panic!("{answer:?}");
        };
        assert_eq!(*claimed_by, winner);
    }
}

#[test]
fn a_closed_hub_has_answered_everything_and_takes_no_more() {
    let levers = Levers::default();
    let hub = hub(&levers);
    let tickets = as_one_batch(&hub, &levers, vec![say("one"), say("two")]);
    hub.close();
    tickets.into_iter().for_each(|ticket| drop(ticket.wait().expect("sent")));
    assert_eq!(send(&hub, "late"), Err(HubError::Closed));
}

fn follow(hub: &Hub) -> Subscription {
    let filter = Filter {
        reader: None,
        role: Role::Member,
        channels: Channels::All,
        show: Show::Frames { notices: Notices::None, rest: Rest::Hidden },
    };
    hub.subscribe(filter, Start::Live)
}

fn next_content(following: &mut Subscription) -> String {
    let patience = Duration::from_secs(30);
    let item = following.next_timeout(patience).expect("readable").expect("something");
    let Item::Shown(entry, _) = item else { panic!("{item:?}") };
    let json = entry.message_json().expect("a message");
    serde_json::from_slice::<Message>(&json).expect("a message").content
}
