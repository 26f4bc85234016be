//! Calls about proposals.

use coordhub_core::model::{Choice, ProposalStatus};

use super::{
    call::{AFTER, Call, Change, ENTITY_ID, LIMIT, ORDER, Read, optional, required},
    waits::{self, About, Looked, WAIT_SECONDS},
};
use crate::wire::{Field, Kind, Problem, reply, request};

/// Fields of `POST /proposals/create`.
pub const CREATE: &[Field] = &[
    required("title", Kind::Text, "One line that says what is proposed."),
    optional("proposal_id", Kind::Text, "An id of your own; one is made where not given."),
    optional("description", Kind::Text, "The rest of what is to be said."),
    optional("proposed_by", Kind::Text, "Who proposes it."),
    optional(
        "threshold",
        Kind::Number,
        "The share of *for* that must be exceeded; 0.75 where not given, 1 for all.",
    ),
    optional("quorum", Kind::Integer, "How many must vote; more than half where not given."),
    optional("deadline", Kind::Time, "When it is decided at the latest."),
    optional("ttl_seconds", Kind::Integer, "The same, from now; a day where neither is given."),
    optional(
        "electorate",
        Kind::Texts,
        "Who may vote, by id or type; whoever was here within a day where not given.",
    ),
    optional("requires_human", Kind::Flag, "Whether at least one human must be for it."),
    optional(
        "early_close",
        Kind::Flag,
        "Whether it is decided as soon as its outcome is certain; true where not given.",
    ),
];

/// `POST /proposals/create`
pub fn create(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::create_proposal(&call.fields)?, "created")
}

/// Fields of `GET /proposals/list`.
pub const LIST: &[Field] = &[
    optional("status", Kind::Word(ProposalStatus::WORDS), "Only those that stand so."),
    AFTER,
    ORDER,
    LIMIT,
    ENTITY_ID,
];

/// `GET /proposals/list`
pub fn list(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let status = call.fields.word("status", ProposalStatus::parse, ProposalStatus::WORDS)?;
    let window = call.list_window()?;
    Read::later(move |app| {
        let list = app.hub().proposals(status, window)?;
        Ok(reply::list_of("proposals", &list.items, list.next))
    })
}

/// Fields of `GET /proposals/{proposal_id}`.
pub const GET: &[Field] = &[WAIT_SECONDS, ENTITY_ID];

/// `GET /proposals/{proposal_id}`
pub fn get(call: &Call<'_>) -> Result<Read, Problem> {
    call.reader()?;
    let id = request::proposal_id(&call.fields)?;
    waits::until(call, About::Proposal(id.clone()), move |app| {
        let proposal = app.hub().proposal(&id)?;
        let body = reply::to_bytes(&proposal);
        let is_open = proposal.status == ProposalStatus::Open;
        Ok(if is_open { Looked::NotYet(body) } else { Looked::There(body) })
    })
}

/// Fields of `POST /proposals/{proposal_id}/vote`.
pub const VOTE: &[Field] = &[
    required("entity_id", Kind::Text, "Who votes."),
    required(
        "vote",
        Kind::Word(Choice::WORDS),
        "The vote; it may be changed while the proposal is open.",
    ),
    optional("comment", Kind::Text, "Why."),
];

/// `POST /proposals/{proposal_id}/vote`
pub fn vote(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::cast_vote(&call.fields)?, "voted")
}

/// Fields of `POST /proposals/{proposal_id}/close` and `/withdraw`.
pub const BY_CALLER: &[Field] = &[ENTITY_ID];

/// `POST /proposals/{proposal_id}/close`
pub fn close(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::close_proposal(&call.fields)?, "closed")
}

/// `POST /proposals/{proposal_id}/withdraw`
pub fn withdraw(call: &Call<'_>) -> Result<Change, Problem> {
    call.change(request::withdraw_proposal(&call.fields)?, "withdrawn")
}
