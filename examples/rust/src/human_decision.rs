//! An AI needs the approval of a person, and waits for it. The person is a second thread here.

use std::thread;

use coordhub_core::{
    Hub, HubError, JsonText,
    command::{AnswerTask, Command, CreateTask},
    event::Event,
    hub::Rejection,
    model::{EntityType, Priority, Question},
    subscribe::Subscription,
};
use coordhub_examples::{Actor, Failure, joined, wait_for};

fn main() -> Result<(), Failure> {
    let hub = Hub::in_memory()?;
    let ai = Actor::register(&hub, "marketing-ai", EntityType::AiAgent)?;
    let maria = Actor::register(&hub, "maria", EntityType::Human)?;
    let hears = maria.follow(&["task_created"]);
    thread::scope(|scope| {
        let person = scope.spawn(|| decide(&maria, hears));
        ask(&ai)?;
        joined(person)
    })
}

/// Asks, and waits for the answer.
fn ask(me: &Actor) -> Result<(), Failure> {
    let mut heard = me.follow(&["task_completed"]);
    let options = ["approved", "declined"].map(str::to_owned).to_vec();
    let asked = me.task(Command::CreateTask(CreateTask {
        priority: Priority::High,
        question: Some(Question { options, ..Question::default() }),
        ..CreateTask::titled("Approve $10K marketing spend")
    }))?;

    // An AI cannot approve its own spending.
    let answer = AnswerTask { task_id: asked.task_id.clone(), answer: "approved".to_owned() };
    let own = me.call(Command::AnswerTask(answer));
    assert!(matches!(own, Err(HubError::Rejected(Rejection::RequiresHuman(_)))), "{own:?}");

    let decision = wait_for(&mut heard, |entry| match entry.event() {
        Some(Event::TaskCompleted(done)) if done.task_id == asked.task_id => Some(done.clone()),
        _ => None,
    })?;
    assert_eq!(decision.result, Some(JsonText::string("approved")));
    println!("{} reads: approved by {}", me.id, decision.claimed_by);
    Ok(())
}

/// Looks at what waits for her, and decides.
fn decide(me: &Actor, mut heard: Subscription) -> Result<(), Failure> {
    wait_for(&mut heard, |entry| {
        matches!(entry.event(), Some(Event::TaskCreated(_))).then_some(())
    })?;
    for asked in me.hub.attention(&me.id)?.questions {
        let options = asked.question.map(|question| question.options).unwrap_or_default();
        println!("{} is asked: {} {options:?}", me.id, asked.title);
        let answer = options.into_iter().next().ok_or("nothing to choose from")?;
        me.task(Command::AnswerTask(AnswerTask { task_id: asked.task_id, answer }))?;
    }
    Ok(())
}
