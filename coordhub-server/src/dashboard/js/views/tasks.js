import { Rows, attribute, fill, h, text } from "../dom.js";
import { plain, time } from "../format.js";
import { segment, wordsFor } from "../hub.js";
import { byConcern, isFinished, waitsForHuman } from "../tasks.js";
import { View } from "../view.js";
import { TaskForm } from "./task-form.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../types.js").Task} Task
 */

/** What is to be done, first what waits for a person; and what was done. */
export class Tasks extends View {
  active = h("ul", { class: "cards" });
  finished = h("ul", { class: "cards" });
  none = h("p", { class: "hint" }, "Nothing is to be done.");
  summary = h("summary", {});
  past = h("details", { class: "folded" }, this.summary, this.finished);
  heading = h("h2", { id: "tasks-title" }, "Tasks");
  activeRows = new Rows(this.active, idOf, (task) => this.#row(task));
  finishedRows = new Rows(this.finished, idOf, (task) => this.#row(task));

  /** @override */
  build() {
    fill(
      this,
      h(
        "section",
        { "aria-labelledby": "tasks-title" },
        this.heading,
        new TaskForm(),
        this.none,
        this.active,
        this.past,
      ),
    );
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const tasks = [...session.store.tasks.values()];
    const active = tasks.filter((task) => !isFinished(task)).sort(byConcern(session.me));
    const finished = tasks.filter(isFinished).sort((a, b) => b.updated_at.localeCompare(a.updated_at));
    const waiting = active.filter(waitsForHuman).length;
    text(this.heading, waiting ? `Tasks (${waiting} ${waiting === 1 ? "needs" : "need"} a human)` : "Tasks");
    this.none.hidden = active.length > 0;
    this.activeRows.show(active);
    this.finishedRows.show(finished);
    this.past.hidden = finished.length === 0;
    text(this.summary, `Finished (${finished.length})`);
  }

  /** @param {Task} task */
  #row({ task_id: id }) {
    const title = h("h3", { dir: "auto" });
    const facts = h("p", { class: "facts" });
    const description = h("p", { class: "content", dir: "auto" });
    const outcome = h("p", { class: "content outcome", dir: "auto" });
    const result = h("input", { type: "text", placeholder: "Result or reason" });
    const problem = h("p", { class: "problem", role: "alert" });
    /** @param {string} name @param {string} call @param {() => object} [body] @param {string} [kind] */
    const button = (name, call, body = () => ({}), kind = "") =>
      h("button", { type: "button", class: kind, onclick: () => void this.#act(id, call, body(), problem) }, name);
    const claim = button("Claim", "claim", undefined, "primary");
    const complete = button("Complete", "complete", () => ({ result: result.value || null }), "primary");
    const fail = button("Give up", "fail", () => ({ reason: result.value || null }));
    const release = button("Release", "release");
    const cancel = button("Cancel task", "cancel", undefined, "quiet");
    const reopen = button("Reopen", "reopen");
    const actions = h("div", { class: "actions" }, claim, result, complete, release, fail, reopen, cancel);
    const element = h("li", { class: "card", "data-task": id }, title, facts, description, outcome, actions, problem);
    /** @type {Task | null} */
    let shown = null;
    const update = (/** @type {Task} */ task) => {
      if (task === shown) {
        return;
      }
      shown = task;
      const { me } = this.session;
      const holds = task.status === "in_progress" && task.claimed_by === me;
      attribute(element, "data-status", task.status);
      attribute(element, "data-priority", task.priority);
      attribute(element, "data-needs-human", waitsForHuman(task));
      text(title, task.title);
      attribute(result, "aria-label", `Result of ${task.title}`);
      actions
        .querySelectorAll("button")
        .forEach((button) => attribute(button, "aria-label", `${button.textContent}: ${task.title}`));
      fill(facts, ...factsOf(task, me));
      text(description, task.description);
      text(outcome, task.result === null || task.result === undefined ? "" : `Result: ${plain(task.result)}`);
      const hadFocus = document.activeElement === claim;
      claim.hidden = task.status !== "open" || (task.requires_ai && !task.requires_human);
      [result, complete, release, fail].forEach((part) => (part.hidden = !holds));
      if (hadFocus && holds) {
        // The button that was pressed is gone; what comes next is the result.
        result.focus();
      }
      reopen.hidden = task.status !== "failed" && task.status !== "cancelled";
      cancel.hidden = isFinished(task);
    };
    return { element, update };
  }

  /** @param {string} id @param {string} call @param {object} body @param {HTMLElement} problem */
  async #act(id, call, body, problem) {
    text(problem, "");
    try {
      await this.session.hub.post(`/tasks/${segment(id)}/${call}`, body);
    } catch (error) {
      text(problem, wordsFor(error));
    }
  }
}

/** @param {Task} task */
function idOf(task) {
  return task.task_id;
}

/** What its holder was to a task that is over. @type {Partial<Record<Task["status"], string>>} */
const HELD = { completed: "done by ", failed: "given up by ", cancelled: "was held by " };

/** @param {Task} task @param {string} me */
function factsOf(task, me) {
  /** @param {string} id */
  const who = (id) => (id === me ? "you" : h("bdi", {}, id));
  return [
    task.requires_human ? h("span", { class: "badge human" }, "needs a human") : null,
    task.priority === "normal" ? null : h("span", { class: `badge ${task.priority}` }, task.priority),
    h("span", { class: "badge" }, task.status.replace("_", " ")),
    ...task.tags.map((tag) => h("span", { class: "badge tag" }, h("bdi", {}, tag))),
    task.blocked_by.length ? h("span", {}, "waits for ", h("bdi", {}, task.blocked_by.join(", "))) : null,
    h(
      "span",
      {},
      task.created_by ? "by " : "",
      task.created_by ? who(task.created_by) : "",
      " ",
      time(task.created_at),
    ),
    task.claimed_by ? h("span", {}, HELD[task.status] ?? "held by ", who(task.claimed_by)) : null,
  ];
}
