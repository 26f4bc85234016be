import { attempt } from "../act.js";
import { attribute, fill, h, text } from "../dom.js";
import { plain, time, until } from "../format.js";
import { segment } from "../hub.js";
import { isFinished, isStale, waitsForHuman } from "../tasks.js";
import { Answer } from "./answer.js";
import { Notes } from "./notes.js";

/**
 * @typedef {import("../types.js").Task} Task
 * @typedef {import("../view.js").View} View
 */

/**
 * One task: what it says, and what one may do with it.
 *
 * @param {View} view  Whose session changes when somebody else signs in.
 * @param {string} id
 * @returns {import("../dom.js").Row<Task>}
 */
export function taskCard(view, id) {
  const title = h("h3", { dir: "auto" });
  const facts = h("p", { class: "facts" });
  const description = h("p", { class: "content", dir: "auto" });
  const outcome = h("p", { class: "content outcome", dir: "auto" });
  const result = h("input", { type: "text", placeholder: "Result or reason" });
  const problem = h("p", { class: "problem", role: "alert" });
  const answer = new Answer(view, id, problem);
  const notes = new Notes(view, id);
  /** @param {string} name @param {string} call @param {() => object} [body] @param {string} [kind] */
  const button = (name, call, body = () => ({}), kind = "") => {
    const path = `/tasks/${segment(id)}/${call}`;
    const onclick = () => void attempt(problem, () => view.session.hub.post(path, body()));
    return h("button", { type: "button", class: kind, onclick }, name);
  };
  const claim = button("Claim", "claim", undefined, "primary");
  const complete = button("Complete", "complete", () => ({ result: result.value || null }), "primary");
  const fail = button("Give up", "fail", () => ({ reason: result.value || null }));
  const release = button("Release", "release");
  const free = button("Free", "reassign");
  const cancel = button("Cancel task", "cancel", undefined, "quiet");
  const reopen = button("Reopen", "reopen");
  const buttons = [claim, complete, fail, release, free, reopen, cancel];
  const actions = h("div", { class: "actions" }, claim, result, complete, release, fail, free, reopen, cancel);
  const element = h(
    "li",
    { class: "card", "data-task": id, tabindex: -1 },
    title,
    facts,
    description,
    answer.element,
    outcome,
    actions,
    problem,
    notes.element,
  );

  /** @param {Task} task @param {boolean} stale */
  const offer = (task, stale) => {
    const { me, store } = view.session;
    const isHeld = task.status === "in_progress";
    const isMine = isHeld && task.claimed_by === me;
    // A lease is another client's: its token is there.
    const holds = isMine && task.lease_expires_at === null;
    const isQuestion = task.question !== null;
    const hadFocus = document.activeElement === claim;
    claim.hidden = task.status !== "open" || isQuestion || (task.requires_ai && !task.requires_human);
    [result, complete, fail].forEach((part) => (part.hidden = !holds || isQuestion));
    release.hidden = !holds;
    free.hidden = !(isHeld && (stale || task.lease_expires_at !== null) && (store.isHuman || task.created_by === me));
    reopen.hidden = task.status !== "failed" && task.status !== "cancelled";
    cancel.hidden = isFinished(task);
    if (hadFocus && holds) {
      // The button that was pressed is gone; what comes next is the result.
      result.focus();
    }
  };

  /** @type {unknown[]} */
  let shown = [];
  /** @param {Task} task */
  const update = (task) => {
    const { me, store } = view.session;
    const stale = isStale(task, store.entities);
    const known = store.notes.get(id);
    const now = [task, stale, store.isHuman, known];
    if (now.every((part, index) => part === shown[index])) {
      return;
    }
    shown = now;
    attribute(element, "data-status", task.status);
    attribute(element, "data-priority", task.priority);
    attribute(element, "data-needs-human", waitsForHuman(task));
    text(title, task.title);
    attribute(result, "aria-label", `Result of ${task.title}`);
    buttons.forEach((button) => attribute(button, "aria-label", `${button.textContent}: ${task.title}`));
    fill(facts, ...factsOf(task, me, stale));
    text(description, restOf(task));
    text(outcome, task.result === null || task.result === undefined ? "" : `Result: ${plain(task.result)}`);
    answer.update(task);
    notes.update(task, known);
    offer(task, stale);
  };
  return { element, update };
}

/** What a task says beyond its title: the whole of a question begins with that. @param {Task} task */
function restOf({ title, description, question }) {
  return question && description.startsWith(`${title}\n`) ? description.slice(title.length).trim() : description;
}

/** What its holder was to a task that is over. @type {Partial<Record<Task["status"], string>>} */
const HELD = { completed: "done by ", failed: "given up by ", cancelled: "was held by " };

/** @param {Task} task @param {string} me @param {boolean} stale */
function factsOf(task, me, stale) {
  /** @param {string} id */
  const who = (id) => (id === me ? "you" : h("bdi", {}, id));
  const { question, claimed_by, lease_expires_at, not_before } = task;
  const isAnswered = question !== null && task.status === "completed";
  return [
    task.requires_human ? h("span", { class: "badge human" }, question ? "question" : "needs a human") : null,
    task.priority === "normal" ? null : h("span", { class: `badge ${task.priority}` }, task.priority),
    h("span", { class: "badge" }, task.status.replace("_", " ")),
    ...task.tags.map((tag) => h("span", { class: "badge tag" }, h("bdi", {}, tag))),
    task.blocked_by.length ? h("span", {}, "waits for ", h("bdi", {}, task.blocked_by.join(", "))) : null,
    task.status === "scheduled" && not_before
      ? h("span", {}, "not before ", time(not_before), ` (${until(not_before)})`)
      : null,
    h(
      "span",
      {},
      task.created_by ? "by " : "",
      task.created_by ? who(task.created_by) : "",
      " ",
      time(task.created_at),
    ),
    claimed_by ? h("span", {}, isAnswered ? "answered by " : (HELD[task.status] ?? "held by "), who(claimed_by)) : null,
    isAnswered && !claimed_by ? h("span", {}, "nobody answered in time") : null,
    lease_expires_at ? h("span", { class: "lease" }, "lease until ", time(lease_expires_at)) : null,
    stale ? h("span", { class: "badge high" }, "its holder is away") : null,
    task.attempts ? h("span", {}, attemptsOf(task)) : null,
  ];
}

/** @param {Task} task */
function attemptsOf({ attempts, max_attempts }) {
  if (max_attempts !== null) {
    return `${attempts} of ${max_attempts} attempts failed`;
  }
  return attempts === 1 ? "1 attempt failed" : `${attempts} attempts failed`;
}
