import { fill, h } from "../dom.js";
import { foldedForm, labelled, ticked } from "../form.js";
import { freshId } from "../format.js";
import { Problem } from "../hub.js";
import { View } from "../view.js";

/** Where tasks are made. */
export class TaskForm extends View {
  title_ = h("input", { type: "text", required: true, maxlength: 512, autocomplete: "off" });
  description = h("textarea", { rows: 3 });
  priority = h(
    "select",
    {},
    ...["urgent", "high", "normal", "low"].map((word) => h("option", { selected: word === "normal" }, word)),
  );
  tags = h("input", { type: "text", autocomplete: "off" });
  needsHuman = h("input", { type: "checkbox" });
  /** Kept until the hub has taken it, so that trying again makes no second task. */
  taskId = freshId("task-page-");

  /** @override */
  build() {
    const fields = [
      labelled("Title", this.title_),
      labelled("Description", this.description),
      labelled("Priority", this.priority),
      labelled("Tags", this.tags, "parted by commas"),
      ticked("Needs a human", this.needsHuman),
    ];
    fill(
      this,
      foldedForm("New task", "Create task", fields, () => this.#create()),
    );
  }

  async #create() {
    const { hub, me } = this.session;
    try {
      await hub.post("/tasks/create", {
        task_id: this.taskId,
        title: this.title_.value.trim(),
        description: this.description.value,
        created_by: me,
        priority: this.priority.value,
        requires_human: this.needsHuman.checked,
        tags: this.tags.value
          .split(",")
          .map((tag) => tag.trim())
          .filter(Boolean),
      });
    } catch (error) {
      // The first attempt arrived, and its answer did not.
      if (!(error instanceof Problem && error.code === "task_exists")) {
        throw error;
      }
    }
    this.taskId = freshId("task-page-");
  }
}
