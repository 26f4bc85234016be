//! The load of `coordhub bench`: its options, its JSON, and what it leaves behind.
//!
//! How fast anything is, no test says. That nothing is lost or claimed twice under any load, `coordhub-bench --short` does.

use std::process::{Command, Output};

use coordhub_harness::{Hub, hub::binary};
use serde_json::{Value, json};

fn bench(args: &[&str]) -> Output {
    Command::new(binary()).arg("bench").args(args).output().unwrap()
}

/// What a run with `--json` found; it must have found no fault.
#[track_caller]
fn found(args: &[&str]) -> Value {
    let output = bench(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["clean"], true, "{found}");
    found
}

#[test]
fn a_hub_of_its_own_goes_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let only = "send-16,cycle-16,paced-10,start";
    let found = found(&[
        "--self",
        "--dir",
        &dir,
        "--seconds",
        "1",
        "--messages",
        "1000",
        "--only",
        only,
        "--json",
    ]);
    let workloads = found["workloads"].as_array().unwrap();
    let names: Vec<_> = workloads.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["send-16", "cycle-16", "paced-10", "start"]);
    for workload in &workloads[..3] {
        assert!(workload["per_second"].as_f64().unwrap() > 0.0, "{workload}");
        assert!(workload["latency_us"]["p99"].as_f64().unwrap() > 0.0, "{workload}");
    }
    assert_eq!((&workloads[0]["pace"], &workloads[2]["pace"]), (&json!("closed"), &json!("clock")));
    assert_eq!(workloads[1]["faults"]["claimed_twice"], 0);
    assert_eq!(workloads[2]["faults"]["lost"], 0);
    assert!(workloads[3]["milliseconds_after_kill"].as_f64().unwrap() > 0.0, "{}", workloads[3]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "what it made is gone");
}

#[tokio::test]
async fn a_hub_that_runs_keeps_what_it_was_sent() {
    let hub = Hub::new();
    let url = hub.url();
    let only = "fanout-10,sockets,search,start";
    let args = ["--url", &url, "--seconds", "1", "--messages", "1000", "--only", only, "--json"];
    let found = found(&args);
    let names: Vec<_> =
        found["workloads"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(names.contains(&&json!("fanout-10")), "{names:?}");
    assert!(!names.contains(&&json!("start")), "it does not stop somebody's hub: {names:?}");
    assert!(hub.get_ok("/state").await["messages"].as_u64().unwrap() > 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (args, status) in [
        (&["--only", "send"][..], 2),
        (&["--self", "--only", "dance"], 2),
        (&["--self", "--url", "http://localhost:1"], 2),
        (&["--url", "https://localhost:1"], 1),
        (&["--url", "http://127.0.0.1:1"], 1),
    ] {
        let output = bench(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    let list = String::from_utf8(bench(&["--list"]).stdout).unwrap();
    assert!(list.lines().count() > 20 && list.contains("fanout-1000"), "{list}");
}
