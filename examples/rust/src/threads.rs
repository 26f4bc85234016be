//! A hub driven from plain threads: no async runtime, no sockets.
//!
//! Four workers go for the same twenty tasks in the same order, so that almost every claim is contested. A fifth thread
//! follows the log. At the end the accounts of both must agree: each task was won exactly once.

use std::{collections::BTreeMap, error::Error, thread, time::Duration};

use coordhub_core::{
    Hub, HubError, JsonText,
    command::{Caller, ClaimTask, Command, CompleteTask, CreateTask, Role},
    event::Event,
    hub::Rejection,
    ids::{EntityId, TaskId},
    subscribe::{Channels, Filter, Item, Show, Start, Subscription},
};

/// An error of a thread must be able to leave it.
type Failure = Box<dyn Error + Send + Sync>;

const TASKS: usize = 20;
const WORKERS: usize = 4;

/// How long the follower waits for the next event before it says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who won which task.
type Wins = BTreeMap<TaskId, EntityId>;

fn main() -> Result<(), Failure> {
    // `Hub::open("some.db")` keeps it in a file; nothing else in this program would change.
    let hub = Hub::in_memory()?;

    // A subscription is a cursor, so it may be taken before anything happens and read whenever there is time.
    let follower = hub.subscribe(log_of(&["task_claimed", "task_completed"]), Start::Live);
    let tasks = create_tasks(&hub)?;

    let (seen, accounts) = thread::scope(|scope| {
        let following = scope.spawn(|| follow(follower));
        let working: Vec<_> = (1..=WORKERS)
            .map(|number| {
                scope.spawn({
                    let (hub, tasks) = (&hub, &tasks);
                    move || work(hub, number, tasks)
                })
            })
            .collect();
        let accounts: Result<Vec<_>, Failure> = working.into_iter().map(joined).collect();
        Ok::<_, Failure>((joined(following)?, accounts?))
    })?;

    let mut won = Wins::new();
    for (worker, mine) in &accounts {
        println!("{worker} won {} of {TASKS}", mine.len());
        for task in mine {
            let other = won.insert(task.clone(), worker.clone());
            assert_eq!(other, None, "{task} was won twice");
        }
    }
    assert_eq!(won.len(), TASKS, "every task was won");
    assert_eq!(won, seen, "the log says the same as the workers");
    println!("{TASKS} tasks, {WORKERS} workers, each task won once; head at {}", hub.head_seq());

    // Saves presence and lets go of the file. It would also happen when the last handle is dropped.
    hub.close();
    Ok(())
}

/// What a subscriber wants to see: the log, narrowed to some kinds of event.
fn log_of(kinds: &[&str]) -> Filter {
    let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    // Nobody in particular reads, so nothing that is for one entity alone will be shown.
    Filter {
        reader: None,
        role: Role::Member,
        channels: Channels::All,
        show: Show::Log { kinds: Some(kinds) },
    }
}

/// Creates the tasks. `submit` does not wait, so all of them share a transaction or two.
fn create_tasks(hub: &Hub) -> Result<Vec<TaskId>, Failure> {
    let boss = EntityId::parse("boss")?;
    let mut tickets = Vec::new();
    let mut tasks = Vec::new();
    for number in 1..=TASKS {
        let task_id = TaskId::parse(&format!("chunk-{number:02}"))?;
        let create = CreateTask {
            task_id: Some(task_id.clone()),
            ..CreateTask::titled(format!("Process chunk {number}"))
        };
        tickets.push(hub.submit(Caller::named(boss.clone()), Command::CreateTask(create))?);
        tasks.push(task_id);
    }
    // An answer is given when the change is on disk.
    for ticket in tickets {
        ticket.wait()?;
    }
    Ok(tasks)
}

/// Goes for every task, and completes those it gets.
fn work(hub: &Hub, number: usize, tasks: &[TaskId]) -> Result<(EntityId, Vec<TaskId>), Failure> {
    let worker = EntityId::parse(&format!("worker-{number}"))?;
    let caller = Caller::named(worker.clone());
    let mut won = Vec::new();
    for task_id in tasks {
        let claim = ClaimTask::of(task_id.clone());
        match hub.call(caller.clone(), Command::ClaimTask(claim)) {
            Ok(_) => {}
            // Another was first, or has finished it already: the usual way to lose.
            Err(HubError::Rejected(
                Rejection::TaskAlreadyClaimed { .. } | Rejection::TaskNotOpen { .. },
            )) => continue,
            Err(other) => return Err(other.into()),
        }
        let complete = CompleteTask {
            task_id: task_id.clone(),
            result: Some(JsonText::string(&format!("done by {worker}"))),
            claim_token: None,
        };
        hub.call(caller.clone(), Command::CompleteTask(complete))?;
        won.push(task_id.clone());
    }
    Ok((worker, won))
}

/// Follows the log until every task is completed; who claimed what.
fn follow(mut subscription: Subscription) -> Result<Wins, Failure> {
    let mut claimed = Wins::new();
    let mut completed = 0;
    while completed < TASKS {
        // Waits on a condition variable, and reads the store by itself where the cursor has fallen behind memory.
        let item = subscription.next_timeout(PATIENCE)?.ok_or("the log fell silent")?;
        let Item::Shown(entry, _) = item else { continue };
        match entry.event() {
            Some(Event::TaskClaimed(event)) => {
                let other = claimed.insert(event.task_id.clone(), event.claimed_by.clone());
                assert_eq!(other, None, "{} was claimed twice", event.task_id);
            }
            Some(Event::TaskCompleted(_)) => completed += 1,
            _ => {}
        }
    }
    Ok(claimed)
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
