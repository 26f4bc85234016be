//! From fields to the hub's commands: one function a call, each small enough to read beside the
//! contract's table.

use coordhub_core::{
    JsonText,
    command::{
        Ack, AnswerTask, Auth, Caller, CastVote, ClaimNext, ClaimTask, Closing, Command,
        CompleteTask, CreateProposal, CreateTask, CursorScope, Deadline, Destination, Elector,
        FailTask, MoveCursor, Register, ReleaseTask, Remove, RenewLease, Send, UpdateTask,
    },
    hub::Rejection,
    ids::{ChannelName, EntityId, MessageId, ProposalId, TaskId},
    limits::{BATCH_ITEMS_MAX, LEASE_SECONDS_DEFAULT},
    model::{Choice, EntityType, OnBlockerFailed, Priority, Question, Threshold},
};

use super::{Fields, Problem, error::two_callers};

/// `POST /entities/register`.
pub fn register(fields: &Fields<'_>, caller: Option<EntityId>) -> Result<Register, Problem> {
    let named = fields.parsed("entity_id", EntityId::parse)?.or(caller);
    Ok(Register {
        entity_id: named.map_or_else(|| fields.needed("entity_id", EntityId::parse), Ok)?,
        entity_type: entity_type(fields, "entity_type")?
            .ok_or_else(|| Problem::field("entity_type", "entity_type is missing: say what you are, one of claude_session, ai_agent, human, service"))?,
        name: fields.text("name")?.map(Into::into),
        capabilities: fields.texts("capabilities")?.unwrap_or_default(),
        metadata: metadata(fields)?,
    })
}

/// `DELETE /entities/{id}`.
pub fn remove(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::Remove(Remove { entity_id: fields.needed("id", EntityId::parse)? }))
}

/// `POST /messages/send`: a message as soon as it is known in whose name.
pub fn send(
    fields: &Fields<'_>,
    caller: &Caller,
) -> Result<impl FnOnce(EntityId) -> Send + use<>, Problem> {
    let channel = fields.parsed("channel", ChannelName::parse)?.map(Destination::Channel);
    // Clients of the old hub send its default channel along; a direct message is on none.
    let to = fields.parsed("to_entity", EntityId::parse)?.map(Destination::Entity).or(channel);
    let content = fields.needed_text("content")?.into_owned();
    let message_type = fields.text("message_type")?.map(Into::into);
    let metadata = metadata(fields)?;
    let reply_to = fields.parsed("reply_to", MessageId::parse)?;
    let ack = ack(fields)?;
    let nested = fields.nested("task")?;
    let task = nested.as_ref().map(create_task).transpose();
    let task = task.map_err(|problem| problem.within("task"))?.map(Box::new);
    let sender = match caller.auth {
        Auth::Open => fields.parsed("from_entity", EntityId::parse)?,
        Auth::Token => caller.id.clone(),
    };
    let creator = nested.map(|task| task.parsed("created_by", EntityId::parse)).transpose();
    let creator = creator.map_err(|problem| problem.within("task"))?.flatten();
    if let (Some(sender), Some(creator)) = (sender, creator)
        && sender != creator
    {
        let detail =
            format!("the task of a message is its sender's, {sender:?}; leave created_by out");
        return Err(two_callers(caller.auth, "task.created_by", detail));
    }
    Ok(move |from_entity| Send {
        from_entity,
        to,
        content,
        message_type,
        metadata,
        reply_to,
        ack,
        task,
    })
}

fn ack(fields: &Fields<'_>) -> Result<Ack, Problem> {
    match (fields.flag("ack_required")?.unwrap_or(false), fields.time("ack_deadline")?) {
        (false, None) => Ok(Ack::NotAsked),
        (true, None) => Ok(Ack::Asked),
        (true, Some(at)) => Ok(Ack::AskedUntil(at)),
        (false, Some(_)) => {
            let detail = "ack_deadline is for messages with ack_required; set that, too";
            Err(Problem::field("ack_deadline", detail))
        }
    }
}

/// `POST /messages/send-batch`: whoever sends them all, and the messages. One that names no sender is
/// of whoever calls, and of the first sender named where the call names nobody.
pub fn send_batch(fields: &Fields<'_>, caller: &Caller) -> Result<(EntityId, Vec<Send>), Problem> {
    let items = items(fields, "messages")?;
    let named = named_in(&items, "from_entity", caller)?;
    let sends = items.iter().enumerate();
    let sends = sends.map(|(nth, item)| send(item, caller).map_err(|why| why.in_item(nth)));
    // What is wrong in the fields is said before that nobody is named.
    let sends = sends.collect::<Result<Vec<_>, _>>()?;
    let from = named.ok_or(Rejection::CallerNeeded)?;
    Ok((from.clone(), sends.into_iter().map(|send| send(from.clone())).collect()))
}

/// `POST /tasks/create-batch`: whoever creates them all, and the tasks.
pub fn create_batch(
    fields: &Fields<'_>,
    caller: &Caller,
) -> Result<(Option<EntityId>, Vec<CreateTask>), Problem> {
    let items = items(fields, "tasks")?;
    let named = named_in(&items, "created_by", caller)?;
    let tasks = items.iter().enumerate();
    let tasks = tasks.map(|(nth, item)| create_task(item).map_err(|why| why.in_item(nth)));
    Ok((named, tasks.collect::<Result<_, _>>()?))
}

fn items<'a>(fields: &Fields<'a>, name: &'static str) -> Result<Vec<Fields<'a>>, Problem> {
    let items = fields.objects(name)?.unwrap_or_default();
    if (1..=BATCH_ITEMS_MAX).contains(&items.len()) {
        return Ok(items);
    }
    let detail = format!(
        "a batch is a list of 1 to {BATCH_ITEMS_MAX} objects: the body itself, or its field {name}"
    );
    Err(Problem::field(name, detail))
}

/// The one in whose name all items are: a batch is one change, and a change has one caller.
fn named_in(
    items: &[Fields<'_>],
    name: &'static str,
    caller: &Caller,
) -> Result<Option<EntityId>, Problem> {
    let mut named = caller.id.clone();
    for (nth, item) in items.iter().enumerate() {
        // As in a call of its own, `entity_id` says the same.
        for place in [name, "entity_id"] {
            let own = item.parsed(place, EntityId::parse).map_err(|why| why.in_item(nth))?;
            match (&named, own) {
                (Some(first), Some(other)) if *first != other => {
                    let detail = format!(
                        "a batch is made by one caller, and names {first:?} and {other:?}; make one batch for each"
                    );
                    return Err(two_callers(caller.auth, place, detail).in_item(nth));
                }
                (None, Some(own)) => named = Some(own),
                _ => {}
            }
        }
    }
    Ok(named)
}

/// A message that the path, or a socket's `args`, names.
pub fn message_id(fields: &Fields<'_>) -> Result<MessageId, Problem> {
    fields.needed("message_id", MessageId::parse)
}

/// `POST /messages/for/{id}/ack`.
pub fn move_cursor(fields: &Fields<'_>, entity_id: EntityId) -> Result<Command, Problem> {
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
        entity_id,
        scope,
        up_to: fields.integer("up_to")?.ok_or_else(|| {
            Problem::field("up_to", "up_to is missing: the seq up to which everything is read")
        })?,
    }))
}

/// `POST /tasks/create`.
pub fn create_task(fields: &Fields<'_>) -> Result<CreateTask, Problem> {
    Ok(CreateTask {
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
        max_attempts: number(fields, "max_attempts")?,
        retry_delay_seconds: number(fields, "retry_delay_seconds")?,
        not_before: fields.time("not_before")?,
        on_blocker_failed: fields
            .word("on_blocker_failed", OnBlockerFailed::parse, OnBlockerFailed::WORDS)?
            .unwrap_or_default(),
        question: None,
    })
}

/// `POST /questions/ask`: a task that needs a human. What does not fit into a title stands in full in
/// its description.
pub fn ask(fields: &Fields<'_>) -> Result<CreateTask, Problem> {
    let text = fields.needed_text("question")?;
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    if line.is_empty() {
        return Err(Problem::field("question", "question must not be empty"));
    }
    let title: String = line.chars().take(TITLE_OF_QUESTION_CHARS).collect();
    let is_whole = title == text.trim();
    Ok(CreateTask {
        description: if is_whole { String::new() } else { text.clone().into_owned() },
        requires_human: true,
        priority: priority(fields)?.unwrap_or(Priority::Normal),
        metadata: metadata(fields)?,
        question: Some(Question {
            options: fields.texts("options")?.unwrap_or_default(),
            deadline: fields.time("deadline")?,
            default: fields.text("default")?.map(Into::into),
        }),
        ..CreateTask::titled(title)
    })
}

/// How much of a question's first line its title holds.
const TITLE_OF_QUESTION_CHARS: usize = 200;

/// A number that fits its place; one that does not is judged with those that do.
pub(super) fn number(fields: &Fields<'_>, name: &'static str) -> Result<Option<u32>, Problem> {
    Ok(fields.integer(name)?.map(|value| u32::try_from(value).unwrap_or(u32::MAX)))
}

/// `POST /tasks/{task_id}/update`.
pub fn update_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::UpdateTask(UpdateTask {
        task_id: task_id(fields)?,
        title: fields.text("title")?.map(Into::into),
        description: fields.text("description")?.map(Into::into),
        priority: priority(fields)?,
        tags: fields.texts("tags")?,
        metadata: fields.object("metadata")?,
        note: fields.text("note")?.map(Into::into),
    }))
}

/// `POST /tasks/{task_id}/claim`.
pub fn claim_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::ClaimTask(ClaimTask {
        task_id: task_id(fields)?,
        lease_seconds: number(fields, "lease_seconds")?,
        claim_token: fields.integer("claim_token")?,
    }))
}

/// `POST /tasks/claim-next`.
pub fn claim_next(fields: &Fields<'_>) -> Result<Command, Problem> {
    Ok(Command::ClaimNext(ClaimNext {
        capabilities: fields.texts("capabilities")?,
        tags: fields.texts("tags")?.unwrap_or_default(),
        lease_seconds: number(fields, "lease_seconds")?.unwrap_or(LEASE_SECONDS_DEFAULT),
    }))
}

/// `POST /tasks/{task_id}/heartbeat`.
pub fn renew_lease(fields: &Fields<'_>) -> Result<Command, Problem> {
    let (task_id, claim_token) = (task_id(fields)?, fields.integer("claim_token")?);
    Ok(Command::RenewLease(RenewLease { task_id, claim_token }))
}

/// `POST /tasks/{task_id}/answer`.
pub fn answer_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    let answer = fields.needed_text("answer")?.into_owned();
    Ok(Command::AnswerTask(AnswerTask { task_id: task_id(fields)?, answer }))
}

/// `POST /tasks/{task_id}/reassign`.
pub fn reassign_task(fields: &Fields<'_>) -> Result<Command, Problem> {
    task_id(fields).map(Command::ReassignTask)
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
