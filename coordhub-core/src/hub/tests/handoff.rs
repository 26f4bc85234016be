//! Handoffs: what an entity holds goes to another, or back, with one message that says so.

use super::{World, id, world::task_id};
use crate::{
    command::{AcquireReservation, ClaimTask, Command, CreateTask, HandOff, Role},
    event::{Event, ReleaseReason, ReservationEnd},
    hub::{Answer, Decision, HandedOver},
    model::{Message, TaskStatus},
    resource::Resource,
};

fn hand_off(giver: &str, to: &str, note: &str) -> Command {
    Command::HandOff(HandOff {
        entity_id: id(giver),
        to: (!to.is_empty()).then(|| id(to)),
        note: note.to_owned(),
    })
}

fn acquire(text: &str) -> Command {
    let resource = Resource::parse(text).expect("a resource");
    Command::AcquireReservation(AcquireReservation {
        ttl_seconds: Some(100),
        ..AcquireReservation::of(vec![resource])
    })
}

/// `bo` holds `plain` without a lease, `leased` with one, and `special`, which nobody else can do; it
/// has reserved `src/**`.
fn busy() -> World {
    let mut world = World::with_everyone();
    for name in ["plain", "leased", "special"] {
        let create = CreateTask { task_id: Some(task_id(name)), ..CreateTask::titled(name) };
        world.must("ada", Command::CreateTask(create));
        let lease_seconds = (name == "leased").then_some(30);
        let claim = ClaimTask { lease_seconds, ..ClaimTask::of(task_id(name)) };
        world.must("bo", Command::ClaimTask(claim));
    }
    world.must("bo", acquire("src/**"));
    world.later(10);
    world
}

fn handed(decision: &Decision) -> &HandedOver {
    match &decision.answer {
        Answer::HandedOver(handed) => handed,
        other => panic!("nothing handed over but {other:?}"),
    }
}

fn message(decision: &Decision) -> &Message {
    match decision.events.last() {
        Some(Event::MessageSent(message)) => message,
        other => panic!("no message at the end but {other:?}"),
    }
}

#[test]
fn to_another_goes_what_it_can_take() {
    let mut world = World::with_everyone();
    let human = CreateTask {
        task_id: Some(task_id("human")),
        requires_human: true,
        ..CreateTask::titled("human")
    };
    world.must("ada", Command::CreateTask(human));
    let plain = CreateTask { task_id: Some(task_id("plain")), ..CreateTask::titled("plain") };
    world.must("ada", Command::CreateTask(plain));
    world.must("ada", Command::ClaimTask(ClaimTask::of(task_id("human"))));
    world.must("ada", Command::ClaimTask(ClaimTask::of(task_id("plain"))));
    let decision = world.decide("ada", hand_off("ada", "bo", "off home")).expect("granted");
    let handed = handed(&decision);
    assert_eq!(handed.returned, [task_id("human")]);
    assert_eq!(handed.tasks.len(), 1);
    assert_eq!(handed.tasks[0].task_id, task_id("plain"));
    assert_eq!(world.task("human").status, TaskStatus::Open);
    assert_eq!(world.task("plain").claimed_by, Some(id("bo")));
    let content = &message(&decision).content;
    let line = "Handed over: 1 task to bo (plain); 1 task back to the pool (human).";
    assert_eq!(*content, format!("off home\n\n{line}"));
}

#[test]
fn claims_and_reservations_begin_anew_with_whoever_gets_them() {
    let mut world = busy();
    let before = world.state.reservations().of(&id("bo")).next().expect("one").clone();
    let decision = world.decide("bo", hand_off("bo", "cy", "see notes")).expect("granted");
    let kinds: Vec<_> = decision.events.iter().map(Event::kind).collect();
    let expected = [
        "task_released",
        "task_claimed",
        "task_released",
        "task_claimed",
        "task_released",
        "task_claimed",
        "reservation_released",
        "reservation_acquired",
        "message_sent",
    ];
    assert_eq!(kinds, expected);
    for event in &decision.events {
        match event {
            Event::TaskReleased(e) => assert_eq!(e.reason, ReleaseReason::HandedOver),
            Event::ReservationReleased(e) => assert_eq!(e.reason, ReservationEnd::HandedOver),
            _ => {}
        }
    }
    let handed = handed(&decision);
    let tokens: Vec<_> =
        handed.tasks.iter().map(|one| (one.task_id.as_str(), one.claim_token)).collect();
    assert_eq!(tokens, [("leased", 2), ("plain", 2), ("special", 2)]);
    assert!(handed.tasks.iter().all(|one| one.claimed_by == id("cy")));
    let leased = world.task("leased");
    assert_eq!(leased.lease_expires_at, Some(world.now.plus_millis(30_000)));
    assert_eq!((leased.attempts, world.task("plain").lease_expires_at), (0, None));
    let after = world.state.reservations().of(&id("cy")).next().expect("one").clone();
    assert_eq!(handed.reservations, std::slice::from_ref(&before.reservation_id));
    assert_eq!(after.reservation_id, before.reservation_id);
    assert_eq!(after.expires_at, world.now.plus_millis(100_000));
    assert_eq!(after.acquired_at, world.now);
    assert_eq!(world.state.reservations().count_of(&id("bo")), 0);
    let message = message(&decision);
    assert_eq!(message.message_id, handed.message_id);
    assert_eq!(
        (message.from_entity.clone(), message.to_entity.clone()),
        (id("bo"), Some(id("cy")))
    );
    assert_eq!(message.channel, None);
    assert!(message.content.starts_with("see notes\n\nHanded over: 3 tasks to cy (leased, plain"));
    let metadata: serde_json::Value =
        serde_json::from_str(message.metadata.as_str()).expect("JSON");
    let facts = &metadata["hub"]["handoff"];
    assert_eq!(facts["tasks"][0], serde_json::json!({"task_id": "leased", "claim_token": 2}));
    assert_eq!(facts["reservations"][0], before.reservation_id.as_str());
}

#[test]
fn without_a_name_everything_goes_back() {
    let mut world = busy();
    let decision = world.decide("bo", hand_off("bo", "", "enough for today")).expect("granted");
    let handed = handed(&decision);
    assert!(handed.tasks.is_empty());
    assert_eq!(handed.returned, ["leased", "plain", "special"].map(task_id));
    assert_eq!(handed.reservations.len(), 1);
    assert!(world.state.reservations().is_empty());
    assert!(world.state.tasks().all(|task| task.status == TaskStatus::Open));
    let message = message(&decision);
    assert_eq!(message.channel.as_ref().map(|name| name.as_str()), Some("general"));
    assert_eq!(message.to_entity, None);
    // Who holds nothing may still say that it goes.
    let again = world.decide("bo", hand_off("bo", "cy", "once more")).expect("granted");
    let kinds: Vec<_> = again.events.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["message_sent"]);
}

#[test]
fn who_may_hand_over_what_to_whom() {
    for (who, command, expected) in [
        ("bo", hand_off("bo", "nobody", "x"), "unknown_entity"),
        ("bo", hand_off("nobody", "", "x"), "unknown_entity"),
        ("bo", hand_off("bo", "bo", "x"), "invalid_field"),
        ("bo", hand_off("bo", "", " "), "invalid_field"),
        ("bo", hand_off("bo", "", &"x".repeat(256 * 1024 + 1)), "too_large"),
        ("cy", hand_off("bo", "cy", "x"), "not_allowed"),
        ("sam", hand_off("bo", "", "x"), "not_allowed"),
        ("", hand_off("bo", "", "x"), "caller_needed"),
        ("ada", hand_off("bo", "cy", "x"), "ok"),
        ("bo", hand_off("bo", "cy", "x"), "ok"),
    ] {
        let mut world = busy();
        assert_eq!(world.code(who, command.clone()), expected, "{who} {command:?}");
    }
    let mut world = busy();
    assert_eq!(world.role(Role::Admin).code("sam", hand_off("bo", "", "x")), "ok");
}

#[test]
fn a_human_hands_over_for_another_who_may_never_have_registered() {
    let mut world = World::with_everyone();
    world.must("stranger", acquire("src/**"));
    let decision = world.decide("ada", hand_off("stranger", "cy", "it is gone")).expect("granted");
    let message = message(&decision);
    assert_eq!(message.from_entity, id("stranger"));
    assert!(message.content.ends_with("Done by ada."), "{}", message.content);
    assert_eq!(world.state.reservations().count_of(&id("cy")), 1);
}
