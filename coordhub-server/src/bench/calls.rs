//! Changes through sockets, several under way on each.

use std::{io, sync::Arc, time::Instant};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    CHANNEL, Run,
    finding::Finding,
    http::{find, number_after},
    load::Tally,
    progress::Progress,
    socket::{Scratch, Socket, text_frame},
};

const REPLY: &[u8] = b"{\"type\":\"reply\"";

/// Sockets that send durable messages by `call`, so many at a time each.
pub async fn run(run: &Run, name: &str, sockets: usize, in_flight: usize) -> io::Result<Finding> {
    let mut open = Vec::new();
    for index in 0..sockets {
        let path = format!("/ws/bench-{index}?notices=none");
        open.push(Socket::open(run.authority(), &path).await?);
    }
    let tally = Arc::new(Mutex::new(Tally::default()));
    let scratch = Arc::new(Scratch::default());
    let started = Instant::now();
    let until = started + run.duration;
    let mut tasks = tokio::task::JoinSet::new();
    for (index, socket) in open.into_iter().enumerate() {
        let caller = Caller {
            socket,
            frames: (0..in_flight).map(|id| call(id, index)).collect(),
            called: vec![started; in_flight],
            under_way: in_flight,
            until,
        };
        let (tally, scratch) = (Arc::clone(&tally), Arc::clone(&scratch));
        let progress = run.progress.clone();
        tasks.spawn(async move {
            if caller.keep_calling(&scratch, &tally, &progress).await.is_err() {
                tally.lock().broken += 1;
            }
        });
    }
    tasks.join_all().await;
    let elapsed = started.elapsed();
    let tally = std::mem::take(&mut *tally.lock());
    let mut finding = tally.finding(name, elapsed, "messages", "broken_sockets");
    finding.figure("in_flight_each", in_flight);
    Ok(finding)
}

/// The frame of a call. Its id is the place in which it is under way.
fn call(id: usize, index: usize) -> Vec<u8> {
    let content = format!("call {index:05}: the quick brown fox jumps over the lazy dogs");
    let args = json!({ "channel": CHANNEL, "content": content });
    let call = json!({ "type": "call", "id": id, "op": "messages.send", "args": args });
    text_frame(call.to_string().as_bytes())
}

/// One socket, and what is under way on it.
struct Caller {
    socket: Socket,
    frames: Vec<Vec<u8>>,
    called: Vec<Instant>,
    under_way: usize,
    until: Instant,
}

/// An answer: the place of its call, and whether it was a success.
type Answer = (usize, bool);

impl Caller {
    /// Calls again in each place that was answered, until the time is up and all are answered.
    async fn keep_calling(
        mut self,
        scratch: &Scratch,
        tally: &Mutex<Tally>,
        progress: &Progress,
    ) -> io::Result<()> {
        self.socket.write(&self.frames.concat()).await?;
        let mut answers = Vec::new();
        while self.under_way > 0 {
            self.socket.readable().await?;
            let is_open = self.socket.take(scratch, |text| answers.extend(answer(text)))?;
            if !is_open {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            progress.add(answers.len() as u64);
            let next = self.settle(&answers, &mut tally.lock());
            answers.clear();
            if !next.is_empty() {
                self.socket.write(&next).await?;
            }
        }
        Ok(())
    }

    /// Counts the answers, and gives the calls that come next.
    fn settle(&mut self, answers: &[Answer], tally: &mut Tally) -> Vec<u8> {
        let now = Instant::now();
        let mut next = Vec::new();
        for (place, is_success) in answers {
            let (Some(called), Some(frame)) =
                (self.called.get_mut(*place), self.frames.get(*place))
            else {
                tally.refused += 1;
                continue;
            };
            if *is_success {
                tally.answered += 1;
            } else {
                tally.refused += 1;
            }
            tally.latencies.record(now - *called);
            if now < self.until {
                *called = now;
                next.extend_from_slice(frame);
            } else {
                self.under_way -= 1;
            }
        }
        next
    }
}

fn answer(text: &[u8]) -> Option<Answer> {
    if !text.starts_with(REPLY) {
        return None;
    }
    let place = number_after(text, b"\"id\":").and_then(|id| usize::try_from(id).ok())?;
    Some((place, find(&text[..text.len().min(80)], b"\"status\":200,").is_some()))
}
