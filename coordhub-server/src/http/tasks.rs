//! Calls about tasks.

use coordhub_core::{
    command::{Caller, Command},
    ids::EntityId,
    model::{OnBlockerFailed, Priority, TaskStatus},
    store::TaskFilter,
};

use super::{
    call::{AFTER, Call, Change, ENTITY_ID, LIMIT, METADATA, ORDER, Read, optional, required},
    waits::{self, About, Looked, WAIT_SECONDS},
};
use crate::wire::{Field, Kind, Problem, reply, reply::Form, request};

/// How many events of a task's history are shown with it.
const HISTORY_EVENTS_MAX: usize = 1_000;

/// Fields of `POST /tasks/create`.
pub const CREATE: &[Field] = &[
    required("title", Kind::Text, "One line that says what is to be done."),
    optional("task_id", Kind::Text, "An id of your own; one is made where not given."),
    optional("description", Kind::Text, "The rest of what is to be said."),
    optional("created_by", Kind::Text, "Who creates it."),
    optional("priority", Kind::Word(Priority::WORDS), "How soon; `normal` where not given."),
    optional("requires_human", Kind::Flag, "Whether only a human may claim it."),
    optional("requires_ai", Kind::Flag, "Whether only an AI may claim it."),
    optional("tags", Kind::Texts, "Words to find it by."),
    optional("capabilities", Kind::Texts, "What its claimer must have registered."),
    optional("depends_on", Kind::Texts, "Tasks that must be completed first."),
    optional("max_attempts", Kind::Integer, "After how many failed attempts it is given up."),
    optional(
        "retry_delay_seconds",
        Kind::Integer,
        "How long it rests after an attempt that was reported as failed.",
    ),
    optional("not_before", Kind::Time, "Before when it cannot be claimed."),
    optional(
        "on_blocker_failed",
        Kind::Word(OnBlockerFailed::WORDS),
        "What becomes of it when a task it depends on fails or is cancelled; `hold` where not given.",
    ),
    METADATA,
];

/// `POST /tasks/create`
pub fn create(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(Command::CreateTask(request::create_task(&call.fields)?), "created")
}

/// Fields of `POST /tasks/create-batch`.
pub const CREATE_BATCH: &[Field] = &[required(
    "tasks",
    Kind::Objects,
    "Up to 1,000 tasks, each as in `tasks/create`; a later one may depend on an earlier one. The body may be this list itself.",
)];

/// `POST /tasks/create-batch`
pub fn create_batch(call: &Call<'_>) -> Result<Change, Problem> {
    let caller = call.caller()?;
    let (id, tasks) = request::create_batch(&call.fields, &caller)?;
    let change = call.change(Command::CreateTasks(tasks), "created")?;
    Ok(Change { caller: Caller { id, ..caller }, form: Form::Batch("created"), ..change })
}

/// Fields of `POST /questions/ask`.
pub const ASK: &[Field] = &[
    required("question", Kind::Text, "What a human is asked."),
    optional("asked_by", Kind::Text, "Who asks."),
    optional("options", Kind::Texts, "The answers to choose from; any answer will do without."),
    optional("deadline", Kind::Time, "Until when; without an answer the default is taken then."),
    optional("default", Kind::Text, "What is taken for the answer at the deadline."),
    optional("priority", Kind::Word(Priority::WORDS), "How soon; `normal` where not given."),
    METADATA,
];

/// `POST /questions/ask`
pub fn ask(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(Command::CreateTask(request::ask(&call.fields)?), "asked")
}

/// Fields of `POST /tasks/{task_id}/answer`.
pub const ANSWER: &[Field] = &[
    required("entity_id", Kind::Text, "The human who answers."),
    required("answer", Kind::Text, "The answer: one of the options, where there are some."),
];

/// `POST /tasks/{task_id}/answer`
pub fn answer(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::answer_task(&call.fields)?, "answered")
}

/// Fields of `GET /tasks/list`.
pub const LIST: &[Field] = &[
    optional("status", Kind::Word(TaskStatus::WORDS), "Only those that stand so."),
    optional("priority", Kind::Word(Priority::WORDS), "Only with this priority."),
    optional("requires_human", Kind::Flag, "Only those that need, or do not need, a human."),
    optional("tag", Kind::Text, "Only with this tag."),
    optional("created_by", Kind::Text, "Only those created by this entity."),
    optional("claimed_by", Kind::Text, "Only those held by this entity, or held by it to the end."),
    optional("ready_for", Kind::Text, "Only those that this entity could claim now."),
    AFTER,
    ORDER,
    LIMIT,
    ENTITY_ID,
];

/// `GET /tasks/list`
pub fn list(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let fields = &call.fields;
    let filter = TaskFilter {
        status: fields.word("status", TaskStatus::parse, TaskStatus::WORDS)?,
        priority: request::priority(fields)?,
        requires_human: fields.flag("requires_human")?,
        tag: fields.text("tag")?.map(Into::into),
        created_by: fields.parsed("created_by", EntityId::parse)?,
        claimed_by: fields.parsed("claimed_by", EntityId::parse)?,
    };
    let ready_for = fields.parsed("ready_for", EntityId::parse)?;
    let window = call.list_window()?;
    if let Some(list) = call.app.hub().tasks_hot(&filter, ready_for.as_ref(), window) {
        return Ok(Read::Ready(reply::list_of("tasks", &list.items, list.next)));
    }
    Read::later(move |app| {
        let list = app.hub().tasks(&filter, ready_for.as_ref(), window)?;
        Ok(reply::list_of("tasks", &list.items, list.next))
    })
}

/// Fields of `GET /tasks/{task_id}`.
pub const GET: &[Field] = &[
    WAIT_SECONDS,
    optional(
        "until",
        Kind::Word(TaskStatus::WORDS),
        "What to wait for; `completed` where not given. Another end ends the wait, too.",
    ),
    ENTITY_ID,
];

/// `GET /tasks/{task_id}`
pub fn get(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let id = request::task_id(&call.fields)?;
    let until = call.fields.word("until", TaskStatus::parse, TaskStatus::WORDS)?;
    let until = until.unwrap_or(TaskStatus::Completed);
    waits::until(call, About::Task(id.clone()), move |app| {
        let hub = app.hub();
        let task = hub.task(&id)?;
        let history = hub.task_history(&id, HISTORY_EVENTS_MAX)?;
        let notes = hub.task_notes(&id, HISTORY_EVENTS_MAX)?;
        let body = reply::task_by_id(&task, &history, &notes, &hub.late_results(&id)?);
        let is_there = task.status == until || task.status.is_finished();
        Ok(if is_there { Looked::There(body) } else { Looked::NotYet(body) })
    })
}

/// Fields of `POST /tasks/{task_id}/update`.
pub const UPDATE: &[Field] = &[
    ENTITY_ID,
    optional("title", Kind::Text, "The new title."),
    optional("description", Kind::Text, "The new description."),
    optional("priority", Kind::Word(Priority::WORDS), "The new priority."),
    optional("tags", Kind::Texts, "The new tags, in place of all of the old."),
    optional("metadata", Kind::Object, "The new metadata, in place of all of the old."),
    optional("note", Kind::Text, "A remark on how it is going, kept with those before it."),
];

/// `POST /tasks/{task_id}/update`
pub fn update(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::update_task(&call.fields)?, "updated")
}

/// Fields of `POST /tasks/{task_id}/claim`.
pub const CLAIM: &[Field] = &[
    required("entity_id", Kind::Text, "Who claims it."),
    LEASE_SECONDS,
    optional("claim_token", Kind::Integer, "The token, where you hold it under a lease already."),
];

const LEASE_SECONDS: Field =
    optional("lease_seconds", Kind::Integer, "For how long, 5 to 86400, unless you renew it.");

/// `POST /tasks/{task_id}/claim`
pub fn claim(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::claim_task(&call.fields)?, "claimed")
}

/// Fields of `POST /tasks/claim-next`.
pub const CLAIM_NEXT: &[Field] = &[
    required("entity_id", Kind::Text, "Who claims it."),
    optional(
        "capabilities",
        Kind::Texts,
        "Of those you registered only these; all where not given.",
    ),
    optional("tags", Kind::Texts, "What the task must carry, all of them."),
    WAIT_SECONDS,
    optional("lease_seconds", Kind::Integer, "For how long, 5 to 86400; 300 where not given."),
];

/// `POST /tasks/claim-next`
pub fn claim_next(call: &Call<'_>) -> Result<Change, Problem> {
    let change = call.change(request::claim_next(&call.fields)?, "claimed")?;
    Ok(Change { wait: waits::wait(call)?, ..change })
}

/// Fields of `POST /tasks/{task_id}/heartbeat`.
pub const HEARTBEAT: &[Field] = &[HOLDER, CLAIM_TOKEN];

/// `POST /tasks/{task_id}/heartbeat`
pub fn heartbeat(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::renew_lease(&call.fields)?, "renewed")
}

/// `POST /tasks/{task_id}/reassign`
pub fn reassign(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::reassign_task(&call.fields)?, "reassigned")
}

const CLAIM_TOKEN: Field = optional(
    "claim_token",
    Kind::Integer,
    "The token of your claim: needed where it has a lease; one of an older claim is refused.",
);
const HOLDER: Field = optional("entity_id", Kind::Text, "Its holder; another is refused.");

/// Fields of `POST /tasks/{task_id}/complete`.
pub const COMPLETE: &[Field] =
    &[HOLDER, optional("result", Kind::Any, "What came of it: any JSON."), CLAIM_TOKEN];

/// `POST /tasks/{task_id}/complete`
pub fn complete(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::complete_task(&call.fields)?, "completed")
}

/// Fields of `POST /tasks/{task_id}/fail`.
pub const FAIL: &[Field] = &[HOLDER, optional("reason", Kind::Text, "Why."), CLAIM_TOKEN];

/// `POST /tasks/{task_id}/fail`
pub fn fail(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::fail_task(&call.fields)?, "failed")
}

/// Fields of `POST /tasks/{task_id}/release`.
pub const RELEASE: &[Field] = &[HOLDER, CLAIM_TOKEN];

/// `POST /tasks/{task_id}/release`
pub fn release(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::release_task(&call.fields)?, "released")
}

/// Fields of `POST /tasks/{task_id}/cancel` and `/reopen`.
pub const BY_CALLER: &[Field] = &[ENTITY_ID];

/// `POST /tasks/{task_id}/cancel`
pub fn cancel(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::cancel_task(&call.fields)?, "cancelled")
}

/// `POST /tasks/{task_id}/reopen`
pub fn reopen(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::reopen_task(&call.fields)?, "reopened")
}
