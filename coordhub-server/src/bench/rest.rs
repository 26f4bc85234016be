//! What a hub costs while nothing is asked of it: memory for sockets that wait and for what is stored, and its start.

use std::{io, path::Path, time::Duration};

use super::{
    Run,
    child::Server,
    fill,
    finding::{Finding, Pace},
    socket::Socket,
};

/// How long memory is given to come to rest.
const SETTLE: Duration = Duration::from_millis(700);

/// Opens sockets that only wait, and looks at what they took.
pub async fn idle_sockets(run: &Run, name: &str, count: usize) -> io::Result<Finding> {
    tokio::time::sleep(SETTLE).await;
    let before = run.target.resident_bytes();
    let mut sockets = Vec::with_capacity(count);
    for index in 0..count {
        let path = format!("/ws/idle-{index}?notices=none");
        sockets.push(Socket::open(run.authority(), &path).await?);
        run.progress.add(1);
    }
    tokio::time::sleep(SETTLE).await;
    let after = run.target.resident_bytes();
    let mut finding = Finding::new(name, Pace::AtRest);
    finding.figure("sockets", count);
    finding.figure("resident_bytes_before", before);
    finding.figure("bytes_a_socket", growth(before, after, count as u64));
    Ok(finding)
}

/// Fills the hub, and looks at how fast that went and what it took. `file` is the hub's own.
pub async fn store(run: &Run, name: &str, wanted: u64, file: Option<&Path>) -> io::Result<Finding> {
    let (before, on_disk) = (run.target.resident_bytes(), file.map(bytes_on_disk));
    let (added, elapsed) = fill::messages(run, wanted).await?;
    let after = run.target.resident_bytes();
    let mut finding = Finding::new(name, Pace::Closed);
    finding.count(added, elapsed, "messages");
    finding.figure("messages_added", added);
    finding.figure("resident_bytes_a_message", growth(before, after, added));
    finding.figure("disk_bytes_a_message", growth(on_disk, file.map(bytes_on_disk), added));
    Ok(finding)
}

/// Starts a hub again on its file: after it was stopped, and after it was killed.
pub fn start_up(
    name: &str,
    program: &Path,
    file: &Path,
    hub: Server,
) -> io::Result<(Finding, Server)> {
    let mut finding = Finding::new(name, Pace::AtRest);
    hub.stop()?;
    let hub = Server::hub(program, file)?;
    finding.figure("file_bytes", bytes_on_disk(file));
    finding.figure("milliseconds_after_stop", millis(&hub));
    drop(hub);
    let hub = Server::hub(program, file)?;
    finding.figure("milliseconds_after_kill", millis(&hub));
    finding.figure("resident_bytes", hub.target().resident_bytes());
    Ok((finding, hub))
}

fn millis(hub: &Server) -> f64 {
    hub.start_duration().as_secs_f64() * 1e3
}

/// By how much a figure grew, for each of so many; unknown where the figure is.
fn growth(before: Option<u64>, after: Option<u64>, count: u64) -> Option<f64> {
    let grown = after? as f64 - before? as f64;
    (count > 0).then(|| grown / count as f64)
}

/// The file and its write-ahead log.
fn bytes_on_disk(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
    size(file) + size(Path::new(&log))
}
