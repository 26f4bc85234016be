//! The library in this process, beside SQLite alone writing the same rows in transactions of the same size.

use std::{io, time::Duration};

use super::Bench;
use crate::{
    ceiling::sqlite::Sqlite,
    core::{Core, Written},
    pairs::Share,
    table::{Line, Wanted},
};

/// A way to write with the library.
type Work = fn(&Core, Duration) -> io::Result<Written>;

pub(super) fn lines(bench: &mut Bench) -> io::Result<()> {
    if !bench.wants("library") {
        return Ok(());
    }
    let folder = bench.folder()?;
    let core = Core::open(&folder.path().join("core.db"))?;
    let bare = folder.path().join("bare.db");
    // A hub makes the tables, and the rows that are written again.
    Core::open(&bare)?.tickets(2, Duration::ZERO)?;
    Core::open(&bare)?.threads(1, Duration::from_millis(20))?;
    let mut sqlite = Sqlite::open(&bare)?;
    let tickets: Work = |core, half| core.tickets(1_024, half);
    let threads: Work = |core, half| core.threads(64, half);
    let works = [
        ("library, 1,024 tickets under way", tickets, 0.60),
        ("library, 64 threads that wait", threads, 0.30),
    ];
    for (work, written, wanted) in works {
        let half = bench.half();
        let mut pairs = Vec::new();
        let mut batch = written(&core, half)?.batch;
        for _ in 0..bench.args.pairs {
            let this = written(&core, half)?;
            batch = this.batch;
            let group = (batch.round() as usize).max(1);
            pairs.push((this.per_second, sqlite.write(group, half)?));
        }
        bench.line(Line {
            work: format!("{work} ({batch:.0} a commit)"),
            unit: "messages/s",
            share: Share::of(&pairs),
            beside: "bare SQLite, the same rows",
            wanted: Wanted::AtLeast(wanted),
        });
    }
    Ok(())
}
