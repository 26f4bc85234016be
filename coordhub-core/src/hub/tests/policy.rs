//! Who may read, post, listen and see: the channel table of the contract, and the audiences of events.

use std::sync::Arc;

use super::{World, id, messages::channel};
use crate::{
    event::{EntityRemoved, Event, ReadCursorMoved},
    hub::{
        PrivateChannels,
        policy::{self, Audience, Reader, Standing},
    },
    ids::MessageId,
    ids::{BUILT_IN_CHANNELS, EntityId},
    model::{EntityType, Membership, MessageHead, Role},
};

const EVERYONE: [Standing; 5] = [
    Standing::Unregistered,
    Standing::Registered(EntityType::ClaudeSession),
    Standing::Registered(EntityType::AiAgent),
    Standing::Registered(EntityType::Human),
    Standing::Registered(EntityType::Service),
];

#[test]
fn the_channel_table() {
    // One letter for each of `EVERYONE`: unregistered, session, agent, human, service.
    let table = [
        ("general", "usahv", "usahv"),
        ("technical", "usahv", "usahv"),
        ("strategic", "usahv", "usahv"),
        ("made-up", "usahv", "usahv"),
        ("urgent", "usahv", "usahv"),
        ("ai-only", "sav", "sav"),
        ("human-only", "usahv", "h"),
    ];
    for (name, readers, posters) in table {
        let channel = channel(name);
        for (letter, standing) in "usahv".chars().zip(EVERYONE) {
            let (reads, posts) = (readers.contains(letter), posters.contains(letter));
            let told = format!("{standing:?} on {name}");
            let reader = Reader { id: None, standing, private: Arc::default(), role: Role::Member };
            assert_eq!(policy::may_read_channel(&reader, &channel), reads, "{told}");
            assert_eq!(policy::may_post(&reader, &channel), posts, "{told}");
            assert_eq!(policy::check_subscribe(&reader, &channel).is_ok(), reads, "{told}");
            assert!(reads || !policy::is_public(&reader.private, &channel), "{told}");
            let hidden = policy::hidden_channels(standing).contains(&name);
            assert_eq!(hidden, !reads, "{told}");
        }
    }
    assert!(BUILT_IN_CHANNELS.iter().all(|name| table.iter().any(|(row, ..)| row == name)));
}

#[test]
fn a_refusal_names_who_may() {
    let world = World::with_everyone();
    for (sender, name, rule) in [
        ("ada", "ai-only", "registered AIs and services"),
        ("stranger", "ai-only", "registered AIs and services"),
        ("bo", "human-only", "registered humans"),
        ("sam", "human-only", "registered humans"),
    ] {
        let refused = policy::check_post(&world.state, &id(sender), &channel(name));
        let told = refused.expect_err("is refused").to_string();
        assert!(told.contains(rule) && told.contains(sender) && told.contains(name), "{told}");
    }
    let nobody = Reader::new(&world.state, None);
    let refused = policy::check_subscribe(&nobody, &channel("ai-only")).expect_err("is refused");
    assert!(refused.to_string().contains("an unnamed caller"), "{refused}");
}

#[test]
fn policy_goes_by_the_type_that_one_has_now() {
    let mut world = World::with_everyone();
    let reads = |world: &World| {
        let reader = Reader::new(&world.state, Some(id("bo")));
        policy::may_read_channel(&reader, &channel("ai-only"))
    };
    assert!(reads(&world));
    world.must(
        "bo",
        crate::command::Command::Remove(crate::command::Remove { entity_id: id("bo") }),
    );
    assert!(!reads(&world));
    world.register("bo", EntityType::Human);
    assert!(!reads(&world));
}

#[test]
fn who_sees_a_message() {
    let world = World::with_everyone();
    let head = |to: Option<&str>, on: Option<&str>| MessageHead {
        message_id: MessageId::parse("msg-1").expect("an id"),
        from_entity: id("bo"),
        to_entity: to.map(id),
        channel: on.map(channel),
        thread_id: MessageId::parse("msg-1").expect("an id"),
        seq: 1,
        ack_required: false,
        timestamp: world.now,
    };
    for (message, readers) in [
        (head(None, Some("general")), "ada bo cy sam stranger nobody"),
        (head(None, Some("ai-only")), "bo cy sam"),
        (head(Some("ada"), None), "ada bo"),
        (head(Some("stranger"), None), "bo stranger"),
        (head(Some("bo"), None), "bo"),
        (head(None, None), "bo"),
    ] {
        for name in ["ada", "bo", "cy", "sam", "stranger", "nobody"] {
            let named = (name != "nobody").then(|| id(name));
            let reader = Reader::new(&world.state, named);
            let may = readers.split(' ').any(|other| other == name);
            assert_eq!(policy::may_read_message(&reader, &message), may, "{name}: {message:?}");
        }
    }
}

#[test]
fn who_sees_an_event() {
    let removed = EntityRemoved { entity_id: id("bo"), name: "Bo".into() };
    let moved = ReadCursorMoved { entity_id: id("bo"), channel: None, direct: false, up_to: 1 };
    let bo: EntityId = id("bo");
    assert_eq!(policy::audience(&Event::EntityRemoved(removed)), Audience::Everyone);
    assert_eq!(policy::audience(&Event::ReadCursorMoved(moved)), Audience::Only(&bo));
}

/// `of-bo`, and `of-humans`, which ada is a member of, too.
fn private_channels() -> PrivateChannels {
    let mut private = PrivateChannels::default();
    let members = |name: &str| [(id(name), 1)].into();
    let of_bo = Membership { members: members("bo"), types: [].into() };
    let of_humans = Membership { members: members("ada"), types: [EntityType::Human].into() };
    private.insert(channel("of-bo"), of_bo);
    private.insert(channel("of-humans"), of_humans);
    private
}

/// A message is in a scope that a reader may search exactly where the reader may read it.
#[test]
fn scopes_say_the_same_as_the_rules() {
    let head = |to: Option<&str>, on: Option<&str>| MessageHead {
        message_id: MessageId::trusted("msg-1"),
        from_entity: id("ada"),
        to_entity: to.map(id),
        channel: on.map(channel),
        thread_id: MessageId::trusted("msg-1"),
        seq: 1,
        ack_required: false,
        timestamp: crate::Timestamp::from_millis(0),
    };
    let names = [None, Some("ada"), Some("bo"), Some("eve")].map(|name| name.map(id));
    let on = |name: &str| head(None, Some(name));
    let mut places = vec![head(None, None), head(Some("bo"), None), head(Some("ada"), None)];
    places.extend(BUILT_IN_CHANNELS.map(on));
    places.extend(["made-up", "of-bo", "of-humans"].map(on));
    let private = Arc::new(private_channels());
    for message in &places {
        let (from, to) = (&message.from_entity, message.to_entity.as_ref());
        let audience = policy::audience_of_message(from, to, message.channel.as_ref());
        for (name, standing) in names.iter().flat_map(|name| EVERYONE.map(|kind| (name, kind))) {
            let reader =
                Reader { id: name.clone(), standing, private: private.clone(), role: Role::Member };
            let searched = policy::scopes_of(&reader);
            let is_found = audience.scopes(&private).iter().any(|scope| searched.contains(scope));
            let may_read = policy::may_read_message(&reader, message);
            assert_eq!(is_found, may_read, "{reader:?} and {message:?}");
        }
    }
}
