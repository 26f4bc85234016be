//! Presence frames. That somebody left takes minutes to be found out; the core's tests have a clock for that.

use std::time::Instant;

use super::*;

/// The next presence frame.
async fn told(socket: &mut Socket) -> Value {
    let frame = socket.until("presence").await;
    has_members(&frame, "entity_id status activity last_seen");
    assert!(frame.get("seq").is_none(), "{frame}");
    is_time(&frame["last_seen"]);
    frame
}

/// Waits until the socket is told just that.
async fn until_told(socket: &mut Socket, entity: &str, status: &str, activity: Value) {
    let wanted = (json!(entity), json!(status), activity);
    loop {
        let frame = told(socket).await;
        if (&frame["entity_id"], &frame["status"], &frame["activity"])
            == (&wanted.0, &wanted.1, &wanted.2)
        {
            return;
        }
    }
}

async fn says(hub: &Hub, entity: &str, activity: &str) {
    hub.post_ok(&format!("/entities/{entity}/heartbeat"), json!({ "activity": activity })).await;
}

#[tokio::test]
async fn who_comes_is_doing_what_and_is_removed() {
    let hub = Hub::new();
    let mut watcher = hub.socket("/ws/watcher?presence=true").await;
    hub.register("ai", "ai_agent").await;
    until_told(&mut watcher, "ai", "online", json!(null)).await;
    let head = hub.get_ok("/state").await["head_seq"].clone();
    says(&hub, "ai", "reading <b>\"x\"</b>").await;
    until_told(&mut watcher, "ai", "online", json!("reading <b>\"x\"</b>")).await;
    says(&hub, "ai", "").await;
    until_told(&mut watcher, "ai", "online", json!(null)).await;
    assert_eq!(hub.get_ok("/state").await["head_seq"], head, "presence is no event");
    hub.delete("/entities/ai?entity_id=ai").await.ok();
    until_told(&mut watcher, "ai", "offline", json!(null)).await;
}

#[tokio::test]
async fn whoever_registers_over_an_open_socket_sees_itself_come() {
    let hub = Hub::new();
    let mut ai = hub.socket("/ws/ai?presence=true&notices=none").await;
    hub.register("ai", "ai_agent").await;
    until_told(&mut ai, "ai", "online", json!(null)).await;
}

#[tokio::test]
async fn the_latest_wins_and_comes_at_most_once_a_second() {
    let hub = hub_with_everyone().await;
    let begun = Instant::now();
    let mut watcher = hub.socket("/ws/anna?presence=true&notices=none").await;
    for n in 0..200 {
        says(&hub, "ai", &format!("step {n}")).await;
    }
    let mut frames = 1;
    while told(&mut watcher).await["activity"] != "step 199" {
        frames += 1;
    }
    // Nobody else changed: everyone is online since the registration.
    assert!(frames <= begun.elapsed().as_secs(), "{frames} in {:?}", begun.elapsed());
}

#[tokio::test]
async fn only_those_who_asked_are_told() {
    let hub = hub_with_everyone().await;
    let mut watcher = hub.socket("/ws/anna?presence=true").await;
    let mut others = Vec::new();
    for query in ["", "?presence=false", "?events=true&since=0&channels=general"] {
        others.push(hub.socket(&format!("/ws/session{query}")).await);
    }
    says(&hub, "ai", "thinking").await;
    until_told(&mut watcher, "ai", "online", json!("thinking")).await;
    hub.say("ai", "urgent", "end").await;
    for other in &mut others {
        let (frames, _) = other.before_content("end").await;
        assert!(frames.iter().all(|frame| frame["type"] != "presence"), "{frames:?}");
    }
    let refused = Socket::try_open(hub.addr(), "/ws/anna?presence=some", &[]).await;
    assert_eq!(refused.err(), Some(422));
}
