//! A store around a real one that fails when it is told to.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Condvar, Mutex};

use crate::{
    Timestamp,
    event::{Event, Stamped},
    hub::{KeptKey, KeyId, KnownReceipt, State},
    ids::{EntityId, MessageId, ProposalId, TaskId},
    limits::Limits,
    model::{MessageHead, Proposal, Task},
    store::{Batch, CommitError, History, Loaded, SqliteStore, Store, StoreError, Sweep, Written},
};

/// What goes wrong with one commit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// The disk takes nothing.
    Disk,
    /// The sync fails, and the batch is on disk all the same.
    SyncKept,
    /// The sync fails, and the batch is lost.
    SyncLost,
    /// The code has a fault.
    Panic,
}

/// The levers of a faulty store; clones move the same ones.
#[derive(Clone, Default)]
pub(super) struct Levers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    moved: Condvar,
}

#[derive(Default)]
struct Inner {
    faults: VecDeque<Fault>,
    failing_reopens: usize,
    folds_fail: bool,
    failing_sweeps: VecDeque<Fault>,
    poison: Option<String>,
    is_held: bool,
    waiting: usize,
    /// How many events each commit that went through had.
    batches: Vec<usize>,
}

impl Levers {
    /// The next commits fail so, in order.
    pub(super) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.inner.lock().faults.extend(faults);
    }

    /// From now on the store does, or does not, refuse to fold.
    pub(super) fn fail_folds(&self, fail: bool) {
        self.shared.inner.lock().folds_fail = fail;
    }

    /// The next times that what is old is to be removed fail so, in order.
    pub(super) fn fail_sweeps(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.inner.lock().failing_sweeps.extend(faults);
    }

    /// The next so many attempts to open the file again fail.
    pub(super) fn fail_reopens(&self, count: usize) {
        self.shared.inner.lock().failing_reopens = count;
    }

    /// A batch with a message that says this is refused.
    pub(super) fn poison(&self, content: &str) {
        self.shared.inner.lock().poison = Some(content.to_owned());
    }

    /// Commits wait from now on.
    pub(super) fn hold(&self) {
        self.shared.inner.lock().is_held = true;
    }

    /// Blocks until a commit waits.
    pub(super) fn wait_until_one_waits(&self) {
        let mut inner = self.shared.inner.lock();
        while inner.waiting == 0 {
            self.shared.moved.wait(&mut inner);
        }
    }

    /// Commits go on.
    pub(super) fn let_go(&self) {
        self.shared.inner.lock().is_held = false;
        self.shared.moved.notify_all();
    }

    /// How many events each commit that went through had.
    pub(super) fn batches(&self) -> Vec<usize> {
        self.shared.inner.lock().batches.clone()
    }

    /// Waits while commits are held; then says what goes wrong with this one.
    fn next_fault(&self) -> Option<Fault> {
        let mut inner = self.shared.inner.lock();
        inner.waiting += 1;
        self.shared.moved.notify_all();
        while inner.is_held {
            self.shared.moved.wait(&mut inner);
        }
        inner.waiting -= 1;
        inner.faults.pop_front()
    }

    fn is_poisoned(&self, events: &[Stamped]) -> bool {
        let inner = self.shared.inner.lock();
        let Some(poison) = &inner.poison else { return false };
        events.iter().any(|stamped| match &stamped.event {
            Event::MessageSent(message) => message.content == *poison,
            _ => false,
        })
    }
}

pub(super) struct Faulty {
    store: SqliteStore,
    levers: Levers,
}

impl Faulty {
    pub(super) fn new(levers: &Levers) -> Self {
        Self::around(levers, SqliteStore::in_memory().expect("memory is there"))
    }

    pub(super) fn around(levers: &Levers, store: SqliteStore) -> Self {
        Self { store, levers: levers.clone() }
    }
}

impl Store for Faulty {
    fn load(&mut self, limits: &Limits) -> Result<Loaded, StoreError> {
        self.store.load(limits)
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<Written, CommitError> {
        match self.levers.next_fault() {
            Some(Fault::Disk) => return Err(CommitError::Disk("no space".to_owned())),
            Some(Fault::SyncKept) => {
                let _written = self.store.commit(batch)?;
                return Err(CommitError::Unknown("sync failed".to_owned()));
            }
            Some(Fault::SyncLost) => return Err(CommitError::Unknown("sync failed".to_owned())),
            Some(Fault::Panic) => panic!("a fault on purpose"),
            None => {}
        }
        if self.levers.is_poisoned(batch.events) {
            return Err(CommitError::Refused("cannot be written".to_owned()));
        }
        let written = self.store.commit(batch)?;
        self.levers.shared.inner.lock().batches.push(batch.events.len());
        Ok(written)
    }

    fn fold(&mut self, state: &State) -> Result<(), CommitError> {
        match self.levers.shared.inner.lock().folds_fail {
            true => Err(CommitError::Disk("no space".to_owned())),
            false => self.store.fold(state),
        }
    }

    fn tail(&self) -> &[Stamped] {
        self.store.tail()
    }

    fn save_presence(&mut self, seen: &[(EntityId, Timestamp)]) -> Result<(), CommitError> {
        self.store.save_presence(seen)
    }

    fn probe(&mut self) -> Result<(), CommitError> {
        match self.levers.shared.inner.lock().faults.is_empty() {
            true => self.store.probe(),
            false => Err(CommitError::Disk("no space".to_owned())),
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let mut inner = self.levers.shared.inner.lock();
        if inner.failing_reopens > 0 {
            inner.failing_reopens -= 1;
            let source = std::io::Error::other("not yet");
            return Err(StoreError::Io { path: "the file".to_owned(), source });
        }
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
        self.store.forget_keys(past)
    }

    fn sweep(&mut self, sweep: &Sweep<'_>) -> Result<usize, CommitError> {
        let fault = self.levers.shared.inner.lock().failing_sweeps.pop_front();
        match fault {
            Some(Fault::Disk) => Err(CommitError::Disk("no space".to_owned())),
            Some(Fault::Panic) => panic!("a fault on purpose"),
            Some(_) => Err(CommitError::Unknown("sync failed".to_owned())),
            None => self.store.sweep(sweep),
        }
    }

    fn history(&self) -> Arc<dyn History> {
        self.store.history()
    }
}
