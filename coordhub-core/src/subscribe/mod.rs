//! How everyone hears of what happened: one shared window of encoded events, and cursors over it.

mod entry;
mod notice;
mod window;
mod rings;
mod signal;
mod permits;
mod published;
mod filter;
mod subscription;

pub(crate) use entry::message_object;
pub use entry::{Entry, View};
pub use filter::{Channels, Filter, Notices, Rest, Show};
pub(crate) use notice::NOTICED_EVENT_KINDS;
pub use notice::{NOTICE_KINDS, Notice};
pub use rings::MessageJson;
pub use subscription::{Gap, GapReason, Item, Next, Start, Subscription};

pub(crate) use published::Published;
pub(crate) use rings::Rings;
pub(crate) use signal::Signal;
pub(crate) use window::{After, Window};
