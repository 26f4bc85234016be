//! What this process uses of the machine, as far as the system tells.

use std::fs;

/// The size of a page of memory, on every Linux that this is likely to meet.
const PAGE_BYTES: u64 = 4_096;
/// Ticks of the processor clock a second, as Linux reports them to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory in bytes. `None` where the system has no `/proc`.
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// Seconds of processor time since the start. `None` where the system has no `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in brackets and may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}
