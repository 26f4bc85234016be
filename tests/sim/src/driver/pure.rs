//! The pure hub: `decide` and `evolve`, with a disk of plain maps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use coordhub_core::{
    HubError, Made, Outcome, Reply, Request, Timestamp,
    command::{Caller, Command, CreateTask, Envelope, MoveLeases, Send},
    engine::{Claim, Sent},
    event::{Event, Stamped, Trace},
    hub::{
        Answer, Decision, KeptKey, KeyId, KnownReceipt, Prefetched, SoftFacts, State, decide,
        invariants,
    },
    ids::{EntityId, MessageId, ProposalId, TaskId},
    limits::Limits,
    model::{EntityType, Message, Proposal, Task},
};
use ulid::Ulid;

use crate::model::Mismatch;

/// The pure hub and what a store would keep for it.
pub(super) struct Pure {
    /// The state, with what is not committed.
    pub(super) state: State,
    /// Hub time.
    pub(super) now: Timestamp,
    /// Everything that happened.
    pub(super) log: Vec<Stamped>,
    /// Who is there.
    pub(super) soft: Soft,
    disk: Disk,
    made: u64,
}

/// What is on disk.
#[derive(Default)]
struct Disk {
    tasks: BTreeMap<TaskId, Arc<Task>>,
    proposals: BTreeMap<ProposalId, Arc<Proposal>>,
    receipts: BTreeMap<(MessageId, EntityId), KnownReceipt>,
    redacted: BTreeSet<MessageId>,
    late_results: BTreeSet<(TaskId, u64)>,
    keys: BTreeMap<KeyId, Arc<KeptKey>>,
    /// How much of the log is on it.
    kept: usize,
}

/// Who is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Soft {
    /// With a live socket.
    pub(super) connected: BTreeSet<EntityId>,
    /// When each registered one last acted.
    pub(super) seen: BTreeMap<EntityId, Timestamp>,
}

impl SoftFacts for Soft {
    fn is_connected(&self, id: &EntityId) -> bool {
        self.connected.contains(id)
    }

    fn last_seen(&self, id: &EntityId) -> Option<Timestamp> {
        self.seen.get(id).copied()
    }

    fn online(&self, _: EntityType) -> u64 {
        0
    }

    fn is_online(&self, _: &EntityId) -> bool {
        false
    }
}

impl Pure {
    /// A hub where nothing has happened.
    pub(super) fn new(now: Timestamp) -> Self {
        let (state, log) = (State::new(Limits::default()), Vec::new());
        Self { state, now, log, soft: Soft::default(), disk: Disk::default(), made: 0 }
    }

    /// What time decides by now.
    pub(super) fn tick(&mut self) -> Result<(), Mismatch> {
        while self.state.next_deadline().is_some_and(|due| due <= self.now) {
            let before = self.log.len();
            self.own(Command::Tick)?;
            if self.log.len() == before {
                let due = self.state.first_due();
                return Err(Mismatch(format!("something stays due: {due:?}")));
            }
        }
        Ok(())
    }

    /// Gives leases more time.
    pub(super) fn move_leases(&mut self, why: MoveLeases) -> Result<(), Mismatch> {
        self.own(Command::MoveLeases(why))
    }

    fn own(&mut self, command: Command) -> Result<(), Mismatch> {
        let caller = Caller::named(EntityId::system());
        let own = Envelope { caller, fresh: Ulid::nil(), command, key: None, origin: None };
        let decision = self.judge(&own).map_err(|why| Mismatch(format!("its own: {why}")))?;
        self.make_true(&own.caller, &decision);
        self.check()
    }

    /// Notes that somebody acted.
    pub(super) fn touch(&mut self, id: &EntityId) {
        if self.state.entity(id).is_some() {
            self.soft.seen.insert(id.clone(), self.now);
        }
    }

    /// Decides one command.
    pub(super) fn call(&mut self, request: &Request) -> Result<Reply, HubError> {
        self.made += 1;
        let millis = u64::try_from(self.now.millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, u128::from(self.made) << 16);
        let Request { caller, command, key, wait: _, origin } = request.clone();
        caller.id.iter().for_each(|id| self.touch(id));
        let envelope = Envelope { caller, fresh, command, key, origin };
        let decision = self.judge(&envelope)?;
        self.make_true(&envelope.caller, &decision);
        if let Some(refusal) = decision.refusal {
            return Err(refusal.into());
        }
        let made = if decision.again.is_some() { Made::Before } else { Made::Now };
        let seq = decision.again.unwrap_or(self.state.head());
        Ok(Reply { seq, outcome: self.outcome(decision.answer), made })
    }

    fn judge(&self, envelope: &Envelope) -> Result<Decision, HubError> {
        let known = self.known(envelope);
        Ok(decide(&self.state, &known, envelope, self.now)?)
    }

    fn make_true(&mut self, caller: &Caller, decision: &Decision) {
        let count = decision.events.len();
        for (nth, event) in (1..).zip(&decision.events) {
            let key = decision.key.clone().filter(|_| nth == count).map(Arc::new);
            let stamped = Stamped {
                seq: self.state.head() + 1,
                at: self.now,
                actor: caller.id.clone(),
                auth: caller.auth,
                event: event.clone(),
                key,
                trace: Trace::default(),
            };
            self.state.evolve(&stamped);
            match event {
                Event::EntityRegistered(e) => {
                    self.soft.seen.insert(e.entity.entity_id.clone(), self.now);
                }
                Event::EntityRemoved(e) => {
                    self.soft.seen.remove(&e.entity_id);
                }
                _ => {}
            }
            self.log.push(stamped);
        }
    }

    /// Whether every invariant holds.
    pub(super) fn check(&self) -> Result<(), Mismatch> {
        invariants::check(&self.state).map_err(|what| Mismatch(format!("invariant: {what}")))
    }

    /// Writes what happened, and forgets what that has made history.
    pub(super) fn commit(&mut self) {
        for stamped in &self.log[self.disk.kept..] {
            self.disk.take(stamped);
        }
        self.disk.kept = self.log.len();
        for id in &self.state.touched().tasks {
            if let Some(task) = self.state.task(id) {
                self.disk.tasks.insert(id.clone(), task.clone());
            }
        }
        for id in &self.state.touched().proposals {
            if let Some(proposal) = self.state.proposal(id) {
                self.disk.proposals.insert(id.clone(), proposal.clone());
            }
        }
        self.state.settle();
    }

    /// A task, in memory or on disk.
    pub(super) fn task(&self, id: &TaskId) -> Option<&Arc<Task>> {
        self.state.task(id).or_else(|| self.disk.tasks.get(id))
    }

    /// A proposal, in memory or on disk.
    pub(super) fn proposal(&self, id: &ProposalId) -> Option<&Arc<Proposal>> {
        self.state.proposal(id).or_else(|| self.disk.proposals.get(id))
    }

    fn message(&self, id: &MessageId) -> Option<Arc<Message>> {
        let sent = self.log.iter().find_map(|stamped| match &stamped.event {
            Event::MessageSent(message) if message.message_id == *id => Some(message.clone()),
            _ => None,
        })?;
        let redacted = self.log.iter().find_map(|stamped| match &stamped.event {
            Event::MessageRedacted(e) if e.of.message_id == *id => Some(e.metadata.clone()),
            _ => None,
        });
        Some(match redacted {
            Some(metadata) => {
                Arc::new(Message { content: String::new(), metadata, ..(*sent).clone() })
            }
            None => sent,
        })
    }

    fn outcome(&self, answer: Answer) -> Outcome {
        let task = |id: &TaskId| self.task(id).expect("the task of an answer").clone();
        match answer {
            Answer::Done => Outcome::Done,
            Answer::Entity(id) => match self.state.entity(&id) {
                Some(entity) => Outcome::Entity(entity.clone()),
                None => Outcome::Done,
            },
            Answer::Joined { entity_id, token_id } => {
                let token = self.state.credentials().token(&token_id);
                match self.state.entity(&entity_id).zip(token) {
                    Some((entity, token)) => {
                        Outcome::Joined { entity: entity.clone(), token: token.of.clone() }
                    }
                    None => Outcome::Done,
                }
            }
            Answer::Token(id) => match self.state.credentials().token(&id) {
                Some(token) => Outcome::Token(token.of.clone()),
                None => Outcome::Done,
            },
            Answer::Invite(id) => match self.state.credentials().invite(&id) {
                Some(invite) => Outcome::Invite(invite.of.clone()),
                None => Outcome::Done,
            },
            Answer::CursorAt(seq) => Outcome::CursorAt(seq),
            Answer::Sent(sent) => {
                let sent = sent.into_iter().map(|one| Sent {
                    message: self.message(&one.message_id).expect("the message of an answer"),
                    json: Default::default(),
                    recipients: one.recipients,
                    task_id: one.task_id,
                });
                Outcome::Sent(sent.collect())
            }
            Answer::Message { message_id, already } => Outcome::Message { message_id, already },
            Answer::Channel { channel, already } => Outcome::Channel { channel, already },
            Answer::Task { task_id, already } => Outcome::Task { task: task(&task_id), already },
            Answer::Tasks(ids) => Outcome::Tasks(ids.iter().map(task).collect()),
            Answer::Claimed { task_id, claim_token, lease_expires_at, already } => {
                let task = task(&task_id);
                Outcome::Claimed(Claim { task, claim_token, lease_expires_at, already })
            }
            Answer::NoTask => Outcome::NoTask,
            Answer::Lease { task_id, lease_expires_at } => {
                Outcome::Lease { task_id, lease_expires_at }
            }
            Answer::Proposal { proposal_id, already } => {
                let proposal = self.proposal(&proposal_id).expect("the proposal of an answer");
                Outcome::Proposal { proposal: proposal.clone(), already }
            }
            _ => Outcome::Done,
        }
    }

    /// Everything that a command can touch, as the engine would look it up.
    fn known(&self, envelope: &Envelope) -> Prefetched<'_> {
        let mut known = Prefetched::new(&self.soft);
        if let (Some(key), Some(caller)) = (&envelope.key, &envelope.caller.id) {
            let (route, key) = (key.route.clone(), key.key.clone());
            let id = KeyId { caller: caller.clone(), route, key };
            known.keys.insert(id.clone(), self.disk.keys.get(&id).cloned());
        }
        let disk = &self.disk;
        match &envelope.command {
            Command::Send(send) => self.know_send(&mut known, send),
            Command::SendBatch(sends) => {
                sends.iter().for_each(|send| self.know_send(&mut known, send));
            }
            Command::AckMessage(id) => {
                self.know_message(&mut known, id);
                if let Some(caller) = &envelope.caller.id {
                    let receipt = (id.clone(), caller.clone());
                    let answered = disk.receipts.get(&receipt).copied().unwrap_or_default();
                    known.receipts.insert(receipt, answered);
                }
            }
            Command::ResolveRollCall(id) => self.know_message(&mut known, id),
            Command::RedactMessage(id) => {
                self.know_message(&mut known, id);
                known.redacted.extend(disk.redacted.get(id).cloned());
            }
            Command::CreateTask(create) => self.know_create(&mut known, create),
            Command::CreateTasks(all) => {
                all.iter().for_each(|create| self.know_create(&mut known, create));
            }
            Command::CompleteTask(command) => {
                self.know_task(&mut known, &command.task_id);
                self.know_blockers(&mut known, &command.task_id);
                let claim = (command.task_id.clone(), command.claim_token.unwrap_or(0));
                known.late_results.extend(disk.late_results.get(&claim).cloned());
            }
            Command::ReopenTask(id) => {
                self.know_task(&mut known, id);
                self.know_blockers(&mut known, id);
            }
            Command::UpdateTask(c) => self.know_task(&mut known, &c.task_id),
            Command::ClaimTask(c) => self.know_task(&mut known, &c.task_id),
            Command::RenewLease(c) => self.know_task(&mut known, &c.task_id),
            Command::FailTask(c) => self.know_task(&mut known, &c.task_id),
            Command::ReleaseTask(c) => self.know_task(&mut known, &c.task_id),
            Command::AnswerTask(c) => self.know_task(&mut known, &c.task_id),
            Command::ReassignTask(id) | Command::CancelTask(id) => {
                self.know_task(&mut known, id);
            }
            Command::CreateProposal(c) => {
                c.proposal_id.iter().for_each(|id| self.know_proposal(&mut known, id));
            }
            Command::CastVote(c) => self.know_proposal(&mut known, &c.proposal_id),
            Command::CloseProposal(id) | Command::WithdrawProposal(id) => {
                self.know_proposal(&mut known, id);
            }
            _ => {}
        }
        known
    }

    fn know_send(&self, known: &mut Prefetched<'_>, send: &Send) {
        send.reply_to.iter().for_each(|id| self.know_message(known, id));
        send.task.iter().for_each(|create| self.know_create(known, create));
    }

    fn know_create(&self, known: &mut Prefetched<'_>, create: &CreateTask) {
        create.task_id.iter().chain(&create.depends_on).for_each(|id| self.know_task(known, id));
    }

    fn know_blockers(&self, known: &mut Prefetched<'_>, id: &TaskId) {
        let task = self.task(id).filter(|task| task.status.is_finished());
        task.iter().flat_map(|task| &task.depends_on).for_each(|id| self.know_task(known, id));
    }

    fn know_message(&self, known: &mut Prefetched<'_>, id: &MessageId) {
        known.messages.insert(id.clone(), self.message(id).map(|message| message.head()));
    }

    fn know_task(&self, known: &mut Prefetched<'_>, id: &TaskId) {
        if self.state.task(id).is_none() {
            known.tasks.insert(id.clone(), self.disk.tasks.get(id).cloned());
        }
    }

    fn know_proposal(&self, known: &mut Prefetched<'_>, id: &ProposalId) {
        if self.state.proposal(id).is_none() {
            known.proposals.insert(id.clone(), self.disk.proposals.get(id).cloned());
        }
    }
}

impl Disk {
    fn take(&mut self, stamped: &Stamped) {
        if let Some(key) = &stamped.key {
            self.keys.insert(key.id.clone(), key.clone());
        }
        match &stamped.event {
            Event::RollCallOpened(e) => {
                for id in &e.recipients {
                    let receipt = (e.of.message_id.clone(), id.clone());
                    self.receipts.insert(receipt, KnownReceipt::Asked);
                }
            }
            Event::MessageAcked(e) => {
                let receipt = (e.of.message_id.clone(), e.entity_id.clone());
                self.receipts.insert(receipt, KnownReceipt::Acked);
            }
            Event::MessageRedacted(e) => {
                self.redacted.insert(e.of.message_id.clone());
            }
            Event::LateResultKept(e) => {
                self.late_results.insert((e.task_id.clone(), e.claim_token));
            }
            _ => {}
        }
    }
}
