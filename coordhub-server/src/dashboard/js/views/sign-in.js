import { fill, h, text } from "../dom.js";
import { idOf } from "../format.js";
import { Problem, wordsFor } from "../hub.js";
import { View } from "../view.js";

const RETRY_MS = 2_000;

/** Asks who is there. */
export class SignIn extends View {
  /** @type {(name: string) => Promise<void>} */
  onEnter = async () => {};

  field = h("input", {
    id: "name",
    type: "text",
    required: true,
    maxlength: 128,
    autocomplete: "nickname",
    "aria-describedby": "name-id",
    oninput: () => this.#showId(),
  });
  id_ = h("p", { id: "name-id", class: "hint" });
  problem = h("p", { class: "problem", role: "alert" });
  button = h("button", { type: "submit", class: "primary" }, "Enter");

  /** @override */
  build() {
    const form = h(
      "form",
      { class: "entrance", onsubmit: (/** @type {Event} */ event) => void this.#submit(event) },
      h("h2", {}, "Who are you?"),
      h("p", {}, "Agents, people and services work together here: they talk, share out tasks, and vote."),
      h("label", { for: "name" }, "Your name"),
      this.field,
      this.id_,
      this.problem,
      this.button,
    );
    fill(this, h("main", {}, form));
    this.hidden = true;
  }

  /** Shows the question. @param {string} why  What there is to say first. */
  ask(why) {
    this.hidden = false;
    text(this.problem, why);
    this.#showId();
    this.field.focus();
  }

  /** Enters under the name of last time, as soon as the hub is there. @param {string} name */
  async resume(name) {
    this.field.value = name;
    try {
      await this.onEnter(name);
    } catch (error) {
      this.ask(wordsFor(error));
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
    try {
      await this.onEnter(this.field.value);
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
