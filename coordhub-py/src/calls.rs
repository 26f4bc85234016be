//! The table of operations: the wire contract's routes with dots between their words and without their ids.

use coordhub_core::{
    Hub, HubError,
    command::{Caller, Command},
    hub::{Rejection, policy::Reader},
    ids::{EntityId, MessageId},
};

use crate::{args::Args, commands, failure::Failure, queries, reply};

/// How many events of a task's history are shown with it, as over the network.
const HISTORY_EVENTS_MAX: usize = 1_000;
/// The longest `activity`, in bytes, as over the network.
const ACTIVITY_BYTES_MAX: usize = 512;

/// Does what `op` says, and waits for what came of it.
pub(crate) fn answer(hub: &Hub, op: &str, args: &str) -> Result<String, Failure> {
    let args = &Args::read(args)?;
    match op {
        "entities.register" => change(hub, args, "entity_id", commands::register(args)?),
        "entities.remove" => change(hub, args, "entity_id", commands::remove(args)?),
        "entities.heartbeat" => heartbeat(hub, args),
        "entities.list" => entities(hub, args),
        "entities.get" => entity(hub, args),
        "messages.send" => change(hub, args, "from_entity", commands::send(args)?),
        "messages.for.ack" => change(hub, args, "entity_id", commands::move_cursor(args)?),
        "messages.recent" => {
            let list = hub.recent(&reader(hub, args)?, &queries::recent(args)?)?;
            reply::list_of_json("messages", &list.items, list.next)
        }
        "messages.for" => {
            let list = hub.inbox(&reader(hub, args)?, &queries::inbox(args)?)?;
            reply::list_of_json("messages", &list.items, list.next)
        }
        "messages.get" => {
            let id = args.needed("message_id", MessageId::parse)?;
            reply::one_of_json(&hub.message(&reader(hub, args)?, &id)?)
        }
        "channels" => reply::list("channels", &hub.channels(&reader(hub, args)?)?, hub.head_seq()),
        "tasks.create" => change(hub, args, "created_by", commands::create_task(args)?),
        "tasks.update" => change(hub, args, "entity_id", commands::update_task(args)?),
        "tasks.claim" => change(hub, args, "entity_id", commands::claim_task(args)?),
        "tasks.complete" => change(hub, args, "entity_id", commands::complete_task(args)?),
        "tasks.fail" => change(hub, args, "entity_id", commands::fail_task(args)?),
        "tasks.release" => change(hub, args, "entity_id", commands::release_task(args)?),
        "tasks.cancel" => by_entity(hub, args, Command::CancelTask(commands::task_id(args)?)),
        "tasks.reopen" => by_entity(hub, args, Command::ReopenTask(commands::task_id(args)?)),
        "tasks.list" => tasks(hub, args),
        "tasks.get" => task(hub, args),
        "proposals.create" => change(hub, args, "proposed_by", commands::create_proposal(args)?),
        "proposals.vote" => change(hub, args, "entity_id", commands::cast_vote(args)?),
        "proposals.close" => {
            by_entity(hub, args, Command::CloseProposal(commands::proposal_id(args)?))
        }
        "proposals.withdraw" => {
            by_entity(hub, args, Command::WithdrawProposal(commands::proposal_id(args)?))
        }
        "proposals.list" => proposals(hub, args),
        "proposals.get" => proposal(hub, args),
        // The Python half names operations, never the program that uses it.
        _ => Err(HubError::Internal.into()),
    }
}

/// Makes a change in the name of whom the argument `caller` names.
fn change(hub: &Hub, args: &Args<'_>, caller: &str, command: Command) -> Result<String, Failure> {
    let caller = Caller { id: args.entity(caller)?, ..Caller::default() };
    let reply = hub.call(caller, command)?;
    reply::change(hub, reply)
}

fn by_entity(hub: &Hub, args: &Args<'_>, command: Command) -> Result<String, Failure> {
    change(hub, args, "entity_id", command)
}

/// Who reads. Acting as an entity, even reading, is being there.
fn reader(hub: &Hub, args: &Args<'_>) -> Result<Reader, Failure> {
    let id = args.entity("entity_id")?;
    if let Some(id) = &id {
        hub.touch(id);
    }
    Ok(hub.reader(id))
}

/// Presence is soft, so this does not wait for the disk.
fn heartbeat(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    let id = args.needed("entity_id", EntityId::parse)?;
    let activity = args.text("activity")?;
    if activity.as_ref().is_some_and(|text| text.len() > ACTIVITY_BYTES_MAX) {
        let detail = format!("activity is a few words: at most {ACTIVITY_BYTES_MAX} bytes");
        return Err(Failure::invalid("activity", detail));
    }
    hub.heartbeat(&id, activity).ok_or_else(|| Rejection::UnknownEntity(id.clone()))?;
    entity(hub, args)
}

fn entity(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    let id = args.needed("entity_id", EntityId::parse)?;
    let entity = hub.entity(&id).ok_or(Rejection::UnknownEntity(id))?;
    reply::text(&entity)
}

fn entities(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    let list = hub.entities(&queries::entities(args)?, queries::window(args)?);
    reply::list("entities", &list.items, list.next)
}

fn task(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    reader(hub, args)?;
    let id = commands::task_id(args)?;
    let task = hub.task(&id)?;
    reply::task_by_id(&task, &hub.task_history(&id, HISTORY_EVENTS_MAX)?)
}

fn tasks(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    reader(hub, args)?;
    let ready_for = args.entity("ready_for")?;
    let list = hub.tasks(&queries::tasks(args)?, ready_for.as_ref(), queries::window(args)?)?;
    reply::list("tasks", &list.items, list.next)
}

fn proposal(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    reader(hub, args)?;
    reply::text(&hub.proposal(&commands::proposal_id(args)?)?)
}

fn proposals(hub: &Hub, args: &Args<'_>) -> Result<String, Failure> {
    reader(hub, args)?;
    let list = hub.proposals(queries::proposals(args)?, queries::window(args)?)?;
    reply::list("proposals", &list.items, list.next)
}
