import { attempt } from "../act.js";
import { attribute, fill, h, text } from "../dom.js";
import { time } from "../format.js";
import { segment } from "../hub.js";
import { isFinished } from "../tasks.js";

/**
 * @typedef {import("../types.js").Note} Note
 * @typedef {import("../types.js").Task} Task
 * @typedef {import("../view.js").View} View
 */

/** The notes of a task, which are read when somebody opens them, and where to add one. */
export class Notes {
  summary = h("summary", {}, "Notes");
  list = h("ul", { class: "notes" });
  field = h("input", { type: "text", autocomplete: "off", placeholder: "How it is going" });
  add = h("button", { type: "submit" }, "Add note");
  problem = h("p", { class: "problem", role: "alert" });
  form = h(
    "form",
    { class: "inline", onsubmit: (/** @type {Event} */ event) => void this.#onSubmit(event) },
    this.field,
    this.add,
  );
  element = h(
    "details",
    { class: "notes-box", ontoggle: () => void this.#onToggle() },
    this.summary,
    this.list,
    this.form,
    this.problem,
  );

  /** @param {View} view @param {string} id */
  constructor(view, id) {
    this.view = view;
    this.id = id;
  }

  /** @param {Task} task @param {Note[] | undefined} notes */
  update(task, notes) {
    const { me, store } = this.view.session;
    const isMine = task.created_by === me || task.claimed_by === me;
    this.form.hidden = isFinished(task) || !(isMine || store.isHuman);
    attribute(this.summary, "aria-label", `Notes on ${task.title}`);
    attribute(this.field, "aria-label", `Note on ${task.title}`);
    attribute(this.add, "aria-label", `Add note: ${task.title}`);
    text(this.summary, notes?.length ? `Notes (${notes.length})` : "Notes");
    fill(this.list, ...(notes ?? []).map(noteOf));
  }

  #onToggle() {
    if (this.element.open) {
      return attempt(this.problem, () => this.view.session.readNotes(this.id));
    }
    return false;
  }

  /** @param {Event} event */
  async #onSubmit(event) {
    event.preventDefault();
    const note = this.field.value;
    const path = `/tasks/${segment(this.id)}/update`;
    if (note.trim() && (await attempt(this.problem, () => this.view.session.hub.post(path, { note })))) {
      this.field.value = "";
    }
  }
}

/** @param {Note} note */
function noteOf({ entity_id, note, at }) {
  return h(
    "li",
    {},
    entity_id === null ? null : h("bdi", {}, entity_id),
    " ",
    time(at),
    h("p", { class: "content", dir: "auto" }, note),
  );
}
