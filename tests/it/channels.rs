//! Private channels: who comes in, what each then sees on every path, and across a restart.
//!
//! That a private channel shows on no other path stands in `policy`.

use coordhub_harness::{Hub, Request, Socket};
use serde_json::{Value, json};

use crate::support::{column, contents, has_members, head, hub_with_everyone, is_time, rows, seq};

async fn create(hub: &Hub, channel: &str, fields: Value) -> Value {
    let mut body = json!({ "entity_id": "ai", "channel": channel });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    hub.post_ok("/channels/create", body).await
}

async fn act(hub: &Hub, channel: &str, verb: &str, entity: &str) -> Value {
    let body = json!({ "entity_id": entity, "members": [] });
    hub.post_ok(&format!("/channels/{channel}/{verb}"), body).await
}

async fn invite(hub: &Hub, channel: &str, by: &str, members: &[&str]) -> Value {
    let body = json!({ "entity_id": by, "members": members });
    hub.post_ok(&format!("/channels/{channel}/invite"), body).await
}

async fn members(hub: &Hub, channel: &str, reader: &str) -> Value {
    hub.get_ok(&format!("/channels/{channel}?entity_id={reader}")).await["members"].clone()
}

/// The row of a channel in the list of one reader.
async fn row(hub: &Hub, channel: &str, reader: &str) -> Option<Value> {
    let list = hub.get_ok(&format!("/channels?entity_id={reader}")).await;
    rows(&list, "channels").iter().find(|row| row["channel"] == channel).cloned()
}

#[tokio::test]
async fn a_private_channel_from_its_making_to_the_last_who_leaves() {
    let hub = hub_with_everyone().await;
    let made = create(&hub, "crew", json!({ "members": ["anna"] })).await;
    assert_eq!((&made["status"], &made["channel"]), (&json!("created"), &json!("crew")));
    assert_eq!(seq(&made), head(&hub).await);
    let details = hub.get_ok("/channels/crew?entity_id=anna").await;
    let list = "channel built_in private may_post messages last_seq unread created_at";
    has_members(&details, &format!("{list} created_by members types"));
    is_time(&details["created_at"]);
    assert_eq!(details["members"], json!(["ai", "anna"]));
    assert_eq!(details["types"], json!([]));
    assert_eq!(details["created_by"], "ai");
    let listed = row(&hub, "crew", "anna").await.expect("listed");
    has_members(&listed, list);
    assert_eq!((&listed["private"], &listed["may_post"]), (&json!(true), &json!(true)));
    for other in ["session", "backup", "stranger"] {
        assert_eq!(row(&hub, "crew", other).await, None, "{other}");
    }

    let joined = invite(&hub, "crew", "anna", &["session", "ai"]).await;
    assert_eq!((&joined["status"], &joined["channel"]), (&json!("invited"), &json!("crew")));
    assert_eq!(members(&hub, "crew", "session").await, json!(["ai", "anna", "session"]));
    let again = invite(&hub, "crew", "session", &["ai"]).await;
    assert_eq!((&again["already"], seq(&again)), (&json!(true), seq(&joined)));
    for (entity, status) in [("anna", "left"), ("session", "left"), ("ai", "left")] {
        assert_eq!(act(&hub, "crew", "leave", entity).await["status"], status);
        assert_eq!(row(&hub, "crew", entity).await, None);
        hub.get(&format!("/channels/crew?entity_id={entity}"))
            .await
            .problem(404, "unknown_channel");
    }
    create(&hub, "other", json!({})).await;
    hub.post("/channels/create", json!({ "entity_id": "ai", "channel": "crew" }))
        .await
        .problem(409, "channel_exists");
}

#[tokio::test]
async fn a_type_opens_the_door_and_joining_makes_one_a_member() {
    let hub = hub_with_everyone().await;
    create(&hub, "lab", json!({ "types": ["claude_session", "service"] })).await;
    hub.say("session", "lab", "hello").await;
    assert_eq!(members(&hub, "lab", "backup").await, json!(["ai"]));
    let body = json!({ "entity_id": "backup", "members": ["anna"] });
    hub.post("/channels/lab/invite", body.clone()).await.problem(403, "not_allowed");
    assert_eq!(act(&hub, "lab", "join", "backup").await["status"], "joined");
    assert_eq!(act(&hub, "lab", "join", "backup").await["already"], true);
    hub.post("/channels/lab/invite", body).await.ok();
    assert_eq!(members(&hub, "lab", "anna").await, json!(["ai", "anna", "backup"]));
    hub.register("another", "service").await;
    assert_eq!(contents(&hub, "/messages/recent?channel=lab&entity_id=another").await, ["hello"]);
}

#[tokio::test]
async fn what_is_refused() {
    let hub = hub_with_everyone().await;
    create(&hub, "crew", json!({})).await;
    let make = |fields: Value| {
        let mut body = json!({ "entity_id": "ai", "channel": "new" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let create = "/channels/create";
    hub.post(create, make(json!({ "entity_id": null }))).await.problem(403, "caller_needed");
    hub.post(create, make(json!({ "entity_id": "stranger" }))).await.problem(404, "unknown_entity");
    hub.post(create, make(json!({ "members": ["stranger"] }))).await.problem(404, "unknown_entity");
    for (field, value) in [
        ("channel", json!(null)),
        ("channel", json!("Not a name")),
        ("members", json!("x y\nz")),
        ("members", json!([1])),
        ("types", json!(["robot"])),
    ] {
        hub.post(create, make(json!({ field: value }))).await.wrong_field(field);
    }
    for name in ["general", "ai-only", "crew"] {
        hub.post(create, make(json!({ "channel": name }))).await.problem(409, "channel_exists");
    }
    let ai = json!({ "entity_id": "ai" });
    hub.post("/channels/general/join", ai.clone()).await.wrong_field("channel");
    hub.post("/channels/general/leave", ai.clone()).await.wrong_field("channel");
    hub.post("/channels/crew/invite", ai).await.wrong_field("members");
    // The name is taken, which cannot be hidden; nothing is written there.
    let body = json!({ "from_entity": "backup", "channel": "crew", "content": "c" });
    let problem = hub.post("/messages/send", body).await.problem(403, "channel_forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("taken"), "{problem}");
    assert!(contents(&hub, "/messages/recent?channel=crew&entity_id=ai").await.is_empty());
}

/// Reads until the message that says so, and gives all that came before it as text.
async fn before(socket: &mut Socket, content: &str) -> String {
    Value::from(socket.before_content(content).await.0).to_string()
}

#[tokio::test]
async fn an_open_socket_sees_it_exactly_while_its_entity_is_a_member() {
    let hub = hub_with_everyone().await;
    let mut sockets = Vec::new();
    for entity in ["session", "backup", "stranger"] {
        // Whoever subscribes to a name before or after it is taken is told the same.
        let path = format!("/ws/{entity}?events=true&channels=general,crew");
        sockets.push(hub.socket(&path).await);
    }
    create(&hub, "crew", json!({})).await;
    for socket in &mut sockets {
        socket.send(json!({ "type": "subscribe_channel", "channel": "crew" })).await;
        assert_eq!(socket.until("subscribed").await["channel"], "crew");
    }
    hub.say("ai", "crew", "before session came").await;
    hub.say("ai", "general", "mark 1").await;
    invite(&hub, "crew", "ai", &["session"]).await;
    hub.say("ai", "crew", "while session is there").await;
    hub.say("ai", "general", "mark 2").await;
    act(&hub, "crew", "leave", "session").await;
    hub.say("ai", "crew", "after session left").await;
    hub.say("ai", "general", "mark 3").await;
    let [session, backup, stranger] = &mut sockets[..] else { panic!("three sockets") };
    // What was shown is shown when it is looked at, so membership is judged then: the socket may be a
    // moment behind. What came while it was no member at either time never shows.
    let shown = before(session, "mark 1").await + &before(session, "mark 2").await;
    assert!(!shown.contains("after session left"), "{shown}");
    let shown = before(session, "mark 3").await;
    assert!(!shown.contains("crew"), "{shown}");
    for socket in [backup, stranger] {
        let shown = before(socket, "mark 3").await;
        assert!(!shown.contains("crew") && !shown.contains("session"), "{shown}");
    }
}

#[tokio::test]
async fn a_member_follows_it_live_and_from_the_past() {
    let mut hub = hub_with_everyone().await;
    create(&hub, "crew", json!({ "members": ["session"] })).await;
    let mut live = hub.socket("/ws/session?events=true&notices=none&channels=general,crew").await;
    hub.say("ai", "crew", "one").await;
    live.find("one", |frame| frame["message"]["content"] == "one").await;
    invite(&hub, "crew", "session", &["anna"]).await;
    let joined = live.until("event").await;
    assert_eq!(joined["kind"], "channel_member_joined");
    assert_eq!(joined["data"], json!({ "channel": "crew", "entity_id": "anna" }));
    assert_eq!(joined["actor"], "session");
    hub.say("ai", "general", "end").await;
    for when in ["live", "after a kill"] {
        if when != "live" {
            hub.kill9();
            hub.restart();
        }
        for (entity, expected) in [("anna", &["one"][..]), ("backup", &[])] {
            let path = format!("/ws/{entity}?events=true&channels=general,crew&since=0");
            let (frames, _) = hub.socket(&path).await.before_content("end").await;
            let said: Vec<_> =
                frames.iter().filter_map(|frame| frame["message"]["content"].as_str()).collect();
            let said: Vec<_> = said.into_iter().filter(|said| *said == "one").collect();
            assert_eq!(said, expected, "{entity}, {when}");
            let kinds = frames.iter().filter_map(|frame| frame["kind"].as_str());
            let kinds = kinds.filter(|kind| kind.starts_with("channel_")).count();
            assert_eq!(kinds, expected.len() * 2, "{entity}, {when}: {frames:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_and_a_long_poll_pass_over_it() {
    let hub = hub_with_everyone().await;
    create(&hub, "crew", json!({ "members": ["session"] })).await;
    let since = head(&hub).await;
    let polls = ["session", "backup"].map(|entity| {
        let path =
            format!("/events?since={since}&wait=60&channels=crew,general&entity_id={entity}");
        let addr = hub.addr();
        tokio::spawn(async move {
            let mut client = coordhub_harness::Client::connect(addr).await;
            client.send(Request::get(&path)).await.ok()
        })
    });
    let open = async |entity: &str| {
        let mut stream = hub.stream(&format!("/events/stream?entity_id={entity}")).await;
        stream.until_id().await;
        stream
    };
    let mut streams = [open("session").await, open("backup").await];
    hub.say("ai", "crew", "hidden").await;
    hub.say("ai", "general", "end").await;
    for (stream, expected) in streams.iter_mut().zip([&["hidden", "end"][..], &["end"]]) {
        for content in expected {
            let event = stream.next().await.expect("an open stream");
            assert_eq!(event.data["data"]["content"], **content);
        }
    }
    for (poll, first) in polls.into_iter().zip(["hidden", "end"]) {
        let found = poll.await.unwrap();
        assert_eq!(found["events"][0]["data"]["content"], first, "{found}");
    }
}

#[tokio::test]
async fn pages_take_in_what_one_may_read_and_nothing_else() {
    let mut hub = hub_with_everyone().await;
    for (channel, members) in [("a", vec!["session"]), ("b", vec!["session"]), ("c", vec![])] {
        create(&hub, channel, json!({ "members": members })).await;
    }
    let (mut all, mut public, mut seqs) = (Vec::new(), Vec::new(), Vec::new());
    for nth in 0..6 {
        for channel in ["general", "a", "c", "b", "ai-only"] {
            let content = format!("{channel}{nth}");
            seqs.push((hub.say("ai", channel, &content).await, content.clone()));
            if channel != "c" {
                all.push(content.clone());
            }
            if channel == "general" {
                public.push(content);
            }
        }
    }
    let at = |content: &str| seqs.iter().find(|(_, said)| said == content).unwrap().0;
    for when in ["at once", "after a kill"] {
        if when != "at once" {
            hub.kill9();
            hub.restart();
        }
        for path in ["/messages/recent?entity_id=session", "/messages/for/session?x="] {
            let get = async |query: &str| contents(&hub, &format!("{path}&{query}")).await;
            assert_eq!(get("limit=1000").await, all, "{when}");
            assert_eq!(get("limit=5").await, all[all.len() - 5..], "{when}");
            let after = format!("limit=5&after={}", at("b1"));
            assert_eq!(get(&after).await, all[7..12], "{path} {when}");
            if path.contains("recent") {
                let before = format!("limit=5&before={}", at("b3"));
                assert_eq!(get(&before).await, all[9..14], "{when}");
                assert_eq!(get("notices=true&limit=5").await, all[all.len() - 5..], "{when}");
            }
        }
        assert_eq!(contents(&hub, "/messages/recent?entity_id=anna").await, public, "{when}");
        assert_eq!(contents(&hub, "/messages/for/anna").await, public, "{when}");
    }
}

#[tokio::test]
async fn unread_counts_begin_where_one_joins() {
    let hub = hub_with_everyone().await;
    create(&hub, "crew", json!({ "members": ["session"] })).await;
    hub.say("ai", "crew", "one").await;
    invite(&hub, "crew", "ai", &["anna"]).await;
    let last = hub.say("ai", "crew", "two").await;
    for (entity, unread, of_it) in [("session", 2, &["one", "two"][..]), ("anna", 1, &["two"])] {
        assert_eq!(row(&hub, "crew", entity).await.expect("listed")["unread"], unread);
        let path = format!("/messages/for/{entity}?unread=true");
        assert_eq!(contents(&hub, &path).await, of_it, "{entity}");
    }
    assert_eq!(contents(&hub, "/messages/for/anna").await, ["one", "two"]);
    let mark = json!({ "up_to": last, "channel": "crew" });
    hub.post_ok("/messages/for/anna/ack", mark.clone()).await;
    assert_eq!(row(&hub, "crew", "anna").await.expect("listed")["unread"], 0);
    hub.post("/messages/for/backup/ack", mark).await.wrong_field("channel");
}

#[tokio::test]
async fn receipts_and_roll_calls_are_those_of_its_readers() {
    let hub = hub_with_everyone().await;
    create(&hub, "crew", json!({ "members": ["session", "anna"] })).await;
    let send = async |ack: bool| {
        let body =
            json!({ "from_entity": "ai", "channel": "crew", "content": "c", "ack_required": ack });
        let sent = hub.post_ok("/messages/send", body).await;
        let (online, offline) = (&sent["recipients"]["online"], &sent["recipients"]["offline"]);
        assert_eq!(online.as_u64().unwrap() + offline.as_u64().unwrap(), 2, "{sent}");
        sent["message_id"].as_str().unwrap().to_owned()
    };
    let (call, plain) = (send(true).await, send(false).await);
    invite(&hub, "crew", "ai", &["backup"]).await;
    for message in [&call, &plain] {
        let path = format!("/messages/{message}/receipts?entity_id=backup");
        let recipients = hub.get_ok(&path).await["recipients"].clone();
        let ids: Vec<_> = recipients.as_array().unwrap().iter().map(|r| &r["entity_id"]).collect();
        assert_eq!(ids, ["anna", "session"], "who came later was no recipient");
    }
    let owed = async |entity: &str| {
        let attention = hub.get_ok(&format!("/entities/{entity}/attention")).await;
        attention["acks_owed"].as_array().unwrap().len()
    };
    assert_eq!((owed("anna").await, owed("backup").await), (1, 0));
    // Who has left is asked for nothing that it cannot see.
    act(&hub, "crew", "leave", "anna").await;
    assert_eq!(owed("anna").await, 0);
    hub.post(&format!("/messages/{call}/ack"), json!({ "entity_id": "anna" })).await.refusal(404);
    let reply = json!({ "from_entity": "anna", "content": "r", "reply_to": call });
    hub.post("/messages/send", reply).await.problem(404, "unknown_message");
}

#[tokio::test]
async fn members_come_back_with_the_hub_and_do_not_pass_on_a_name() {
    let mut hub = hub_with_everyone().await;
    create(&hub, "crew", json!({ "members": ["session", "anna"], "types": ["service"] })).await;
    hub.say("ai", "crew", "hidden").await;
    hub.delete("/entities/anna?entity_id=anna").await.ok();
    hub.register("anna", "human").await;
    for when in ["at once", "after a kill"] {
        if when != "at once" {
            hub.kill9();
            hub.restart();
        }
        assert_eq!(members(&hub, "crew", "backup").await, json!(["ai", "session"]), "{when}");
        hub.get("/channels/crew?entity_id=anna").await.problem(404, "unknown_channel");
        let seen = hub.get_ok("/messages/recent?channel=crew&entity_id=session").await;
        assert_eq!(column(&seen, "messages", "content"), ["hidden"], "{when}");
        assert!(contents(&hub, "/messages/recent?channel=crew&entity_id=anna").await.is_empty());
    }
}

#[tokio::test]
async fn over_a_socket_the_same_calls() {
    let hub = hub_with_everyone().await;
    let mut socket = hub.socket("/ws/ai").await;
    let made =
        socket.call("channels.create", json!({ "channel": "crew", "types": ["human"] })).await;
    assert_eq!((&made["status"], &made["body"]["status"]), (&json!(200), &json!("created")));
    let args = json!({ "channel": "crew", "members": ["session"] });
    assert_eq!(socket.call("channels.invite", args).await["body"]["status"], "invited");
    let mut anna = hub.socket("/ws/anna").await;
    let crew = json!({ "channel": "crew" });
    assert_eq!(anna.call("channels.join", crew.clone()).await["body"]["status"], "joined");
    assert_eq!(socket.call("channels.leave", crew.clone()).await["body"]["status"], "left");
    let hidden = socket.call("channels.join", crew).await;
    assert_eq!(
        (&hidden["status"], &hidden["body"]["code"]),
        (&json!(404), &json!("unknown_channel"))
    );
    let message = json!({ "type": "message", "message": { "channel": "crew", "content": "c" } });
    socket.send(message).await;
    assert_eq!(socket.until("error").await["code"], "channel_forbidden");
    assert_eq!(members(&hub, "crew", "anna").await, json!(["anna", "session"]));
}
