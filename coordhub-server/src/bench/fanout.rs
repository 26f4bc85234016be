//! Messages to many sockets; and the proof that each socket got each message once, in order.
//!
//! Each message says which it is and when it was due, so that whoever gets it knows all there is to know of it.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{task::JoinSet, time::timeout};

use super::{
    CHANNEL, Run,
    finding::{Finding, Pace},
    histogram::Histogram,
    http::{Connection, find, invalid, number_at},
    load::send_request,
    socket::{Scratch, Socket},
};

/// How long the last messages may take to arrive once nothing more is sent.
const STRAGGLERS_MAX: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const SEQ: &[u8] = b"{\"type\":\"message\",\"seq\":";
const MARK: &[u8] = b"\"content\":\"#";
const NUMBER_DIGITS: usize = 8;
const NANOS_DIGITS: usize = 16;

/// A fan-out.
#[derive(Clone, Copy, Debug)]
pub struct Fanout {
    /// Sockets that each must get every message.
    pub sockets: usize,
    /// Those who send, each one message at a time.
    pub senders: usize,
    /// Messages a second of all senders together; as fast as they are acknowledged where it is left out.
    pub rate: Option<u32>,
}

/// What one socket got: a bit for each message.
#[derive(Default)]
struct Received {
    bits: Vec<u64>,
    count: u64,
    last_seq: u64,
    last_at: Option<Instant>,
    doubled: u64,
    disordered: u64,
    closed: bool,
}

impl Received {
    fn record(&mut self, number: u64, seq: u64, now: Instant) {
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            self.doubled += 1;
        } else {
            self.count += 1;
            self.disordered += u64::from(seq <= self.last_seq);
        }
        self.bits[word] |= bit;
        self.last_seq = self.last_seq.max(seq);
        self.last_at = Some(now);
    }

    fn has(&self, number: u64) -> bool {
        let word = self.bits.get((number / 64) as usize).copied().unwrap_or(0);
        word & (1 << (number % 64)) != 0
    }
}

/// What the senders saw.
#[derive(Default)]
struct Sent {
    acknowledged: Vec<u64>,
    refused: u64,
    latencies: Histogram,
}

/// What the tasks of one run share.
struct Shared {
    started: Instant,
    deliveries: Mutex<Histogram>,
    scratch: Scratch,
    sent: Mutex<Sent>,
    next: AtomicU64,
}

/// Opens the sockets, sends until the time is up, and waits for what is still on its way.
pub async fn run(run: &Run, name: &str, fanout: Fanout) -> io::Result<Finding> {
    let mut open = Vec::with_capacity(fanout.sockets);
    for index in 0..fanout.sockets {
        let path = format!("/ws/bench-{index}?notices=none&channels={CHANNEL}");
        open.push(Socket::open(run.authority(), &path).await?);
    }
    let connections = run.connections(fanout.senders).await?;
    let shared = Arc::new(Shared {
        started: Instant::now(),
        deliveries: Mutex::default(),
        scratch: Scratch::default(),
        sent: Mutex::default(),
        next: AtomicU64::new(0),
    });
    // They end when this is dropped.
    let mut listeners = JoinSet::new();
    let mut sockets = Vec::with_capacity(fanout.sockets);
    for socket in open {
        let received = Arc::new(Mutex::new(Received::default()));
        listeners.spawn(listen(socket, Arc::clone(&received), Arc::clone(&shared)));
        sockets.push(received);
    }
    let mut senders = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        senders.spawn(send(run.clone(), fanout, index, connection, Arc::clone(&shared)));
    }
    let ended: io::Result<()> = senders.join_all().await.into_iter().collect();
    ended?;
    let acknowledged = shared.sent.lock().acknowledged.len();
    await_stragglers(&sockets, acknowledged as u64).await;
    Ok(verdict(name, fanout, &sockets, &shared))
}

async fn listen(mut socket: Socket, received: Arc<Mutex<Received>>, shared: Arc<Shared>) {
    let mut hint = 0;
    while socket.readable().await.is_ok() {
        let now = Instant::now();
        let (mut received, mut latencies) = (received.lock(), shared.deliveries.lock());
        let is_open = socket.take(&shared.scratch, |text| {
            if let Some((seq, number, due)) = read_mark(text, &mut hint) {
                received.record(number, seq, now);
                latencies.record(now.saturating_duration_since(shared.started + due));
            }
        });
        if !matches!(is_open, Ok(true)) {
            break;
        }
    }
    received.lock().closed = true;
}

/// The `seq` of a message of this load, its number, and when it was due. `hint` is where the mark stood in the last.
fn read_mark(text: &[u8], hint: &mut usize) -> Option<(u64, u64, Duration)> {
    let seq = number_at(text, text.starts_with(SEQ).then_some(SEQ.len())?)?;
    if text.get(*hint..).is_none_or(|rest| !rest.starts_with(MARK)) {
        *hint = find(text, MARK)?;
    }
    let number = hint.checked_add(MARK.len())?;
    let due = number + NUMBER_DIGITS + 1;
    Some((seq, number_at(text, number)?, Duration::from_nanos(number_at(text, due)?)))
}

/// A request whose number and time are written over before each send.
struct Stamped {
    bytes: Vec<u8>,
    number: Range<usize>,
    due: Range<usize>,
}

impl Stamped {
    fn new(authority: &str, sender: usize) -> io::Result<Self> {
        let content = format!(
            "#{:0NUMBER_DIGITS$}@{:0NANOS_DIGITS$} one message to everybody who listens, as soon as it is on disk",
            0, 0
        );
        let bytes = send_request(authority, &format!("bench-sender-{sender}"), &content);
        let mark = find(&bytes, MARK).ok_or_else(|| invalid("the request lacks its mark"))?;
        let number = mark + MARK.len()..mark + MARK.len() + NUMBER_DIGITS;
        let due = number.end + 1..number.end + 1 + NANOS_DIGITS;
        Ok(Self { bytes, number, due })
    }

    fn stamp(&mut self, number: u64, due: Duration) -> &[u8] {
        write_digits(&mut self.bytes[self.number.clone()], number);
        write_digits(&mut self.bytes[self.due.clone()], due.as_nanos() as u64);
        &self.bytes
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

async fn send(
    run: Run,
    fanout: Fanout,
    sender: usize,
    mut connection: Connection,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let mut request = Stamped::new(run.authority(), sender)?;
    let between = fanout.rate.map(|rate| Duration::from_secs(1) * fanout.senders as u32 / rate);
    let until = shared.started + run.duration;
    for turn in 0.. {
        let due = match between {
            Some(between) => await_turn(shared.started + between * turn).await,
            None => Instant::now(),
        };
        if due >= until {
            break;
        }
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let bytes = request.stamp(number, due - shared.started);
        let status = connection.round_trip(bytes).await?.0;
        let mut sent = shared.sent.lock();
        match status {
            200 => sent.acknowledged.push(number),
            _ => sent.refused += 1,
        }
        sent.latencies.record(due.elapsed());
        run.progress.add(1);
    }
    Ok(())
}

/// When a message is due: its turn. The runtime's clock wakes up to a millisecond late, which is not the hub's doing; so
/// one who waited for his turn counts from when he woke, and one who came too late from his turn.
async fn await_turn(turn: Instant) -> Instant {
    if turn <= Instant::now() {
        return turn;
    }
    tokio::time::sleep_until(turn.into()).await;
    Instant::now()
}

/// Looks again until each open socket has got as many messages as were acknowledged.
async fn await_stragglers(sockets: &[Arc<Mutex<Received>>], acknowledged: u64) {
    let is_complete = |socket: &Arc<Mutex<Received>>| {
        let socket = socket.lock();
        socket.count >= acknowledged || socket.closed
    };
    let waiting = async {
        while !sockets.iter().all(is_complete) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // What has not come by the end of the wait is counted as lost.
    let _ended = timeout(STRAGGLERS_MAX, waiting).await;
}

fn verdict(
    name: &str,
    fanout: Fanout,
    sockets: &[Arc<Mutex<Received>>],
    shared: &Shared,
) -> Finding {
    let sent = shared.sent.lock();
    let (mut delivered, mut lost, mut doubled, mut disordered, mut closed) = (0_u64, 0, 0, 0, 0);
    let mut ended = shared.started;
    for socket in sockets {
        let socket = socket.lock();
        let got = sent.acknowledged.iter().filter(|number| socket.has(**number)).count();
        delivered += got as u64;
        lost += (sent.acknowledged.len() - got) as u64;
        doubled += socket.doubled;
        disordered += socket.disordered;
        closed += u64::from(socket.closed);
        ended = ended.max(socket.last_at.unwrap_or(ended));
    }
    let elapsed = ended - shared.started;
    let pace = if fanout.rate.is_some() { Pace::Clock } else { Pace::Closed };
    let mut finding = Finding::new(name, pace);
    finding.count(delivered, elapsed, "deliveries");
    finding.latencies = Some(std::mem::take(&mut *shared.deliveries.lock()));
    let sent_rate = sent.acknowledged.len() as f64 / elapsed.as_secs_f64().max(1e-3);
    finding.figure("messages_a_second", sent_rate);
    let micros = |per_mille| sent.latencies.quantile(per_mille).as_secs_f64() * 1e6;
    finding.figure("acknowledged_p50_us", micros(500));
    finding.figure("acknowledged_p99_us", micros(990));
    finding.fault("refused", sent.refused);
    finding.fault("lost", lost);
    finding.fault("doubled", doubled);
    finding.fault("out_of_order", disordered);
    finding.fault("closed_sockets", closed);
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_doubling_and_disorder_are_seen() {
        let mut received = Received::default();
        let now = Instant::now();
        for (number, seq) in [(0, 10), (2, 12), (2, 12), (1, 11), (200, 300)] {
            received.record(number, seq, now);
        }
        assert_eq!((received.count, received.doubled, received.disordered), (4, 1, 1));
        assert!(received.has(0) && received.has(1) && received.has(2) && received.has(200));
        assert!(!received.has(3) && !received.has(10_000));
    }

    #[test]
    fn a_message_says_which_it_is_and_when_it_was_due() {
        let mut request = Stamped::new("localhost:1", 3).expect("a request");
        let due = Duration::from_nanos(1_234_567_890);
        let sent = String::from_utf8(request.stamp(42, due).to_vec()).expect("text");
        let (_, body) = sent.split_once("\r\n\r\n").expect("a body");
        let frame = format!("{{\"type\":\"message\",\"seq\":7,\"message\":{body}}}");
        for mut hint in [0, 5, 10_000] {
            assert_eq!(read_mark(frame.as_bytes(), &mut hint), Some((7, 42, due)), "hint {hint}");
            assert_eq!(read_mark(frame.as_bytes(), &mut hint), Some((7, 42, due)), "hint {hint}");
        }
        assert_eq!(read_mark(b"{\"type\":\"cursor\",\"seq\":7}", &mut 0), None);
    }
}
