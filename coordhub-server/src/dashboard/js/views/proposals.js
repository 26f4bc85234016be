import { attempt } from "../act.js";
import { Rows, attribute, fill, h, text } from "../dom.js";
import { thresholdWords, time, until } from "../format.js";
import { segment } from "../hub.js";
import { awaitsVoteOf } from "../proposals.js";
import { View } from "../view.js";
import { ProposalForm } from "./proposal-form.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../types.js").Choice} Choice
 * @typedef {import("../types.js").Proposal} Proposal
 */

/** @type {Choice[]} */
const CHOICES = ["for", "against", "abstain"];

/** What is put to the vote, and what came of it. */
export class Proposals extends View {
  heading = h("h2", { id: "proposals-title" }, "Proposals");
  open = h("ul", { class: "cards" });
  decided = h("ul", { class: "cards" });
  none = h("p", { class: "hint" }, "Nothing is put to the vote.");
  summary = h("summary", {});
  past = h("details", { class: "folded" }, this.summary, this.decided);
  openRows = new Rows(this.open, idOf, (proposal) => this.#row(proposal));
  decidedRows = new Rows(this.decided, idOf, (proposal) => this.#row(proposal));

  /** @override */
  build() {
    fill(
      this,
      h(
        "section",
        { "aria-labelledby": "proposals-title" },
        this.heading,
        new ProposalForm(),
        this.none,
        this.open,
        this.past,
      ),
    );
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const proposals = [...session.store.proposals.values()];
    const open = proposals.filter(({ status }) => status === "open");
    const decided = proposals.filter(({ status }) => status !== "open");
    const toVote = open.filter((proposal) => awaitsVoteOf(proposal, session.me)).length;
    text(this.heading, toVote ? `Proposals (${toVote} ${toVote === 1 ? "awaits" : "await"} your vote)` : "Proposals");
    this.none.hidden = open.length > 0;
    this.openRows.show(open.sort((a, b) => a.deadline.localeCompare(b.deadline)));
    this.decidedRows.show(decided.sort((a, b) => (b.decided_at ?? "").localeCompare(a.decided_at ?? "")));
    this.past.hidden = decided.length === 0;
    text(this.summary, `Decided (${decided.length})`);
  }

  /** @param {Proposal} first */
  #row(first) {
    const id = first.proposal_id;
    const title = h("h3", { dir: "auto" });
    const facts = h("p", { class: "facts" });
    const description = h("p", { class: "content", dir: "auto" });
    const tally = h("div", { class: "tally" });
    const rules = h("p", { class: "hint" });
    const votes = h("ul", { class: "votes" });
    const comment = h("input", {
      type: "text",
      "aria-label": `Comment on ${first.title}`,
      placeholder: "Comment (may be empty)",
    });
    const problem = h("p", { class: "problem", role: "alert" });
    /** @param {string} call @param {object} body */
    const act = (call, body) =>
      void attempt(problem, () => this.session.hub.post(`/proposals/${segment(id)}/${call}`, body));
    const buttons = CHOICES.map((vote) => {
      const onclick = () => act("vote", { vote, comment: comment.value || null });
      return {
        vote,
        element: h("button", { type: "button", "aria-label": `Vote ${vote}: ${first.title}`, onclick }, capital(vote)),
      };
    });
    const withdraw = h(
      "button",
      { type: "button", class: "quiet", "aria-label": `Withdraw: ${first.title}`, onclick: () => act("withdraw", {}) },
      "Withdraw",
    );
    const actions = h("div", { class: "actions" }, comment, ...buttons.map(({ element }) => element), withdraw);
    const element = h(
      "li",
      { class: "card", "data-proposal": id, tabindex: -1 },
      title,
      facts,
      description,
      tally,
      rules,
      votes,
      actions,
      problem,
    );
    /** @type {Proposal | null} */
    let shown = null;
    const update = (/** @type {Proposal} */ proposal) => {
      if (proposal === shown) {
        return;
      }
      shown = proposal;
      const { me } = this.session;
      const mine = proposal.votes.find((vote) => vote.entity_id === me)?.vote;
      const mayVote = proposal.status === "open" && proposal.electorate.includes(me);
      attribute(element, "data-status", proposal.status);
      text(title, proposal.title);
      fill(facts, ...factsOf(proposal));
      text(description, proposal.description);
      fill(tally, ...tallyOf(proposal));
      text(rules, rulesOf(proposal, proposal.status === "open" && !mayVote));
      fill(votes, ...proposal.votes.map(voteOf));
      comment.hidden = !mayVote;
      for (const { vote, element } of buttons) {
        element.hidden = !mayVote;
        attribute(element, "aria-pressed", String(vote === mine));
      }
      withdraw.hidden = proposal.status !== "open" || proposal.proposed_by !== me;
    };
    return { element, update };
  }
}

/** @param {Proposal} proposal */
function idOf(proposal) {
  return proposal.proposal_id;
}

/** @param {string} word */
function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** @param {Proposal} proposal */
function factsOf({ status, proposed_by, created_at, deadline, decided_at, requires_human }) {
  return [
    h("span", { class: `badge ${status}` }, status),
    requires_human ? h("span", { class: "badge human" }, "needs a human's vote") : null,
    h("span", {}, proposed_by ? "by " : "", proposed_by ? h("bdi", {}, proposed_by) : "", " ", time(created_at)),
    status === "open" ? h("span", {}, "closes ", time(deadline), ` (${until(deadline)})`) : null,
    decided_at ? h("span", {}, "decided ", time(decided_at)) : null,
  ];
}

/** A bar for each choice, as wide as its share of those who may vote. @param {Proposal} proposal */
function tallyOf({ tally }) {
  return CHOICES.map((choice) =>
    h(
      "div",
      { class: "share", "data-choice": choice },
      h("span", {}, `${capital(choice)} ${tally[choice]}`),
      h("meter", {
        min: 0,
        max: Math.max(tally.eligible, 1),
        value: tally[choice],
        "aria-label": `${capital(choice)}: ${tally[choice]} of ${tally.eligible}`,
      }),
    ),
  );
}

/** @param {Proposal} proposal @param {boolean} noVote */
function rulesOf({ tally, quorum, threshold }, noVote) {
  const cast = tally.for + tally.against + tally.abstain;
  const rules = `${cast} of ${tally.eligible} have voted, quorum ${quorum}; approved by ${thresholdWords(threshold)}.`;
  return noVote ? `${rules} You have no vote in this one.` : rules;
}

/** @param {import("../types.js").Vote} vote */
function voteOf({ entity_id, vote, comment, at }) {
  return h(
    "li",
    {},
    h("bdi", {}, entity_id),
    ` ${vote} `,
    time(at),
    comment ? h("span", { class: "content", dir: "auto" }, ` ${comment}`) : null,
  );
}
