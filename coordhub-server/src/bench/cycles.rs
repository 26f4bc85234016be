//! Tasks from their creation to their end, by workers; and the proof that no task was claimed twice.

use std::{collections::HashSet, io, sync::Arc, time::Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    Run, fill,
    finding::{Finding, Pace},
    histogram::Histogram,
    http::{Connection, number_after, post, text_after},
    progress::Progress,
};

/// Unfinished tasks that `claim_next` looks through: one in ten can be claimed, the others depend on it.
const UNFINISHED: u64 = 10_000;
/// Those who wait meanwhile for a task that never comes.
const WAITERS: usize = 1_000;

/// What the workers saw.
#[derive(Default)]
struct Tally {
    latencies: Histogram,
    claimed: Vec<String>,
    cycles: u64,
    refused: u64,
    broken: u64,
}

/// Where a worker's next task comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    /// It claims the task that it created.
    Own,
    /// It claims what comes next.
    Next,
}

/// Workers that create, claim and complete, each its own tasks: three requests a cycle.
pub async fn own_tasks(run: &Run, name: &str, workers: usize) -> io::Result<Finding> {
    let mut finding = cycles(run, name, workers, From::Own).await?;
    finding.figure("requests_a_second", finding.per_second() * 3.0);
    Ok(finding)
}

/// Workers that create a task and claim what comes next, among many tasks, while many wait.
pub async fn claim_next(run: &Run, name: &str, workers: usize) -> io::Result<Finding> {
    fill::tasks(run, &format!("open-{}", run.tag), UNFINISHED).await?;
    let waiting = wait(run, WAITERS).await?;
    let mut finding = cycles(run, name, workers, From::Next).await?;
    drop(waiting);
    finding.figure("unfinished_tasks", UNFINISHED);
    finding.figure("waiters", WAITERS);
    Ok(finding)
}

async fn cycles(run: &Run, name: &str, workers: usize, from: From) -> io::Result<Finding> {
    let connections = run.connections(workers).await?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let started = Instant::now();
    let until = started + run.duration;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        let worker = Worker {
            connection,
            authority: run.authority().to_owned(),
            name: format!("bench-{index}"),
            ids: format!("bench-{}-{name}-{index}", run.tag),
            tally: Arc::clone(&tally),
            progress: run.progress.clone(),
        };
        tasks.spawn(worker.work(from, until));
    }
    tasks.join_all().await;
    let elapsed = started.elapsed();
    let tally = std::mem::take(&mut *tally.lock());
    let different: HashSet<&String> = tally.claimed.iter().collect();
    let mut finding = Finding::new(name, Pace::Closed);
    finding.count(tally.cycles, elapsed, "cycles");
    finding.fault("claimed_twice", (tally.claimed.len() - different.len()) as u64);
    finding.latencies = Some(tally.latencies);
    finding.fault("refused", tally.refused);
    finding.fault("broken_connections", tally.broken);
    Ok(finding)
}

struct Worker {
    connection: Connection,
    authority: String,
    name: String,
    ids: String,
    tally: Arc<Mutex<Tally>>,
    progress: Progress,
}

impl Worker {
    async fn work(mut self, from: From, until: Instant) {
        for number in 0_u64.. {
            let begun = Instant::now();
            if begun >= until {
                return;
            }
            let cycle = self.cycle(from, number).await;
            let mut tally = self.tally.lock();
            match cycle {
                Ok(Some(claimed)) => {
                    tally.claimed.push(claimed);
                    tally.cycles += 1;
                }
                Ok(None) => tally.refused += 1,
                Err(_) => {
                    tally.broken += 1;
                    return;
                }
            }
            tally.latencies.record(begun.elapsed());
            self.progress.add(1);
        }
    }

    /// A new task, a claim, and the end of what was claimed. `None` where something was refused.
    async fn cycle(&mut self, from: From, number: u64) -> io::Result<Option<String>> {
        let Self { connection, authority, name, ids, .. } = self;
        let own = format!("{ids}-{number}");
        let create = post(authority, "/tasks/create", &json!({ "task_id": own, "title": "Load" }));
        if connection.round_trip(&create).await?.0 != 200 {
            return Ok(None);
        }
        let who = json!({ "entity_id": name });
        let claim = match from {
            From::Own => post(authority, format_args!("/tasks/{own}/claim"), &who),
            From::Next => post(authority, "/tasks/claim-next", &who),
        };
        let (200, claimed) = connection.round_trip(&claim).await? else { return Ok(None) };
        let id = text_after(claimed, b"\"task_id\":\"").map(str::to_owned);
        let token = number_after(claimed, b"\"claim_token\":");
        let (Some(id), Some(token)) = (id, token) else { return Ok(None) };
        let token = json!({ "claim_token": token });
        let complete = post(authority, format_args!("/tasks/{id}/complete"), &token);
        Ok((connection.round_trip(&complete).await?.0 == 200).then_some(id))
    }
}

/// Has some wait for tasks with a tag that no task carries, until the answer is dropped.
async fn wait(run: &Run, count: usize) -> io::Result<tokio::task::JoinSet<()>> {
    let mut waiting = tokio::task::JoinSet::new();
    for (index, mut connection) in run.connections(count).await?.into_iter().enumerate() {
        let ask = json!({ "entity_id": format!("waiter-{index}"), "tags": ["never"], "wait_seconds": 60 });
        let request = post(run.authority(), "/tasks/claim-next", &ask);
        waiting.spawn(async move { while connection.round_trip(&request).await.is_ok() {} });
    }
    Ok(waiting)
}

/// Rounds in which all rivals claim the same task at the same time, of whom one must win.
pub async fn race(run: &Run, name: &str, rivals: usize) -> io::Result<Finding> {
    let mut connections = run.connections(rivals).await?;
    let authority = run.authority();
    let started = Instant::now();
    let until = started + run.duration;
    let (mut rounds, mut twice, mut unclaimed) = (0_u64, 0_u64, 0_u64);
    let mut latencies = Histogram::default();
    while Instant::now() < until {
        let id = format!("race-{}-{rounds}", run.tag);
        let create = post(authority, "/tasks/create", &json!({ "task_id": id, "title": "Load" }));
        connections[0].expect_ok(&create).await?;
        let begun = Instant::now();
        let claims = connections.iter_mut().enumerate().map(async |(index, connection)| {
            let who = json!({ "entity_id": format!("bench-{index}") });
            let claim = post(authority, format_args!("/tasks/{id}/claim"), &who);
            connection.round_trip(&claim).await.map(|(status, _)| status == 200)
        });
        let won = join_all(claims).await.into_iter().collect::<io::Result<Vec<bool>>>()?;
        latencies.record(begun.elapsed());
        match won.iter().filter(|won| **won).count() {
            0 => unclaimed += 1,
            1 => {}
            more => twice += more as u64 - 1,
        }
        rounds += 1;
        run.progress.add(1);
    }
    let mut finding = Finding::new(name, Pace::Closed);
    finding.count(rounds * rivals as u64, started.elapsed(), "claims");
    finding.latencies = Some(latencies);
    finding.figure("rivals", rivals);
    finding.fault("claimed_twice", twice);
    finding.fault("claimed_by_nobody", unclaimed);
    Ok(finding)
}
