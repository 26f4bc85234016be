//! Memory of a hub that does nothing, and of a socket that waits.

use std::io;

use coordhub_server::bench::{Run, finding::Finding, rest, socket::Socket};

use super::Bench;
use crate::{
    ceiling::{CeilingArgs, Kind},
    pairs::Share,
    table::{Line, Wanted},
};

/// The first sockets bring what a process takes once.
const FIRST: usize = 500;
const SOCKETS: usize = 2_000;
const KIB: f64 = 1_024.0;

pub(super) async fn lines(bench: &mut Bench) -> io::Result<()> {
    if !bench.wants("memory") {
        return Ok(());
    }
    // Memory that was given back is taken again without a trace, so each look is at a process of its own.
    let (mut idle, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..bench.args.pairs {
        let hub = bench.hub()?;
        let run = bench.on(&hub)?;
        let idle_bytes = run.target.resident_bytes().unwrap_or(0);
        let bare = CeilingArgs::new(Kind::Sockets, 0, 0).start()?;
        let bare = (bench.run(bare.target()), bare);
        let (hub_first, bare_first) = (open(&run).await?, open(&bare.0).await?);
        let this = rest::idle_sockets(&run, "hub", SOCKETS).await?;
        let that = rest::idle_sockets(&bare.0, "bare", SOCKETS).await?;
        drop((hub_first, bare_first));
        let figure = |finding: &Finding, name| finding.get(name).unwrap_or(0.0) / KIB;
        sockets.push((figure(&this, "bytes_a_socket"), figure(&that, "bytes_a_socket")));
        idle.push((idle_bytes as f64 / KIB / KIB, 0.0));
    }
    bench.line(Line {
        work: "an idle socket".into(),
        unit: "KiB",
        share: Share::of(&sockets),
        beside: "bare tungstenite",
        wanted: Wanted::AtMost(1.25),
    });
    bench.line(Line {
        work: "an idle hub".into(),
        unit: "MiB",
        share: Share::of(&idle),
        beside: "",
        wanted: Wanted::Under(30.0),
    });
    Ok(())
}

async fn open(run: &Run) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for index in 0..FIRST {
        let path = format!("/ws/first-{index}?notices=none");
        sockets.push(Socket::open(run.authority(), &path).await?);
    }
    Ok(sockets)
}
