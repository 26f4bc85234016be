//! Searching messages by their words.

use std::sync::Arc;

use super::{List, MessageList};
use crate::{
    engine::{Hub, HubError},
    hub::policy::{self, Reader},
    ids::{ChannelName, Seq},
    limits::{ANSWER_BYTES, SEARCH_READS_MAX},
    model::Message,
    store::search::{Candidates, IndexError, LookUp, SearchWords},
    subscribe::message_object,
};

/// What a search asks for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// What messages must say.
    pub words: SearchWords,
    /// One channel; where not given, all that the reader may read, and its direct messages.
    pub channel: Option<ChannelName>,
    /// The newest before this.
    pub before: Option<Seq>,
    /// At most so many.
    pub limit: usize,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchResults {
    /// The messages, the newest first. `next` is the position that was scanned to, to be given as
    /// `before`; 0 where there is nothing more.
    pub messages: MessageList,
    /// What is newer than this was not looked at yet.
    pub indexed_up_to: Seq,
}

impl From<IndexError> for HubError {
    fn from(error: IndexError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Hub {
    /// The newest messages that have all the words and that the reader may read. May block.
    pub fn search(&self, reader: &Reader, query: &SearchQuery) -> Result<SearchResults, HubError> {
        let before = self.indexed_up_to();
        let head = self.head_seq();
        let mut page = Found { messages: Vec::new(), reads: 0, bytes: 0, next: 0 };
        if let Some(look_up) = look_up(reader, query) {
            let mut below = query.before.unwrap_or(Seq::MAX).min(head + 1);
            while let Some(candidates) = self.shared.index.candidates(&look_up, below)? {
                below = candidates.next;
                if !self.take(reader, query, &candidates, &mut page)? {
                    break;
                }
            }
        }
        let Found { messages, next, .. } = page;
        let items = messages.iter().map(|message| message_object(message)).collect();
        // An index that is made anew meanwhile has less than it had.
        let indexed_up_to = before.min(self.indexed_up_to());
        Ok(SearchResults { messages: List { items, next }, indexed_up_to })
    }

    /// Reads candidates and keeps those that match. Says whether there is room for more.
    fn take(
        &self,
        reader: &Reader,
        query: &SearchQuery,
        candidates: &Candidates,
        page: &mut Found,
    ) -> Result<bool, HubError> {
        let mut left = &candidates.seqs[..];
        while !left.is_empty() {
            // Nearly all candidates match, so few are read in vain.
            let wanted = (query.limit - page.messages.len()).min(left.len());
            let (now, later) = left.split_at(wanted);
            let read = self.shared.published.history.messages_at(now)?;
            // Where less was read than asked for, the rest may be there all the same.
            let is_cut = read.iter().map(|message| weight(message)).sum::<usize>() >= ANSWER_BYTES;
            let scanned = match read.last() {
                Some(last) if is_cut => last.seq,
                _ => now[wanted - 1],
            };
            page.reads += now.len();
            page.bytes += read.iter().map(|message| weight(message)).sum::<usize>();
            page.messages.extend(read.into_iter().filter(|message| {
                // The index may still have words that the message has no more.
                query.words.match_content(&message.content)
                    && policy::may_read_message(reader, &message.head())
            }));
            let is_done = page.messages.len() >= query.limit
                || page.bytes >= ANSWER_BYTES
                || page.reads >= SEARCH_READS_MAX;
            if is_done {
                page.next = scanned;
                return Ok(false);
            }
            left = later;
        }
        Ok(true)
    }
}

/// A page of results while it is filled.
struct Found {
    messages: Vec<Arc<Message>>,
    /// How many messages were read for it.
    reads: usize,
    /// How much text was read for it.
    bytes: usize,
    next: Seq,
}

fn weight(message: &Message) -> usize {
    message.content.len() + message.metadata.as_str().len()
}

/// Where to look, policy applied. `None` where the reader may read nothing of it.
fn look_up(reader: &Reader, query: &SearchQuery) -> Option<LookUp> {
    match &query.channel {
        None => Some(LookUp::new(&query.words, &policy::scopes_of(reader))),
        Some(channel) => policy::may_read_channel(reader, channel)
            .then(|| LookUp::on_channel(&query.words, reader, channel)),
    }
}
