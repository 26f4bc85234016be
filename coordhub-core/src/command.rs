//! All that can be asked of the hub, one struct a command.
//!
//! A command holds parsed values only. Ids that the hub must make and the time come with the
//! [`Envelope`], so that deciding is the same on every machine.

use ulid::Ulid;

use crate::{
    ids::{ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    json::JsonText,
    model::{Choice, EntityType, Priority, Threshold},
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
}

impl Caller {
    /// A caller that names itself, as in open mode.
    pub fn named(id: EntityId) -> Self {
        Self { id: Some(id), ..Self::default() }
    }
}

/// What a caller may do beyond its own affairs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// Its own affairs only.
    #[default]
    Member,
    /// Everyone's.
    Admin,
}

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
    /// Take part no longer.
    Remove(Remove),
    /// Send a message.
    Send(Send),
    /// Mark messages read.
    MoveCursor(MoveCursor),
    /// Create a task.
    CreateTask(CreateTask),
    /// Change what a task says.
    UpdateTask(UpdateTask),
    /// Claim a task.
    ClaimTask(ClaimTask),
    /// Complete a claimed task.
    CompleteTask(CompleteTask),
    /// Give a claimed task up as failed.
    FailTask(FailTask),
    /// Give a claimed task back.
    ReleaseTask(ReleaseTask),
    /// Withdraw a task.
    CancelTask(TaskId),
    /// Open a failed or cancelled task again.
    ReopenTask(TaskId),
    /// Put a question to the vote.
    CreateProposal(CreateProposal),
    /// Vote, or change one's vote.
    CastVote(CastVote),
    /// Decide a proposal now, if its outcome cannot change any more.
    CloseProposal(ProposalId),
    /// Take a proposal back.
    WithdrawProposal(ProposalId),
    /// Decide whatever is due. The writer's own; it leaves no trace where nothing is.
    Tick,
}

impl Command {
    /// About how much memory it holds, for the queue's bound in bytes.
    pub fn weight(&self) -> usize {
        const BASE: usize = 256;
        let text = match self {
            Self::Send(send) => {
                send.content.len() + send.metadata.as_str().len() + of_option(&send.message_type)
            }
            Self::Register(register) => {
                register.metadata.as_str().len()
                    + of_option(&register.name)
                    + of_texts(&register.capabilities)
            }
            Self::CreateTask(task) => {
                task.title.len()
                    + task.description.len()
                    + task.metadata.as_str().len()
                    + of_texts(&task.tags)
                    + of_texts(&task.capabilities)
                    + task.depends_on.len() * ID
            }
            Self::UpdateTask(update) => {
                of_option(&update.title)
                    + of_option(&update.description)
                    + update.tags.as_deref().map_or(0, of_texts)
                    + update.metadata.as_ref().map_or(0, |m| m.as_str().len())
            }
            Self::CompleteTask(complete) => {
                complete.result.as_ref().map_or(0, |result| result.as_str().len())
            }
            Self::FailTask(fail) => of_option(&fail.reason),
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
}

/// See [`Command::ClaimTask`]. The claimer is the caller.
#[derive(Clone, Debug)]
pub struct ClaimTask {
    /// Which task.
    pub task_id: TaskId,
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

/// See [`Command::CreateProposal`].
#[derive(Clone, Debug)]
pub struct CreateProposal {
    /// Under which id; the hub makes one where none is given.
    pub proposal_id: Option<ProposalId>,
    /// One line that says what is proposed.
    pub title: String,
    /// The rest.
    pub description: String,
    /// The share that must be exceeded.
    pub threshold: Threshold,
    /// How many must vote; more than half of the eligible where not given.
    pub quorum: Option<u64>,
    /// When it is decided at the latest.
    pub deadline: Deadline,
    /// Who may vote; those about where `None`.
    pub electorate: Option<Vec<Elector>>,
    /// Whether at least one human must be for it.
    pub requires_human: bool,
    /// When it may be decided before its deadline.
    pub closing: Closing,
}

/// When a proposal is decided at the latest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deadline {
    /// At an instant, which must be to come.
    At(Timestamp),
    /// So many milliseconds after it was made.
    AfterMillis(i64),
}

impl Deadline {
    /// A day.
    pub const DEFAULT: Self = Self::AfterMillis(86_400_000);
}

/// When a proposal may be decided before its deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// As soon as no vote still out could change the outcome.
    Early,
    /// Only when someone asks for it, or at the deadline.
    AtDeadline,
}

/// Who may vote: one entity, or all of a type that are registered now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Elector {
    /// One entity.
    Entity(EntityId),
    /// Every registered entity of a type.
    Type(EntityType),
}

/// See [`Command::CastVote`]. The voter is the caller.
#[derive(Clone, Debug)]
pub struct CastVote {
    /// On which proposal.
    pub proposal_id: ProposalId,
    /// What.
    pub vote: Choice,
    /// Why.
    pub comment: Option<String>,
}
