/** Reads what the page begins with, out of the hub's lists. */

/**
 * @typedef {import("./hub.js").Hub} Hub
 * @typedef {import("./store.js").Snapshot} Snapshot
 * @typedef {import("./types.js").Place} Place
 * @typedef {import("./types.js").Message} Message
 */

import { segment } from "./hub.js";
import { URGENT } from "./store.js";

const PAGE = 1000;
const UNFINISHED = ["open", "in_progress", "blocked", "scheduled"];
/** So many finished tasks and decided proposals are shown. */
const FINISHED_MAX = 100;
const MESSAGES = 50;

/**
 * The position is read first: the lists are then of that position or of a later one, which the store puts up with.
 *
 * @param {Hub} hub
 * @returns {Promise<Snapshot>}
 */
export async function loadSnapshot(hub) {
  const { epoch, head_seq: position } = await hub.get("/state");
  const inbox = `/messages/for/${segment(hub.me)}`;
  const [entities, channels, unfinished, lastTasks, open, lastProposals, unreadDirect, urgent] = await Promise.all([
    all(hub, "/entities/list", "entities"),
    hub.get("/channels", { limit: PAGE }),
    Promise.all(UNFINISHED.map((status) => all(hub, "/tasks/list", "tasks", { status }))),
    hub.get("/tasks/list", { order: "desc", limit: FINISHED_MAX }),
    all(hub, "/proposals/list", "proposals", { status: "open" }),
    hub.get("/proposals/list", { order: "desc", limit: FINISHED_MAX }),
    hub.get(inbox, { unread: true, direct: true, limit: PAGE }),
    hub.get("/messages/recent", { channel: URGENT, limit: MESSAGES }),
  ]);
  return {
    epoch,
    position,
    entities,
    channels: channels.channels,
    tasks: [...lastTasks.tasks, ...unfinished.flat()],
    proposals: [...lastProposals.proposals, ...open],
    unreadDirect: unreadDirect.messages,
    urgent: urgent.messages,
  };
}

/**
 * A whole list, page by page.
 *
 * @param {Hub} hub
 * @param {string} path
 * @param {string} plural
 * @param {Record<string, string>} [query]
 * @returns {Promise<any[]>}
 */
export async function all(hub, path, plural, query = {}) {
  const rows = [];
  for (let after = 0; ;) {
    const page = await hub.get(path, { ...query, after, limit: PAGE });
    rows.push(...page[plural]);
    if (page.count < PAGE) {
      return rows;
    }
    after = page.next;
  }
}

/**
 * A page of messages: the newest, or the newest before `before`.
 *
 * @param {Hub} hub
 * @param {Place} place
 * @param {number} [before]
 * @returns {Promise<{ messages: Message[], hasOlder: boolean }>}
 */
export async function loadMessages(hub, place, before) {
  const query = { limit: MESSAGES, ...whereabouts(place), ...(before === undefined ? {} : { before }) };
  const { messages } = await hub.get("/messages/recent", query);
  return { messages, hasOlder: messages.length === MESSAGES };
}

/**
 * Whether a message of oneself with this mark was sent after a position.
 *
 * @param {Hub} hub
 * @param {Place} place
 * @param {number} position
 * @param {string} mark
 * @returns {Promise<Message | undefined>}
 */
export async function findSent(hub, place, position, mark) {
  for (let after = position; ;) {
    const page = await hub.get("/messages/recent", { ...whereabouts(place), after, limit: PAGE });
    const found = page.messages.find((/** @type {Message} */ message) => isMarked(message, hub.me, mark));
    if (found || page.count < PAGE) {
      return found;
    }
    after = page.next;
  }
}

/**
 * Reads again what the events did not tell in full. What was changed by an event while it was read is read once more:
 * the answer may be from before that event.
 *
 * @template T
 * @param {Hub} hub
 * @param {Set<string>} outdated
 * @param {Map<string, T>} objects
 * @param {string} path
 */
export async function readAgain(hub, outdated, objects, path) {
  for (const id of [...outdated]) {
    const before = objects.get(id);
    outdated.delete(id);
    const read = await hub.get(path + segment(id)).catch((error) => {
      outdated.add(id);
      throw error;
    });
    if (objects.get(id) === before && !outdated.has(id)) {
      objects.set(id, read);
    } else {
      outdated.add(id);
    }
  }
}

/** @param {Message} message @param {string} me @param {string} mark */
export function isMarked(message, me, mark) {
  return message.from_entity === me && message.metadata.client_ref === mark;
}

/** @param {Place} place @returns {Record<string, string>} */
function whereabouts(place) {
  return place.kind === "channel" ? { channel: place.id } : { with: place.id };
}
