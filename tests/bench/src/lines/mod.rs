//! The table of what is to be reached, line by line.

mod requests;
mod fanout;
mod library;
mod memory;
mod growth;
mod fairness;

use std::{io, path::PathBuf, time::Duration};

use coordhub_server::bench::{
    Run,
    child::Folder,
    finding::Finding,
    load,
    progress::Progress,
    target::{Target, file_system},
    workload::Own,
};
use serde_json::{Value, json};

use crate::{
    TableArgs,
    pairs::Share,
    table::{Line, Wanted, head, row},
};

/// What the lines are measured with.
pub(crate) struct Bench {
    args: TableArgs,
    program: PathBuf,
    dir: PathBuf,
    progress: Progress,
    /// Faults of the hub, which no figure makes good.
    faults: Vec<String>,
    lines: Vec<Line>,
}

/// Measures all lines and prints them. `false` where something was lost, doubled or claimed twice.
pub(crate) fn run(args: &TableArgs) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut bench = Bench {
            args: args.clone(),
            program: args.program()?,
            dir: args.dir.clone().unwrap_or_else(std::env::temp_dir),
            progress: Progress::on_stderr(),
            faults: Vec::new(),
            lines: Vec::new(),
        };
        if !args.json {
            println!("{}\n\n{}", bench.about(), head());
        }
        requests::lines(&mut bench).await?;
        library::lines(&mut bench)?;
        fanout::lines(&mut bench).await?;
        memory::lines(&mut bench).await?;
        growth::lines(&mut bench).await?;
        fairness::lines(&mut bench).await?;
        bench.sum_up();
        Ok(bench.faults.is_empty())
    })
}

/// What two rates are to show.
struct Claim {
    work: String,
    unit: &'static str,
    beside: &'static str,
    wanted: Wanted,
}

impl Bench {
    /// Whether a line of this name is asked for.
    fn wants(&self, name: &str) -> bool {
        self.args.only.is_empty() || self.args.only.iter().any(|only| only == name)
    }

    /// A hub on a new file.
    fn hub(&self) -> io::Result<Own> {
        Own::start(&self.program, &self.dir)
    }

    fn folder(&self) -> io::Result<Folder> {
        Folder::within(&self.dir)
    }

    fn half(&self) -> Duration {
        Duration::from_millis(self.args.millis)
    }

    /// Load on a target, for half a pair.
    fn run(&self, target: &Target) -> Run {
        Run::new(target.clone(), self.half(), self.progress.clone())
    }

    fn on(&self, own: &Own) -> io::Result<Run> {
        let server = own.server().ok_or_else(|| io::Error::other("the hub has stopped"))?;
        Ok(self.run(server.target()))
    }

    /// Two rates in turn, and the line that says how they compare.
    async fn compare(
        &mut self,
        claim: Claim,
        this: impl AsyncFnMut() -> io::Result<Finding>,
        that: impl AsyncFnMut() -> io::Result<Finding>,
    ) -> io::Result<Pairs> {
        let Claim { work, unit, beside, wanted } = claim;
        let pairs = self.pairs(&work, this, that, rate).await?;
        self.line(Line { work, unit, share: pairs.share, beside, wanted });
        Ok(pairs)
    }

    /// This and that in turn, each first every other time. Both give their figure, or what went wrong.
    async fn pairs(
        &mut self,
        what: &str,
        mut this: impl AsyncFnMut() -> io::Result<Finding>,
        mut that: impl AsyncFnMut() -> io::Result<Finding>,
        figure: impl Fn(&Finding) -> f64,
    ) -> io::Result<Pairs> {
        let progress = self.progress.clone();
        let count = self.args.pairs;
        let measured = progress.watch(what, async {
            let mut pairs = Vec::new();
            for turn in 0..count {
                if turn % 2 == 0 {
                    let first = this().await?;
                    pairs.push((first, that().await?));
                } else {
                    let first = that().await?;
                    pairs.push((this().await?, first));
                }
            }
            Ok::<_, io::Error>(pairs)
        });
        let pairs = measured.await?;
        for finding in pairs.iter().flat_map(|(this, that)| [this, that]) {
            for (fault, count) in finding.faults() {
                self.faults.push(format!("{what} ({}): {fault}: {count}", finding.name));
            }
        }
        let figures: Vec<_> = pairs.iter().map(|(a, b)| (figure(a), figure(b))).collect();
        Ok(Pairs { share: Share::of(&figures), findings: pairs })
    }

    /// Takes a line into the table.
    fn line(&mut self, line: Line) {
        if !self.args.json {
            println!("{}", row(&line));
        }
        self.lines.push(line);
    }

    fn about(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let disk = file_system(&self.dir).unwrap_or_else(|| "an unknown file system".to_owned());
        format!(
            "{cores} cores, files on {disk}; shares are medians of {} pairs of {} ms, with the interval of the median",
            self.args.pairs, self.args.millis
        )
    }

    fn sum_up(&self) {
        let short: Vec<&Line> = self.lines.iter().filter(|line| !line.is_reached()).collect();
        if self.args.json {
            let lines: Vec<Value> = self.lines.iter().map(Line::to_json).collect();
            let object = json!({ "about": self.about(), "lines": lines, "faults": self.faults });
            println!("{object}");
            return;
        }
        println!();
        for fault in &self.faults {
            println!("FAULT  {fault}");
        }
        for line in &short {
            println!("falls short: {}", line.work);
        }
        println!("{} of {} lines reached", self.lines.len() - short.len(), self.lines.len());
    }
}

/// Pairs and what came of them.
pub(crate) struct Pairs {
    share: Share,
    findings: Vec<(Finding, Finding)>,
}

impl Pairs {
    /// The same pairs by another figure.
    fn by(&self, figure: impl Fn(&Finding) -> f64) -> Share {
        let pairs = self.findings.iter().map(|(this, that)| (figure(this), figure(that)));
        Share::of(&pairs.collect::<Vec<_>>())
    }
}

/// How many a second.
fn rate(finding: &Finding) -> f64 {
    finding.per_second()
}

/// The 99th percentile of the latencies, in milliseconds.
fn p99_millis(finding: &Finding) -> f64 {
    finding.quantile(990).as_secs_f64() * 1e3
}

/// The size of the body that a request to the hub is answered with.
async fn reply_bytes(run: &Run, request: &[u8]) -> io::Result<usize> {
    let mut connections = run.connections(1).await?;
    match connections.first_mut() {
        Some(connection) => Ok(connection.expect_ok(request).await?.len()),
        None => Ok(0),
    }
}

/// The bytes of a send as the load sends it.
fn a_send(run: &Run) -> Vec<u8> {
    load::send_request(
        run.authority(),
        "bench-0",
        "load 00000: the quick brown fox jumps over the lazy dogs",
    )
}
