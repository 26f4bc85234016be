import { attempt } from "../act.js";
import { attribute, fill, h } from "../dom.js";
import { time, until } from "../format.js";
import { segment } from "../hub.js";
import { isFinished } from "../tasks.js";

/**
 * @typedef {import("../types.js").Question} Question
 * @typedef {import("../types.js").Task} Task
 * @typedef {import("../view.js").View} View
 */

/** Where a person answers a question, or any task that needs one: a button for each option, or words of their own. */
export class Answer {
  terms = h("p", { class: "hint" });
  options = h("div", { class: "actions options", role: "group" });
  field = h("input", { type: "text", autocomplete: "off", placeholder: "Your answer" });
  send = h("button", { type: "submit" }, "Answer");
  form = h(
    "form",
    { class: "inline", onsubmit: (/** @type {Event} */ event) => this.#onSubmit(event) },
    this.field,
    this.send,
  );
  element = h("div", { class: "answer" }, this.terms, this.options, this.form);

  /** @param {View} view @param {string} id @param {HTMLElement} problem */
  constructor(view, id, problem) {
    this.view = view;
    this.path = `/tasks/${segment(id)}/answer`;
    this.problem = problem;
  }

  /** @param {Task} task */
  update(task) {
    const { question, title } = task;
    const may = this.view.session.store.isHuman && mayAnswer(task, this.view.session.me);
    const choices = question?.options ?? [];
    fill(this.terms, ...(question && !isFinished(task) ? termsOf(question, may) : []));
    fill(this.options, ...(may ? choices.map((option) => this.#option(option, title)) : []));
    attribute(this.options, "aria-label", `Answers to ${title}`);
    attribute(this.field, "aria-label", `Answer to ${title}`);
    attribute(this.send, "aria-label", `Answer: ${title}`);
    attribute(this.send, "class", question ? "primary" : "");
    this.options.hidden = !may || choices.length === 0;
    this.form.hidden = !may || choices.length > 0;
    this.element.hidden = this.options.hidden && this.form.hidden && this.terms.childNodes.length === 0;
  }

  /** @param {string} option @param {string} title */
  #option(option, title) {
    const onclick = () => void this.#answer(option);
    return h("button", { type: "button", dir: "auto", "aria-label": `${option}: ${title}`, onclick }, option);
  }

  /** @param {Event} event */
  #onSubmit(event) {
    event.preventDefault();
    if (this.field.value.trim()) {
      void this.#answer(this.field.value);
    }
  }

  /** @param {string} answer */
  #answer(answer) {
    return attempt(this.problem, () => this.view.session.hub.post(this.path, { answer }));
  }
}

/** @param {Task} task @param {string} me */
function mayAnswer({ requires_human, status, claimed_by, question }, me) {
  // Whoever holds a task that is no question completes it.
  return requires_human && (status === "open" || (question !== null && status === "in_progress" && claimed_by === me));
}

/** @param {Question} question @param {boolean} may */
function termsOf({ options, deadline, default: fallback }, may) {
  const choices = options.flatMap((option, index) => [index ? ", " : "", h("q", {}, h("bdi", {}, option))]);
  return [
    ...(may || !options.length ? [] : [h("span", {}, "Answers to choose from: ", ...choices, ".")]),
    deadline ? h("span", {}, "Answer by ", time(deadline), ` (${until(deadline)}).`) : null,
    deadline && fallback !== null ? h("span", {}, "Then ", h("q", {}, h("bdi", {}, fallback)), " is taken.") : null,
    deadline && fallback === null ? h("span", {}, "Then it fails.") : null,
  ];
}
