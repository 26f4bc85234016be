//! What tokens cost, and what a flood costs those who do not flood.

use std::io;

use coordhub_server::bench::{
    Run,
    flood::{self, Beside},
    load,
    workload::Own,
};

use super::{Bench, Claim, p99_millis, rate};
use crate::table::{Line, Wanted};

/// Within so much two loads cost the same.
const SAME: f64 = 0.85;

pub(super) async fn lines(bench: &mut Bench) -> io::Result<()> {
    if bench.wants("tokens") {
        tokens(bench).await?;
    }
    if bench.wants("flood") {
        floods(bench).await?;
    }
    Ok(())
}

/// A hub in token mode, and load on it that shows tokens.
fn in_token_mode(bench: &Bench, options: &[&str]) -> io::Result<(Own, Run)> {
    let (own, tokens) = Own::start_with_tokens(&bench.program, &bench.dir, options)?;
    let mut run = bench.on(&own)?;
    run.tokens = Some(tokens);
    Ok((own, run))
}

/// Checking a token is a hash and a look into a map.
async fn tokens(bench: &mut Bench) -> io::Result<()> {
    let hub = bench.hub()?;
    let open = bench.on(&hub)?;
    let unbounded = [
        "--changes-per-second=0",
        "--reads-per-second=0",
        "--address-changes-per-second=0",
        "--address-reads-per-second=0",
    ];
    let (_own, shown) = in_token_mode(bench, &unbounded)?;
    for work in ["send", "heartbeat", "mixed"] {
        let load = async |run: &Run| match work {
            "send" => load::sends(run, work, 64).await,
            "heartbeat" => load::heartbeats(run, work, 64).await,
            _ => load::mixture(run, work, 64).await,
        };
        let claim = Claim {
            work: format!("{work}, 64 connections, with tokens"),
            unit: "requests/s",
            beside: "in open mode",
            wanted: Wanted::NotBelow(SAME),
        };
        bench.compare(claim, async || load(&shown).await, async || load(&open).await).await?;
    }
    Ok(())
}

/// Beside one that floods the others fare as beside those who send what is admitted of it.
async fn floods(bench: &mut Bench) -> io::Result<()> {
    let (_own, run) = in_token_mode(bench, &[])?;
    let pairs = bench
        .pairs(
            "beside a flood",
            async || flood::run(&run, "beside a flood", Beside::Flood).await,
            async || flood::run(&run, "beside others", Beside::Admitted).await,
            rate,
        )
        .await?;
    bench.line(Line {
        work: "10 entities, 50 sends/s each, beside a flood".into(),
        unit: "messages/s",
        share: pairs.share,
        beside: "what is admitted, by others",
        wanted: Wanted::NotBelow(SAME),
    });
    bench.line(Line {
        work: "10 entities, 50 sends/s each, 99th percentile".into(),
        unit: "ms",
        share: pairs.by(p99_millis),
        beside: "what is admitted, by others",
        wanted: Wanted::AtMost(1.0 / SAME),
    });
    Ok(())
}
