//! What was counted, as text: Prometheus' format 0.0.4, and a small JSON object.

use std::{
    fmt::{self, Display, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use coordhub_core::{Hub, engine::Histogram, limits::QUEUE_COMMANDS_MAX};

use super::machine::Machine;
use crate::{
    app::App,
    metrics::{CLASSES, Metrics},
};

/// The async runtime is said to be stalled after so long without a sign of life; it gives one every second.
const STALLED_AFTER: Duration = Duration::from_secs(5);
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What was counted in microseconds is shown in seconds.
const MICROS: f64 = 1e6;

/// Whether the hub works, as far as atomics tell.
pub(super) fn health(app: &App) -> String {
    let (hub, since_beat) = (app.hub(), app.metrics().since_beat());
    let status = match () {
        () if since_beat > STALLED_AFTER => "stalled",
        () if hub.is_degraded() => "degraded",
        () => "active",
    };
    serde_json::json!({
        "status": status,
        "service": "coordhub",
        "version": VERSION,
        "uptime_seconds": app.uptime_seconds(),
        "runtime_silent_seconds": since_beat.as_secs_f64(),
        "head_seq": hub.head_seq(),
        "queue_depth": hub.queue_depth(),
    })
    .to_string()
}

/// Everything that is counted.
pub(super) fn metrics(app: &App, machine: &Machine) -> String {
    let mut page = Page { text: String::with_capacity(16 * 1_024), family: "" };
    requests(&mut page, app.metrics());
    writer(&mut page, app.hub());
    followers(&mut page, app);
    process(&mut page, app, machine);
    page.text
}

#[rustfmt::skip] // One line a family, as in a table.
fn requests(page: &mut Page, metrics: &Metrics) {
    page.family("coordhub_http_requests_total", COUNTER, "Requests answered, by route and class of status.");
    for (route, cells) in metrics.routes() {
        for (class, count) in CLASSES.iter().zip(&cells.answers) {
            let count = count.load(Relaxed);
            if count > 0 {
                page.sample("", &format!("{},status=\"{class}\"", labels(route)), count);
            }
        }
    }
    page.family("coordhub_http_request_duration_seconds", HISTOGRAM, "Time to the head of the answer, by route; waiting calls wait.");
    for (route, cells) in metrics.routes().filter(|(_, cells)| cells.micros.count() > 0) {
        page.histogram(&labels(route), &cells.micros, MICROS);
    }
    page.family("coordhub_refused_total", COUNTER, "Requests and calls over sockets that were refused for a reason of the caller's (4xx), by code.");
    for (code, count) in metrics.refusals().filter(|(_, count)| *count > 0) {
        page.sample("", &format!("code=\"{code}\""), count);
    }
    page.one("coordhub_shed_total", COUNTER, "Requests and calls refused with 503 busy because too many changes waited.", metrics.shed());
}

#[rustfmt::skip] // One line a family, as in a table.
fn writer(page: &mut Page, hub: &Hub) {
    page.one("coordhub_commits_total", COUNTER, "Transactions committed.", hub.commits());
    page.one("coordhub_commit_failures_total", COUNTER, "Transactions that failed.", hub.commit_failures());
    page.family("coordhub_commit_duration_seconds", HISTOGRAM, "Time that a transaction took, its sync included.");
    page.histogram("", hub.commit_micros(), MICROS);
    page.family("coordhub_batch_commands", HISTOGRAM, "Commands that the writer took at a time.");
    page.histogram("", hub.batch_sizes(), 1.0);
    page.one("coordhub_queue_depth", GAUGE, "Commands that wait for the writer.", hub.queue_depth());
    page.one("coordhub_queue_depth_max", GAUGE, "Commands that may wait; beyond it 503 busy.", QUEUE_COMMANDS_MAX);
    page.one("coordhub_claim_waiters", GAUGE, "Those who wait for something to claim.", hub.waiters());
    page.one("coordhub_head_seq", GAUGE, "Position of the newest event.", hub.head_seq());
    let indexed = hub.indexed_up_to();
    page.one("coordhub_indexed_seq", GAUGE, "Position up to which messages can be found by a search.", indexed);
    page.one("coordhub_index_bytes", GAUGE, "Size of the files of the search index.", hub.index_bytes());
    page.one("coordhub_degraded", GAUGE, "1 while the store takes no writes.", u8::from(hub.is_degraded()));
}

#[rustfmt::skip] // One line a family, as in a table.
fn followers(page: &mut Page, app: &App) {
    let hub = app.hub();
    page.one("coordhub_connections", GAUGE, "Open connections, sockets and streams included.", app.connections().open());
    page.one("coordhub_connections_refused_total", COUNTER, "Connections turned away because all seats were taken.", app.connections().turned_away());
    page.one("coordhub_sockets", GAUGE, "Open sockets.", hub.open_sockets());
    page.one("coordhub_streams", GAUGE, "Open streams of server-sent events.", app.metrics().streams());
    page.one("coordhub_catch_up_pages_total", COUNTER, "Pages read from the store for followers that had fallen behind.", hub.catch_ups());
    // The head is read first: a follower that moves on meanwhile is not behind.
    let head = hub.head_seq();
    let lag = app.places().slowest().map_or(0, |slowest| head.saturating_sub(slowest));
    page.one("coordhub_follower_lag_events", GAUGE, "How many events the slowest socket or stream is behind.", lag);
}

#[rustfmt::skip] // One line a family, as in a table.
fn process(page: &mut Page, app: &App, machine: &Machine) {
    page.family("coordhub_info", GAUGE, "Always 1.");
    page.sample("", &format!("version=\"{VERSION}\""), 1);
    page.one("coordhub_uptime_seconds", GAUGE, "Time since the start.", app.uptime_seconds());
    let silent = app.metrics().since_beat().as_secs_f64();
    page.one("coordhub_runtime_silent_seconds", GAUGE, "Time since the async runtime last ran what it runs every second.", silent);
    page.family("coordhub_store_bytes", GAUGE, "Size of the hub's file and of the log beside it.");
    page.sample("", "file=\"main\"", machine.main_bytes.load(Relaxed));
    page.sample("", "file=\"wal\"", machine.log_bytes.load(Relaxed));
    let known = |value: &AtomicU64| Some(value.load(Relaxed)).filter(|value| *value > 0);
    if let Some(bytes) = known(&machine.resident_bytes) {
        page.one("process_resident_memory_bytes", GAUGE, "Resident memory.", bytes);
    }
    if let Some(millis) = known(&machine.cpu_millis) {
        page.one("process_cpu_seconds_total", COUNTER, "Processor time.", millis as f64 / 1e3);
    }
}

/// The labels of a route. Methods and paths hold nothing that would have to be escaped.
fn labels(route: Option<&crate::http::router::Route>) -> String {
    let (method, path) =
        route.map_or(("other", "other"), |route| (route.method.as_str(), route.path));
    format!("method=\"{method}\",route=\"{path}\"")
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const HISTOGRAM: &str = "histogram";

/// Samples, and the family that the next ones are of.
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn one(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample("", "", value);
    }

    fn sample(&mut self, suffix: &str, labels: &str, value: impl Display) {
        let family = self.family;
        match labels {
            "" => self.line(format_args!("{family}{suffix} {value}\n")),
            labels => self.line(format_args!("{family}{suffix}{{{labels}}} {value}\n")),
        }
    }

    fn histogram<const N: usize>(&mut self, labels: &str, histogram: &Histogram<N>, unit: f64) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in histogram.cumulated() {
            let bound = bound as f64 / unit;
            self.sample("_bucket", &format!("{labels}{comma}le=\"{bound}\""), count);
            below = count;
        }
        // Something may have been counted meanwhile; the whole must not be less than its parts.
        let count = histogram.count().max(below);
        self.sample("_bucket", &format!("{labels}{comma}le=\"+Inf\""), count);
        self.sample("_sum", labels, histogram.sum() as f64 / unit);
        self.sample("_count", labels, count);
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Text in memory takes whatever it is given.
        let _written = self.text.write_fmt(line);
    }
}
