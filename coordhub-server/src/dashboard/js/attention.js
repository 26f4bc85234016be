/** What waits for the person. The hub knows it whole; it is read again when something may have moved it. */

/**
 * @typedef {import("./types.js").Attention} Attention
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Task} Task
 */

/** It is read no more often than this. */
const REST_MS = 1_000;

export class AttentionReader {
  /** When it was read last, and whether that is under way. */
  #readAt = Number.NEGATIVE_INFINITY;
  #reading = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #due;
  #ended = false;

  /** @param {() => Promise<void>} read */
  constructor(read) {
    this.read = read;
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#due);
  }

  /** It may have moved: it is read now, or as soon as it has rested. */
  touch() {
    if (this.#due !== undefined || this.#ended) {
      return;
    }
    const rest = this.#reading ? REST_MS : Math.max(0, this.#readAt + REST_MS - performance.now());
    this.#due = setTimeout(() => void this.#readNow(), rest);
  }

  async #readNow() {
    this.#due = undefined;
    if (this.#reading) {
      this.touch();
      return;
    }
    this.#reading = true;
    this.#readAt = performance.now();
    try {
      await this.read();
    } catch {
      // The next connection reads it again, and so does whatever happens next.
    } finally {
      this.#reading = false;
    }
  }
}

/**
 * Whether an event may move what waits for somebody.
 *
 * @param {HubEvent} event
 * @param {string} me
 * @param {ReadonlyMap<string, Task>} tasks
 * @returns {boolean}
 */
export function concerns({ kind, data }, me, tasks) {
  switch (kind) {
    case "message_sent":
      return data.to_entity === me;
    case "read_cursor_moved":
      return data.channel === null;
    case "roll_call_opened":
      return data.recipients.includes(me);
    case "message_acked":
      return data.entity_id === me;
    case "vote_cast":
      return data.vote.entity_id === me;
    case "entity_registered":
      return data.entity.entity_id === me || data.joins.length > 0;
    case "roll_call_resolved":
    case "message_redacted":
    case "proposal_created":
    case "proposal_decided":
    case "proposal_withdrawn":
      return true;
    case "lease_renewed":
    case "leases_moved":
    case "late_result_kept":
      return false;
  }
  const id = data.task_id ?? data.task?.task_id;
  return id !== undefined && (data.claimed_by === me || (tasks.get(id)?.requires_human ?? true));
}

/** Nothing waits. @returns {Attention} */
export function nothing() {
  return { unread_direct: [], acks_owed: [], questions: [], tasks: [], proposals: [] };
}
