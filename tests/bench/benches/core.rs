//! The parts of the library by themselves, with criterion: judging, making true, committing, encoding, reading, filtering.
//!
//! `cargo bench -p coordhub-bench`; a word behind `--` picks those whose name has it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use coordhub_core::{
    Hub, Timestamp,
    command::{Caller, ClaimTask, Command, CreateTask, Envelope, Role, Send},
    event::{Stamped, Trace},
    hub::{NobodyThere, Prefetched, State, decide, policy::Reader},
    ids::{ChannelName, EntityId, TaskId},
    limits::Limits,
    store::{Batch, SqliteStore, Store, Written},
    subscribe::{Channels, Entry, Filter, Item, Next, Notices, Rest, Show, Start},
};
use coordhub_server::bench::child::Folder;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ulid::Ulid;

/// Open tasks in the state that commands are judged against.
const TASKS: u64 = 10_000;
/// Messages in the window that is read.
const WINDOW: u64 = 1_000;

fn entity() -> EntityId {
    EntityId::parse("bench-0").expect("a name")
}

fn channel() -> ChannelName {
    ChannelName::parse("bench").expect("a channel")
}

fn task(number: u64) -> TaskId {
    TaskId::parse(&format!("task-{number}")).expect("an id")
}

/// What the writer looks up before it judges: here, that no such task is on disk.
fn looked_up(command: &Command) -> Prefetched<'static> {
    let mut known = Prefetched::new(&NobodyThere);
    if let Command::CreateTask(CreateTask { task_id: Some(id), .. }) = command {
        known.tasks.insert(id.clone(), None);
    }
    known
}

fn send() -> Command {
    let content = "load 00000: the quick brown fox jumps over the lazy dogs";
    Command::Send(Send::on_channel(entity(), channel(), content))
}

fn create(number: u64) -> Command {
    Command::CreateTask(CreateTask { task_id: Some(task(number)), ..CreateTask::titled("Load") })
}

/// A state, and commands judged against it and made true in it.
struct Play {
    state: State,
    number: u64,
}

impl Play {
    /// A hub with many open tasks.
    fn begin() -> Self {
        let mut play = Self { state: State::new(Limits::default()), number: 0 };
        for number in 0..TASKS {
            play.perform(create(number));
        }
        play.perform(send());
        play
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + self.number as i64)
    }

    fn envelope(&self, command: Command) -> Envelope {
        let fresh = Ulid::from_parts(1_800_000_000_000, u128::from(self.number));
        Envelope { caller: Caller::named(entity()), fresh, command, key: None, origin: None }
    }

    /// The events of a command, stamped and not yet true.
    fn judged(&mut self, command: Command) -> Vec<Stamped> {
        self.number += 1;
        let known = looked_up(&command);
        let envelope = self.envelope(command);
        let decision = decide(&self.state, &known, &envelope, self.now()).expect("no refusal");
        let stamped = |(index, event)| Stamped {
            seq: self.state.head() + 1 + index as u64,
            at: self.now(),
            actor: envelope.caller.id.clone(),
            auth: envelope.caller.auth,
            event,
            key: None,
            trace: Trace::default(),
        };
        decision.events.into_iter().enumerate().map(stamped).collect()
    }

    fn perform(&mut self, command: Command) -> Vec<Stamped> {
        let events = self.judged(command);
        events.iter().for_each(|stamped| self.state.evolve(stamped));
        events
    }
}

fn judging(criterion: &mut Criterion) {
    let play = Play::begin();
    let claim = Command::ClaimTask(ClaimTask::of(task(TASKS / 2)));
    for (name, command) in [("send", send()), ("create", create(TASKS)), ("claim", claim)] {
        let known = looked_up(&command);
        let envelope = play.envelope(command);
        criterion.bench_function(&format!("decide/{name}"), |bencher| {
            bencher.iter(|| decide(&play.state, &known, black_box(&envelope), play.now()));
        });
    }
}

fn making_true(criterion: &mut Criterion) {
    for (name, command) in [("send", send as fn() -> Command), ("create", || create(u64::MAX))] {
        criterion.bench_function(&format!("evolve/{name}"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut play = Play::begin();
                let mut elapsed = Duration::ZERO;
                for round in 0..rounds {
                    let command = match command() {
                        Command::CreateTask(_) => create(TASKS + round),
                        other => other,
                    };
                    let events = play.judged(command);
                    let started = Instant::now();
                    events.iter().for_each(|stamped| play.state.evolve(stamped));
                    elapsed += started.elapsed();
                }
                elapsed
            });
        });
    }
}

fn committing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(20);
    for batch in [1_u64, 8, 64, 512] {
        group.throughput(Throughput::Elements(batch));
        group.bench_with_input(BenchmarkId::from_parameter(batch), &batch, |bencher, batch| {
            let folder = Folder::within(&std::env::temp_dir()).expect("a folder");
            let mut store = SqliteStore::open(&folder.path().join("hub.db")).expect("a store");
            let loaded = store.load(&Limits::default()).expect("an empty hub");
            let mut play = Play { state: loaded.state, number: 0 };
            bencher.iter_custom(|rounds| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..rounds {
                    let events: Vec<Stamped> =
                        (0..*batch).flat_map(|_| play.perform(send())).collect();
                    let started = Instant::now();
                    let written = store
                        .commit(&Batch { events: &events, state: &play.state })
                        .expect("a disk with room");
                    elapsed += started.elapsed();
                    if written == Written::Tables {
                        play.state.settle();
                    }
                }
                elapsed
            });
        });
    }
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let mut play = Play::begin();
    for (name, command) in [("message", send()), ("task", create(TASKS))] {
        let stamped = play.judged(command).swap_remove(0);
        criterion.bench_function(&format!("encode/{name}"), |bencher| {
            bencher.iter_batched(|| stamped.clone(), Entry::new, BatchSize::SmallInput);
        });
    }
}

fn frames(channels: Channels) -> Filter {
    let show = Show::Frames { notices: Notices::None, rest: Rest::Hidden };
    Filter { reader: Some(entity()), role: Role::Member, channels, show }
}

fn reading(criterion: &mut Criterion) {
    let hub = Hub::in_memory().expect("a hub");
    for _ in 0..WINDOW {
        hub.call(Caller::named(entity()), send()).expect("room");
    }
    let mut group = criterion.benchmark_group("window");
    group.throughput(Throughput::Elements(WINDOW));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let mut subscription = hub.subscribe(frames(Channels::All), Start::After(0));
            let mut shown = 0;
            loop {
                match subscription.try_next() {
                    Next::Item(Item::Shown(entry, view)) => {
                        shown += u64::from(black_box(entry.frame(view)).is_some());
                    }
                    Next::Item(_) => {}
                    Next::Idle => break,
                    Next::Behind => subscription.catch_up().expect("a page"),
                }
            }
            assert_eq!(shown, WINDOW);
        });
    });
    group.finish();
}

fn filtering(criterion: &mut Criterion) {
    let mut play = Play::begin();
    let message = Entry::new(play.judged(send()).swap_remove(0));
    let reader = Reader::new(&play.state, Some(entity()));
    let elsewhere = ChannelName::parse("elsewhere").expect("a channel");
    for (name, channels) in [
        ("shown", Channels::Named([channel()].into())),
        ("passed_over", Channels::Named([elsewhere].into())),
    ] {
        let filter = frames(channels);
        criterion.bench_function(&format!("filter/{name}"), |bencher| {
            bencher.iter(|| filter.view(black_box(&reader), black_box(&message)));
        });
    }
}

criterion_group! {
    name = parts;
    config = Criterion::default().without_plots().measurement_time(Duration::from_secs(3));
    targets = judging, making_true, committing, encoding, reading, filtering
}
criterion_main!(parts);
