import { Rows, fill, h, text } from "../dom.js";
import { time } from "../format.js";
import { wordsFor } from "../hub.js";
import { removedBy } from "../messages.js";
import { View } from "../view.js";
import { RollCallBox } from "./roll-call.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../types.js").Message} Message
 */

const SHOWN_MAX = 3;

/**
 * Urgent messages, above everything: until somebody puts them away, or, where they ask for it, acknowledges or ends
 * them.
 */
export class Alerts extends View {
  list = h("div", { role: "alert", class: "alerts-list" });
  more = h("span", {});
  problem = h("span", { class: "problem", role: "status" });
  seen = h("button", { type: "button", class: "primary", onclick: () => void this.#putAway() }, "Seen");
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
      this.seen,
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
    const pressing = session?.store.rollCalls.pressing(session.me) ?? [];
    const shown = [...pressing.slice(-SHOWN_MAX), ...alerts.slice(-SHOWN_MAX)];
    const hidden = alerts.length + pressing.length - shown.length;
    this.hidden = shown.length === 0;
    this.seen.hidden = alerts.length === 0;
    this.rows.show(shown);
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

  /** @param {Message} first */
  #row(first) {
    const what = h("span", { class: "content", dir: "auto" });
    const rollCall = first.ack_required ? new RollCallBox(this, first) : null;
    const element = h(
      "div",
      { class: "alert", "data-seq": first.seq },
      h("strong", {}, rollCall ? "Roll-call" : "Urgent"),
      " ",
      h("bdi", {}, first.from_entity),
      " ",
      time(first.timestamp),
      " ",
      what,
      rollCall?.element,
    );
    /** @param {Message} message */
    const update = (message) => {
      const remover = removedBy(message);
      text(what, remover === null ? message.content : `removed by ${remover}`);
      rollCall?.update(message);
    };
    return { element, update };
  }
}
