//! What the hub's log says, held against what the model says must have happened.

use std::collections::VecDeque;

use coordhub_core::{
    event::{Event, Stamped, Subject},
    ids::{InviteId, MessageId, ProposalId, Seq, TaskId, TokenId},
};

use super::{Audience, Model};

/// Something that happened, as the log must show it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fact {
    /// The event's kind.
    pub kind: &'static str,
    /// The id of what it is about.
    pub about: String,
    /// Who may see it.
    pub audience: Audience,
}

/// The hub and the model disagree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch(pub String);

/// The part of the log that has not been accounted for, and what the caller was told.
#[derive(Debug)]
pub struct Feed<'a> {
    /// Events that the model has not explained yet.
    pub upcoming: &'a mut VecDeque<Stamped>,
    /// Whether the hub refused, where that is known.
    pub refused: Option<bool>,
}

impl Feed<'_> {
    /// The ids of the next messages that the log says were sent.
    pub(super) fn message_ids(&self) -> VecDeque<MessageId> {
        self.ids(|event| match event {
            Event::MessageSent(message) => Some(message.message_id.clone()),
            _ => None,
        })
    }

    /// The ids of the next tasks that the log says were created.
    pub(super) fn task_ids(&self) -> VecDeque<TaskId> {
        self.ids(|event| match event {
            Event::TaskCreated(created) => Some(created.task.task_id.clone()),
            _ => None,
        })
    }

    /// The id of the next proposal that the log says was made.
    pub(super) fn proposal_id(&self) -> Option<ProposalId> {
        let made = |event: &Event| match event {
            Event::ProposalCreated(created) => Some(created.proposal.proposal_id.clone()),
            _ => None,
        };
        self.ids(made).pop_front()
    }

    /// The id of the next token that the log says was made.
    pub(super) fn token_id(&self) -> Option<TokenId> {
        let made = |event: &Event| match event {
            Event::TokenIssued(issued) => Some(issued.token.token_id.clone()),
            _ => None,
        };
        self.ids(made).pop_front()
    }

    /// The id of the next invite that the log says was made.
    pub(super) fn invite_id(&self) -> Option<InviteId> {
        let made = |event: &Event| match event {
            Event::InviteMade(made) => Some(made.invite.invite_id.clone()),
            _ => None,
        };
        self.ids(made).pop_front()
    }

    /// Whether the next event is of this kind, about this.
    pub(super) fn comes(&self, kind: &str, about: &str) -> bool {
        let next = self.upcoming.front().map(|stamped| named(&stamped.event));
        next.is_some_and(|next| (next.0, next.1.as_str()) == (kind, about))
    }

    fn ids<T>(&self, made: impl Fn(&Event) -> Option<T>) -> VecDeque<T> {
        self.upcoming.iter().filter_map(|stamped| made(&stamped.event)).collect()
    }

    /// Takes as many events as there are facts; they must be the same, in whatever order.
    pub(super) fn take(
        &mut self,
        facts: Vec<Fact>,
        head: Seq,
    ) -> Result<Vec<(Stamped, Fact)>, Mismatch> {
        let taken: Vec<Stamped> =
            (0..facts.len()).map_while(|_| self.upcoming.pop_front()).collect();
        let mut open = facts.clone();
        let mut pairs = Vec::new();
        for (at, stamped) in (head + 1..).zip(taken) {
            if stamped.seq != at {
                return Err(Mismatch(format!("seq {} follows {}", stamped.seq, at - 1)));
            }
            let (kind, about) = named(&stamped.event);
            let place = open.iter().position(|fact| fact.kind == kind && fact.about == about);
            let Some(place) = place else {
                let log = self.upcoming.iter().take(8).map(|s| named(&s.event));
                let log: Vec<_> = std::iter::once((kind, about)).chain(log).collect();
                let facts: Vec<_> = facts.iter().map(|f| (f.kind, &f.about)).collect();
                return Err(Mismatch(format!("the log has {log:?} where {facts:?} were due")));
            };
            pairs.push((stamped, open.remove(place)));
        }
        if open.is_empty() {
            return Ok(pairs);
        }
        Err(Mismatch(format!("the log ends where {open:?} were due")))
    }
}

/// The kind of an event, and the id of what it is about.
pub(super) fn named(event: &Event) -> (&'static str, String) {
    let about = match event {
        Event::MessageSent(message) => message.message_id.to_string(),
        Event::MessageRedacted(e) => e.of.message_id.to_string(),
        Event::RollCallOpened(e) => e.of.message_id.to_string(),
        Event::MessageAcked(e) => e.of.message_id.to_string(),
        Event::RollCallOverdue(e) => e.of.message_id.to_string(),
        Event::RollCallResolved(e) => e.of.message_id.to_string(),
        Event::ChannelCreated(e) => e.channel.to_string(),
        Event::ChannelMemberJoined(e) => format!("{} {}", e.channel, e.entity_id),
        Event::ChannelMemberLeft(e) => format!("{} {}", e.channel, e.entity_id),
        Event::InviteMade(e) => e.invite.invite_id.to_string(),
        Event::InviteRevoked(e) => e.invite_id.to_string(),
        Event::TokenIssued(e) => e.token.token_id.to_string(),
        Event::TokenUsed(e) => e.token_id.to_string(),
        Event::TokenRotated(e) => e.token_id.to_string(),
        Event::TokenRevoked(e) => e.token_id.to_string(),
        event => match event.subject() {
            Subject::Task(id) => id.to_string(),
            Subject::Proposal(id) => id.to_string(),
            Subject::Entity(id) => id.to_string(),
            Subject::Message | Subject::Other => String::new(),
            #[expect(unreachable_patterns, reason = "subjects that are not modelled yet")]
            _ => String::new(),
        },
    };
    (event.kind(), about)
}

impl Model {
    /// Learns where in the log something stands.
    pub(super) fn learn_seq(&mut self, stamped: Stamped) {
        let seq = stamped.seq;
        match &stamped.event {
            Event::EntityRegistered(e) => {
                if let Some(entity) = self.entities.get_mut(&e.entity.entity_id) {
                    entity.begin(seq);
                }
            }
            Event::MessageSent(e) => {
                if let Some(message) = self.messages.get_mut(&e.message_id) {
                    message.seq = seq;
                    // As the hub wrote it: that it has a time is looked at when it is read.
                    message.metadata = e.metadata.clone();
                }
            }
            Event::ChannelCreated(e) => {
                let members: Vec<_> = e.members.iter().collect();
                self.learn_members(&e.channel, &members, seq);
            }
            Event::ChannelMemberJoined(e) => {
                self.learn_members(&e.channel, &[&e.entity_id], seq);
                // One begins to read it where one joins it.
                if let Some(entity) = self.entities.get_mut(&e.entity_id) {
                    entity.read_channels.insert(e.channel.clone(), seq);
                }
            }
            Event::TaskCreated(e) => {
                if let Some(task) = self.tasks.get_mut(&e.task.task_id) {
                    task.created_seq = seq;
                }
            }
            Event::TaskUpdated(e) if e.note.is_some() => {
                let note = self.tasks.get_mut(&e.task_id).and_then(|task| task.notes.last_mut());
                if let Some(note) = note {
                    note.0 = seq;
                }
            }
            Event::TaskClaimed(e) => self.learn_claim(&e.task_id, e.claim_token, seq),
            Event::ProposalCreated(e) => {
                if let Some(proposal) = self.proposals.get_mut(&e.proposal.proposal_id) {
                    proposal.created_seq = seq;
                }
            }
            _ => {}
        }
    }
}
