//! A subscription is a cursor: a position in the log, read from the window, or from the store where
//! it has fallen behind. Resuming is the same code as reading live.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use super::{Channels, Entry, Filter, Published, View, signal::Place, window::After};
use crate::{
    hub::policy::Reader,
    ids::{ChannelName, Seq},
    limits::{CATCH_UP_PAGE_BYTES, CATCH_UP_PAGE_EVENTS, CURSOR_HIDDEN_EVENTS_MAX},
    store::StoreError,
};

/// Where a subscription starts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Start {
    /// With what comes next.
    #[default]
    Live,
    /// After a position in this history.
    After(Seq),
    /// After a position in the history of this epoch.
    AfterIn(String, Seq),
}

/// A cursor over the log, with a filter. Holds a page of entries at most, bounded in bytes: a slow
/// reader costs no more than that.
///
/// Call [`try_next`](Self::try_next) until it says [`Next::Idle`], then wait by
/// [`next_timeout`](Self::next_timeout) or [`poll_next`](Self::poll_next). Where it says
/// [`Next::Behind`], call [`catch_up`](Self::catch_up), which reads the store and may block.
#[derive(Debug)]
pub struct Subscription {
    published: Arc<Published>,
    filter: Filter,
    /// Everything up to here was shown or passed over.
    position: Seq,
    /// What the reader was last told of where it stands.
    told: Seq,
    gap: Option<Gap>,
    buffer: VecDeque<Arc<Entry>>,
    /// How often messages had been redacted when the buffer was filled.
    redactions: u64,
    place: Option<Place>,
}

/// What a subscription has to say.
#[derive(Clone, Debug)]
pub enum Next {
    /// This.
    Item(Item),
    /// Nothing now.
    Idle,
    /// What comes next must be read from the store: call [`Subscription::catch_up`].
    Behind,
}

/// Something to tell the reader.
#[derive(Clone, Debug)]
pub enum Item {
    /// An entry, and how it is shown.
    Shown(Arc<Entry>, View),
    /// Nothing was shown for a while; this is the position.
    Cursor(Seq),
    /// What was asked for is not to be had in full.
    Gap(Gap),
}

/// Why a resumed stream has a gap, and between what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The oldest event there is.
    pub oldest_seq: Seq,
    /// The newest. After a gap of another history the stream goes on from here.
    pub head_seq: Seq,
}

/// Why a resumed stream has a gap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GapReason {
    /// The position is one of another history: restored from a backup, or begun anew.
    OtherHistory,
    /// The events after it were pruned.
    Pruned,
}

impl GapReason {
    /// The word in the frame.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherHistory => "other_history",
            Self::Pruned => "pruned",
        }
    }
}

impl Subscription {
    pub(crate) fn new(published: Arc<Published>, filter: Filter, start: Start) -> Self {
        let (head_seq, oldest_seq) = (published.window.head(), published.oldest_seq());
        let gap = |reason| Some(Gap { reason, oldest_seq, head_seq });
        let (position, gap) = match start {
            Start::Live => (head_seq, None),
            Start::AfterIn(epoch, _) if epoch != published.epoch => {
                (head_seq, gap(GapReason::OtherHistory))
            }
            Start::After(seq) | Start::AfterIn(_, seq) if seq > head_seq => {
                (head_seq, gap(GapReason::OtherHistory))
            }
            Start::After(seq) | Start::AfterIn(_, seq) if seq + 1 < oldest_seq => {
                (oldest_seq - 1, gap(GapReason::Pruned))
            }
            Start::After(seq) | Start::AfterIn(_, seq) => (seq, None),
        };
        let (told, buffer) = (position, VecDeque::new());
        let redactions = published.redactions();
        Self { published, filter, position, told, gap, buffer, redactions, place: None }
    }

    // Getters.

    /// Everything up to here was shown or passed over.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// What it shows.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// To how many channels it is narrowed.
    pub fn channels(&self) -> usize {
        match &self.filter.channels {
            Channels::All => 0,
            Channels::Named(names) => names.len(),
        }
    }

    // Changes.

    /// Also shows what stands on `channel` from here on. Whether it did not before.
    pub fn add_channel(&mut self, channel: ChannelName) -> bool {
        match &mut self.filter.channels {
            Channels::All => false,
            Channels::Named(names) => names.insert(channel),
        }
    }

    /// Shows no more of `channel`. Whether it did before.
    pub fn remove_channel(&mut self, channel: &ChannelName) -> bool {
        match &mut self.filter.channels {
            Channels::All => false,
            Channels::Named(names) => names.remove(channel),
        }
    }

    /// The position, where it has moved since the reader was last told, by an item or by this.
    pub fn take_cursor(&mut self) -> Option<Seq> {
        let moved = self.position > self.told && self.gap.is_none();
        self.told = self.position;
        moved.then_some(self.position)
    }

    // Draining.

    /// The next thing to tell, without waiting and without touching the disk.
    pub fn try_next(&mut self) -> Next {
        if let Some(gap) = self.gap.take() {
            return Next::Item(Item::Gap(gap));
        }
        loop {
            self.forget_redacted();
            if self.buffer.is_empty() {
                if let Some(gap) = self.pruned() {
                    return Next::Item(Item::Gap(gap));
                }
                let page = (CATCH_UP_PAGE_EVENTS, CATCH_UP_PAGE_BYTES);
                match self.published.window.after(self.position, page) {
                    After::Behind => return Next::Behind,
                    After::Entries(entries) if entries.is_empty() => return Next::Idle,
                    After::Entries(entries) => self.buffer = entries.into(),
                }
            }
            // Looked up each time: policy goes by the reader's type now.
            let reader = self.published.reader(self.filter.reader.clone());
            let reader = reader.in_role(self.filter.role);
            if let Some(item) = self.take_shown(&reader) {
                return Next::Item(item);
            }
        }
    }

    /// What comes next was given up since the reader was there: it goes on with what is left.
    fn pruned(&mut self) -> Option<Gap> {
        let (oldest_seq, head_seq) = (self.published.oldest_seq(), self.published.window.head());
        if self.position + 1 >= oldest_seq {
            return None;
        }
        self.position = oldest_seq - 1;
        self.told = self.position;
        Some(Gap { reason: GapReason::Pruned, oldest_seq, head_seq })
    }

    /// What was taken before a message was redacted is taken anew.
    fn forget_redacted(&mut self) {
        let redactions = self.published.redactions();
        if redactions != self.redactions {
            self.redactions = redactions;
            self.buffer.clear();
        }
    }

    /// The next thing to show of the buffer; passes over what is not to be shown.
    fn take_shown(&mut self, reader: &Reader) -> Option<Item> {
        while let Some(entry) = self.buffer.pop_front() {
            self.position = entry.seq();
            if let Some(view) = self.filter.view(reader, &entry) {
                self.told = self.position;
                return Some(Item::Shown(entry, view));
            }
            if self.position - self.told >= CURSOR_HIDDEN_EVENTS_MAX {
                self.told = self.position;
                return Some(Item::Cursor(self.position));
            }
        }
        None
    }

    /// Reads one page from the store. Blocks while it reads, and while too many others do.
    pub fn catch_up(&mut self) -> Result<(), StoreError> {
        if !self.buffer.is_empty() {
            return Ok(());
        }
        let _permit = self.published.catch_ups.acquire();
        let page = self.published.history.events(self.position, CATCH_UP_PAGE_EVENTS)?;
        self.published.catch_ups_done.fetch_add(1, Relaxed);
        // What the store has already and the hub has not published yet is shown when it is published.
        let head = self.published.window.head();
        let mut bytes = 0;
        for stamped in page.into_iter().take_while(|stamped| stamped.seq <= head) {
            let entry = Arc::new(Entry::new(stamped));
            bytes += entry.weight();
            self.buffer.push_back(entry);
            if bytes >= CATCH_UP_PAGE_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// The next thing to tell; waits for it, and reads the store where it must. `None` when the time
    /// is up or the hub has closed.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Item>, StoreError> {
        let deadline = crate::time::deadline_in(timeout);
        loop {
            let rings = self.published.signal.rings();
            match self.try_next() {
                Next::Item(item) => return Ok(Some(item)),
                Next::Behind => self.catch_up()?,
                Next::Idle if self.published.is_closed() => return Ok(None),
                Next::Idle if !self.published.signal.wait(rings, deadline) => return Ok(None),
                Next::Idle => {}
            }
        }
    }

    /// The next thing to tell, for futures: never blocks. Ready with [`Next::Behind`] where the store
    /// must be read; the caller then has [`catch_up`](Self::catch_up) done where blocking is allowed.
    /// Never ready with [`Next::Idle`], unless the hub has closed.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        match self.try_next() {
            Next::Idle => {}
            next => return Poll::Ready(next),
        }
        // Listen, then look again: what was published in between must not be missed.
        self.published.signal.listen(&mut self.place, context);
        match self.try_next() {
            Next::Idle if self.published.is_closed() => Poll::Ready(Next::Idle),
            Next::Idle => Poll::Pending,
            next => Poll::Ready(next),
        }
    }

    /// [`poll_next`](Self::poll_next) as a future.
    #[expect(
        clippy::should_implement_trait,
        reason = "the name that readers of streams expect, and this is no iterator"
    )]
    pub fn next(&mut self) -> impl Future<Output = Next> + '_ {
        NextFuture { subscription: self }
    }
}

impl Subscription {
    /// Waits until there is something to tell, or to read, without taking it: may be dropped at any
    /// time. Never returns where the hub has closed.
    pub async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll_ready(context)).await;
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_more() {
            return Poll::Ready(());
        }
        // Listen, then look again: what was published in between must not be missed.
        self.published.signal.listen(&mut self.place, context);
        if self.has_more() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_more(&self) -> bool {
        self.gap.is_some()
            || !self.buffer.is_empty()
            || self.published.window.head() > self.position
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.published.signal.forget(place);
        }
    }
}

struct NextFuture<'a> {
    subscription: &'a mut Subscription,
}

impl Future for NextFuture<'_> {
    type Output = Next;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next> {
        self.subscription.poll_next(context)
    }
}
