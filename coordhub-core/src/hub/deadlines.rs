//! What time alone decides.

use super::{
    Answer, Decision, Desk,
    proposals::{Force, decided, final_outcome},
};

impl Desk<'_> {
    /// Decides everything due at or before now, in order of (due, id).
    pub(super) fn tick(&self) -> Decision {
        let events = self
            .state
            .due(self.now)
            .map(|proposal| decided(proposal, final_outcome(proposal), Force::ByRule))
            .collect();
        Decision { events, answer: Answer::Done }
    }
}
