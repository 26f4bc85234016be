//! What a decision may know beyond the state: cold rows, and soft facts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    hub::{KeptKey, KeyId, State, policy},
    ids::{ChannelName, EntityId, MessageId, ProposalId, Seq, TaskId},
    model::{EntityType, MessageHead, Proposal, Recipients, Task},
    time::Timestamp,
};

/// Presence as far as decisions look at it. Whatever a decision draws from it stands in its event.
pub trait SoftFacts {
    /// Whether somebody of this name has a live socket, registered or not.
    fn is_connected(&self, id: &EntityId) -> bool;
    /// When this registered entity last acted, where it has since the hub started.
    fn last_seen(&self, id: &EntityId) -> Option<Timestamp>;
    /// How many registered entities of a type are online.
    fn online(&self, kind: EntityType) -> u64;
    /// Whether this registered entity is online.
    fn is_online(&self, id: &EntityId) -> bool;
}

/// Everything a command can touch that is not in memory, looked up before deciding.
///
/// A key is here because it was asked for: with its row, or with `None` for "there is none". Absence
/// from memory alone never means absence.
pub struct Prefetched<'a> {
    /// Tasks that are not hot.
    pub tasks: BTreeMap<TaskId, Option<Arc<Task>>>,
    /// Proposals that are not hot.
    pub proposals: BTreeMap<ProposalId, Option<Arc<Proposal>>>,
    /// Messages that were asked for.
    pub messages: BTreeMap<MessageId, Option<MessageHead>>,
    /// What is known of acknowledgements that are not hot.
    pub receipts: BTreeMap<(MessageId, EntityId), KnownReceipt>,
    /// Messages that were redacted already.
    pub redacted: BTreeSet<MessageId>,
    /// Idempotency keys that are not hot.
    pub keys: BTreeMap<KeyId, Option<Arc<KeptKey>>>,
    /// Claims whose late result was kept already.
    pub late_results: BTreeSet<(TaskId, u64)>,
    /// The newest of what is to be given up, where that was asked for and there is any.
    pub newest_old: Option<Seq>,
    /// Presence.
    pub soft: &'a dyn SoftFacts,
}

impl<'a> Prefetched<'a> {
    /// Nothing but soft facts.
    pub fn new(soft: &'a dyn SoftFacts) -> Self {
        Self {
            tasks: BTreeMap::new(),
            proposals: BTreeMap::new(),
            messages: BTreeMap::new(),
            receipts: BTreeMap::new(),
            redacted: BTreeSet::new(),
            keys: BTreeMap::new(),
            late_results: BTreeSet::new(),
            newest_old: None,
            soft,
        }
    }

    pub(super) fn key<'b>(&'b self, state: &'b State, id: &KeyId) -> Option<&'b KeptKey> {
        state.key(id).or_else(|| {
            debug_assert!(self.keys.contains_key(id), "key {id:?} was not prefetched");
            self.keys.get(id)?.as_deref()
        })
    }

    pub(super) fn is_redacted(&self, state: &State, id: &MessageId) -> bool {
        state.was_redacted(id) || self.redacted.contains(id)
    }

    pub(super) fn has_late_result(&self, state: &State, id: &TaskId, token: u64) -> bool {
        let claim = (id.clone(), token);
        state.has_late_result(&claim) || self.late_results.contains(&claim)
    }

    pub(super) fn receipt(
        &self,
        state: &State,
        message: &MessageId,
        recipient: &EntityId,
    ) -> KnownReceipt {
        let key = (message.clone(), recipient.clone());
        if state.has_acked(&key) {
            return KnownReceipt::Acked;
        }
        self.receipts.get(&key).copied().unwrap_or_default()
    }

    pub(super) fn task<'b>(&'b self, state: &'b State, id: &TaskId) -> Option<&'b Arc<Task>> {
        state.task(id).or_else(|| {
            debug_assert!(self.tasks.contains_key(id), "task {id} was not prefetched");
            self.tasks.get(id)?.as_ref()
        })
    }

    pub(super) fn proposal<'b>(
        &'b self,
        state: &'b State,
        id: &ProposalId,
    ) -> Option<&'b Arc<Proposal>> {
        state.proposal(id).or_else(|| {
            debug_assert!(self.proposals.contains_key(id), "proposal {id} was not prefetched");
            self.proposals.get(id)?.as_ref()
        })
    }

    pub(super) fn message(&self, id: &MessageId) -> Option<&MessageHead> {
        debug_assert!(self.messages.contains_key(id), "message {id} was not prefetched");
        self.messages.get(id)?.as_ref()
    }
}

/// What the store knows of one recipient's acknowledgement.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KnownReceipt {
    /// It was never asked.
    #[default]
    NotAsked,
    /// It was asked, and has not answered.
    Asked,
    /// It has.
    Acked,
}

/// No one is there: for tests, and for replaying a log.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyThere;

impl SoftFacts for NobodyThere {
    fn is_connected(&self, _: &EntityId) -> bool {
        false
    }

    fn last_seen(&self, _: &EntityId) -> Option<Timestamp> {
        None
    }

    fn online(&self, _: EntityType) -> u64 {
        0
    }

    fn is_online(&self, _: &EntityId) -> bool {
        false
    }
}

/// How many of the readers of a channel are there, leaving the sender out.
pub(super) fn recipients(
    state: &State,
    soft: &dyn SoftFacts,
    sender: &EntityId,
    channel: &ChannelName,
) -> Recipients {
    let admits = |kind| policy::is_open_to(state, kind, channel);
    let mut counted = Recipients::default();
    for kind in EntityType::ALL.iter().copied().filter(|kind| admits(*kind)) {
        let all = state.totals().entities_of(kind);
        let online = soft.online(kind).min(all);
        counted.online += online;
        counted.offline += all - online;
    }
    // Those of the types were counted without a look at each; the members beside them are few.
    for id in policy::members(state, channel) {
        let Some(member) = state.entity(id) else { continue };
        if admits(member.entity_type) {
            continue;
        }
        if soft.is_online(id) {
            counted.online += 1;
        } else {
            counted.offline += 1;
        }
    }
    if policy::reads_since(state, sender, channel).is_some() {
        if soft.is_online(sender) {
            counted.online = counted.online.saturating_sub(1);
        } else {
            counted.offline = counted.offline.saturating_sub(1);
        }
    }
    counted
}
