import { attribute, fill, h, text } from "../dom.js";
import { wordsFor } from "../hub.js";
import { View } from "../view.js";

/** @typedef {import("../session.js").Session} Session */

const WORDS = {
  off: "Not connected",
  loading: "Connecting…",
  live: "Live",
  lost: "Connection lost, trying again…",
};

/** Whether what is shown is true at this moment, and who is looking. */
export class Status extends View {
  connection = h("span", { class: "connection", role: "status" });
  retry = h("button", { type: "button", onclick: () => this.session.reconnect() }, "Try now");
  who = h("bdi", { class: "me" });
  leave = h("button", { type: "button", class: "quiet", onclick: () => void this.#leave() });

  /** @override */
  build() {
    fill(this, this.connection, this.retry, this.who, this.leave);
  }

  async #leave() {
    try {
      // Where the hub does not answer the cookie stays, and the person must know.
      if (this.session.auth === "token") {
        await this.session.hub.signOut();
      }
      this.session.end();
    } catch (error) {
      text(this.connection, `Not signed out: ${wordsFor(error)}`);
    }
  }

  /** @override @param {Session | null} session */
  render(session) {
    this.hidden = session === null;
    if (!session) {
      document.title = "Coordination Hub";
      return;
    }
    const { connection, entities, alerts, rollCalls } = session.store;
    attribute(this.connection, "data-state", connection);
    attribute(document.body, "data-connection", connection);
    text(this.connection, WORDS[connection]);
    text(this.leave, session.auth === "token" ? "Sign out" : "Change name");
    this.retry.hidden = connection !== "lost";
    text(this.who, entities.get(session.me)?.name ?? session.me);
    attribute(this.who, "title", session.me);
    const { unread } = session.store;
    document.title = `${alerts.length + rollCalls.pressing(session.me).length ? "⚠ " : ""}${unread ? `(${unread}) ` : ""}Coordination Hub`;
  }
}
