//! Messages, as one reader sees them.

use std::collections::BTreeSet;

use coordhub_core::{
    Hub, HubError,
    engine::{InboxQuery, MessageList, NoticesAmong, OnlyDirect, RecentQuery, Unread},
    hub::{Rejection, policy},
    ids::{EntityId, MessageId},
    model as hub_model,
};

use super::{failed, same};
use crate::model::{Message, Mismatch, Model, Reader};

/// More than any sequence sends.
const MANY: usize = 1_000;

pub(super) fn look(hub: &Hub, model: &Model, id: Option<&EntityId>) -> Result<(), Mismatch> {
    let eyes = Eyes { hub, model, reader: hub.reader(id.cloned()), due: model.reader(id) };
    eyes.one_by_one()?;
    eyes.recent()?;
    eyes.channels()?;
    if let Some(id) = id {
        eyes.inbox(id)?;
        eyes.attention(id)?;
    }
    Ok(())
}

/// A reader of the hub, and the same in the model.
struct Eyes<'a> {
    hub: &'a Hub,
    model: &'a Model,
    reader: policy::Reader,
    due: Reader,
}

impl Eyes<'_> {
    fn one_by_one(&self) -> Result<(), Mismatch> {
        for (id, due) in &self.model.messages {
            let sees = self.due.sees(&due.audience());
            match self.hub.message(&self.reader, id) {
                Ok(json) if sees => check_message(&json, due)?,
                Err(HubError::Rejected(Rejection::UnknownMessage(_))) if !sees => {}
                other => return Err(failed(&format!("{:?} reads {due:?}", self.due), &other)),
            }
            match self.hub.receipts(&self.reader, id) {
                Ok(receipts) if sees => self.check_receipts(&receipts, due)?,
                Err(HubError::Rejected(Rejection::UnknownMessage(_))) if !sees => {}
                other => return Err(failed("receipts", &other)),
            }
        }
        let open = self.hub.unresolved(&self.reader).map_err(|why| failed("unresolved", &why))?;
        let open: Vec<MessageId> = open.iter().map(|json| parsed(json).message_id).collect();
        let due: Vec<MessageId> = self.model.unresolved(&self.due).into_iter().cloned().collect();
        same("the unresolved roll-calls", &open, &due)
    }

    fn check_receipts(
        &self,
        receipts: &hub_model::Receipts,
        due: &Message,
    ) -> Result<(), Mismatch> {
        let call = due.roll_call.as_ref();
        same("ack_required", &receipts.ack_required, &call.is_some())?;
        same("ack_deadline", &receipts.ack_deadline, &call.and_then(|call| call.deadline))?;
        let resolved = call.and_then(|call| call.resolved.clone());
        let hubs = receipts.resolved_at.zip(receipts.resolved_by.clone());
        same("the resolution", &hubs, &resolved)?;
        let read = |id: &EntityId| {
            let entity = self.model.entities.get(id);
            entity.is_some_and(|entity| match &due.channel {
                Some(channel) => entity.read_on(channel) >= due.seq,
                None => entity.direct_read() >= due.seq,
            })
        };
        let hubs: Vec<_> =
            receipts.recipients.iter().map(|r| (r.entity_id.clone(), r.read, r.acked_at)).collect();
        let asked: Vec<_> = match (call, &due.to) {
            (Some(call), _) => call.asked.clone().into_iter().collect(),
            (None, Some(to)) => vec![(to.clone(), due.acked)],
            (None, None) => {
                // Those who were there: of others a cursor says nothing.
                let on = due.channel.as_ref().expect("it goes somewhere");
                let there = self.model.entities.keys();
                let there = there.filter(|id| self.model.reads_since(id, on) < due.seq);
                let others = there.filter(|id| **id != due.from);
                let reads = |id: &&EntityId| self.model.reader(Some(id)).sees(&due.audience());
                others.filter(reads).map(|id| (id.clone(), None)).collect()
            }
        };
        let asked: Vec<_> = asked.into_iter().map(|(id, at)| (id.clone(), read(&id), at)).collect();
        same(&format!("the receipts of {}", due.id), &hubs, &asked)
    }

    fn recent(&self) -> Result<(), Mismatch> {
        let on = |message: &Message| message.channel.is_some();
        let all = self.model.messages_for(&self.due, on);
        self.check_recent(RecentQuery::default(), &all)?;
        for channel in self.model.channels() {
            let on = |message: &Message| message.channel.as_ref() == Some(&channel);
            let due = self.model.messages_for(&self.due, on);
            let query = RecentQuery { channel: Some(channel.clone()), ..RecentQuery::default() };
            self.check_recent(query, &due)?;
        }
        let threads: BTreeSet<&MessageId> =
            self.model.messages.values().map(|m| &m.thread).collect();
        for thread in threads {
            let due = self.model.messages_for(&self.due, |message| message.thread == *thread);
            let query = RecentQuery { thread: Some(thread.clone()), ..RecentQuery::default() };
            self.check_recent(query, &due)?;
        }
        if let Some(own) = &self.due.id {
            for other in self.model.entities.keys() {
                let between = |message: &Message| match &message.to {
                    Some(to) => {
                        (message.from == *own && to == other)
                            || (message.from == *other && to == own)
                    }
                    None => false,
                };
                let due = self.model.messages_for(&self.due, between);
                let query = RecentQuery { with: Some(other.clone()), ..RecentQuery::default() };
                self.check_recent(query, &due)?;
            }
        }
        Ok(())
    }

    /// The whole of it, and the pages of it.
    fn check_recent(&self, query: RecentQuery, due: &[&Message]) -> Result<(), Mismatch> {
        let ask = |query: &RecentQuery| {
            self.hub.recent(&self.reader, query).map_err(|why| failed("recent", &why))
        };
        let what = format!("{query:?} of {:?}", self.due);
        let query = RecentQuery { limit: MANY, notices: NoticesAmong::No, ..query };
        check_list(&what, &ask(&query)?, due)?;
        let newest = due.len().saturating_sub(3);
        check_list(&what, &ask(&RecentQuery { limit: 3, ..query.clone() })?, &due[newest..])?;
        let Some(middle) = due.get(due.len() / 2) else { return Ok(()) };
        let older = &due[..due.len() / 2];
        let before = RecentQuery { before: Some(middle.seq), limit: 2, ..query.clone() };
        check_list(&what, &ask(&before)?, &older[older.len().saturating_sub(2)..])?;
        let (mut after, mut found) = (0, 0);
        loop {
            let page = ask(&RecentQuery { after: Some(after), limit: 2, ..query.clone() })?;
            let end = (found + 2).min(due.len());
            check_list(&what, &page, &due[found..end])?;
            if page.items.len() < 2 {
                return Ok(());
            }
            (after, found) = (page.next, end);
        }
    }

    fn channels(&self) -> Result<(), Mismatch> {
        let views = self.hub.channels(&self.reader).map_err(|why| failed("channels", &why))?;
        for name in self.model.channels() {
            let on = |message: &Message| message.channel.as_ref() == Some(&name);
            let due = self.model.messages_for(&self.due, on);
            let view = views.iter().find(|view| view.channel == name);
            let readable = self.due.sees(&crate::model::Audience::Channel(name.clone()));
            let Some(view) = view else {
                if readable {
                    return Err(Mismatch(format!("{:?} finds no channel {name}", self.due)));
                }
                continue;
            };
            same(&format!("{:?} finds {name}", self.due), &true, &readable)?;
            let is_private = self.model.private.contains_key(&name);
            same(&format!("whether {name} is private"), &view.private, &is_private)?;
            same("the number of messages", &view.messages, &(due.len() as u64))?;
            same("the last message", &view.last_seq, &due.last().map(|message| message.seq))?;
            let own = self.due.id.as_ref();
            let unread = own.and_then(|id| self.model.entities.get(id)).map(|entity| {
                let read = entity.read_on(&name);
                let new = |m: &&&Message| m.seq > read && Some(&m.from) != own;
                due.iter().filter(new).count() as u64
            });
            same(&format!("unread on {name} of {own:?}"), &view.unread, &unread)?;
        }
        Ok(())
    }

    fn inbox(&self, id: &EntityId) -> Result<(), Mismatch> {
        for (only_direct, is_direct) in [(OnlyDirect::No, false), (OnlyDirect::Yes, true)] {
            let query =
                InboxQuery { after: None, limit: MANY, unread: Unread::AndRead, only_direct };
            let all = self.model.inbox(id, is_direct);
            let what = format!("the inbox of {id}, {query:?}");
            check_list(&what, &self.ask_inbox(&query)?, &all)?;
            let newest = InboxQuery { limit: 3, ..query.clone() };
            check_list(&what, &self.ask_inbox(&newest)?, &all[all.len().saturating_sub(3)..])?;
            let after = InboxQuery { after: Some(0), limit: 2, ..query.clone() };
            check_list(&what, &self.ask_inbox(&after)?, &all[..all.len().min(2)])?;
            if !self.model.entities.contains_key(id) {
                continue;
            }
            let unread = InboxQuery { unread: Unread::Only, ..query };
            let due = self.model.unread(id, is_direct);
            check_list(&what, &self.ask_inbox(&unread)?, &due)?;
            let first = InboxQuery { limit: 2, ..unread };
            check_list(&what, &self.ask_inbox(&first)?, &due[..due.len().min(2)])?;
        }
        Ok(())
    }

    fn ask_inbox(&self, query: &InboxQuery) -> Result<MessageList, Mismatch> {
        self.hub.inbox(&self.reader, query).map_err(|why| failed("the inbox", &why))
    }

    fn attention(&self, id: &EntityId) -> Result<(), Mismatch> {
        if !self.model.entities.contains_key(id) {
            return Ok(());
        }
        let waits = self.hub.attention(id).map_err(|why| failed("attention", &why))?;
        let list = MessageList { items: waits.unread_direct, next: 0 };
        check_list("unread direct messages", &list, &self.model.unread(id, true))?;
        let owed = self.model.messages_for(&self.due, |message| {
            message.roll_call.as_ref().is_some_and(|call| {
                !call.is_over() && call.asked.get(id).is_some_and(Option::is_none)
            })
        });
        let list = MessageList { items: waits.acks_owed, next: 0 };
        check_list(&format!("the acks that {id} owes"), &list, &owed)?;
        let votes: Vec<_> = waits.proposals.iter().map(|p| p.proposal_id.clone()).collect();
        let mut due: Vec<_> = self.model.proposals.values().filter(|p| p.awaits(id)).collect();
        due.sort_by_key(|proposal| proposal.created_seq);
        let due: Vec<_> = due.into_iter().map(|proposal| proposal.id.clone()).collect();
        same(&format!("the votes that {id} has not cast"), &votes, &due)
    }
}

fn parsed(json: &[u8]) -> hub_model::Message {
    serde_json::from_slice(json).expect("a message")
}

fn check_list(what: &str, list: &MessageList, due: &[&Message]) -> Result<(), Mismatch> {
    let ids: Vec<MessageId> = list.items.iter().map(|json| parsed(json).message_id).collect();
    let due_ids: Vec<MessageId> = due.iter().map(|message| message.id.clone()).collect();
    same(what, &ids, &due_ids)?;
    list.items.iter().zip(due).try_for_each(|(json, due)| check_message(json, due))
}

fn check_message(json: &[u8], due: &Message) -> Result<(), Mismatch> {
    let message = parsed(json);
    let is = (
        &message.message_id,
        message.seq,
        &message.from_entity,
        &message.to_entity,
        &message.channel,
        &message.content,
        &message.message_type,
    );
    let must =
        (&due.id, due.seq, &due.from, &due.to, &due.channel, &due.content, &due.message_type);
    same("a message", &is, &must)?;
    let is = (&message.reply_to, &message.thread_id, message.ack_required, message.timestamp);
    let must = (&due.reply_to, &due.thread, due.roll_call.is_some(), due.at);
    same("a message", &is, &must)?;
    if due.redacted {
        let hidden = !message.metadata.as_str().contains("\"n\":");
        return same("whether the metadata is redacted", &hidden, &true);
    }
    same("the metadata", &message.metadata, &due.metadata)
}
