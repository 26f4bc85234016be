import { Rows, attribute, fill, h, text } from "../dom.js";
import { time, typeWord } from "../format.js";
import { wordsFor } from "../hub.js";
import { keyOf } from "../messages.js";
import { View } from "../view.js";

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
  /** @type {Rows<Message>} */
  rows = this.#freshLog();

  /** @override */
  build() {
    const head = h("div", { class: "chat-head" }, this.heading, this.about);
    fill(this, h("section", { class: "chat", "aria-labelledby": "chat-title" }, head, this.scroller, this.newest));
    this.newest.hidden = true;
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
      (message) => this.#row(message),
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

  /** @param {Message} message */
  #row({ seq, from_entity, content, timestamp, message_type }) {
    const { me, store } = this.session;
    const name = h("bdi", { class: "from", title: from_entity });
    const element = h(
      "div",
      { class: from_entity === me ? "message mine" : "message", "data-type": message_type, "data-seq": seq },
      h(
        "div",
        { class: "by" },
        name,
        " ",
        message_type === "text" ? null : h("span", { class: "badge" }, message_type),
        " ",
        time(timestamp),
      ),
      h("div", { class: "content", dir: "auto" }, content),
    );
    const update = () => {
      const entity = store.entities.get(from_entity);
      text(name, entity?.name ?? from_entity);
      attribute(name, "data-entity-type", entity?.entity_type ?? "unknown");
    };
    return { element, update };
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
