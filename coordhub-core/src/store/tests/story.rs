//! A hub that lives through a random history, from a seed.

use std::sync::Arc;

use ulid::Ulid;

use crate::{
    JsonText, Timestamp,
    command::{
        Caller, CastVote, ClaimTask, Closing, Command, CompleteTask, CreateProposal, CreateTask,
        CursorScope, Deadline, Destination, Elector, Envelope, FailTask, MoveCursor, Register,
        ReleaseTask, Remove, Role, Send, UpdateTask,
    },
    event::{Event, Stamped},
    hub::{Prefetched, SoftFacts, State, decide},
    ids::{ChannelName, EntityId, MessageId, ProposalId, TaskId},
    limits::Limits,
    model::{Choice, EntityType, Priority, Threshold},
    store::{Batch, Store},
};

/// Small numbers from a seed: the same on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// One of the last few, mostly, so that things happen to the same thing.
    fn recent<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let from = if self.one_in(10) { from } else { &from[from.len().saturating_sub(6)..] };
        if from.is_empty() { None } else { Some(self.pick(from).clone()) }
    }
}

/// Everyone was seen just now, so that votes have voters.
struct AllAbout;

impl SoftFacts for AllAbout {
    fn is_connected(&self, _: &EntityId) -> bool {
        false
    }

    fn last_seen(&self, _: &EntityId) -> Option<Timestamp> {
        Some(Timestamp::from_millis(i64::MAX))
    }

    fn online(&self, _: EntityType) -> u64 {
        0
    }

    fn is_online(&self, _: &EntityId) -> bool {
        false
    }
}

/// A state, the store that keeps it, and everything that ever happened.
pub(super) struct Story<S> {
    pub(super) store: S,
    pub(super) state: State,
    pub(super) log: Vec<Stamped>,
    pub(super) dice: Dice,
    committed: usize,
    now: Timestamp,
    messages: Vec<MessageId>,
    tasks: Vec<TaskId>,
    proposals: Vec<ProposalId>,
    fresh: u64,
}

pub(super) fn entity(n: u64) -> EntityId {
    EntityId::parse(["ada", "bob", "cy-1", "Zoë", "名前", "x y"][n as usize % 6]).expect("an id")
}

pub(super) fn channel(n: u64) -> ChannelName {
    ChannelName::parse(["general", "urgent", "ai-only", "human-only", "dev", "a.b"][n as usize % 6])
        .expect("a channel")
}

impl<S: Store> Story<S> {
    pub(super) fn new(mut store: S, seed: u64) -> Self {
        let loaded = store.load(&Limits::default()).expect("loads");
        Self {
            store,
            state: loaded.state,
            log: Vec::new(),
            dice: Dice::new(seed),
            committed: 0,
            now: Timestamp::from_millis(1_700_000_000_000),
            messages: Vec::new(),
            tasks: Vec::new(),
            proposals: Vec::new(),
            fresh: 0,
        }
    }

    /// Lives through `steps` commands, committing now and then, and at the end.
    pub(super) fn live(&mut self, steps: usize) {
        for (n, kind) in
            (0..).zip([EntityType::Human, EntityType::AiAgent, EntityType::ClaudeSession])
        {
            self.obey(
                Some(entity(n)),
                Command::Register(Register {
                    entity_id: entity(n),
                    entity_type: kind,
                    name: None,
                    capabilities: Vec::new(),
                    metadata: JsonText::empty_object(),
                }),
            );
        }
        for _ in 0..steps {
            self.imagine(1);
            if self.dice.one_in(5) {
                self.commit();
            }
        }
        self.commit();
    }

    /// Lives through `steps` commands without a commit.
    pub(super) fn imagine(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now = self.now.plus_millis(self.dice.below(3) as i64 * 300);
            self.obey(None, Command::Tick);
            let (caller, command) = self.command();
            self.obey(caller, command);
        }
    }

    pub(super) fn commit(&mut self) {
        let batch = Batch { events: &self.log[self.committed..], state: &self.state };
        self.store.commit(&batch).expect("commits");
        self.committed = self.log.len();
        self.state.settle();
    }

    /// Decides a command and makes its events true; a refusal changes nothing.
    pub(super) fn obey(&mut self, caller: Option<EntityId>, command: Command) {
        self.fresh += 1;
        let fresh = Ulid::from_parts(self.now.millis() as u64, u128::from(self.fresh));
        let role = if self.dice.one_in(3) { Role::Admin } else { Role::Member };
        let caller = Caller { id: caller, role, ..Caller::default() };
        let envelope = Envelope { caller: caller.clone(), fresh, command };
        let decision = {
            let known = prefetch(&mut self.store, &self.log, &self.state, &envelope.command, fresh);
            decide(&self.state, &known, &envelope, self.now)
        };
        for event in decision.map(|decision| decision.events).unwrap_or_default() {
            let stamped = Stamped {
                seq: self.state.head() + 1,
                at: self.now,
                actor: caller.id.clone(),
                auth: caller.auth,
                event,
            };
            match &stamped.event {
                Event::MessageSent(message) => self.messages.push(message.message_id.clone()),
                Event::TaskCreated(created) => self.tasks.push(created.task.task_id.clone()),
                Event::ProposalCreated(created) => {
                    self.proposals.push(created.proposal.proposal_id.clone());
                }
                _ => {}
            }
            self.state.evolve(&stamped);
            self.log.push(stamped);
        }
    }

    fn command(&mut self) -> (Option<EntityId>, Command) {
        let dice = &mut self.dice;
        let who = entity(dice.below(6));
        let metadata =
            JsonText::parse(dice.pick::<&str>(&["{}", r#"{"n":1.50,"k":["ä"]}"#])).expect("JSON");
        let command = match dice.below(100) {
            0..12 => Command::Register(Register {
                entity_id: who.clone(),
                entity_type: *dice.pick(EntityType::ALL),
                name: dice.one_in(2).then(|| format!("name {}", dice.below(9))),
                capabilities: ["rust", "sql"]
                    .iter()
                    .take(dice.below(3) as usize)
                    .map(ToString::to_string)
                    .collect(),
                metadata,
            }),
            12..14 => Command::Remove(Remove { entity_id: who.clone() }),
            14..45 => Command::Send(self.message(who.clone(), metadata)),
            45..52 => Command::MoveCursor(self.cursor(who.clone())),
            52..82 => return self.about_tasks(who, metadata),
            _ => self.about_proposals(),
        };
        (Some(who), command)
    }

    fn message(&mut self, from: EntityId, metadata: JsonText) -> Send {
        let dice = &mut self.dice;
        let reply_to = if dice.one_in(2) { dice.recent(&self.messages) } else { None };
        let to = match dice.below(6) {
            _ if reply_to.is_some() => None,
            0 | 1 => Some(Destination::Entity(entity(dice.below(6)))),
            2 => None,
            _ => Some(Destination::Channel(channel(dice.below(6)))),
        };
        let content = "word ".repeat(dice.below(9) as usize + 1);
        let message_type = dice.one_in(3).then(|| "alert".to_owned());
        Send { from_entity: from, to, content, message_type, metadata, reply_to }
    }

    fn cursor(&mut self, entity_id: EntityId) -> MoveCursor {
        let scope = match self.dice.below(3) {
            0 => CursorScope::All,
            1 => CursorScope::Direct,
            _ => CursorScope::Channel(channel(self.dice.below(6))),
        };
        let up_to = self.dice.below(self.state.head() + 1);
        MoveCursor { entity_id, scope, up_to }
    }

    fn about_tasks(&mut self, who: EntityId, metadata: JsonText) -> (Option<EntityId>, Command) {
        let dice = &mut self.dice;
        let known = dice.recent(&self.tasks);
        let (Some(task_id), false) = (known, dice.one_in(5)) else {
            let command = Command::CreateTask(CreateTask {
                task_id: dice
                    .one_in(3)
                    .then(|| TaskId::parse(&format!("t{}", dice.below(40))).expect("an id")),
                description: "what to do".repeat(dice.below(3) as usize),
                priority: *dice.pick(Priority::ALL),
                requires_human: dice.one_in(5),
                requires_ai: dice.one_in(5),
                tags: ["a", "b"]
                    .iter()
                    .take(dice.below(3) as usize)
                    .map(ToString::to_string)
                    .collect(),
                capabilities: if dice.one_in(5) { vec!["rust".into()] } else { Vec::new() },
                depends_on: self.tasks.iter().rev().take(dice.below(2) as usize).cloned().collect(),
                metadata,
                ..CreateTask::titled(format!("task {}", dice.below(99)))
            });
            return (Some(who), command);
        };
        let holder = self.state.task(&task_id).and_then(|task| task.claimed_by.clone());
        let command = match dice.below(13) {
            0..4 => Command::ClaimTask(ClaimTask { task_id }),
            4..6 => Command::CompleteTask(CompleteTask {
                task_id,
                result: dice.one_in(2).then(|| JsonText::string("done")),
                claim_token: None,
            }),
            6 => Command::FailTask(FailTask {
                task_id,
                reason: Some("no".into()),
                claim_token: None,
            }),
            7 => Command::ReleaseTask(ReleaseTask { task_id, claim_token: None }),
            8 => Command::CancelTask(task_id),
            9 | 10 => Command::ReopenTask(task_id),
            _ => Command::UpdateTask(UpdateTask {
                task_id,
                title: Some("new title".into()),
                description: None,
                priority: Some(*dice.pick(Priority::ALL)),
                tags: dice.one_in(2).then(|| vec!["c".into()]),
                metadata: Some(metadata),
            }),
        };
        (holder.or(Some(who)), command)
    }

    fn about_proposals(&mut self) -> Command {
        let dice = &mut self.dice;
        let known = dice.recent(&self.proposals);
        let (Some(proposal_id), false) = (known, dice.one_in(12)) else {
            let electors =
                [Elector::Entity(entity(dice.below(6))), Elector::Type(EntityType::Human)];
            return Command::CreateProposal(CreateProposal {
                proposal_id: None,
                title: format!("proposal {}", dice.below(99)),
                description: String::new(),
                threshold: *dice.pick(&[
                    Threshold::DEFAULT,
                    Threshold::UNANIMOUS,
                    Threshold::parse("0.123456").expect("one"),
                ]),
                quorum: dice.one_in(6).then_some(1),
                deadline: Deadline::AfterMillis(1 + dice.below(90_000) as i64),
                electorate: dice.one_in(3).then(|| electors.to_vec()),
                requires_human: dice.one_in(4),
                closing: if dice.one_in(3) { Closing::Early } else { Closing::AtDeadline },
            });
        };
        match dice.below(24) {
            0 => Command::CloseProposal(proposal_id),
            1 => Command::WithdrawProposal(proposal_id),
            _ => Command::CastVote(CastVote {
                proposal_id,
                vote: *dice.pick(Choice::ALL),
                comment: dice.one_in(3).then(|| "because".to_owned()),
            }),
        }
    }
}

/// Resolves every name in the command: the log's own messages first, then the store.
fn prefetch<S: Store>(
    store: &mut S,
    log: &[Stamped],
    state: &State,
    command: &Command,
    fresh: Ulid,
) -> Prefetched<'static> {
    let mut found = Prefetched::new(&AllAbout);
    let fresh = fresh.to_string().to_ascii_lowercase();
    let mut tasks = vec![TaskId::trusted(&format!("task-{fresh}"))];
    let mut proposals = vec![ProposalId::trusted(&format!("prop-{fresh}"))];
    let mut message = None;
    match command {
        Command::Send(send) => message = send.reply_to.clone(),
        Command::CreateTask(create) => {
            tasks.extend(create.task_id.iter().chain(&create.depends_on).cloned());
        }
        Command::UpdateTask(UpdateTask { task_id, .. })
        | Command::ClaimTask(ClaimTask { task_id })
        | Command::CompleteTask(CompleteTask { task_id, .. })
        | Command::FailTask(FailTask { task_id, .. })
        | Command::ReleaseTask(ReleaseTask { task_id, .. })
        | Command::CancelTask(task_id)
        | Command::ReopenTask(task_id) => tasks.push(task_id.clone()),
        Command::CastVote(CastVote { proposal_id, .. })
        | Command::CloseProposal(proposal_id)
        | Command::WithdrawProposal(proposal_id) => proposals.push(proposal_id.clone()),
        _ => {}
    }
    if let Command::ReopenTask(id) = command
        && let Some(task) = store.task(id).expect("reads")
    {
        // What a reopened task waits for is looked up as well.
        tasks.extend(task.depends_on);
    }
    for id in tasks.into_iter().filter(|id| state.task(id).is_none()) {
        let task = store.task(&id).expect("reads").map(Arc::new);
        found.tasks.insert(id, task);
    }
    for id in proposals.into_iter().filter(|id| state.proposal(id).is_none()) {
        let proposal = store.proposal(&id).expect("reads").map(Arc::new);
        found.proposals.insert(id, proposal);
    }
    if let Some(id) = message {
        let own = log.iter().rev().find_map(|stamped| match &stamped.event {
            Event::MessageSent(message) if message.message_id == id => Some(message.head()),
            _ => None,
        });
        found.messages.insert(id, own);
    }
    found
}
