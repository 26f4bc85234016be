//! Streams that fall silent, break off in the middle of an event, or say what they said before. Time is the test's.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::super::Client;
use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// A server that gives each connection the next of these texts, and closes it where the text ends with `EOF`. What the
/// connections asked for comes by the channel.
async fn server(script: &'static [&'static str]) -> (String, UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, asked) = unbounded_channel();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for text in script {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let head = read_head(&mut stream).await;
            tell.send(head.lines().next().unwrap_or_default().to_owned()).expect("a test");
            let (says, closes) = match text.strip_suffix("EOF") {
                Some(says) => (says, true),
                None => (*text, false),
            };
            stream.write_all(format!("{HEAD}{says}").as_bytes()).await.expect("a client");
            kept.extend((!closes).then_some(stream));
        }
        std::future::pending::<()>().await;
    });
    (url, asked)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut bytes).await.expect("a client"), 0);
    }
    String::from_utf8(bytes).expect("text")
}

async fn seqs(events: &mut Events, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        for item in events.batch().await.expect("a stream") {
            match item {
                Item::Event(event) => seqs.push(event.seq()),
                Item::Gap(gap) => panic!("{gap:?}"),
            }
        }
    }
    seqs
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_or_falls_silent_is_taken_up_where_it_was() {
    let (url, mut asked) = server(&[
        "id: e:1\n\nid: e:2\nevent: a\ndata: {}\n\nid: e:3\nevent: a\nda",
        "id: e:2\nevent: a\ndata: {}\n\nid: e:3\nevent: a\ndata: {}\n\nid: e:9\n\nid: e:10\nevent: a\ndata: cutEOF",
        "id: e:10\nevent: a\ndata: {}\n\n",
    ])
    .await;
    let hub = Client::builder(url).build().expect("a client");
    let mut events = hub.events(Wanted::since(0).kinds(["a", "b"]));
    assert_eq!(seqs(&mut events, 3).await, [2, 3, 10]);
    assert_eq!(events.position().as_deref(), Some("e:10"));
    for since in ["0", "e%3A2", "e%3A9"] {
        let expected = format!("GET /events/stream?since={since}&kinds=a%2Cb HTTP/1.1");
        assert_eq!(asked.recv().await, Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn gaps_are_told_and_followed_on() {
    let (url, _asked) = server(&[
        "id: e:7\nevent: gap\ndata: {\"reason\":\"pruned\",\"oldest_seq\":8,\"head_seq\":9}\n\nid: e:8\nevent: a\ndata: {}\n\nEOF",
        "id: f:1\nevent: gap\ndata: {\"reason\":\"other_history\",\"oldest_seq\":1,\"head_seq\":1}\n\nid: f:2\nevent: a\ndata: {}\n\n",
    ])
    .await;
    let hub = Client::builder(url).build().expect("a client");
    let mut told = Vec::new();
    let mut events = hub.events(Wanted::since(3));
    while told.len() < 4 {
        for item in events.batch().await.expect("a stream") {
            told.push(match item {
                Item::Event(event) => event.seq().to_string(),
                Item::Gap(gap) => format!("{:?} {} {}", gap.reason, gap.epoch, gap.head_seq),
            });
        }
    }
    assert_eq!(told, ["Pruned e 9", "8", "OtherHistory f 1", "2"]);
}

/// Waits for a moment only, again and again; whether something came.
async fn in_moments(events: &mut Events, moments: usize) -> bool {
    for _ in 0..moments {
        match timeout(Duration::from_secs(1), events.batch()).await {
            Err(_) => {}
            Ok(batch) => return !batch.expect("a stream").is_empty(),
        }
    }
    false
}

#[tokio::test(start_paused = true)]
async fn silence_is_noticed_by_whoever_looks_for_a_moment_only() {
    let (url, _asked) = server(&[
        "id: e:1\nevent: a\ndata: {}\n\n",
        "id: e:2\nevent: a\ndata: {}\n\n",
        "id: e:3\nevent: a\ndata: {}\n\n",
    ])
    .await;
    let hub = Client::builder(url).build().expect("a client");
    let mut events = hub.events(Wanted::since(0));
    assert!(in_moments(&mut events, 5).await);
    assert!(!in_moments(&mut events, 40).await, "a hub may be silent for a while");
    assert!(in_moments(&mut events, 20).await);
    assert_eq!(events.position().as_deref(), Some("e:2"));
    // Who was away looks a second time before coming back.
    sleep_until(Instant::now() + Duration::from_secs(600)).await;
    assert!(!in_moments(&mut events, 3).await);
    assert!(in_moments(&mut events, 10).await);
    assert_eq!(events.position().as_deref(), Some("e:3"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_its_time_is_made_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, mut asked) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let tell = tell.clone();
            tokio::spawn(async move {
                tell.send(read_head(&mut stream).await).expect("a test");
                sleep_until(Instant::now() + Duration::from_secs(3)).await;
                let says = format!("{HEAD}id: e:1\nevent: a\ndata: {{}}\n\n");
                stream.write_all(says.as_bytes()).await.expect("a client");
                std::future::pending::<()>().await;
            });
        }
    });
    let hub = Client::builder(url).build().expect("a client");
    let mut events = hub.events(Wanted::since(0));
    assert!(in_moments(&mut events, 20).await);
    assert!(asked.recv().await.is_some() && asked.try_recv().is_err());
}
