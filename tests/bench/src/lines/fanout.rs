//! Fan-out, beside tokio-tungstenite alone; and with a socket that takes nothing.

use std::io;

use coordhub_server::bench::{
    CHANNEL, Run,
    fanout::{self, Fanout},
    finding::Finding,
    http::{Connection, number_after, post},
    load,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{Bench, a_send, p99_millis, rate};
use crate::{
    ceiling::{CeilingArgs, Kind},
    table::{Line, Wanted},
};

const SOCKETS: usize = 1_000;
const BY_ONE: Fanout = Fanout { sockets: SOCKETS, senders: 1, rate: None };
const BY_MANY: Fanout = Fanout { sockets: SOCKETS, senders: 16, rate: None };
const PACED: Fanout = Fanout { sockets: SOCKETS, senders: 1, rate: Some(100) };

/// What a frame has around the message.
const FRAME: &str = r#"{"type":"message","seq":1000000,"message":}"#;

pub(super) async fn lines(bench: &mut Bench) -> io::Result<()> {
    if !bench.wants("fanout") && !bench.wants("stalled") {
        return Ok(());
    }
    let hub = bench.hub()?;
    let run = bench.on(&hub)?;
    if bench.wants("fanout") {
        beside_bare(bench, &run).await?;
    }
    if bench.wants("stalled") {
        stalled(bench, &run).await?;
    }
    Ok(())
}

async fn beside_bare(bench: &mut Bench, run: &Run) -> io::Result<()> {
    let mut connection = Connection::open(run.authority()).await?;
    let reply = connection.expect_ok(&a_send(run)).await?;
    let reply_bytes = reply.len();
    // The message stands in the reply, too.
    let message: serde_json::Value = serde_json::from_slice(reply)?;
    let frame_bytes = message["message"].to_string().len() + FRAME.len();
    let bare = |kind| CeilingArgs::new(kind, reply_bytes, frame_bytes).start();
    let (single, joined) = (bare(Kind::Sockets)?, bare(Kind::Joined)?);
    let (single, joined) = (bench.run(single.target()), bench.run(joined.target()));
    let one = "1 sender to 1,000 sockets";
    let works = [
        (one, BY_ONE, &single, "bare tungstenite, no disk"),
        ("16 senders to 1,000 sockets", BY_MANY, &joined, "bare tungstenite, joined"),
    ];
    for (work, fanout, ceiling, beside) in works {
        let pairs = bench
            .pairs(
                work,
                async || fanout::run(run, "hub", fanout).await,
                async || fanout::run(ceiling, "bare", fanout).await,
                rate,
            )
            .await?;
        let (work, share, wanted) = (work.to_owned(), pairs.share, Wanted::AtLeast(0.50));
        bench.line(Line { work, unit: "deliveries/s", share, beside, wanted });
    }
    let work = format!("{one}, 100 messages/s, 99th percentile");
    let pairs = bench
        .pairs(
            &work,
            async || fanout::run(run, "hub", PACED).await,
            async || fanout::run(&single, "bare", PACED).await,
            p99_millis,
        )
        .await?;
    let (share, wanted) = (pairs.share, Wanted::AtMost(2.0));
    bench.line(Line { work, unit: "ms", share, beside: "bare tungstenite, no disk", wanted });
    Ok(())
}

/// The same fan-out with a further socket that takes nothing, and without it.
async fn stalled(bench: &mut Bench, run: &Run) -> io::Result<()> {
    let work = "a stalled socket beside 1,000".to_owned();
    let pairs = bench
        .pairs(
            &work,
            async || {
                let stalled = stall(run).await?;
                let finding: Finding = fanout::run(run, "stalled", BY_ONE).await?;
                drop(stalled);
                Ok(finding)
            },
            async || fanout::run(run, "undisturbed", BY_ONE).await,
            rate,
        )
        .await?;
    let (share, wanted) = (pairs.share, Wanted::NotBelow(0.85));
    bench.line(Line { work, unit: "deliveries/s", share, beside: "undisturbed", wanted });
    Ok(())
}

/// A socket that took its hello and then nothing more, with more on its way than the system keeps for it.
async fn stall(run: &Run) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    let address = run.authority().parse().map_err(io::Error::other)?;
    let mut stream = socket.connect(address).await?;
    let request = format!(
        "GET /ws/bench-stalled?notices=none&channels={CHANNEL} HTTP/1.1\r\nHost: {address}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: Y29vcmRodWItYmVuY2gtMQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut said = Vec::new();
    while number_after(&said, b"\"head_seq\":").is_none() {
        if stream.read_buf(&mut said).await? == 0 {
            return Err(io::Error::other("the hub did not open a socket"));
        }
    }
    let mut connection = Connection::open(run.authority()).await?;
    let content = "x".repeat(200 << 10);
    let large = json!({ "from_entity": "bench-large", "channel": CHANNEL, "content": content });
    let request = post(run.authority(), "/messages/send", &large);
    for _ in 0..40 {
        connection.expect_ok(&request).await?;
    }
    // What is sent next is what the load sends.
    connection.expect_ok(&load::send_request(run.authority(), "bench-0", "and on")).await?;
    Ok(stream)
}
