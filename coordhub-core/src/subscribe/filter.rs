//! What one subscriber wants to see of what it may see.

use std::collections::BTreeSet;

use super::{Entry, View, notice};
use crate::{
    hub::policy::Reader,
    ids::{ChannelName, EntityId},
    model::Role,
};

/// What one subscriber wants. Policy comes first: this only narrows.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Who reads. Its type is looked up as it goes, so that policy follows it.
    pub reader: Option<EntityId>,
    /// What it may do: admins see more.
    pub role: Role,
    /// Whose messages.
    pub channels: Channels,
    /// How entries are shown.
    pub show: Show,
}

/// The channels whose messages are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Channels {
    /// All that the reader may read.
    All,
    /// These.
    Named(BTreeSet<ChannelName>),
}

impl Channels {
    fn contains(&self, channel: &ChannelName) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(channel),
        }
    }
}

/// How entries are shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Show {
    /// As a socket shows them: messages, notices, and where asked for the events that neither shows.
    Frames {
        /// Which notices.
        notices: Notices,
        /// Whether events that no message and no notice shows are shown as events.
        rest: Rest,
    },
    /// As the log: every entry as an event.
    Log {
        /// Only these kinds, where given.
        kinds: Option<BTreeSet<String>>,
    },
}

/// Which notices are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notices {
    /// All of them.
    All,
    /// None.
    None,
    /// Those of the reader's own affairs.
    Mine,
    /// Those of these kinds.
    Kinds(BTreeSet<String>),
}

/// What becomes of events that no message and no notice shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rest {
    /// They are passed over.
    Hidden,
    /// They are shown as events.
    Shown,
}

/// Messages on this channel reach every socket, subscribed or not.
const PUSHED_CHANNEL: &str = "urgent";

impl Filter {
    /// How `reader` is to see `entry`, if at all.
    pub fn view(&self, reader: &Reader, entry: &Entry) -> Option<View> {
        if !entry.audience().includes(reader) {
            return None;
        }
        match &self.show {
            Show::Log { kinds } => {
                let wanted = kinds.as_ref().is_none_or(|kinds| kinds.contains(entry.kind()));
                let channel = entry.message().and_then(|m| m.channel.as_ref());
                let heard = channel.is_none_or(|channel| self.channels.contains(channel));
                (wanted && heard).then_some(View::Event)
            }
            Show::Frames { notices, rest } => {
                if let Some(message) = entry.message() {
                    let heard = message.channel.as_ref().is_none_or(|channel| {
                        channel.as_str() == PUSHED_CHANNEL || self.channels.contains(channel)
                    });
                    if heard {
                        return Some(View::Message);
                    }
                } else if self.wants_notice(notices, reader, entry) {
                    return Some(View::Notice);
                }
                (*rest == Rest::Shown).then_some(View::Event)
            }
        }
    }

    fn wants_notice(&self, notices: &Notices, reader: &Reader, entry: &Entry) -> bool {
        let Some(notice) = entry.notice() else { return false };
        match notices {
            Notices::All => true,
            Notices::None => false,
            Notices::Kinds(kinds) => kinds.contains(notice.kind),
            Notices::Mine => match (&self.reader, entry.event()) {
                // A question is the affair of everyone who could answer it.
                (Some(id), Some(event)) => {
                    let is_asked = notice.kind == "question_asked" && reader.standing.is_human();
                    is_asked || notice::concerns(event, id)
                }
                _ => false,
            },
        }
    }
}
