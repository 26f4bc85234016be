//! Who is there, by a clock that tests set: what followers are told, and when.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::*;
use crate::{command::Remove, model::Status};

const SECOND: u64 = 1_000;

/// A clock that goes when it is told to.
#[derive(Clone, Default)]
pub(super) struct Hands {
    ran: Arc<AtomicU64>,
    jumped: Arc<AtomicU64>,
}

impl Hands {
    pub(super) fn pass(&self, millis: u64) {
        self.ran.fetch_add(millis, Ordering::Relaxed);
    }

    /// The wall clock jumps ahead, and nothing has happened meanwhile.
    pub(super) fn jump(&self, millis: u64) {
        self.jumped.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        let millis = self.ran.load(Ordering::Relaxed) + self.jumped.load(Ordering::Relaxed);
        Timestamp::from_millis(millis as i64)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.ran.load(Ordering::Relaxed))
    }
}

/// Follows everybody's presence on a hub with a clock of the test's own.
struct Follower {
    hub: Hub,
    hands: Hands,
    version: u64,
}

impl Follower {
    fn new() -> Self {
        let hands = Hands::default();
        let hub = Hub::builder().clock(hands.clone()).in_memory().expect("it opens");
        Self { version: hub.presence_version(), hub, hands }
    }

    /// Lets time pass, and the writer look round at the end of it.
    fn pass(&self, millis: u64) {
        self.hands.pass(millis);
        // It looks round after it has answered the first, and so before it takes the second.
        for content in ["first", "second"] {
            send(&self.hub, content).expect("sent");
        }
    }

    /// Who changed since this was last asked, and to what.
    fn changes(&mut self) -> Vec<(String, Status, Option<String>)> {
        let (changes, version) = self.hub.presence_changes(self.version);
        self.version = version;
        let shown = changes.into_iter().map(|PresenceChange { entity_id, presence }| {
            (entity_id.to_string(), presence.status, presence.activity)
        });
        shown.collect()
    }

    #[track_caller]
    fn expect(&mut self, expected: &[(&str, Status, Option<&str>)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, status, said)| ((*name).to_owned(), *status, said.map(str::to_owned)))
            .collect();
        assert_eq!(self.changes(), expected);
    }

    fn says(&self, name: &str, activity: &str) {
        self.hub.heartbeat(&id(name), Some(activity.to_owned())).expect("it is registered");
    }
}

#[test]
fn silence_makes_idle_and_then_offline_and_a_call_online_again() {
    let mut follower = Follower::new();
    register(&follower.hub, "bo", EntityType::AiAgent);
    follower.expect(&[("bo", Status::Online, None)]);
    follower.pass(90 * SECOND);
    follower.expect(&[]);
    follower.pass(SECOND);
    follower.expect(&[("bo", Status::Idle, None)]);
    follower.pass(89 * SECOND);
    follower.expect(&[]);
    follower.pass(SECOND);
    follower.expect(&[("bo", Status::Offline, None)]);
    assert_eq!(follower.hub.entities_online(), 0);
    let seen = follower.hub.touch(&id("bo")).expect("it is registered");
    let (changes, _) = follower.hub.presence_changes(follower.version);
    assert_eq!(changes[0].presence.last_seen, seen);
    follower.expect(&[("bo", Status::Online, None)]);
    assert_eq!(follower.hub.entities_online(), 1);
}

#[test]
fn the_latest_change_wins_and_nothing_that_stays_as_it_is_is_one() {
    let mut follower = Follower::new();
    register(&follower.hub, "bo", EntityType::AiAgent);
    register(&follower.hub, "cy", EntityType::Human);
    follower.expect(&[("bo", Status::Online, None), ("cy", Status::Online, None)]);
    for said in ["reading", "writing", "testing"] {
        follower.says("bo", said);
    }
    follower.says("cy", "looking on");
    follower.says("bo", "resting");
    follower.expect(&[
        ("cy", Status::Online, Some("looking on")),
        ("bo", Status::Online, Some("resting")),
    ]);
    follower.says("bo", "resting");
    follower.hub.heartbeat(&id("bo"), None).expect("it is registered");
    let version = follower.hub.presence_version();
    follower.expect(&[]);
    follower.pass(SECOND);
    assert_eq!(follower.hub.presence_version(), version, "nothing moved");
    follower.says("bo", "");
    follower.expect(&[("bo", Status::Online, None)]);
}

#[test]
fn a_socket_keeps_its_entity_online() {
    let mut follower = Follower::new();
    register(&follower.hub, "bo", EntityType::AiAgent);
    follower.pass(200 * SECOND);
    follower.expect(&[("bo", Status::Offline, None)]);
    let connections = [follower.hub.connect(&id("bo")), follower.hub.connect(&id("bo"))];
    follower.expect(&[("bo", Status::Online, None)]);
    follower.pass(200 * SECOND);
    follower.expect(&[]);
    drop(connections);
    follower.pass(SECOND);
    follower.expect(&[("bo", Status::Offline, None)]);
}

#[test]
fn whoever_never_registered_is_nobodys_business() {
    let mut follower = Follower::new();
    let connection = follower.hub.connect(&id("bo"));
    follower.pass(SECOND);
    follower.expect(&[]);
    register(&follower.hub, "bo", EntityType::AiAgent);
    follower.expect(&[("bo", Status::Online, None)]);
    drop(connection);
}

#[test]
fn a_removed_entity_is_offline_once_and_for_all() {
    let mut follower = Follower::new();
    register(&follower.hub, "bo", EntityType::AiAgent);
    follower.says("bo", "leaving");
    let socket = follower.hub.connect(&id("bo"));
    follower.expect(&[("bo", Status::Online, Some("leaving"))]);
    let remove = Command::Remove(Remove { entity_id: id("bo") });
    follower.hub.call(Caller::named(id("bo")), remove).expect("removed");
    follower.expect(&[("bo", Status::Offline, None)]);
    drop(socket);
    follower.pass(SECOND);
    follower.expect(&[]);
    register(&follower.hub, "bo", EntityType::Human);
    follower.expect(&[("bo", Status::Online, None)]);
}
