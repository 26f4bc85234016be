//! `coordhub-sim`: any number of sequences by hand.

use std::{process::ExitCode, time::Instant};

use clap::{Parser, ValueEnum};
use coordhub_sim::driver::{Kind, run, shrink};

/// Plays random sequences to the hub and to the model of its contract, and compares.
#[derive(Parser)]
struct Args {
    /// The seed of the first sequence; each that follows has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many sequences.
    #[arg(long, default_value_t = 1_000)]
    sequences: u64,
    /// How many steps each has.
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Which hub plays.
    #[arg(long, value_enum, default_value_t = Hub::Pure)]
    hub: Hub,
    /// Go on after a failure, and show so many.
    #[arg(long, default_value_t = 1)]
    failures: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Hub {
    /// The pure hub, with a disk of plain maps.
    Pure,
    /// The engine with its store in memory.
    Memory,
    /// The engine with its store in a file, which is stopped, killed and started again.
    Disk,
}

impl Hub {
    fn kind(self) -> Kind {
        match self {
            Self::Pure => Kind::Pure,
            Self::Memory => Kind::Memory,
            Self::Disk => Kind::Disk,
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let (mut failures, mut steps, mut events) = (0, 0, 0);
    for seed in args.seed..args.seed.saturating_add(args.sequences) {
        match run(args.hub.kind(), seed, args.steps) {
            Ok(report) => {
                steps += report.steps;
                events += report.events;
            }
            Err(failure) => {
                failures += 1;
                println!("{}\n", shrink(&failure));
                if failures >= args.failures {
                    break;
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{steps} steps, {events} events, {failures} failures in {seconds:.1} s");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
