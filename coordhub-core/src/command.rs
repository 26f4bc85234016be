//! All that can be asked of the hub, one struct a command.
//!
//! A command holds parsed values only. Ids that the hub must make and the time come with the
//! [`Envelope`], so that deciding is the same on every machine.

mod channels;
mod reservations;
mod proposals;
mod credentials;
mod history;
mod origin;

use std::sync::Arc;

use ulid::Ulid;

pub use channels::{CreateChannel, InviteToChannel};
pub use credentials::{Expiry, IssueToken, Join, MakeInvite, RotateToken};
pub use history::{GiveUp, Prune};
pub use origin::Origin;
pub use proposals::{CastVote, Closing, CreateProposal, Deadline, Elector};
pub use reservations::{AcquireReservation, HandOff, RenewReservation};

use crate::{
    ids::{
        ChannelName, EntityId, InviteId, MessageId, ProposalId, ReservationId, Seq, TaskId, TokenId,
    },
    json::JsonText,
    limits::LEASE_SECONDS_DEFAULT,
    model::{EntityType, OnBlockerFailed, Priority, Question},
    secret::SecretHash,
    time::Timestamp,
};

/// A command on its way to the writer.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Who asks.
    pub caller: Caller,
    /// A fresh number for the id of whatever the command makes.
    pub fresh: Ulid,
    /// What is asked.
    pub command: Command,
    /// Under which key it is to be done at most once.
    pub key: Option<Key>,
    /// Where it came from. Nothing is decided by it.
    pub origin: Option<Arc<Origin>>,
}

/// An idempotency key: the same key from the same caller on the same route means the same change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// On which route.
    pub route: String,
    /// What the caller calls it.
    pub key: String,
    /// Stands for the arguments: two calls with other arguments have other ones.
    pub fingerprint: u64,
}

/// Who asks, as far as the edge could tell.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Caller {
    /// The entity it names, registered or not.
    pub id: Option<EntityId>,
    /// What it may do beyond its own affairs.
    pub role: Role,
    /// How the edge knows.
    pub auth: Auth,
    /// The token that it showed. What is decided after that was revoked, or has another secret, is
    /// refused.
    pub token: Option<SecretHash>,
}

impl Caller {
    /// A caller that names itself, as in open mode.
    pub fn named(id: EntityId) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    /// The hub itself, which may do whatever an admin may.
    pub fn hub() -> Self {
        Self { id: Some(EntityId::system()), role: Role::Admin, ..Self::default() }
    }
}

pub use crate::model::Role;

/// How the edge knows who calls; recorded with every event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Auth {
    /// The caller said so.
    #[default]
    Open,
    /// It showed a token.
    Token,
}

impl Auth {
    /// The word that stands in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token => "token",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Take part, or change what one said of oneself.
    Register(Register),
    /// Take part for the first time, by an invite, and be given a token.
    Join(Join),
    /// Take part no longer.
    Remove(Remove),
    /// Send a message.
    Send(Send),
    /// Send several messages, all or none.
    SendBatch(Vec<Send>),
    /// Remove what a message says.
    RedactMessage(MessageId),
    /// Acknowledge a message.
    AckMessage(MessageId),
    /// End a roll-call.
    ResolveRollCall(MessageId),
    /// Mark messages read.
    MoveCursor(MoveCursor),
    /// Make a private channel.
    CreateChannel(CreateChannel),
    /// Become a member of a private channel that is open to one's type.
    JoinChannel(ChannelName),
    /// Be a member of a private channel no more.
    LeaveChannel(ChannelName),
    /// Make others members of a private channel.
    InviteToChannel(InviteToChannel),
    /// Create a task.
    CreateTask(CreateTask),
    /// Create several tasks, all or none. A later one may depend on an earlier one.
    CreateTasks(Vec<CreateTask>),
    /// Change what a task says.
    UpdateTask(UpdateTask),
    /// Claim a task.
    ClaimTask(ClaimTask),
    /// Claim whatever is most urgent of what one can do.
    ClaimNext(ClaimNext),
    /// Say that one is still at work on a task.
    RenewLease(RenewLease),
    /// The same for every leased claim of the caller that has less than two thirds of its lease left.
    RenewLeases,
    /// Complete a claimed task.
    CompleteTask(CompleteTask),
    /// Give a claimed task up as failed.
    FailTask(FailTask),
    /// Give a claimed task back.
    ReleaseTask(ReleaseTask),
    /// Give back a claim whose holder never heard of it.
    ReturnClaim(ReturnClaim),
    /// Take a task from its holder.
    ReassignTask(TaskId),
    /// Answer a question, or a task that needs a human.
    AnswerTask(AnswerTask),
    /// Withdraw a task.
    CancelTask(TaskId),
    /// Open a failed or cancelled task again.
    ReopenTask(TaskId),
    /// Keep others out of paths that one works on.
    AcquireReservation(AcquireReservation),
    /// Keep a reservation for longer.
    RenewReservation(RenewReservation),
    /// Give a reservation up.
    ReleaseReservation(ReservationId),
    /// Give all that one holds to another, or back.
    HandOff(HandOff),
    /// Put a question to the vote.
    CreateProposal(CreateProposal),
    /// Vote, or change one's vote.
    CastVote(CastVote),
    /// Decide a proposal now, if its outcome cannot change any more.
    CloseProposal(ProposalId),
    /// Take a proposal back.
    WithdrawProposal(ProposalId),
    /// Let others take part.
    MakeInvite(MakeInvite),
    /// Let nobody more take part by an invite.
    RevokeInvite(InviteId),
    /// Let whoever shows a token act as an entity.
    IssueToken(IssueToken),
    /// Change the secret of a token for another.
    RotateToken(RotateToken),
    /// Let nobody act by a token any more.
    RevokeToken(TokenId),
    /// Note that a token was shown for the first time. The edge's own.
    UseToken(TokenId),
    /// Decide what is due first. The writer's own; it leaves no trace where nothing is.
    Tick,
    /// Give leases more time. The writer's own.
    MoveLeases(MoveLeases),
    /// Free what those have reserved who are gone. The writer's own: who is gone hangs on soft facts.
    FreeReservations(Vec<EntityId>),
    /// Give up what is old. The operator's, and the writer's own.
    Prune(Prune),
    /// Give up what is old, as an admin says.
    GiveUp(GiveUp),
}

impl Command {
    /// About how much memory it holds, for the queue's bound in bytes.
    pub fn weight(&self) -> usize {
        const BASE: usize = 256;
        let text = match self {
            Self::Send(send) => of_send(send),
            Self::SendBatch(sends) => sends.iter().map(|send| BASE + of_send(send)).sum(),
            Self::Register(register) => of_register(register),
            Self::Join(join) => of_register(&join.register),
            Self::MakeInvite(invite) => invite.name.len() + invite.entity_ids.len() * ID,
            Self::IssueToken(token) => token.name.len(),
            Self::CreateChannel(create) => create.members.len() * ID,
            Self::InviteToChannel(invite) => invite.members.len() * ID,
            Self::CreateTask(task) => of_task(task),
            Self::CreateTasks(tasks) => tasks.iter().map(|task| BASE + of_task(task)).sum(),
            Self::UpdateTask(update) => {
                of_option(&update.title)
                    + of_option(&update.description)
                    + update.tags.as_deref().map_or(0, of_texts)
                    + update.metadata.as_ref().map_or(0, |m| m.as_str().len())
                    + of_option(&update.note)
            }
            Self::ClaimNext(next) => {
                next.capabilities.as_deref().map_or(0, of_texts) + of_texts(&next.tags)
            }
            Self::AnswerTask(answer) => answer.answer.len(),
            Self::CompleteTask(complete) => {
                complete.result.as_ref().map_or(0, |result| result.as_str().len())
            }
            Self::FailTask(fail) => of_option(&fail.reason),
            Self::AcquireReservation(acquire) => acquire.weight(),
            Self::HandOff(handoff) => handoff.note.len(),
            Self::CreateProposal(proposal) => {
                proposal.title.len()
                    + proposal.description.len()
                    + proposal.electorate.as_ref().map_or(0, |electors| electors.len() * ID)
            }
            Self::CastVote(vote) => of_option(&vote.comment),
            _ => 0,
        };
        BASE + text
    }
}

/// About what an id takes in a list.
const ID: usize = 160;

fn of_send(send: &Send) -> usize {
    send.content.len()
        + send.metadata.as_str().len()
        + of_option(&send.message_type)
        + send.task.as_ref().map_or(0, |task| of_task(task))
}

fn of_task(task: &CreateTask) -> usize {
    task.title.len()
        + task.description.len()
        + task.metadata.as_str().len()
        + of_texts(&task.tags)
        + of_texts(&task.capabilities)
        + task.depends_on.len() * ID
        + task.question.as_ref().map_or(0, |question| of_texts(&question.options))
}

fn of_register(register: &Register) -> usize {
    register.metadata.as_str().len() + of_option(&register.name) + of_texts(&register.capabilities)
}

fn of_option(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn of_texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + size_of::<String>()).sum()
}

/// See [`Command::Register`].
#[derive(Clone, Debug)]
pub struct Register {
    /// Under which id.
    pub entity_id: EntityId,
    /// As what.
    pub entity_type: EntityType,
    /// The name that people see; the id where none is given.
    pub name: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Whatever it says of itself; must be an object.
    pub metadata: JsonText,
}

/// See [`Command::Remove`].
#[derive(Clone, Debug)]
pub struct Remove {
    /// Whom.
    pub entity_id: EntityId,
}

/// See [`Command::Send`].
#[derive(Clone, Debug)]
pub struct Send {
    /// Who sends it.
    pub from_entity: EntityId,
    /// To whom or where; a reply goes where its parent went unless this says the same.
    pub to: Option<Destination>,
    /// What it says.
    pub content: String,
    /// Its type, `text` where none is given.
    pub message_type: Option<String>,
    /// Whatever is attached; must be an object.
    pub metadata: JsonText,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// Whether its recipients are asked to acknowledge it.
    pub ack: Ack,
    /// A task that is created with it, in the same commit.
    pub task: Option<Box<CreateTask>>,
}

/// Whether the recipients of a message are asked to acknowledge it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ack {
    /// They are not.
    #[default]
    NotAsked,
    /// They are.
    Asked,
    /// They are, until an instant, which must be to come.
    AskedUntil(Timestamp),
}

impl Send {
    /// A plain text on a channel.
    pub fn on_channel(from: EntityId, channel: ChannelName, content: impl Into<String>) -> Self {
        Self {
            from_entity: from,
            to: Some(Destination::Channel(channel)),
            content: content.into(),
            message_type: None,
            metadata: JsonText::empty_object(),
            reply_to: None,
            ack: Ack::NotAsked,
            task: None,
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// To everyone who may read the channel.
    Channel(ChannelName),
    /// To one entity alone.
    Entity(EntityId),
}

/// See [`Command::MoveCursor`].
#[derive(Clone, Debug)]
pub struct MoveCursor {
    /// Whose cursor.
    pub entity_id: EntityId,
    /// Which one.
    pub scope: CursorScope,
    /// Up to and with which `seq`; cursors never move back, and never past the head.
    pub up_to: Seq,
}

/// Which read cursor is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CursorScope {
    /// All of them.
    All,
    /// That of one channel.
    Channel(ChannelName),
    /// That of direct messages.
    Direct,
}

/// See [`Command::CreateTask`].
#[derive(Clone, Debug)]
pub struct CreateTask {
    /// Under which id; the hub makes one where none is given.
    pub task_id: Option<TaskId>,
    /// One line that says what is to be done.
    pub title: String,
    /// The rest.
    pub description: String,
    /// How soon.
    pub priority: Priority,
    /// Whether only a human may claim it.
    pub requires_human: bool,
    /// Whether only an AI may claim it.
    pub requires_ai: bool,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What its claimer must be able to do.
    pub capabilities: Vec<String>,
    /// What must be completed first.
    pub depends_on: Vec<TaskId>,
    /// Whatever is attached; must be an object.
    pub metadata: JsonText,
    /// After how many failed attempts it is given up.
    pub max_attempts: Option<u32>,
    /// How long it rests after an attempt that was reported as failed.
    pub retry_delay_seconds: Option<u32>,
    /// Before when it cannot be claimed.
    pub not_before: Option<Timestamp>,
    /// What becomes of it when a task that it depends on fails or is cancelled.
    pub on_blocker_failed: OnBlockerFailed,
    /// What it asks a human, where it is a question.
    pub question: Option<Question>,
}

impl CreateTask {
    /// A task with a title and nothing else.
    pub fn titled(title: impl Into<String>) -> Self {
        Self {
            task_id: None,
            title: title.into(),
            description: String::new(),
            priority: Priority::Normal,
            requires_human: false,
            requires_ai: false,
            tags: Vec::new(),
            capabilities: Vec::new(),
            depends_on: Vec::new(),
            metadata: JsonText::empty_object(),
            max_attempts: None,
            retry_delay_seconds: None,
            not_before: None,
            on_blocker_failed: OnBlockerFailed::Hold,
            question: None,
        }
    }
}

/// See [`Command::UpdateTask`]. `None` leaves a field as it is.
#[derive(Clone, Debug)]
pub struct UpdateTask {
    /// Which task.
    pub task_id: TaskId,
    /// The new title.
    pub title: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// The new priority.
    pub priority: Option<Priority>,
    /// The new tags.
    pub tags: Option<Vec<String>>,
    /// The new metadata, in place of all of the old.
    pub metadata: Option<JsonText>,
    /// A remark on how it is going, kept with those before it.
    pub note: Option<String>,
}

impl UpdateTask {
    /// An update that changes nothing yet.
    pub fn of(task_id: TaskId) -> Self {
        Self {
            task_id,
            title: None,
            description: None,
            priority: None,
            tags: None,
            metadata: None,
            note: None,
        }
    }
}

/// See [`Command::ClaimTask`]. The claimer is the caller.
#[derive(Clone, Debug)]
pub struct ClaimTask {
    /// Which task.
    pub task_id: TaskId,
    /// For how long, unless it is renewed; without end where not given.
    pub lease_seconds: Option<u32>,
    /// The token of the claim, where the caller holds the task under a lease already.
    pub claim_token: Option<u64>,
}

impl ClaimTask {
    /// A claim without a lease.
    pub fn of(task_id: TaskId) -> Self {
        Self { task_id, lease_seconds: None, claim_token: None }
    }
}

/// See [`Command::ClaimNext`]. The claimer is the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimNext {
    /// Of its registered capabilities those to be used; all where not given.
    pub capabilities: Option<Vec<String>>,
    /// What the task must carry, all of them.
    pub tags: Vec<String>,
    /// For how long, unless it is renewed.
    pub lease_seconds: u32,
}

impl Default for ClaimNext {
    fn default() -> Self {
        Self { capabilities: None, tags: Vec::new(), lease_seconds: LEASE_SECONDS_DEFAULT }
    }
}

/// See [`Command::RenewLease`]. Where the caller is named, it must be the holder.
#[derive(Clone, Debug)]
pub struct RenewLease {
    /// Which task.
    pub task_id: TaskId,
    /// The token of the claim.
    pub claim_token: Option<u64>,
}

/// See [`Command::ReturnClaim`]. Changes nothing where the claim has ended already.
#[derive(Clone, Debug)]
pub struct ReturnClaim {
    /// Which task.
    pub task_id: TaskId,
    /// The token of the claim.
    pub claim_token: u64,
}

/// See [`Command::AnswerTask`]. The caller must be a human.
#[derive(Clone, Debug)]
pub struct AnswerTask {
    /// Which task.
    pub task_id: TaskId,
    /// The answer: one of the options, where there are some.
    pub answer: String,
}

/// Why leases are given more time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MoveLeases {
    /// The clock jumped ahead, and nobody could work meanwhile.
    ClockJumped {
        /// By how much.
        by_millis: i64,
    },
    /// The hub was down: holders are given time to come back.
    Started,
}

/// See [`Command::CompleteTask`]. Where the caller is named, it must be the holder.
#[derive(Clone, Debug)]
pub struct CompleteTask {
    /// Which task.
    pub task_id: TaskId,
    /// What came of it.
    pub result: Option<JsonText>,
    /// The token of the claim it was done under.
    pub claim_token: Option<u64>,
}

/// See [`Command::FailTask`]. Where the caller is named, it must be the holder.
#[derive(Clone, Debug)]
pub struct FailTask {
    /// Which task.
    pub task_id: TaskId,
    /// Why.
    pub reason: Option<String>,
    /// The token of the claim it was tried under.
    pub claim_token: Option<u64>,
}

/// See [`Command::ReleaseTask`]. Where the caller is named, it must be the holder.
#[derive(Clone, Debug)]
pub struct ReleaseTask {
    /// Which task.
    pub task_id: TaskId,
    /// The token of the claim that is given back.
    pub claim_token: Option<u64>,
}
