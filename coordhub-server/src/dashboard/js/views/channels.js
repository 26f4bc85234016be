import { Rows, attribute, fill, h, text } from "../dom.js";
import { View } from "../view.js";
import { showSection } from "./sections.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {{ name: string, unread: number, current: boolean }} Item
 */

const BUILT_IN = ["general", "technical", "strategic", "urgent", "human-only", "ai-only"];

/** The channels one may read, with what is unread. */
export class Channels extends View {
  list = h("ul", { class: "places" });
  rows = new Rows(
    this.list,
    (/** @type {Item} */ item) => item.name,
    ({ name }) => this.#row(name),
  );

  /** @override */
  build() {
    fill(
      this,
      h("section", { "aria-labelledby": "channels-title" }, h("h2", { id: "channels-title" }, "Channels"), this.list),
    );
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const { store } = session;
    const names = [...store.channels.keys()].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
    this.rows.show(
      names.map((name) => ({
        name,
        unread: store.at({ kind: "channel", id: name }).unread,
        current: store.place.kind === "channel" && store.place.id === name,
      })),
    );
  }

  /** @param {string} name */
  #row(name) {
    const count = h("span", { class: "count" });
    const onclick = () => {
      showSection("talk");
      void this.session.select({ kind: "channel", id: name });
    };
    const button = h(
      "button",
      { type: "button", class: "place", onclick },
      h("span", { class: "name" }, `#${name}`),
      count,
    );
    return {
      element: h("li", {}, button),
      update: (/** @type {Item} */ { unread, current }) => showUnread(button, count, unread, current),
    };
  }
}

/** @param {string} name */
function place(name) {
  const at = BUILT_IN.indexOf(name);
  return at < 0 ? BUILT_IN.length : at;
}

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} count
 * @param {number} unread
 * @param {boolean} current
 */
export function showUnread(button, count, unread, current) {
  text(count, unread >= 1000 ? "1000+" : String(unread));
  count.hidden = unread === 0;
  attribute(count, "aria-label", unread ? `${unread} unread` : null);
  attribute(count, "role", unread ? "img" : null);
  attribute(button, "aria-current", current ? "true" : null);
}
