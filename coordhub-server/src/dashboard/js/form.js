/** A form that keeps what was written until the hub has taken it. */

import { h, text } from "./dom.js";
import { wordsFor } from "./hub.js";

/**
 * A labelled field.
 *
 * @param {string} label
 * @param {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} control
 * @param {string} [hint]
 */
export function labelled(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label), control, hint ? h("small", {}, hint) : null);
}

/** A box to tick, before its label. @param {string} label @param {HTMLInputElement} control */
export function ticked(label, control) {
  return h("label", { class: "tick" }, control, h("span", {}, label));
}

/**
 * A form under a heading that opens and closes.
 *
 * @param {string} summary
 * @param {string} action  What the button says.
 * @param {HTMLElement[]} fields
 * @param {() => Promise<unknown>} submit
 */
export function foldedForm(summary, action, fields, submit) {
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, action);
  const form = h("form", {}, ...fields, problem, button);
  const details = h("details", { class: "folded" }, h("summary", {}, summary), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    text(problem, "");
    try {
      await submit();
      form.reset();
      details.open = false;
      details.querySelector("summary")?.focus();
    } catch (error) {
      text(problem, wordsFor(error));
    } finally {
      button.disabled = false;
    }
  });
  return details;
}
