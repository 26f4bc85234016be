import { attribute, fill, h, text } from "../dom.js";
import { awaitsVoteOf } from "../proposals.js";
import { waitsForHuman } from "../tasks.js";
import { View } from "../view.js";

/** @typedef {import("../session.js").Session} Session */

const SECTIONS = [
  { id: "who", name: "Channels" },
  { id: "talk", name: "Talk" },
  { id: "work", name: "Work" },
];

/** Where there is room for one column only, chooses which. */
export class Sections extends View {
  buttons = SECTIONS.map(({ id, name }) => {
    const count = h("span", { class: "count" });
    const onclick = () => showSection(id);
    return { id, count, element: h("button", { type: "button", "data-goes-to": id, onclick }, name, count) };
  });

  /** @override */
  build() {
    fill(this, h("nav", { "aria-label": "Sections" }, ...this.buttons.map(({ element }) => element)));
    showSection("talk");
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const { tasks, proposals, unread, attention } = session.store;
    const asked = [...tasks.values()].filter(waitsForHuman).length;
    const toVote = [...proposals.values()].filter((proposal) => awaitsVoteOf(proposal, session.me)).length;
    const counts = { who: unread, talk: 0, work: asked + toVote + attention.acks_owed.length };
    for (const { id, count } of this.buttons) {
      const number = counts[/** @type {keyof counts} */ (id)];
      text(count, number ? String(number) : "");
      count.hidden = number === 0;
    }
  }
}

/** @param {string} id */
export function showSection(id) {
  document.body.dataset.section = id;
  for (const button of document.querySelectorAll("[data-goes-to]")) {
    attribute(button, "aria-current", button.getAttribute("data-goes-to") === id ? "true" : null);
  }
}
