//! What several modules need.

use std::time::Duration;

use coordhub_harness::Hub;
use serde_json::Value;

/// The members of an entity, as the contract lists them.
pub(crate) const ENTITY: &str =
    "entity_id entity_type name capabilities metadata status activity registered_at last_seen";
/// The members of a message.
pub(crate) const MESSAGE: &str = "message_id seq from_entity to_entity channel content message_type metadata reply_to \
     thread_id ack_required timestamp";
/// The members of a task.
pub(crate) const TASK: &str = "task_id title description status priority created_by claimed_by requires_human \
     requires_ai tags capabilities depends_on blocked_by metadata result attempts max_attempts retry_delay_seconds \
     not_before lease_expires_at stale created_at claimed_at completed_at updated_at";
/// The members of a reservation.
pub(crate) const RESERVATION: &str = "reservation_id entity_id resources exclusive reason ttl_seconds acquired_at \
     expires_at";
/// The members of a proposal.
pub(crate) const PROPOSAL: &str = "proposal_id title description proposed_by status threshold quorum deadline \
     requires_human early_close tally votes electorate created_at decided_at forced";

/// An object has each of the members, `null` where there is nothing to say.
#[track_caller]
pub(crate) fn has_members(object: &Value, members: &str) {
    let map = object.as_object().unwrap_or_else(|| panic!("not an object: {object}"));
    for member in members.split_whitespace() {
        assert!(map.contains_key(member), "no {member} in {object}");
    }
}

/// RFC 3339, UTC, milliseconds: `2026-01-02T03:04:05.678Z`.
#[track_caller]
pub(crate) fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("not a time: {value}"));
    let shape: String =
        text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}

/// One member of each row of a list, as text.
pub(crate) fn column(list: &Value, plural: &str, member: &str) -> Vec<String> {
    rows(list, plural)
        .iter()
        .map(|row| row[member].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The rows of a list, whose `count` must be true.
#[track_caller]
pub(crate) fn rows<'a>(list: &'a Value, plural: &str) -> &'a [Value] {
    let rows = list[plural].as_array().unwrap_or_else(|| panic!("no {plural} in {list}"));
    assert_eq!(list["count"], rows.len(), "{list}");
    rows
}

/// The contents of the messages at a path.
pub(crate) async fn contents(hub: &Hub, path: &str) -> Vec<String> {
    column(&hub.get_ok(path).await, "messages", "content")
}

/// A hub with an entity of each type: `ai`, `session`, the human `anna`, and the service `backup`.
pub(crate) async fn hub_with_everyone() -> Hub {
    let hub = Hub::new();
    hub.register("ai", "ai_agent").await;
    hub.register("session", "claude_session").await;
    hub.register("anna", "human").await;
    hub.register("backup", "service").await;
    hub
}

/// The `seq` of a reply or frame.
#[track_caller]
pub(crate) fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap_or_else(|| panic!("no seq in {value}"))
}

/// Waits until everything that was sent so far can be found by a search.
pub(crate) async fn indexed(hub: &Hub) {
    let head = hub.get_ok("/messages/recent?limit=1").await["next"].as_u64();
    while hub.get_ok("/messages/search?q=anything").await["indexed_up_to"].as_u64() < head {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The highest `seq` there is.
pub(crate) async fn head(hub: &Hub) -> u64 {
    let state = hub.get_ok("/state").await;
    state["head_seq"].as_u64().unwrap_or_else(|| panic!("no head_seq in {state}"))
}

/// A time by the hub's own clock, so many seconds from now.
pub(crate) async fn in_seconds(hub: &Hub, seconds: f64) -> String {
    let health = hub.get_ok("/health").await;
    let now = health["timestamp"].as_str().expect("a timestamp");
    let calendar = rusqlite::Connection::open_in_memory().unwrap();
    calendar
        .query_row(
            "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1, ?2)",
            [now, &format!("{seconds:+.3} seconds")],
            |row| row.get(0),
        )
        .unwrap()
}

/// The first event of that kind after `since`, which is waited for.
pub(crate) async fn event_after(hub: &Hub, since: u64, kind: &str) -> Value {
    let found = hub.get_ok(&format!("/events?since={since}&wait=20&kinds={kind}")).await;
    found["events"].get(0).unwrap_or_else(|| panic!("no {kind} after {since}")).clone()
}

/// Says that a program of a test does not run here, which then has nothing to try; under `tests/run` there is each.
pub(crate) fn not_here(program: &str, why: &std::io::Error) {
    let is_whole = std::env::var_os("COORDHUB_TESTS_WHOLE").is_some();
    assert!(!is_whole, "{program} does not run, and tests/run says that it is there: {why}");
    println!("{program} does not run here, so nothing was tried with it: {why}");
}
