//! Roll-calls and redaction.

use super::{World, id};
use crate::{
    JsonText,
    command::{Ack, Command, CreateTask, Destination, Key, Remove, Role, Send},
    event::Event,
    hub::{Answer, Decision},
    ids::{ChannelName, MessageId},
    model::{EntityType, Message},
};
use std::sync::Arc;

fn send(from: &str, to: Destination, change: impl FnOnce(&mut Send)) -> Command {
    let mut send = Send {
        from_entity: id(from),
        to: Some(to),
        content: "hello".into(),
        message_type: None,
        metadata: JsonText::empty_object(),
        reply_to: None,
        ack: Ack::Asked,
        task: None,
    };
    change(&mut send);
    Command::Send(send)
}

fn on(name: &str) -> Destination {
    Destination::Channel(ChannelName::parse(name).expect("a channel"))
}

fn ack(id: &MessageId) -> Command {
    Command::AckMessage(id.clone())
}

fn asked(decision: &Decision) -> Vec<String> {
    let opened = decision.events.iter().find_map(|event| match event {
        Event::RollCallOpened(opened) => Some(&opened.recipients),
        _ => None,
    });
    opened.expect("a roll-call").iter().map(ToString::to_string).collect()
}

fn sent(decision: &Decision) -> Arc<Message> {
    let Some(Event::MessageSent(message)) = decision.events.first() else { panic!("{decision:?}") };
    message.clone()
}

#[test]
fn recipients_are_frozen_at_the_send() {
    let mut world = World::with_everyone();
    for (to, expected) in [
        (on("general"), &["ada", "cy", "sam"][..]),
        (on("ai-only"), &["cy", "sam"]),
        (Destination::Entity(id("ada")), &["ada"]),
    ] {
        let decision = world.decide("bo", send("bo", to, |_| {})).expect("is sent");
        assert!(sent(&decision).ack_required);
        assert_eq!(asked(&decision), expected);
    }
    let decision = world.decide("bo", send("bo", on("general"), |_| {})).expect("is sent");
    let message = sent(&decision).message_id.clone();
    world.register("late", EntityType::AiAgent);
    assert_eq!(world.code("late", ack(&message)), "ack_not_asked");
    assert_eq!(world.state.acks_owed(&id("late")).count(), 0);
}

#[test]
fn who_was_asked_acknowledges_once() {
    let mut world = World::with_everyone();
    let message = world.message("bo", send("bo", on("general"), |_| {})).message_id.clone();
    assert_eq!(world.code("", ack(&message)), "caller_needed");
    assert_eq!(world.code("bo", ack(&message)), "ack_not_asked");
    assert_eq!(world.must("ada", ack(&message)), ["message_acked"]);
    let again = world.decide("ada", ack(&message)).expect("is acked");
    assert!(again.events.is_empty());
    assert_eq!(again.answer, Answer::Message { message_id: message.clone(), already: true });
    assert_eq!(world.state.roll_call(&message).expect("open").missing().count(), 2);
    // When all have, and it is no emergency, there is nothing left to do.
    world.must("cy", ack(&message));
    world.must("sam", ack(&message));
    assert!(world.state.roll_call(&message).is_none());
    assert!(world.must("sam", ack(&message)).is_empty());
}

#[test]
fn a_direct_message_can_be_acknowledged_unasked() {
    let mut world = World::with_everyone();
    let to_ada = send("bo", Destination::Entity(id("ada")), |s| s.ack = Ack::NotAsked);
    let message = world.message("bo", to_ada).message_id.clone();
    assert_eq!(world.code("cy", ack(&message)), "unknown_message");
    assert_eq!(world.code("bo", ack(&message)), "ack_not_asked");
    assert_eq!(world.must("ada", ack(&message)), ["message_acked"]);
    assert!(world.must("ada", ack(&message)).is_empty());
    let plain = send("bo", on("general"), |s| s.ack = Ack::NotAsked);
    let plain = world.message("bo", plain).message_id.clone();
    assert_eq!(world.code("ada", ack(&plain)), "ack_not_asked");
    assert_eq!(world.code("ada", Command::ResolveRollCall(plain)), "no_roll_call");
}

#[test]
fn a_deadline_that_passes_is_told_once() {
    let mut world = World::with_everyone();
    let at = world.now.plus_millis(60_000);
    let asking = send("bo", on("general"), |s| s.ack = Ack::AskedUntil(at));
    let message = world.message("bo", asking).message_id.clone();
    world.must("ada", ack(&message));
    world.later(60);
    let decision = world.decide("", Command::Tick).expect("ticks");
    let [Event::RollCallOverdue(overdue)] = &decision.events[..] else { panic!("{decision:?}") };
    assert_eq!((&overdue.missing[..], overdue.asked), (&[id("cy"), id("sam")][..], 3));
    world.later(600);
    assert!(world.tick().is_empty());
    world.must("cy", ack(&message));
    let past = send("bo", on("general"), |s| s.ack = Ack::AskedUntil(at));
    assert_eq!(world.code("bo", past), "invalid_field");
}

#[test]
fn nobody_is_missed_where_everybody_has_answered() {
    let mut world = World::with_everyone();
    let at = world.now.plus_millis(60_000);
    let asking = send("bo", on("urgent"), |s| s.ack = Ack::AskedUntil(at));
    let message = world.message("bo", asking).message_id.clone();
    for name in ["ada", "cy", "sam"] {
        world.must(name, ack(&message));
    }
    world.later(60);
    assert!(world.tick().is_empty());
    assert!(world.state.roll_call(&message).expect("still open").is_open());
}

#[test]
fn an_emergency_is_open_until_somebody_resolves_it() {
    let mut world = World::with_everyone();
    let message = world.message("bo", send("bo", on("urgent"), |_| {})).message_id.clone();
    for name in ["ada", "cy", "sam"] {
        world.must(name, ack(&message));
    }
    assert!(world.state.roll_call(&message).expect("still open").is_open());
    let resolve = || Command::ResolveRollCall(message.clone());
    assert_eq!(world.code("cy", resolve()), "not_allowed");
    assert_eq!(world.code("", resolve()), "caller_needed");
    assert_eq!(world.must("ada", resolve()), ["roll_call_resolved"]);
    assert!(world.state.roll_call(&message).is_none());
    assert!(world.must("bo", resolve()).is_empty(), "its sender may, too, and it is done");
    let other = world.message("bo", send("bo", on("urgent"), |_| {})).message_id.clone();
    world.must("bo", Command::ResolveRollCall(other.clone()));
    // A late answer still counts.
    assert_eq!(world.must("cy", ack(&other)), ["message_acked"]);
    let third = world.message("bo", send("bo", on("urgent"), |_| {})).message_id.clone();
    world.role(Role::Admin).must("cy", Command::ResolveRollCall(third));
}

#[test]
fn an_entity_that_is_removed_owes_nothing_that_anybody_waits_for() {
    let mut world = World::with_everyone();
    let to_cy = send("bo", Destination::Entity(id("cy")), |_| {});
    let message = world.message("bo", to_cy).message_id.clone();
    world.must("cy", Command::Remove(Remove { entity_id: id("cy") }));
    world.must("bo", Command::ResolveRollCall(message));
}

#[test]
fn a_task_comes_with_a_message_or_not_at_all() {
    let mut world = World::with_everyone();
    let named = || {
        let task_id = Some(crate::ids::TaskId::parse("fix").expect("an id"));
        Some(Box::new(CreateTask { task_id, ..CreateTask::titled("fix it") }))
    };
    let emergency = || send("bo", on("urgent"), |s| s.task = named());
    let decision = world.decide("bo", emergency()).expect("is sent");
    let kinds: Vec<_> = decision.events.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["message_sent", "roll_call_opened", "task_created"]);
    let message = sent(&decision);
    assert_eq!(message.metadata.field("hub"), Some(r#"{"task_id":"fix"}"#));
    let Answer::Sent(told) = &decision.answer else { panic!("{decision:?}") };
    assert_eq!(told[0].task_id.as_ref().map(ToString::to_string).as_deref(), Some("fix"));
    let head = world.state.head();
    assert_eq!(world.code("bo", emergency()), "task_exists");
    assert_eq!(world.state.head(), head, "no message without its task");
}

#[test]
fn a_batch_of_messages_is_all_or_none() {
    let mut world = World::with_everyone();
    let one = |from: &str, content: &str| Send {
        content: content.to_owned(),
        ..Send::on_channel(id(from), ChannelName::parse("general").expect("a channel"), "")
    };
    let decision = world
        .decide("bo", Command::SendBatch(vec![one("bo", "a"), one("bo", "b"), one("bo", "c")]))
        .expect("is sent");
    let seqs: Vec<_> = decision
        .events
        .iter()
        .map(|event| match event {
            Event::MessageSent(message) => (message.seq, message.content.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    let first = seqs[0].0;
    assert_eq!(seqs, [(first, "a".into()), (first + 1, "b".into()), (first + 2, "c".into())]);
    let head = world.state.head();
    let foreign = Command::SendBatch(vec![one("bo", "a"), one("ada", "b")]);
    assert_eq!(world.code("bo", foreign), "not_allowed");
    let long = "x".repeat(256 * 1024 + 1);
    let long = Command::SendBatch(vec![one("bo", "a"), one("bo", &long)]);
    assert_eq!(world.code("bo", long), "too_large");
    assert_eq!(world.state.head(), head);
}

#[test]
fn what_a_message_says_is_removed_by_its_sender_or_a_human() {
    let mut world = World::with_everyone();
    let message = world.message("bo", send("bo", on("general"), |_| {})).message_id.clone();
    let redact = |id: &MessageId| Command::RedactMessage(id.clone());
    assert_eq!(world.code("cy", redact(&message)), "not_allowed");
    assert_eq!(world.code("", redact(&message)), "caller_needed");
    let decision = world.decide("bo", redact(&message)).expect("is redacted");
    let [Event::MessageRedacted(redacted)] = &decision.events[..] else { panic!("{decision:?}") };
    let hub = redacted.metadata.field("hub").expect("says so");
    assert!(hub.contains(r#""redacted_by":"bo""#), "{hub}");
    assert!(world.must("ada", redact(&message)).is_empty());
    let hidden = world.message("bo", send("bo", on("ai-only"), |_| {})).message_id.clone();
    assert_eq!(world.code("ada", redact(&hidden)), "unknown_message");
    let secret = world.message("bo", send("bo", Destination::Entity(id("cy")), |_| {}));
    assert_eq!(world.code("ada", redact(&secret.message_id)), "unknown_message");
    let other = world.message("bo", send("bo", on("general"), |_| {})).message_id.clone();
    world.must("ada", redact(&other));
}

fn key(text: &str, fingerprint: u64) -> Option<Key> {
    Some(Key { route: "messages.send".into(), key: text.into(), fingerprint })
}

#[test]
fn a_key_makes_a_change_happen_once() {
    let mut world = World::with_everyone();
    let hello = || send("bo", on("general"), |s| s.ack = Ack::NotAsked);
    let first = world.decide_under("bo", hello(), key("k", 1)).expect("is sent");
    assert_eq!(first.again, None);
    let head = world.state.head();
    let again = world.decide_under("bo", hello(), key("k", 1)).expect("is answered");
    assert_eq!((again.again, &again.answer), (Some(head), &first.answer));
    assert!(again.events.is_empty());
    let reused = world.decide_under("bo", hello(), key("k", 2)).expect_err("other arguments");
    assert_eq!(reused.code(), "idempotency_key_reused");
    // Another caller's key, and another route's, are others.
    let hi = |from: &str| send(from, on("general"), |s| s.ack = Ack::NotAsked);
    assert_eq!(world.decide_under("cy", hi("cy"), key("k", 9)).expect("is sent").again, None);
    let other_route = Some(Key { route: "other".into(), key: "k".into(), fingerprint: 3 });
    assert_eq!(world.decide_under("bo", hello(), other_route).expect("is sent").again, None);
    assert_eq!(
        world.decide_under("", hello(), key("k", 1)).expect_err("nobody's").code(),
        "invalid_field"
    );
    // After a day it is forgotten.
    world.later(24 * 3_600 - 1);
    assert!(world.decide_under("bo", hello(), key("k", 1)).expect("is kept").again.is_some());
    world.later(1);
    assert_eq!(world.decide_under("bo", hello(), key("k", 5)).expect("is sent").again, None);
}

#[test]
fn refusals_are_not_kept_and_what_changes_nothing_is() {
    let mut world = World::with_everyone();
    let message = world.message("bo", send("bo", on("urgent"), |_| {})).message_id.clone();
    let resolve = || Command::ResolveRollCall(message.clone());
    let refused = world.decide_under("cy", resolve(), key("r", 1)).expect_err("not its own");
    assert_eq!(refused.code(), "not_allowed");
    world.must("ada", resolve());
    let nothing = world.decide_under("bo", resolve(), key("r", 1)).expect("is resolved");
    assert_eq!(nothing.events.iter().map(Event::kind).collect::<Vec<_>>(), ["key_kept"]);
    let again = world.decide_under("bo", resolve(), key("r", 1)).expect("is answered");
    assert!(again.again.is_some() && again.events.is_empty());
}
