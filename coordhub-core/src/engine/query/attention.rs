//! What waits for one entity, and who has seen a message.

use bytes::Bytes;

use crate::{
    command::ClaimNext,
    engine::{Hub, HubError, InboxQuery, OnlyDirect, Unread},
    hub::{
        Rejection, Wants,
        policy::{self, Reader, Standing},
    },
    ids::{EntityId, MessageId},
    model::{Proposal, ProposalStatus, Receipt, Receipts, Task},
    subscribe::message_object,
};

/// How much of each kind is shown: whoever has more to do than this begins with these.
const SHOWN_MAX: usize = 100;

/// What waits for one entity and for nobody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Direct messages that it has not marked read, oldest first, as JSON objects.
    pub unread_direct: Vec<Bytes>,
    /// Messages that ask it for an acknowledgement, oldest first, as JSON objects.
    pub acks_owed: Vec<Bytes>,
    /// Questions that it could answer.
    pub questions: Vec<Task>,
    /// Tasks that it holds, and, where it is a human, open ones that need a human.
    pub tasks: Vec<Task>,
    /// Open proposals on which it has a vote and has not cast it.
    pub proposals: Vec<Proposal>,
}

impl Hub {
    /// What waits for a registered entity.
    pub fn attention(&self, id: &EntityId) -> Result<Attention, HubError> {
        let reader = self.reader(Some(id.clone()));
        if reader.standing == Standing::Unregistered {
            return Err(Rejection::UnknownEntity(id.clone()).into());
        }
        let query = InboxQuery {
            after: None,
            limit: SHOWN_MAX,
            unread: Unread::Only,
            only_direct: OnlyDirect::Yes,
        };
        let unread_direct = self.inbox(&reader, &query)?.items;
        let (questions, tasks) = self.waiting_tasks(id);
        Ok(Attention {
            unread_direct,
            acks_owed: self.acks_owed(&reader, id)?,
            questions,
            tasks,
            proposals: self.open_votes(id),
        })
    }

    /// Who registered anew as something else may be asked for what it may no longer read.
    fn acks_owed(&self, reader: &Reader, id: &EntityId) -> Result<Vec<Bytes>, HubError> {
        let mut owed: Vec<_> = self.with_state(|state| {
            let readable = state.acks_owed(id).filter(|call| {
                let (to, channel) = (call.to_entity.as_ref(), call.channel.as_ref());
                policy::audience_of_message(&call.from_entity, to, channel).includes(reader)
            });
            readable.map(|call| (call.seq, call.message_id.clone())).collect()
        });
        owed.sort_unstable();
        self.message_objects(owed.into_iter().take(SHOWN_MAX).map(|(_, id)| id))
    }

    fn message_objects(
        &self,
        ids: impl Iterator<Item = MessageId>,
    ) -> Result<Vec<Bytes>, HubError> {
        let history = &self.shared.published.history;
        let found = ids.map(|id| history.message(&id)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().map(|message| message_object(&message)).collect())
    }

    /// Questions, and other tasks.
    fn waiting_tasks(&self, id: &EntityId) -> (Vec<Task>, Vec<Task>) {
        let now = self.now();
        let (mut questions, mut others) = (Vec::new(), Vec::new());
        self.with_state(|state| {
            let wants = Wants::new(state, id, &ClaimNext::default());
            let held = state.claims(id).map(|task| &**task);
            for task in held.chain(state.open_for_humans(&wants)) {
                let kind = if task.question.is_some() { &mut questions } else { &mut others };
                if kind.len() < SHOWN_MAX {
                    kind.push(task.clone());
                }
            }
        });
        for tasks in [&mut questions, &mut others] {
            tasks.iter_mut().for_each(|task| self.mark_stale(task, now));
            tasks.sort_by_key(|task: &Task| task.created_seq);
        }
        (questions, others)
    }

    fn open_votes(&self, id: &EntityId) -> Vec<Proposal> {
        let is_out = |proposal: &Proposal| {
            proposal.status == ProposalStatus::Open
                && proposal.electorate.contains(id)
                && !proposal.departed.contains(id)
                && proposal.votes.binary_search_by(|vote| vote.entity_id.cmp(id)).is_err()
        };
        let mut open: Vec<Proposal> = self.with_state(|state| {
            let open = state.proposals().filter(|proposal| is_out(proposal));
            open.take(SHOWN_MAX).map(|proposal| Proposal::clone(proposal)).collect()
        });
        open.sort_by_key(|proposal| proposal.created_seq);
        open
    }

    /// The open roll-calls of the emergency channel that the reader may read, oldest first, as the
    /// JSON of their messages: the newest hundred.
    pub fn unresolved(&self, reader: &Reader) -> Result<Vec<Bytes>, HubError> {
        let mut open: Vec<_> = self.with_state(|state| {
            let calls = state.roll_calls().filter(|call| {
                let readable = call
                    .channel
                    .as_ref()
                    .is_some_and(|channel| policy::may_read_channel(reader, channel));
                call.is_open() && call.is_emergency() && readable
            });
            calls.map(|call| (call.seq, call.message_id.clone())).collect()
        });
        open.sort_unstable();
        // The newest, should somebody leave hundreds of them open.
        let shown = open.len().saturating_sub(SHOWN_MAX);
        self.message_objects(open.into_iter().skip(shown).map(|(_, id)| id))
    }

    /// Whether there are any that [`unresolved`](Self::unresolved) would look for.
    pub fn has_unresolved(&self) -> bool {
        self.with_state(|state| {
            state.roll_calls().any(|call| call.is_open() && call.is_emergency())
        })
    }

    /// Who has seen a message that the reader may read.
    pub fn receipts(&self, reader: &Reader, id: &MessageId) -> Result<Receipts, HubError> {
        let head = self.head_seq();
        let message = self.shared.published.history.message(id)?;
        let message = message
            .filter(|m| m.seq <= head && policy::may_read_message(reader, &m.head()))
            .ok_or_else(|| Rejection::UnknownMessage(id.clone()))?;
        let (call, acked) = self.shared.published.history.receipts(id)?;
        let recipients = self.with_state(|state| {
            let asked: Vec<EntityId> = match (&message.to_entity, &message.channel) {
                (Some(to), _) => vec![to.clone()],
                (None, _) if message.ack_required => acked.keys().cloned().collect(),
                (None, Some(channel)) => state
                    .entities()
                    .map(|(_, entity)| &entity.entity_id)
                    .filter(|id| {
                        // Whoever came later was no recipient, though its cursor begins behind it.
                        let since = policy::reads_since(state, id, channel);
                        since.is_some_and(|since| since < message.seq)
                    })
                    .filter(|id| **id != message.from_entity)
                    .cloned()
                    .collect(),
                (None, None) => Vec::new(),
            };
            let read = |id: &EntityId| {
                let cursors = state.cursors(id);
                cursors.is_some_and(|cursors| match &message.channel {
                    Some(channel) => cursors.channel(channel) >= message.seq,
                    None => cursors.direct() >= message.seq,
                })
            };
            let mut recipients: Vec<Receipt> = asked
                .into_iter()
                .map(|entity_id| Receipt {
                    read: read(&entity_id),
                    acked_at: acked.get(&entity_id).copied().flatten(),
                    entity_id,
                })
                .collect();
            recipients.sort_by(|one, other| one.entity_id.cmp(&other.entity_id));
            recipients
        });
        Ok(Receipts {
            message_id: message.message_id.clone(),
            ack_required: message.ack_required,
            ack_deadline: call.as_ref().and_then(|call| call.deadline),
            resolved_at: call.as_ref().and_then(|call| call.resolved_at),
            resolved_by: call.and_then(|call| call.resolved_by),
            recipients,
        })
    }
}
