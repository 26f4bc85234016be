//! Reservations: who keeps whom out of what, until when, and how it ends.

use std::sync::Arc;

use super::{World, id};
use crate::{
    Timestamp,
    command::{AcquireReservation, Command, Key, MoveLeases, Remove, RenewReservation, Role},
    event::{Event, ReservationEnd},
    hub::{Answer, Decision, Rejection},
    ids::ReservationId,
    limits::{CONFLICTS_NAMED_MAX, RESERVATION_SECONDS_MAX, RESOURCES_MAX},
    model::Reservation,
    resource::Resource,
};

fn resources(texts: &[&str]) -> Vec<Resource> {
    texts.iter().map(|text| Resource::parse(text).expect("a resource")).collect()
}

fn acquire(texts: &[&str]) -> Command {
    Command::AcquireReservation(AcquireReservation::of(resources(texts)))
}

fn acquire_with(texts: &[&str], change: impl FnOnce(&mut AcquireReservation)) -> Command {
    let mut command = AcquireReservation::of(resources(texts));
    change(&mut command);
    Command::AcquireReservation(command)
}

fn share(texts: &[&str]) -> Command {
    acquire_with(texts, |command| command.exclusive = false)
}

fn reserved(decision: &Decision) -> (Arc<Reservation>, bool) {
    match &decision.answer {
        Answer::Reserved { reservation, already } => (reservation.clone(), *already),
        other => panic!("no reservation but {other:?}"),
    }
}

/// What somebody acquires, which must be granted.
#[track_caller]
fn held(world: &mut World, who: &str, command: Command) -> ReservationId {
    let decision = world.decide(who, command).unwrap_or_else(|why| panic!("{why}"));
    reserved(&decision).0.reservation_id.clone()
}

fn renew(reservation_id: &ReservationId, ttl_seconds: Option<u32>) -> Command {
    let reservation_id = reservation_id.clone();
    Command::RenewReservation(RenewReservation { reservation_id, ttl_seconds })
}

fn ends(world: &World, id: &ReservationId) -> Timestamp {
    world.state.reservations().get(id).expect("it holds").expires_at
}

#[test]
fn an_exclusive_reservation_keeps_others_out_and_never_its_holder() {
    let mut world = World::with_everyone();
    held(&mut world, "bo", acquire(&["repo:src/**", "repo:Cargo.toml"]));
    for (who, command, expected) in [
        ("cy", acquire(&["repo:src/a.rs"]), "reservation_conflict"),
        ("cy", share(&["repo:src/a.rs"]), "reservation_conflict"),
        ("cy", acquire(&["repo:docs/**", "repo:*.toml"]), "reservation_conflict"),
        ("stranger", acquire(&["repo:src"]), "reservation_conflict"),
        ("", acquire(&["free"]), "caller_needed"),
        ("bo", acquire(&["repo:src/a.rs"]), "ok"),
        ("cy", acquire(&["repo:docs/**"]), "ok"),
        ("stranger", acquire(&["other:src/**"]), "ok"),
    ] {
        assert_eq!(world.code(who, command.clone()), expected, "{who} {command:?}");
    }
    assert_eq!(world.state.reservations().len(), 4, "all of a call, or none");
}

#[test]
fn shared_reservations_share_and_keep_exclusive_ones_out() {
    let mut world = World::with_everyone();
    held(&mut world, "bo", share(&["docs/**"]));
    assert_eq!(world.code("cy", share(&["docs/a.md"])), "ok");
    assert_eq!(world.code("sam", acquire(&["docs/a.md"])), "reservation_conflict");
    assert_eq!(world.code("bo", acquire(&["docs/b.md"])), "ok");
    assert_eq!(world.code("cy", share(&["docs/b.md"])), "reservation_conflict");
}

#[test]
fn a_conflict_says_who_has_what_until_when() {
    let mut world = World::with_everyone();
    let mine = held(&mut world, "bo", acquire(&["x", "repo:src/**"]));
    let why = world.ask("cy", acquire(&["y", "repo:src/a.rs", "x"])).expect_err("taken");
    let Rejection::ReservationConflict(conflicts) = &why else { panic!("{why:?}") };
    let facts: Vec<_> = conflicts
        .iter()
        .map(|one| (one.resource.as_str(), one.held_by.as_str(), one.held_resource.as_str()))
        .collect();
    assert_eq!(facts, [("repo:src/a.rs", "bo", "repo:src/**"), ("x", "bo", "x")]);
    assert!(conflicts.iter().all(|one| one.reservation_id == mine));
    assert!(conflicts.iter().all(|one| one.expires_at == ends(&world, &mine)));
    let told = why.to_string();
    for word in ["repo:src/a.rs", "bo", "repo:src/**", "2023-11-14T23:13:20.000Z", "1 more"] {
        assert!(told.contains(word), "{told} lacks {word}");
    }
    for nth in 0..70 {
        held(&mut world, "ada", acquire(&[&format!("many/{nth}")]));
    }
    let why = world.ask("cy", acquire(&["many/*", "many/1"])).expect_err("taken");
    let Rejection::ReservationConflict(conflicts) = &why else { panic!("{why:?}") };
    assert_eq!(conflicts.len(), CONFLICTS_NAMED_MAX);
}

#[test]
fn what_is_wrong_is_said() {
    let mut world = World::with_everyone();
    let many: Vec<String> = (0..=RESOURCES_MAX).map(|nth| format!("f{nth}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let ttl = |seconds| acquire_with(&["a"], move |command| command.ttl_seconds = Some(seconds));
    let reason =
        |text: &str| acquire_with(&["a"], |command| command.reason = Some(text.to_owned()));
    for (command, field) in [
        (acquire(&[]), "resources"),
        (acquire(&many), "resources"),
        (ttl(0), "ttl_seconds"),
        (ttl(RESERVATION_SECONDS_MAX + 1), "ttl_seconds"),
        (reason(" "), "reason"),
        (reason(&"x".repeat(513)), "reason"),
    ] {
        let why = world.ask("bo", command).expect_err("wrong");
        assert_eq!(why.field(), Some(field), "{why}");
    }
    world.must("bo", acquire(&many[1..]));
    world.must("bo", ttl(1));
    world.must("cy", acquire_with(&["b"], |c| c.ttl_seconds = Some(RESERVATION_SECONDS_MAX)));
}

#[test]
fn the_same_again_is_a_renewal() {
    let mut world = World::with_everyone();
    let mine = held(&mut world, "bo", acquire_with(&["a", "b"], |c| c.ttl_seconds = Some(100)));
    world.later(60);
    let decision = world.decide("bo", acquire(&["b", "a", "b"])).expect("granted");
    let (again, already) = reserved(&decision);
    assert!(already);
    assert_eq!(again.reservation_id, mine);
    assert_eq!(again.expires_at, world.now.plus_millis(100_000), "as long as before");
    let kinds: Vec<_> = decision.events.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["reservation_renewed"]);
    assert_eq!(ends(&world, &mine), again.expires_at);
    // Another sharing, or other resources, is another reservation.
    assert_ne!(held(&mut world, "bo", share(&["a", "b"])), mine);
    assert_ne!(held(&mut world, "bo", acquire(&["a"])), mine);
}

#[test]
fn renewing_and_releasing() {
    let mut world = World::with_everyone();
    let mine = held(&mut world, "bo", acquire_with(&["a"], |c| c.ttl_seconds = Some(100)));
    world.later(10);
    assert_eq!(world.must("bo", renew(&mine, None)), ["reservation_renewed"]);
    assert_eq!(ends(&world, &mine), world.now.plus_millis(100_000));
    world.must("bo", renew(&mine, Some(5)));
    assert_eq!(ends(&world, &mine), world.now.plus_millis(5_000), "shorter, where that is asked");
    let unknown = ReservationId::parse("res-none").expect("an id");
    let release = || Command::ReleaseReservation(mine.clone());
    for (who, command, expected) in [
        ("cy", renew(&mine, None), "not_allowed"),
        ("ada", renew(&mine, None), "not_allowed"),
        ("", renew(&mine, None), "caller_needed"),
        ("bo", renew(&mine, Some(0)), "invalid_field"),
        ("bo", renew(&unknown, None), "unknown_reservation"),
        ("bo", Command::ReleaseReservation(unknown.clone()), "unknown_reservation"),
        ("cy", release(), "not_allowed"),
        ("sam", release(), "not_allowed"),
        ("", release(), "caller_needed"),
        ("ada", release(), "ok"),
        ("bo", release(), "unknown_reservation"),
    ] {
        assert_eq!(world.code(who, command.clone()), expected, "{who} {command:?}");
    }
    assert!(world.state.reservations().is_empty());
    let again = held(&mut world, "bo", acquire(&["a"]));
    world.role(Role::Admin);
    assert_eq!(world.code("sam", Command::ReleaseReservation(again)), "ok");
}

#[test]
fn a_reservation_lapses_with_its_time() {
    let mut world = World::with_everyone();
    let one = held(&mut world, "bo", acquire_with(&["a"], |c| c.ttl_seconds = Some(10)));
    held(&mut world, "cy", acquire_with(&["b"], |c| c.ttl_seconds = Some(20)));
    world.later(9);
    assert!(world.tick().is_empty());
    world.must("bo", renew(&one, Some(10)));
    world.later(10);
    assert_eq!(world.tick(), ["reservation_released"]);
    world.later(1);
    let decision = world.decide("", Command::Tick).expect("ticks");
    let Some(Event::ReservationReleased(ended)) = decision.events.first() else {
        panic!("{decision:?}")
    };
    assert_eq!((ended.entity_id.as_str(), ended.reason), ("cy", ReservationEnd::Lapsed));
    assert!(world.state.reservations().is_empty());
    assert_eq!(world.state.next_deadline(), None);
    assert_eq!(world.code("sam", acquire(&["a", "b"])), "ok");
}

#[test]
fn what_the_gone_and_the_removed_held_is_freed() {
    let mut world = World::with_everyone();
    held(&mut world, "bo", acquire(&["a"]));
    held(&mut world, "bo", share(&["b"]));
    held(&mut world, "cy", acquire(&["c"]));
    held(&mut world, "sam", acquire(&["d"]));
    let gone = Command::FreeReservations(vec![id("bo"), id("ada")]);
    assert_eq!(world.must("", gone), ["reservation_released"; 2]);
    let remove = Command::Remove(Remove { entity_id: id("cy") });
    assert_eq!(world.must("cy", remove), ["reservation_released", "entity_removed"]);
    let held: Vec<_> = world.state.reservations().holders().map(|id| id.as_str()).collect();
    assert_eq!(held, ["sam"]);
}

#[test]
fn a_jump_of_the_clock_and_a_start_give_reservations_time() {
    let mut world = World::with_everyone();
    let long = held(&mut world, "bo", acquire_with(&["a"], |c| c.ttl_seconds = Some(100)));
    let short = held(&mut world, "cy", acquire_with(&["b"], |c| c.ttl_seconds = Some(10)));
    let (before, by_millis) = (ends(&world, &long), 3_000_000);
    world.later(3_000);
    let jumped = Command::MoveLeases(MoveLeases::ClockJumped { by_millis });
    assert_eq!(world.must("", jumped), ["leases_moved"]);
    assert_eq!(ends(&world, &long), before.plus_millis(by_millis));
    assert!(world.tick().is_empty());
    world.later(90);
    assert_eq!(world.must("", Command::MoveLeases(MoveLeases::Started)), ["leases_moved"]);
    assert_eq!(ends(&world, &long), world.now.plus_millis(60_000));
    assert_eq!(ends(&world, &short), world.now.plus_millis(10_000));
    assert!(world.must("", Command::MoveLeases(MoveLeases::Started)).is_empty());
}

#[test]
fn under_a_key_the_first_success_is_told_again_even_when_it_has_ended() {
    let mut world = World::with_everyone();
    let key = || {
        let (route, key) = ("POST /reservations/acquire".to_owned(), "k".to_owned());
        Some(Key { route, key, fingerprint: 1 })
    };
    let first = world.decide_under("bo", acquire(&["a"]), key()).expect("granted");
    let (reservation, _) = reserved(&first);
    world.must("bo", Command::ReleaseReservation(reservation.reservation_id.clone()));
    let again = world.decide_under("bo", acquire(&["a"]), key()).expect("told again");
    assert!(again.events.is_empty());
    assert_eq!(reserved(&again), (reservation, false));
}
