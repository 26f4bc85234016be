//! Reading messages and channels.

use bytes::Bytes;

use super::List;
use crate::{
    engine::{Hub, HubError},
    event::Event,
    hub::{
        Rejection, State,
        policy::{self, Reader},
    },
    ids::{BUILT_IN_CHANNELS, ChannelName, EntityId, MessageId, Seq},
    limits::{ANSWER_BYTES, UNREAD_COUNT_MAX},
    model::{Channel, ChannelDetails, ChannelView, Message},
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
            let channels = state.channels().iter();
            let visible = channels.filter(|(name, _)| policy::may_read_channel(reader, name));
            let views: Vec<_> =
                visible.map(|(name, channel)| view(reader, name, channel)).collect();
            (views, cursors(state))
        });
        if let (Some(id), Some(cursors)) = (&reader.id, cursors) {
            for view in &mut views {
                let read = cursors.channel(&view.channel);
                view.unread = Some(self.unread_on(id, view, read)?);
            }
        }
        Ok(views)
    }

    /// One channel that the reader may know of, and who belongs to it where it is private.
    pub fn channel(&self, reader: &Reader, name: &ChannelName) -> Result<ChannelDetails, HubError> {
        let found = self.with_state(|state| {
            let channel = state.channel(name)?;
            let membership = state.private_channels().get(name);
            let details = ChannelDetails {
                channel: view(reader, name, channel),
                created_by: channel.created_by.clone(),
                members: membership.map(|private| private.members.keys().cloned().collect()),
                types: membership.map(|private| private.types.clone()),
            };
            let cursors = reader.id.as_ref().and_then(|id| state.cursors(id));
            Some((details, cursors.map(|cursors| cursors.channel(name))))
        });
        let unknown = || Rejection::UnknownChannel(name.clone());
        let found = found.filter(|_| policy::may_read_channel(reader, name));
        let (mut details, read) = found.ok_or_else(unknown)?;
        if let (Some(id), Some(read)) = (&reader.id, read) {
            details.channel.unread = Some(self.unread_on(id, &details.channel, read)?);
        }
        Ok(details)
    }

    fn unread_on(&self, id: &EntityId, view: &ChannelView, read: Seq) -> Result<u64, HubError> {
        if view.last_seq.is_none_or(|last| last <= read) {
            return Ok(0);
        }
        let history = &self.shared.published.history;
        Ok(history.count_unread(id, &view.channel, read, UNREAD_COUNT_MAX)?)
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
            Some(channel) if !policy::may_read_channel(reader, channel) => Vec::new(),
            Some(channel) => self.ring(Some(channel), &query)?,
            None => self.rings_of(reader, &query)?,
        };
        let mut page = Found::new(query.after);
        page.add(found);
        Some(page.into_page(query.limit, before.saturating_sub(1)))
    }

    /// The public messages, and those of restricted and private channels that the reader may read.
    fn rings_of(&self, reader: &Reader, query: &RecentQuery) -> Option<Vec<MessageJson>> {
        let mut found = self.ring(None, query)?;
        // Of a full page, only what is newer than its oldest can take a place.
        let is_full = found.len() >= query.limit;
        let floor = found.first().filter(|_| is_full).map_or(0, |oldest| oldest.seq);
        let restricted = policy::RESTRICTED_CHANNELS.iter().map(|name| ChannelName::trusted(name));
        let restricted = restricted.filter(|channel| policy::may_read_channel(reader, channel));
        let private = self.private_channels_after(reader, query.after.unwrap_or(floor));
        for channel in restricted.chain(private) {
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
        let mut found = Found::new(query.after);
        if let Some(set) = self.recent_set(reader, query)? {
            found.add(self.messages_of(&set, &page, head)?);
            if matches!(set, MessageSet::Channels { .. }) {
                self.add_private(&mut found, reader, &page, None, head)?;
            }
        }
        if query.notices == NoticesAmong::Yes && query.with.is_none() && query.thread.is_none() {
            let general = query.channel.as_ref().is_none_or(|name| name.as_str() == "general");
            if general {
                found.add(self.notices(reader, page, head)?);
            }
        }
        let end = query.before.map_or(head, |before| head.min(before.saturating_sub(1)));
        Ok(found.into_page(query.limit, end))
    }

    /// The hub's notices of what the reader may know of.
    fn notices(
        &self,
        reader: &Reader,
        mut page: Page,
        head: Seq,
    ) -> Result<Vec<MessageJson>, HubError> {
        page.before = Some(page.before.unwrap_or(Seq::MAX).min(head + 1));
        let mut found = Vec::new();
        loop {
            let history = &self.shared.published.history;
            let events = history.events_of_kinds(&NOTICED_EVENT_KINDS, &page)?;
            let is_last = events.len() < page.limit;
            match page.from {
                End::Oldest => page.after = events.last().map(|event| event.seq),
                End::Newest => page.before = events.first().map(|event| event.seq),
            }
            let is_for = |event: &Event| policy::audience(event).includes(reader);
            found.extend(events.into_iter().filter(|e| is_for(&e.event)).filter_map(|stamped| {
                let entry = Entry::new(stamped);
                Some(MessageJson { seq: entry.seq(), json: entry.notice_json()? })
            }));
            // Others' notices take no place on the page.
            if is_last || found.len() >= page.limit {
                found.sort_unstable_by_key(|notice| notice.seq);
                return Ok(found);
            }
        }
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
            let history = &self.shared.published.history;
            let first = match history.message(thread)? {
                None => {
                    // It was pruned, and what followed it is younger.
                    let page = Page { limit: 1, ..Page::default() };
                    history.messages(&MessageSet::Thread(thread.clone()), &page)?.pop()
                }
                first => first,
            };
            let readable = first.filter(|first| {
                let on = query.channel.is_none() || query.channel == first.channel;
                on && policy::may_read_message(reader, &first.head())
            });
            return Ok(readable.map(|_| MessageSet::Thread(thread.clone())));
        }
        if let Some(channel) = &query.channel {
            let readable = policy::may_read_channel(reader, channel);
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

    /// Adds what stands on the private channels that the reader may read: each is a range of its own,
    /// so that others' take no time.
    fn add_private(
        &self,
        found: &mut Found,
        reader: &Reader,
        page: &Page,
        not_from: Option<&EntityId>,
        head: Seq,
    ) -> Result<(), HubError> {
        for channel in self.private_channels_after(reader, page.after.unwrap_or(0)) {
            let page = found.narrow(page);
            let set = MessageSet::Channel { channel, not_from: not_from.cloned() };
            found.add(self.messages_of(&set, &page, head)?);
        }
        Ok(())
    }

    /// The private channels that the reader may read and that have messages after this.
    fn private_channels_after(&self, reader: &Reader, after: Seq) -> Vec<ChannelName> {
        let mut own = reader.private_channels().peekable();
        // Most readers have none.
        if own.peek().is_none() {
            return Vec::new();
        }
        self.with_state(|state| {
            let has_more = |name: &&ChannelName| {
                state.channel(name).is_some_and(|channel| channel.head > after)
            };
            own.filter(has_more).cloned().collect()
        })
    }

    /// The inbox of the reader: direct messages to it, and messages of others on channels that it may
    /// read.
    pub fn inbox(&self, reader: &Reader, query: &InboxQuery) -> Result<MessageList, HubError> {
        let Some(id) = &reader.id else { return Err(Rejection::CallerNeeded.into()) };
        let head = self.head_seq();
        if query.unread == Unread::Only {
            return self.unread(reader, id, query, head);
        }
        let mut found = Found::new(query.after);
        let page = Page { after: query.after, before: None, from: found.from, limit: query.limit };
        found.add(self.messages_of(&MessageSet::DirectTo(id.clone()), &page, head)?);
        if query.only_direct == OnlyDirect::No {
            let others =
                MessageSet::Channels { hidden: hidden(reader), not_from: Some(id.clone()) };
            found.add(self.messages_of(&others, &page, head)?);
            self.add_private(&mut found, reader, &page, Some(id), head)?;
        }
        Ok(found.into_page(query.limit, head))
    }

    /// What is unread of an inbox, the oldest first.
    fn unread(
        &self,
        reader: &Reader,
        id: &EntityId,
        query: &InboxQuery,
        head: Seq,
    ) -> Result<MessageList, HubError> {
        let after = query.after.unwrap_or(0);
        let mut found = Found::new(Some(after));
        for (set, read) in self.unread_sets(reader, id, query.only_direct)? {
            // Of a full page, only what is older than its newest can take a place.
            let before = found.shrink_to(query.limit);
            let page = Page {
                after: Some(after.max(read)),
                before,
                from: End::Oldest,
                limit: query.limit,
            };
            found.add(self.messages_of(&set, &page, head)?);
        }
        Ok(found.into_page(query.limit, head))
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
                    let unread = channel.head > read && policy::may_read_channel(reader, name);
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

/// Messages from several sets on their way to one page.
struct Found {
    messages: Vec<MessageJson>,
    /// Whether the page is filled from its old end.
    from: End,
    /// As far as every set was read, where one of them was cut for its size.
    bound: Option<Seq>,
}

impl Found {
    fn new(after: Option<Seq>) -> Self {
        let from = if after.is_some() { End::Oldest } else { End::Newest };
        Self { messages: Vec::new(), from, bound: None }
    }

    /// Takes in what one set has, which is in order.
    fn add(&mut self, mut set: Vec<MessageJson>) {
        if bytes_of(&set) >= ANSWER_BYTES {
            self.bound = match (self.from, self.bound, set.first(), set.last()) {
                (End::Oldest, bound, _, Some(last)) => {
                    Some(bound.unwrap_or(last.seq).min(last.seq))
                }
                (End::Newest, bound, Some(first), _) => Some(bound.unwrap_or(0).max(first.seq)),
                (_, bound, _, _) => bound,
            };
        }
        self.messages.append(&mut set);
    }

    /// Keeps the oldest `limit` messages, and says before which `seq` others could take a place.
    fn shrink_to(&mut self, limit: usize) -> Option<Seq> {
        self.messages.sort_unstable_by_key(|message| message.seq);
        self.messages.truncate(limit);
        let full = self.messages.last().filter(|_| self.messages.len() == limit);
        full.map(|newest| newest.seq).into_iter().chain(self.bound).min()
    }

    /// The same page of another set, as far as its messages could still take a place.
    fn narrow(&mut self, page: &Page) -> Page {
        let mut page = page.clone();
        match self.from {
            End::Oldest => {
                page.before = self.shrink_to(page.limit).into_iter().chain(page.before).min();
            }
            End::Newest => {
                self.messages.sort_unstable_by_key(|message| message.seq);
                self.messages.drain(..self.messages.len().saturating_sub(page.limit));
                let full = self.messages.first().filter(|_| self.messages.len() == page.limit);
                let floor = full.map(|oldest| oldest.seq);
                let bound = self.bound.map(|bound| bound.saturating_sub(1));
                page.after = floor.into_iter().chain(bound).chain(page.after).max();
            }
        }
        page
    }

    /// Puts the messages in order, and keeps a page of them. `end` is as far as was looked.
    fn into_page(mut self, limit: usize, end: Seq) -> MessageList {
        let from = self.from;
        self.messages.retain(|message| match (from, self.bound) {
            (_, None) => true,
            (End::Oldest, Some(bound)) => message.seq <= bound,
            (End::Newest, Some(bound)) => message.seq >= bound,
        });
        self.messages.sort_unstable_by_key(|message| message.seq);
        if from == End::Newest {
            self.messages.reverse();
        }
        let is_cut = self.bound.is_some() || self.messages.len() >= limit;
        let fitting = fitting(&self.messages).min(limit);
        let is_cut = is_cut || fitting < self.messages.len();
        self.messages.truncate(fitting);
        if from == End::Newest {
            self.messages.reverse();
        }
        let next = match (from, self.messages.last()) {
            (End::Oldest, Some(last)) if is_cut => last.seq,
            _ => end,
        };
        List { items: self.messages.into_iter().map(|message| message.json).collect(), next }
    }
}

fn bytes_of(messages: &[MessageJson]) -> usize {
    messages.iter().map(|message| message.json.len()).sum()
}

/// How many of these one answer holds: at least one.
fn fitting(messages: &[MessageJson]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&MessageJson| {
        let room = bytes < ANSWER_BYTES;
        bytes += message.json.len();
        room
    };
    messages.iter().take_while(fits).count()
}

fn view(reader: &Reader, name: &ChannelName, channel: &Channel) -> ChannelView {
    ChannelView {
        built_in: BUILT_IN_CHANNELS.contains(&name.as_str()),
        private: reader.private.contains(name),
        may_post: policy::may_post(reader, name),
        messages: channel.messages,
        last_seq: (channel.head > 0).then_some(channel.head),
        unread: None,
        created_at: channel.created_at,
        channel: name.clone(),
    }
}

fn hidden(reader: &Reader) -> Vec<ChannelName> {
    let names = policy::hidden_channels(reader.standing);
    names.iter().map(|name| ChannelName::trusted(name)).collect()
}
