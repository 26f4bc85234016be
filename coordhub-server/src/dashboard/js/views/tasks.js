import { Rows, fill, h, text } from "../dom.js";
import { byConcern, isFinished, waitsForHuman } from "../tasks.js";
import { View } from "../view.js";
import { taskCard } from "./task-card.js";
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
  activeRows = new Rows(this.active, idOf, (task) => taskCard(this, task.task_id));
  finishedRows = new Rows(this.finished, idOf, (task) => taskCard(this, task.task_id));

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
}

/** @param {Task} task */
function idOf(task) {
  return task.task_id;
}
