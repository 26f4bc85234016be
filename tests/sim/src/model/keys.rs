//! Idempotency keys: the first success again, for a day.

use coordhub_core::{
    Request, Timestamp,
    ids::{EntityId, Seq},
};

use super::{Expected, Model, Refused, Told};

/// For how long a key counts.
const DAY_MILLIS: i64 = 86_400_000;

/// What tells keys apart.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyName {
    /// Whose it is.
    pub caller: EntityId,
    /// On which route.
    pub route: String,
    /// What its caller calls it.
    pub key: String,
}

/// What was done under a key.
#[derive(Clone, Debug)]
pub struct Key {
    fingerprint: u64,
    at: Timestamp,
    told: Told,
    seq: Seq,
}

impl Model {
    pub(super) fn key_of(&self, request: &Request) -> Result<Option<KeyName>, Refused> {
        let Some(key) = &request.key else { return Ok(None) };
        let Some(caller) = &request.caller.id else {
            return Err(Refused::one(422, "invalid_field"));
        };
        let (route, key) = (key.route.clone(), key.key.clone());
        Ok(Some(KeyName { caller: caller.clone(), route, key }))
    }

    /// What the first call under the same key was told, where there was one within a day.
    pub(super) fn first_success(&self, name: &KeyName, request: &Request) -> Option<Expected> {
        let kept = self.keys.get(name)?;
        if self.now.millis() - kept.at.millis() >= DAY_MILLIS {
            return None;
        }
        let fingerprint = request.key.as_ref().map(|key| key.fingerprint);
        Some(if fingerprint == Some(kept.fingerprint) {
            Expected::Told(kept.told.clone(), kept.seq, true)
        } else {
            Expected::Refused(vec!["idempotency_key_reused"])
        })
    }

    pub(super) fn keep_key(&mut self, name: KeyName, request: &Request, told: Told, seq: Seq) {
        let fingerprint = request.key.as_ref().map_or(0, |key| key.fingerprint);
        self.keys.insert(name, Key { fingerprint, at: self.now, told, seq });
    }
}
