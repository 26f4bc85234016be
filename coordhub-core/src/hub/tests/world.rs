//! A hub without disk, threads or clock: commands go through `decide` and `evolve`, and after every one
//! of them every invariant is checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ulid::Ulid;

use crate::{
    JsonText, Timestamp,
    command::{Auth, Caller, Command, CreateTask, Envelope, Key, Register, Role},
    event::{Event, Stamped, Trace},
    hub::{
        Decision, KeptKey, KeyId, KnownReceipt, Prefetched, Rejection, SoftFacts, State, decide,
        invariants,
    },
    ids::{EntityId, MessageId, ProposalId, TaskId},
    limits::Limits,
    model::{EntityType, Message, MessageHead, Proposal, Task},
    secret::SecretHash,
};

/// The time at which every world begins, in milliseconds.
const BEGINNING_MILLIS: i64 = 1_700_000_000_000;

/// An id that is valid, or the test is wrong.
pub(super) fn id(text: &str) -> EntityId {
    EntityId::parse(text).expect("an id")
}

pub(super) fn task_id(text: &str) -> TaskId {
    TaskId::parse(text).expect("an id")
}

pub(super) fn proposal_id(text: &str) -> ProposalId {
    ProposalId::parse(text).expect("an id")
}

/// Two states that live through the same: one forgets after every command what a commit would have
/// made history, the other never does. What is decided must not hang on that.
pub(super) struct World {
    pub(super) state: State,
    never_settled: State,
    pub(super) now: Timestamp,
    role: Role,
    auth: Auth,
    token: Option<SecretHash>,
    pub(super) soft: Soft,
    fresh: u64,
    messages: BTreeMap<MessageId, MessageHead>,
    tasks: BTreeMap<TaskId, Arc<Task>>,
    proposals: BTreeMap<ProposalId, Arc<Proposal>>,
    kept: OnDisk,
}

/// What a store keeps and no state remembers after a commit.
#[derive(Default)]
struct OnDisk {
    receipts: BTreeMap<(MessageId, EntityId), KnownReceipt>,
    redacted: BTreeSet<MessageId>,
    late_results: BTreeSet<(TaskId, u64)>,
    keys: BTreeMap<KeyId, Arc<KeptKey>>,
}

impl OnDisk {
    fn keep(&mut self, stamped: &Stamped) {
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

/// Who is there, as the test says.
#[derive(Default)]
pub(super) struct Soft {
    pub(super) connected: BTreeSet<EntityId>,
    pub(super) last_seen: BTreeMap<EntityId, Timestamp>,
    pub(super) online: BTreeMap<EntityId, EntityType>,
}

impl SoftFacts for Soft {
    fn is_connected(&self, id: &EntityId) -> bool {
        self.connected.contains(id)
    }

    fn last_seen(&self, id: &EntityId) -> Option<Timestamp> {
        self.last_seen.get(id).copied()
    }

    fn online(&self, kind: EntityType) -> u64 {
        self.online.values().filter(|other| **other == kind).count() as u64
    }

    fn is_online(&self, id: &EntityId) -> bool {
        self.online.contains_key(id)
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self {
            state: State::new(limits.clone()),
            never_settled: State::new(limits),
            now: Timestamp::from_millis(BEGINNING_MILLIS),
            role: Role::Member,
            auth: Auth::Open,
            token: None,
            soft: Soft::default(),
            fresh: 0,
            messages: BTreeMap::new(),
            tasks: BTreeMap::new(),
            proposals: BTreeMap::new(),
            kept: OnDisk::default(),
        }
    }

    /// With the human `ada`, the AIs `bo` and `cy`, and the service `sam`.
    pub(super) fn with_everyone() -> Self {
        let mut world = Self::new();
        world.register("ada", EntityType::Human);
        world.register("bo", EntityType::AiAgent);
        world.register("cy", EntityType::ClaudeSession);
        world.register("sam", EntityType::Service);
        world
    }

    pub(super) fn later(&mut self, seconds: i64) -> &mut Self {
        self.now = self.now.plus_millis(seconds * 1_000);
        self
    }

    /// From here on commands come from an admin, or from members.
    pub(super) fn role(&mut self, role: Role) -> &mut Self {
        self.role = role;
        self
    }

    /// From here on commands come by the token with this hash, or by none, in token mode.
    pub(super) fn shows(&mut self, token: Option<SecretHash>) -> &mut Self {
        (self.auth, self.token) = (Auth::Token, token);
        self
    }

    /// Asks for something as `caller`, nobody where that is empty, and gives the kinds of the events.
    pub(super) fn ask(
        &mut self,
        caller: &str,
        command: Command,
    ) -> Result<Vec<&'static str>, Rejection> {
        let decision = self.decide(caller, command)?;
        if let Some(refusal) = decision.refusal {
            return Err(refusal);
        }
        Ok(decision.events.iter().map(Event::kind).collect())
    }

    /// Asks for something that must be granted.
    #[track_caller]
    pub(super) fn must(&mut self, caller: &str, command: Command) -> Vec<&'static str> {
        let told = format!("{caller:?}: {command:?}");
        self.ask(caller, command).unwrap_or_else(|why| panic!("{told}: {why}"))
    }

    /// The code with which something is refused; `ok` where it is not.
    pub(super) fn code(&mut self, caller: &str, command: Command) -> &'static str {
        match self.ask(caller, command) {
            Ok(_) => "ok",
            Err(why) => why.code(),
        }
    }

    /// The message that a command makes.
    #[track_caller]
    pub(super) fn message(&mut self, caller: &str, command: Command) -> Arc<Message> {
        let decision = self.decide(caller, command).expect("is sent");
        match decision.events.into_iter().next() {
            Some(Event::MessageSent(message)) => message,
            other => panic!("no message but {other:?}"),
        }
    }

    /// The id and the head of the message that was sent last.
    pub(super) fn newest_message(&self) -> (&MessageId, &MessageHead) {
        self.messages.last_key_value().expect("a message")
    }

    pub(super) fn register(&mut self, name: &str, entity_type: EntityType) {
        self.must(name, register(name, entity_type));
    }

    /// All that time alone decides by now.
    pub(super) fn tick(&mut self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        while self.state.next_deadline().is_some_and(|due| due <= self.now) {
            let decided = self.tick_once();
            assert!(!decided.is_empty(), "something stays due: {:?}", self.state.first_due());
            kinds.extend(decided);
        }
        kinds
    }

    /// What time decides first, if that is due.
    pub(super) fn tick_once(&mut self) -> Vec<&'static str> {
        self.must("", Command::Tick)
    }

    pub(super) fn task(&self, id: &str) -> Arc<Task> {
        let id = task_id(id);
        self.state.task(&id).or_else(|| self.tasks.get(&id)).expect("a task").clone()
    }

    pub(super) fn proposal(&self, id: &str) -> Arc<Proposal> {
        let id = proposal_id(id);
        self.state.proposal(&id).or_else(|| self.proposals.get(&id)).expect("a proposal").clone()
    }

    pub(super) fn decide(&mut self, caller: &str, command: Command) -> Result<Decision, Rejection> {
        self.decide_under(caller, command, None)
    }

    /// Asks for something under an idempotency key.
    pub(super) fn decide_under(
        &mut self,
        caller: &str,
        command: Command,
        key: Option<Key>,
    ) -> Result<Decision, Rejection> {
        self.fresh += 1;
        let caller = (!caller.is_empty()).then(|| id(caller));
        let envelope = Envelope {
            caller: Caller {
                id: caller.clone(),
                role: self.role,
                auth: self.auth,
                token: self.token,
            },
            fresh: Ulid::from_parts(self.now.millis() as u64, u128::from(self.fresh)),
            command,
            key,
            origin: None,
        };
        let known = self.known(&envelope);
        let decided = decide(&self.state, &known, &envelope, self.now);
        let again = decide(&self.never_settled, &known, &envelope, self.now);
        assert_eq!(decided, again, "it hangs on what was committed: {envelope:?}");
        drop(known);
        if let Ok(decision) = &decided {
            for (nth, event) in (1..).zip(&decision.events) {
                let key = decision.key.clone().filter(|_| nth == decision.events.len());
                self.make_true(caller.clone(), event.clone(), key.map(Arc::new));
            }
        }
        for state in [&self.state, &self.never_settled] {
            invariants::check(state).expect("every invariant holds");
        }
        self.keep();
        decided
    }

    fn make_true(&mut self, actor: Option<EntityId>, event: Event, key: Option<Arc<KeptKey>>) {
        let auth = self.auth;
        let seq = self.state.head() + 1;
        let stamped =
            Stamped { seq, at: self.now, actor, auth, event, key, trace: Trace::default() };
        let (kind, data) = (stamped.event.kind(), stamped.event.data());
        assert!(Event::from_stored(kind, &data).is_some(), "cannot be read back: {data}");
        if let Event::MessageSent(message) = &stamped.event {
            self.messages.insert(message.message_id.clone(), message.head());
        }
        self.kept.keep(&stamped);
        for state in [&mut self.state, &mut self.never_settled] {
            state.evolve(&stamped);
        }
    }

    /// Plays the store: keeps what changed, then lets one state forget it.
    fn keep(&mut self) {
        for id in &self.state.touched().tasks {
            if let Some(task) = self.state.task(id) {
                self.tasks.insert(id.clone(), task.clone());
            }
        }
        for id in &self.state.touched().proposals {
            if let Some(proposal) = self.state.proposal(id) {
                self.proposals.insert(id.clone(), proposal.clone());
            }
        }
        self.state.settle();
        invariants::check(&self.state).expect("every invariant holds");
    }

    fn known(&self, envelope: &Envelope) -> Prefetched<'_> {
        let command = &envelope.command;
        let mut known = Prefetched::new(&self.soft);
        known.tasks =
            self.tasks.iter().map(|(id, task)| (id.clone(), Some(task.clone()))).collect();
        known.proposals =
            self.proposals.iter().map(|(id, p)| (id.clone(), Some(p.clone()))).collect();
        known.messages =
            self.messages.iter().map(|(id, m)| (id.clone(), Some(m.clone()))).collect();
        known.receipts.clone_from(&self.kept.receipts);
        known.redacted.clone_from(&self.kept.redacted);
        known.late_results.clone_from(&self.kept.late_results);
        known.keys =
            self.kept.keys.iter().map(|(id, kept)| (id.clone(), Some(kept.clone()))).collect();
        // What does not exist was looked for, too.
        if let (Some(key), Some(caller)) = (&envelope.key, &envelope.caller.id) {
            let (route, key) = (key.route.clone(), key.key.clone());
            known.keys.entry(KeyId { caller: caller.clone(), route, key }).or_insert(None);
        }
        known.messages.entry(MessageId::parse("no-such-message").expect("an id")).or_insert(None);
        let creates: Vec<&CreateTask> = match command {
            Command::CreateTask(create) => vec![create],
            Command::CreateTasks(creates) => creates.iter().collect(),
            Command::Send(send) => send.task.as_deref().into_iter().collect(),
            _ => Vec::new(),
        };
        for id in creates.iter().flat_map(|c| c.task_id.iter().chain(&c.depends_on)) {
            known.tasks.entry(id.clone()).or_insert(None);
        }
        match command {
            Command::CreateProposal(create) => {
                if let Some(id) = &create.proposal_id {
                    known.proposals.entry(id.clone()).or_insert(None);
                }
            }
            Command::Send(send) => {
                if let Some(id) = &send.reply_to {
                    known.messages.entry(id.clone()).or_insert(None);
                }
            }
            _ => {
                known.tasks.entry(task_id("no-such-task")).or_insert(None);
                known.proposals.entry(proposal_id("no-such-proposal")).or_insert(None);
            }
        }
        known
    }

    /// Who is there from now on, and was seen just now.
    pub(super) fn is_online(&mut self, name: &str, kind: EntityType) {
        self.soft.online.insert(id(name), kind);
        self.soft.last_seen.insert(id(name), self.now);
    }
}

pub(super) fn register(name: &str, entity_type: EntityType) -> Command {
    Command::Register(Register {
        entity_id: id(name),
        entity_type,
        name: None,
        capabilities: Vec::new(),
        metadata: JsonText::empty_object(),
    })
}
