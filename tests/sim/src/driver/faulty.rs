//! A store that fails when it is told to, around a real one.

use std::{path::Path, sync::Arc};

use coordhub_core::{
    Timestamp,
    event::Stamped,
    hub::{KeptKey, KeyId, KnownReceipt, State},
    ids::{EntityId, MessageId, ProposalId, Seq, TaskId},
    limits::Limits,
    model::{MessageHead, Proposal, Task},
    store::{Batch, CommitError, History, Loaded, SqliteStore, Store, StoreError, Sweep, Written},
};
use parking_lot::Mutex;

use super::step::Fault;

/// What moves a faulty store; clones move the same one.
#[derive(Clone, Default)]
pub(super) struct Levers {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    fault: Option<Fault>,
    history: Option<Arc<dyn History>>,
    /// What is on disk, and not in what the history reads.
    tail: Vec<Stamped>,
}

impl Levers {
    /// The next commit fails so; none does. What was armed before and has not come to pass.
    pub(super) fn arm(&self, fault: Option<Fault>) -> Option<Fault> {
        std::mem::replace(&mut self.inner.lock().fault, fault)
    }

    /// What is on disk after a position.
    pub(super) fn log_after(&self, seq: Seq) -> Vec<Stamped> {
        let history = self.inner.lock().history.clone();
        let Some(history) = history else { return Vec::new() };
        let mut found = Vec::new();
        let mut after = seq;
        while let Some(last) = {
            let page = history.events(after, 512).expect("the log can be read");
            let last = page.last().map(|stamped| stamped.seq);
            found.extend(page);
            last
        } {
            after = last;
        }
        found.extend(self.inner.lock().tail.iter().filter(|stamped| stamped.seq > after).cloned());
        found
    }

    /// Does something while the store does nothing.
    pub(super) fn while_idle<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inner = self.inner.lock();
        act()
    }
}

/// The store.
pub(super) struct Faulty {
    store: SqliteStore,
    levers: Levers,
}

impl Faulty {
    /// In the file at `path`, or in memory.
    pub(super) fn open(path: Option<&Path>, levers: &Levers) -> Result<Self, StoreError> {
        let store = match path {
            Some(path) => SqliteStore::open(path)?,
            None => SqliteStore::in_memory()?,
        };
        levers.inner.lock().history = Some(store.history());
        Ok(Self { store, levers: levers.clone() })
    }
}

impl Store for Faulty {
    fn load(&mut self, limits: &Limits) -> Result<Loaded, StoreError> {
        let loaded = self.store.load(limits);
        self.levers.inner.lock().tail.clear();
        loaded
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<Written, CommitError> {
        let mut inner = self.levers.inner.lock();
        let outcome = match inner.fault.take() {
            None => self.store.commit(batch),
            Some(Fault::Disk) => Err(CommitError::Disk("no space".to_owned())),
            Some(Fault::SyncLost) => Err(CommitError::Unknown("sync failed".to_owned())),
            Some(Fault::SyncKept) => self
                .store
                .commit(batch)
                .and_then(|_| Err(CommitError::Unknown("sync failed".to_owned()))),
            Some(Fault::Refused) => Err(CommitError::Refused("a fault on purpose".to_owned())),
            Some(Fault::Panic) => {
                drop(inner);
                // A panic that nobody is told of.
                std::panic::resume_unwind(Box::new("a fault on purpose"))
            }
        };
        inner.tail = self.store.tail().to_vec();
        outcome
    }

    fn fold(&mut self, state: &State) -> Result<(), CommitError> {
        let mut inner = self.levers.inner.lock();
        let outcome = self.store.fold(state);
        inner.tail = self.store.tail().to_vec();
        outcome
    }

    fn tail(&self) -> &[Stamped] {
        self.store.tail()
    }

    fn save_presence(&mut self, seen: &[(EntityId, Timestamp)]) -> Result<(), CommitError> {
        let _inner = self.levers.inner.lock();
        self.store.save_presence(seen)
    }

    fn probe(&mut self) -> Result<(), CommitError> {
        let _inner = self.levers.inner.lock();
        self.store.probe()
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.store.reopen()
    }

    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.store.task(id)
    }

    fn proposal(&mut self, id: &ProposalId) -> Result<Option<Proposal>, StoreError> {
        self.store.proposal(id)
    }

    fn message(&mut self, id: &MessageId) -> Result<Option<MessageHead>, StoreError> {
        self.store.message(id)
    }

    fn is_redacted(&mut self, id: &MessageId) -> Result<bool, StoreError> {
        self.store.is_redacted(id)
    }

    fn receipt(
        &mut self,
        message: &MessageId,
        entity: &EntityId,
    ) -> Result<KnownReceipt, StoreError> {
        self.store.receipt(message, entity)
    }

    fn has_late_result(&mut self, task: &TaskId, claim_token: u64) -> Result<bool, StoreError> {
        self.store.has_late_result(task, claim_token)
    }

    fn key(&mut self, id: &KeyId) -> Result<Option<KeptKey>, StoreError> {
        self.store.key(id)
    }

    fn forget_keys(&mut self, past: Timestamp) -> Result<(), CommitError> {
        let _inner = self.levers.inner.lock();
        self.store.forget_keys(past)
    }

    fn sweep(&mut self, sweep: &Sweep<'_>) -> Result<usize, CommitError> {
        let _inner = self.levers.inner.lock();
        self.store.sweep(sweep)
    }

    fn history(&self) -> Arc<dyn History> {
        self.store.history()
    }
}
