//! Leases: who holds a task that has one, and what becomes of work that comes late.

use super::{World, id, world::task_id};
use crate::{
    JsonText,
    command::{
        ClaimTask, Command, CompleteTask, CreateTask, FailTask, MoveLeases, ReleaseTask, Remove,
        RenewLease, ReturnClaim,
    },
    event::{Event, FailCause, ReleaseReason},
    hub::{Answer, Decision},
    model::{Task, TaskStatus},
};

fn create(name: &str, change: impl FnOnce(&mut CreateTask)) -> Command {
    let mut create = CreateTask { task_id: Some(task_id(name)), ..CreateTask::titled(name) };
    change(&mut create);
    Command::CreateTask(create)
}

fn claim_for(lease_seconds: u32) -> Command {
    let lease_seconds = Some(lease_seconds);
    Command::ClaimTask(ClaimTask { lease_seconds, ..ClaimTask::of(task_id("t")) })
}

fn claim() -> Command {
    Command::ClaimTask(ClaimTask::of(task_id("t")))
}

fn complete(claim_token: Option<u64>) -> Command {
    complete_with(claim_token, "done")
}

fn complete_with(claim_token: Option<u64>, result: &str) -> Command {
    let result = Some(JsonText::string(result));
    Command::CompleteTask(CompleteTask { task_id: task_id("t"), result, claim_token })
}

fn fail(claim_token: Option<u64>) -> Command {
    Command::FailTask(FailTask { task_id: task_id("t"), reason: None, claim_token })
}

fn release(claim_token: Option<u64>) -> Command {
    Command::ReleaseTask(ReleaseTask { task_id: task_id("t"), claim_token })
}

fn renew(claim_token: Option<u64>) -> Command {
    Command::RenewLease(RenewLease { task_id: task_id("t"), claim_token })
}

/// A task `t` that `bo` holds under a lease of 60 s.
fn leased() -> World {
    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    world.must("bo", claim_for(60));
    world
}

fn ends_in(task: &Task, world: &World) -> i64 {
    let ends = task.lease_expires_at.expect("a lease");
    (ends.millis() - world.now.millis()) / 1_000
}

fn token_of(decision: &Decision) -> u64 {
    match decision.answer {
        Answer::Claimed { claim_token, .. } => claim_token,
        ref other => panic!("no claim but {other:?}"),
    }
}

#[test]
fn a_lease_is_from_5_to_86400_seconds() {
    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    for (seconds, expected) in
        [(0, "invalid_field"), (4, "invalid_field"), (86_401, "invalid_field"), (5, "ok")]
    {
        assert_eq!(world.code("bo", claim_for(seconds)), expected, "{seconds}");
    }
    assert_eq!(ends_in(&world.task("t"), &world), 5);
}

#[test]
fn a_leased_claim_is_used_with_its_token_only() {
    for act in [complete as fn(Option<u64>) -> Command, fail, release, renew] {
        let mut world = leased();
        assert_eq!(world.code("bo", act(None)), "claim_token_required");
        assert_eq!(world.code("bo", act(Some(7))), "stale_claim");
        assert_eq!(world.code("cy", act(Some(1))), "not_holder");
        assert_eq!(world.code("cy", act(None)), "not_holder");
        world.must("bo", act(Some(1)));
    }
    // Whoever shows the token without a name is its holder.
    leased().must("", complete(Some(1)));
}

#[test]
fn a_claim_without_a_lease_needs_no_token_and_never_lapses() {
    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    world.must("bo", claim());
    world.later(365 * 86_400);
    assert!(world.tick().is_empty());
    world.must("bo", complete(None));
}

#[test]
fn the_holder_again_gets_the_same_token_where_it_may() {
    let mut world = leased();
    let again =
        |token| Command::ClaimTask(ClaimTask { claim_token: token, ..ClaimTask::of(task_id("t")) });
    assert_eq!(world.code("bo", again(None)), "task_already_claimed");
    assert_eq!(world.code("bo", again(Some(2))), "stale_claim");
    let decision = world.decide("bo", again(Some(1))).expect("is held");
    assert!(decision.events.is_empty() && token_of(&decision) == 1);
    assert_eq!(world.code("cy", again(Some(1))), "task_already_claimed");

    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    world.must("bo", claim());
    let decision = world.decide("bo", again(None)).expect("is held");
    assert!(decision.events.is_empty() && token_of(&decision) == 1);
}

#[test]
fn a_lapsed_lease_opens_the_task_and_counts_an_attempt() {
    let mut world = leased();
    world.later(59);
    assert!(world.tick().is_empty());
    world.later(1);
    assert_eq!(world.tick(), ["task_released"]);
    let task = world.task("t");
    assert_eq!((task.status, task.attempts), (TaskStatus::Open, 1));
    assert_eq!((&task.claimed_by, task.lease_expires_at), (&None, None));
    let decision = world.decide("cy", claim_for(60)).expect("is open");
    assert_eq!(token_of(&decision), 2, "a token grows with each claim");
}

#[test]
fn a_lease_that_lapses_at_the_last_attempt_fails_the_task() {
    let mut world = World::with_everyone();
    world.must("ada", create("t", |c| c.max_attempts = Some(2)));
    for (attempt, kind, status) in
        [(1, "task_released", TaskStatus::Open), (2, "task_failed", TaskStatus::Failed)]
    {
        world.must("bo", claim_for(60));
        world.later(60);
        assert_eq!(world.tick(), [kind]);
        let task = world.task("t");
        assert_eq!((task.status, task.attempts), (status, attempt));
    }
}

#[test]
fn lapses_alone_never_use_up_attempts_that_nobody_bounded() {
    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    for attempt in 1..=20 {
        world.must("bo", claim_for(60));
        world.later(60);
        assert_eq!(world.tick(), ["task_released"]);
        assert_eq!(world.task("t").attempts, attempt);
    }
}

#[test]
fn what_is_late_and_wanted_is_taken() {
    // Nobody has taken the task since.
    let mut world = leased();
    world.later(100).tick();
    assert_eq!(world.code("cy", complete(Some(1))), "not_holder");
    assert_eq!(world.code("bo", complete(None)), "task_not_claimed");
    assert_eq!(world.must("bo", complete(Some(1))), ["task_completed"]);
    let task = world.task("t");
    assert_eq!((task.status, &task.claimed_by), (TaskStatus::Completed, &Some(id("bo"))));
    // Also where the lapse was the last attempt, and the task is history.
    let mut world = World::with_everyone();
    world.must("ada", create("t", |c| c.max_attempts = Some(1)));
    world.must("ada", create("next", |c| c.depends_on = vec![task_id("t")]));
    world.must("bo", claim_for(60));
    world.later(60).tick();
    assert_eq!(world.task("t").status, TaskStatus::Failed);
    let events = world.must("bo", complete(Some(1)));
    assert_eq!(events, ["task_reopened", "task_completed", "task_ready"]);
    assert_eq!(world.task("t").attempts, 1, "what failed has failed");
    assert_eq!(world.task("next").status, TaskStatus::Open);
}

#[test]
fn what_is_late_and_not_wanted_is_kept_once_for_each_claim() {
    let mut world = leased();
    world.later(60).tick();
    world.must("cy", claim_for(60));
    let decision = world.decide("bo", complete_with(Some(1), "late")).expect("is kept");
    assert_eq!(decision.refusal.map(|why| why.code()), Some("stale_claim"));
    let [Event::LateResultKept(kept)] = &decision.events[..] else { panic!("not kept") };
    assert_eq!((kept.claim_token, &kept.entity_id), (1, &Some(id("bo"))));
    // Again, and again after the task is done, changes nothing.
    assert_eq!(world.code("bo", complete_with(Some(1), "late")), "stale_claim");
    world.must("cy", complete(Some(2)));
    assert_eq!(world.code("bo", complete_with(Some(1), "late")), "stale_claim");
    // A token that was never given, or no result, leaves no trace.
    assert_eq!(world.code("bo", complete_with(Some(9), "late")), "stale_claim");
    assert_eq!(world.code("bo", complete_with(Some(0), "late")), "stale_claim");
}

#[test]
fn a_result_for_a_withdrawn_task_is_kept() {
    let mut world = leased();
    world.must("ada", Command::CancelTask(task_id("t")));
    let decision = world.decide("bo", complete(Some(1))).expect("is kept");
    assert_eq!(decision.refusal.map(|why| why.code()), Some("task_not_claimed"));
    assert_eq!(decision.events.len(), 1);
}

#[test]
fn after_a_lapse_nothing_but_completing_goes_by_the_old_token() {
    for act in [fail as fn(Option<u64>) -> Command, release, renew] {
        let mut world = leased();
        world.later(60).tick();
        assert_eq!(world.code("bo", act(Some(1))), "stale_claim");
    }
    // A claim that was given back did not lapse.
    let mut world = leased();
    world.must("bo", release(Some(1)));
    assert_eq!(world.task("t").attempts, 0);
    assert_eq!(world.code("bo", complete(Some(1))), "task_not_claimed");
}

#[test]
fn a_renewal_is_written_when_less_than_two_thirds_are_left() {
    let mut world = leased();
    world.later(20);
    let decision = world.decide("bo", renew(Some(1))).expect("is held");
    assert!(decision.events.is_empty(), "40 of 60 seconds are two thirds");
    let told = |decision: &Decision| match decision.answer {
        Answer::Lease { lease_expires_at, .. } => lease_expires_at.expect("a lease"),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(Some(told(&decision)), world.task("t").lease_expires_at, "what is on disk is told");
    world.later(1);
    let decision = world.decide("bo", renew(Some(1))).expect("is held");
    assert_eq!(decision.events.len(), 1);
    assert_eq!(told(&decision), world.now.plus_millis(60_000));
    assert_eq!(ends_in(&world.task("t"), &world), 60);
    world.later(59);
    assert!(world.tick().is_empty());
}

#[test]
fn an_entity_renews_all_its_leases_at_once() {
    let mut world = leased();
    world.must("ada", create("u", |_| {}));
    let lease_seconds = Some(600);
    let other = ClaimTask { lease_seconds, ..ClaimTask::of(task_id("u")) };
    world.must("bo", Command::ClaimTask(other));
    world.must("ada", create("v", |_| {}));
    world.must("bo", Command::ClaimTask(ClaimTask::of(task_id("v"))));
    world.later(30);
    assert_eq!(world.must("bo", Command::RenewLeases), ["lease_renewed"]);
    assert_eq!(ends_in(&world.task("t"), &world), 60);
    assert_eq!(ends_in(&world.task("u"), &world), 570);
    assert!(world.must("cy", Command::RenewLeases).is_empty());
    assert_eq!(world.code("", Command::RenewLeases), "caller_needed");
}

#[test]
fn a_clock_that_jumps_moves_lease_ends_by_the_jump() {
    let mut world = leased();
    world.later(10);
    let by_millis = 3_000_000;
    world.now = world.now.plus_millis(by_millis);
    let moved = Command::MoveLeases(MoveLeases::ClockJumped { by_millis });
    assert_eq!(world.must("", moved.clone()), ["leases_moved"]);
    assert_eq!(ends_in(&world.task("t"), &world), 50);
    assert!(world.tick().is_empty());
    world.must("bo", release(Some(1)));
    assert!(world.must("", moved).is_empty(), "nothing is leased");
}

#[test]
fn after_a_start_no_lease_lapses_before_its_length_or_a_minute() {
    for (length, left_after_start) in [(20, 20), (60, 60), (600, 60)] {
        let mut world = World::with_everyone();
        world.must("ada", create("t", |_| {}));
        world.must("bo", claim_for(length));
        world.later(86_400);
        assert_eq!(world.must("", Command::MoveLeases(MoveLeases::Started)), ["leases_moved"]);
        assert_eq!(ends_in(&world.task("t"), &world), left_after_start);
    }
    // One that has longer to go keeps its end.
    let mut world = World::with_everyone();
    world.must("ada", create("t", |_| {}));
    world.must("bo", claim_for(600));
    world.later(100);
    assert!(world.must("", Command::MoveLeases(MoveLeases::Started)).is_empty());
}

#[test]
fn a_claim_ends_without_an_attempt_where_nothing_was_tried() {
    for (caller, command, reason) in [
        ("bo", release(Some(1)), ReleaseReason::Released),
        ("ada", Command::ReassignTask(task_id("t")), ReleaseReason::Reassigned),
        ("bo", Command::Remove(Remove { entity_id: id("bo") }), ReleaseReason::HolderRemoved),
        (
            "bo",
            Command::ReturnClaim(ReturnClaim { task_id: task_id("t"), claim_token: 1 }),
            ReleaseReason::Undelivered,
        ),
    ] {
        let mut world = leased();
        let decision = world.decide(caller, command).expect("is freed");
        let Event::TaskReleased(released) = &decision.events[0] else { panic!("{decision:?}") };
        assert_eq!((released.reason, released.attempts), (reason, None));
        let task = world.task("t");
        assert_eq!((task.status, task.attempts), (TaskStatus::Open, 0), "{reason:?}");
    }
    // A claim that has ended is not given back twice.
    let mut world = leased();
    world.must("bo", release(Some(1)));
    world.must("cy", claim_for(60));
    let stale = Command::ReturnClaim(ReturnClaim { task_id: task_id("t"), claim_token: 1 });
    assert!(world.must("bo", stale).is_empty());
}

#[test]
fn a_task_is_reassigned_by_its_creator_a_human_or_an_admin() {
    let mut world = World::with_everyone();
    world.must("cy", create("t", |_| {}));
    world.must("bo", claim());
    assert_eq!(world.code("bo", Command::ReassignTask(task_id("t"))), "not_allowed");
    assert_eq!(world.code("sam", Command::ReassignTask(task_id("t"))), "not_allowed");
    assert_eq!(world.code("", Command::ReassignTask(task_id("t"))), "caller_needed");
    world.must("cy", Command::ReassignTask(task_id("t")));
    assert_eq!(world.code("cy", Command::ReassignTask(task_id("t"))), "task_not_claimed");
    world.must("bo", claim());
    world.must("ada", Command::ReassignTask(task_id("t")));
}

#[test]
fn a_failed_attempt_is_tried_again_while_it_may_be() {
    let mut world = World::with_everyone();
    world.must(
        "ada",
        create("t", |c| {
            c.max_attempts = Some(3);
            c.retry_delay_seconds = Some(30);
        }),
    );
    for attempts in 1..=2 {
        world.must("bo", claim());
        assert_eq!(world.must("bo", fail(None)), ["task_failed"]);
        let task = world.task("t");
        assert_eq!((task.status, task.attempts), (TaskStatus::Scheduled, attempts));
        assert_eq!(world.code("bo", claim()), "task_scheduled");
        world.later(29);
        assert!(world.tick().is_empty());
        world.later(1);
        assert_eq!(world.tick(), ["task_ready"]);
    }
    world.must("bo", claim());
    let decision = world.decide("bo", fail(None)).expect("fails");
    let Event::TaskFailed(failed) = &decision.events[0] else { panic!("{decision:?}") };
    assert_eq!((failed.cause, failed.status), (FailCause::Reported, TaskStatus::Failed));
    assert_eq!(world.task("t").status, TaskStatus::Failed);
    // Opened again it has all its attempts before it.
    world.must("ada", Command::ReopenTask(task_id("t")));
    assert_eq!(world.task("t").attempts, 0);
    // Without a delay it is open at once; without `max_attempts` the first failure is the last.
    world.must("ada", create("u", |c| c.max_attempts = Some(2)));
    world.must("bo", Command::ClaimTask(ClaimTask::of(task_id("u"))));
    let failing = FailTask { task_id: task_id("u"), reason: None, claim_token: None };
    world.must("bo", Command::FailTask(failing));
    assert_eq!(world.task("u").status, TaskStatus::Open);
}
