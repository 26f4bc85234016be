import { attempt } from "../act.js";
import { attribute, fill, h, text } from "../dom.js";
import { time, until } from "../format.js";
import { segment } from "../hub.js";
import { isOpen } from "../roll-calls.js";

/**
 * @typedef {import("../roll-calls.js").RollCall} RollCall
 * @typedef {import("../types.js").Message} Message
 * @typedef {import("../types.js").Receipt} Receipt
 * @typedef {import("../view.js").View} View
 */

/** What belongs to a message that asks to be acknowledged: how it stands, who has and who has not, and the buttons. */
export class RollCallBox {
  state = h("span", { class: "state" });
  ack = h("button", { type: "button", class: "primary" }, "Acknowledge");
  who = h("button", { type: "button", "aria-expanded": "false" }, "Show who has");
  resolve = h("button", { type: "button" }, "Resolve");
  list = h("ul", { class: "receipts" });
  problem = h("p", { class: "problem", role: "status" });
  /** What it shows. @type {unknown[]} */
  shown = [];
  element = h(
    "div",
    { class: "roll-call" },
    h("div", { class: "actions" }, this.state, this.ack, this.who, this.resolve),
    this.list,
    this.problem,
  );

  /** @param {View} view @param {Message} message */
  constructor(view, message) {
    this.view = view;
    const { message_id, from_entity } = message;
    const path = `/messages/${segment(message_id)}`;
    /** @param {string} call */
    const change = (call) => () => void attempt(this.problem, () => this.view.session.hub.post(`${path}/${call}`, {}));
    this.ack.addEventListener("click", change("ack"));
    this.resolve.addEventListener("click", change("resolve"));
    this.who.addEventListener("click", () => void this.#toggle(message_id));
    for (const button of [this.ack, this.who, this.resolve]) {
      attribute(button, "aria-label", `${button.textContent}: message of ${from_entity}`);
    }
    this.list.hidden = true;
  }

  /** @param {Message} message */
  update(message) {
    const { me, store } = this.view.session;
    const rollCall = store.rollCalls.get(message.message_id);
    const owed = store.owesAck(message);
    const now = [rollCall, owed, store.isHuman, this.list.hidden];
    if (now.every((part, index) => part === this.shown[index])) {
      return;
    }
    this.shown = now;
    fill(this.state, ...stateOf(rollCall, owed));
    attribute(this.element, "data-state", rollCall?.resolvedBy ? "resolved" : owed ? "owed" : "asked");
    this.ack.hidden = !owed;
    const mayResolve = store.isHuman || message.from_entity === me;
    this.resolve.hidden = !(mayResolve && rollCall && isOpen(rollCall, message.channel === "urgent"));
    fill(this.list, ...(rollCall?.recipients ?? []).map(receiptOf));
  }

  /** @param {string} id */
  async #toggle(id) {
    const opens = this.list.hidden;
    this.list.hidden = !opens;
    attribute(this.who, "aria-expanded", String(opens));
    if (opens) {
      text(this.problem, "");
      await attempt(this.problem, () => this.view.session.readReceipts(id));
    }
  }
}

/** @param {RollCall | undefined} rollCall @param {boolean} owed */
function stateOf(rollCall, owed) {
  const asks = owed ? "You are asked to acknowledge this" : "Asks to be acknowledged";
  if (!rollCall) {
    return [`${asks}.`];
  }
  const { complete, deadline, overdue, resolvedBy, recipients } = rollCall;
  if (resolvedBy !== null) {
    return ["Resolved by ", h("bdi", {}, resolvedBy), "."];
  }
  const acked = recipients.filter(({ acked_at }) => acked_at !== null).length;
  const by = deadline && !overdue ? ["by ", time(deadline), ` (${until(deadline)})`] : null;
  return [
    asks,
    by ? " " : "",
    ...(by ?? []),
    ".",
    complete ? ` ${acked} of ${recipients.length} have.` : "",
    overdue ? h("strong", {}, " The time is up.") : null,
  ];
}

/** @param {Receipt} receipt */
function receiptOf({ entity_id, read, acked_at }) {
  return h(
    "li",
    { "data-acked": acked_at !== null },
    h("bdi", {}, entity_id),
    acked_at === null ? (read ? " has read it, not acknowledged" : " has not") : " has, ",
    acked_at === null ? null : time(acked_at),
  );
}
