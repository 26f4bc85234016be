//! What the writer decides between two commits: one batch of commands, and whatever is due.

use std::{mem, sync::Arc};

use bytes::Bytes;
use ulid::Ulid;

use super::{
    Claim, HubError, Made, Outcome, Reply, Sent,
    prefetch::prefetch,
    queue::{Job, Place},
    ticket::Answerer,
    waiters::Opened,
    writer::Writer,
};
use crate::{
    command::{Caller, Command, Envelope, MoveLeases},
    event::{EntityRegistered, EntityRemoved, EntityUpdated, Event, Stamped, Trace},
    hub::{Answer, Decision, Rejection, SentAnswer, causes, decide},
    ids::{EntityId, TaskId, TokenId},
    model::{Entity, Message, Token},
    subscribe::message_object,
    time::Timestamp,
};

/// A batch between deciding and answering.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) events: Vec<Stamped>,
    pub(super) answers: Vec<Pending>,
    /// How many of the [`Moves`] are among the events.
    pub(super) moves: usize,
}

/// A command that was decided, and waits for the commit to be answered.
pub(super) struct Pending {
    pub(super) envelope: Envelope,
    pub(super) answerer: Answerer,
    pub(super) answer: Result<Reply, HubError>,
    /// Its place among those who wait, where it was taken from there.
    pub(super) place: Option<Place>,
}

impl Writer {
    /// Everything due at or before now is decided before any command of now. What gives leases more
    /// time comes first of all: no lease lapses for a time in which nobody could work.
    pub(super) fn decide_due(&mut self, now: Timestamp) -> Decided {
        let mut decided = Decided { moves: self.moves.len(), ..Decided::default() };
        for why in self.moves.clone() {
            self.decide_own(Command::MoveLeases(why), now, &mut decided);
        }
        while self.ahead.next_deadline().is_some_and(|due| due <= now) {
            let before = decided.events.len();
            self.decide_own(Command::Tick, now, &mut decided);
            if decided.events.len() == before {
                tracing::error!("something is due and nothing decides it");
                break;
            }
            self.serve(before, now, &mut decided);
        }
        if mem::take(&mut self.reconsiders) {
            let mut arrival = 0;
            while let Some((next, job)) = self.waiters.reconsider_next(arrival, &self.ahead) {
                arrival = next;
                self.serve_job(job, now, &mut decided);
            }
        }
        decided
    }

    /// Decides a command of the hub's own, which has nobody to answer, and which nothing refuses.
    pub(super) fn decide_own(&mut self, command: Command, now: Timestamp, decided: &mut Decided) {
        let caller = Caller::named(EntityId::system());
        let own = Envelope { caller, fresh: Ulid::nil(), command, key: None, origin: None };
        if let Err(why) = self.decide_one(&own, now, &mut decided.events) {
            tracing::error!(%why, "a command of the hub's own was refused");
        }
    }

    /// Decides one command, and then serves those who waited for what it opened.
    pub(super) fn decide_job(&mut self, job: Job, now: Timestamp, decided: &mut Decided) {
        let before = decided.events.len();
        let answer = self.decide_one(&job.envelope, now, &mut decided.events);
        let job = if found_nothing(&answer) && !self.shared.ends_waits() {
            let monotonic = self.shared.clock.monotonic();
            match self.waiters.park(job, &self.ahead, monotonic) {
                None => return,
                Some(job) => job,
            }
        } else {
            job
        };
        self.answer(job, answer, now, decided);
        self.serve(before, now, decided);
    }

    /// Serves waiters with what the events from `since` on have opened.
    fn serve(&mut self, since: usize, now: Timestamp, decided: &mut Decided) {
        if self.waiters.is_empty() {
            return;
        }
        let opened = opened(&decided.events[since..]);
        for entity in &opened.entities {
            self.waiters.refresh(entity, &self.ahead);
        }
        // Whoever came first goes first, whichever of the tasks it takes. Serving makes events of its
        // own, which open nothing.
        while let Some(job) = self.waiters.first_for(&opened, &self.ahead) {
            if !self.serve_job(job, now, decided) {
                break;
            }
        }
    }

    /// Gives somebody who waits what there is for it. Where there is nothing after all it goes on
    /// waiting. Whether there was something.
    fn serve_job(&mut self, job: Job, now: Timestamp, decided: &mut Decided) -> bool {
        let answer = self.decide_one(&job.envelope, now, &mut decided.events);
        let found = !found_nothing(&answer);
        let job = if found { Some(job) } else { self.waiters.put_back(job, &self.ahead) };
        if let Some(job) = job {
            self.answer(job, answer, now, decided);
        }
        found
    }

    /// Keeps an answer until the commit, and gives it to those, too, who ask again under the same key
    /// and wait for it.
    fn answer(
        &mut self,
        job: Job,
        answer: Result<Reply, HubError>,
        now: Timestamp,
        decided: &mut Decided,
    ) {
        let claimed =
            answer.as_ref().is_ok_and(|reply| matches!(reply.outcome, Outcome::Claimed(_)));
        let key = job.envelope.key.clone().filter(|_| claimed);
        let caller = job.envelope.caller.id.clone();
        let Job { envelope, answerer, place, .. } = job;
        decided.answers.push(Pending { envelope, answerer, answer, place });
        if let (Some(key), Some(caller)) = (key, caller) {
            for again in self.waiters.under_key(&caller, &key) {
                self.serve_job(again, now, decided);
            }
        }
    }

    /// Decides one command on the state ahead, and makes its events true there.
    fn decide_one(
        &mut self,
        envelope: &Envelope,
        now: Timestamp,
        events: &mut Vec<Stamped>,
    ) -> Result<Reply, HubError> {
        let soft = &self.shared.presence;
        let known = prefetch(&self.ahead, &mut *self.store, soft, envelope)?;
        let decision = decide(&self.ahead, &known, envelope, now)?;
        drop(known);
        let Decision { events: happened, answer, refusal, key, again } = decision;
        let last = happened.len();
        let mut key = key.map(Arc::new);
        let first = self.ahead.head() + 1;
        // Most decisions are one event, which follows from nothing else.
        let causes = if last > 1 { causes(&happened) } else { Vec::new() };
        for (nth, event) in (1..).zip(happened) {
            let cause = causes.get(nth - 1).copied().flatten();
            let trace = Trace {
                origin: envelope.origin.clone(),
                cause: cause.map(|place| first + place as u64),
            };
            let stamped = Stamped {
                seq: self.ahead.head() + 1,
                at: now,
                actor: envelope.caller.id.clone(),
                auth: envelope.caller.auth,
                event,
                key: key.take_if(|_| nth == last),
                trace,
            };
            self.ahead.evolve(&stamped);
            events.push(stamped);
        }
        if let Some(refusal) = refusal {
            return Err(refusal.into());
        }
        let made = if again.is_some() { Made::Before } else { Made::Now };
        let outcome = self.outcome(answer, events)?;
        Ok(Reply { seq: again.unwrap_or(self.ahead.head()), outcome, made })
    }

    /// What the answer names, as it is now that the events are true.
    fn outcome(&mut self, answer: Answer, events: &[Stamped]) -> Result<Outcome, HubError> {
        Ok(match answer {
            Answer::Done => Outcome::Done,
            Answer::CursorAt(seq) => Outcome::CursorAt(seq),
            Answer::Entity(id) => Outcome::Entity(self.entity_of(&id)?),
            Answer::Joined { entity_id, token_id } => {
                let entity = self.entity_of(&entity_id)?;
                Outcome::Joined { entity, token: self.token_of(&token_id)? }
            }
            Answer::Token(id) => Outcome::Token(self.token_of(&id)?),
            Answer::Invite(id) => {
                let found = self.ahead.credentials().invite(&id);
                let invite = found.ok_or_else(|| Rejection::UnknownInvite(id.clone()))?;
                Outcome::Invite(invite.of.clone())
            }
            Answer::Sent(sent) => {
                let sent = sent.into_iter().map(|one| self.sent(one, events));
                Outcome::Sent(sent.collect::<Result<_, _>>()?)
            }
            Answer::Message { message_id, already } => Outcome::Message { message_id, already },
            Answer::Channel { channel, already } => Outcome::Channel { channel, already },
            Answer::Task { task_id, already } => {
                Outcome::Task { task: self.task_of(&task_id)?, already }
            }
            Answer::Tasks(ids) => {
                let tasks = ids.iter().map(|id| self.task_of(id));
                Outcome::Tasks(tasks.collect::<Result<_, _>>()?)
            }
            Answer::Claimed { task_id, claim_token, lease_expires_at, already } => {
                let task = self.task_of(&task_id)?;
                Outcome::Claimed(Claim { task, claim_token, lease_expires_at, already })
            }
            Answer::NoTask => Outcome::NoTask,
            Answer::Lease { task_id, lease_expires_at } => {
                Outcome::Lease { task_id, lease_expires_at }
            }
            Answer::Reserved { reservation, already } => {
                let held = self.ahead.reservations().get(&reservation.reservation_id);
                Outcome::Reserved { reservation: held.cloned().unwrap_or(reservation), already }
            }
            Answer::Released(id) => Outcome::Released(id),
            Answer::HandedOver(handed) => Outcome::HandedOver(handed),
            Answer::Proposal { proposal_id, already } => {
                let proposal = match self.ahead.proposal(&proposal_id) {
                    Some(hot) => hot.clone(),
                    None => {
                        let cold = self.store.proposal(&proposal_id)?;
                        cold.ok_or(Rejection::UnknownProposal(proposal_id))?.into()
                    }
                };
                Outcome::Proposal { proposal, already }
            }
        })
    }

    fn entity_of(&self, id: &EntityId) -> Result<Arc<Entity>, HubError> {
        let found = self.ahead.entity(id).cloned();
        Ok(found.ok_or_else(|| Rejection::UnknownEntity(id.clone()))?)
    }

    fn token_of(&self, id: &TokenId) -> Result<Arc<Token>, HubError> {
        let found = self.ahead.credentials().token(id);
        Ok(found.ok_or_else(|| Rejection::UnknownToken(id.clone()))?.of.clone())
    }

    fn task_of(&mut self, id: &TaskId) -> Result<Arc<crate::model::Task>, HubError> {
        if let Some(hot) = self.ahead.task(id) {
            return Ok(hot.clone());
        }
        let cold = self.store.task(id)?;
        Ok(cold.ok_or_else(|| Rejection::UnknownTask(id.clone()))?.into())
    }

    /// A message that was sent in this batch; under an idempotency key perhaps long ago.
    fn sent(&self, one: SentAnswer, events: &[Stamped]) -> Result<Sent, HubError> {
        let SentAnswer { message_id, recipients, task_id } = one;
        let among = |events: &[Stamped]| {
            events.iter().rev().find_map(|stamped| match &stamped.event {
                Event::MessageSent(message) if message.message_id == message_id => {
                    Some(message.clone())
                }
                _ => None,
            })
        };
        let (message, json): (Arc<Message>, Bytes) = match among(events) {
            // The bytes are filled in when the message has been encoded for everyone.
            Some(message) => (message, Bytes::new()),
            None => {
                let found = match among(self.store.tail()) {
                    Some(message) => Some(message),
                    None => self.store.history().message(&message_id)?,
                };
                let message = found.ok_or(Rejection::UnknownMessage(message_id))?;
                let json = message_object(&message);
                (message, json)
            }
        };
        Ok(Sent { message, json, recipients, task_id })
    }
}

fn found_nothing(answer: &Result<Reply, HubError>) -> bool {
    matches!(answer, Ok(Reply { outcome: Outcome::NoTask, made: Made::Now, .. }))
}

/// What events have changed, as far as those who wait for a task care.
fn opened(events: &[Stamped]) -> Opened {
    let mut opened = Opened::default();
    for stamped in events {
        let task = match &stamped.event {
            Event::TaskCreated(e) => &e.task.task_id,
            Event::TaskUpdated(e) => &e.task_id,
            Event::TaskReleased(e) => &e.task_id,
            Event::TaskFailed(e) => &e.task_id,
            Event::TaskReopened(e) => &e.task.task_id,
            Event::TaskReady(e) => &e.task_id,
            Event::EntityRegistered(EntityRegistered {
                entity: Entity { entity_id, .. }, ..
            })
            | Event::EntityUpdated(EntityUpdated { entity_id, .. })
            | Event::EntityRemoved(EntityRemoved { entity_id, .. }) => {
                opened.entities.insert(entity_id.clone());
                continue;
            }
            _ => continue,
        };
        opened.tasks.insert(task.clone());
    }
    opened
}

/// The hub's own reasons to give leases more time, until they are on disk.
pub(super) type Moves = Vec<MoveLeases>;
