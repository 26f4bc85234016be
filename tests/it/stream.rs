//! `GET /events/stream`: the log as server-sent events.

use coordhub_harness::{Client, Hub, Request, Stream, WAIT_MAX};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::hub_with_everyone;

async fn say_numbers(hub: &Hub, numbers: std::ops::Range<u32>) {
    let mut client = hub.client().await;
    for number in numbers {
        let body = json!({ "from_entity": "a", "content": number.to_string() });
        client.send(Request::post("/messages/send").json(&body)).await.ok();
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Reads `count` messages, which must come in order; gives what they say.
async fn read(stream: &mut Stream, count: usize) -> Vec<String> {
    let mut read = Vec::new();
    let mut last = 0;
    while read.len() < count {
        let event = stream.next().await.expect("an open stream");
        let seq = event.data["seq"].as_u64().unwrap();
        assert!(seq > last, "{event:?} after {last}");
        last = seq;
        assert!(event.id.ends_with(&format!(":{seq}")), "{event:?}");
        assert_eq!(event.data["kind"], event.event.as_str());
        read.push(event.data["data"]["content"].as_str().unwrap().to_owned());
    }
    read
}

async fn resumed(hub: &Hub, last_id: &str) -> Stream {
    // A browser comes back at the address it first asked at.
    Stream::open(hub.addr(), "/events/stream?since=0", &[("Last-Event-ID", last_id)]).await
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_across_a_restart() {
    let mut hub = Hub::new();
    say_numbers(&hub, 0..20).await;
    let mut stream = hub.stream("/events/stream?since=0").await;
    assert_eq!(read(&mut stream, 20).await, numbers(0..20));
    let (sent, live) = tokio::join!(say_numbers(&hub, 20..60), read(&mut stream, 40));
    let () = sent;
    assert_eq!(live, numbers(20..60));
    let last_id = stream.last_id().to_owned();
    drop(stream);
    say_numbers(&hub, 60..1200).await;
    hub.kill9();
    hub.restart();
    let mut stream = resumed(&hub, &last_id).await;
    let (sent, rest) = tokio::join!(say_numbers(&hub, 1200..1220), read(&mut stream, 1160));
    let () = sent;
    assert_eq!(rest, numbers(60..1220));
}

#[tokio::test]
async fn it_begins_with_what_comes_next_and_says_from_where() {
    let hub = Hub::new();
    say_numbers(&hub, 0..3).await;
    let mut stream = hub.stream("/events/stream").await;
    let head = stream.head();
    for line in
        ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"]
    {
        assert!(head.contains(line), "{head}");
    }
    stream.until_id().await;
    assert!(stream.last_id().ends_with(":3"), "{}", stream.last_id());
    let last_id = stream.last_id().to_owned();
    drop(stream);
    say_numbers(&hub, 3..5).await;
    assert_eq!(read(&mut resumed(&hub, &last_id).await, 2).await, numbers(3..5));
}

#[tokio::test]
async fn a_position_of_another_history_is_a_gap() {
    let hub = Hub::new();
    say_numbers(&hub, 0..3).await;
    for last_id in ["another:1", "1000000"] {
        let mut stream = resumed(&hub, last_id).await;
        let gap = stream.next().await.unwrap();
        assert_eq!(gap.event, "gap");
        assert_eq!(gap.data, json!({ "reason": "other_history", "oldest_seq": 1, "head_seq": 3 }));
        assert!(gap.id.ends_with(":3"), "{gap:?}");
    }
}

#[tokio::test]
async fn what_is_asked_for_wrongly() {
    let hub = Hub::new();
    let get = Request::get("/events/stream");
    hub.send(get.clone().header("Last-Event-ID", "x:y")).await.wrong_field("Last-Event-ID");
    hub.get("/events/stream?since=-1").await.wrong_field("since");
    hub.get("/events/stream?kinds=nothing").await.wrong_field("kinds");
}

#[tokio::test]
async fn kinds_and_channels_narrow_it() {
    let hub = hub_with_everyone().await;
    hub.task("a task").await;
    hub.say("ai", "technical", "not this").await;
    hub.say("ai", "general", "this").await;
    let path = "/events/stream?since=0&channels=general&kinds=task_created,message_sent";
    let mut stream = hub.stream(path).await;
    let first = stream.next().await.unwrap();
    assert_eq!(
        (first.event.as_str(), &first.data["data"]["task"]["title"]),
        ("task_created", &json!("a task"))
    );
    assert_eq!(stream.next().await.unwrap().data["data"]["content"], "this");
}

#[tokio::test]
async fn it_ends_when_the_hub_stops_or_its_reader_is_removed() {
    let mut hub = hub_with_everyone().await;
    let mut anna = hub.stream("/events/stream?entity_id=anna&kinds=message_sent").await;
    let mut other = hub.stream("/events/stream?kinds=message_sent").await;
    anna.until_id().await;
    other.until_id().await;
    let remove = Request::new("DELETE", "/entities/anna").header("X-Entity-Id", "anna");
    hub.send(remove).await.ok();
    assert_eq!(anna.next().await, None);
    let stopping = tokio::task::spawn_blocking(move || hub.terminate());
    assert_eq!(other.next().await, None);
    assert_eq!(stopping.await.unwrap().code(), Some(0));
}

/// The hub's memory does not grow with what a reader does not take, and nobody waits for it.
#[tokio::test]
async fn a_reader_that_takes_nothing_holds_up_nobody() {
    let hub =
        Hub::start(coordhub_harness::HubOptions::default().arg("--monitor").arg("127.0.0.1:0"));
    let mut deaf = tokio::net::TcpStream::connect(hub.addr()).await.unwrap();
    let request = format!("GET /events/stream HTTP/1.1\r\nHost: {}\r\n\r\n", hub.addr());
    deaf.write_all(request.as_bytes()).await.unwrap();
    while hub.metrics().await.get("coordhub_streams", "") < 1.0 {}
    let mut client: Client = hub.client().await;
    let content = "x".repeat(200_000);
    // More than the window holds, and more than the buffers of a connection.
    for _ in 0..100 {
        let body = json!({ "from_entity": "a", "content": content });
        client.send(Request::post("/messages/send").json(&body)).await.ok();
    }
    let metrics = hub.metrics().await;
    assert_eq!(metrics.get("coordhub_head_seq", ""), 100.0);
    assert!(metrics.get("coordhub_follower_lag_events", "") > 50.0);
    drop(deaf);
    let gone = async { while hub.metrics().await.get("coordhub_streams", "") > 0.0 {} };
    tokio::time::timeout(WAIT_MAX, gone).await.expect("the hub notices");
    assert_eq!(hub.metrics().await.get("coordhub_follower_lag_events", ""), 0.0);
}
