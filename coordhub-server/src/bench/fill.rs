//! Fills a hub, for what has to be measured with much in it.

use std::{
    io,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    CHANNEL, Run,
    http::{invalid, number_after, post},
};

/// How many messages or tasks one request brings: as many as a hub takes.
const BATCH: u64 = 1_000;
/// Two have the hub read one batch while it writes the other.
const CONNECTIONS: usize = 2;
/// Of so many tasks in a row the first is open, and the others depend on it.
const GROUP: u64 = 10;

/// How much a hub holds.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Messages.
    pub messages: u64,
    /// Tasks.
    pub tasks: u64,
}

/// Asks the hub how much it holds.
pub async fn stored(run: &Run) -> io::Result<Stored> {
    let state = run.get("/state").await?;
    let count = |member: &[u8]| number_after(&state, member);
    match (count(b"\"messages\":"), count(b"\"tasks\":")) {
        (Some(messages), Some(tasks)) => Ok(Stored { messages, tasks }),
        _ => Err(invalid("the hub does not say how much it holds")),
    }
}

/// Sends batches until so many messages are stored. How many it were, and how long it took.
pub async fn messages(run: &Run, wanted: u64) -> io::Result<(u64, Duration)> {
    let missing = wanted.saturating_sub(stored(run).await?.messages);
    let started = Instant::now();
    let connections = run.connections(CONNECTIONS).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, mut connection) in connections.into_iter().enumerate() {
        let batches = parts(missing, index as u64);
        let full = batch(run.authority(), BATCH);
        let (authority, progress) = (run.authority().to_owned(), run.progress.clone());
        tasks.spawn(async move {
            for count in batches {
                if count == BATCH {
                    connection.expect_ok(&full).await?;
                } else {
                    connection.expect_ok(&batch(&authority, count)).await?;
                }
                progress.add(count);
            }
            Ok::<_, io::Error>(())
        });
    }
    tasks.join_all().await.into_iter().collect::<io::Result<()>>()?;
    Ok((missing, started.elapsed()))
}

/// The batches of one connection: every `CONNECTIONS`th of all.
fn parts(total: u64, index: u64) -> Vec<u64> {
    (0..total)
        .step_by(BATCH as usize)
        .map(|first| BATCH.min(total - first))
        .skip(index as usize)
        .step_by(CONNECTIONS)
        .collect()
}

fn batch(authority: &str, count: u64) -> Vec<u8> {
    let messages: Vec<Value> = (0..count)
        .map(|n| {
            let content = format!("stored {n:05}: the quick brown fox jumps over the lazy dogs");
            json!({ "from_entity": "bench-filler", "channel": CHANNEL, "content": content })
        })
        .collect();
    post(authority, "/messages/send-batch", &json!({ "messages": messages }))
}

/// Creates tasks: one in ten can be claimed, the others depend on it. Their ids begin with `prefix`.
pub async fn tasks(run: &Run, prefix: &str, count: u64) -> io::Result<()> {
    let mut connections = run.connections(1).await?;
    for first in (0..count).step_by(BATCH as usize) {
        let tasks: Vec<Value> = (first..count.min(first + BATCH))
            .map(|n| {
                let head = n - n % GROUP;
                let depends_on =
                    if n == head { json!([]) } else { json!([format!("{prefix}-{head}")]) };
                json!({ "task_id": format!("{prefix}-{n}"), "title": "Load", "depends_on": depends_on })
            })
            .collect();
        let request = post(run.authority(), "/tasks/create-batch", &json!({ "tasks": tasks }));
        for connection in &mut connections {
            connection.expect_ok(&request).await?;
        }
        run.progress.add(tasks.len() as u64);
    }
    Ok(())
}

/// Creates tasks and withdraws them, so that the hub has a past.
pub async fn finished_tasks(run: &Run, prefix: &str, count: u64) -> io::Result<()> {
    tasks(run, prefix, count).await?;
    let mut withdrawals = tokio::task::JoinSet::new();
    for (index, mut connection) in run.connections(64).await?.into_iter().enumerate() {
        let (authority, prefix) = (run.authority().to_owned(), prefix.to_owned());
        let progress = run.progress.clone();
        withdrawals.spawn(async move {
            for n in (index as u64..count).step_by(64) {
                let path = format!("/tasks/{prefix}-{n}/cancel");
                let request = post(&authority, path, &json!({ "entity_id": "bench" }));
                connection.expect_ok(&request).await?;
                progress.add(1);
            }
            Ok::<_, io::Error>(())
        });
    }
    withdrawals.join_all().await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole() {
        for total in [0, 1, 999, 1_000, 1_001, 12_345] {
            let parts: u64 = (0..CONNECTIONS as u64).flat_map(|index| parts(total, index)).sum();
            assert_eq!(parts, total);
        }
    }
}
