//! Reading tokens and invites, without their secrets: all of it is in memory.

use std::sync::Arc;

use super::{List, Window, take_from};
use crate::{
    engine::Hub,
    model::{Invite, Token},
};

impl Hub {
    /// Tokens that are good, in the order in which they were made.
    pub fn tokens(&self, window: Window) -> List<Arc<Token>> {
        let found = self.with_state(|state| {
            let mut all: Vec<_> = state.credentials().tokens().cloned().collect();
            all.retain(|token| window.holds(token.created_seq));
            all.sort_unstable_by_key(|token| token.created_seq);
            all
        });
        let found = take_from(found.into_iter(), window);
        window.list(found, |token| token.created_seq, self.head_seq())
    }

    /// Invites that were not revoked, in the order in which they were made.
    pub fn invites(&self, window: Window) -> List<Arc<Invite>> {
        let found = self.with_state(|state| {
            let mut all: Vec<_> = state.credentials().invites().cloned().collect();
            all.retain(|invite| window.holds(invite.created_seq));
            all.sort_unstable_by_key(|invite| invite.created_seq);
            all
        });
        let found = take_from(found.into_iter(), window);
        window.list(found, |invite| invite.created_seq, self.head_seq())
    }
}
