//! Who takes part.

use super::{
    World, id,
    world::{register, task_id},
};
use crate::{
    JsonText,
    command::{ClaimTask, Command, CreateTask, Register, Remove, Role},
    hub::policy::{self, Standing},
    model::{EntityType, TaskStatus},
};

fn remove(name: &str) -> Command {
    Command::Remove(Remove { entity_id: id(name) })
}

fn described(name: &str, change: impl FnOnce(&mut Register)) -> Command {
    let mut register = Register {
        entity_id: id(name),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: Vec::new(),
        metadata: JsonText::empty_object(),
    };
    change(&mut register);
    Command::Register(register)
}

#[test]
fn registering_and_removing() {
    let mut world = World::new();
    let cases: Vec<(&str, Command, &str)> = vec![
        ("", register("bo", EntityType::AiAgent), "entity_registered"),
        ("bo", register("bo", EntityType::AiAgent), ""),
        ("bo", described("bo", |r| r.name = Some("Bo".into())), "entity_updated"),
        ("bo", described("bo", |r| r.name = Some("Bo".into())), ""),
        ("bo", described("bo", |r| r.capabilities = vec!["sql".into()]), "entity_updated"),
        ("bo", register("bo", EntityType::Human), "type_is_fixed"),
        ("cy", described("bo", |r| r.name = Some("Cy".into())), "not_allowed"),
        ("cy", described("cy", |r| r.name = Some(" ".into())), "invalid_field"),
        ("cy", described("cy", |r| r.name = Some("n".repeat(513))), "invalid_field"),
        ("cy", described("cy", |r| r.capabilities = vec!["c".into(); 65]), "invalid_field"),
        ("cy", described("cy", |r| r.capabilities = vec!["".into()]), "invalid_field"),
        ("cy", described("cy", |r| r.metadata = JsonText::string("x")), "invalid_field"),
        ("cy", described("cy", |r| r.metadata = large_object()), "too_large"),
        ("cy", remove("cy"), "unknown_entity"),
        ("cy", remove("bo"), "not_allowed"),
        ("", remove("bo"), "caller_needed"),
        ("", remove("nobody"), "unknown_entity"),
        ("bo", remove("bo"), "entity_removed"),
        ("bo", remove("bo"), "unknown_entity"),
        ("bo", register("bo", EntityType::Human), "entity_registered"),
    ];
    for (caller, command, expected) in cases {
        let told = format!("{caller:?}: {command:?}");
        let got = match world.ask(caller, command) {
            Ok(kinds) => kinds.join(" "),
            Err(why) => why.code().to_owned(),
        };
        assert_eq!(got, expected, "{told}");
    }
    world.role(Role::Admin).must("root", remove("bo"));
    assert_eq!(policy::standing(&world.state, Some(&id("bo"))), Standing::Unregistered);
}

fn large_object() -> JsonText {
    JsonText::parse(&format!("{{\"m\":\"{}\"}}", "m".repeat(64 * 1024))).expect("JSON")
}

#[test]
fn what_a_removed_entity_held_goes_back() {
    let mut world = World::with_everyone();
    for name in ["t1", "t2", "t3"] {
        let create = CreateTask { task_id: Some(task_id(name)), ..CreateTask::titled(name) };
        world.must("ada", Command::CreateTask(create));
    }
    for name in ["t1", "t2"] {
        world.must("bo", Command::ClaimTask(ClaimTask::of(task_id(name))));
    }
    world.must("cy", Command::ClaimTask(ClaimTask::of(task_id("t3"))));
    assert_eq!(
        world.must("bo", remove("bo")),
        ["task_released", "task_released", "entity_removed"]
    );
    for (name, holder) in [("t1", None), ("t2", None), ("t3", Some(id("cy")))] {
        let task = world.task(name);
        let status = if holder.is_some() { TaskStatus::InProgress } else { TaskStatus::Open };
        assert_eq!((task.status, &task.claimed_by), (status, &holder), "{name}");
    }
    // Whoever claims it next gets a newer token.
    world.must("cy", Command::ClaimTask(ClaimTask::of(task_id("t1"))));
    assert_eq!(world.task("t1").claim_token, 2);
}

#[test]
fn totals_and_cursors_follow_registrations() {
    let mut world = World::with_everyone();
    assert_eq!(world.state.totals().entities, [1, 1, 1, 1]);
    assert_eq!(world.state.cursors(&id("sam")).map(|c| c.all), Some(4), "begins at registration");
    world.must("bo", remove("bo"));
    assert_eq!(world.state.totals().entities_of(EntityType::AiAgent), 0);
    assert_eq!(world.state.cursors(&id("bo")), None);
    world.register("bo", EntityType::Service);
    assert_eq!(world.state.cursors(&id("bo")).map(|c| c.all), Some(6), "new cursors");
    let order: Vec<_> = world.state.entities().map(|(_, e)| e.entity_id.to_string()).collect();
    assert_eq!(order, ["ada", "cy", "sam", "bo"]);
}
