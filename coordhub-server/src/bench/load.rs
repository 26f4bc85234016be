//! Many keep-alive connections, each asking one thing after another: sends, reads, heartbeats, and a mixture.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    CHANNEL, Run,
    finding::{Finding, Pace},
    histogram::Histogram,
    http::{Connection, get, post},
    progress::Progress,
};

/// What one connection asks for, in turn, again and again.
pub type Lane = Vec<Vec<u8>>;

/// What those who asked saw, one thing after another each.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) latencies: Histogram,
    pub(super) answered: u64,
    pub(super) refused: u64,
    pub(super) broken: u64,
}

impl Tally {
    /// What came of it. `what` was counted, and `broken` says what ended before its time.
    pub(super) fn finding(
        self,
        name: &str,
        elapsed: Duration,
        what: &'static str,
        broken: &'static str,
    ) -> Finding {
        let mut finding = Finding::new(name, Pace::Closed);
        finding.count(self.answered, elapsed, what);
        finding.latencies = Some(self.latencies);
        finding.fault("refused", self.refused);
        finding.fault(broken, self.broken);
        finding
    }
}

/// Asks on each lane, on a connection of its own, until the time is up. `what` is counted.
pub async fn closed(
    run: &Run,
    name: &str,
    what: &'static str,
    mut lanes: Vec<Lane>,
) -> io::Result<Finding> {
    if let Some(tokens) = &run.tokens {
        tokens.make(run, lanes.len()).await?;
        for (index, lane) in lanes.iter_mut().enumerate() {
            lane.iter_mut().for_each(|request| *request = tokens.as_member(request, index));
        }
    }
    let connections = run.connections(lanes.len()).await?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let started = Instant::now();
    let until = started + run.duration;
    let mut tasks = tokio::task::JoinSet::new();
    for (connection, lane) in connections.into_iter().zip(lanes) {
        tasks.spawn(ask(connection, lane, until, Arc::clone(&tally), run.progress.clone()));
    }
    tasks.join_all().await;
    let elapsed = started.elapsed();
    let tally = std::mem::take(&mut *tally.lock());
    Ok(tally.finding(name, elapsed, what, "broken_connections"))
}

async fn ask(
    mut connection: Connection,
    lane: Lane,
    until: Instant,
    tally: Arc<Mutex<Tally>>,
    progress: Progress,
) {
    let mut asked = Instant::now();
    for request in lane.iter().cycle() {
        if asked >= until {
            return;
        }
        let answer = connection.round_trip(request).await.map(|(status, _)| status);
        let answered = Instant::now();
        let mut tally = tally.lock();
        match answer {
            Ok(200) => tally.answered += 1,
            Ok(_) => tally.refused += 1,
            Err(_) => {
                tally.broken += 1;
                return;
            }
        }
        tally.latencies.record(answered - asked);
        progress.add(1);
        asked = answered;
    }
}

/// The bytes of a send to the load's channel.
pub fn send_request(authority: &str, from_entity: &str, content: &str) -> Vec<u8> {
    let body = json!({ "from_entity": from_entity, "content": content, "channel": CHANNEL });
    post(authority, "/messages/send", &body)
}

/// Connections that send: durable messages, one at a time each.
pub async fn sends(run: &Run, name: &str, connections: usize) -> io::Result<Finding> {
    let lane = |index| {
        let content = format!("load {index:05}: the quick brown fox jumps over the lazy dogs");
        vec![send_request(run.authority(), &format!("bench-{index}"), &content)]
    };
    let lanes = (0..connections).map(lane).collect();
    closed(run, name, "messages", lanes).await
}

/// Connections that read the same path.
pub async fn reads(run: &Run, name: &str, connections: usize, path: &str) -> io::Result<Finding> {
    let stored = super::fill::stored(run).await?;
    let size = run.get(path).await?.len();
    let lanes = vec![vec![get(run.authority(), path)]; connections];
    let mut finding = closed(run, name, "reads", lanes).await?;
    finding.figure("bytes_each", size);
    finding.figure("messages_stored", stored.messages);
    finding.figure("tasks_stored", stored.tasks);
    Ok(finding)
}

/// Registers `bench-0` and so on, which heartbeats need. Registering again changes nothing.
pub async fn register(run: &Run, count: usize) -> io::Result<()> {
    if let Some(tokens) = &run.tokens {
        return tokens.make(run, count).await;
    }
    let mut connection = Connection::open(run.authority()).await?;
    for index in 0..count {
        let body = json!({ "entity_id": format!("bench-{index}"), "entity_type": "service" });
        let request = post(run.authority(), "/entities/register", &body);
        connection.expect_ok(&request).await?;
    }
    Ok(())
}

fn heartbeat_request(authority: &str, index: usize) -> Vec<u8> {
    post(authority, format_args!("/entities/bench-{index}/heartbeat"), &json!({}))
}

/// Connections that say that they are there, each for an entity of its own.
pub async fn heartbeats(run: &Run, name: &str, connections: usize) -> io::Result<Finding> {
    register(run, connections).await?;
    let lane = |index| vec![heartbeat_request(run.authority(), index)];
    closed(run, name, "heartbeats", (0..connections).map(lane).collect()).await
}

/// Connections that do what agents do: of ten requests three heartbeats, three sends, two looks at what is new, one
/// at the inbox, one at the open tasks. Each begins at another place.
pub async fn mixture(run: &Run, name: &str, connections: usize) -> io::Result<Finding> {
    register(run, connections).await?;
    let lane = |index: usize| {
        let authority = run.authority();
        let send = || {
            let content = "mixed load: what an agent says while others read and work";
            send_request(authority, &format!("bench-{index}"), content)
        };
        let recent = || get(authority, format_args!("/messages/recent?channel={CHANNEL}&limit=20"));
        let mut lane = vec![
            heartbeat_request(authority, index),
            send(),
            recent(),
            send(),
            heartbeat_request(authority, index),
            get(authority, format_args!("/messages/for/bench-{index}?limit=20")),
            send(),
            recent(),
            heartbeat_request(authority, index),
            get(authority, "/tasks/list?status=open&limit=20"),
        ];
        let turn = index % lane.len();
        lane.rotate_left(turn);
        lane
    };
    closed(run, name, "requests", (0..connections).map(lane).collect()).await
}
