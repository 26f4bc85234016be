import { Rows, fill, h, text } from "../dom.js";
import { time } from "../format.js";
import { wordsFor } from "../hub.js";
import { View } from "../view.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../types.js").Message} Message
 */

const SHOWN_MAX = 3;

/** Urgent messages, above everything, until somebody puts them away. */
export class Alerts extends View {
  list = h("div", { role: "alert", class: "alerts-list" });
  more = h("span", {});
  problem = h("span", { class: "problem", role: "status" });
  box = h(
    "section",
    { class: "alerts", "aria-label": "Urgent messages" },
    this.list,
    h(
      "div",
      { class: "actions" },
      this.more,
      this.problem,
      h(
        "button",
        { type: "button", onclick: () => void this.session.select({ kind: "channel", id: "urgent" }) },
        "Open #urgent",
      ),
      h("button", { type: "button", class: "primary", onclick: () => void this.#putAway() }, "Seen"),
    ),
  );
  rows = new Rows(
    this.list,
    (/** @type {Message} */ message) => String(message.seq),
    (message) => this.#row(message),
  );

  /** @override */
  build() {
    fill(this, this.box);
  }

  /** @override @param {Session | null} session */
  render(session) {
    const alerts = session?.store.alerts ?? [];
    this.hidden = alerts.length === 0;
    this.rows.show(alerts.slice(-SHOWN_MAX));
    const hidden = alerts.length - SHOWN_MAX;
    text(this.more, hidden > 0 ? `and ${hidden} more` : "");
    if (!alerts.length) {
      text(this.problem, "");
    }
  }

  async #putAway() {
    try {
      await this.session.putAlertsAway();
    } catch (error) {
      text(this.problem, wordsFor(error));
    }
  }

  /** @param {Message} message */
  #row({ from_entity, content, timestamp }) {
    const what = h("span", { class: "content", dir: "auto" }, content);
    const element = h(
      "div",
      { class: "alert" },
      h("strong", {}, "Urgent"),
      " ",
      h("bdi", {}, from_entity),
      " ",
      time(timestamp),
      " ",
      what,
    );
    return { element, update: () => {} };
  }
}
