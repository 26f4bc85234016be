//! What is under way, on standard error, where people look while they wait.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

use super::finding::grouped;

/// How far the run is. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    done: Arc<AtomicU64>,
    shown: Shown,
}

/// Where it is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Shown {
    #[default]
    Nowhere,
    /// One line that is written over.
    Terminal,
    /// One line a workload.
    Log,
}

impl Progress {
    /// Shown on standard error: as a line that moves where that is a terminal, else as a line a workload.
    pub fn on_stderr() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let shown = if is_terminal { Shown::Terminal } else { Shown::Log };
        Self { shown, ..Self::default() }
    }

    /// Counts what was done.
    pub fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    /// Works, and shows once a second how far it is.
    pub async fn watch<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        self.done.store(0, Ordering::Relaxed);
        if self.shown == Shown::Log {
            say(&format!("{what} …\n"));
        }
        let started = Instant::now();
        let mut every_second = interval(Duration::from_secs(1));
        every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                _ = every_second.tick() => self.show(what, started.elapsed()),
            }
        };
        if self.shown == Shown::Terminal {
            say("\r\x1b[K");
        }
        done
    }

    fn show(&self, what: &str, elapsed: Duration) {
        if self.shown == Shown::Terminal {
            let done = grouped(self.done.load(Ordering::Relaxed) as f64);
            say(&format!("\r\x1b[K{what}: {done} in {:.0} s", elapsed.as_secs_f64()));
        }
    }
}

/// A standard error that is closed is no reason to stop.
fn say(text: &str) {
    let _written = std::io::stderr().write_all(text.as_bytes());
}
