/** What each event does to the tasks. Mirrors how the hub itself evolves; a test holds the two together. */

/**
 * @typedef {import("./types.js").Task} Task
 * @typedef {import("./types.js").HubEvent} HubEvent
 */

/**
 * Makes an event true. Tasks are replaced, never changed in place. What comes back are the ids of tasks that the event
 * is about and that are not here: they are to be read.
 *
 * @param {Map<string, Task>} tasks
 * @param {HubEvent} event
 * @returns {string[]}
 */
export function applyToTasks(tasks, { kind, at, data }) {
  /** @type {string[]} */
  const missing = [];
  /** @param {Partial<Task>} change @param {string} [id] */
  const set = (change, id = data.task_id) => {
    const task = tasks.get(id);
    if (task) {
      tasks.set(id, { ...task, ...change, updated_at: at });
    } else {
      missing.push(id);
    }
  };
  switch (kind) {
    case "task_created":
    case "task_reopened":
      tasks.set(data.task.task_id, data.task);
      break;
    case "task_updated":
      set(changed(data));
      break;
    case "task_claimed":
      set({
        status: "in_progress",
        claimed_by: data.claimed_by,
        claimed_at: at,
        lease_expires_at: data.lease_expires_at ?? null,
        stale: false,
      });
      break;
    case "lease_renewed":
      set({ lease_expires_at: data.lease_expires_at });
      break;
    case "leases_moved":
      for (const { task_id, lease_expires_at } of data.leases) {
        set({ lease_expires_at }, task_id);
      }
      break;
    case "task_released":
      set({ ...FREE, status: "open", ...(typeof data.attempts === "number" ? { attempts: data.attempts } : {}) });
      break;
    case "task_completed": {
      // The hub itself holds nothing: it takes a default.
      const claimed_by = data.claimed_by === HUB ? null : data.claimed_by;
      set({ ...ENDED, status: "completed", claimed_by, result: data.result, completed_at: at });
      for (const { task_id, blocked_by, not_before } of [...tasks.values()]) {
        if (blocked_by.includes(data.task_id)) {
          const left = blocked_by.filter((id) => id !== data.task_id);
          const waits = left.length === 0 && not_before !== null && Date.parse(not_before) > Date.parse(at);
          set({ blocked_by: left, ...(waits ? { status: "scheduled" } : {}) }, task_id);
        }
      }
      break;
    }
    case "task_failed":
      set({
        ...(data.status === "failed" ? ENDED : { ...FREE, not_before: data.not_before }),
        status: data.status,
        attempts: data.attempts,
      });
      break;
    case "task_cancelled":
      set({ ...ENDED, status: "cancelled" });
      break;
    case "task_ready":
      set({ status: "open" });
      break;
  }
  return missing;
}

const HUB = "system";
/** What is so of every task whose claim has ended, and of one that is free again. */
const ENDED = { lease_expires_at: null, stale: false };
const FREE = { ...ENDED, claimed_by: null, claimed_at: null };

/** What an update changed: `null` stands for what it did not. @param {any} data @returns {Partial<Task>} */
function changed({ title, description, priority, tags, metadata }) {
  const changes = Object.entries({ title, description, priority, tags, metadata });
  return Object.fromEntries(changes.filter(([, value]) => value !== null && value !== undefined));
}

/** Whether it is over. @param {Task} task */
export function isFinished(task) {
  return task.status === "completed" || task.status === "failed" || task.status === "cancelled";
}

/**
 * Whether the one who holds it without a lease is gone. A holder who never registered is only known to be gone by the
 * hub, which said so when the task was read.
 *
 * @param {Task} task
 * @param {ReadonlyMap<string, import("./types.js").Entity>} entities
 */
export function isStale({ status, claimed_by, lease_expires_at, stale }, entities) {
  if (status !== "in_progress" || claimed_by === null || lease_expires_at !== null) {
    return false;
  }
  const holder = entities.get(claimed_by);
  return holder ? holder.status === "offline" : stale;
}

/** Whether it waits for a person, any person. @param {Task} task */
export function waitsForHuman(task) {
  return task.requires_human && task.status === "open";
}

const PRIORITIES = ["urgent", "high", "normal", "low"];

/**
 * The order in which a person wants to see unfinished tasks: what waits for a person, what one holds oneself, then by
 * urgency and age.
 *
 * @param {string} me
 * @returns {(a: Task, b: Task) => number}
 */
export function byConcern(me) {
  /** @param {Task} task */
  const rank = (task) => {
    if (task.claimed_by === me) {
      return 0;
    }
    return waitsForHuman(task)
      ? 1
      : ({ open: 2, in_progress: 3, blocked: 4, scheduled: 4 }[/** @type {string} */ (task.status)] ?? 5);
  };
  return (a, b) =>
    Number(waitsForHuman(b)) - Number(waitsForHuman(a)) ||
    rank(a) - rank(b) ||
    PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority) ||
    a.created_at.localeCompare(b.created_at) ||
    a.task_id.localeCompare(b.task_id);
}
