//! Private channels: who makes them, who belongs to them, and who sees what.

use super::{World, id, messages::channel};
use crate::{
    command::{
        Ack, Command, CreateChannel, CursorScope, InviteToChannel, MoveCursor, Remove, Send,
    },
    hub::policy::{self, Audience, Reader},
    limits::{CHANNEL_MEMBERS_MAX, Limits},
    model::{Channel, EntityType, Recipients},
};

fn create(name: &str, members: &[&str], types: &[EntityType]) -> Command {
    Command::CreateChannel(CreateChannel {
        channel: channel(name),
        members: members.iter().map(|member| id(member)).collect(),
        types: types.iter().copied().collect(),
    })
}

fn invite(name: &str, members: &[&str]) -> Command {
    let members = members.iter().map(|member| id(member)).collect();
    Command::InviteToChannel(InviteToChannel { channel: channel(name), members })
}

fn send(from: &str, name: &str, change: impl FnOnce(&mut Send)) -> Command {
    let mut send = Send::on_channel(id(from), channel(name), "text");
    change(&mut send);
    Command::Send(send)
}

fn join(name: &str) -> Command {
    Command::JoinChannel(channel(name))
}

fn leave(name: &str) -> Command {
    Command::LeaveChannel(channel(name))
}

/// `crew` is bo's and ada's; `lab` is bo's, and open to every Claude session.
fn world() -> World {
    let mut world = World::with_everyone();
    world.must("bo", create("crew", &["ada"], &[]));
    world.must("bo", create("lab", &[], &[EntityType::ClaudeSession]));
    world
}

/// Who of everyone may read a channel.
fn readers(world: &World, name: &str) -> String {
    let all = ["ada", "bo", "cy", "sam", "stranger", "nobody"];
    let reads = |who: &&str| {
        let reader = Reader::new(&world.state, (*who != "nobody").then(|| id(who)));
        let may = policy::may_read_channel(&reader, &channel(name));
        // Everything else goes by the same.
        assert_eq!(policy::may_post(&reader, &channel(name)), may, "{who} on {name}");
        assert_eq!(Audience::Channel(&channel(name)).includes(&reader), may, "{who} on {name}");
        let listed = reader.private_channels().any(|own| *own == channel(name));
        assert_eq!(listed, may, "{who} on {name}");
        let named = reader.id.as_ref().filter(|id| world.state.entity(id).is_some());
        let since = named.and_then(|id| policy::reads_since(&world.state, id, &channel(name)));
        assert_eq!(since.is_some(), may, "{who} on {name}");
        // To subscribe says nothing: it may be a name that nobody has taken.
        assert!(policy::check_subscribe(&reader, &channel(name)).is_ok());
        may
    };
    all.iter().filter(|who| reads(who)).copied().collect::<Vec<_>>().join(" ")
}

#[test]
fn members_and_types_read_and_post_and_nobody_else() {
    let mut world = world();
    assert_eq!(readers(&world, "crew"), "ada bo");
    assert_eq!(readers(&world, "lab"), "bo cy");
    for (who, name, code) in [
        ("bo", "crew", "ok"),
        ("ada", "crew", "ok"),
        ("cy", "crew", "channel_forbidden"),
        ("stranger", "crew", "channel_forbidden"),
        ("cy", "lab", "ok"),
        ("ada", "lab", "channel_forbidden"),
    ] {
        assert_eq!(world.code(who, send(who, name, |_| {})), code, "{who} on {name}");
    }
    let Channel { messages, .. } = *world.state.channel(&channel("crew")).expect("is there");
    assert_eq!(messages, 2, "who may not post leaves nothing there");
}

#[test]
fn a_channel_is_made_private_or_never() {
    let mut world = world();
    world.must("ada", send("ada", "open", |_| {}));
    for (who, command, code) in [
        ("cy", create("crew", &[], &[]), "channel_exists"),
        ("bo", create("crew", &[], &[]), "channel_exists"),
        ("bo", create("open", &[], &[]), "channel_exists"),
        ("bo", create("general", &[], &[]), "channel_exists"),
        ("", create("new", &[], &[]), "caller_needed"),
        ("stranger", create("new", &[], &[]), "unknown_entity"),
        ("bo", create("new", &["stranger"], &[]), "unknown_entity"),
        ("bo", create("new", &["ada", "ada", "bo"], &[EntityType::Human]), "ok"),
    ] {
        assert_eq!(world.code(who, command.clone()), code, "{who}: {command:?}");
    }
    let membership = world.state.private_channels().get(&channel("new")).expect("is private");
    let members: Vec<_> = membership.members.keys().map(|id| id.as_str()).collect();
    assert_eq!(members, ["ada", "bo"]);
    assert!(world.state.private_channels().get(&channel("open")).is_none());
}

/// The kinds of the events, or the code of the refusal.
type Outcome = Result<Vec<&'static str>, &'static str>;

#[test]
fn joining_leaving_and_inviting() {
    let mut world = world();
    let joined = vec!["channel_member_joined"];
    // (who, what, the events or the refusal)
    let cases: Vec<(&str, Command, Outcome)> = vec![
        // What one may not see is not there, as what was never made.
        ("cy", join("crew"), Err("unknown_channel")),
        ("cy", leave("crew"), Err("unknown_channel")),
        ("cy", invite("crew", &["sam"]), Err("unknown_channel")),
        ("cy", join("never-made"), Err("unknown_channel")),
        ("stranger", join("crew"), Err("unknown_entity")),
        ("", join("crew"), Err("unknown_channel")),
        ("cy", join("general"), Err("invalid_field")),
        ("ada", join("ai-only"), Err("invalid_field")),
        ("ada", leave("general"), Err("invalid_field")),
        // A type opens the door; the list of members says who came in.
        ("cy", invite("lab", &["sam"]), Err("not_allowed")),
        ("cy", leave("lab"), Ok(vec![])),
        ("cy", join("lab"), Ok(joined.clone())),
        ("cy", join("lab"), Ok(vec![])),
        ("cy", invite("lab", &["stranger"]), Err("unknown_entity")),
        ("cy", invite("lab", &["sam", "bo", "sam"]), Ok(joined.clone())),
        ("cy", invite("lab", &["sam"]), Ok(vec![])),
        ("cy", leave("lab"), Ok(vec!["channel_member_left"])),
        ("ada", invite("crew", &["cy", "sam"]), Ok([joined.clone(), joined].concat())),
        ("ada", leave("crew"), Ok(vec!["channel_member_left"])),
        ("ada", join("crew"), Err("unknown_channel")),
    ];
    for (who, command, expected) in cases {
        let told = format!("{who}: {command:?}");
        let found = world.ask(who, command).map_err(|why| why.code());
        assert_eq!(found, expected, "{told}");
    }
    assert_eq!(readers(&world, "crew"), "bo cy sam");
    assert_eq!(readers(&world, "lab"), "bo cy sam", "cy by its type");
}

/// Whoever takes the name of one that is gone does not come into its channels.
#[test]
fn who_is_removed_belongs_to_nothing() {
    let mut world = world();
    world.must("ada", Command::Remove(Remove { entity_id: id("ada") }));
    assert_eq!(readers(&world, "crew"), "bo");
    world.register("ada", EntityType::Human);
    assert_eq!(readers(&world, "crew"), "bo");
    world.must("bo", Command::Remove(Remove { entity_id: id("bo") }));
    assert_eq!(readers(&world, "crew"), "");
    // The name stays taken: what stood there is not for whoever asks next.
    assert_eq!(world.code("ada", create("crew", &[], &[])), "channel_exists");
}

#[test]
fn a_hidden_message_is_not_there() {
    let mut world = world();
    let hidden = world.message("bo", send("bo", "crew", |_| {})).message_id.clone();
    let reply = |who: &str| {
        let to = hidden.clone();
        send(who, "crew", |send| send.reply_to = Some(to))
    };
    for (who, seen) in [("ada", true), ("cy", false), ("stranger", false)] {
        let expected = |code| if seen { code } else { "unknown_message" };
        assert_eq!(world.code(who, reply(who)), expected("ok"), "{who}");
        let ack = Command::AckMessage(hidden.clone());
        assert_eq!(world.code(who, ack), expected("ack_not_asked"), "{who}");
        let resolve = Command::ResolveRollCall(hidden.clone());
        assert_eq!(world.code(who, resolve), expected("no_roll_call"), "{who}");
    }
    // A human may redact what others sent, where it can see it.
    world.must("ada", leave("crew"));
    assert_eq!(world.code("ada", Command::RedactMessage(hidden.clone())), "unknown_message");
    assert_eq!(world.code("bo", Command::RedactMessage(hidden)), "ok");
    let mark = |entity_id: &str, name: &str| {
        let scope = CursorScope::Channel(channel(name));
        Command::MoveCursor(MoveCursor { entity_id: id(entity_id), scope, up_to: 99 })
    };
    assert_eq!(world.code("bo", mark("bo", "crew")), "ok");
    assert_eq!(world.code("cy", mark("cy", "crew")), "invalid_field");
    assert_eq!(world.code("cy", mark("cy", "never-made")), "invalid_field");
}

#[test]
fn those_who_are_asked_and_counted_are_the_readers() {
    let mut world = world();
    let _ = world.soft.online.insert(id("cy"), EntityType::ClaudeSession);
    let _ = world.soft.online.insert(id("ada"), EntityType::Human);
    for (name, asked, online, offline) in [
        ("crew", vec!["ada"], 1, 0),
        ("lab", vec!["cy"], 1, 0),
        ("general", vec!["ada", "cy", "sam"], 2, 1),
    ] {
        let command = send("bo", name, |send| send.ack = Ack::Asked);
        let decision = world.decide("bo", command).expect("is sent");
        let crate::hub::Answer::Sent(sent) = &decision.answer else { panic!("{decision:?}") };
        assert_eq!(sent[0].recipients, Recipients { online, offline }, "{name}");
        let call = world.state.roll_call(&sent[0].message_id).expect("is open");
        let found: Vec<_> = call.recipients.keys().map(|id| id.as_str()).collect();
        assert_eq!(found, asked, "{name}");
    }
}

/// One begins to read a channel where one joins it.
#[test]
fn what_stood_there_before_one_joined_is_not_unread() {
    let mut world = world();
    let first = world.message("bo", send("bo", "crew", |_| {})).seq;
    let read = |world: &World, who: &str| {
        world.state.cursors(&id(who)).expect("registered").channel(&channel("crew"))
    };
    assert!(read(&world, "ada") < first && read(&world, "cy") < first);
    world.must("ada", invite("crew", &["cy"]));
    assert_eq!(read(&world, "cy"), world.state.head());
    assert!(read(&world, "ada") < first);
}

#[test]
fn there_is_an_end_to_members_and_channels() {
    let limits = Limits { channels_max: 7, ..Limits::default() };
    let mut world = World::with_limits(limits);
    world.register("bo", EntityType::AiAgent);
    let names: Vec<String> = (0..CHANNEL_MEMBERS_MAX).map(|n| format!("e{n}")).collect();
    names.iter().for_each(|name| world.register(name, EntityType::AiAgent));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(world.code("bo", create("crew", &names, &[])), "invalid_field");
    assert_eq!(world.code("bo", create("crew", &names[1..], &[])), "ok");
    assert_eq!(world.code("bo", invite("crew", &names)), "invalid_field");
    assert_eq!(world.code("bo", create("one-more", &[], &[])), "invalid_field");
}
