import { Rows, attribute, fill, h, text } from "../dom.js";
import { keyOf } from "../messages.js";
import { View } from "../view.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../outbox.js").Pending} Pending
 */

/** So long a message counts as merely on its way. */
const PATIENCE_MS = 400;

/** Where messages are written, and what has not been sent yet. */
export class Composer extends View {
  field = h("textarea", {
    id: "message",
    rows: 2,
    autocomplete: "off",
    "aria-describedby": "message-hint",
    onkeydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event),
  });
  label = h("label", { for: "message" });
  hint = h("p", { id: "message-hint", class: "hint" });
  button = h("button", { type: "submit", class: "primary" }, "Send");
  pending = h("ul", { class: "pending", "aria-label": "Not sent yet", "aria-live": "polite" });
  rows = new Rows(
    this.pending,
    (/** @type {Pending} */ item) => item.mark,
    (item) => this.#row(item),
  );
  /** What was begun elsewhere waits there. @type {Map<string, string>} */
  drafts = new Map();
  key = "";

  /** @override */
  build() {
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#send();
    };
    const form = h("form", { onsubmit }, this.label, h("div", { class: "write" }, this.field, this.button), this.hint);
    fill(this, this.pending, form);
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const { place, channels } = session.store;
    if (this.key !== keyOf(place)) {
      this.drafts.set(this.key, this.field.value);
      this.key = keyOf(place);
      this.field.value = this.drafts.get(this.key) ?? "";
    }
    text(this.label, place.kind === "channel" ? `Message to #${place.id}` : `Message to ${place.id}`);
    const mayPost = place.kind === "direct" || (channels.get(place.id)?.may_post ?? true);
    attribute(this.field, "disabled", !mayPost);
    this.button.disabled = !mayPost;
    text(this.hint, mayPost ? "Enter sends, Shift+Enter begins a new line." : "You may read this channel, not write.");
    const items = session.outbox.at(place);
    this.pending.hidden = items.length === 0;
    this.rows.show(items);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#send();
    }
  }

  #send() {
    const content = this.field.value;
    if (content.trim()) {
      void this.session.send(content);
      this.field.value = "";
    }
  }

  /** @param {Pending} item */
  #row(item) {
    const { session } = this;
    const why = h("span", { class: "why" });
    const retry = h(
      "button",
      { type: "button", onclick: () => void session.outbox.retry(item, session.store.epoch) },
      "Retry",
    );
    const discard = h(
      "button",
      { type: "button", class: "quiet", onclick: () => session.outbox.discard(item) },
      "Discard",
    );
    const element = h(
      "li",
      { class: "message unsent" },
      h("div", { class: "content", dir: "auto" }, item.content),
      h("div", { class: "actions" }, why, retry, discard),
    );
    // What is sent in a moment does not flash up as unsent first.
    element.hidden = item.state === "sending";
    setTimeout(() => (element.hidden = false), PATIENCE_MS);
    const update = ({ state, why: reason } = item) => {
      const failed = state === "failed";
      element.hidden &&= !failed;
      text(why, failed ? reason : "Sending…");
      retry.hidden = !failed;
      discard.hidden = !failed;
    };
    return { element, update };
  }
}
