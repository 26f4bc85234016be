//! A hub that lives through a random history, from a seed.

use std::sync::Arc;

use ulid::Ulid;

use crate::{
    JsonText, Timestamp,
    command::{
        Ack, AcquireReservation, AnswerTask, Caller, CastVote, ClaimNext, ClaimTask, Closing,
        Command, CompleteTask, CreateChannel, CreateProposal, CreateTask, CursorScope, Deadline,
        Destination, Elector, Envelope, Expiry, FailTask, HandOff, InviteToChannel, IssueToken,
        Join, Key, MakeInvite, MoveCursor, MoveLeases, Prune, Register, ReleaseTask, Remove,
        RenewLease, RenewReservation, ReturnClaim, Role, RotateToken, Send, UpdateTask,
    },
    event::{Event, MessageRedacted, Stamped, Trace},
    hub::{Decision, KeyId, Prefetched, SoftFacts, State, decide},
    ids::{ChannelName, EntityId, InviteId, MessageId, ProposalId, ReservationId, TaskId, TokenId},
    limits::Limits,
    model::{
        Choice, EntityType, HistoryKind, OnBlockerFailed, Priority, Question, Task, Threshold,
    },
    resource::Resource,
    secret::SecretHash,
    store::{Batch, Store, Written},
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
    reservations: Vec<ReservationId>,
    tokens: Vec<TokenId>,
    invites: Vec<(InviteId, SecretHash)>,
    fresh: u64,
}

pub(super) fn entity(n: u64) -> EntityId {
    EntityId::parse(["ada", "bob", "cy-1", "Zoë", "名前", "x y"][n as usize % 6]).expect("an id")
}

pub(super) fn channel(n: u64) -> ChannelName {
    let names =
        ["general", "urgent", "ai-only", "human-only", "dev", "a.b", "private", "perhaps-private"];
    ChannelName::parse(names[n as usize % 8]).expect("a channel")
}

fn create_channel(n: u64, members: Vec<EntityId>) -> Command {
    let types = [EntityType::Service, EntityType::AiAgent].into();
    Command::CreateChannel(CreateChannel { channel: channel(n), members, types })
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
            reservations: Vec::new(),
            tokens: Vec::new(),
            invites: Vec::new(),
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
        self.obey(Some(entity(0)), create_channel(6, vec![entity(1)]));
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
            while self.state.next_deadline().is_some_and(|due| due <= self.now) {
                self.obey(None, Command::Tick);
            }
            let (caller, command) = self.command();
            let key = self.dice.one_in(8).then(|| Key {
                route: "POST /anything".to_owned(),
                key: format!("key-{}", self.dice.below(40)),
                fingerprint: 7,
            });
            self.obey_under(caller, command, key);
        }
    }

    pub(super) fn commit(&mut self) {
        let batch = Batch { events: &self.log[self.committed..], state: &self.state };
        let written = self.store.commit(&batch).expect("commits");
        self.committed = self.log.len();
        if written == Written::Tables {
            self.state.settle();
        }
    }

    /// The state as a hub has it that begins with what is on disk.
    pub(super) fn settled(&self) -> State {
        let mut state = self.state.clone();
        state.settle();
        state
    }

    /// Decides a command and makes its events true; a refusal changes nothing.
    pub(super) fn obey(&mut self, caller: Option<EntityId>, command: Command) {
        self.obey_under(caller, command, None);
    }

    fn obey_under(&mut self, caller: Option<EntityId>, command: Command, key: Option<Key>) {
        self.fresh += 1;
        // Room for the ids of a batch.
        let fresh = Ulid::from_parts(self.now.millis() as u64, u128::from(self.fresh) << 8);
        let role = if self.dice.one_in(3) { Role::Admin } else { Role::Member };
        let caller = Caller { id: caller, role, ..Caller::default() };
        let envelope = Envelope { caller: caller.clone(), fresh, command, key, origin: None };
        let decision = {
            let known = prefetch(&mut self.store, &self.log, &self.state, &envelope);
            decide(&self.state, &known, &envelope, self.now)
        };
        let Decision { events, key, .. } = decision.unwrap_or_default();
        let (last, mut key) = (events.len(), key.map(Arc::new));
        for (nth, event) in (1..).zip(events) {
            let stamped = Stamped {
                seq: self.state.head() + 1,
                at: self.now,
                actor: caller.id.clone(),
                auth: caller.auth,
                event,
                key: key.take_if(|_| nth == last),
                trace: Trace::default(),
            };
            match &stamped.event {
                Event::MessageSent(message) => self.messages.push(message.message_id.clone()),
                Event::MessageRedacted(redacted) => self.redact(redacted),
                Event::TaskCreated(created) => self.tasks.push(created.task.task_id.clone()),
                Event::ReservationAcquired(acquired) => {
                    self.reservations.push(acquired.reservation_id.clone());
                }
                Event::TokenIssued(issued) => self.tokens.push(issued.token.token_id.clone()),
                Event::InviteMade(made) => {
                    self.invites.push((made.invite.invite_id.clone(), made.hash));
                }
                Event::ProposalCreated(created) => {
                    self.proposals.push(created.proposal.proposal_id.clone());
                }
                _ => {}
            }
            self.state.evolve(&stamped);
            self.log.push(stamped);
        }
    }

    /// What was said is gone from the log as well.
    fn redact(&mut self, redacted: &MessageRedacted) {
        for stamped in &mut self.log {
            if let Event::MessageSent(message) = &mut stamped.event
                && message.message_id == redacted.of.message_id
            {
                let message = Arc::make_mut(message);
                message.content.clear();
                message.metadata = redacted.metadata.clone();
            }
        }
    }

    fn about_credentials(&mut self, who: EntityId) -> Command {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.fresh.to_be_bytes());
        let (dice, hash) = (&mut self.dice, SecretHash::new(bytes));
        let (token, invite) = (dice.recent(&self.tokens), dice.recent(&self.invites));
        let role = *dice.pick(Role::ALL);
        match (dice.below(12), token, invite) {
            (0, _, _) => Command::MakeInvite(MakeInvite {
                name: "for somebody".to_owned(),
                entity_types: vec![*dice.pick(EntityType::ALL)],
                entity_ids: dice.one_in(2).then_some(who).into_iter().collect(),
                role,
                uses_max: 1 + dice.below(3),
                expires: Expiry::In(1 + dice.below(100_000)),
                hash,
            }),
            (1, _, Some((id, _))) => Command::RevokeInvite(id),
            (2, Some(token_id), _) => Command::RotateToken(RotateToken { token_id, hash }),
            (3, Some(id), _) => Command::RevokeToken(id),
            (4..7, Some(id), _) => Command::UseToken(id),
            (7..9, _, Some((_, invite))) => Command::Join(Join {
                register: Register {
                    entity_id: who,
                    entity_type: *dice.pick(EntityType::ALL),
                    name: None,
                    capabilities: Vec::new(),
                    metadata: JsonText::empty_object(),
                },
                invite,
                token: hash,
            }),
            _ => {
                let name = "somewhere".to_owned();
                Command::IssueToken(IssueToken { entity_id: who, role, name, hash })
            }
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
            14..38 => Command::Send(self.message(who.clone(), metadata)),
            38..40 => {
                let sends = (0..3).map(|_| self.message(who.clone(), metadata.clone())).collect();
                Command::SendBatch(sends)
            }
            40..48 => match (dice.recent(&self.messages), dice.below(4)) {
                (Some(id), 0) => Command::RedactMessage(id),
                (Some(id), 1) => Command::ResolveRollCall(id),
                (Some(id), _) => Command::AckMessage(id),
                (None, _) => Command::Tick,
            },
            48..51 => Command::MoveCursor(self.cursor(who.clone())),
            // Up to somewhere in the older half.
            51 => Command::Prune(Prune {
                what: HistoryKind::ALL[dice.below(4) as usize],
                before: self.now.plus_millis(-10_000),
                up_to: Some(self.state.head() / 2),
            }),
            52..79 => return self.about_tasks(who, metadata),
            79..84 => return self.about_reservations(who),
            84..87 => return self.about_channels(who),
            87..90 => self.about_credentials(who.clone()),
            _ => self.about_proposals(),
        };
        (Some(who), command)
    }

    fn about_channels(&mut self, who: EntityId) -> (Option<EntityId>, Command) {
        let dice = &mut self.dice;
        let name = channel(6 + dice.below(2));
        let membership = self.state.private_channels().get(&name);
        let member = membership.and_then(|private| private.members.keys().next().cloned());
        match dice.below(6) {
            0 => (Some(who), create_channel(7, vec![entity(dice.below(6))])),
            1 | 2 => (Some(who), Command::JoinChannel(name)),
            3 => (member, Command::LeaveChannel(name)),
            _ => {
                let members = vec![entity(dice.below(6)), entity(dice.below(6))];
                (member, Command::InviteToChannel(InviteToChannel { channel: name, members }))
            }
        }
    }

    fn message(&mut self, from: EntityId, metadata: JsonText) -> Send {
        let dice = &mut self.dice;
        let reply_to = if dice.one_in(2) { dice.recent(&self.messages) } else { None };
        let to = match dice.below(6) {
            _ if reply_to.is_some() => None,
            0 | 1 => Some(Destination::Entity(entity(dice.below(6)))),
            2 => None,
            _ => Some(Destination::Channel(channel(dice.below(8)))),
        };
        let content = "word ".repeat(dice.below(9) as usize + 1);
        let message_type = dice.one_in(3).then(|| "alert".to_owned());
        let ack = match dice.below(6) {
            0 => Ack::Asked,
            1 => Ack::AskedUntil(self.now.plus_millis(1 + dice.below(3_000) as i64)),
            _ => Ack::NotAsked,
        };
        let task = dice.one_in(8).then(|| Box::new(CreateTask::titled("a task with it")));
        Send { from_entity: from, to, content, message_type, metadata, reply_to, ack, task }
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
                max_attempts: dice.one_in(3).then_some(2),
                retry_delay_seconds: dice.one_in(3).then_some(1),
                not_before: dice.one_in(5).then(|| self.now.plus_millis(700)),
                on_blocker_failed: *dice.pick(OnBlockerFailed::ALL),
                question: dice.one_in(6).then(|| Question {
                    options: vec!["yes".to_owned(), "no".to_owned()],
                    deadline: Some(self.now.plus_millis(900)),
                    default: dice.one_in(2).then(|| "no".to_owned()),
                }),
                ..CreateTask::titled(format!("task {}", dice.below(99)))
            });
            return (Some(who), command);
        };
        let holder = self.state.task(&task_id).and_then(|task| task.claimed_by.clone());
        let token = self.state.task(&task_id).map(|task| task.claim_token);
        let claim_token = if dice.one_in(3) { Some(dice.below(3)) } else { token };
        let command = match dice.below(20) {
            0..3 => Command::ClaimTask(ClaimTask {
                task_id,
                lease_seconds: dice.one_in(2).then_some(5),
                claim_token,
            }),
            3 => Command::ClaimNext(ClaimNext { lease_seconds: 6, ..ClaimNext::default() }),
            13 => Command::RenewLease(RenewLease { task_id, claim_token }),
            14 => Command::RenewLeases,
            15 => Command::ReassignTask(task_id),
            16 => Command::AnswerTask(AnswerTask { task_id, answer: "yes".to_owned() }),
            17 => Command::ReturnClaim(ReturnClaim { task_id, claim_token: 1 }),
            18 => Command::MoveLeases(
                *dice.pick(&[MoveLeases::Started, MoveLeases::ClockJumped { by_millis: 1_500 }]),
            ),
            4..6 => Command::CompleteTask(CompleteTask {
                task_id,
                result: dice.one_in(2).then(|| JsonText::string("yes")),
                claim_token,
            }),
            6 => Command::FailTask(FailTask { task_id, reason: Some("no".into()), claim_token }),
            7 => Command::ReleaseTask(ReleaseTask { task_id, claim_token }),
            8 => Command::CancelTask(task_id),
            9 | 10 => Command::ReopenTask(task_id),
            _ => Command::UpdateTask(UpdateTask {
                task_id,
                title: Some("new title".into()),
                description: None,
                priority: Some(*dice.pick(Priority::ALL)),
                tags: dice.one_in(2).then(|| vec!["c".into()]),
                metadata: Some(metadata),
                note: dice.one_in(2).then(|| "half way".to_owned()),
            }),
        };
        (holder.or(Some(who)), command)
    }

    fn about_reservations(&mut self, who: EntityId) -> (Option<EntityId>, Command) {
        let dice = &mut self.dice;
        let known = dice.recent(&self.reservations);
        let (Some(reservation_id), false) = (known, dice.one_in(2)) else {
            let mut resources = Vec::new();
            for _ in 0..=dice.below(2) {
                let text = dice.pick::<&str>(&["r:src/a", "r:src/**", "r:**/a", "r:*/b/*", "ä/b"]);
                resources.push(Resource::parse(text).expect("a resource"));
            }
            let acquire = AcquireReservation {
                resources,
                exclusive: dice.one_in(3),
                ttl_seconds: Some(1 + dice.below(9) as u32),
                reason: dice.one_in(2).then(|| "editing".to_owned()),
            };
            return (Some(who), Command::AcquireReservation(acquire));
        };
        let holder =
            self.state.reservations().get(&reservation_id).map(|one| one.entity_id.clone());
        let ttl_seconds = dice.one_in(2).then_some(4);
        let command = match dice.below(6) {
            0 => Command::ReleaseReservation(reservation_id),
            1 => Command::FreeReservations(vec![who.clone()]),
            2 | 3 => Command::HandOff(HandOff {
                entity_id: holder.clone().unwrap_or_else(|| who.clone()),
                to: dice.one_in(2).then(|| who.clone()),
                note: "all yours".to_owned(),
            }),
            _ => Command::RenewReservation(RenewReservation { reservation_id, ttl_seconds }),
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
    envelope: &Envelope,
) -> Prefetched<'static> {
    let mut found = Prefetched::new(&AllAbout);
    let command = &envelope.command;
    let (mut tasks, mut proposals, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    match command {
        Command::Send(send) => messages.extend(send.reply_to.clone()),
        Command::SendBatch(sends) => {
            messages.extend(sends.iter().filter_map(|send| send.reply_to.clone()));
        }
        Command::RedactMessage(id) => {
            messages.push(id.clone());
            if store.is_redacted(id).expect("reads") {
                found.redacted.insert(id.clone());
            }
        }
        Command::ResolveRollCall(id) => messages.push(id.clone()),
        Command::AckMessage(id) => {
            messages.push(id.clone());
            let who = envelope.caller.id.clone().expect("somebody");
            let receipt = store.receipt(id, &who).expect("reads");
            found.receipts.insert((id.clone(), who), receipt);
        }
        Command::CreateTask(create) => {
            tasks.extend(create.task_id.iter().chain(&create.depends_on).cloned());
        }
        Command::UpdateTask(UpdateTask { task_id, .. })
        | Command::ClaimTask(ClaimTask { task_id, .. })
        | Command::RenewLease(RenewLease { task_id, .. })
        | Command::AnswerTask(AnswerTask { task_id, .. })
        | Command::ReassignTask(task_id)
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
    // What a task waits for that may be opened again is looked up as well.
    for id in tasks.clone() {
        let known = state.task(&id).map(|task| Task::clone(task));
        let task = known.or_else(|| store.task(&id).expect("reads"));
        tasks.extend(task.into_iter().flat_map(|task| task.depends_on));
    }
    if let Command::CompleteTask(CompleteTask { task_id, claim_token: Some(token), .. }) = command
        && store.has_late_result(task_id, *token).expect("reads")
    {
        found.late_results.insert((task_id.clone(), *token));
    }
    if let (Some(key), Some(caller)) = (&envelope.key, &envelope.caller.id) {
        let (route, key) = (key.route.clone(), key.key.clone());
        let id = KeyId { caller: caller.clone(), route, key };
        found.keys.insert(id.clone(), store.key(&id).expect("reads").map(Arc::new));
    }
    for id in tasks.into_iter().filter(|id| state.task(id).is_none()) {
        let task = store.task(&id).expect("reads").map(Arc::new);
        found.tasks.insert(id, task);
    }
    for id in proposals.into_iter().filter(|id| state.proposal(id).is_none()) {
        let proposal = store.proposal(&id).expect("reads").map(Arc::new);
        found.proposals.insert(id, proposal);
    }
    for id in messages {
        let own = log.iter().rev().find_map(|stamped| match &stamped.event {
            Event::MessageSent(message) if message.message_id == id => Some(message.head()),
            _ => None,
        });
        found.messages.insert(id, own);
    }
    found
}
