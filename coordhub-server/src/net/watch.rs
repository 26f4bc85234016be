//! What a connection waits for, and until when.
//!
//! hyper's own `header_read_timeout` also runs while a kept-alive connection is idle, so it cannot
//! allow 75 s of silence between requests and only 5 s within a head. Here the socket, the service
//! and the response body report what happens, and one timer per connection looks at the result.
//!
//! ```text
//!  FirstByte --byte--> Head --head complete--> Busy --response handed over--> Idle
//!                       ^                                                       |
//!                       +---------------------------byte------------------------+
//! ```
//!
//! A request costs no timer: the timer sleeps to the deadline that it was armed with, and looks
//! again when it gets there. Only a deadline that comes nearer re-arms it, which happens when a
//! head arrives in more than one piece.
//!
//! Bytes of a pipelined request that were read while its elder was answered are not seen as a
//! head: half of one then has the idle timeout, until its next byte.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::ConnectionLimits;

/// A deadline that never comes.
const NEVER: u64 = u64::MAX;

/// The state of one connection, shared by its socket, its service, its response body and its timer.
///
/// They all run inside one task, one after the other; the atomics are there because the task moves
/// between threads, and relaxed because it takes its memory with it.
#[derive(Debug)]
pub(super) struct Watch {
    limits: ConnectionLimits,
    opened: Instant,
    phase: AtomicU8,
    /// The end of the phase, in nanoseconds after `opened`.
    phase_deadline: AtomicU64,
    /// When the client must have taken a byte, if it has left some untaken.
    write_deadline: AtomicU64,
    request_had_body: AtomicBool,
    peer_finished: AtomicBool,
}

/// What the connection is waiting for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The first byte ever.
    FirstByte,
    /// The rest of a head.
    Head,
    /// Us.
    Busy,
    /// The next request.
    Idle,
    /// Nothing that is ours to watch: the connection was upgraded.
    Upgraded,
}

/// What the client was too slow with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Expired {
    /// Saying anything at all.
    FirstByte,
    /// The head of a request.
    Head,
    /// The next request.
    Idle,
    /// Taking the response.
    Write,
}

impl Watch {
    /// Begins with waiting for the first byte.
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            opened: Instant::now(),
            phase: AtomicU8::new(Phase::FirstByte as u8),
            phase_deadline: AtomicU64::new(nanoseconds(limits.first_byte_timeout)),
            write_deadline: AtomicU64::new(NEVER),
            request_had_body: AtomicBool::new(false),
            peer_finished: AtomicBool::new(false),
        }
    }

    /// The socket gave bytes.
    pub(super) fn bytes_read(&self) {
        if matches!(self.phase(), Phase::FirstByte | Phase::Idle) {
            self.enter(Phase::Head, self.after(self.limits.head_timeout));
        }
    }

    /// The socket gave its end.
    pub(super) fn peer_finished(&self) {
        self.peer_finished.store(true, Relaxed);
    }

    /// The socket took bytes.
    pub(super) fn bytes_written(&self) {
        if self.write_deadline.load(Relaxed) == NEVER {
            return;
        }
        self.write_deadline.store(NEVER, Relaxed);
        // The response was handed over long ago, but it is being taken only now.
        if self.phase() == Phase::Idle {
            self.enter(Phase::Idle, self.after(self.limits.idle_timeout));
        }
    }

    /// The socket would not take more.
    pub(super) fn write_blocked(&self) {
        if self.write_deadline.load(Relaxed) == NEVER {
            self.write_deadline.store(self.after(self.limits.write_progress_timeout), Relaxed);
        }
    }

    /// A head is complete and its handler runs. `body_bytes` is zero where there is no body.
    pub(super) fn request_started(&self, body_bytes: Option<u64>) {
        self.request_had_body.store(body_bytes != Some(0), Relaxed);
        self.enter(Phase::Busy, NEVER);
    }

    /// The last byte of the response went to hyper.
    pub(super) fn response_ended(&self) {
        if self.phase() == Phase::Busy {
            self.enter(Phase::Idle, self.after(self.limits.idle_timeout));
        }
    }

    /// The connection speaks another protocol now, and whoever speaks it looks after it.
    pub(super) fn upgraded(&self) {
        self.enter(Phase::Upgraded, NEVER);
    }

    /// What the connection is waiting for.
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::FirstByte,
            1 => Phase::Head,
            2 => Phase::Busy,
            3 => Phase::Idle,
            _ => Phase::Upgraded,
        }
    }

    /// Whether the client may still be sending a body that nobody reads.
    pub(super) fn may_send_more(&self) -> bool {
        self.request_had_body.load(Relaxed) && !self.peer_finished.load(Relaxed)
    }

    /// Whether everything that was written has left for the client.
    fn is_write_blocked(&self) -> bool {
        self.write_deadline.load(Relaxed) != NEVER
    }

    fn due(&self) -> u64 {
        self.phase_deadline.load(Relaxed).min(self.write_deadline.load(Relaxed))
    }

    fn expired(&self) -> Expired {
        if self.is_write_blocked() {
            // Also when the phase ran out: nothing can be said to a client that does not read.
            return Expired::Write;
        }
        match self.phase() {
            Phase::FirstByte => Expired::FirstByte,
            Phase::Head => Expired::Head,
            Phase::Busy | Phase::Idle | Phase::Upgraded => Expired::Idle,
        }
    }

    fn enter(&self, phase: Phase, deadline: u64) {
        self.phase.store(phase as u8, Relaxed);
        self.phase_deadline.store(deadline, Relaxed);
    }

    fn after(&self, timeout: Duration) -> u64 {
        nanoseconds(self.opened.elapsed().saturating_add(timeout))
    }
}

/// Resolves when the client has been too slow. Must be polled after whatever reports to the watch,
/// in the same task.
#[derive(Debug)]
pub(super) struct Deadline {
    watch: Arc<Watch>,
    sleep: Pin<Box<Sleep>>,
    /// What `sleep` is set to. Never later than what the watch says after a poll.
    armed: u64,
}

impl Deadline {
    /// The timer of a watch.
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        let armed = watch.due();
        let at = instant(&watch, armed);
        Self { watch, sleep: Box::pin(sleep_until(at)), armed }
    }

    fn arm(&mut self, due: u64) {
        self.armed = due;
        let at = instant(&self.watch, due);
        self.sleep.as_mut().reset(at);
    }
}

impl Future for Deadline {
    type Output = Expired;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Expired> {
        loop {
            let due = self.watch.due();
            if due < self.armed {
                self.arm(due);
            }
            ready!(self.sleep.as_mut().poll(cx));
            let now = self.watch.after(Duration::ZERO);
            if due <= now {
                return Poll::Ready(self.watch.expired());
            }
            // It has moved since it was armed. A busy connection has none; look again later.
            let later = self.watch.after(self.watch.limits.idle_timeout);
            self.arm(due.min(later));
        }
    }
}

fn instant(watch: &Watch, due: u64) -> Instant {
    watch.opened + Duration::from_nanos(due)
}

/// 584 years fit; what does not is as good as never.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
