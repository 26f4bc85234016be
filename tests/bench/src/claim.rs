//! Workers that ask for the next task, complete it and bring a new one, while others wait for what never comes.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ClaimArgs;
use crate::histogram::Histogram;
use crate::http::{Connection, authority, post, text_of};
use crate::report::{Report, rounded};

/// How many tasks one batch creates.
const BATCH: u32 = 1_000;
/// Of so many tasks in a row the first is open, and the others depend on it.
const GROUP: u32 = 10;

/// What one worker saw.
struct Tally {
    claims: Histogram,
    claimed: Vec<String>,
    refused: u64,
    broken: u64,
}

pub(crate) async fn run(args: &ClaimArgs) -> io::Result<Report> {
    let authority = authority(&args.common.url)?;
    let mut connection = Connection::open(authority).await?;
    finish(&mut connection, authority, args.finished).await?;
    fill(&mut connection, authority, "open", args.tasks).await?;
    let waiting = wait(authority, args.waiters).await?;
    let started = Instant::now();
    let until = started + Duration::from_secs(args.common.seconds);
    let mut workers = Vec::new();
    for worker in 0..args.workers {
        let connection = Connection::open(authority).await?;
        workers.push(tokio::spawn(work(connection, authority.to_owned(), worker, until)));
    }
    let mut total = Tally::new();
    for worker in workers {
        let tally = worker.await.map_err(io::Error::other)?;
        total.claims.merge(&tally.claims);
        total.claimed.extend(tally.claimed);
        total.refused += tally.refused;
        total.broken += tally.broken;
    }
    let elapsed = started.elapsed().as_secs_f64();
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    let claims = total.claimed.len();
    let different: HashSet<&String> = total.claimed.iter().collect();
    let mut report = Report::default();
    report.figure("open_tasks", args.tasks);
    report.figure("finished_tasks", args.finished);
    report.figure("waiters", args.waiters);
    report.figure("workers", args.workers);
    report.figure("cycles_per_second", rounded(claims as f64 / elapsed));
    report.figure("claim_next_p50_us", total.claims.quantile_micros(500));
    report.figure("claim_next_p99_us", total.claims.quantile_micros(990));
    report.fault("claimed_twice", (claims - different.len()) as u64);
    report.fault("refused", total.refused);
    report.fault("broken_connections", total.broken);
    Ok(report)
}

/// Creates tasks: one in ten can be claimed, the others depend on it.
async fn fill(
    connection: &mut Connection,
    authority: &str,
    prefix: &str,
    count: u32,
) -> io::Result<()> {
    for first in (0..count).step_by(BATCH as usize) {
        let tasks: Vec<Value> = (first..count.min(first + BATCH))
            .map(|n| {
                let head = n - n % GROUP;
                let depends_on =
                    if n == head { json!([]) } else { json!([format!("{prefix}-{head}")]) };
                json!({ "task_id": format!("{prefix}-{n}"), "title": "Load", "depends_on": depends_on })
            })
            .collect();
        let request = post(authority, "/tasks/create-batch", &json!(tasks));
        expect_200(connection.round_trip(&request).await?.0)?;
    }
    Ok(())
}

/// Creates tasks and withdraws them, so that the hub has a past.
async fn finish(connection: &mut Connection, authority: &str, count: u32) -> io::Result<()> {
    fill(connection, authority, "past", count).await?;
    for n in 0..count {
        let request =
            post(authority, &format!("/tasks/past-{n}/cancel"), &json!({ "entity_id": "bench" }));
        expect_200(connection.round_trip(&request).await?.0)?;
    }
    Ok(())
}

/// Has some wait for tasks with a tag that no task carries.
async fn wait(authority: &str, count: u32) -> io::Result<Vec<tokio::task::JoinHandle<()>>> {
    let mut waiting = Vec::new();
    for n in 0..count {
        let mut connection = Connection::open(authority).await?;
        let ask =
            json!({ "entity_id": format!("waiter-{n}"), "tags": ["never"], "wait_seconds": 60 });
        let request = post(authority, "/tasks/claim-next", &ask);
        waiting.push(tokio::spawn(async move {
            while connection.round_trip(&request).await.is_ok() {}
        }));
    }
    Ok(waiting)
}

impl Tally {
    fn new() -> Self {
        Self { claims: Histogram::new(), claimed: Vec::new(), refused: 0, broken: 0 }
    }
}

async fn work(mut connection: Connection, authority: String, worker: u32, until: Instant) -> Tally {
    let mut tally = Tally::new();
    let name = format!("worker-{worker}");
    let create = post(&authority, "/tasks/create", &json!({ "title": "Load" }));
    let next = post(&authority, "/tasks/claim-next", &json!({ "entity_id": name }));
    while Instant::now() < until {
        let cycle = cycle(&mut connection, &authority, &create, &next, &mut tally).await;
        match cycle {
            Ok(true) => {}
            Ok(false) => tally.refused += 1,
            Err(_) => {
                tally.broken += 1;
                break;
            }
        }
    }
    tally
}

/// A new task, the next one, and its end. `false` where something was refused.
async fn cycle(
    connection: &mut Connection,
    authority: &str,
    create: &[u8],
    next: &[u8],
    tally: &mut Tally,
) -> io::Result<bool> {
    if connection.round_trip(create).await?.0 != 200 {
        return Ok(false);
    }
    let asked = Instant::now();
    let (status, body) = connection.round_trip(next).await?;
    tally.claims.record(asked.elapsed());
    let (Some(id), Some(token)) = (text_of(body, "task_id"), number_of(body, "claim_token")) else {
        return Ok(false);
    };
    if status != 200 {
        return Ok(false);
    }
    let complete =
        post(authority, &format!("/tasks/{id}/complete"), &json!({ "claim_token": token }));
    tally.claimed.push(id);
    Ok(connection.round_trip(&complete).await?.0 == 200)
}

fn number_of(body: &[u8], name: &str) -> Option<u64> {
    serde_json::from_slice::<Value>(body).ok()?[name].as_u64()
}

fn expect_200(status: u16) -> io::Result<()> {
    if status == 200 { Ok(()) } else { Err(io::Error::other(format!("the hub answered {status}"))) }
}
