//! Reservations as the engine sees them: holders who go, restarts, keys, and what readers are shown.

use super::{presence::Hands, *};
use crate::{
    command::{AcquireReservation, Caller, ClaimNext, ClaimTask, HandOff, Key},
    hub::Seeker,
    ids::ReservationId,
    limits::{CONFLICTS_OF_ONE_MAX, RESERVATIONS_OF_ONE_MAX},
    model::{EntityType, Reservation},
    resource::Resource,
};

const SECOND: u64 = 1_000;

fn resource(text: &str) -> Resource {
    Resource::parse(text).expect("a resource")
}

fn acquire(text: &str) -> Command {
    Command::AcquireReservation(AcquireReservation::of(vec![resource(text)]))
}

#[track_caller]
fn held(hub: &Hub, who: &str, text: &str) -> Reservation {
    match hub.call(Caller::named(id(who)), acquire(text)).expect("granted").outcome {
        Outcome::Reserved { reservation, .. } => Reservation::clone(&reservation),
        other => panic!("no reservation but {other:?}"),
    }
}

/// Lets the writer look round.
fn look_round(hub: &Hub) {
    // It looks round after it has answered the first, and so before it takes the second.
    for content in ["first", "second"] {
        send(hub, content).expect("sent");
    }
}

fn pass(hub: &Hub, hands: &Hands, millis: u64) {
    hands.pass(millis);
    look_round(hub);
}

fn holders(hub: &Hub) -> Vec<String> {
    hub.with_state(|state| state.reservations().holders().map(ToString::to_string).collect())
}

#[test]
fn whoever_has_been_offline_for_a_minute_holds_nothing() {
    let hands = Hands::default();
    let hub = Hub::builder().clock(hands.clone()).in_memory().expect("it opens");
    for name in ["bo", "cy", "dee"] {
        register(&hub, name, EntityType::AiAgent);
        held(&hub, name, name);
    }
    held(&hub, "stranger", "s");
    let socket = hub.connect(&id("cy"));
    pass(&hub, &hands, 240 * SECOND);
    assert_eq!(holders(&hub), ["bo", "cy", "dee", "stranger"]);
    hub.touch(&id("dee"));
    pass(&hub, &hands, SECOND);
    // A socket keeps its entity, and of a name that never registered nobody knows whether it is gone.
    assert_eq!(holders(&hub), ["cy", "dee", "stranger"]);
    let events = hub.shared.published.history.events(hub.head_seq() - 3, 10).expect("reads");
    let told: Vec<String> = events.iter().map(|one| one.event.data()).collect();
    assert!(told.iter().any(|data| data.contains("holder_gone")), "{told:?}");
    drop(socket);
    pass(&hub, &hands, 3_600 * SECOND);
    assert!(holders(&hub).is_empty());
}

#[test]
fn a_jump_of_the_clock_makes_nobody_gone() {
    let hands = Hands::default();
    let hub = Hub::builder().clock(hands.clone()).in_memory().expect("it opens");
    register(&hub, "bo", EntityType::AiAgent);
    let before = held(&hub, "bo", "a");
    pass(&hub, &hands, 100 * SECOND);
    hands.jump(3_000 * SECOND);
    look_round(&hub);
    pass(&hub, &hands, 239 * SECOND);
    assert_eq!(holders(&hub), ["bo"]);
    let after = hub.reservations(None, whole()).items.pop().expect("one");
    assert_eq!(after.expires_at, before.expires_at.plus_millis(3_000_000));
    pass(&hub, &hands, 2 * SECOND);
    assert!(holders(&hub).is_empty());
}

#[test]
fn after_a_start_everyone_has_a_minute_to_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hub.db");
    let hands = Hands::default();
    let open = || Hub::builder().clock(hands.clone()).open(&path).expect("it opens");
    let hub = open();
    for name in ["bo", "cy"] {
        register(&hub, name, EntityType::AiAgent);
        held(&hub, name, name);
    }
    let reserved = hub.reservations(None, whole());
    hub.close();
    hands.pass(1_000 * SECOND);
    let hub = open();
    assert_eq!(hub.reservations(None, whole()).items, reserved.items);
    pass(&hub, &hands, 59 * SECOND);
    assert_eq!(holders(&hub), ["bo", "cy"]);
    hub.touch(&id("cy"));
    pass(&hub, &hands, SECOND);
    assert_eq!(holders(&hub), ["cy"]);
}

fn whole() -> ListWindow {
    ListWindow { after: None, order: Order::Ascending, limit: 1_000 }
}

#[test]
fn lists_and_checks() {
    let hub = Hub::in_memory().expect("it opens");
    let ids: Vec<ReservationId> = (0..6)
        .map(|nth| held(&hub, ["bo", "cy"][nth % 2], &format!("src/{nth}")).reservation_id)
        .collect();
    let listed = |held_by: Option<&str>, after, order, limit| {
        let window = ListWindow { after, order, limit };
        let list = hub.reservations(held_by.map(id).as_ref(), window);
        let found: Vec<_> = list.items.into_iter().map(|one| one.reservation_id).collect();
        (found, list.next)
    };
    assert_eq!(listed(None, None, Order::Ascending, 4), (ids[..4].to_vec(), 4));
    assert_eq!(listed(None, Some(4), Order::Ascending, 4), (ids[4..].to_vec(), 6));
    let (found, _) = listed(Some("cy"), None, Order::Descending, 2);
    assert_eq!(found, [ids[5].clone(), ids[3].clone()]);
    let check = |who: Option<&EntityId>, texts: &[&str]| {
        let seeker = Seeker { entity_id: who, exclusive: true };
        let resources = texts.iter().map(|text| resource(text)).collect();
        hub.check_resources(resources, seeker).expect("checked")
    };
    let checked = check(Some(&id("bo")), &["src/0", "src/1", "src/9", "**"]);
    let free: Vec<bool> = checked.iter().map(|one| one.free).collect();
    assert_eq!(free, [true, false, true, false]);
    assert_eq!(checked[1].conflicts[0].held_by, id("cy"));
    assert_eq!(checked[3].conflicts.len(), 3);
    assert_eq!(check(None, &["**"])[0].conflicts.len(), CONFLICTS_OF_ONE_MAX);
    let seeker = Seeker { entity_id: None, exclusive: true };
    assert!(hub.check_resources(Vec::new(), seeker).is_err());
}

#[test]
fn one_entity_cannot_reserve_without_end() {
    let hub = Hub::in_memory().expect("it opens");
    for nth in 0..RESERVATIONS_OF_ONE_MAX {
        held(&hub, "bo", &format!("f{nth}"));
    }
    let refused = hub.call(Caller::named(id("bo")), acquire("one more"));
    let Err(HubError::Rejected(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why.field(), Some("resources"));
    held(&hub, "bo", "f7");
    held(&hub, "cy", "one more");
}

#[test]
fn a_key_tells_of_a_reservation_as_it_is_or_as_it_was() {
    let hub = Hub::in_memory().expect("it opens");
    let again = || {
        let key = Key { route: "r".to_owned(), key: "k".to_owned(), fingerprint: 1 };
        let request = Request::new(Caller::named(id("bo")), acquire("a"));
        let ticket = hub.submit_request(Request { key: Some(key), ..request }).expect("submitted");
        let reply = ticket.wait().expect("granted");
        match reply.outcome {
            Outcome::Reserved { reservation, .. } => (reservation, reply.made),
            other => panic!("no reservation but {other:?}"),
        }
    };
    let (first, made) = again();
    assert_eq!(made, Made::Now);
    assert_eq!(again(), (first.clone(), Made::Before));
    let release = Command::ReleaseReservation(first.reservation_id.clone());
    let reply = hub.call(Caller::named(id("bo")), release).expect("released");
    assert_eq!(reply.outcome, Outcome::Released(first.reservation_id.clone()));
    let (told, made) = again();
    assert_eq!((told.expires_at, made), (first.expires_at, Made::Before));
    assert!(holders(&hub).is_empty());
}

#[test]
fn whoever_waits_for_a_task_gets_one_that_was_given_back() {
    let hub = Hub::in_memory().expect("it opens");
    for name in ["bo", "cy"] {
        register(&hub, name, EntityType::AiAgent);
    }
    let (caller, create) = titled("one");
    let Outcome::Task { task, .. } = hub.call(caller, create).expect("created").outcome else {
        panic!("no task")
    };
    let claim = Command::ClaimTask(ClaimTask::of(task.task_id.clone()));
    hub.call(Caller::named(id("bo")), claim).expect("claimed");
    let next = Request::new(Caller::named(id("cy")), Command::ClaimNext(ClaimNext::default()));
    let waits = Request { wait: Duration::from_secs(60), ..next };
    let ticket = hub.submit_request(waits).expect("submitted");
    let handoff = HandOff { entity_id: id("bo"), to: None, note: "enough".to_owned() };
    let reply = hub.call(Caller::named(id("bo")), Command::HandOff(handoff)).expect("handed over");
    let Outcome::HandedOver(handed) = reply.outcome else { panic!("{reply:?}") };
    assert_eq!(handed.returned, std::slice::from_ref(&task.task_id));
    let Outcome::Claimed(claim) = ticket.wait().expect("answered").outcome else {
        panic!("nothing claimed")
    };
    assert_eq!((claim.task.claimed_by.clone(), claim.claim_token), (Some(id("cy")), 2));
}
