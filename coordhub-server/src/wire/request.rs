//! From fields to the hub's commands: one function a call, each small enough to read beside the
//! contract's table.

use coordhub_core::{
    JsonText,
    command::{
        CastVote, ClaimTask, Closing, Command, CompleteTask, CreateProposal, CreateTask,
        CursorScope, Deadline, Destination, Elector, FailTask, MoveCursor, Register, ReleaseTask,
        Remove, Send, UpdateTask,
    },
    ids::{ChannelName, EntityId, MessageId, ProposalId, TaskId},
    model::{Choice, EntityType, Priority, Threshold},
};

use super::{Fields, Problem};

/// `POST /entities/register`.
pub fn register(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::Register(Register {
        entity_id: fields.needed("entity_id", EntityId::parse)?,
        entity_type: entity_type(fields, "entity_type")?
            .ok_or_else(|| Problem::field("entity_type", "entity_type is missing: say what you are, one of claude_session, ai_agent, human, service"))?,
        name: fields.text("name")?.map(Into::into),
        capabilities: fields.texts("capabilities")?.unwrap_or_default(),
        metadata: metadata(fields)?,
    }))
}

/// `DELETE /entities/{id}`.
pub fn remove(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::Remove(Remove { entity_id: fields.needed("id", EntityId::parse)? }))
}

/// `POST /messages/send`: a command as soon as it is known in whose name.
pub fn send(fields: &Fields<'_>) -> Result<impl FnOnce(EntityId) -> Command + use<>, Problem> {
    not_supported(fields, &["ack_required", "ack_deadline", "task"])?;
    let channel = fields.parsed("channel", ChannelName::parse)?.map(Destination::Channel);
    // Clients of the old hub send its default channel along; a direct message is on none.
    let to = fields.parsed("to_entity", EntityId::parse)?.map(Destination::Entity).or(channel);
    let content = fields.needed_text("content")?.into_owned();
    let message_type = fields.text("message_type")?.map(Into::into);
    let metadata = metadata(fields)?;
    let reply_to = fields.parsed("reply_to", MessageId::parse)?;
    Ok(move |from_entity| {
        Command::Send(Send { from_entity, to, content, message_type, metadata, reply_to })
    })
}

/// `POST /messages/for/{id}/ack`.
pub fn move_cursor(fields: &Fields<'_>) -> Result<Command, Problem> {
    let channel = fields.parsed("channel", ChannelName::parse)?;
    let scope = match (channel, fields.flag("direct")?.unwrap_or(false)) {
        (Some(_), true) => {
            let detail = "give channel or direct, not both; leave both out to mark everything read";
            return Err(Problem::field("direct", detail));
        }
        (Some(channel), false) => CursorScope::Channel(channel),
        (None, true) => CursorScope::Direct,
        (None, false) => CursorScope::All,
    };
    Ok(Command::MoveCursor(MoveCursor {
        entity_id: fields.needed("entity_id", EntityId::parse)?,
        scope,
        up_to: fields.integer("up_to")?.ok_or_else(|| {
            Problem::field("up_to", "up_to is missing: the seq up to which everything is read")
        })?,
    }))
}

/// `POST /tasks/create`.
pub fn create_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    let later = ["max_attempts", "retry_delay_seconds", "not_before", "on_blocker_failed"];
    not_supported(fields, &later)?;
    Ok(Command::CreateTask(CreateTask {
        task_id: fields.parsed("task_id", TaskId::parse)?,
        title: fields.needed_text("title")?.into_owned(),
        description: fields.text("description")?.unwrap_or_default().into_owned(),
        priority: priority(fields)?.unwrap_or(Priority::Normal),
        requires_human: fields.flag("requires_human")?.unwrap_or(false),
        requires_ai: fields.flag("requires_ai")?.unwrap_or(false),
        tags: fields.texts("tags")?.unwrap_or_default(),
        capabilities: fields.texts("capabilities")?.unwrap_or_default(),
        depends_on: ids(fields, "depends_on", TaskId::parse)?,
        metadata: metadata(fields)?,
    }))
}

/// `POST /tasks/{task_id}/update`.
pub fn update_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    not_supported(fields, &["note"])?;
    Ok(Command::UpdateTask(UpdateTask {
        task_id: task_id(fields)?,
        title: fields.text("title")?.map(Into::into),
        description: fields.text("description")?.map(Into::into),
        priority: priority(fields)?,
        tags: fields.texts("tags")?,
        metadata: fields.object("metadata")?,
    }))
}

/// `POST /tasks/{task_id}/claim`.
pub fn claim_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    not_supported(fields, &["lease_seconds"])?;
    Ok(Command::ClaimTask(ClaimTask { task_id: task_id(fields)? }))
}

/// `POST /tasks/{task_id}/complete`.
pub fn complete_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::CompleteTask(CompleteTask {
        task_id: task_id(fields)?,
        result: fields.any("result")?,
        claim_token: fields.integer("claim_token")?,
    }))
}

/// `POST /tasks/{task_id}/fail`.
pub fn fail_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::FailTask(FailTask {
        task_id: task_id(fields)?,
        reason: fields.text("reason")?.map(Into::into),
        claim_token: fields.integer("claim_token")?,
    }))
}

/// `POST /tasks/{task_id}/release`.
pub fn release_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::ReleaseTask(ReleaseTask {
        task_id: task_id(fields)?,
        claim_token: fields.integer("claim_token")?,
    }))
}

/// `POST /tasks/{task_id}/cancel`.
pub fn cancel_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    task_id(fields).map(Command::CancelTask)
}

/// `POST /tasks/{task_id}/reopen`.
pub fn reopen_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    task_id(fields).map(Command::ReopenTask)
}

/// `POST /proposals/create`.
pub fn create_proposal(fields: &Fields<'_>) -> Result<Command, Problem> {
    let threshold = match fields.number("threshold") {
        Some(number) => Threshold::parse(number)
            .map_err(|why| Problem::field("threshold", format!("threshold: {why}")))?,
        None => Threshold::DEFAULT,
    };
    let electorate = fields.texts("electorate")?;
    let electors = |names: Vec<String>| names.iter().map(|name| elector(name)).collect();
    let early = fields.flag("early_close")?.unwrap_or(true);
    Ok(Command::CreateProposal(CreateProposal {
        proposal_id: fields.parsed("proposal_id", ProposalId::parse)?,
        title: fields.needed_text("title")?.into_owned(),
        description: fields.text("description")?.unwrap_or_default().into_owned(),
        threshold,
        quorum: fields.integer("quorum")?,
        deadline: deadline(fields)?,
        electorate: electorate.map(electors).transpose()?,
        requires_human: fields.flag("requires_human")?.unwrap_or(false),
        closing: if early { Closing::Early } else { Closing::AtDeadline },
    }))
}

/// A type word means everyone of that type; no entity can bear such a name.
fn elector(name: &str) -> Result<Elector, Problem> {
    if let Some(kind) = EntityType::parse(name) {
        return Ok(Elector::Type(kind));
    }
    EntityId::parse(name)
        .map(Elector::Entity)
        .map_err(|why| Problem::field("electorate", format!("electorate: {why}")))
}

fn deadline(fields: &Fields<'_>) -> Result<Deadline, Problem> {
    const TTL_SECONDS_MAX: u64 = 10 * 366 * 86_400;
    let ttl_seconds = fields.integer_in("ttl_seconds", 1..=TTL_SECONDS_MAX)?;
    match (fields.time("deadline")?, ttl_seconds) {
        (Some(_), Some(_)) => {
            Err(Problem::field("deadline", "give deadline or ttl_seconds, not both"))
        }
        (Some(at), None) => Ok(Deadline::At(at)),
        (None, Some(seconds)) => Ok(Deadline::AfterMillis(seconds as i64 * 1_000)),
        (None, None) => Ok(Deadline::DEFAULT),
    }
}

/// `POST /proposals/{proposal_id}/vote`.
pub fn cast_vote(fields: &Fields<'_>) -> Result<Command, Problem> {
    let vote = fields
        .word("vote", Choice::parse, Choice::WORDS)?
        .ok_or_else(|| Problem::field("vote", "vote is missing: for, against or abstain"))?;
    Ok(Command::CastVote(CastVote {
        proposal_id: proposal_id(fields)?,
        vote,
        comment: fields.text("comment")?.map(Into::into),
    }))
}

/// `POST /proposals/{proposal_id}/close`.
pub fn close_proposal(fields: &Fields<'_>) -> Result<Command, Problem> {
    proposal_id(fields).map(Command::CloseProposal)
}

/// `POST /proposals/{proposal_id}/withdraw`.
pub fn withdraw_proposal(fields: &Fields<'_>) -> Result<Command, Problem> {
    proposal_id(fields).map(Command::WithdrawProposal)
}

/// The task that the path, or a socket's `args`, names.
pub fn task_id(fields: &Fields<'_>) -> Result<TaskId, Problem> {
    fields.needed("task_id", TaskId::parse)
}

/// The proposal that the path, or a socket's `args`, names.
pub fn proposal_id(fields: &Fields<'_>) -> Result<ProposalId, Problem> {
    fields.needed("proposal_id", ProposalId::parse)
}

/// One of the four types.
pub fn entity_type(fields: &Fields<'_>, name: &'static str) -> Result<Option<EntityType>, Problem> {
    fields.word(name, EntityType::parse, EntityType::WORDS)
}

/// One of the four priorities.
pub fn priority(fields: &Fields<'_>) -> Result<Option<Priority>, Problem> {
    fields.word("priority", Priority::parse, Priority::WORDS)
}

fn metadata(fields: &Fields<'_>) -> Result<JsonText, Problem> {
    Ok(fields.object("metadata")?.unwrap_or_default())
}

fn ids<T>(
    fields: &Fields<'_>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, coordhub_core::ids::InvalidName>,
) -> Result<Vec<T>, Problem> {
    let texts = fields.texts(name)?.unwrap_or_default();
    let read =
        |text: &String| parse(text).map_err(|why| Problem::field(name, format!("{name}: {why}")));
    texts.iter().map(read).collect()
}

/// Refuses fields of the contract that this version does not honour yet: to ignore them would be to
/// promise what is not kept.
fn not_supported(fields: &Fields<'_>, names: &[&'static str]) -> Result<(), Problem> {
    match names.iter().find(|name| fields.asks_for(name)) {
        Some(name) => {
            let detail = format!("{name} is not supported by this version; leave it out");
            Err(Problem::field(name, detail))
        }
        None => Ok(()),
    }
}
