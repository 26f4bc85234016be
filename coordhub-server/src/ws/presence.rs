//! What a socket is told of presence, where it asked for that.

use std::time::Duration;

use coordhub_core::{Hub, engine::PresenceChange};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often a socket looks for changes, and so how often it is told of one entity at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far a socket has followed everybody's presence.
#[derive(Debug)]
pub(super) struct Watch {
    looks: Interval,
    version: u64,
}

impl Watch {
    /// Follows from now on.
    pub(super) fn new(hub: &Hub) -> Self {
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        // After a client that did not read the looks go on a second apart.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { looks, version: hub.presence_version() }
    }
}

/// Waits for changes; for ever where nobody asked for them. What was not waited for to the end is not
/// lost.
pub(super) async fn changes(watch: &mut Option<Watch>, hub: &Hub) -> Vec<PresenceChange> {
    let Some(watch) = watch else { return std::future::pending().await };
    loop {
        watch.looks.tick().await;
        let (changes, version) = hub.presence_changes(watch.version);
        watch.version = version;
        if !changes.is_empty() {
            return changes;
        }
    }
}
