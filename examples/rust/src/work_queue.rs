//! Ten tasks and five workers. One of them stops in the middle of its work, as if it had crashed.
//!
//! A worker asks for whatever comes next, holds it under a lease of five seconds, and says now and then that it is still
//! at work. The one that stops falls silent, its lease lapses, and its task goes to another.

use std::{collections::BTreeSet, thread, time::Duration};

use coordhub_core::{
    Claim, Hub, JsonText, Outcome, Request,
    command::{ClaimNext, Command, CompleteTask, CreateTask, RenewLease},
    ids::TaskId,
    model::{EntityType, TaskStatus},
};
use coordhub_examples::{Actor, Failure, joined};

const TASKS: usize = 10;
const WORKERS: usize = 5;
const LEASE_SECONDS: u32 = 5;
/// Longer than a lease: what a worker lost comes back within it.
const PATIENCE: Duration = Duration::from_secs(LEASE_SECONDS as u64 + 2);

fn main() -> Result<(), Failure> {
    let hub = Hub::in_memory()?;
    let boss = Actor::register(&hub, "boss", EntityType::AiAgent)?;
    let chunks = (0..TASKS).map(|number| CreateTask::titled(format!("Process chunk {number}")));
    // All of them, or none.
    let reply = boss.call(Command::CreateTasks(chunks.collect()))?;
    let Outcome::Tasks(tasks) = reply.outcome else { return Err("no tasks".into()) };

    let crasher = Actor::register(&hub, "worker-1", EntityType::AiAgent)?;
    let lost = claim_next(&crasher)?.ok_or("nothing to claim")?.task.task_id.clone();
    println!("{} stops while it holds {lost}", crasher.id);

    let won = thread::scope(|scope| {
        let workers: Vec<_> = (2..=WORKERS)
            .map(|number| {
                let hub = &hub;
                scope.spawn(move || work(hub, number))
            })
            .collect();
        workers.into_iter().map(joined).collect::<Result<Vec<_>, _>>()
    })?;

    let done: Vec<TaskId> = won.into_iter().flatten().collect();
    assert_eq!(done.len(), TASKS, "no task was done twice");
    let all: BTreeSet<_> = tasks.iter().map(|task| task.task_id.clone()).collect();
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>(), all, "every task was done");
    let orphan = hub.task(&lost)?;
    assert_eq!((orphan.status, orphan.attempts), (TaskStatus::Completed, 1));
    let rescuer = orphan.claimed_by.ok_or("nobody did it")?;
    assert_ne!(rescuer, crasher.id);
    println!("{TASKS} tasks, each done once; what lapsed was done by {rescuer}");
    Ok(())
}

/// Does what there is until nothing has come for longer than a lease; which tasks it did.
fn work(hub: &Hub, number: usize) -> Result<Vec<TaskId>, Failure> {
    let me = Actor::register(hub, &format!("worker-{number}"), EntityType::AiAgent)?;
    let mut done = Vec::new();
    while let Some(claim) = claim_next(&me)? {
        let (task_id, claim_token) = (claim.task.task_id.clone(), Some(claim.claim_token));
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(100)); // The work.
            me.call(Command::RenewLease(RenewLease { task_id: task_id.clone(), claim_token }))?;
        }
        let result = Some(JsonText::string(&format!("done by {}", me.id)));
        let complete = CompleteTask { task_id: task_id.clone(), result, claim_token };
        me.task(Command::CompleteTask(complete))?;
        done.push(task_id);
    }
    Ok(done)
}

/// Whatever comes next, waited for; none where nothing came.
fn claim_next(me: &Actor) -> Result<Option<Claim>, Failure> {
    let next = ClaimNext { lease_seconds: LEASE_SECONDS, ..ClaimNext::default() };
    let request = Request::new(me.caller(), Command::ClaimNext(next));
    let ticket = me.hub.submit_request(Request { wait: PATIENCE, ..request })?;
    match ticket.wait()?.outcome {
        Outcome::Claimed(claim) => Ok(Some(claim)),
        _ => Ok(None),
    }
}
