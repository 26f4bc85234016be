//! The history, once it shows what was published.
//!
//! A commit makes a batch durable in the tail of the log; its tables follow a little later, many batches
//! at a time. Whoever reads them must see what was acknowledged: it has the writer bring them up to date
//! first, where they are not.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::{Condvar, Mutex};

use super::queue::Queue;
use crate::{
    event::Stamped,
    ids::{ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    model::{AuditEntry, HistoryKind, LateResult, Message, Note, Proposal, ProposalStatus, Task},
    store::{AuditFilter, History, MessageSet, Page, StoreError, StoredReceipts, TaskFilter},
    time::Timestamp,
};

/// Whether the tables are behind what was published, and who waits for them.
pub(super) struct Behind {
    /// The same as in `inner`: most reads find that nothing is amiss, and take no lock.
    is_behind: AtomicBool,
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Wakes the writer.
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Inner {
    is_behind: bool,
    is_wanted: bool,
    /// How often the writer has tried.
    tries: u64,
    /// What came of the last try.
    trouble: Option<String>,
    is_closed: bool,
}

impl Behind {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        let (inner, changed) = (Mutex::default(), Condvar::new());
        Self { is_behind: AtomicBool::new(false), inner, changed, queue }
    }

    // The writer's side.

    /// Something is about to be published that the tables lack.
    pub(super) fn fall(&self) {
        if !self.is_behind.swap(true, Ordering::AcqRel) {
            self.inner.lock().is_behind = true;
        }
    }

    /// The tables have all that was published.
    pub(super) fn catch_up(&self) {
        if self.is_behind.swap(false, Ordering::AcqRel) {
            self.tried(|inner| (inner.is_behind, inner.trouble) = (false, None));
        }
    }

    /// The tables could not be brought up to date.
    pub(super) fn fail(&self, why: String) {
        self.tried(|inner| inner.trouble = Some(why));
    }

    /// Whether somebody waits.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_behind.load(Ordering::Acquire) && self.inner.lock().is_wanted
    }

    /// There is no writer any more.
    pub(super) fn close(&self) {
        self.tried(|inner| inner.is_closed = true);
    }

    fn tried(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock();
        change(&mut inner);
        inner.tries += 1;
        inner.is_wanted = false;
        drop(inner);
        self.changed.notify_all();
    }

    // The readers' side.

    fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    /// Returns once the tables have what was published before the call. Not for the writer.
    pub(super) fn wait(&self) -> Result<(), StoreError> {
        if !self.is_behind() {
            return Ok(());
        }
        let mut inner = self.inner.lock();
        let before = inner.tries;
        if inner.is_behind && !inner.is_closed && !inner.is_wanted {
            inner.is_wanted = true;
            self.queue.ring();
        }
        while inner.is_behind && !inner.is_closed && inner.tries == before {
            self.changed.wait(&mut inner);
        }
        match &inner.trouble {
            Some(why) if inner.is_behind => Err(StoreError::Behind(why.clone())),
            None if inner.is_behind && inner.is_closed => {
                Err(StoreError::Behind("the hub has stopped".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// The history for everyone but the writer.
pub(super) struct CaughtUp {
    history: Arc<dyn History>,
    behind: Arc<Behind>,
}

impl CaughtUp {
    pub(super) fn new(history: Arc<dyn History>, behind: Arc<Behind>) -> Self {
        Self { history, behind }
    }

    fn now(&self) -> Result<&dyn History, StoreError> {
        self.behind.wait()?;
        Ok(&*self.history)
    }
}

impl History for CaughtUp {
    /// What the tables have is the beginning of the log: whoever asks for a part that they have need not
    /// wait.
    fn events(&self, after: Seq, limit: usize) -> Result<Vec<Stamped>, StoreError> {
        let is_behind = self.behind.is_behind();
        let page = self.history.events(after, limit)?;
        if is_behind && page.is_empty() {
            return self.now()?.events(after, limit);
        }
        Ok(page)
    }

    fn newest_events(&self, limit: usize, bytes_max: usize) -> Result<Vec<Stamped>, StoreError> {
        self.now()?.newest_events(limit, bytes_max)
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.now()?.audit(filter, after, limit)
    }

    fn events_of_kinds(&self, kinds: &[&str], page: &Page) -> Result<Vec<Stamped>, StoreError> {
        self.now()?.events_of_kinds(kinds, page)
    }

    /// The writer asks, and cannot wait for itself; what is old enough to be given up has been in its
    /// tables for long.
    fn newest_before(
        &self,
        what: HistoryKind,
        before: Timestamp,
    ) -> Result<Option<Seq>, StoreError> {
        self.history.newest_before(what, before)
    }

    fn messages(&self, set: &MessageSet, page: &Page) -> Result<Vec<Arc<Message>>, StoreError> {
        self.now()?.messages(set, page)
    }

    fn message(&self, id: &MessageId) -> Result<Option<Arc<Message>>, StoreError> {
        self.now()?.message(id)
    }

    fn messages_at(&self, seqs: &[Seq]) -> Result<Vec<Arc<Message>>, StoreError> {
        self.now()?.messages_at(seqs)
    }

    fn count_unread(
        &self,
        reader: &EntityId,
        channel: &ChannelName,
        after: Seq,
        max: u64,
    ) -> Result<u64, StoreError> {
        self.now()?.count_unread(reader, channel, after, max)
    }

    fn count_messages_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        self.now()?.count_messages_since(since)
    }

    fn tasks(&self, filter: &TaskFilter, page: &Page) -> Result<Vec<Task>, StoreError> {
        self.now()?.tasks(filter, page)
    }

    fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.now()?.task(id)
    }

    fn task_history(&self, id: &TaskId, limit: usize) -> Result<Vec<Stamped>, StoreError> {
        self.now()?.task_history(id, limit)
    }

    fn notes(&self, id: &TaskId, limit: usize) -> Result<Vec<Note>, StoreError> {
        self.now()?.notes(id, limit)
    }

    fn late_results(&self, id: &TaskId) -> Result<Vec<LateResult>, StoreError> {
        self.now()?.late_results(id)
    }

    fn receipts(&self, id: &MessageId) -> Result<StoredReceipts, StoreError> {
        self.now()?.receipts(id)
    }

    fn proposals(
        &self,
        status: Option<ProposalStatus>,
        page: &Page,
    ) -> Result<Vec<Proposal>, StoreError> {
        self.now()?.proposals(status, page)
    }

    fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, StoreError> {
        self.now()?.proposal(id)
    }
}
