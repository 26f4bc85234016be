//! Two sessions build one product: session #2 the API, session #5 the UI that needs it.
//!
//! They talk on the channel `technical`, and a dependency between two tasks says who waits for whom.

use std::thread;

use coordhub_core::{
    Hub, JsonText, Outcome,
    command::{ClaimTask, Command, CompleteTask, CreateTask, Send},
    event::Event,
    ids::TaskId,
    model::{EntityType, Message, TaskStatus},
    subscribe::Subscription,
};
use coordhub_examples::{Actor, Failure, joined, message, wait_for};

fn main() -> Result<(), Failure> {
    let hub = Hub::in_memory()?;
    let api = Actor::register(&hub, "session-2", EntityType::ClaudeSession)?;
    let ui = Actor::register(&hub, "session-5", EntityType::ClaudeSession)?;
    // Both listen from here on, so that nothing is missed, whoever is quicker.
    let kinds = ["message_sent", "task_ready", "task_completed"];
    let (hears_api, hears_ui) = (api.follow(&kinds), ui.follow(&kinds));
    thread::scope(|scope| {
        let threads = [
            scope.spawn(move || session_2(&api, hears_api)),
            scope.spawn(move || session_5(&ui, hears_ui)),
        ];
        threads.into_iter().try_for_each(joined)
    })
}

/// Builds the API, and finds somebody for the UI.
fn session_2(me: &Actor, mut heard: Subscription) -> Result<(), Failure> {
    let api = me.task(Command::CreateTask(CreateTask::titled("Build the API")))?.task_id.clone();
    me.task(Command::ClaimTask(ClaimTask::of(api.clone())))?;
    // The message and the task come into being together; the task is blocked until the API is there.
    let task = CreateTask { depends_on: vec![api.clone()], ..CreateTask::titled("Build the UI") };
    let question = me.message("technical", "I build the API. Who builds the UI?")?;
    let reply = me.call(Command::Send(Send { task: Some(Box::new(task)), ..question }))?;
    let Outcome::Sent(sent) = reply.outcome else { return Err("nothing was sent".into()) };
    let ui = sent.first().and_then(|sent| sent.task_id.clone()).ok_or("no task was made")?;

    hear(me, &mut heard)?;
    complete(me, &api, "localhost:8401")?;
    me.call(Command::Send(me.message("technical", "API endpoints ready at localhost:8401")?))?;

    wait_for(&mut heard, |entry| match entry.event() {
        Some(Event::TaskCompleted(done)) if done.task_id == ui => Some(()),
        _ => None,
    })?;
    let built = me.hub.task(&ui)?;
    println!("{} sees what was built: {}", me.id, built.result.ok_or("no result")?.as_str());
    Ok(())
}

/// Builds the UI as soon as the API is there.
fn session_5(me: &Actor, mut heard: Subscription) -> Result<(), Failure> {
    let question = hear(me, &mut heard)?;
    let reply_to = Some(question.message_id);
    me.call(Command::Send(Send { reply_to, ..me.message("technical", "I do")? }))?;

    // The API is completed: the UI can be claimed.
    let ui = wait_for(&mut heard, |entry| match entry.event() {
        Some(Event::TaskReady(ready)) => Some(ready.task_id.clone()),
        _ => None,
    })?;
    let task = me.task(Command::ClaimTask(ClaimTask::of(ui.clone())))?;
    assert_eq!(task.status, TaskStatus::InProgress);
    hear(me, &mut heard)?;
    me.call(Command::Send(me.message("technical", "Thanks! Integrating UI now")?))?;
    complete(me, &ui, "a UI on localhost:8401")
}

fn complete(me: &Actor, task_id: &TaskId, result: &str) -> Result<(), Failure> {
    let (task_id, result) = (task_id.clone(), Some(JsonText::string(result)));
    me.task(Command::CompleteTask(CompleteTask { task_id, result, claim_token: None }))?;
    Ok(())
}

/// The next message of somebody else.
fn hear(me: &Actor, heard: &mut Subscription) -> Result<Message, Failure> {
    let said = wait_for(heard, |entry| message(entry).filter(|said| said.from_entity != me.id))?;
    println!("{} hears {}: {}", me.id, said.from_entity, said.content);
    Ok(said)
}
