//! Following the log in this process.

use std::time::Duration;

use coordhub_core::{
    limits::ANSWER_BYTES,
    subscribe::{Filter, Gap, Item, Next, Start, Subscription},
};
use futures_util::FutureExt as _;

use crate::{
    app::App,
    bridge,
    http::{
        call::Call,
        events::{self, Wanted},
    },
    wire::{Problem, reply},
};

/// How long to leave a store alone that cannot be read.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// One who follows the log: every event once, in order.
#[derive(Debug)]
pub struct Follow {
    app: App,
    filter: Filter,
    limit: usize,
    /// Out on loan while the store is read for it.
    subscription: Option<Subscription>,
    /// Everything up to here was given.
    position: u64,
}

impl Follow {
    pub(super) fn new(call: &Call<'_>) -> Result<Self, Problem> {
        let start = events::since(call)?.unwrap_or(Start::Live);
        let Wanted { filter, limit, .. } = events::wanted(call)?;
        let app = call.app.clone();
        let subscription = app.hub().subscribe(filter.clone(), start);
        let position = subscription.position();
        Ok(Self { app, filter, limit, subscription: Some(subscription), position })
    }

    /// Where to go on another time, as `<epoch>:<seq>`.
    pub fn position(&self) -> String {
        format!("{}:{}", self.app.hub().epoch(), self.position)
    }

    /// What comes next: a JSON array of events, and at least one; empty only where the hub stops. Where the log does not
    /// go on as it was left, an object whose `type` is `gap` says so. Needs tokio around it.
    ///
    /// It may be dropped while it waits, and nothing is lost.
    pub async fn batch(&mut self) -> Vec<u8> {
        let drain = self.app.drain().clone();
        let mut stopping = std::pin::pin!(drain.wait().fuse());
        let (mut found, mut bytes) = (Vec::new(), 0);
        loop {
            let subscription = self.subscription.get_or_insert_with(|| {
                self.app.hub().subscribe(self.filter.clone(), Start::After(self.position))
            });
            let next = match subscription.try_next() {
                Next::Idle | Next::Behind if !found.is_empty() => break,
                Next::Idle => tokio::select! {
                    next = subscription.next() => next,
                    () = &mut stopping => break,
                },
                next => next,
            };
            match next {
                Next::Item(Item::Shown(entry, _)) => {
                    let event = entry.event_json();
                    bytes += event.len();
                    found.push(event);
                }
                Next::Item(Item::Gap(gap)) => found.push(told(&gap).into()),
                Next::Item(Item::Cursor(_)) => {}
                Next::Behind => self.read_store().await,
                Next::Idle => break,
            }
            if found.len() >= self.limit || bytes >= ANSWER_BYTES {
                break;
            }
        }
        if let Some(subscription) = &self.subscription {
            self.position = subscription.position();
        }
        reply::array(&found)
    }

    async fn read_store(&mut self) {
        let Some(subscription) = self.subscription.take() else { return };
        self.position = subscription.position();
        match bridge::catch_up(subscription).await {
            Ok(subscription) => self.subscription = Some(subscription),
            Err(why) => {
                tracing::warn!(%why, "events cannot be read now; they will be");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

fn told(gap: &Gap) -> Vec<u8> {
    let Gap { reason, oldest_seq, head_seq } = gap;
    let reason = reason.as_str();
    format!(
        "{{\"type\":\"gap\",\"reason\":\"{reason}\",\"oldest_seq\":{oldest_seq},\"head_seq\":{head_seq}}}"
    )
    .into_bytes()
}
