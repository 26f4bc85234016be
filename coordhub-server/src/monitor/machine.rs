//! What the system is asked about this process and its files: by a thread of its own, since a disk that hangs may not
//! answer, and those who watch must not wait for it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, Thread},
    time::Duration,
};

use parking_lot::Mutex;

use crate::process;

/// How often the system is asked.
const EVERY: Duration = Duration::from_secs(5);

/// What the system said last. Nothing is known where it is zero.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) main_bytes: AtomicU64,
    pub(super) log_bytes: AtomicU64,
    pub(super) resident_bytes: AtomicU64,
    pub(super) cpu_millis: AtomicU64,
    is_stopped: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Machine {
    /// Asks about this process and the hub kept at `db` from here on.
    pub(super) fn watch(db: PathBuf) -> io::Result<Arc<Self>> {
        let machine = Arc::new(Self::default());
        machine.ask(&db);
        let watching = machine.clone();
        let thread =
            thread::Builder::new().name("coordhub-monitor".to_owned()).spawn(move || {
                while !watching.is_stopped.load(Relaxed) {
                    thread::park_timeout(EVERY);
                    watching.ask(&db);
                }
            })?;
        *machine.thread.lock() = Some(thread.thread().clone());
        Ok(machine)
    }

    /// Asks no more.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    /// The files are looked at and never opened: SQLite has its locks on them.
    fn ask(&self, db: &Path) {
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let mut log = db.as_os_str().to_owned();
        log.push("-wal");
        self.main_bytes.store(bytes(db), Relaxed);
        self.log_bytes.store(bytes(Path::new(&log)), Relaxed);
        self.resident_bytes.store(process::resident_bytes().unwrap_or(0), Relaxed);
        let millis = process::cpu_seconds().unwrap_or(0.0) * 1_000.0;
        self.cpu_millis.store(millis as u64, Relaxed);
    }
}
