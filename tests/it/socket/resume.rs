//! Coming back by `since`: no gap, no repeat, across a restart too.

use coordhub_harness::{Hub, Socket};
use serde_json::{Value, json};

use super::contents;
use crate::support::seq;

/// Reads `count` message frames, which must come in order, and gives their contents and the last `seq`.
async fn read(socket: &mut Socket, count: usize, after: u64) -> (Vec<String>, u64) {
    let (mut read, mut last) = (Vec::new(), after);
    while read.len() < count {
        let frame = socket.next().await.expect("an open socket");
        if frame["type"] == "message" {
            assert!(seq(&frame) > last, "{frame} after {last}");
            last = seq(&frame);
            read.push(frame["message"]["content"].as_str().unwrap().to_owned());
        }
    }
    (read, last)
}

async fn say_numbers(hub: &Hub, numbers: std::ops::Range<u32>) {
    let mut client = hub.client().await;
    for number in numbers {
        let body = json!({ "from_entity": "a", "content": number.to_string() });
        client.send(coordhub_harness::Request::post("/messages/send").json(&body)).await.ok();
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn a_follower_misses_nothing_across_a_restart() {
    let mut hub = Hub::new();
    let path = |since: &str| format!("/ws/ai?notices=none&channels=general&since={since}");
    say_numbers(&hub, 0..20).await;
    let mut socket = hub.socket(&path("0")).await;
    let (first, last) = read(&mut socket, 20, 0).await;
    assert_eq!(first, numbers(0..20));
    say_numbers(&hub, 20..40).await;
    let (live, last) = read(&mut socket, 10, last).await;
    assert_eq!(live, numbers(20..30));
    let epoch = socket.hello()["epoch"].clone();
    socket.close().await;
    say_numbers(&hub, 40..1200).await;
    hub.kill9();
    hub.restart();
    say_numbers(&hub, 1200..1210).await;
    let mut socket = hub.socket(&path(&last.to_string())).await;
    assert_eq!(socket.hello()["epoch"], epoch, "a restart is the same history");
    say_numbers(&hub, 1210..1220).await;
    assert_eq!(read(&mut socket, 1190, last).await.0, numbers(30..1220));
}

#[tokio::test]
async fn without_channels_the_replay_waits_for_the_subscriptions() {
    let hub = Hub::new();
    say_numbers(&hub, 0..10).await;
    let mut socket = hub.socket("/ws/ai?notices=none&since=0").await;
    socket.send(json!({ "type": "subscribe_channel", "channel": "general" })).await;
    socket.send(json!({ "type": "ready" })).await;
    assert_eq!(read(&mut socket, 10, 0).await.0, numbers(0..10));
}

#[tokio::test]
async fn many_messages_before_going_live_while_others_send() {
    let hub = Hub::new();
    say_numbers(&hub, 0..1500).await;
    let mut socket = hub.socket("/ws/ai?notices=none&channels=general&since=0").await;
    let (sent, got) = tokio::join!(say_numbers(&hub, 1500..2000), read(&mut socket, 2000, 0));
    let () = sent;
    assert_eq!(got.0, numbers(0..2000));
}

#[tokio::test]
async fn a_position_of_another_history_is_a_gap() {
    let hub = Hub::new();
    say_numbers(&hub, 0..3).await;
    let epoch = match hub.socket("/ws/ai").await.hello()["epoch"].clone() {
        Value::String(epoch) => epoch,
        epoch => epoch.to_string(),
    };
    let open = |since: String| {
        let path = format!(
            "/ws/ai?notices=none&channels=general&since={}",
            coordhub_harness::encode(&since)
        );
        async { Socket::open(hub.addr(), &{ path }).await }
    };
    let mut same = open(format!("{epoch}:0")).await;
    assert_eq!(read(&mut same, 3, 0).await.0, numbers(0..3));
    for since in [format!("{}:0", swap_one(&epoch)), "1000000".into()] {
        let mut socket = open(since).await;
        let gap = socket.until("gap").await;
        assert_eq!(gap["reason"], "other_history", "{gap}");
        assert!(gap["head_seq"].is_u64() && gap["oldest_seq"].is_u64(), "{gap}");
    }
}

/// Another epoch of the same form.
fn swap_one(epoch: &str) -> String {
    let last = if epoch.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", &epoch[..epoch.len() - 1])
}

#[tokio::test]
async fn a_resumed_socket_shows_nothing_that_its_entity_may_not_read() {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.register("session", "claude_session").await;
    hub.register("anna", "human").await;
    hub.say("ai", "ai-only", "hidden").await;
    hub.post_ok(
        "/messages/send",
        json!({ "from_entity": "ai", "to_entity": "session", "content": "private" }),
    )
    .await;
    hub.say("ai", "general", "end").await;
    for (entity, expected) in [("anna", &[][..]), ("stranger", &[]), ("session", &["private"])] {
        let path = format!("/ws/{entity}?notices=none&channels=general&events=true&since=0");
        let (frames, _) = hub.socket(&path).await.before_content("end").await;
        assert_eq!(contents(&frames), expected, "{entity}");
        let all = Value::from(frames).to_string();
        assert!(!all.contains("hidden") || entity == "session", "{entity}: {all}");
    }
}
