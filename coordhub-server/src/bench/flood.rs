//! What the others get beside one that asks as fast as it can: entities that send by the clock, on a hub in token mode,
//! and beside them nobody, a flood, or just what is admitted of one.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout_at},
};

use super::{
    Run,
    finding::{Finding, Pace},
    http::{Connection, find},
    load::{Tally, send_request},
};

/// How many send by the clock, and of how many it is seen how they fare.
const STEADY: usize = 10;
/// How many a second each of them sends.
const EACH: u32 = 50;
/// What is admitted of one entity a second: so many others send as much by the clock.
const OTHERS: usize = 10;
/// Over so many connections a flood comes.
const FLOOD_CONNECTIONS: usize = 16;
/// Within so long a flood must have met its bound.
const BOUND_MET_MAX: Duration = Duration::from_secs(20);

/// What there is beside those that are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beside {
    /// One entity that asks as fast as it can, whatever it is told.
    Flood,
    /// As much as is admitted of that, from others who send by the clock.
    Admitted,
}

/// What a flood was told.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    admitted: u64,
    refused: u64,
    /// Refused without a word of when to come back.
    unhelpful: u64,
    /// Anything else.
    other: u64,
}

/// Sends by the clock beside that. The hub must be in token mode, with the bounds that it has by default.
pub async fn run(run: &Run, name: &str, beside: Beside) -> io::Result<Finding> {
    let tokens = run.tokens.clone().ok_or_else(|| io::Error::other("it takes token mode"))?;
    tokens.make(run, STEADY + OTHERS).await?;
    let request = |index: usize| {
        let content = format!("load {index:05}: the quick brown fox jumps over the lazy dogs");
        let send = send_request(run.authority(), &format!("bench-{index}"), &content);
        tokens.as_member(&send, index)
    };
    let seen = Arc::new(Mutex::new(Tally::default()));
    let unseen = Arc::new(Mutex::new(Tally::default()));
    let others = if beside == Beside::Admitted { OTHERS } else { 0 };
    let connections = run.connections(STEADY + others).await?;
    if beside == Beside::Flood {
        use_up(run, &request(STEADY)).await?;
    }
    let started = Instant::now();
    let until = started + run.duration;
    // On a thread of its own, so that it does not hold up the clock of the others.
    let flood = (beside == Beside::Flood).then(|| {
        let (authority, request) = (run.authority().to_owned(), request(STEADY));
        std::thread::spawn(move || flood(&authority, &request, until))
    });
    let mut tasks = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        let tally = Arc::clone(if index < STEADY { &seen } else { &unseen });
        let offset = Duration::from_secs(1) / EACH * index as u32 / (STEADY + others) as u32;
        tasks.spawn(by_the_clock(connection, request(index), started + offset, until, tally));
    }
    tasks.join_all().await;
    let elapsed = started.elapsed();
    let told = match flood {
        Some(thread) => thread.join().map_err(|_| io::Error::other("the flood has a fault"))??,
        None => Told::default(),
    };
    let seen = std::mem::take(&mut *seen.lock());
    let unseen = std::mem::take(&mut *unseen.lock());
    let others_refused = unseen.refused + unseen.broken;
    let mut finding = seen.finding(name, elapsed, "messages", "broken_connections");
    finding.pace = Pace::Clock;
    finding.fault("others_refused", others_refused);
    if beside == Beside::Flood {
        let a_second = |count: u64| (count as f64 / elapsed.as_secs_f64()).round();
        finding.figure("flood_admitted_a_second", a_second(told.admitted));
        finding.figure("flood_refused_a_second", a_second(told.refused));
        finding.fault("flood_unbounded", u64::from(told.refused == 0));
        finding.fault("refused_without_retry_after", told.unhelpful);
        finding.fault("flood_broken", told.other);
    }
    Ok(finding)
}

/// Asks once a period. A latency counts from when the request was due.
async fn by_the_clock(
    mut connection: Connection,
    request: Vec<u8>,
    first: Instant,
    until: Instant,
    tally: Arc<Mutex<Tally>>,
) {
    let mut due = first;
    while due < until {
        sleep_until(due.into()).await;
        let answer = connection.round_trip(&request).await.map(|(status, _)| status);
        let mut tally = tally.lock();
        match answer {
            Ok(200) => tally.answered += 1,
            Ok(_) => tally.refused += 1,
            Err(_) => {
                tally.broken += 1;
                return;
            }
        }
        tally.latencies.record(due.elapsed());
        due += Duration::from_secs(1) / EACH;
    }
}

/// Asks until the first refusal: what has gathered in a bucket is no part of what is admitted a second.
async fn use_up(run: &Run, request: &[u8]) -> io::Result<()> {
    let until = Instant::now() + BOUND_MET_MAX;
    let mut tasks = JoinSet::new();
    for mut connection in run.connections(FLOOD_CONNECTIONS).await? {
        let request = request.to_vec();
        tasks.spawn(async move {
            while Instant::now() < until {
                if !matches!(connection.round_trip(&request).await, Ok((200, _))) {
                    return;
                }
            }
        });
    }
    tasks.join_all().await;
    Ok(())
}

fn flood(authority: &str, request: &[u8], until: Instant) -> io::Result<Told> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..FLOOD_CONNECTIONS {
            let connection = Connection::open(authority).await?;
            tasks.spawn(as_fast_as_it_can(connection, request.to_vec(), until));
        }
        let mut all = Told::default();
        for told in tasks.join_all().await {
            all.admitted += told.admitted;
            all.refused += told.refused;
            all.unhelpful += told.unhelpful;
            all.other += told.other;
        }
        Ok(all)
    })
}

async fn as_fast_as_it_can(mut connection: Connection, request: Vec<u8>, until: Instant) -> Told {
    let mut told = Told::default();
    while Instant::now() < until {
        let Ok(answer) = timeout_at(until.into(), connection.round_trip(&request)).await else {
            break;
        };
        match answer.map(|(status, _)| status) {
            Ok(200) => told.admitted += 1,
            Ok(429) => {
                told.refused += 1;
                let head = connection.reply().to_ascii_lowercase();
                told.unhelpful += u64::from(find(&head, b"\r\nretry-after: ").is_none());
            }
            Ok(_) => told.other += 1,
            Err(_) => {
                told.other += 1;
                break;
            }
        }
    }
    told
}
