//! The same load on a hub with much in it and on one with nothing.

use std::{io, path::PathBuf};

use coordhub_server::bench::{
    Run, cycles, fanout, fanout::Fanout, fill, finding::Finding, load, workload::Own,
};

use super::{Bench, rate};
use crate::table::{Line, Wanted};

const FINISHED: u64 = 100_000;
const OPEN: u64 = 10_000;

/// One kind of load.
#[derive(Clone, Copy, Debug)]
enum Load {
    Send,
    Cycle,
    Heartbeat,
    Fanout,
}

impl Load {
    async fn on(self, run: &Run) -> io::Result<Finding> {
        match self {
            Self::Send => load::sends(run, "send", 64).await,
            Self::Cycle => cycles::own_tasks(run, "cycle", 16).await,
            Self::Heartbeat => load::heartbeats(run, "heartbeat", 64).await,
            Self::Fanout => {
                let fanout = Fanout { sockets: 100, senders: 1, rate: None };
                fanout::run(run, "fanout", fanout).await
            }
        }
    }
}

pub(super) async fn lines(bench: &mut Bench) -> io::Result<()> {
    if !bench.wants("growth") {
        return Ok(());
    }
    let large = bench.hub()?;
    let full = bench.on(&large)?;
    let progress = bench.progress.clone();
    let messages = bench.args.messages;
    progress.watch("messages", fill::messages(&full, messages)).await?;
    progress.watch("finished tasks", fill::finished_tasks(&full, "past", FINISHED)).await?;
    progress.watch("open tasks", fill::tasks(&full, "open", OPEN)).await?;
    let works = [
        ("send, 64 connections", "messages/s", Load::Send),
        ("create, claim, complete, 16 workers", "cycles/s", Load::Cycle),
        ("heartbeat, 64 connections", "requests/s", Load::Heartbeat),
        ("1 sender to 100 sockets", "deliveries/s", Load::Fanout),
    ];
    for (work, unit, load) in works {
        let work = format!("{work}, much stored");
        let (program, dir) = (bench.program.clone(), bench.dir.clone());
        let fresh = Fresh { program, dir, run: full.clone() };
        let pairs = bench
            .pairs(
                &work,
                async || load.on(&full.again()).await,
                async || {
                    let (_hub, run) = fresh.start()?;
                    load.on(&run).await
                },
                rate,
            )
            .await?;
        let (share, wanted) = (pairs.share, Wanted::NotBelow(0.80));
        bench.line(Line { work, unit, share, beside: "on an empty file", wanted });
    }
    Ok(())
}

/// What it takes to start a hub with nothing in it: for each pair anew, since the load itself fills it.
struct Fresh {
    program: PathBuf,
    dir: PathBuf,
    run: Run,
}

impl Fresh {
    fn start(&self) -> io::Result<(Own, Run)> {
        let own = Own::start(&self.program, &self.dir)?;
        let server = own.server().ok_or_else(|| io::Error::other("the hub has stopped"))?;
        let target = server.target().clone();
        Ok((own, Run { target, ..self.run.clone() }))
    }
}
