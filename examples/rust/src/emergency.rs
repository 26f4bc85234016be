//! A server is in trouble: everybody is told, one takes it on, and the monitor sees who knows.
//!
//! The message and its task come into being together, and everybody is asked to say that they have seen it.

use std::thread;

use coordhub_core::{
    Hub, HubError, JsonText, Outcome,
    command::{Ack, ClaimTask, Command, CompleteTask, CreateTask, Send},
    event::Event,
    hub::Rejection,
    ids::EntityId,
    model::{EntityType, Priority},
    subscribe::Subscription,
};
use coordhub_examples::{Actor, Failure, joined, message, wait_for};

const RESPONDERS: [(&str, EntityType); 4] = [
    ("claude", EntityType::ClaudeSession),
    ("gpt", EntityType::AiAgent),
    ("deployer", EntityType::Service),
    ("maria", EntityType::Human),
];

fn main() -> Result<(), Failure> {
    let hub = Hub::in_memory()?;
    let responders = RESPONDERS
        .iter()
        .map(|(id, kind)| Actor::register(&hub, id, *kind))
        .collect::<Result<Vec<_>, _>>()?;
    let monitor = Actor::register(&hub, "monitor", EntityType::Service)?;

    let (sent, holders) = thread::scope(|scope| {
        let threads: Vec<_> = responders
            .iter()
            .map(|me| {
                let heard = me.follow(&["message_sent", "task_created"]);
                scope.spawn(move || respond(me, heard))
            })
            .collect();
        let task = CreateTask {
            priority: Priority::Urgent,
            ..CreateTask::titled("Bring the CPU load down")
        };
        let content = "🚨 Server CPU critical - need immediate action";
        let reply = monitor.call(Command::Send(Send {
            ack: Ack::Asked,
            task: Some(Box::new(task)),
            ..monitor.message("urgent", content)?
        }))?;
        let Outcome::Sent(sent) = reply.outcome else { return Err("nothing was sent".into()) };
        let holders = threads.into_iter().map(joined).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Failure>((sent, holders))
    })?;

    // All four name the same one, who was first.
    let holder = holders.first().ok_or("nobody responded")?;
    assert!(holders.iter().all(|other| other == holder), "{holders:?}");
    let alarm = sent.first().ok_or("nothing was sent")?;
    let (message_id, task_id) =
        (&alarm.message.message_id, alarm.task_id.clone().ok_or("no task was made")?);
    let winner = Actor { hub: hub.clone(), id: holder.clone() };
    let result = Some(JsonText::string("restarted the indexer"));
    winner.task(Command::CompleteTask(CompleteTask { task_id, result, claim_token: None }))?;

    let reader = hub.reader(Some(monitor.id.clone()));
    let receipts = hub.receipts(&reader, message_id)?;
    assert_eq!(receipts.recipients.len(), RESPONDERS.len());
    assert!(receipts.recipients.iter().all(|receipt| receipt.acked_at.is_some()), "{receipts:?}");
    // Until now it was shown to everybody who came.
    monitor.call(Command::ResolveRollCall(message_id.clone()))?;
    println!("{holder} has done it; all had seen it; the alarm is over");
    Ok(())
}

/// Waits for an emergency, confirms that it was seen, and goes for its task; whose it is.
fn respond(me: &Actor, mut heard: Subscription) -> Result<EntityId, Failure> {
    let alarm = wait_for(&mut heard, message)?;
    me.call(Command::AckMessage(alarm.message_id))?;
    let task_id = wait_for(&mut heard, |entry| match entry.event() {
        Some(Event::TaskCreated(created)) => Some(created.task.task_id.clone()),
        _ => None,
    })?;
    match me.call(Command::ClaimTask(ClaimTask::of(task_id))) {
        Ok(_) => {
            println!("{} takes it: {}", me.id, alarm.content);
            Ok(me.id.clone())
        }
        Err(HubError::Rejected(Rejection::TaskAlreadyClaimed { claimed_by, .. })) => {
            println!("{} stands by: {claimed_by} has it", me.id);
            Ok(claimed_by)
        }
        Err(other) => Err(other.into()),
    }
}
