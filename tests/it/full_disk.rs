//! A disk that fills up and gets room again.
//!
//! The disk is a small tmpfs, for which a test must be root and allowed to mount. Where it is not, the hub gets a limit
//! on the size of its files instead, which it meets as another write that fails; the output says which it was.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use coordhub_harness::{Hub, HubOptions, Response};
use serde_json::json;

use crate::support::{rows, seq};

/// The whole disk.
const DISK_MIB: u32 = 8;
/// What stands on it beside the hub's file, to be removed when there is to be room.
const BALLAST_MIB: usize = 3;
/// The largest file where there is no disk of its own.
const FILE_BYTES_MAX: u32 = 4 << 20;
/// Messages of this size fill either in a few dozen.
const CONTENT_BYTES: usize = 200 << 10;
/// Those of this size find room where a large one does not, and may wait for their tables.
const SMALL_BYTES: usize = 600;
const SENDS_MAX: usize = 1_000;
/// A first refusal may make the hub tidy up and find room once more; so many in a row are a full disk.
const REFUSALS_IN_A_ROW: usize = 3;

/// A small disk; unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this machine does not let a test mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_MIB}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the hub may still hold its file.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else {
        println!(
            "NOTE: this machine does not let a test mount a disk; the hub's files are limited instead"
        );
        return files_that_may_not_grow().await;
    };
    println!("NOTE: a tmpfs of {DISK_MIB} MiB is the disk");
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; BALLAST_MIB << 20]).unwrap();
    let mut hub = Hub::start(HubOptions::default().db(disk.path().join("hub.db")));
    let last = send_until_full(&hub).await;
    nothing_changed(&hub, last).await;
    fs::remove_file(&ballast).unwrap();
    writes_resume(&hub, last).await;
    hub.kill9();
    hub.restart();
    let recent = hub.get_ok("/messages/recent?limit=1").await;
    assert_eq!(rows(&recent, "messages")[0]["content"], "room again");
    assert_eq!(hub.terminate().code(), Some(0));
}

#[tokio::test]
async fn files_that_may_not_grow_are_like_a_full_disk() {
    files_that_may_not_grow().await;
}

async fn files_that_may_not_grow() {
    // Without the signal that would end the hub, a write beyond the limit fails like one to a full disk.
    let mut hub = Hub::start(HubOptions::default().under(&["env", "--ignore-signal=XFSZ"]));
    let pid = hub.pid().to_string();
    let limit = |bytes: &str| {
        let limit = format!("--fsize={bytes}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    };
    limit(&FILE_BYTES_MAX.to_string());
    let last = send_until_refused(&hub, CONTENT_BYTES).await;
    nothing_changed(&hub, last).await;
    // The disk itself has room, so small ones may wait for their tables, which cannot grow. All that was
    // acknowledged can be read all the same.
    let last = send_until_refused(&hub, SMALL_BYTES).await.max(last);
    newest_is_read(&hub, last).await;
    limit("unlimited");
    writes_resume(&hub, last).await;
    assert_eq!(hub.terminate().code(), Some(0));
}

async fn send(hub: &Hub, content: &str) -> Response {
    hub.post("/messages/send", json!({ "from_entity": "a", "content": content })).await
}

/// Sends until the hub goes on refusing, large messages and then small ones; gives the `seq` of the last
/// that it acknowledged.
async fn send_until_full(hub: &Hub) -> u64 {
    let last = send_until_refused(hub, CONTENT_BYTES).await;
    send_until_refused(hub, SMALL_BYTES).await.max(last)
}

async fn send_until_refused(hub: &Hub, bytes: usize) -> u64 {
    let content = "x".repeat(bytes);
    let (mut last, mut refusals) = (0, 0);
    for _ in 0..SENDS_MAX {
        let response = send(hub, &content).await;
        if response.status == 200 {
            last = seq(&response.ok());
            refusals = 0;
        } else {
            unavailable(&response);
            refusals += 1;
        }
        if refusals == REFUSALS_IN_A_ROW {
            return last;
        }
    }
    panic!("{SENDS_MAX} messages of {bytes} bytes fit {DISK_MIB} MiB");
}

/// The refusal of a hub whose store cannot take writes.
#[track_caller]
fn unavailable(refused: &Response) {
    let problem = refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
    assert_ne!(problem["outcome"], "unknown", "a full disk is known before the commit: {problem}");
}

/// After the refusals all is as before them, and can be read.
async fn nothing_changed(hub: &Hub, last: u64) {
    let recent = hub.get_ok("/messages/recent?limit=1000").await;
    let messages = rows(&recent, "messages");
    assert_eq!(messages.last().map(seq), Some(last));
    assert!(
        messages.windows(2).all(|pair| seq(&pair[0]) + 1 == seq(&pair[1])),
        "what was refused took no seq"
    );
    newest_is_read(hub, last).await;
    assert_eq!(hub.get_ok("/health").await["status"], "degraded");
    let create = hub
        .post("/tasks/create", json!({ "title": "t", "description": "d".repeat(CONTENT_BYTES) }))
        .await;
    unavailable(&create);
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 0);
}

/// What was acknowledged last is read from the tables.
async fn newest_is_read(hub: &Hub, last: u64) {
    let recent = hub.get_ok("/messages/recent?limit=1").await;
    let newest = rows(&recent, "messages")[0]["message_id"].as_str().expect("an id").to_owned();
    assert_eq!(seq(&hub.get_ok(&format!("/messages/{newest}")).await), last);
}

/// The hub notices the room by itself. It may look only now and then: asked again until it says yes, within bounds.
async fn writes_resume(hub: &Hub, last: u64) {
    let resumed = async {
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        loop {
            let response = send(hub, "room again").await;
            if response.status == 200 {
                break seq(&response.ok());
            }
            unavailable(&response);
            pause.tick().await;
        }
    };
    let first =
        tokio::time::timeout(coordhub_harness::WAIT_MAX, resumed).await.expect("writes resume");
    assert_eq!(first, last + 1, "what was refused took no seq");
    assert_eq!(hub.get_ok("/health").await["status"], "active");
}
