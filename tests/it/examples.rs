//! The Python programs of `examples/python`, each against a hub of its own.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use coordhub_harness::Hub;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python")
}

/// Runs a program, which must say what it did and end with 0.
#[track_caller]
fn runs(program: &str) {
    let hub = Hub::new();
    let output = Command::new("timeout")
        .args(["60", "python3", program])
        .current_dir(folder())
        .env("HOME", hub.home())
        .env("COORDHUB_URL", hub.url())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{program}: {output:?}");
}

#[test]
fn sessions_build_on_each_other() {
    runs("multi_session.py");
}

#[test]
fn a_person_decides() {
    runs("human_decision.py");
}

#[test]
fn a_worker_is_killed_and_nothing_is_lost() {
    runs("work_queue.py");
}

#[test]
fn votes_are_counted() {
    runs("consensus.py");
}

#[test]
fn an_emergency_is_taken_on_by_one() {
    runs("emergency.py");
}

#[test]
fn no_program_is_forgotten() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    // `hub.py` is what they share, and `two_agents.py` is run where the package is installed.
    let known = ["consensus", "emergency", "hub", "human_decision", "multi_session", "two_agents"];
    let known = known.iter().chain(&["work_queue"]).map(|name| format!("{name}.py"));
    assert_eq!(there, known.collect());
}
