/**
 * All that the page knows of the hub, and the one way it changes.
 *
 * The store is pure: it neither asks nor waits. It is filled with what the hub's lists said at a position, and then
 * applies the events that follow that position, one by one. A list may be ahead of its position: every event sets what
 * it sets to fixed values, so the state is right again once the stream has passed the point where the list was read.
 */

import { conversation, insert, keyOf, ofOthersAfter, placeOf, trim } from "./messages.js";
import { applyToProposals } from "./proposals.js";
import { applyToTasks } from "./tasks.js";

/**
 * @typedef {import("./types.js").Channel} Channel
 * @typedef {import("./types.js").Connection} Connection
 * @typedef {import("./types.js").Entity} Entity
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Place} Place
 * @typedef {import("./types.js").Presence} Presence
 * @typedef {import("./types.js").Proposal} Proposal
 * @typedef {import("./types.js").Task} Task
 * @typedef {import("./messages.js").Conversation} Conversation
 */

/**
 * What the hub's lists said, and the position from which on events are to be applied.
 *
 * @typedef {object} Snapshot
 * @property {string} epoch
 * @property {number} position
 * @property {Entity[]} entities
 * @property {Channel[]} channels
 * @property {Task[]} tasks
 * @property {Proposal[]} proposals
 * @property {Message[]} unreadDirect
 * @property {Message[]} urgent  The newest of the channel, oldest first.
 */

export const URGENT = "urgent";

export class Store {
  /** @type {Connection} */
  connection = "off";
  epoch = "";
  /** The position up to which everything was applied. */
  position = 0;
  /** @type {Map<string, Entity>} */
  entities = new Map();
  /** @type {Map<string, Channel>} */
  channels = new Map();
  /** @type {Map<string, Task>} */
  tasks = new Map();
  /** @type {Map<string, Proposal>} */
  proposals = new Map();
  /** @type {Map<string, Conversation>} */
  conversations = new Map();
  /** Urgent messages of others that nobody here has put away. @type {Message[]} */
  alerts = [];
  /** What is to be read again; see `applyToTasks` and `applyToProposals`. */
  outdated = { tasks: /** @type {Set<string>} */ (new Set()), proposals: /** @type {Set<string>} */ (new Set()) };
  /** Where the person is reading. @type {Place} */
  place = { kind: "channel", id: "general" };

  /** Presence that is known before the registration is; it is no event and in no order with them. */
  #early = /** @type {Map<string, Presence>} */ (new Map());
  /** Who was told of since a list was asked for: the list may be older. */
  #told = /** @type {Set<string>} */ (new Set());
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** @param {string} me  Whose eyes these are: an entity id. */
  constructor(me) {
    this.me = me;
  }

  /** @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  changed() {
    this.#listeners.forEach((listener) => listener());
  }

  /** Begins anew, at the position of a snapshot. @param {Snapshot} snapshot */
  reset(snapshot) {
    this.epoch = snapshot.epoch;
    this.position = snapshot.position;
    this.entities = new Map(snapshot.entities.map((entity) => [entity.entity_id, entity]));
    this.channels = new Map(snapshot.channels.map((channel) => [channel.channel, channel]));
    this.tasks = new Map(snapshot.tasks.map((task) => [task.task_id, task]));
    this.proposals = new Map(snapshot.proposals.map((proposal) => [proposal.proposal_id, proposal]));
    this.#early = new Map();
    this.conversations = new Map();
    this.outdated = { tasks: new Set(), proposals: new Set() };
    for (const { channel, unread, last_seq } of snapshot.channels) {
      const found = this.at({ kind: "channel", id: channel });
      found.unread = unread ?? 0;
      found.countedTo = last_seq ?? 0;
    }
    for (const message of snapshot.unreadDirect) {
      const found = this.at(placeOf(message, this.me));
      found.unread += 1;
      found.countedTo = message.seq;
    }
    const unread = this.channels.get(URGENT)?.unread ?? 0;
    const ofOthers = snapshot.urgent.filter((message) => message.from_entity !== this.me);
    this.alerts = unread > 0 ? ofOthers.slice(-unread) : [];
    this.changed();
  }

  /** The conversation at a place, made where there is none. @param {Place} place */
  at(place) {
    const key = keyOf(place);
    const found = this.conversations.get(key) ?? conversation(place);
    this.conversations.set(key, found);
    return found;
  }

  /** The conversation being read. */
  get current() {
    return this.at(this.place);
  }

  /** How many messages of others were not read, anywhere. */
  get unread() {
    return [...this.conversations.values()].reduce((total, { unread }) => total + unread, 0);
  }

  /**
   * Makes an event true, once: what is not after the position was applied before.
   *
   * @param {HubEvent} event
   * @returns {boolean} whether it was new
   */
  apply(event) {
    if (event.seq <= this.position) {
      return false;
    }
    this.position = event.seq;
    this.#applyToEntities(event);
    applyToTasks(this.tasks, event).forEach((id) => this.outdated.tasks.add(id));
    applyToProposals(this.proposals, event).forEach((id) => this.outdated.proposals.add(id));
    if (event.kind === "message_sent") {
      this.#hear(event.data);
    } else if (event.kind === "read_cursor_moved" && event.data.entity_id === this.me) {
      this.#read(event.data);
    }
    this.changed();
    return true;
  }

  /** Everything up to here was shown, or was not for these eyes. @param {number} seq */
  passed(seq) {
    this.position = Math.max(this.position, seq);
  }

  /** Messages from before: a page of history. @param {Place} place @param {Message[]} messages */
  remember(place, messages) {
    insert(this.at(place), messages);
    this.changed();
  }

  /** The socket tells what became of somebody's presence. @param {Presence} presence */
  told(presence) {
    this.#told.add(presence.entity_id);
    // Whoever is not known and leaves was removed.
    if (this.entities.has(presence.entity_id) || presence.status !== "offline") {
      this.#setPresence(presence);
      this.changed();
    }
  }

  /** A list is about to be asked for. */
  awaitPresences() {
    this.#told.clear();
  }

  /** Everybody's presence as a list has it. Only that: the rest is for the events to say. @param {Presence[]} presences */
  listed(presences) {
    presences.filter(({ entity_id }) => !this.#told.has(entity_id)).forEach((presence) => this.#setPresence(presence));
    this.changed();
  }

  /** @param {Presence} presence */
  #setPresence({ entity_id, status, activity, last_seen }) {
    const known = this.entities.get(entity_id);
    if (known) {
      this.entities.set(entity_id, { ...known, status, activity, last_seen });
    } else {
      this.#early.set(entity_id, { entity_id, status, activity, last_seen });
    }
  }

  /** @param {HubEvent} event */
  #applyToEntities({ kind, data }) {
    if (kind === "entity_registered") {
      const { entity_id } = data.entity;
      this.entities.set(entity_id, { status: "online", activity: null, ...data.entity, ...this.#early.get(entity_id) });
      this.#early.delete(entity_id);
    } else if (kind === "entity_updated") {
      const known = this.entities.get(data.entity_id);
      if (known) {
        this.entities.set(data.entity_id, { ...known, ...data });
      }
    } else if (kind === "entity_removed") {
      this.entities.delete(data.entity_id);
    }
  }

  /** @param {Message} message */
  #hear(message) {
    const place = placeOf(message, this.me);
    const found = this.at(place);
    const fresh = insert(found, [message]);
    const ofOther = message.from_entity !== this.me;
    if (fresh.length && ofOther && message.seq > found.countedTo) {
      found.unread += 1;
    }
    if (place.kind === "channel") {
      this.#channelHeard(message, place.id);
      if (place.id === URGENT && ofOther && !this.alerts.some((alert) => alert.seq === message.seq)) {
        this.alerts = [...this.alerts, message];
      }
    }
    if (keyOf(place) !== keyOf(this.place)) {
      trim(found);
    }
  }

  /** @param {Message} message @param {string} name */
  #channelHeard(message, name) {
    // Whoever may read a new channel may post to it.
    const known = this.channels.get(name);
    const channel = known ?? { channel: name, built_in: false, may_post: true, messages: 0, last_seq: null, unread: 0 };
    this.channels.set(name, { ...channel, last_seq: message.seq, messages: channel.messages + 1 });
  }

  /**
   * Oneself has read, here or in another window.
   *
   * @param {{ channel: string | null, direct: boolean, up_to: number }} cursor
   */
  #read({ channel, direct, up_to }) {
    for (const found of this.conversations.values()) {
      const meant =
        found.place.kind === "direct" ? channel === null : channel === found.place.id || (channel === null && !direct);
      if (meant) {
        found.unread = ofOthersAfter(found, this.me, up_to).length;
      }
    }
    if (channel === URGENT || (channel === null && !direct)) {
      this.alerts = this.alerts.filter((alert) => alert.seq > up_to);
    }
  }
}
