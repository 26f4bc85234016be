//! Reading: hot state and rings on the spot, history from the store.
//!
//! Methods named `*_hot` never touch the disk and answer `None` where they would have to; their
//! namesakes without it may block.

use bytes::Bytes;

use super::{Hub, HubError, presence::Presences};
use crate::{
    hub::{Rejection, State, check_able, policy, policy::Reader},
    ids::{BUILT_IN_CHANNELS, ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    limits::UNREAD_COUNT_MAX,
    model::{
        ChannelView, EntityType, EntityView, Presence, Proposal, ProposalStatus, Status, Task,
        TaskStatus,
    },
    store::{End, MessageSet, Page, TaskFilter},
    subscribe::{Entry, MessageJson, NOTICED_EVENT_KINDS, message_object},
    time::Timestamp,
};

/// A page of a list, and the position up to which it was scanned: the next page's `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T> {
    /// What this page holds.
    pub items: Vec<T>,
    /// The position scanned.
    pub next: Seq,
}

/// A page of messages, each as the bytes of its JSON object.
pub type MessageList = List<Bytes>;

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

    /// Whether something created at `seq` lies in the asked-for part of the list.
    fn admits(self, seq: Seq) -> bool {
        match (self.after, self.order) {
            (None, _) => true,
            (Some(after), Order::Ascending) => seq > after,
            (Some(before), Order::Descending) => seq < before,
        }
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

/// Which entities. Every field that is given must match.
#[derive(Clone, Debug, Default)]
pub struct EntityFilter {
    /// Of this type.
    pub entity_type: Option<EntityType>,
    /// With this status.
    pub status: Option<Status>,
    /// With this capability.
    pub capability: Option<String>,
}

impl Hub {
    /// A reader as the hub knows it now.
    pub fn reader(&self, id: Option<EntityId>) -> Reader {
        self.shared.reader(id)
    }

    // Entities: always hot.

    /// One entity with its presence.
    pub fn entity(&self, id: &EntityId) -> Option<EntityView> {
        let now = self.now();
        let entity = self.with_state(|state| state.entity(id).cloned())?;
        Some(view(&self.shared.presence, now, &entity))
    }

    /// Entities in order of registration.
    pub fn entities(&self, filter: &EntityFilter, window: Window) -> List<EntityView> {
        let (now, presence) = (self.now(), &self.shared.presence);
        self.with_state(|state| {
            let all = state
                .entities()
                .filter(|(seq, entity)| {
                    window.admits(*seq)
                        && filter.entity_type.is_none_or(|kind| entity.entity_type == kind)
                        && filter
                            .capability
                            .as_ref()
                            .is_none_or(|word| entity.capabilities.contains(word))
                })
                .map(|(seq, entity)| (seq, view(presence, now, entity)))
                .filter(|(_, entity)| filter.status.is_none_or(|status| entity.status == status));
            let found = take_from(all, window);
            let list = window.list(found, |(seq, _)| *seq, state.head());
            List {
                items: list.items.into_iter().map(|(_, entity)| entity).collect(),
                next: list.next,
            }
        })
    }

    // Messages.

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
                    let history = &self.shared.history;
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
        // The head first: what is published after it may be in the answer, and is then found again,
        // but nothing is passed over.
        let head = self.head_seq();
        let found = match &query.channel {
            Some(channel) if !policy::may_read_channel(reader.standing, channel) => Vec::new(),
            Some(channel) => self.ring(Some(channel), query)?,
            None => {
                let mut found = self.ring(None, query)?;
                let restricted =
                    policy::RESTRICTED_CHANNELS.iter().map(|n| ChannelName::trusted(n));
                for channel in restricted.filter(|c| policy::may_read_channel(reader.standing, c)) {
                    let mut narrowed = query.clone();
                    if query.after.is_none() && found.len() >= query.limit {
                        // Only what is newer than the oldest found can take its place.
                        narrowed.after = None;
                        let floor = found.first().map_or(0, |message| message.seq);
                        found.append(&mut self.shared.rings.newest(
                            Some(&channel),
                            query.before,
                            floor,
                            query.limit,
                        )?);
                    } else {
                        found.append(&mut self.ring(Some(&channel), &narrowed)?);
                    }
                }
                found
            }
        };
        Some(page_of_messages(found, query.after, query.limit, head))
    }

    fn ring(&self, channel: Option<&ChannelName>, query: &RecentQuery) -> Option<Vec<MessageJson>> {
        match query.after {
            Some(after) => self.shared.rings.following(channel, after, query.before, query.limit),
            None => self.shared.rings.newest(channel, query.before, 0, query.limit),
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
                let events = self.shared.history.events_of_kinds(&NOTICED_EVENT_KINDS, &page)?;
                found.extend(events.into_iter().filter(|e| e.seq <= head).filter_map(|stamped| {
                    let entry = Entry::new(stamped);
                    Some(MessageJson { seq: entry.seq(), json: entry.notice_json()? })
                }));
            }
        }
        Ok(page_of_messages(found, query.after, query.limit, head))
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
            let first = self.shared.history.message(thread)?;
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
        let found = self.shared.history.messages(set, &page)?;
        let json = |message: &crate::model::Message| MessageJson {
            seq: message.seq,
            json: message_object(message),
        };
        Ok(found.iter().map(|message| json(message)).collect())
    }

    /// The inbox of the reader: direct messages to it, and messages of others on channels that it may
    /// read.
    pub fn inbox(&self, reader: &Reader, query: &InboxQuery) -> Result<MessageList, HubError> {
        let Some(id) = &reader.id else { return Err(Rejection::CallerNeeded.into()) };
        let head = self.head_seq();
        let mut found = Vec::new();
        if query.unread == Unread::Only {
            for (set, read) in self.unread_sets(reader, id, query.only_direct)? {
                let after = Some(query.after.unwrap_or(0).max(read));
                let page = Page { after, before: None, from: End::Oldest, limit: query.limit };
                found.append(&mut self.messages_of(&set, &page, head)?);
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
        let found = self.shared.history.message(id)?;
        let readable = found
            .filter(|m| m.seq <= head && policy::may_read_message(reader, &m.head()))
            .ok_or_else(|| Rejection::UnknownMessage(id.clone()))?;
        Ok(message_object(&readable))
    }

    // Tasks.

    /// Tasks in order of creation, if memory holds all that match: a filter on a status that is not
    /// final, or on who is ready for them.
    pub fn tasks_hot(
        &self,
        filter: &TaskFilter,
        ready_for: Option<&EntityId>,
        window: Window,
    ) -> Option<List<Task>> {
        let unfinished = filter.status.is_some_and(|status| !status.is_finished());
        if !unfinished && ready_for.is_none() {
            return None;
        }
        let now = self.now();
        Some(self.with_state(|state| {
            let ready = |task: &Task| {
                ready_for.is_none_or(|id| {
                    task.status == TaskStatus::Open && check_able(state, task, id).is_ok()
                })
            };
            let matching = state
                .tasks_after(0)
                .filter(|task| window.admits(task.created_seq))
                .filter(|task| filter.matches(task) && ready(task))
                .map(|task| (task.created_seq, Task::clone(task)));
            let found = take_from(matching, window);
            let mut list = window.list(found, |(seq, _)| *seq, state.head());
            list.items.iter_mut().for_each(|(_, task)| self.mark_stale(task, now));
            List { items: list.items.into_iter().map(|(_, task)| task).collect(), next: list.next }
        }))
    }

    /// Tasks in order of creation.
    pub fn tasks(
        &self,
        filter: &TaskFilter,
        ready_for: Option<&EntityId>,
        window: Window,
    ) -> Result<List<Task>, HubError> {
        if let Some(hot) = self.tasks_hot(filter, ready_for, window) {
            return Ok(hot);
        }
        let (now, head) = (self.now(), self.head_seq());
        let mut found = self.shared.history.tasks(filter, &window.page())?;
        found.iter_mut().for_each(|task| self.mark_stale(task, now));
        Ok(window.list(found, |task| task.created_seq, head))
    }

    /// One task.
    pub fn task(&self, id: &TaskId) -> Result<Task, HubError> {
        let hot = self.with_state(|state| state.task(id).map(|task| Task::clone(task)));
        let mut task = match hot {
            Some(task) => task,
            None => {
                self.shared.history.task(id)?.ok_or_else(|| Rejection::UnknownTask(id.clone()))?
            }
        };
        self.mark_stale(&mut task, self.now());
        Ok(task)
    }

    /// What happened to a task, oldest first, at most `limit` events, as the JSON of each.
    pub fn task_history(&self, id: &TaskId, limit: usize) -> Result<Vec<Bytes>, HubError> {
        let events = self.shared.history.task_history(id, limit)?;
        Ok(events.into_iter().map(|stamped| Entry::new(stamped).event_json().clone()).collect())
    }

    /// A claim without a lease is stale while its holder is offline.
    pub fn mark_stale(&self, task: &mut Task, now: Timestamp) {
        task.stale = task.status == TaskStatus::InProgress
            && task.lease_expires_at.is_none()
            && task.claimed_by.as_ref().is_some_and(|holder| {
                let presence = self.shared.presence.of(holder, now);
                presence.is_none_or(|presence| presence.status == Status::Offline)
            });
    }

    // Proposals.

    /// Proposals in order of creation.
    pub fn proposals(
        &self,
        status: Option<ProposalStatus>,
        window: Window,
    ) -> Result<List<Proposal>, HubError> {
        let head = self.head_seq();
        let found = self.shared.history.proposals(status, &window.page())?;
        Ok(window.list(found, |proposal| proposal.created_seq, head))
    }

    /// One proposal.
    pub fn proposal(&self, id: &ProposalId) -> Result<Proposal, HubError> {
        let hot = self.with_state(|state| state.proposal(id).map(|p| Proposal::clone(p)));
        match hot {
            Some(proposal) => Ok(proposal),
            None => self
                .shared
                .history
                .proposal(id)?
                .ok_or_else(|| Rejection::UnknownProposal(id.clone()).into()),
        }
    }
}

fn view(presences: &Presences, now: Timestamp, entity: &crate::model::Entity) -> EntityView {
    let presence = presences.of(&entity.entity_id, now).unwrap_or(Presence {
        status: Status::Offline,
        activity: None,
        last_seen: entity.registered_at,
    });
    EntityView::new(entity, presence)
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

/// Puts messages from several sets in order, and keeps a page of them.
fn page_of_messages(
    mut found: Vec<MessageJson>,
    after: Option<Seq>,
    limit: usize,
    head: Seq,
) -> MessageList {
    found.sort_unstable_by_key(|message| message.seq);
    let full = found.len() >= limit;
    if after.is_some() {
        found.truncate(limit);
    } else {
        found.drain(..found.len().saturating_sub(limit));
    }
    // The head was read before the rings: what was published in between stands above it.
    let last = found.last().map_or(0, |message| message.seq);
    let next = if full && after.is_some() { last } else { head.max(last) };
    List { items: found.into_iter().map(|message| message.json).collect(), next }
}

fn hidden(reader: &Reader) -> Vec<ChannelName> {
    let names = policy::hidden_channels(reader.standing);
    names.iter().map(|name| ChannelName::trusted(name)).collect()
}
