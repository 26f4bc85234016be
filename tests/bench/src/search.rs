//! Fills a hub with generated messages, and asks for pairs of words of every frequency, one after the other.

use std::{
    cell::Cell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use clap::Args;
use coordhub_server::bench::{
    finding::{Finding, Pace, row},
    histogram::Histogram,
    http::{Connection, get, number_after},
    load::send_request,
    target::Target,
};
use tokio::task::LocalSet;

use crate::vocabulary::{Vocabulary, queries};

/// How many connections send.
const CONNECTIONS: usize = 128;
/// How often the index is asked how far it is.
const ASKS: Duration = Duration::from_millis(20);

/// How a hub is searched.
#[derive(Args, Clone)]
pub(crate) struct SearchArgs {
    /// The hub.
    #[arg(long, default_value = "http://127.0.0.1:8550")]
    url: String,
    /// Messages that the hub is filled with.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    messages: u64,
    /// The hub was filled with them before.
    #[arg(long)]
    filled: bool,
    /// How often each query is asked.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// Fills and searches; `false` where a search was refused.
pub(crate) fn run(args: &SearchArgs) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let finding = runtime.block_on(search(args))?;
    if args.json {
        println!("{}", finding.to_json());
    } else {
        println!("{}", row(&finding));
    }
    Ok(finding.faults().next().is_none())
}

async fn search(args: &SearchArgs) -> io::Result<Finding> {
    let target = Target::at(&args.url)?;
    let authority = target.authority();
    let mut finding = Finding::new("search", Pace::Closed);
    finding.figure("messages", args.messages);
    if !args.filled {
        let filling = Instant::now();
        let head = LocalSet::new().run_until(fill(authority, args.messages)).await?;
        let filled = filling.elapsed().as_secs_f64();
        finding.figure("sent_a_second", args.messages as f64 / filled);
        let waiting = Instant::now();
        let mut connection = Connection::open(authority).await?;
        while indexed_up_to(&mut connection, authority).await? < head {
            tokio::time::sleep(ASKS).await;
        }
        finding.figure("index_behind_ms", waiting.elapsed().as_secs_f64() * 1e3);
    }
    let mut connection = Connection::open(authority).await?;
    let mut refused = 0;
    for (name, queries) in queries(args.messages) {
        let mut latencies = Histogram::default();
        for _ in 0..args.rounds {
            for query in &queries {
                let asked = Instant::now();
                let (status, _) = connection.round_trip(&search_request(authority, query)).await?;
                latencies.record(asked.elapsed());
                refused += u64::from(status != 200);
            }
        }
        for (figure, per_mille) in [("p50", 500), ("p95", 950), ("p99", 990), ("max", 1000)] {
            let micros = latencies.quantile(per_mille).as_secs_f64() * 1e6;
            finding.figure(format!("{name}_{figure}_us"), micros);
        }
    }
    finding.fault("refused", refused);
    Ok(finding)
}

/// Sends all messages, and says the highest `seq` that one of them got.
async fn fill(authority: &str, messages: u64) -> io::Result<u64> {
    let vocabulary = Rc::new(Vocabulary::new());
    let next = Rc::new(Cell::new(0));
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(authority).await?;
        let (vocabulary, next) = (vocabulary.clone(), next.clone());
        let authority = authority.to_owned();
        tasks.push(tokio::task::spawn_local(async move {
            let mut head = 0;
            while next.get() < messages {
                let number = next.replace(next.get() + 1);
                let content = vocabulary.message(number);
                let from = format!("bench-{}", number % 10);
                let request = send_request(&authority, &from, &content);
                let (status, body) = connection.round_trip(&request).await?;
                if status != 200 {
                    return Err(io::Error::other(format!("a send was answered with {status}")));
                }
                head = number_after(body, b"\"seq\":").unwrap_or(head).max(head);
            }
            Ok(head)
        }));
    }
    let mut head = 0;
    for task in tasks {
        head = task.await.map_err(io::Error::other)??.max(head);
    }
    Ok(head)
}

async fn indexed_up_to(connection: &mut Connection, authority: &str) -> io::Result<u64> {
    let (_, body) = connection.round_trip(&search_request(authority, "nowhere")).await?;
    number_after(body, b"\"indexed_up_to\":")
        .ok_or_else(|| io::Error::other("no indexed_up_to in a reply"))
}

/// The bytes of a search for the newest 50. Queries here are letters, digits, spaces and quotation marks.
fn search_request(authority: &str, query: &str) -> Vec<u8> {
    let query = query.replace(' ', "%20").replace('"', "%22");
    get(authority, format_args!("/messages/search?q={query}"))
}
