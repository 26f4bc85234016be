//! Requests: sends, calls, cycles, heartbeats and reads, beside hyper alone.

use std::io;

use coordhub_server::bench::{
    Run, calls, cycles, fill, finding::grouped, http, load, workload::Own,
};
use serde_json::json;

use super::{Bench, Claim, a_send, p99_millis, rate, reply_bytes};
use crate::{
    ceiling::{CeilingArgs, Kind},
    pairs::Share,
    table::{Line, Wanted},
};

/// The frame that a socket gets is of no matter to these.
const NO_FRAME: usize = 0;

pub(super) async fn lines(bench: &mut Bench) -> io::Result<()> {
    let hub = bench.hub()?;
    if bench.wants("send") {
        sends(bench, &hub).await?;
    }
    if bench.wants("call") {
        calls(bench, &hub).await?;
    }
    if bench.wants("cycle") {
        cycles(bench, &hub).await?;
    }
    if bench.wants("heartbeat") {
        heartbeats(bench, &hub).await?;
    }
    if bench.wants("recent") {
        recent(bench, &hub).await?;
    }
    Ok(())
}

async fn sends(bench: &mut Bench, hub: &Own) -> io::Result<()> {
    let run = bench.on(hub)?;
    let size = reply_bytes(&run, &a_send(&run)).await?;
    let hyper = CeilingArgs::new(Kind::Http, size, NO_FRAME).start()?;
    let bare = bench.run(hyper.target());
    for (connections, wanted) in [(64, 0.50), (16, 0.30), (256, 0.55)] {
        let claim = Claim {
            work: format!("send, {connections} connections"),
            unit: "messages/s",
            beside: "bare hyper",
            wanted: Wanted::AtLeast(wanted),
        };
        let pairs = bench
            .compare(
                claim,
                async || load::sends(&run, "send", connections).await,
                async || load::sends(&bare, "hyper", connections).await,
            )
            .await?;
        if connections == 64 {
            bench.line(Line {
                work: "send, 64 connections, 99th percentile".into(),
                unit: "ms",
                share: pairs.by(p99_millis),
                beside: "bare hyper",
                wanted: Wanted::Under(10.0),
            });
        }
    }
    let folder = bench.folder()?;
    let syncing = CeilingArgs::new(Kind::Http, size, NO_FRAME)
        .syncing(folder.path().join("synced"))
        .start()?;
    let synced = bench.run(syncing.target());
    let claim = Claim {
        work: "send, 1 connection".to_owned(),
        unit: "messages/s",
        beside: "bare hyper + fdatasync",
        wanted: Wanted::AtLeast(0.60),
    };
    bench
        .compare(
            claim,
            async || load::sends(&run, "send", 1).await,
            async || load::sends(&synced, "hyper", 1).await,
        )
        .await?;
    Ok(())
}

async fn calls(bench: &mut Bench, hub: &Own) -> io::Result<()> {
    let run = bench.on(hub)?;
    let claim = Claim {
        work: "send by call, 64 sockets, 8 in flight".to_owned(),
        unit: "messages/s",
        beside: "send, 64 connections",
        wanted: Wanted::AtLeast(1.5),
    };
    bench
        .compare(
            claim,
            async || calls::run(&run, "call", 64, 8).await,
            async || load::sends(&run, "send", 64).await,
        )
        .await?;
    Ok(())
}

async fn cycles(bench: &mut Bench, hub: &Own) -> io::Result<()> {
    let run = bench.on(hub)?;
    let create = http::post(run.authority(), "/tasks/create", &json!({ "title": "Load" }));
    let size = reply_bytes(&run, &create).await?;
    let hyper = CeilingArgs::new(Kind::Http, size, NO_FRAME).start()?;
    let bare = bench.run(hyper.target());
    let claim = Claim {
        work: "create, claim, complete, 16 workers".to_owned(),
        unit: "requests/s",
        beside: "bare hyper, 16 connections",
        wanted: Wanted::AtLeast(0.30),
    };
    bench
        .compare(
            claim,
            async || {
                let mut finding = cycles::own_tasks(&run.again(), "cycle", 16).await?;
                finding.rate = Some((finding.per_second() * 3.0, "requests"));
                Ok(finding)
            },
            async || load::sends(&bare, "hyper", 16).await,
        )
        .await?;
    Ok(())
}

async fn heartbeats(bench: &mut Bench, hub: &Own) -> io::Result<()> {
    let run = bench.on(hub)?;
    load::register(&run, 64).await?;
    let beat = http::post(run.authority(), "/entities/bench-0/heartbeat", &json!({}));
    let size = reply_bytes(&run, &beat).await?;
    let hyper = CeilingArgs::new(Kind::Http, size, NO_FRAME).start()?;
    let bare = bench.run(hyper.target());
    let claim = Claim {
        work: "heartbeat, 64 connections".to_owned(),
        unit: "requests/s",
        beside: "bare hyper",
        wanted: Wanted::AtLeast(0.75),
    };
    bench
        .compare(
            claim,
            async || load::heartbeats(&run, "heartbeat", 64).await,
            // The same requests, whose registrations are answered like all else.
            async || load::heartbeats(&bare, "hyper", 64).await,
        )
        .await?;
    Ok(())
}

async fn recent(bench: &mut Bench, large: &Own) -> io::Result<()> {
    const PATH: &str = "/messages/recent?limit=50";
    let run = bench.on(large)?;
    let progress = bench.progress.clone();
    progress.watch("messages", fill::messages(&run, bench.args.messages)).await?;
    let size = run.get(PATH).await?.len();
    let hyper = CeilingArgs::new(Kind::Http, size, NO_FRAME).start()?;
    let bare = bench.run(hyper.target());
    let lane = |run: &Run| vec![vec![http::get(run.authority(), PATH)]; 16];
    let work = format!("recent, {} stored", grouped(bench.args.messages as f64));
    let pairs = bench
        .pairs(
            &work,
            async || load::closed(&run, "recent", "reads", lane(&run)).await,
            async || load::closed(&bare, "hyper", "reads", lane(&bare)).await,
            rate,
        )
        .await?;
    let share = pairs.share;
    let wanted = Wanted::AtLeast(0.50);
    bench.line(Line { work, unit: "reads/s", share, beside: "bare hyper, that body", wanted });

    let few = bench.hub()?;
    let small = bench.on(&few)?;
    fill::messages(&small, 1_000).await?;
    let work = format!("recent, {} stored", grouped(bench.args.messages as f64));
    let pairs = bench
        .pairs(
            &work,
            async || load::closed(&run, "many", "reads", lane(&run)).await,
            async || load::closed(&small, "few", "reads", lane(&small)).await,
            rate,
        )
        .await?;
    let share: Share = pairs.share;
    let wanted = Wanted::NotBelow(0.80);
    bench.line(Line { work, unit: "reads/s", share, beside: "recent, 1,000 stored", wanted });
    Ok(())
}
