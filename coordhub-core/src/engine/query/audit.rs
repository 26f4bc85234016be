//! Reading who did what, and what was refused.

use super::{List, Window, take_from};
use crate::{
    engine::{Hub, HubError},
    ids::Seq,
    limits::AUDIT_LOOKS_MAX,
    model::{AuditEntry, Refusal, Refused},
    store::AuditFilter,
};

impl Hub {
    /// What the log says of who did what after a place, oldest first, without what anybody said. A page
    /// may hold nothing and still have come further: `next` is where it came to.
    pub fn audit(
        &self,
        filter: &AuditFilter,
        after: Seq,
        limit: usize,
    ) -> Result<List<AuditEntry>, HubError> {
        let head = self.head_seq();
        let items = self.shared.published.history.audit(filter, after, limit)?;
        let next = match items.last() {
            Some(last) if items.len() >= limit => last.seq,
            // What happened since the head was looked at may be among what was found.
            last => {
                let looked = after.saturating_add(AUDIT_LOOKS_MAX).min(head).max(after);
                last.map_or(looked, |last| last.seq.max(looked))
            }
        };
        Ok(List { items, next })
    }

    /// Counts a refusal: in memory, written with others later.
    pub fn note_refusal(&self, refused: Refused) {
        self.shared.refusals.note(refused, self.now());
    }

    /// What was refused, in the order in which the first of each was.
    pub fn refusals(
        &self,
        actor: Option<&str>,
        kind: Option<&str>,
        window: Window,
    ) -> List<Refusal> {
        let found = self.shared.refusals.find(|refusal| {
            window.holds(refusal.refusal_id)
                && actor.is_none_or(|actor| {
                    refusal.of.entity_id.as_ref().is_some_and(|id| id.as_str() == actor)
                })
                && kind.is_none_or(|kind| refusal.of.kind == kind)
        });
        let newest = found.last().map_or(0, |refusal| refusal.refusal_id);
        let found = take_from(found.into_iter(), window);
        window.list(found, |refusal| refusal.refusal_id, newest.max(window.after.unwrap_or(0)))
    }
}
