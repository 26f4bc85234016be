//! Random sequences, some of each sort; any number of them by hand with `coordhub-sim`.

use coordhub_sim::driver::{Kind, run, shrink};

/// Plays the sequences of so many seeds.
fn check(kind: Kind, first: u64, count: u64, steps: usize) {
    for seed in first..first + count {
        if let Err(failure) = run(kind, seed, steps) {
            panic!("{}", shrink(&failure));
        }
    }
}

#[test]
fn the_pure_hub_does_what_the_contract_says() {
    check(Kind::Pure, 1, 2_000, 100);
}

#[test]
fn the_engine_does_what_the_contract_says() {
    check(Kind::Memory, 100_001, 100, 100);
}

#[test]
fn a_hub_that_is_stopped_and_killed_does_what_the_contract_says() {
    check(Kind::Disk, 200_001, 70, 100);
}
