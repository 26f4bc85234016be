//! Reading proposals.

use super::{List, Window};
use crate::{
    engine::{Hub, HubError},
    hub::Rejection,
    ids::ProposalId,
    model::{Proposal, ProposalStatus},
};

impl Hub {
    /// Proposals in order of creation.
    pub fn proposals(
        &self,
        status: Option<ProposalStatus>,
        window: Window,
    ) -> Result<List<Proposal>, HubError> {
        let head = self.head_seq();
        let found = self.shared.published.history.proposals(status, &window.page())?;
        Ok(window.list(found, |proposal| proposal.created_seq, head))
    }

    /// One proposal.
    pub fn proposal(&self, id: &ProposalId) -> Result<Proposal, HubError> {
        let hot = self.with_state(|state| state.proposal(id).map(|p| Proposal::clone(p)));
        match hot {
            Some(proposal) => Ok(proposal),
            None => self
                .shared
                .published
                .history
                .proposal(id)?
                .ok_or_else(|| Rejection::UnknownProposal(id.clone()).into()),
        }
    }
}
