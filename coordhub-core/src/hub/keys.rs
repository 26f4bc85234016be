//! Idempotency keys: a change that is asked for again is not made again.

use serde::{Deserialize, Serialize};

use super::{Answer, Decision, Desk, Rejection};
use crate::{
    event::{Event, KeyKept},
    ids::{EntityId, Seq},
    limits::KEY_HOURS,
    time::Timestamp,
};

/// A key and what was done under it, so that it can be answered again.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptKey {
    /// Whose key, on which route, and what it is called.
    pub id: KeyId,
    /// Stands for the arguments of the change.
    pub fingerprint: u64,
    /// When the change was made.
    pub at: Timestamp,
    /// What its caller was told.
    pub told: Told,
}

/// What tells keys apart.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyId {
    /// Whose.
    pub caller: EntityId,
    /// On which route.
    pub route: String,
    /// What its caller calls it.
    pub key: String,
}

/// What a caller was told: the highest `seq` of the change, and the answer by its ids.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Told {
    /// The highest `seq` of the change.
    pub seq: Seq,
    /// The answer.
    pub answer: Answer,
}

impl KeptKey {
    /// Whether it is too old to count at `now`.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.at.plus_millis(KEY_HOURS * 60 * 60 * 1_000) <= now
    }
}

impl Desk<'_> {
    /// The key of this command as it would be kept.
    pub(super) fn key_id(&self) -> Result<Option<KeyId>, Rejection> {
        let Some(key) = &self.envelope.key else { return Ok(None) };
        let Some(caller) = &self.envelope.caller.id else {
            let detail = "an Idempotency-Key belongs to a caller; say who you are";
            return Err(Rejection::invalid("Idempotency-Key", detail));
        };
        Ok(Some(KeyId { caller: caller.clone(), route: key.route.clone(), key: key.key.clone() }))
    }

    /// The first success under the same key, where there was one within a day.
    pub(super) fn first_success(&self, id: &KeyId) -> Result<Option<Decision>, Rejection> {
        let kept = self.known.key(self.state, id).filter(|kept| !kept.is_past(self.now));
        let Some(kept) = kept else { return Ok(None) };
        if self.envelope.key.as_ref().is_some_and(|key| key.fingerprint != kept.fingerprint) {
            return Err(Rejection::KeyReused(id.key.clone()));
        }
        let answer = kept.told.answer.clone();
        Ok(Some(Decision { again: Some(kept.told.seq), ..Decision::nothing(answer) }))
    }

    /// Keeps the key with a decision, unless that refuses or found nothing.
    pub(super) fn keep_key(&self, id: KeyId, decision: &mut Decision) {
        if decision.refusal.is_some() || decision.answer == Answer::NoTask {
            return;
        }
        if decision.events.is_empty() {
            let (entity_id, route) = (id.caller.clone(), id.route.clone());
            decision.events.push(Event::KeyKept(KeyKept { entity_id, route }));
        }
        let seq = self.state.head() + decision.events.len() as u64;
        decision.key = Some(KeptKey {
            id,
            fingerprint: self.envelope.key.as_ref().map_or(0, |key| key.fingerprint),
            at: self.now,
            told: Told { seq, answer: decision.answer.clone() },
        });
    }
}
