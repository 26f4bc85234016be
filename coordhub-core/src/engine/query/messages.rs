//! Reading messages and channels.

use bytes::Bytes;

use super::List;
use crate::{
    engine::{Hub, HubError},
    hub::{
        Rejection, State,
        policy::{self, Reader},
    },
    ids::{BUILT_IN_CHANNELS, ChannelName, EntityId, MessageId, Seq},
    limits::UNREAD_COUNT_MAX,
    model::{ChannelView, Message},
    store::{End, MessageSet, Page},
    subscribe::{Entry, MessageJson, NOTICED_EVENT_KINDS, message_object},
};

/// A page of messages, each as the bytes of its JSON object.
pub type MessageList = List<Bytes>;

/// What `recent` is asked for.
#[derive(Clone, Debug, Default)]
pub struct RecentQuery {
    /// One channel; all where not given.
    pub channel: Option<ChannelName>,
    /// Direct messages between the reader and this one, instead of channels.
    pub with: Option<EntityId>,
    /// One thread.
    pub thread: Option<MessageId>,
    /// The newest before this.
    pub before: Option<Seq>,
    /// The first that follow this.
    pub after: Option<Seq>,
    /// At most so many.
    pub limit: usize,
    /// Whether the hub's notices are among them.
    pub notices: NoticesAmong,
}

/// Whether the hub's notices are among messages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NoticesAmong {
    /// They are not.
    #[default]
    No,
    /// They are.
    Yes,
}

/// Which messages of an inbox.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Unread {
    /// All of them.
    #[default]
    AndRead,
    /// Those not marked read.
    Only,
}

/// What an inbox is asked for.
#[derive(Clone, Debug)]
pub struct InboxQuery {
    /// Only what follows this.
    pub after: Option<Seq>,
    /// At most so many.
    pub limit: usize,
    /// Which.
    pub unread: Unread,
    /// Whether only direct messages are meant.
    pub only_direct: OnlyDirect,
}

/// Whether only direct messages are meant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnlyDirect {
    /// Messages on channels, too.
    #[default]
    No,
    /// Direct messages only.
    Yes,
}

impl Hub {
    /// The channels that the reader may know of.
    pub fn channels(&self, reader: &Reader) -> Result<Vec<ChannelView>, HubError> {
        let cursors = |state: &State| reader.id.as_ref().and_then(|id| state.cursors(id)).cloned();
        let (mut views, cursors) = self.with_state(|state| {
            let visible = state
                .channels()
                .iter()
                .filter(|(name, _)| policy::may_read_channel(reader.standing, name));
            let views: Vec<_> = visible
                .map(|(name, channel)| ChannelView {
                    built_in: BUILT_IN_CHANNELS.contains(&name.as_str()),
                    may_post: policy::may_post(reader.standing, name),
                    messages: channel.messages,
                    last_seq: (channel.head > 0).then_some(channel.head),
                    unread: None,
                    created_at: channel.created_at,
                    channel: name.clone(),
                })
                .collect();
            (views, cursors(state))
        });
        if let (Some(id), Some(cursors)) = (&reader.id, cursors) {
            for view in &mut views {
                let read = cursors.channel(&view.channel);
                view.unread = Some(if view.last_seq.is_none_or(|last| last <= read) {
                    0
                } else {
                    let history = &self.shared.published.history;
                    history.count_unread(id, &view.channel, read, UNREAD_COUNT_MAX)?
                });
            }
        }
        Ok(views)
    }

    /// Recent messages that the reader may read, oldest first, if memory holds them all.
    pub fn recent_hot(&self, reader: &Reader, query: &RecentQuery) -> Option<MessageList> {
        if query.with.is_some() || query.thread.is_some() || query.notices == NoticesAmong::Yes {
            return None;
        }
        // Several rings are read one after the other. What is published meanwhile is left for the
        // next call in all of them: a message after the head must not hide one before it.
        let head = self.head_seq();
        let before = query.before.unwrap_or(Seq::MAX).min(head + 1);
        let query = RecentQuery { before: Some(before), ..query.clone() };
        let found = match &query.channel {
            Some(channel) if !policy::may_read_channel(reader.standing, channel) => Vec::new(),
            Some(channel) => self.ring(Some(channel), &query)?,
            None => self.rings_of(reader, &query)?,
        };
        Some(page_of_messages(found, query.after, query.limit, before.saturating_sub(1)))
    }

    /// The public messages, and those of restricted channels that the reader may read.
    fn rings_of(&self, reader: &Reader, query: &RecentQuery) -> Option<Vec<MessageJson>> {
        let mut found = self.ring(None, query)?;
        // Of a full page, only what is newer than its oldest can take a place.
        let is_full = found.len() >= query.limit;
        let floor = found.first().filter(|_| is_full).map_or(0, |oldest| oldest.seq);
        let restricted = policy::RESTRICTED_CHANNELS.iter().map(|name| ChannelName::trusted(name));
        for channel in restricted.filter(|c| policy::may_read_channel(reader.standing, c)) {
            found.append(&mut match query.after {
                Some(_) => self.ring(Some(&channel), query)?,
                None => {
                    let rings = &self.shared.published.rings;
                    rings.newest(Some(&channel), query.before, floor, query.limit)?
                }
            });
        }
        Some(found)
    }

    fn ring(&self, channel: Option<&ChannelName>, query: &RecentQuery) -> Option<Vec<MessageJson>> {
        match query.after {
            Some(after) => {
                self.shared.published.rings.following(channel, after, query.before, query.limit)
            }
            None => self.shared.published.rings.newest(channel, query.before, 0, query.limit),
        }
    }

    /// Recent messages that the reader may read, oldest first.
    pub fn recent(&self, reader: &Reader, query: &RecentQuery) -> Result<MessageList, HubError> {
        if let Some(hot) = self.recent_hot(reader, query) {
            return Ok(hot);
        }
        let head = self.head_seq();
        let page = Page {
            after: query.after,
            before: query.before,
            from: if query.after.is_some() { End::Oldest } else { End::Newest },
            limit: query.limit,
        };
        let mut found = match self.recent_set(reader, query)? {
            Some(set) => self.messages_of(&set, &page, head)?,
            None => Vec::new(),
        };
        if query.notices == NoticesAmong::Yes && query.with.is_none() && query.thread.is_none() {
            let general = query.channel.as_ref().is_none_or(|name| name.as_str() == "general");
            if general {
                let events =
                    self.shared.published.history.events_of_kinds(&NOTICED_EVENT_KINDS, &page)?;
                found.extend(events.into_iter().filter(|e| e.seq <= head).filter_map(|stamped| {
                    let entry = Entry::new(stamped);
                    Some(MessageJson { seq: entry.seq(), json: entry.notice_json()? })
                }));
            }
        }
        let end = query.before.map_or(head, |before| head.min(before.saturating_sub(1)));
        Ok(page_of_messages(found, query.after, query.limit, end))
    }

    /// The set of messages that `recent` is about, policy applied. `None` where it is empty.
    fn recent_set(
        &self,
        reader: &Reader,
        query: &RecentQuery,
    ) -> Result<Option<MessageSet>, HubError> {
        if let Some(other) = &query.with {
            let Some(own) = &reader.id else { return Err(Rejection::CallerNeeded.into()) };
            return Ok(Some(MessageSet::Pair(own.clone(), other.clone())));
        }
        if let Some(thread) = &query.thread {
            // A thread stays in one channel or pair: who may read its first message may read it all.
            let first = self.shared.published.history.message(thread)?;
            let readable = first.filter(|first| {
                let on = query.channel.is_none() || query.channel == first.channel;
                on && policy::may_read_message(reader, &first.head())
            });
            return Ok(readable.map(|first| MessageSet::Thread(first.message_id.clone())));
        }
        if let Some(channel) = &query.channel {
            let readable = policy::may_read_channel(reader.standing, channel);
            let set = MessageSet::Channel { channel: channel.clone(), not_from: None };
            return Ok(readable.then_some(set));
        }
        Ok(Some(MessageSet::Channels { hidden: hidden(reader), not_from: None }))
    }

    fn messages_of(
        &self,
        set: &MessageSet,
        page: &Page,
        head: Seq,
    ) -> Result<Vec<MessageJson>, HubError> {
        // What is on disk and not yet published must not be seen before it is.
        let before = Some(page.before.unwrap_or(Seq::MAX).min(head + 1));
        let page = Page { before, ..page.clone() };
        let found = self.shared.published.history.messages(set, &page)?;
        let json =
            |message: &Message| MessageJson { seq: message.seq, json: message_object(message) };
        Ok(found.iter().map(|message| json(message)).collect())
    }

    /// The inbox of the reader: direct messages to it, and messages of others on channels that it may
    /// read.
    pub fn inbox(&self, reader: &Reader, query: &InboxQuery) -> Result<MessageList, HubError> {
        let Some(id) = &reader.id else { return Err(Rejection::CallerNeeded.into()) };
        let head = self.head_seq();
        let mut found = Vec::new();
        if query.unread == Unread::Only {
            let mut before = None;
            for (set, read) in self.unread_sets(reader, id, query.only_direct)? {
                let after = Some(query.after.unwrap_or(0).max(read));
                let page = Page { after, before, from: End::Oldest, limit: query.limit };
                found.append(&mut self.messages_of(&set, &page, head)?);
                // Of a full page, only what is older than its newest can take a place.
                found.sort_unstable_by_key(|message: &MessageJson| message.seq);
                found.truncate(query.limit);
                before = found.last().filter(|_| found.len() == query.limit).map(|m| m.seq);
            }
            return Ok(page_of_messages(found, Some(query.after.unwrap_or(0)), query.limit, head));
        }
        let from = if query.after.is_some() { End::Oldest } else { End::Newest };
        let page = Page { after: query.after, before: None, from, limit: query.limit };
        found.append(&mut self.messages_of(&MessageSet::DirectTo(id.clone()), &page, head)?);
        if query.only_direct == OnlyDirect::No {
            let others =
                MessageSet::Channels { hidden: hidden(reader), not_from: Some(id.clone()) };
            found.append(&mut self.messages_of(&others, &page, head)?);
        }
        Ok(page_of_messages(found, query.after, query.limit, head))
    }

    /// The sets of an inbox that have something unread, each with how far it is read.
    fn unread_sets(
        &self,
        reader: &Reader,
        id: &EntityId,
        only_direct: OnlyDirect,
    ) -> Result<Vec<(MessageSet, Seq)>, HubError> {
        self.with_state(|state| {
            let Some(cursors) = state.cursors(id) else {
                return Err(Rejection::UnknownEntity(id.clone()).into());
            };
            let mut sets = vec![(MessageSet::DirectTo(id.clone()), cursors.direct())];
            if only_direct == OnlyDirect::No {
                sets.extend(state.channels().iter().filter_map(|(name, channel)| {
                    let read = cursors.channel(name);
                    let unread =
                        channel.head > read && policy::may_read_channel(reader.standing, name);
                    let set =
                        MessageSet::Channel { channel: name.clone(), not_from: Some(id.clone()) };
                    unread.then_some((set, read))
                }));
            }
            Ok(sets)
        })
    }

    /// One message, as the bytes of its JSON object, if the reader may read it.
    pub fn message(&self, reader: &Reader, id: &MessageId) -> Result<Bytes, HubError> {
        let head = self.head_seq();
        let found = self.shared.published.history.message(id)?;
        let readable = found
            .filter(|m| m.seq <= head && policy::may_read_message(reader, &m.head()))
            .ok_or_else(|| Rejection::UnknownMessage(id.clone()))?;
        Ok(message_object(&readable))
    }
}

/// Puts messages from several sets in order, and keeps a page of them. `end` is as far as was looked.
fn page_of_messages(
    mut found: Vec<MessageJson>,
    after: Option<Seq>,
    limit: usize,
    end: Seq,
) -> MessageList {
    found.sort_unstable_by_key(|message| message.seq);
    let full = found.len() >= limit;
    if after.is_some() {
        found.truncate(limit);
    } else {
        found.drain(..found.len().saturating_sub(limit));
    }
    let next = match found.last() {
        Some(last) if full && after.is_some() => last.seq,
        _ => end,
    };
    List { items: found.into_iter().map(|message| message.json).collect(), next }
}

fn hidden(reader: &Reader) -> Vec<ChannelName> {
    let names = policy::hidden_channels(reader.standing);
    names.iter().map(|name| ChannelName::trusted(name)).collect()
}
