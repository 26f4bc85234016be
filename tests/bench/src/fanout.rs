//! One sender, one message at a time, to many sockets; and the proof that each socket got each message once, in order.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::FanoutArgs;
use crate::histogram::Histogram;
use crate::http::{Connection, authority, find, send_request, seq_of};
use crate::report::{Report, rounded};

/// How long the last messages may take to arrive once nothing more is sent.
const STRAGGLERS_MAX: Duration = Duration::from_secs(20);
const HELLO_MAX: Duration = Duration::from_secs(20);

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Which `seq`s one socket got: a bit each, counted from the first that the run can see.
struct Received {
    base: u64,
    bits: Vec<u64>,
    last: u64,
    last_at: Instant,
    doubled: u64,
    disordered: u64,
    open: bool,
}

impl Received {
    fn record(&mut self, seq: u64) {
        let Some(offset) = seq.checked_sub(self.base) else { return };
        let (word, bit) = ((offset / 64) as usize, 1_u64 << (offset % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            self.doubled += 1;
        } else if seq < self.last {
            self.disordered += 1;
        }
        self.bits[word] |= bit;
        self.last = self.last.max(seq);
        self.last_at = Instant::now();
    }

    fn has(&self, seq: u64) -> bool {
        seq.checked_sub(self.base).is_some_and(|offset| {
            self.bits
                .get((offset / 64) as usize)
                .is_some_and(|word| word & (1 << (offset % 64)) != 0)
        })
    }
}

/// What the sender saw.
struct Sent {
    acknowledged: Vec<u64>,
    refused: u64,
    latencies: Histogram,
    started: Instant,
}

pub(crate) async fn run(args: &FanoutArgs) -> io::Result<Report> {
    let authority = authority(&args.common.url)?;
    let mut sockets = Vec::new();
    for index in 0..args.sockets {
        let (stream, head_seq) = open_socket(authority, index).await?;
        let received = Arc::new(Mutex::new(Received {
            base: head_seq + 1,
            bits: Vec::new(),
            last: 0,
            last_at: Instant::now(),
            doubled: 0,
            disordered: 0,
            open: true,
        }));
        tokio::spawn(listen(stream, Arc::clone(&received)));
        sockets.push(received);
    }
    let sent = send_all(authority, args).await?;
    await_stragglers(&sockets, sent.acknowledged.last().copied().unwrap_or(0)).await;
    Ok(verdict(&sockets, &sent))
}

/// A socket that has had its `hello`, and the head it named.
async fn open_socket(authority: &str, index: u32) -> io::Result<(Stream, u64)> {
    let url = format!("ws://{authority}/ws/bench-{index}?notices=none&channels=general");
    // The default read buffer of 128 KiB a socket would cost more memory traffic than the messages do.
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let (mut stream, _) =
        connect_async_with_config(url, Some(config), true).await.map_err(io::Error::other)?;
    let hello = timeout(HELLO_MAX, stream.next()).await?;
    let Some(Ok(Message::Text(hello))) = hello else {
        return Err(io::Error::other("no hello came first"));
    };
    let hello: serde_json::Value = serde_json::from_str(&hello)?;
    match hello["head_seq"].as_u64() {
        Some(head) if hello["type"] == "hello" => Ok((stream, head)),
        _ => Err(io::Error::other(format!("not a hello: {hello}"))),
    }
}

async fn listen(mut stream: Stream, received: Arc<Mutex<Received>>) {
    while let Some(Ok(frame)) = stream.next().await {
        let Message::Text(text) = frame else { continue };
        let bytes = text.as_bytes();
        if is_message(bytes)
            && let Some(seq) = seq_of(bytes)
        {
            lock(&received).record(seq);
        }
    }
    lock(&received).open = false;
}

fn is_message(frame: &[u8]) -> bool {
    const KIND: &[u8] = b"\"type\":\"message\"";
    frame[1..].starts_with(KIND) || find(frame, KIND).is_some()
}

async fn send_all(authority: &str, args: &FanoutArgs) -> io::Result<Sent> {
    let request = send_request(
        authority,
        "bench-sender",
        "one message to everybody who listens, as soon as it is on disk",
    );
    let mut connection = Connection::open(authority).await?;
    let mut pace = args.rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let started = Instant::now();
    let until = started + Duration::from_secs(args.common.seconds);
    let mut sent =
        Sent { acknowledged: Vec::new(), refused: 0, latencies: Histogram::new(), started };
    while Instant::now() < until {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let sent_at = Instant::now();
        let (status, body) = connection.round_trip(&request).await?;
        match (status, seq_of(body)) {
            (200, Some(seq)) => sent.acknowledged.push(seq),
            _ => sent.refused += 1,
        }
        sent.latencies.record(sent_at.elapsed());
    }
    Ok(sent)
}

/// Looks again every 10 ms until each open socket has reached the last acknowledged message.
async fn await_stragglers(sockets: &[Arc<Mutex<Received>>], last: u64) {
    let complete = || {
        sockets.iter().all(|socket| {
            let socket = lock(socket);
            socket.last >= last || !socket.open
        })
    };
    let mut look = interval(Duration::from_millis(10));
    let waiting = async {
        while !complete() {
            look.tick().await;
        }
    };
    // What has not come by the end of the wait is counted as lost.
    let _ = timeout(STRAGGLERS_MAX, waiting).await;
}

fn verdict(sockets: &[Arc<Mutex<Received>>], sent: &Sent) -> Report {
    let (mut delivered, mut lost, mut doubled, mut disordered, mut closed) = (0_u64, 0, 0, 0, 0);
    let mut ended = sent.started;
    for socket in sockets {
        let socket = lock(socket);
        let got = sent.acknowledged.iter().filter(|seq| socket.has(**seq)).count();
        delivered += got as u64;
        lost += (sent.acknowledged.len() - got) as u64;
        doubled += socket.doubled;
        disordered += socket.disordered;
        closed += u64::from(!socket.open);
        ended = ended.max(socket.last_at);
    }
    let elapsed = (ended - sent.started).as_secs_f64().max(1e-3);
    let mut report = Report::default();
    report.figure("sockets", sockets.len());
    report.figure("seconds", rounded(elapsed));
    report.figure("acknowledged", sent.acknowledged.len());
    report.figure("messages_per_second", rounded(sent.acknowledged.len() as f64 / elapsed));
    report.figure("deliveries", delivered);
    report.figure("deliveries_per_second", rounded(delivered as f64 / elapsed));
    report.figure("latency_p50_us", sent.latencies.quantile_micros(500));
    report.figure("latency_p99_us", sent.latencies.quantile_micros(990));
    report.fault("refused", sent.refused);
    report.fault("lost", lost);
    report.fault("doubled", doubled);
    report.fault("out_of_order", disordered);
    report.fault("closed_sockets", closed);
    report
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_doubling_and_disorder_are_seen() {
        let mut received = Received {
            base: 10,
            bits: Vec::new(),
            last: 0,
            last_at: Instant::now(),
            doubled: 0,
            disordered: 0,
            open: true,
        };
        for seq in [9, 10, 12, 12, 11, 200] {
            received.record(seq);
        }
        assert_eq!((received.doubled, received.disordered, received.last), (1, 1, 200));
        assert!([10, 11, 12, 200].iter().all(|seq| received.has(*seq)));
        assert!([9, 13, 199, 9999].iter().all(|seq| !received.has(*seq)));
    }

    #[test]
    fn only_message_frames_count() {
        assert!(is_message(br#"{"type":"message","seq":1}"#));
        assert!(is_message(br#"{"seq":1,"type":"message"}"#));
        assert!(!is_message(br#"{"type":"cursor","seq":1}"#));
    }
}
