import { Rows, attribute, fill, h, text } from "../dom.js";
import { typeWord } from "../format.js";
import { wordsFor } from "../hub.js";
import { keyOf } from "../messages.js";
import { View } from "../view.js";
import { messageRow } from "./message.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../store.js").Store} Store
 * @typedef {import("../types.js").Message} Message
 * @typedef {import("../types.js").Place} Place
 */

/** So near to its end (in pixels) the log follows what comes. */
const NEAR_PX = 60;

/** What was said at the present place. */
export class Chat extends View {
  heading = h("h2", { id: "chat-title" });
  about = h("p", { class: "hint" });
  older = h(
    "button",
    { type: "button", class: "quiet older", onclick: () => void this.#readOlder() },
    "Older messages",
  );
  notice = h("p", { class: "hint", role: "status" });
  retry = h("button", { type: "button", onclick: () => void this.session.readHistory() }, "Read again");
  scroller = h("div", { class: "scroller", tabindex: 0, role: "group", "aria-labelledby": "chat-title" });
  newest = h("button", { type: "button", class: "primary newest", onclick: () => this.#toEnd() }, "New messages ↓");
  key = "";
  /** The menu that the arrows went to last. @type {HTMLElement | null} */
  menu = null;
  /** @type {Rows<Message>} */
  rows = this.#freshLog();

  /** @override */
  build() {
    const head = h("div", { class: "chat-head" }, this.heading, this.about);
    fill(this, h("section", { class: "chat", "aria-labelledby": "chat-title" }, head, this.scroller, this.newest));
    this.newest.hidden = true;
    this.scroller.addEventListener("keydown", (event) => this.#onKey(event));
    this.scroller.addEventListener("scroll", () => {
      this.newest.hidden ||= this.#isAtEnd();
    });
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const { store } = session;
    const { place, messages, loaded, hasOlder } = store.current;
    const moved = this.key !== keyOf(place);
    if (moved) {
      // A fresh log, so that a screen reader speaks what comes and not what was there.
      this.key = keyOf(place);
      this.rows = this.#freshLog();
      this.#entitle(store, place);
    }
    const follows = moved || this.#isAtEnd();
    const { scrollHeight } = this.scroller;
    const { firstElementChild: top, lastElementChild: end } = this.rows.container;
    this.rows.show(messages);
    this.#rove();
    this.older.hidden = !(loaded === "yes" && hasOlder);
    this.retry.hidden = loaded !== "failed";
    text(this.notice, stateOf(loaded, messages.length));
    if (follows) {
      this.#toEnd();
      return;
    }
    // Whoever reads further up is not moved, whichever end something came to.
    if (top !== this.rows.container.firstElementChild) {
      this.scroller.scrollTop += this.scroller.scrollHeight - scrollHeight;
    }
    this.newest.hidden &&= end === this.rows.container.lastElementChild;
  }

  #isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollTop + clientHeight > scrollHeight - NEAR_PX;
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.newest.hidden = true;
  }

  #freshLog() {
    const log = h("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Messages" });
    fill(this.scroller, this.older, this.notice, this.retry, log);
    return new Rows(
      log,
      (/** @type {Message} */ message) => String(message.seq),
      (message) => messageRow(this, message),
    );
  }

  /** @param {Store} store @param {Place} place */
  #entitle(store, place) {
    if (place.kind === "channel") {
      text(this.heading, `#${place.id}`);
      text(this.about, ABOUT[place.id] ?? "A channel for everyone");
      return;
    }
    const entity = store.entities.get(place.id);
    fill(this.heading, "Direct with ", h("bdi", {}, entity?.name ?? place.id));
    text(this.about, `${place.id} · ${typeWord(entity?.entity_type)} · only the two of you see this`);
  }

  async #readOlder() {
    this.older.disabled = true;
    try {
      await this.session.readOlder();
    } catch (error) {
      text(this.notice, wordsFor(error));
    } finally {
      this.older.disabled = false;
    }
  }

  /**
   * The menus of all messages are one stop of the Tab key: that of the newest, or where the arrows went.
   */
  #rove() {
    const menus = this.#menus();
    const here = menus.find((menu) => menu === this.menu) ?? menus.at(-1);
    menus.forEach((menu) => attribute(menu, "tabindex", menu === here ? 0 : -1));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const menus = this.#menus();
    const at = menus.findIndex((menu) => menu === event.target);
    const next = at < 0 ? undefined : menus[at + ({ ArrowUp: -1, ArrowDown: 1 }[event.key] ?? Number.NaN)];
    if (next) {
      event.preventDefault();
      this.menu = next;
      this.#rove();
      next.focus();
    }
  }

  /** @returns {HTMLElement[]} */
  #menus() {
    return [...this.rows.container.querySelectorAll(/** @type {"button"} */ (".more:not([hidden])"))];
  }
}

/** @type {Record<string, string>} */
const ABOUT = {
  general: "For everyone",
  technical: "For everyone, about how things are made",
  strategic: "For everyone, about where things go",
  urgent: "Everyone is told at once",
  "human-only": "Humans write here, everyone reads",
};

/** @param {import("../messages.js").Conversation["loaded"]} loaded @param {number} count */
function stateOf(loaded, count) {
  if (loaded === "failed") {
    return "The hub did not answer.";
  }
  if (loaded === "yes") {
    return count ? "" : "Nothing was said here yet.";
  }
  return "Reading…";
}
