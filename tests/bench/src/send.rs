//! Many keep-alive connections, each posting one message after another.

use std::io;
use std::time::{Duration, Instant};

use crate::SendArgs;
use crate::histogram::Histogram;
use crate::http::{Connection, authority, send_request};
use crate::report::{Report, rounded};

/// What one connection saw.
struct Tally {
    latencies: Histogram,
    acknowledged: u64,
    refused: u64,
    broken: u64,
}

pub(crate) async fn run(args: &SendArgs) -> io::Result<Report> {
    let authority = authority(&args.common.url)?;
    let mut connections = Vec::new();
    for _ in 0..args.connections {
        connections.push(Connection::open(authority).await?);
    }
    let started = Instant::now();
    let until = started + Duration::from_secs(args.common.seconds);
    let tasks: Vec<_> = connections
        .into_iter()
        .enumerate()
        .map(|(index, connection)| {
            let content =
                format!("load {index:05}: {}", "the quick brown fox jumps over the lazy dogs");
            tokio::spawn(load(
                connection,
                send_request(authority, &format!("bench-{index}"), &content),
                until,
            ))
        })
        .collect();

    let mut total = Tally { latencies: Histogram::new(), acknowledged: 0, refused: 0, broken: 0 };
    for task in tasks {
        let tally = task.await.map_err(io::Error::other)?;
        total.latencies.merge(&tally.latencies);
        total.acknowledged += tally.acknowledged;
        total.refused += tally.refused;
        total.broken += tally.broken;
    }
    let elapsed = started.elapsed().as_secs_f64();

    let mut report = Report::default();
    report.figure("connections", args.connections);
    report.figure("seconds", rounded(elapsed));
    report.figure("acknowledged", total.acknowledged);
    report.figure("messages_per_second", rounded(total.acknowledged as f64 / elapsed));
    report.figure("latency_p50_us", total.latencies.quantile_micros(500));
    report.figure("latency_p99_us", total.latencies.quantile_micros(990));
    report.fault("refused", total.refused);
    report.fault("broken_connections", total.broken);
    Ok(report)
}

/// Posts until the time is up, or the connection breaks.
async fn load(mut connection: Connection, request: Vec<u8>, until: Instant) -> Tally {
    let mut tally = Tally { latencies: Histogram::new(), acknowledged: 0, refused: 0, broken: 0 };
    let mut sent_at = Instant::now();
    while sent_at < until {
        match connection.round_trip(&request).await {
            Ok((200, _)) => tally.acknowledged += 1,
            Ok(_) => tally.refused += 1,
            Err(_) => {
                tally.broken += 1;
                break;
            }
        }
        let answered_at = Instant::now();
        tally.latencies.record(answered_at - sent_at);
        sent_at = answered_at;
    }
    tally
}
