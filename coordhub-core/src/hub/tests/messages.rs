//! What is sent, and what is read.

use super::{World, id};
use crate::{
    JsonText,
    command::{Command, CursorScope, Destination, MoveCursor, Send},
    hub::Answer,
    ids::{ChannelName, MessageId},
    limits::Limits,
    model::{EntityType, Recipients},
};

pub(super) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).expect("a channel")
}

fn to_channel(from: &str, name: &str) -> Send {
    Send::on_channel(id(from), channel(name), "text")
}

fn to_entity(from: &str, to: &str) -> Send {
    Send { to: Some(Destination::Entity(id(to))), ..to_channel(from, "general") }
}

fn object(text: &str) -> JsonText {
    JsonText::parse(text).expect("JSON")
}

#[test]
fn what_is_refused() {
    let mut world = World::with_everyone();
    let general = || to_channel("bo", "general");
    let of_type = |word: &str| Send { message_type: Some(word.into()), ..general() };
    let with = |text: &str| Send { metadata: object(text), ..general() };
    let cases = [
        ("bo", general(), "ok"),
        ("", general(), "ok"),
        ("cy", general(), "not_allowed"),
        ("nobody", to_channel("nobody", "general"), "ok"),
        ("bo", Send { content: "c".repeat(256 * 1024), ..general() }, "ok"),
        ("bo", Send { content: "c".repeat(256 * 1024 + 1), ..general() }, "too_large"),
        ("bo", of_type("alert"), "ok"),
        ("bo", of_type("my own"), "ok"),
        ("bo", of_type(""), "invalid_field"),
        ("bo", of_type(&"t".repeat(129)), "invalid_field"),
        ("bo", of_type("task_created"), "reserved_type"),
        ("bo", of_type("task_"), "reserved_type"),
        ("bo", of_type("proposal_decided"), "reserved_type"),
        ("bo", of_type("question_asked"), "reserved_type"),
        ("bo", of_type("system_event"), "reserved_type"),
        ("bo", of_type("system_events"), "ok"),
        ("bo", with("[]"), "invalid_field"),
        ("bo", with(r#"{"hub":1}"#), "reserved_type"),
        ("bo", with(r#"{"inner":{"hub":1}}"#), "ok"),
        ("bo", with(&format!("{{\"m\":\"{}\"}}", "m".repeat(64 * 1024))), "too_large"),
        ("bo", to_entity("bo", "cy"), "ok"),
        ("bo", to_entity("bo", "bo"), "ok"),
        ("bo", to_entity("bo", "nobody"), "unknown_recipient"),
        // What does not exist comes before what is wrong.
        ("bo", Send { metadata: object("[]"), ..to_entity("bo", "nobody") }, "unknown_recipient"),
        ("bo", to_channel("bo", "human-only"), "channel_forbidden"),
        ("ada", to_channel("ada", "ai-only"), "channel_forbidden"),
    ];
    for (caller, send, expected) in cases {
        let told: String = format!("{caller:?}: {send:?}").chars().take(200).collect();
        assert_eq!(world.code(caller, Command::Send(send)), expected, "{told}");
    }
}

#[test]
fn metadata_names_a_time() {
    let mut world = World::new();
    for (given, kept) in [
        ("{}", r#"{"timestamp":"2023-11-14T22:13:20.000Z"}"#),
        (r#"{"a":1}"#, r#"{"timestamp":"2023-11-14T22:13:20.000Z","a":1}"#),
        (r#"{"timestamp":"mine","a":1}"#, r#"{"timestamp":"mine","a":1}"#),
    ] {
        let send = Send { metadata: object(given), ..to_channel("bo", "general") };
        let message = world.message("bo", Command::Send(send));
        assert_eq!(message.metadata.as_str(), kept);
    }
}

#[test]
fn a_reply_stays_where_its_parent_is() {
    let mut world = World::with_everyone();
    let send = |world: &mut World, send: Send| world.message("", Command::Send(send));
    let on_dev = send(&mut world, to_channel("bo", "dev"));
    let hidden = send(&mut world, to_channel("bo", "ai-only"));
    let direct = send(&mut world, to_entity("bo", "ada"));
    let here = |name: &str| Some(Destination::Channel(channel(name)));
    let with = |name: &str| Some(Destination::Entity(id(name)));
    let none = MessageId::parse("msg-none").expect("an id");
    let cases = [
        ("ada", &on_dev.message_id, None, "dev"),
        ("ada", &on_dev.message_id, here("dev"), "dev"),
        ("ada", &on_dev.message_id, here("general"), "invalid_field"),
        ("ada", &on_dev.message_id, with("bo"), "invalid_field"),
        ("cy", &hidden.message_id, None, "ai-only"),
        ("ada", &hidden.message_id, None, "unknown_message"),
        ("stranger", &hidden.message_id, None, "unknown_message"),
        ("ada", &direct.message_id, None, "to bo"),
        ("bo", &direct.message_id, None, "to ada"),
        ("ada", &direct.message_id, with("bo"), "to bo"),
        ("ada", &direct.message_id, with("cy"), "invalid_field"),
        ("ada", &direct.message_id, here("general"), "invalid_field"),
        ("cy", &direct.message_id, None, "unknown_message"),
        ("ada", &none, None, "unknown_message"),
    ];
    for (from, parent, to, expected) in cases {
        let told = format!("{from} answers {parent:?}, to {to:?}");
        let reply = Send { to, reply_to: Some(parent.clone()), ..to_channel(from, "general") };
        let got = match world.decide(from, Command::Send(reply)) {
            Err(why) => why.code().to_owned(),
            Ok(_) => {
                let (_, head) = world.newest_message();
                let thread = [&on_dev, &hidden, &direct].map(|root| root.thread_id.clone());
                assert!(thread.contains(&head.thread_id), "{told}: {head:?}");
                match (&head.to_entity, &head.channel) {
                    (Some(to), None) => format!("to {to}"),
                    (None, Some(channel)) => channel.to_string(),
                    other => panic!("{told}: {other:?}"),
                }
            }
        };
        assert_eq!(got, expected, "{told}");
    }
}

#[test]
fn a_thread_is_named_after_its_first_message() {
    let mut world = World::new();
    let root = world.message("", Command::Send(to_channel("bo", "general")));
    assert_eq!(root.thread_id, root.message_id);
    let answer = |to: &MessageId| {
        Command::Send(Send { reply_to: Some(to.clone()), to: None, ..to_channel("cy", "general") })
    };
    let first = world.message("", answer(&root.message_id));
    let second = world.message("", answer(&first.message_id));
    assert_eq!([&first.thread_id, &second.thread_id], [&root.message_id; 2]);
    assert_eq!(second.reply_to.as_ref(), Some(&first.message_id));
}

#[test]
fn recipients_are_counted_without_the_sender() {
    let mut world = World::with_everyone();
    world.is_online("bo", EntityType::AiAgent);
    world.is_online("cy", EntityType::ClaudeSession);
    world.soft.connected.insert(id("visitor"));
    for (send, online, offline) in [
        (to_channel("bo", "general"), 1, 2),
        (to_channel("ada", "general"), 2, 1),
        (to_channel("visitor", "general"), 2, 2),
        (to_channel("sam", "ai-only"), 2, 0),
        (to_channel("bo", "ai-only"), 1, 1),
        (to_entity("bo", "cy"), 1, 0),
        (to_entity("bo", "ada"), 0, 1),
        (to_entity("bo", "visitor"), 1, 0),
    ] {
        let told = format!("{send:?}");
        let decision = world.decide("", Command::Send(send)).expect("is sent");
        let Answer::Sent(sent) = decision.answer else { panic!("{told}: {decision:?}") };
        assert_eq!(sent[0].recipients, Recipients { online, offline }, "{told}");
    }
}

#[test]
fn a_hub_has_only_so_many_channels() {
    let limits = Limits { channels_max: 7, ..Limits::default() };
    let mut world = World::with_limits(limits);
    for (name, expected) in
        [("one", "ok"), ("two", "invalid_field"), ("one", "ok"), ("general", "ok")]
    {
        assert_eq!(world.code("", Command::Send(to_channel("bo", name))), expected, "{name}");
    }
}

#[test]
fn cursors_never_move_back_nor_past_the_head() {
    let mut world = World::with_everyone();
    for name in ["general", "dev", "general", "ai-only"] {
        world.must("", Command::Send(to_channel("bo", name)));
    }
    let head = world.state.head();
    assert_eq!(head, 8);
    let all = || CursorScope::All;
    let on = |name: &str| CursorScope::Channel(channel(name));
    // Whose, which, up to where; then where all, `general` and direct stand.
    let cases = [
        ("ada", on("general"), 6, Ok((1, 6, 1))),
        ("ada", on("general"), 5, Ok((1, 6, 1))),
        ("ada", CursorScope::Direct, 7, Ok((1, 6, 7))),
        ("ada", CursorScope::Direct, 99, Ok((1, 6, 8))),
        ("ada", all(), 5, Ok((5, 6, 8))),
        ("ada", all(), 7, Ok((7, 7, 8))),
        ("ada", all(), 2, Ok((7, 7, 8))),
        ("ada", on("ai-only"), 8, Err("invalid_field")),
        ("ada", on("never-used"), 8, Err("invalid_field")),
        ("nobody", all(), 8, Err("unknown_entity")),
    ];
    for (name, scope, up_to, expected) in cases {
        let told = format!("{name} {scope:?} {up_to}");
        let command = MoveCursor { entity_id: id(name), scope, up_to };
        let got = world.ask(name, Command::MoveCursor(command)).map_err(|why| why.code());
        let got = got.map(|_| {
            let cursors = world.state.cursors(&id(name)).expect("is registered");
            (cursors.all, cursors.channel(&channel("general")), cursors.direct())
        });
        // The head itself moves on with each event that moves a cursor.
        let got = got.map(|(all, general, direct)| (all, general, direct.min(8)));
        assert_eq!(got, expected, "{told}");
    }
    let of_another = MoveCursor { entity_id: id("ada"), scope: all(), up_to: 8 };
    assert_eq!(world.code("bo", Command::MoveCursor(of_another)), "not_allowed");
}
