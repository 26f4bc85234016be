//! The one writer: drains the queue, decides, commits, publishes, answers. Everything that is true of
//! the hub became true here.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use ulid::Ulid;

use super::{
    HubError, Outcome, Reply, Sent, Shared,
    prefetch::prefetch,
    queue::{Drained, Job},
    ticket::Answerer,
};
use crate::{
    command::{Caller, Command, Envelope},
    event::{Event, Stamped},
    hub::{Answer, Decision, Prefetched, State, decide},
    ids::EntityId,
    store::{Batch, CommitError, Store},
    subscribe::Entry,
    time::{Timestamp, deadline_in},
};

/// How often the writer looks up from an empty queue: to sweep presence, and to try a store that
/// refused a write.
const IDLE: Duration = Duration::from_secs(1);
/// How often `last_seen` reaches the disk.
const SAVE_PRESENCE_MILLIS: i64 = 30_000;

pub(super) struct Writer {
    shared: Arc<Shared>,
    store: Box<dyn Store>,
    /// The durable state, and what this batch has decided on top of it.
    ahead: State,
    swept_at: Timestamp,
    saved_at: Timestamp,
    /// Until when what is due is not tried again, after a commit that failed.
    rests_until: Option<Timestamp>,
}

/// A batch between deciding and answering.
#[derive(Default)]
struct Decided {
    events: Vec<Stamped>,
    answers: Vec<(Answerer, Result<Reply, HubError>)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, store: Box<dyn Store>, ahead: State) -> Self {
        let now = shared.clock.now();
        Self { shared, store, ahead, swept_at: now, saved_at: now, rests_until: None }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _closes = ClosesWhenDropped(self.shared.clone());
        let mut jobs = Vec::new();
        loop {
            let drained = self.shared.queue.drain(&mut jobs, deadline_in(self.patience()));
            self.turn(mem::take(&mut jobs));
            if drained == Drained::Closed {
                break;
            }
        }
        self.save_presence();
    }

    /// One batch, and what is done now and then. A panic is a fault of the hub's own: it costs the
    /// batch its answers, never the hub its writer. How far it came nobody knows, as after a failed
    /// sync, and the way out is the same.
    fn turn(&mut self, jobs: Vec<Job>) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let now = self.shared.clock.now();
            self.batch(jobs, now);
            self.housekeeping(now);
        }));
        if ended.is_err() {
            tracing::error!(
                "the writer panicked; its commands were answered with an internal error"
            );
            self.recover();
        }
    }

    /// How long to wait for a command: until something is due, or a look round is.
    fn patience(&self) -> Duration {
        let due = self.ahead.next_deadline().filter(|_| self.rests_until.is_none());
        let Some(due) = due else { return IDLE };
        let millis = due.millis() - self.shared.clock.now().millis();
        Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(IDLE)
    }

    fn batch(&mut self, jobs: Vec<Job>, now: Timestamp) {
        // What is due waits a moment after a commit that failed; a disk that stays full must not have
        // the same decision tried without pause.
        self.rests_until = self.rests_until.filter(|until| now < *until);
        let is_due = self.ahead.next_deadline().is_some_and(|due| due <= now);
        if !jobs.is_empty() || (is_due && self.rests_until.is_none()) {
            if !jobs.is_empty() {
                self.shared.counts.batches.record(jobs.len() as u64);
            }
            self.decide_and_commit(jobs, now);
        }
    }

    fn decide_and_commit(&mut self, jobs: Vec<Job>, now: Timestamp) {
        let mut decided = self.decide_due(now);
        let mut envelopes = Vec::with_capacity(jobs.len());
        for Job { envelope, answerer, .. } in jobs {
            let answer = self.decide_one(&envelope, now, &mut decided.events);
            decided.answers.push((answerer, answer));
            envelopes.push(envelope);
        }
        if decided.events.is_empty() {
            // What these were decided on has been committed before them.
            return give(decided.answers);
        }
        match self.commit(&decided.events) {
            Ok(()) => self.publish(decided),
            Err(CommitError::Disk(why)) => {
                self.degrade(&why);
                self.step_back();
                fail(decided.answers, HubError::Unavailable(why));
            }
            Err(CommitError::Unknown(why)) => {
                self.degrade(&why);
                fail(decided.answers, HubError::OutcomeUnknown(why));
                self.recover();
            }
            Err(CommitError::Refused(why)) => {
                tracing::error!(why, "the store refused a batch; replaying it one by one");
                self.step_back();
                let answerers = decided.answers.into_iter().map(|(answerer, _)| answerer);
                self.replay(envelopes.into_iter().zip(answerers), now);
            }
        }
    }

    /// Everything due at or before now is decided before any command of now.
    fn decide_due(&mut self, now: Timestamp) -> Decided {
        let mut decided = Decided::default();
        if self.ahead.next_deadline().is_some_and(|due| due <= now) {
            let tick = Envelope {
                caller: Caller::named(EntityId::system()),
                fresh: Ulid::nil(),
                command: Command::Tick,
            };
            // A tick has nobody to answer, and nothing refuses it.
            let _told = self.decide_one(&tick, now, &mut decided.events);
        }
        decided
    }

    /// Decides one command on the state ahead, and makes its events true there.
    fn decide_one(
        &mut self,
        envelope: &Envelope,
        now: Timestamp,
        events: &mut Vec<Stamped>,
    ) -> Result<Reply, HubError> {
        let soft = &self.shared.presence;
        let known: Prefetched<'_> =
            prefetch(&self.ahead, &mut *self.store, soft, &envelope.command)?;
        let decision = decide(&self.ahead, &known, envelope, now)?;
        drop(known);
        let first = events.len();
        let Decision { events: happened, answer } = decision;
        for event in happened {
            let stamped = Stamped {
                seq: self.ahead.head() + 1,
                at: now,
                actor: envelope.caller.id.clone(),
                auth: envelope.caller.auth,
                event,
            };
            self.ahead.evolve(&stamped);
            events.push(stamped);
        }
        let outcome = self.outcome(answer, events.get(first));
        Ok(Reply { seq: self.ahead.head(), outcome: outcome.ok_or(HubError::Internal)? })
    }

    /// What the answer names, as it is now that the events are true.
    fn outcome(&self, answer: Answer, first: Option<&Stamped>) -> Option<Outcome> {
        Some(match answer {
            Answer::Done => Outcome::Done,
            Answer::CursorAt(seq) => Outcome::CursorAt(seq),
            Answer::Entity(id) => Outcome::Entity(self.ahead.entity(&id)?.clone()),
            Answer::Message(recipients) => match &first?.event {
                Event::MessageSent(message) => Outcome::Message(Sent {
                    message: message.clone(),
                    // Filled in when the message has been encoded.
                    json: Bytes::new(),
                    recipients,
                }),
                _ => return None,
            },
            Answer::Task(id) => Outcome::Task(self.ahead.task(&id)?.clone()),
            Answer::TaskUnchanged(task) => Outcome::TaskUnchanged(task),
            Answer::Proposal(id) => Outcome::Proposal(self.ahead.proposal(&id)?.clone()),
            Answer::ProposalUnchanged(proposal) => Outcome::ProposalUnchanged(proposal),
        })
    }

    /// The batch is on disk: readers and subscribers see it, then callers are told, in this order.
    fn publish(&mut self, decided: Decided) {
        self.ahead.settle();
        let now = self.ahead.now();
        let mut messages = 0;
        {
            let mut durable = self.shared.published.durable.write();
            let known = durable.head();
            for stamped in decided.events.iter().filter(|stamped| stamped.seq > known) {
                durable.evolve(stamped);
                match &stamped.event {
                    Event::MessageSent(_) => messages += 1,
                    Event::EntityRegistered(event) => {
                        let (id, kind) = (&event.entity.entity_id, event.entity.entity_type);
                        self.shared.presence.register(id, kind, now);
                        self.shared.presence.touch(id, now);
                    }
                    Event::EntityRemoved(event) => self.shared.presence.forget(&event.entity_id),
                    _ => {}
                }
            }
            durable.settle();
        }
        if messages > 0 {
            self.shared.hour.add(now, messages);
        }
        let shown = self.shared.published.window.head();
        let fresh = decided.events.into_iter().filter(|stamped| stamped.seq > shown);
        let entries: Vec<Arc<Entry>> = fresh.map(|stamped| Arc::new(Entry::new(stamped))).collect();
        self.shared.published.rings.extend(&entries);
        self.shared.published.window.extend(&entries);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.shared.degraded.store(false, Ordering::Release);
        let mut answers = decided.answers;
        answers.iter_mut().for_each(|(_, answer)| attach_json(answer, &entries));
        // From here on whoever looks sees it. The bell only wakes those who wait, and there may be
        // thousands: the caller, who may have more to say, is not made to stand behind them.
        give(answers);
        self.shared.published.signal.ring();
    }

    /// The store refused a batch for what is in it: each command alone, so that the culprit alone
    /// fails.
    fn replay(&mut self, jobs: impl Iterator<Item = (Envelope, Answerer)>, now: Timestamp) {
        let due = self.decide_due(now);
        self.commit_alone(due);
        for (envelope, answerer) in jobs {
            let mut alone = Decided::default();
            let answer = self.decide_one(&envelope, now, &mut alone.events);
            alone.answers.push((answerer, answer));
            self.commit_alone(alone);
        }
    }

    /// One transaction, counted and timed.
    fn commit(&mut self, events: &[Stamped]) -> Result<(), CommitError> {
        let started = self.shared.clock.monotonic();
        let committed = self.store.commit(&Batch { events, state: &self.ahead });
        let took = self.shared.clock.monotonic().saturating_sub(started);
        let counts = &self.shared.counts;
        counts.commits.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if committed.is_err() {
            counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    fn commit_alone(&mut self, alone: Decided) {
        if alone.events.is_empty() {
            return give(alone.answers);
        }
        match self.commit(&alone.events) {
            Ok(()) => self.publish(alone),
            Err(CommitError::Refused(why)) => {
                tracing::error!(why, "the store refused a command");
                self.step_back();
                fail(alone.answers, HubError::Internal);
            }
            Err(CommitError::Disk(why)) => {
                self.degrade(&why);
                self.step_back();
                fail(alone.answers, HubError::Unavailable(why));
            }
            Err(CommitError::Unknown(why)) => {
                self.degrade(&why);
                fail(alone.answers, HubError::OutcomeUnknown(why));
                self.recover();
            }
        }
    }

    /// Forgets what was decided and not committed.
    fn step_back(&mut self) {
        self.rests_until = Some(self.shared.clock.now().plus_millis(IDLE.as_millis() as i64));
        self.ahead = self.shared.published.durable.read().clone();
    }

    fn degrade(&self, why: &str) {
        if !self.shared.degraded.swap(true, Ordering::AcqRel) {
            tracing::error!(why, "the store does not take writes; reads go on");
        }
    }

    /// After a failed sync nobody knows what is on disk: opens the file again, and takes what
    /// recovery found for true. Tries until it works; commands that come meanwhile are refused.
    fn recover(&mut self) {
        loop {
            match self.reload() {
                Ok(()) => {
                    tracing::warn!("the store was opened again after a failed sync");
                    self.shared.degraded.store(false, Ordering::Release);
                    return;
                }
                Err(why) => tracing::error!(%why, "the store cannot be opened again yet"),
            }
            let mut jobs = Vec::new();
            let drained = self.shared.queue.drain(&mut jobs, deadline_in(IDLE));
            let why = "the file is being opened again after a failed sync";
            for job in jobs {
                job.answerer.answer(Err(HubError::Unavailable(why.to_owned())));
            }
            if drained == Drained::Closed {
                return;
            }
        }
    }

    /// Opens the store again, and publishes what it has that was never published.
    fn reload(&mut self) -> Result<(), HubError> {
        self.store.reopen()?;
        let limits = self.ahead.limits().clone();
        let loaded = self.store.load(&limits)?;
        // A panic may have come between the two.
        let (durable, shown) =
            (self.shared.published.durable.read().head(), self.shared.published.window.head());
        let mut found = Vec::new();
        let mut position = durable.min(shown);
        while position < loaded.state.head() {
            let page = self.shared.published.history.events(position, 512)?;
            let Some(last) = page.last() else { break };
            position = last.seq;
            found.extend(page);
        }
        self.step_back();
        for stamped in found.iter().filter(|stamped| stamped.seq > durable) {
            self.ahead.evolve(stamped);
        }
        self.publish(Decided { events: found, answers: Vec::new() });
        Ok(())
    }

    /// What is done now and then: presence is swept and saved, and a store that refused is tried.
    fn housekeeping(&mut self, now: Timestamp) {
        if now.millis() - self.swept_at.millis() < IDLE.as_millis() as i64 {
            return;
        }
        self.swept_at = now;
        self.shared.presence.sweep(now);
        if self.shared.degraded.load(Ordering::Acquire) {
            match self.store.probe() {
                Ok(()) => {
                    tracing::info!("the store takes writes again");
                    self.shared.degraded.store(false, Ordering::Release);
                }
                Err(CommitError::Unknown(_)) => self.recover(),
                Err(_) => {}
            }
        }
        if now.millis() - self.saved_at.millis() >= SAVE_PRESENCE_MILLIS {
            self.saved_at = now;
            self.save_presence();
        }
    }

    fn save_presence(&mut self) {
        let seen = self.shared.presence.take_unsaved();
        if seen.is_empty() {
            return;
        }
        let Err(why) = self.store.save_presence(&seen) else { return };
        tracing::warn!(%why, "presence was not saved; it will be tried again");
        self.shared.presence.mark_unsaved(&seen);
        if matches!(why, CommitError::Unknown(_)) {
            self.recover();
        }
    }
}

/// However the writer ends, nobody waits for it in vain.
struct ClosesWhenDropped(Arc<Shared>);

impl Drop for ClosesWhenDropped {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.queue.clear();
        self.0.published.close();
    }
}

/// Gives the reply to a send the bytes of the message.
fn attach_json(answer: &mut Result<Reply, HubError>, entries: &[Arc<Entry>]) {
    let (Ok(Reply { outcome: Outcome::Message(sent), .. }), Some(first)) =
        (answer, entries.first())
    else {
        return;
    };
    let entry = entries.get((sent.message.seq - first.seq()) as usize);
    sent.json = entry.and_then(|entry| entry.message_json()).unwrap_or_default();
}

fn give(answers: Vec<(Answerer, Result<Reply, HubError>)>) {
    answers.into_iter().for_each(|(answerer, answer)| answerer.answer(answer));
}

/// Tells everyone in the batch that it failed: refusals too, for they were decided on what is not.
fn fail(answers: Vec<(Answerer, Result<Reply, HubError>)>, error: HubError) {
    answers.into_iter().for_each(|(answerer, _)| answerer.answer(Err(error.clone())));
}
