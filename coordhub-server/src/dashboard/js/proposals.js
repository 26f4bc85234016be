/** What each event does to the proposals. Mirrors how the hub itself evolves; a test holds the two together. */

/**
 * @typedef {import("./types.js").Proposal} Proposal
 * @typedef {import("./types.js").HubEvent} HubEvent
 */

/**
 * Makes an event true. Proposals are replaced, never changed in place.
 *
 * What comes back are the ids of proposals that are to be read again: those that are not here, and those whose quorum
 * may have moved, for some follow their electorate and only their creation says which.
 *
 * @param {Map<string, Proposal>} proposals
 * @param {HubEvent} event
 * @returns {string[]}
 */
export function applyToProposals(proposals, { kind, at, data }) {
  /** @param {string} id @param {(proposal: Proposal) => Partial<Proposal>} change */
  const set = (id, change) => {
    const proposal = proposals.get(id);
    if (!proposal) {
      return [id];
    }
    proposals.set(id, { ...proposal, ...change(proposal) });
    return [];
  };
  switch (kind) {
    case "proposal_created":
      proposals.set(data.proposal.proposal_id, data.proposal);
      return [];
    case "vote_cast":
      return set(data.proposal_id, ({ votes }) => ({ votes: withVote(votes, data.vote), tally: data.tally }));
    case "proposal_decided":
      return set(data.proposal_id, () => ({
        status: data.status,
        tally: data.tally,
        forced: data.forced,
        decided_at: at,
      }));
    case "proposal_withdrawn":
      return set(data.proposal_id, () => ({ status: "withdrawn", decided_at: at }));
    case "entity_registered":
      for (const id of data.joins) {
        set(id, (proposal) => withElectorate(proposal, [...proposal.electorate, data.entity.entity_id]));
      }
      return data.joins;
    case "entity_removed":
      return depart(proposals, data.entity_id);
    default:
      return [];
  }
}

/** Takes a removed entity out of what is open. A vote that it has cast stands. */
/** @param {Map<string, Proposal>} proposals @param {string} who */
function depart(proposals, who) {
  const touched = [];
  for (const proposal of [...proposals.values()]) {
    const hasVoted = proposal.votes.some((vote) => vote.entity_id === who);
    if (proposal.status === "open" && proposal.electorate.includes(who) && !hasVoted) {
      const electorate = proposal.electorate.filter((id) => id !== who);
      proposals.set(proposal.proposal_id, { ...proposal, ...withElectorate(proposal, electorate) });
      touched.push(proposal.proposal_id);
    }
  }
  return touched;
}

/** @param {Proposal} proposal @param {string[]} ids @returns {Partial<Proposal>} */
function withElectorate(proposal, ids) {
  const electorate = [...new Set(ids)].sort();
  return { electorate, tally: { ...proposal.tally, eligible: electorate.length } };
}

/** One vote an entity, in the order of their ids, as the hub lists them. */
/** @param {import("./types.js").Vote[]} votes @param {import("./types.js").Vote} vote */
function withVote(votes, { entity_id, vote, comment, at }) {
  const others = votes.filter((other) => other.entity_id !== entity_id);
  return [...others, { entity_id, vote, comment, at }].sort((a, b) => (a.entity_id < b.entity_id ? -1 : 1));
}

/** Whether somebody may vote and has not. @param {Proposal} proposal @param {string} who */
export function awaitsVoteOf({ status, electorate, votes }, who) {
  return status === "open" && electorate.includes(who) && !votes.some((vote) => vote.entity_id === who);
}
