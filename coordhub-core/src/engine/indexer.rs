//! The thread that follows the log and fills the search index. Nobody waits for it.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::{
    hub::PrivateChannels,
    ids::Seq,
    limits::{CATCH_UP_PAGE_BYTES, CATCH_UP_PAGE_EVENTS},
    store::{
        StoreError,
        search::{Index, IndexError},
    },
    subscribe::{After, Entry, Published},
    time::deadline_in,
};

/// How long it rests after it has read all there was, so that a busy hub does not wake it for each
/// commit.
const RESTS: Duration = Duration::from_millis(20);
/// How often it looks up where nothing is published: a search may have met damage.
const LOOKS_UP: Duration = Duration::from_secs(1);
/// How long it waits where the index, or the log, could not be read or written.
const RETRIES: Duration = Duration::from_secs(1);

/// How much of the window is taken at a time.
const PAGE: (usize, usize) = (CATCH_UP_PAGE_EVENTS, CATCH_UP_PAGE_BYTES);

/// The running indexer.
#[derive(Debug)]
pub(super) struct Indexer {
    published: Arc<Published>,
    stop: Arc<Stop>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    /// Starts it. It opens the index by itself: a bad one keeps no hub from starting.
    pub(super) fn start(published: Arc<Published>, index: Arc<Index>) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let work = Work { published: published.clone(), index, stop: stop.clone() };
        let thread =
            thread::Builder::new().name("coordhub-indexer".to_owned()).spawn(move || work.run())?;
        Ok(Self { published, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Has it write what it has in memory, and waits until it has ended.
    pub(super) fn close(&self) {
        self.stop.set();
        self.published.signal.ring();
        if let Some(thread) = self.thread.lock().take() {
            // The index can be made anew, whatever happened to its thread.
            let _ended = thread.join();
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells the thread to end.
#[derive(Debug, Default)]
struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.is_set.lock() = true;
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.is_set.lock()
    }

    /// Waits, unless told to end.
    fn rest(&self, timeout: Duration) {
        let mut is_set = self.is_set.lock();
        let deadline = deadline_in(timeout);
        while !*is_set && !self.changed.wait_until(&mut is_set, deadline).timed_out() {}
    }
}

/// Why the thread stopped following.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the log cannot be read: {0}")]
    Log(#[from] StoreError),
}

struct Work {
    published: Arc<Published>,
    index: Arc<Index>,
    stop: Arc<Stop>,
}

impl Work {
    fn run(self) {
        let mut opened = self.open();
        let mut is_told = false;
        while !self.is_over() {
            let Err(failure) = opened.and_then(|()| self.follow()) else { break };
            if self.is_over() {
                break;
            }
            // A disk that stays full is told of once.
            if !is_told {
                tracing::warn!(why = %failure, "the search index falls behind");
            }
            is_told = true;
            self.stop.rest(RETRIES);
            opened = match failure {
                Failure::Index(IndexError::Damaged(_)) => {
                    is_told = false;
                    self.index.drop_all(&self.published.epoch).map_err(Failure::from)
                }
                _ if self.index.is_open() => Ok(()),
                _ => self.open(),
            };
        }
        if let Err(why) = self.index.save() {
            tracing::debug!(%why, "the search index was not saved; the next start reads more of the log");
        }
        self.index.close();
    }

    fn open(&self) -> Result<(), Failure> {
        let Published { epoch, window, history, .. } = &*self.published;
        self.index.open(epoch, window.head(), &**history)?;
        // What was pruned while it was not looking.
        self.index.forget(self.published.oldest_seq() - 1)?;
        Ok(())
    }

    /// Follows the log until told to end.
    fn follow(&self) -> Result<(), Failure> {
        let Published { window, signal, .. } = &*self.published;
        while !self.is_over() {
            let rings = signal.rings();
            self.index.check()?;
            if self.index.up_to() < window.head() {
                self.catch_up(window.head())?;
                self.stop.rest(RESTS);
            } else {
                // Ended by the bell or not: the next round looks what there is.
                let _rung = signal.wait(rings, deadline_in(LOOKS_UP));
            }
        }
        Ok(())
    }

    /// Takes in the log up to `head`, or until told to end: from the window, and what has left that
    /// from the store.
    fn catch_up(&self, head: Seq) -> Result<(), Failure> {
        while self.index.up_to() < head && !self.is_over() {
            self.index.skip_to(self.published.oldest_seq() - 1)?;
            match self.published.window.after(self.index.up_to(), PAGE) {
                After::Entries(entries) => {
                    let private = self.published.private_channels();
                    entries.iter().try_for_each(|entry| self.add(&private, entry))?;
                }
                After::Behind => self.read_page(head)?,
            }
        }
        Ok(())
    }

    fn add(&self, private: &PrivateChannels, entry: &Entry) -> Result<(), IndexError> {
        match (entry.message(), entry.event()) {
            (Some(head), _) => {
                let content = entry.content().unwrap_or_default();
                self.index.add_message(private, head, &content)
            }
            (None, Some(event)) => self.index.add_event(private, entry.seq(), event),
            (None, None) => Ok(()),
        }
    }

    fn read_page(&self, head: Seq) -> Result<(), Failure> {
        let page = self.published.history.events(self.index.up_to(), CATCH_UP_PAGE_EVENTS)?;
        let private = self.published.private_channels();
        // What is on disk and not yet published may be taken back.
        for stamped in page.iter().take_while(|stamped| stamped.seq <= head) {
            self.index.add_event(&private, stamped.seq, &stamped.event)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.stop.is_set() || self.published.is_closed()
    }
}
