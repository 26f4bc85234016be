//! What comes next for whom, and when a task can be claimed at all.

use super::{World, id, world::task_id};
use crate::{
    JsonText,
    command::{
        AnswerTask, ClaimNext, ClaimTask, Command, CompleteTask, CreateTask, FailTask, Register,
    },
    event::Event,
    hub::Answer,
    model::{EntityType, OnBlockerFailed, Priority, Question, TaskStatus},
};

fn create(name: &str, change: impl FnOnce(&mut CreateTask)) -> Command {
    let mut create = CreateTask { task_id: Some(task_id(name)), ..CreateTask::titled(name) };
    change(&mut create);
    Command::CreateTask(create)
}

/// The task that `who` gets, `none` where there is none.
fn next(world: &mut World, who: &str, change: impl FnOnce(&mut ClaimNext)) -> String {
    let mut next = ClaimNext::default();
    change(&mut next);
    match world.decide(who, Command::ClaimNext(next)).expect("is judged").answer {
        Answer::Claimed { task_id, lease_expires_at, .. } => {
            assert!(lease_expires_at.is_some(), "it is always leased");
            task_id.to_string()
        }
        Answer::NoTask => "none".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn capable(world: &mut World, name: &str, capabilities: &[&str]) {
    world.must(
        name,
        Command::Register(Register {
            entity_id: id(name),
            entity_type: EntityType::AiAgent,
            name: None,
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            metadata: JsonText::empty_object(),
        }),
    );
}

#[test]
fn urgent_first_then_the_oldest_with_ageing() {
    let mut world = World::with_everyone();
    // In order of creation, with seconds between.
    for (name, priority, wait) in [
        ("low-old", Priority::Low, 3_600),
        ("normal-1", Priority::Normal, 1_000),
        ("high-late", Priority::High, 60),
        ("normal-2", Priority::Normal, 60),
        ("high-1", Priority::High, 60),
        ("urgent-1", Priority::Urgent, 60),
        ("low-new", Priority::Low, 60),
        ("urgent-2", Priority::Urgent, 60),
    ] {
        world.must("ada", create(name, |c| c.priority = priority));
        world.later(wait);
    }
    let order: Vec<String> = (0..8).map(|_| next(&mut world, "bo", |_| {})).collect();
    // `high` counts as 15 minutes older, `low` as four hours younger than it is.
    assert_eq!(
        order,
        [
            "urgent-1",
            "urgent-2",
            "normal-1",
            "high-late",
            "high-1",
            "normal-2",
            "low-old",
            "low-new"
        ]
    );
    assert_eq!(next(&mut world, "bo", |_| {}), "none");
}

#[test]
fn a_low_task_is_not_starved_for_ever() {
    let mut world = World::with_everyone();
    world.must("ada", create("low", |c| c.priority = Priority::Low));
    world.later(4 * 3_600 + 1);
    world.must("ada", create("normal", |_| {}));
    assert_eq!(next(&mut world, "bo", |_| {}), "low");
}

#[test]
fn only_what_one_can_do_is_offered() {
    let mut world = World::with_everyone();
    capable(&mut world, "rusty", &["rust", "sql"]);
    world.must("ada", create("for-human", |c| c.requires_human = true));
    world.must("ada", create("for-ai", |c| c.requires_ai = true));
    world.must("ada", create("rust", |c| c.capabilities = vec!["rust".into()]));
    world.must("ada", create("both", |c| c.capabilities = vec!["sql".into(), "rust".into()]));
    assert_eq!(next(&mut world, "sam", |_| {}), "none");
    assert_eq!(next(&mut world, "rusty", |n| n.capabilities = Some(vec!["sql".into()])), "for-ai");
    assert_eq!(next(&mut world, "rusty", |n| n.capabilities = Some(vec!["sql".into()])), "none");
    assert_eq!(next(&mut world, "rusty", |n| n.capabilities = Some(vec!["go".into()])), "none");
    assert_eq!(next(&mut world, "bo", |n| n.capabilities = Some(vec!["rust".into()])), "none");
    assert_eq!(next(&mut world, "rusty", |_| {}), "rust");
    assert_eq!(next(&mut world, "rusty", |_| {}), "both");
    assert_eq!(next(&mut world, "ada", |_| {}), "for-human");
    // A task that needs both needs the human.
    world.must(
        "ada",
        create("old-script", |c| {
            c.requires_human = true;
            c.requires_ai = true;
        }),
    );
    assert_eq!(next(&mut world, "bo", |_| {}), "none");
    assert_eq!(next(&mut world, "ada", |_| {}), "old-script");
}

#[test]
fn a_task_must_carry_all_tags() {
    let mut world = World::with_everyone();
    world.must("ada", create("a", |c| c.tags = vec!["x".into()]));
    world.must("ada", create("b", |c| c.tags = vec!["y".into(), "x".into(), "z".into()]));
    let tags = |tags: &'static [&'static str]| {
        move |n: &mut ClaimNext| n.tags = tags.iter().map(ToString::to_string).collect()
    };
    assert_eq!(next(&mut world, "bo", tags(&["q"])), "none");
    assert_eq!(next(&mut world, "bo", tags(&["x", "y"])), "b");
    assert_eq!(next(&mut world, "bo", tags(&["x"])), "a");
}

#[test]
fn what_changes_its_priority_changes_its_place() {
    let mut world = World::with_everyone();
    world.must("ada", create("a", |_| {}));
    world.must("ada", create("b", |_| {}));
    let mut update = crate::command::UpdateTask::of(task_id("b"));
    update.priority = Some(Priority::Urgent);
    world.must("ada", Command::UpdateTask(update));
    assert_eq!(next(&mut world, "bo", |_| {}), "b");
    assert_eq!(next(&mut world, "bo", |_| {}), "a");
}

#[test]
fn a_scheduled_task_opens_at_its_time() {
    let mut world = World::with_everyone();
    let at = world.now.plus_millis(60_000);
    world.must("ada", create("t", |c| c.not_before = Some(at)));
    assert_eq!(world.task("t").status, TaskStatus::Scheduled);
    let claim = Command::ClaimTask(ClaimTask::of(task_id("t")));
    assert_eq!(world.code("bo", claim.clone()), "task_scheduled");
    assert_eq!(next(&mut world, "bo", |_| {}), "none");
    world.later(60);
    assert_eq!(world.tick(), ["task_ready"]);
    world.must("bo", claim);
    // A time that has passed is no obstacle.
    let past = world.now.plus_millis(-1);
    world.must("ada", create("u", |c| c.not_before = Some(past)));
    assert_eq!(world.task("u").status, TaskStatus::Open);
}

#[test]
fn a_dependent_opens_with_its_last_blocker_but_not_before_its_time() {
    let mut world = World::with_everyone();
    world.must("ada", create("first", |_| {}));
    let at = world.now.plus_millis(60_000);
    world.must("ada", create("then", |c| c.depends_on = vec![task_id("first")]));
    world.must(
        "ada",
        create("later", |c| {
            c.depends_on = vec![task_id("first")];
            c.not_before = Some(at);
        }),
    );
    world.must("bo", Command::ClaimTask(ClaimTask::of(task_id("first"))));
    let complete = CompleteTask { task_id: task_id("first"), result: None, claim_token: None };
    let decision = world.decide("bo", Command::CompleteTask(complete)).expect("completes");
    let ready: Vec<_> = decision
        .events
        .iter()
        .filter_map(|event| match event {
            Event::TaskReady(ready) => Some(ready.task_id.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(ready, ["then"]);
    assert_eq!(world.task("later").status, TaskStatus::Scheduled);
    world.later(60);
    assert_eq!(world.tick(), ["task_ready"]);
}

/// `root` ← `a` ← `b`, each as it says, and `c` on both.
fn chain(a: OnBlockerFailed, b: OnBlockerFailed) -> World {
    let mut world = World::with_everyone();
    world.must("ada", create("root", |_| {}));
    for (name, on, what) in [("a", "root", a), ("b", "a", b)] {
        world.must(
            "ada",
            create(name, |c| {
                c.depends_on = vec![task_id(on)];
                c.on_blocker_failed = what;
            }),
        );
    }
    world
}

#[test]
fn those_that_say_so_fall_with_what_they_depend_on() {
    use OnBlockerFailed::{Cancel, Hold};
    for (a, b, expected) in [
        (Hold, Hold, [TaskStatus::Blocked, TaskStatus::Blocked]),
        (Hold, Cancel, [TaskStatus::Blocked, TaskStatus::Blocked]),
        (Cancel, Hold, [TaskStatus::Cancelled, TaskStatus::Blocked]),
        (Cancel, Cancel, [TaskStatus::Cancelled, TaskStatus::Cancelled]),
    ] {
        let failing = || FailTask { task_id: task_id("root"), reason: None, claim_token: None };
        for is_failed in [true, false] {
            let mut world = chain(a, b);
            if is_failed {
                world.must("bo", Command::ClaimTask(ClaimTask::of(task_id("root"))));
                world.must("bo", Command::FailTask(failing()));
            } else {
                world.must("ada", Command::CancelTask(task_id("root")));
            }
            let statuses = ["a", "b"].map(|name| world.task(name).status);
            assert_eq!(statuses, expected, "{a} {b} {is_failed}");
        }
    }
}

#[test]
fn a_blocker_that_is_tried_again_takes_nobody_along() {
    let mut world = World::with_everyone();
    world.must("ada", create("root", |c| c.max_attempts = Some(2)));
    world.must(
        "ada",
        create("a", |c| {
            c.depends_on = vec![task_id("root")];
            c.on_blocker_failed = OnBlockerFailed::Cancel;
        }),
    );
    world.must("bo", Command::ClaimTask(ClaimTask::of(task_id("root"))));
    let failing = FailTask { task_id: task_id("root"), reason: None, claim_token: None };
    world.must("bo", Command::FailTask(failing));
    assert_eq!(world.task("a").status, TaskStatus::Blocked);
    // One that is made too late falls at once.
    world.must("ada", Command::CancelTask(task_id("root")));
    let events = world.must(
        "ada",
        create("late", |c| {
            c.depends_on = vec![task_id("root")];
            c.on_blocker_failed = OnBlockerFailed::Cancel;
        }),
    );
    assert_eq!(events, ["task_created", "task_cancelled"]);
    assert_eq!(world.task("late").status, TaskStatus::Cancelled);
}

#[test]
fn a_batch_of_tasks_is_all_or_none_and_may_depend_on_itself() {
    let mut world = World::with_everyone();
    let task = |name: &str, on: &[&str]| CreateTask {
        task_id: Some(task_id(name)),
        depends_on: on.iter().map(|on| task_id(on)).collect(),
        ..CreateTask::titled(name)
    };
    let batch = vec![task("a", &[]), task("b", &["a"]), task("c", &["a", "b"])];
    world.must("ada", Command::CreateTasks(batch));
    assert_eq!(world.task("c").blocked_by, [task_id("a"), task_id("b")]);
    for (batch, code) in [
        (vec![task("d", &[]), task("d", &[])], "task_exists"),
        (vec![task("d", &[]), task("a", &[])], "task_exists"),
        (vec![task("d", &["e"]), task("e", &[])], "invalid_field"),
        (vec![task("d", &[]), CreateTask::titled("")], "invalid_field"),
    ] {
        let head = world.state.head();
        assert_eq!(world.code("ada", Command::CreateTasks(batch)), code);
        assert_eq!(world.state.head(), head);
    }
}

fn question(world: &World, default: Option<&str>) -> Question {
    Question {
        options: vec!["yes".into(), "no".into()],
        deadline: Some(world.now.plus_millis(60_000)),
        default: default.map(str::to_owned),
    }
}

fn answer(text: &str) -> Command {
    Command::AnswerTask(AnswerTask { task_id: task_id("q"), answer: text.to_owned() })
}

#[test]
fn a_question_is_answered_by_a_human_with_one_of_its_options() {
    let mut world = World::with_everyone();
    let asked = question(&world, None);
    world.must("bo", create("q", |c| c.question = Some(asked)));
    assert!(world.task("q").requires_human);
    assert_eq!(world.code("bo", answer("yes")), "requires_human");
    assert_eq!(world.code("", answer("yes")), "caller_needed");
    assert_eq!(world.code("ada", answer("maybe")), "invalid_field");
    assert_eq!(world.must("ada", answer("yes")), ["task_completed"]);
    let task = world.task("q");
    assert_eq!(task.result, Some(JsonText::string("yes")));
    assert_eq!(task.claimed_by, Some(id("ada")));
    assert!(world.must("ada", answer("yes")).is_empty(), "the same again changes nothing");
    assert_eq!(world.code("ada", answer("no")), "already_completed");
    world.later(60);
    assert!(world.tick().is_empty(), "the deadline of what is answered is nobody's");
}

#[test]
fn a_default_is_taken_at_the_deadline_and_without_one_the_question_fails() {
    for (default, kind, status) in [
        (Some("no"), "task_completed", TaskStatus::Completed),
        (None, "task_failed", TaskStatus::Failed),
    ] {
        let mut world = World::with_everyone();
        let asked = question(&world, default);
        world.must("bo", create("q", |c| c.question = Some(asked)));
        world.later(60);
        assert_eq!(world.tick(), [kind]);
        let task = world.task("q");
        assert_eq!(task.status, status);
        assert_eq!(task.result, default.map(JsonText::string));
        assert_eq!(task.claimed_by, None);
    }
}

#[test]
fn what_a_question_may_not_be() {
    let mut world = World::with_everyone();
    let whole = question(&world, Some("yes"));
    for wrong in [
        Question { default: Some("maybe".into()), ..whole.clone() },
        Question { deadline: None, ..whole.clone() },
        Question { deadline: Some(world.now), ..whole.clone() },
        Question { options: vec![String::new()], ..whole.clone() },
        Question { options: vec!["a".into(); 65], default: None, ..whole.clone() },
    ] {
        let told = format!("{wrong:?}");
        let create = create("q", |c| c.question = Some(wrong));
        assert_eq!(world.code("bo", create), "invalid_field", "{told}");
    }
    // A plain task that needs a human takes any answer; one that does not takes none.
    world.must("bo", create("plain", |c| c.requires_human = true));
    let plain = AnswerTask { task_id: task_id("plain"), answer: "fine".into() };
    world.must("ada", Command::AnswerTask(plain));
    world.must("bo", create("other", |_| {}));
    let other = AnswerTask { task_id: task_id("other"), answer: "fine".into() };
    assert_eq!(world.code("ada", Command::AnswerTask(other)), "not_a_question");
}

#[test]
fn a_question_that_another_human_holds_is_left_to_it() {
    let mut world = World::with_everyone();
    world.register("eve", EntityType::Human);
    let asked = question(&world, None);
    world.must("bo", create("q", |c| c.question = Some(asked)));
    world.must("ada", Command::ClaimTask(ClaimTask::of(task_id("q"))));
    assert_eq!(world.code("eve", answer("yes")), "task_already_claimed");
    let wrong = CompleteTask {
        task_id: task_id("q"),
        result: Some(JsonText::string("maybe")),
        claim_token: None,
    };
    assert_eq!(world.code("ada", Command::CompleteTask(wrong)), "invalid_field");
    world.must("ada", answer("no"));
}
