//! What is logged, names of requests, and what a start says.

use std::fs;
use std::process::Command;

use coordhub_harness::{Hub, HubOptions, Request};
use serde_json::Value;

/// Waits until the text shows a word.
fn until(mut text: impl FnMut() -> String, word: &str) -> String {
    let deadline = std::time::Instant::now() + coordhub_harness::WAIT_MAX;
    loop {
        let now = text();
        if now.contains(word) {
            return now;
        }
        assert!(std::time::Instant::now() < deadline, "no {word} in {now}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_start_says_in_one_screen_what_there_is() {
    let hub = Hub::new();
    let log = until(|| hub.log(), "stop");
    assert!(log.starts_with(&format!("listening on {}\n", hub.url())), "{log}");
    assert_eq!(log.matches("listening on").count(), 1, "{log}");
    let file = hub.db_path().display().to_string();
    let page = format!("http://localhost:{}", hub.port());
    for said in [file.as_str(), "open:", &page, &format!("{page}/docs"), "Ctrl-C"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(log.lines().count() < 15, "{log}");
}

#[tokio::test]
async fn requests_have_names() {
    let hub = Hub::start(HubOptions::default().arg("--log-level").arg("debug"));
    let named = async |name: Option<&str>| {
        let request = Request::get("/tasks/list?entity_id=secret");
        let request = name.map_or(request.clone(), |name| request.header("X-Request-Id", name));
        hub.send(request).await.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(named(Some("build-7/step#2")).await, "build-7/step#2");
    let (first, second) = (named(None).await, named(None).await);
    assert_ne!(first, second);
    assert_ne!(named(Some("two words")).await, "two words");
    assert_ne!(named(Some(&"x".repeat(65))).await.len(), 65);
    let refused = hub.send(Request::get("/nowhere").header("X-Request-Id", "lost-1")).await;
    assert_eq!(refused.header("x-request-id"), Some("lost-1"));
    let log = until(|| hub.log(), "lost-1");
    for said in ["build-7/step#2", &first, "path=\"/tasks/list\"", "status=200"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let line = log.lines().find(|line| line.contains("lost-1")).unwrap();
    assert!(line.contains("status=404") && line.contains("unknown_path"), "{line}");
    assert!(!log.contains("secret"), "paths go without their query: {log}");
}

#[tokio::test]
async fn a_log_for_programs() {
    let options =
        HubOptions::default().arg("--log-format").arg("json").arg("--log-level").arg("debug");
    let hub = Hub::start(options);
    let path = "/nowhere%0Aelse";
    hub.send(Request::get(path).header("X-Request-Id", "j-1")).await.refusal(404);
    let log = until(|| hub.log(), "j-1");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    for line in &lines {
        for member in ["timestamp", "level", "message"] {
            assert!(line[member].is_string(), "{member}: {line}");
        }
    }
    let start = lines.iter().find(|line| line["file"].is_string()).unwrap();
    assert_eq!(start["message"], format!("listening on {}", hub.url()));
    let request = lines.iter().find(|line| line["request_id"] == "j-1").unwrap();
    assert_eq!((&request["path"], &request["status"]), (&path.into(), &404.into()));
}

#[tokio::test]
async fn a_log_in_a_file_that_is_rotated() {
    let home = tempfile::tempdir().unwrap();
    let (file, old) = (home.path().join("hub.log"), home.path().join("hub.log.1"));
    fs::write(&file, "before\n").unwrap();
    let options = HubOptions::default().arg("--log-level").arg("debug");
    let hub = Hub::start(options.arg("--log-file").arg(file.display().to_string()));
    let named = async |name: &str| {
        hub.send(Request::get("/health").header("X-Request-Id", name)).await.ok();
    };
    let read = || fs::read_to_string(&file).unwrap_or_default();
    named("first").await;
    assert!(until(read, "first").starts_with("before\n"));
    fs::rename(&file, &old).unwrap();
    named("second").await;
    until(|| fs::read_to_string(&old).unwrap(), "second");
    let hangup = Command::new("kill").args(["-HUP", &hub.pid().to_string()]).status().unwrap();
    assert!(hangup.success());
    until(read, "opened anew");
    named("third").await;
    assert!(!until(read, "third").contains("second"));
    let screen = hub.log();
    assert!(screen.contains(&file.display().to_string()) && !screen.contains("first"), "{screen}");
}

#[test]
fn what_cannot_be_logged_is_said_at_the_start() {
    for (option, value) in [
        ("--log-level", "inof"),
        ("--log-level", "coordhub_core=loud"),
        ("--log-file", "/nowhere/at/all.log"),
    ] {
        let refused = Hub::start_refused(&HubOptions::default().arg(option).arg(value));
        assert_eq!(refused.status.code(), Some(1), "{value}");
        assert!(refused.line().contains(option) && refused.line().contains(value));
    }
    let refused = Hub::start_refused(&HubOptions::default().arg("--log-format").arg("xml"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.log.contains("--log-format"), "{}", refused.log);
}
