import { fill, h } from "../dom.js";
import { foldedForm, labelled, ticked } from "../form.js";
import { freshId } from "../format.js";
import { Problem } from "../hub.js";
import { View } from "../view.js";

/** Where something is put to the vote. */
export class ProposalForm extends View {
  title_ = h("input", { type: "text", required: true, maxlength: 512, autocomplete: "off" });
  description = h("textarea", { rows: 3 });
  threshold = h("input", { type: "number", min: 0, max: 100, step: "any", value: 75, required: true });
  quorum = h("input", { type: "number", min: 1, step: 1 });
  hours = h("input", { type: "number", min: 0.02, step: "any", value: 24, required: true });
  needsHuman = h("input", { type: "checkbox" });
  /** Kept until the hub has taken it, so that trying again makes no second proposal. */
  proposalId = freshId("prop-page-");

  /** @override */
  build() {
    const fields = [
      labelled("Title", this.title_),
      labelled("Description", this.description),
      labelled("Threshold in %", this.threshold, "the share of votes for that must be exceeded"),
      labelled("Quorum", this.quorum, "how many must vote; more than half where empty"),
      labelled("Open for, in hours", this.hours),
      ticked("A human must vote for it", this.needsHuman),
    ];
    fill(
      this,
      foldedForm("New proposal", "Put to the vote", fields, () => this.#create()),
    );
  }

  async #create() {
    const { hub, me } = this.session;
    try {
      await hub.post("/proposals/create", {
        proposal_id: this.proposalId,
        title: this.title_.value.trim(),
        description: this.description.value,
        proposed_by: me,
        threshold: Number((this.threshold.valueAsNumber / 100).toFixed(6)),
        quorum: this.quorum.value === "" ? null : this.quorum.valueAsNumber,
        ttl_seconds: Math.round(this.hours.valueAsNumber * 3600),
        requires_human: this.needsHuman.checked,
      });
    } catch (error) {
      // The first attempt arrived, and its answer did not.
      if (!(error instanceof Problem && error.code === "proposal_exists")) {
        throw error;
      }
    }
    this.proposalId = freshId("prop-page-");
  }
}
