//! From arguments to the hub's commands: one function a change.

use coordhub_core::{
    JsonText,
    command::{
        Ack, CastVote, ClaimTask, Closing, Command, CompleteTask, CreateProposal, CreateTask,
        CursorScope, Deadline, Destination, Elector, FailTask, MoveCursor, Register, ReleaseTask,
        Remove, Send, UpdateTask,
    },
    ids::{ChannelName, EntityId, MessageId, ProposalId, TaskId},
    model::{Choice, EntityType, Priority, Threshold},
};

use crate::{
    args::{Args, missing},
    failure::Failure,
};

pub(crate) fn register(args: &Args<'_>) -> Result<Command, Failure> {
    let kind = args.word("entity_type", EntityType::parse, EntityType::WORDS)?;
    Ok(Command::Register(Register {
        entity_id: args.needed("entity_id", EntityId::parse)?,
        entity_type: kind.ok_or_else(|| missing("entity_type"))?,
        name: args.text("name")?,
        capabilities: args.texts("capabilities")?.unwrap_or_default(),
        metadata: metadata(args)?,
    }))
}

pub(crate) fn remove(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::Remove(Remove { entity_id: args.needed("entity_id", EntityId::parse)? }))
}

pub(crate) fn send(args: &Args<'_>) -> Result<Command, Failure> {
    // As on the wire: a direct message is on no channel, whatever else is said.
    let to = match args.entity("to_entity")? {
        Some(id) => Some(Destination::Entity(id)),
        None => args.parsed("channel", ChannelName::parse)?.map(Destination::Channel),
    };
    Ok(Command::Send(Send {
        from_entity: args.needed("from_entity", EntityId::parse)?,
        to,
        content: args.needed_text("content")?,
        message_type: args.text("message_type")?,
        metadata: metadata(args)?,
        reply_to: args.parsed("reply_to", MessageId::parse)?,
        ack: Ack::NotAsked,
        task: None,
    }))
}

pub(crate) fn move_cursor(args: &Args<'_>) -> Result<Command, Failure> {
    let scope = match (args.parsed("channel", ChannelName::parse)?, args.flag("direct")?) {
        (Some(_), true) => {
            let detail = "give channel or direct, not both; leave both out to mark everything read";
            return Err(Failure::invalid("direct", detail));
        }
        (Some(channel), false) => CursorScope::Channel(channel),
        (None, true) => CursorScope::Direct,
        (None, false) => CursorScope::All,
    };
    Ok(Command::MoveCursor(MoveCursor {
        entity_id: args.needed("entity_id", EntityId::parse)?,
        scope,
        up_to: args.integer("up_to")?.ok_or_else(|| missing("up_to"))?,
    }))
}

pub(crate) fn create_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::CreateTask(CreateTask {
        task_id: args.parsed("task_id", TaskId::parse)?,
        title: args.needed_text("title")?,
        description: args.text("description")?.unwrap_or_default(),
        priority: priority(args)?.unwrap_or(Priority::Normal),
        requires_human: args.flag("requires_human")?,
        requires_ai: args.flag("requires_ai")?,
        tags: args.texts("tags")?.unwrap_or_default(),
        capabilities: args.texts("capabilities")?.unwrap_or_default(),
        depends_on: args.all_parsed("depends_on", TaskId::parse)?,
        metadata: metadata(args)?,
        ..CreateTask::titled("")
    }))
}

pub(crate) fn update_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::UpdateTask(UpdateTask {
        task_id: task_id(args)?,
        title: args.text("title")?,
        description: args.text("description")?,
        priority: priority(args)?,
        tags: args.texts("tags")?,
        metadata: args.object("metadata")?,
        note: None,
    }))
}

pub(crate) fn claim_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::ClaimTask(ClaimTask::of(task_id(args)?)))
}

pub(crate) fn complete_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::CompleteTask(CompleteTask {
        task_id: task_id(args)?,
        result: args.any("result")?,
        claim_token: args.integer("claim_token")?,
    }))
}

pub(crate) fn fail_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::FailTask(FailTask {
        task_id: task_id(args)?,
        reason: args.text("reason")?,
        claim_token: args.integer("claim_token")?,
    }))
}

pub(crate) fn release_task(args: &Args<'_>) -> Result<Command, Failure> {
    Ok(Command::ReleaseTask(ReleaseTask {
        task_id: task_id(args)?,
        claim_token: args.integer("claim_token")?,
    }))
}

pub(crate) fn create_proposal(args: &Args<'_>) -> Result<Command, Failure> {
    let threshold = match args.number("threshold") {
        Some(number) => Threshold::parse(number)
            .map_err(|why| Failure::invalid("threshold", format!("threshold: {why}")))?,
        None => Threshold::DEFAULT,
    };
    let electors = |names: Vec<String>| names.iter().map(|name| elector(name)).collect();
    let early = args.optional_flag("early_close")?.unwrap_or(true);
    Ok(Command::CreateProposal(CreateProposal {
        proposal_id: args.parsed("proposal_id", ProposalId::parse)?,
        title: args.needed_text("title")?,
        description: args.text("description")?.unwrap_or_default(),
        threshold,
        quorum: args.integer("quorum")?,
        deadline: deadline(args)?,
        electorate: args.texts("electorate")?.map(electors).transpose()?,
        requires_human: args.flag("requires_human")?,
        closing: if early { Closing::Early } else { Closing::AtDeadline },
    }))
}

/// A type word means everyone of that type; no entity can bear such a name.
fn elector(name: &str) -> Result<Elector, Failure> {
    if let Some(kind) = EntityType::parse(name) {
        return Ok(Elector::Type(kind));
    }
    EntityId::parse(name)
        .map(Elector::Entity)
        .map_err(|why| Failure::invalid("electorate", format!("electorate: {why}")))
}

fn deadline(args: &Args<'_>) -> Result<Deadline, Failure> {
    const TTL_SECONDS_MAX: u64 = 10 * 366 * 86_400;
    let ttl_seconds = args.integer_in("ttl_seconds", 1..=TTL_SECONDS_MAX)?;
    match (args.time("deadline")?, ttl_seconds) {
        (Some(_), Some(_)) => {
            Err(Failure::invalid("deadline", "give deadline or ttl_seconds, not both"))
        }
        (Some(at), None) => Ok(Deadline::At(at)),
        (None, Some(seconds)) => Ok(Deadline::AfterMillis(seconds as i64 * 1_000)),
        (None, None) => Ok(Deadline::DEFAULT),
    }
}

pub(crate) fn cast_vote(args: &Args<'_>) -> Result<Command, Failure> {
    let vote = args.word("vote", Choice::parse, Choice::WORDS)?;
    Ok(Command::CastVote(CastVote {
        proposal_id: proposal_id(args)?,
        vote: vote.ok_or_else(|| missing("vote"))?,
        comment: args.text("comment")?,
    }))
}

/// The task that is meant.
pub(crate) fn task_id(args: &Args<'_>) -> Result<TaskId, Failure> {
    args.needed("task_id", TaskId::parse)
}

/// The proposal that is meant.
pub(crate) fn proposal_id(args: &Args<'_>) -> Result<ProposalId, Failure> {
    args.needed("proposal_id", ProposalId::parse)
}

/// One of the four priorities.
pub(crate) fn priority(args: &Args<'_>) -> Result<Option<Priority>, Failure> {
    args.word("priority", Priority::parse, Priority::WORDS)
}

fn metadata(args: &Args<'_>) -> Result<JsonText, Failure> {
    Ok(args.object("metadata")?.unwrap_or_default())
}
