//! The Python program of `examples/python` that needs nothing but Python, against a hub of its own.

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
fn nothing_is_needed_but_python() {
    runs("over_http.py");
}

#[test]
fn no_program_is_forgotten() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    // All but this one use the package, and are run where that is installed: `coordhub-py/tests/test_docs.py`.
    let package = ["consensus", "emergency", "hub", "human_decision", "multi_session"];
    let known = package.iter().chain(&["over_http", "two_agents", "work_queue"]);
    assert_eq!(there, known.map(|name| format!("{name}.py")).collect());
}
