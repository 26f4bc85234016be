import { fill, h, text } from "../dom.js";
import { idOf } from "../format.js";
import { Problem, wordsFor } from "../hub.js";
import { View } from "../view.js";

const RETRY_MS = 2_000;

/**
 * By what somebody comes in: a name where everyone is believed; a token; or a name for an invite.
 *
 * @typedef {"name" | "token" | "invite"} By
 */

/** @type {Record<By, [title: string, about: string, button: string]>} */
const WORDS = {
  name: [
    "Who are you?",
    "Agents, people and services work together here: they talk, share out tasks, and vote.",
    "Enter",
  ],
  token: ["Sign in", "This hub asks for the token that you were given. It is not kept on this page.", "Sign in"],
  invite: ["You are invited", "Choose the name under which the others will know you.", "Take part"],
};

/** Asks who is there. */
export class SignIn extends View {
  /** @type {(by: By, said: string) => Promise<void>} */
  onEnter = async () => {};

  /** @type {By} */
  #by = "name";

  title_ = h("h2", {});
  about = h("p", {});
  field = h("input", {
    id: "name",
    type: "text",
    required: true,
    maxlength: 128,
    autocomplete: "nickname",
    "aria-describedby": "name-id",
    oninput: () => this.#showId(),
  });
  token = h("input", { id: "token", type: "password", required: true, maxlength: 128, autocomplete: "current-password" });
  id_ = h("p", { id: "name-id", class: "hint" });
  problem = h("p", { class: "problem", role: "alert" });
  button = h("button", { type: "submit", class: "primary" });
  named = h("div", {}, h("label", { for: "name" }, "Your name"), this.field, this.id_);
  tokened = h("div", {}, h("label", { for: "token" }, "Your token"), this.token);

  /** @override */
  build() {
    this.#showForm();
    this.hidden = true;
  }

  #showForm() {
    const form = h(
      "form",
      { class: "entrance", onsubmit: (/** @type {Event} */ event) => void this.#submit(event) },
      this.title_,
      this.about,
      this.named,
      this.tokened,
      this.problem,
      this.button,
    );
    fill(this, h("main", {}, form));
  }

  /** Shows the question. @param {By} by @param {string} why  What there is to say first. */
  ask(by, why) {
    this.#by = by;
    this.#showForm();
    this.hidden = false;
    const [title, about, button] = WORDS[by];
    text(this.title_, title);
    text(this.about, about);
    text(this.button, button);
    text(this.problem, why);
    const byToken = by === "token";
    this.named.hidden = byToken;
    this.field.disabled = byToken;
    this.tokened.hidden = !byToken;
    this.token.disabled = !byToken;
    this.#showId();
    (byToken ? this.token : this.field).focus();
  }

  /**
   * Shows a token that is told this once, and waits until the person goes on.
   *
   * @param {string} token
   * @returns {Promise<void>}
   */
  tell(token) {
    return new Promise((resolve) => {
      const on = h("button", { type: "button", class: "primary", onclick: () => resolve() }, "I have kept it");
      const told = h(
        "div",
        { class: "entrance" },
        h("h2", {}, "Keep your token"),
        h("p", {}, "You sign in with it next time. It is told this once; whoever has it can act as you."),
        h("label", { for: "told" }, "Your token"),
        h("input", { id: "told", type: "text", readonly: true, value: token }),
        on,
      );
      fill(this, h("main", {}, told));
      on.focus();
    });
  }

  /** Enters under the name of last time, as soon as the hub is there. @param {string} name */
  async resume(name) {
    this.field.value = name;
    try {
      await this.onEnter("name", name);
    } catch (error) {
      this.ask("name", wordsFor(error));
      if (error instanceof Problem && !error.isRefusal) {
        setTimeout(() => this.#tryAgain(name), RETRY_MS);
      }
    }
  }

  /** @param {string} name */
  #tryAgain(name) {
    // Whoever has begun to write another name is not to be taken for the old one.
    if (!this.hidden && this.field.value === name) {
      void this.resume(name);
    }
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    this.button.disabled = true;
    text(this.problem, "");
    const said = this.#by === "token" ? this.token.value.trim() : this.field.value;
    this.token.value = "";
    try {
      await this.onEnter(this.#by, said);
    } catch (error) {
      text(this.problem, wordsFor(error));
    } finally {
      this.button.disabled = false;
    }
  }

  #showId() {
    const id = idOf(this.field.value);
    text(this.id_, id ? `Others will reach you as “${id}”.` : "");
  }
}
