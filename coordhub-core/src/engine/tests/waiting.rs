//! Waiting for something to claim, and what the clock does to leases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{
    faults::{Fault, Faulty, Levers},
    id, register, say,
};
use crate::{
    Timestamp,
    command::{
        Caller, ClaimNext, ClaimTask, Command, CompleteTask, CreateTask, Key, Register,
        ReleaseTask, UpdateTask,
    },
    engine::{Builder, Claim, Clock, Hub, HubError, Outcome, Reply, Request, Ticket},
    ids::TaskId,
    json::JsonText,
    model::{EntityType, Priority, TaskStatus},
    store::SqliteStore,
};

/// A clock that the test moves.
#[derive(Clone, Default)]
struct Hands {
    wall: Arc<AtomicI64>,
    monotonic: Arc<AtomicI64>,
}

impl Hands {
    /// Time passes.
    fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000, SeqCst);
        self.monotonic.fetch_add(seconds * 1_000, SeqCst);
    }

    /// Somebody sets the wall clock.
    fn jump(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000, SeqCst);
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + self.wall.load(SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(SeqCst) as u64)
    }
}

fn with_clock() -> (Hands, Hub) {
    let hands = Hands::default();
    let hub = Builder::default().clock(hands.clone()).in_memory().expect("opens");
    (hands, hub)
}

fn next(hub: &Hub, who: &str, wait_seconds: u64) -> Ticket {
    next_with(hub, who, wait_seconds, ClaimNext::default())
}

fn next_with(hub: &Hub, who: &str, wait_seconds: u64, asked: ClaimNext) -> Ticket {
    let wait = Duration::from_secs(wait_seconds);
    let command = Command::ClaimNext(asked);
    let request = Request { wait, ..Request::new(Caller::named(id(who)), command) };
    hub.submit_request(request).expect("is taken")
}

fn create(hub: &Hub, name: &str) {
    create_with(hub, name, |_| {});
}

fn create_with(hub: &Hub, name: &str, change: impl FnOnce(&mut CreateTask)) {
    let task_id = Some(TaskId::parse(name).expect("an id"));
    let mut create = CreateTask { task_id, ..CreateTask::titled(name) };
    change(&mut create);
    hub.call(Caller::named(id("boss")), Command::CreateTask(create)).expect("is created");
}

fn claim_of(reply: Result<Reply, HubError>) -> Claim {
    match reply.expect("is answered").outcome {
        Outcome::Claimed(claim) => claim,
        other => panic!("no claim but {other:?}"),
    }
}

fn claimed(reply: Result<Reply, HubError>) -> String {
    claim_of(reply).task.task_id.to_string()
}

fn nothing(reply: Result<Reply, HubError>) {
    assert_eq!(reply.expect("is answered").outcome, Outcome::NoTask);
}

/// Waits until so many wait: the writer has parked them.
fn parked(hub: &Hub, count: u64) {
    while hub.waiters() != count {
        std::thread::yield_now();
    }
}

fn status(hub: &Hub, name: &str) -> TaskStatus {
    hub.task(&TaskId::parse(name).expect("an id")).expect("there is one").status
}

#[test]
fn without_a_wait_there_is_nothing_at_once() {
    let hub = Hub::in_memory().expect("opens");
    nothing(next(&hub, "a", 0).wait());
    create(&hub, "t");
    assert_eq!(claimed(next(&hub, "a", 0).wait()), "t");
    nothing(next(&hub, "a", 0).wait());
}

#[test]
fn waiters_are_served_first_come_first_served() {
    let hub = Hub::in_memory().expect("opens");
    let waiting: Vec<Ticket> = ["a", "b", "c"].map(|who| next(&hub, who, 60)).into();
    parked(&hub, 3);
    for name in ["t1", "t2", "t3"] {
        create(&hub, name);
    }
    let got: Vec<String> = waiting.into_iter().map(|ticket| claimed(ticket.wait())).collect();
    assert_eq!(got, ["t1", "t2", "t3"]);
    parked(&hub, 0);
}

#[test]
fn of_several_tasks_that_open_at_once_whoever_came_first_takes_its_own() {
    let hub = Hub::in_memory().expect("opens");
    let artist = Register {
        entity_id: id("artist"),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: vec!["art".into()],
        metadata: JsonText::empty_object(),
    };
    hub.call(Caller::named(id("artist")), Command::Register(artist)).expect("is registered");
    create_with(&hub, "gate", |c| c.requires_ai = true);
    let behind = |c: &mut CreateTask| c.depends_on = vec![TaskId::parse("gate").expect("an id")];
    create_with(&hub, "a-picture", |c| {
        behind(c);
        c.capabilities = vec!["art".into()];
    });
    create_with(&hub, "for-anyone", |c| {
        behind(c);
        c.priority = Priority::Urgent;
    });
    let keeper = claim_of(next(&hub, "keeper", 0).wait());
    let first = next(&hub, "first", 60);
    parked(&hub, 1);
    let second = next(&hub, "artist", 60);
    parked(&hub, 2);
    let complete = CompleteTask {
        task_id: keeper.task.task_id.clone(),
        result: None,
        claim_token: Some(keeper.claim_token),
    };
    hub.call(Caller::named(id("keeper")), Command::CompleteTask(complete)).expect("is done");
    assert_eq!(claimed(first.wait()), "for-anyone");
    assert_eq!(claimed(second.wait()), "a-picture");
}

#[test]
fn a_waiter_goes_before_one_who_asks_later() {
    let hub = Hub::in_memory().expect("opens");
    let first = next(&hub, "first", 60);
    parked(&hub, 1);
    // Both in the queue before the writer looks: the task is the waiter's all the same.
    let boss = Caller::named(id("boss"));
    let created = hub.submit(boss, Command::CreateTask(CreateTask::titled("t"))).expect("is taken");
    let later = next(&hub, "later", 0);
    created.wait().expect("is created");
    claimed(first.wait());
    nothing(later.wait());
}

#[test]
fn whatever_opens_a_task_wakes() {
    let hub = Hub::in_memory().expect("opens");
    let worker = Caller::named(id("worker"));
    let task = |name: &str| TaskId::parse(name).expect("an id");
    // Release.
    create(&hub, "released");
    hub.call(worker.clone(), Command::ClaimTask(ClaimTask::of(task("released")))).expect("claims");
    let waiting = next(&hub, "a", 60);
    parked(&hub, 1);
    let release = ReleaseTask { task_id: task("released"), claim_token: None };
    hub.call(worker.clone(), Command::ReleaseTask(release)).expect("releases");
    assert_eq!(claimed(waiting.wait()), "released");
    // The last blocker.
    create(&hub, "blocker");
    hub.call(worker.clone(), Command::ClaimTask(ClaimTask::of(task("blocker")))).expect("claims");
    create_with(&hub, "blocked", |c| c.depends_on = vec![task("blocker")]);
    let waiting = next(&hub, "a", 60);
    parked(&hub, 1);
    let complete = CompleteTask { task_id: task("blocker"), result: None, claim_token: None };
    hub.call(worker, Command::CompleteTask(complete)).expect("completes");
    assert_eq!(claimed(waiting.wait()), "blocked");
    // A tag that is added.
    create(&hub, "untagged");
    let asked = ClaimNext { tags: vec!["x".into()], ..ClaimNext::default() };
    let waiting = next_with(&hub, "a", 60, asked);
    parked(&hub, 1);
    let mut update = UpdateTask::of(task("untagged"));
    update.tags = Some(vec!["x".into()]);
    hub.call(Caller::named(id("boss")), Command::UpdateTask(update)).expect("updates");
    assert_eq!(claimed(waiting.wait()), "untagged");
    // A capability that is registered.
    create_with(&hub, "rust", |c| c.capabilities = vec!["rust".into()]);
    let waiting = next(&hub, "crab", 60);
    parked(&hub, 1);
    let register = Register {
        entity_id: id("crab"),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: vec!["rust".into()],
        metadata: JsonText::empty_object(),
    };
    hub.call(Caller::named(id("crab")), Command::Register(register)).expect("registers");
    assert_eq!(claimed(waiting.wait()), "rust");
}

#[test]
fn only_who_can_do_it_is_woken() {
    let hub = Hub::in_memory().expect("opens");
    register(&hub, "machine", EntityType::AiAgent);
    register(&hub, "person", EntityType::Human);
    let machine = next(&hub, "machine", 60);
    let person = next(&hub, "person", 60);
    parked(&hub, 2);
    create_with(&hub, "for-human", |c| c.requires_human = true);
    assert_eq!(claimed(person.wait()), "for-human");
    create(&hub, "for-any");
    assert_eq!(claimed(machine.wait()), "for-any");
}

#[test]
fn a_waiter_whose_time_is_up_is_told_so() {
    let (hands, hub) = with_clock();
    let waiting = next(&hub, "a", 10);
    parked(&hub, 1);
    hands.pass(10);
    nothing(waiting.wait());
    create(&hub, "t");
    assert_eq!(status(&hub, "t"), TaskStatus::Open);
}

#[test]
fn who_has_gone_is_not_served() {
    let hub = Hub::in_memory().expect("opens");
    let gone = next(&hub, "gone", 60);
    let here = next(&hub, "here", 60);
    parked(&hub, 2);
    drop(gone);
    create(&hub, "t");
    assert_eq!(claim_of(here.wait()).claim_token, 1, "it was never claimed for the other");
}

#[test]
fn who_has_gone_is_not_served_when_it_learns_something() {
    let hub = Hub::in_memory().expect("opens");
    create_with(&hub, "t", |c| c.capabilities = vec!["art".into()]);
    let gone = next(&hub, "gone", 60);
    parked(&hub, 1);
    drop(gone);
    let register = Register {
        entity_id: id("gone"),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: vec!["art".into()],
        metadata: JsonText::empty_object(),
    };
    let head = hub.call(Caller::named(id("gone")), Command::Register(register)).expect("done").seq;
    parked(&hub, 0);
    assert_eq!((hub.head_seq(), status(&hub, "t")), (head, TaskStatus::Open));
}

#[test]
fn a_claim_whose_answer_nobody_took_goes_back_without_an_attempt() {
    let hub = Hub::in_memory().expect("opens");
    create(&hub, "t");
    let ticket = next(&hub, "gone", 60);
    // Answered, and not taken.
    while status(&hub, "t") != TaskStatus::InProgress {
        std::thread::yield_now();
    }
    drop(ticket);
    let claim = claim_of(next(&hub, "here", 60).wait());
    assert_eq!((claim.claim_token, claim.task.attempts), (2, 0));
}

#[test]
fn under_a_key_a_claim_waits_for_its_holder_to_ask_again() {
    let hub = Hub::in_memory().expect("opens");
    create(&hub, "t");
    let ask = || {
        let key = Key { route: "tasks.claim-next".into(), key: "k".into(), fingerprint: 1 };
        let next = Command::ClaimNext(ClaimNext::default());
        let request = Request { key: Some(key), ..Request::new(Caller::named(id("a")), next) };
        hub.submit_request(request).expect("is taken")
    };
    let lost = ask();
    while status(&hub, "t") != TaskStatus::InProgress {
        std::thread::yield_now();
    }
    drop(lost);
    let claim = claim_of(ask().wait());
    assert_eq!(claim.claim_token, 1);
    assert_eq!(status(&hub, "t"), TaskStatus::InProgress);
}

#[test]
fn who_asks_again_under_the_key_of_a_wait_is_told_with_it() {
    let hub = Hub::in_memory().expect("opens");
    let ask = || {
        let key = Key { route: "tasks.claim-next".into(), key: "k".into(), fingerprint: 1 };
        let next = Command::ClaimNext(ClaimNext::default());
        let wait = Duration::from_secs(60);
        let request =
            Request { key: Some(key), wait, ..Request::new(Caller::named(id("a")), next) };
        hub.submit_request(request).expect("is taken")
    };
    let (first, again) = (ask(), ask());
    parked(&hub, 2);
    create(&hub, "t");
    let (first, again) = (claim_of(first.wait()), claim_of(again.wait()));
    assert_eq!((first.claim_token, again.claim_token), (1, 1));
}

#[test]
fn when_waits_end_everybody_is_told_at_once() {
    let hub = Hub::in_memory().expect("opens");
    let waiting: Vec<Ticket> = (0..50).map(|n| next(&hub, &format!("w{n}"), 60)).collect();
    parked(&hub, 50);
    hub.end_waits();
    waiting.into_iter().for_each(|ticket| nothing(ticket.wait()));
    nothing(next(&hub, "late", 60).wait());
    // Also where the hub closes.
    let hub = Hub::in_memory().expect("opens");
    let waiting = next(&hub, "a", 60);
    parked(&hub, 1);
    hub.close();
    nothing(waiting.wait());
}

#[test]
fn a_claim_for_a_waiter_is_lost_with_its_commit_and_no_other_way() {
    let levers = Levers::default();
    let hub = Builder::default().with_store(Faulty::new(&levers)).expect("opens");
    let waiting = next(&hub, "a", 60);
    parked(&hub, 1);
    levers.fail([Fault::Disk]);
    let create = Command::CreateTask(CreateTask::titled("t"));
    let created = hub.call(Caller::named(id("boss")), create);
    assert!(matches!(created, Err(HubError::Unavailable(_))), "{created:?}");
    assert!(matches!(waiting.wait(), Err(HubError::Unavailable(_))));
    assert_eq!(hub.with_state(|state| state.active_tasks()), 0);
}

/// Submits these while a commit is held, so that they are one batch.
fn as_one_batch(hub: &Hub, levers: &Levers, commands: Vec<(Caller, Command)>) -> Vec<Ticket> {
    levers.hold();
    let (caller, command) = say("first");
    let first = hub.submit(caller, command).expect("is taken");
    levers.wait_until_one_waits();
    let submit = |(caller, command)| hub.submit(caller, command).expect("is taken");
    let tickets = commands.into_iter().map(submit).collect();
    levers.let_go();
    let _sent_or_not = first.wait();
    tickets
}

#[test]
fn done_over_one_by_one_a_batch_leaves_waiters_their_turn() {
    let levers = Levers::default();
    let hub = Builder::default().with_store(Faulty::new(&levers)).expect("opens");
    let waiting = ["a", "b"].map(|who| {
        let ticket = next(&hub, who, 60);
        parked(&hub, if who == "a" { 1 } else { 2 });
        ticket
    });
    levers.poison("poison");
    let create = Command::CreateTask(CreateTask::titled("t"));
    let boss = Caller::named(id("boss"));
    let tickets = as_one_batch(&hub, &levers, vec![say("poison"), (boss, create)]);
    let answers: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert!(answers[0] == Err(HubError::Internal) && answers[1].is_ok(), "{answers:?}");
    let [first, second] = waiting;
    assert_eq!(claim_of(first.wait()).claim_token, 1);
    // There was nothing for the second.
    parked(&hub, 1);
    hub.end_waits();
    nothing(second.wait());
}

#[test]
fn what_a_lost_batch_had_taken_is_there_for_who_waits() {
    let levers = Levers::default();
    let hub = Builder::default().with_store(Faulty::new(&levers)).expect("opens");
    create(&hub, "t");
    levers.hold();
    let (caller, command) = say("first");
    let first = hub.submit(caller, command).expect("is taken");
    levers.wait_until_one_waits();
    let taken = next(&hub, "quick", 0);
    let waiting = next(&hub, "slow", 60);
    // The commit that is held takes the first.
    levers.fail([Fault::Disk, Fault::Disk]);
    levers.let_go();
    assert!(matches!(first.wait(), Err(HubError::Unavailable(_))));
    assert!(matches!(taken.wait(), Err(HubError::Unavailable(_))));
    let (caller, command) = say("there is room again");
    hub.call(caller, command).expect("is sent");
    assert_eq!(claimed(waiting.wait()), "t");
}

#[test]
fn a_lease_lapses_by_itself_and_wakes_a_waiter() {
    let (hands, hub) = with_clock();
    create(&hub, "t");
    let lease_seconds = 60;
    let asked = ClaimNext { lease_seconds, ..ClaimNext::default() };
    claimed(next_with(&hub, "dead", 0, asked).wait());
    let waiting = next(&hub, "next", 300);
    parked(&hub, 1);
    hands.pass(60);
    let claim = claim_of(waiting.wait());
    assert_eq!((claim.claim_token, claim.task.attempts), (2, 1));
}

#[test]
fn a_jump_of_the_clock_moves_leases() {
    let (hands, hub) = with_clock();
    create(&hub, "t");
    let asked = ClaimNext { lease_seconds: 60, ..ClaimNext::default() };
    let before = claim_of(next_with(&hub, "a", 0, asked).wait()).lease_expires_at.expect("a lease");
    hands.jump(1_800);
    // Anything that makes the writer look.
    create(&hub, "other");
    let task = hub.task(&TaskId::parse("t").expect("an id")).expect("there is one");
    assert_eq!(task.status, TaskStatus::InProgress);
    assert_eq!(task.lease_expires_at, Some(before.plus_millis(1_800_000)));
    hands.jump(-7_200);
    hands.pass(59);
    create(&hub, "another");
    assert_eq!(status(&hub, "t"), TaskStatus::InProgress, "time never runs back, and goes on");
}

#[test]
fn after_a_start_holders_have_time_to_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hub.db");
    let open = |hands: &Hands| {
        let store = SqliteStore::open(&path).expect("opens");
        Builder::default().clock(hands.clone()).with_store(store).expect("opens")
    };
    let hands = Hands::default();
    let hub = open(&hands);
    create(&hub, "t");
    let asked = ClaimNext { lease_seconds: 300, ..ClaimNext::default() };
    let token = claim_of(next_with(&hub, "a", 0, asked).wait()).claim_token;
    hub.close();
    drop(hub);
    hands.pass(86_400);
    let hub = open(&hands);
    hands.pass(59);
    create(&hub, "other");
    assert_eq!(status(&hub, "t"), TaskStatus::InProgress);
    hands.pass(1);
    create(&hub, "another");
    assert_eq!(status(&hub, "t"), TaskStatus::Open);
    // Its holder comes back too late for the lease, and not for the work.
    let complete = CompleteTask {
        task_id: TaskId::parse("t").expect("an id"),
        result: Some(JsonText::string("done")),
        claim_token: Some(token),
    };
    hub.call(Caller::named(id("a")), Command::CompleteTask(complete)).expect("is wanted");
}

#[test]
fn a_start_that_cannot_write_lets_no_lease_lapse() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hub.db");
    let hands = Hands::default();
    let hub = Builder::default().clock(hands.clone()).open(&path).expect("opens");
    create(&hub, "t");
    claimed(next(&hub, "a", 0).wait());
    hub.close();
    drop(hub);
    hands.pass(86_400);
    let levers = Levers::default();
    levers.fail(vec![Fault::Disk; 3]);
    let store = Faulty::around(&levers, SqliteStore::open(&path).expect("opens"));
    let hub = Builder::default().clock(hands.clone()).with_store(store).expect("opens");
    // Until the disk takes writes again, nothing is decided.
    for _ in 0..100 {
        let _refused =
            hub.call(Caller::named(id("boss")), Command::CreateTask(CreateTask::titled("x")));
        hands.pass(0);
    }
    create(&hub, "works");
    assert_eq!(status(&hub, "t"), TaskStatus::InProgress);
}
