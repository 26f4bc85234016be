//! Reading: hot state and rings on the spot, history from the store.
//!
//! Methods named `*_hot` never touch the disk and answer `None` where they would have to; their
//! namesakes without it may block.

mod entities;
mod messages;
mod search;
mod tasks;
mod reservations;
mod proposals;
mod attention;
mod credentials;
mod audit;

pub use attention::Attention;
pub use entities::EntityFilter;
pub use messages::{InboxQuery, MessageList, NoticesAmong, OnlyDirect, RecentQuery, Unread};
pub use search::{SearchQuery, SearchResults};

use std::ops::{Bound, RangeBounds as _};

use super::Hub;
use crate::{
    hub::policy::Reader,
    ids::{EntityId, Seq},
    store::{End, Page},
};

impl Hub {
    /// A reader as the hub knows it now.
    pub fn reader(&self, id: Option<EntityId>) -> Reader {
        self.shared.published.reader(id)
    }
}

/// A page of a list, and the position up to which it was scanned: the next page's `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T> {
    /// What this page holds.
    pub items: Vec<T>,
    /// The position scanned.
    pub next: Seq,
}

/// Which way a list of tasks, proposals or entities goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// The oldest first.
    #[default]
    Ascending,
    /// The newest first.
    Descending,
}

/// Which page of a list in order of creation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Only what comes after this `seq` of creation, in the order asked for.
    pub after: Option<Seq>,
    /// Which way.
    pub order: Order,
    /// At most so many.
    pub limit: usize,
}

impl Window {
    fn page(self) -> Page {
        let (after, before, from) = match self.order {
            Order::Ascending => (self.after, None, End::Oldest),
            Order::Descending => (None, self.after, End::Newest),
        };
        Page { after, before, from, limit: self.limit }
    }

    /// The part of the list, by `seq` of creation.
    pub(super) fn range(self) -> (Bound<Seq>, Bound<Seq>) {
        match (self.after, self.order) {
            (None, _) => (Bound::Unbounded, Bound::Unbounded),
            (Some(after), Order::Ascending) => (Bound::Excluded(after), Bound::Unbounded),
            (Some(before), Order::Descending) => (Bound::Unbounded, Bound::Excluded(before)),
        }
    }

    fn holds(self, seq: Seq) -> bool {
        self.range().contains(&seq)
    }

    /// The page of `items`, which are in ascending order and may be one more than asked for.
    fn list<T>(self, mut items: Vec<T>, seq: impl Fn(&T) -> Seq, head: Seq) -> List<T> {
        let full = items.len() >= self.limit;
        if self.order == Order::Descending {
            items.reverse();
        }
        items.truncate(self.limit);
        let next = match (full, self.order) {
            (true, _) => items.last().map_or(0, seq),
            (false, Order::Ascending) => head,
            (false, Order::Descending) => 0,
        };
        List { items, next }
    }
}

/// Takes a page's worth from the right end, leaving it in ascending order.
fn take_from<T>(all: impl DoubleEndedIterator<Item = T>, window: Window) -> Vec<T> {
    match window.order {
        Order::Ascending => all.take(window.limit).collect(),
        Order::Descending => {
            let mut found: Vec<T> = all.rev().take(window.limit).collect();
            found.reverse();
            found
        }
    }
}
