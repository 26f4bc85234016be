//! What has been published: everything that readers and subscribers look at.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;

use super::{Entry, Rings, Signal, Window, permits::Permits};
use crate::{
    event::MessageRedacted,
    hub::{PrivateChannels, State, policy::Reader},
    ids::{EntityId, Seq},
    limits::{CATCH_UPS_MAX, Limits},
    model::Horizons,
    store::{History, StoreError},
};

/// How many of the newest events the window is filled with at the start.
const WARM_EVENTS: usize = 2_000;

/// The durable state, the window of encoded events, and the history behind it. Only the writer
/// changes any of it.
pub(crate) struct Published {
    pub(crate) durable: RwLock<State>,
    pub(crate) window: Window,
    pub(crate) rings: Rings,
    pub(crate) signal: Signal,
    pub(crate) history: Arc<dyn History>,
    pub(crate) epoch: String,
    oldest_seq: AtomicU64,
    pub(crate) catch_ups: Permits,
    /// How many pages were read for subscribers.
    pub(crate) catch_ups_done: AtomicU64,
    redactions: AtomicU64,
    closed: AtomicBool,
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Published {
    /// What a store has, published from the start; the window is filled with the newest of it.
    pub(crate) fn new(
        state: State,
        epoch: String,
        history: Arc<dyn History>,
    ) -> Result<Self, StoreError> {
        let Limits { window_bytes_max, rings_bytes_max, .. } = *state.limits();
        let oldest_seq = state.horizons().oldest_seq();
        let mut warm = history.newest_events(WARM_EVENTS, window_bytes_max)?;
        warm.retain(|stamped| stamped.seq >= oldest_seq);
        let floor = warm.first().map_or(state.head(), |stamped| stamped.seq - 1);
        let window = Window::new(window_bytes_max, state.head());
        let rings = Rings::new(rings_bytes_max, floor);
        let warm: Vec<_> = warm.into_iter().map(|stamped| Arc::new(Entry::new(stamped))).collect();
        window.extend(&warm);
        rings.extend(&warm, state.private_channels());
        Ok(Self {
            durable: RwLock::new(state),
            window,
            rings,
            signal: Signal::default(),
            oldest_seq: AtomicU64::new(oldest_seq),
            history,
            epoch,
            catch_ups: Permits::new(CATCH_UPS_MAX),
            catch_ups_done: AtomicU64::new(0),
            redactions: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// A reader as it stands now.
    pub(crate) fn reader(&self, id: Option<EntityId>) -> Reader {
        Reader::new(&self.durable.read(), id)
    }

    /// The private channels that there are. Whether a channel is one never changes, so this is as good
    /// for whatever was published before.
    pub(crate) fn private_channels(&self) -> Arc<PrivateChannels> {
        self.durable.read().private_channels().clone()
    }

    /// Takes what a message says out of memory; on disk it is gone already.
    pub(crate) fn redact(&self, redacted: &MessageRedacted) {
        let of = &redacted.of;
        let in_ring = || self.rings.get(of.channel.as_ref()?, of.message_seq);
        let Some(entry) = self.window.get(of.message_seq).or_else(in_ring) else { return };
        if let Some(blank) = entry.redacted(&redacted.metadata).map(Arc::new) {
            self.window.replace(&blank);
            self.rings.replace(&blank);
        }
    }

    /// From here on the log is whole.
    pub(crate) fn oldest_seq(&self) -> Seq {
        self.oldest_seq.load(Ordering::Acquire)
    }

    /// Takes what was given up out of memory. Whoever is behind it is told of a gap from here on.
    pub(crate) fn forget_old(&self, horizons: &Horizons) {
        let oldest = horizons.oldest_seq();
        self.oldest_seq.store(oldest, Ordering::Release);
        self.window.forget_before(oldest);
        self.rings.forget_before(oldest);
        self.forget_taken();
    }

    /// Has subscribers take anew what they have taken and not shown.
    pub(crate) fn forget_taken(&self) {
        self.redactions.fetch_add(1, Ordering::Release);
    }

    /// How often that was so.
    pub(crate) fn redactions(&self) -> u64 {
        self.redactions.load(Ordering::Acquire)
    }

    /// Whether nothing more will be published.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Nothing more will be published: whoever waits is told.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.signal.ring();
    }
}
