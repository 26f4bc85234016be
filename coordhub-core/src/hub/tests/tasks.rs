//! The life of a task: every action in every status, by everyone it matters who they are.

use super::{World, id, world::task_id};
use crate::{
    JsonText,
    command::{
        ClaimTask, Command, CompleteTask, CreateTask, FailTask, Register, ReleaseTask, UpdateTask,
    },
    limits::Limits,
    model::{EntityType, Priority, TaskStatus},
};

fn create(name: &str, change: impl FnOnce(&mut CreateTask)) -> Command {
    let mut create = CreateTask { task_id: Some(task_id(name)), ..CreateTask::titled(name) };
    change(&mut create);
    Command::CreateTask(create)
}

fn update(name: &str, change: impl FnOnce(&mut UpdateTask)) -> Command {
    let mut update = UpdateTask::of(task_id(name));
    change(&mut update);
    Command::UpdateTask(update)
}

fn complete(name: &str, result: Option<&str>, claim_token: Option<u64>) -> Command {
    let result = result.map(JsonText::string);
    Command::CompleteTask(CompleteTask { task_id: task_id(name), result, claim_token })
}

/// The action on a task that a word stands for.
fn act(word: &str, name: &str) -> Command {
    let task_id = task_id(name);
    match word {
        "claim" => Command::ClaimTask(ClaimTask::of(task_id)),
        "complete" => complete(name, None, None),
        "fail" => Command::FailTask(FailTask { task_id, reason: None, claim_token: None }),
        "release" => Command::ReleaseTask(ReleaseTask { task_id, claim_token: None }),
        "cancel" => Command::CancelTask(task_id),
        "reopen" => Command::ReopenTask(task_id),
        "update" => update(name, |u| u.title = Some("other".into())),
        other => panic!("no action {other}"),
    }
}

/// A task `t` in a status: created by `ada`, held or finished by `bo`.
fn world_with_task(status: TaskStatus) -> World {
    let mut world = World::with_everyone();
    world.must("ada", create("first", |_| {}));
    let blocked = status == TaskStatus::Blocked;
    world.must(
        "ada",
        create("t", |c| {
            if blocked {
                c.depends_on = vec![task_id("first")];
            }
        }),
    );
    let steps: &[(&str, &str)] = match status {
        TaskStatus::Open | TaskStatus::Blocked => &[],
        TaskStatus::InProgress => &[("bo", "claim")],
        TaskStatus::Completed => &[("bo", "claim"), ("bo", "complete")],
        TaskStatus::Failed => &[("bo", "claim"), ("bo", "fail")],
        TaskStatus::Cancelled => &[("ada", "cancel")],
        TaskStatus::Scheduled => panic!("no task is scheduled yet"),
    };
    for (who, word) in steps {
        world.must(who, act(word, "t"));
    }
    assert_eq!(world.task("t").status, status);
    world
}

/// Who does what, and what comes of it in each status.
type Row = (&'static str, &'static str, [(TaskStatus, &'static str); 6]);

#[test]
fn every_action_in_every_status() {
    use TaskStatus::{Blocked, Cancelled, Completed, Failed, InProgress, Open};
    // By `bo`, its holder where it has one; what concerns the creator by `ada`.
    let table: [Row; 7] = [
        (
            "bo",
            "claim",
            [
                (Open, "in_progress"),
                (Blocked, "task_blocked"),
                (InProgress, "already"),
                (Completed, "task_not_open"),
                (Failed, "task_not_open"),
                (Cancelled, "task_not_open"),
            ],
        ),
        (
            "bo",
            "complete",
            [
                (Open, "task_not_claimed"),
                (Blocked, "task_not_claimed"),
                (InProgress, "completed"),
                (Completed, "already"),
                (Failed, "task_not_claimed"),
                (Cancelled, "task_not_claimed"),
            ],
        ),
        (
            "bo",
            "fail",
            [
                (Open, "task_not_claimed"),
                (Blocked, "task_not_claimed"),
                (InProgress, "failed"),
                (Completed, "task_not_claimed"),
                (Failed, "task_not_claimed"),
                (Cancelled, "task_not_claimed"),
            ],
        ),
        (
            "bo",
            "release",
            [
                (Open, "task_not_claimed"),
                (Blocked, "task_not_claimed"),
                (InProgress, "open"),
                (Completed, "task_not_claimed"),
                (Failed, "task_not_claimed"),
                (Cancelled, "task_not_claimed"),
            ],
        ),
        (
            "ada",
            "cancel",
            [
                (Open, "cancelled"),
                (Blocked, "cancelled"),
                (InProgress, "cancelled"),
                (Completed, "task_not_open"),
                (Failed, "task_not_open"),
                (Cancelled, "already"),
            ],
        ),
        (
            "ada",
            "reopen",
            [
                (Open, "task_not_reopenable"),
                (Blocked, "task_not_reopenable"),
                (InProgress, "task_not_reopenable"),
                (Completed, "task_not_reopenable"),
                (Failed, "open"),
                (Cancelled, "open"),
            ],
        ),
        (
            "ada",
            "update",
            [
                (Open, "open"),
                (Blocked, "blocked"),
                (InProgress, "in_progress"),
                (Completed, "task_not_open"),
                (Failed, "task_not_open"),
                (Cancelled, "task_not_open"),
            ],
        ),
    ];
    for (who, word, cases) in table {
        for (from, expected) in cases {
            let mut world = world_with_task(from);
            let got = match world.ask(who, act(word, "t")) {
                Err(why) => why.code(),
                Ok(kinds) if kinds.is_empty() => "already",
                Ok(_) => world.task("t").status.as_str(),
            };
            assert_eq!(got, expected, "{word} when {from}");
            if world.task("t").status == from {
                continue;
            }
            assert!(!["already", "task_not_open"].contains(&got), "{word} when {from} changed it");
        }
    }
}

#[test]
fn who_may_do_what() {
    use TaskStatus::{Cancelled, Completed, InProgress, Open};
    let cases = [
        // Only its holder ends a claim, though nobody need be named.
        (InProgress, "cy", "complete", "not_holder"),
        (InProgress, "ada", "complete", "not_holder"),
        (InProgress, "", "complete", "ok"),
        (InProgress, "cy", "fail", "not_holder"),
        (InProgress, "", "fail", "ok"),
        (InProgress, "cy", "release", "not_holder"),
        (InProgress, "", "release", "ok"),
        (Completed, "cy", "complete", "not_holder"),
        (Completed, "", "complete", "ok"),
        (InProgress, "cy", "claim", "task_already_claimed"),
        (InProgress, "stranger", "claim", "task_already_claimed"),
        (Open, "", "claim", "caller_needed"),
        (Open, "stranger", "claim", "ok"),
        // Its creator, a human, and for updates its holder.
        (Open, "bo", "cancel", "not_allowed"),
        (InProgress, "bo", "cancel", "not_allowed"),
        (Open, "stranger", "cancel", "not_allowed"),
        (Open, "", "cancel", "caller_needed"),
        (Cancelled, "bo", "reopen", "not_allowed"),
        (Cancelled, "", "reopen", "caller_needed"),
        (Open, "bo", "update", "not_allowed"),
        (InProgress, "bo", "update", "ok"),
        (InProgress, "cy", "update", "not_allowed"),
        (Open, "", "update", "caller_needed"),
        // What may not be done is said before what cannot be done.
        (Completed, "bo", "cancel", "not_allowed"),
        (Completed, "", "claim", "caller_needed"),
    ];
    for (status, who, word, expected) in cases {
        let mut world = world_with_task(status);
        assert_eq!(world.code(who, act(word, "t")), expected, "{who:?} {word} when {status}");
    }
    for word in ["claim", "complete", "fail", "release", "cancel", "reopen", "update"] {
        let mut world = World::with_everyone();
        let got = world.code("", act(word, "no-such-task"));
        assert_eq!(got, "unknown_task", "{word}: whether it is there is said first");
    }
}

#[test]
fn a_task_that_nobody_created_is_everybodys_to_end() {
    let mut world = World::with_everyone();
    world.must("", create("t", |_| {}));
    assert_eq!(world.task("t").created_by, None);
    world.must("stranger", act("update", "t"));
    world.must("stranger", act("cancel", "t"));
    world.must("bo", act("reopen", "t"));
    // A human may act for every creator.
    world.must("bo", create("of-bo", |_| {}));
    world.must("ada", act("cancel", "of-bo"));
}

#[test]
fn claims_are_fenced() {
    let mut world = world_with_task(TaskStatus::Open);
    let shown = |token| complete("t", None, Some(token));
    world.must("bo", act("claim", "t"));
    assert_eq!(world.task("t").claim_token, 1);
    assert!(world.must("bo", act("claim", "t")).is_empty(), "the same claim");
    world.must("bo", act("release", "t"));
    world.must("cy", act("claim", "t"));
    assert_eq!(world.task("t").claim_token, 2);
    assert_eq!(world.code("", shown(1)), "stale_claim");
    assert_eq!(world.code("bo", shown(2)), "not_holder");
    let fail = FailTask { task_id: task_id("t"), reason: Some("no".into()), claim_token: Some(1) };
    assert_eq!(world.code("cy", Command::FailTask(fail)), "stale_claim");
    let release = ReleaseTask { task_id: task_id("t"), claim_token: Some(9) };
    assert_eq!(world.code("cy", Command::ReleaseTask(release)), "stale_claim");
    assert_eq!(world.task("t").attempts, 0, "giving back counts no attempt");
    world.must("cy", act("fail", "t"));
    assert_eq!(world.task("t").attempts, 1);
    world.must("ada", act("reopen", "t"));
    let reopened = world.task("t");
    assert_eq!((reopened.status, &reopened.claimed_by), (TaskStatus::Open, &None));
    world.must("bo", act("claim", "t"));
    assert_eq!(world.task("t").claim_token, 3, "tokens grow across the end of a task");
    world.must("", shown(3));
}

#[test]
fn a_result_is_given_once() {
    let mut world = world_with_task(TaskStatus::InProgress);
    world.later(5);
    let large = "r".repeat(256 * 1024 + 1);
    assert_eq!(world.code("bo", complete("t", Some(&large), None)), "too_large");
    world.must("bo", complete("t", Some("done"), None));
    let task = world.task("t");
    assert_eq!(task.result, Some(JsonText::string("done")));
    assert_eq!((task.completed_at, task.updated_at), (Some(world.now), world.now));
    assert_eq!(task.claimed_by, Some(id("bo")), "who did it stays");
    world.later(5);
    assert!(world.must("bo", complete("t", Some("done"), None)).is_empty());
    assert_eq!(world.code("bo", complete("t", Some("else"), None)), "already_completed");
    assert_eq!(world.code("bo", complete("t", None, None)), "already_completed");
    let reason = Some("r".repeat(256 * 1024 + 1));
    let fail = FailTask { task_id: task_id("t"), reason, claim_token: None };
    assert_eq!(world.code("bo", Command::FailTask(fail)), "too_large");
}

#[test]
fn who_is_able() {
    let cases = [
        // requires_human, requires_ai, who, outcome
        (true, false, "ada", "ok"),
        (true, false, "bo", "requires_human"),
        (true, false, "sam", "requires_human"),
        (true, false, "stranger", "requires_human"),
        (false, true, "ada", "requires_ai"),
        (false, true, "bo", "ok"),
        (false, true, "cy", "ok"),
        (false, true, "sam", "requires_ai"),
        (false, true, "stranger", "ok"),
        // The old create script always sets requires_ai.
        (true, true, "ada", "ok"),
        (true, true, "bo", "requires_human"),
    ];
    for (requires_human, requires_ai, who, expected) in cases {
        let mut world = World::with_everyone();
        world.must(
            "ada",
            create("t", |c| (c.requires_human, c.requires_ai) = (requires_human, requires_ai)),
        );
        let told = format!("{who}: human {requires_human}, AI {requires_ai}");
        assert_eq!(world.code(who, act("claim", "t")), expected, "{told}");
    }
    let mut world = World::with_everyone();
    let skilled = Register {
        entity_id: id("di"),
        entity_type: EntityType::AiAgent,
        name: None,
        capabilities: vec!["rust".into(), "sql".into()],
        metadata: JsonText::empty_object(),
    };
    world.must("di", Command::Register(skilled));
    world.must("ada", create("t", |c| c.capabilities = vec!["sql".into(), "rust".into()]));
    for (who, expected) in [
        ("bo", "missing_capabilities"),
        ("stranger", "missing_capabilities"),
        ("di", "ok"),
        ("bo", "missing_capabilities"),
    ] {
        assert_eq!(world.code(who, act("claim", "t")), expected, "{who}");
    }
}

#[test]
fn what_cannot_be_created() {
    let limits = Limits { depends_on_max: 2, ..Limits::default() };
    let mut world = World::with_limits(limits);
    world.must("", create("a", |_| {}));
    let large = JsonText::parse(&format!("{{\"m\":\"{}\"}}", "m".repeat(65_536))).expect("JSON");
    let depends = |ids: &[&str]| {
        let ids: Vec<_> = ids.iter().map(|id| task_id(id)).collect();
        create("t", |c| c.depends_on = ids)
    };
    for (command, expected) in [
        (create("a", |_| {}), "task_exists"),
        (create("t", |c| c.title = " ".into()), "invalid_field"),
        (create("t", |c| c.title = "ü".repeat(513)), "invalid_field"),
        (create("t", |c| c.description = "d".repeat(262_145)), "too_large"),
        (create("t", |c| c.tags = vec!["x".into(); 65]), "invalid_field"),
        (create("t", |c| c.tags = vec!["x".repeat(129)]), "invalid_field"),
        (create("t", |c| c.capabilities = vec![" ".into()]), "invalid_field"),
        (create("t", |c| c.metadata = JsonText::string("text")), "invalid_field"),
        (create("t", |c| c.metadata = large), "too_large"),
        (depends(&["b"]), "invalid_field"),
        (depends(&["t"]), "invalid_field"),
        (depends(&["a", "a", "a"]), "invalid_field"),
        (depends(&["a", "a"]), "ok"),
        (create("u", |c| c.title = "ü".repeat(512)), "ok"),
    ] {
        let told: String = format!("{command:?}").chars().take(200).collect();
        assert_eq!(world.code("", command), expected, "{told}");
    }
    assert_eq!(world.task("t").depends_on, [task_id("a")], "named twice is once");
}

#[test]
fn updates_change_what_they_name() {
    let mut world = world_with_task(TaskStatus::Open);
    world.later(1);
    let same = update("t", |u| (u.title, u.priority) = (Some("t".into()), Some(Priority::Normal)));
    assert!(world.must("ada", same).is_empty(), "nothing new is no event");
    for (command, expected) in [
        (update("t", |u| u.title = Some(String::new())), "invalid_field"),
        (update("t", |u| u.description = Some("d".repeat(262_145))), "too_large"),
        (update("t", |u| u.tags = Some(vec![String::new()])), "invalid_field"),
        (update("t", |u| u.metadata = Some(JsonText::string("x"))), "invalid_field"),
        (update("t", |u| u.priority = Some(Priority::Urgent)), "ok"),
        (update("t", |u| u.tags = Some(vec!["a".into()])), "ok"),
        (update("t", |u| u.metadata = Some(JsonText::parse("{\"a\":1}").expect("JSON"))), "ok"),
        (update("t", |u| u.description = Some("more".into())), "ok"),
    ] {
        assert_eq!(world.code("ada", command), expected);
    }
    let task = world.task("t");
    assert_eq!((task.title.as_str(), task.description.as_str()), ("t", "more"));
    assert_eq!((task.priority, &task.tags), (Priority::Urgent, &vec!["a".to_owned()]));
    assert_eq!((task.metadata.as_str(), task.updated_at), ("{\"a\":1}", world.now));
    // A field that is wrong is said before who may change it.
    assert_eq!(world.code("bo", update("t", |u| u.title = Some(String::new()))), "invalid_field");
}

#[test]
fn the_last_dependency_opens() {
    let mut world = World::with_everyone();
    world.must("ada", create("a", |_| {}));
    world.must("ada", create("b", |_| {}));
    world.must("ada", create("c", |c| c.depends_on = vec![task_id("a"), task_id("b")]));
    world.must("ada", create("d", |c| c.depends_on = vec![task_id("c")]));
    let status = |world: &World, name: &str| world.task(name).status.as_str();
    world.must("bo", act("claim", "a"));
    assert_eq!(world.must("bo", act("complete", "a")), ["task_completed"]);
    assert_eq!(
        (status(&world, "c"), &world.task("c").blocked_by),
        ("blocked", &vec![task_id("b")])
    );
    world.must("bo", act("claim", "b"));
    assert_eq!(world.must("bo", act("complete", "b")), ["task_completed", "task_ready"]);
    assert_eq!((status(&world, "c"), status(&world, "d")), ("open", "blocked"));
    // A blocker that fails or is withdrawn holds what waits for it.
    world.must("bo", act("claim", "c"));
    world.must("bo", act("fail", "c"));
    assert_eq!(status(&world, "d"), "blocked");
    world.must("ada", act("reopen", "c"));
    world.must("ada", act("cancel", "c"));
    assert_eq!(status(&world, "d"), "blocked");
    // What is reopened waits for what is not completed, and for that alone.
    world.must("ada", act("cancel", "d"));
    world.must("ada", act("reopen", "d"));
    assert_eq!(
        (status(&world, "d"), &world.task("d").blocked_by),
        ("blocked", &vec![task_id("c")])
    );
    world.must("ada", act("cancel", "d"));
    world.must("ada", act("reopen", "c"));
    world.must("cy", act("claim", "c"));
    assert_eq!(
        world.must("cy", act("complete", "c")),
        ["task_completed"],
        "withdrawn is not woken"
    );
    world.must("ada", act("reopen", "d"));
    assert_eq!(status(&world, "d"), "open");
    // A dependency that is completed already is none.
    world.must("ada", create("e", |c| c.depends_on = vec![task_id("a"), task_id("c")]));
    assert_eq!(status(&world, "e"), "open");
}

#[test]
fn ids_are_made_where_none_is_chosen() {
    let mut world = World::new();
    for _ in 0..2 {
        world.must("", Command::CreateTask(CreateTask::titled("t")));
    }
    let ids: Vec<_> = world.state.tasks().map(|task| task.task_id.to_string()).collect();
    assert!(ids.iter().all(|id| id.starts_with("task-")) && ids[0] < ids[1], "{ids:?}");
    assert_eq!(world.state.active_tasks(), 2);
}
