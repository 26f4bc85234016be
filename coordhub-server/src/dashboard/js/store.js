/**
 * All that the page knows of the hub, and the one way it changes.
 *
 * The store is pure: it neither asks nor waits. It is filled with what the hub's lists said at a position, and then
 * applies the events that follow that position, one by one. A list may be ahead of its position: every event sets what
 * it sets to fixed values, so the state is right again once the stream has passed the point where the list was read.
 */

import { nothing } from "./attention.js";
import { conversation, insert, keyOf, ofOthersAfter, placeOf, redacted, trim } from "./messages.js";
import { applyToNotes, rememberNotes } from "./notes.js";
import { People } from "./people.js";
import { applyToProposals } from "./proposals.js";
import { RollCalls } from "./roll-calls.js";
import { applyToTasks } from "./tasks.js";

/**
 * @typedef {import("./types.js").Channel} Channel
 * @typedef {import("./types.js").Connection} Connection
 * @typedef {import("./types.js").Entity} Entity
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Note} Note
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
  people = new People();
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
  rollCalls = new RollCalls();
  /** The notes of tasks that somebody opened. @type {Map<string, Note[]>} */
  notes = new Map();
  /** What waits for oneself, as the hub said last. */
  attention = nothing();
  /** What is to be read again; see `applyToTasks` and `applyToProposals`. */
  outdated = { tasks: /** @type {Set<string>} */ (new Set()), proposals: /** @type {Set<string>} */ (new Set()) };
  /** Where the person is reading. @type {Place} */
  place = { kind: "channel", id: "general" };

  /** What was removed since the page began: a page of history may be older. @type {Map<string, Message["metadata"]>} */
  #redactions = new Map();
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
    this.people = new People(snapshot.entities);
    this.channels = new Map(snapshot.channels.map((channel) => [channel.channel, channel]));
    this.tasks = new Map(snapshot.tasks.map((task) => [task.task_id, task]));
    this.proposals = new Map(snapshot.proposals.map((proposal) => [proposal.proposal_id, proposal]));
    this.conversations = new Map();
    this.#redactions = new Map();
    this.rollCalls = new RollCalls();
    this.notes = new Map();
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
    // A roll-call stands out for as long as it is open, read or not.
    this.alerts = unread > 0 ? ofOthers.slice(-unread).filter((message) => !message.ack_required) : [];
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

  /** Everybody who takes part, by id. */
  get entities() {
    return this.people.entities;
  }

  /** Whether the one whose eyes these are is a person to the hub. */
  get isHuman() {
    return this.entities.get(this.me)?.entity_type === "human";
  }

  /** Whether oneself is asked to acknowledge a message and has not. @param {Message} message */
  owesAck({ message_id }) {
    const saidOwed = this.attention.acks_owed.some((message) => message.message_id === message_id);
    return this.rollCalls.owes(message_id, this.me, saidOwed);
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
    this.people.apply(event);
    applyToTasks(this.tasks, event).forEach((id) => this.outdated.tasks.add(id));
    applyToProposals(this.proposals, event).forEach((id) => this.outdated.proposals.add(id));
    this.rollCalls.apply(event);
    applyToNotes(this.notes, event);
    if (event.kind === "message_sent") {
      this.#hear(event.data);
    } else if (event.kind === "message_redacted") {
      this.#redact(event.data);
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
    insert(
      this.at(place),
      messages.map((message) => redacted(message, this.#redactions)),
    );
    this.changed();
  }

  /** The hub reminds of a roll-call that is open on the urgent channel. @param {Message} message */
  remind(message) {
    this.rollCalls.stress(redacted(message, this.#redactions));
    this.changed();
  }

  /** Who has seen a message. @param {import("./types.js").Receipts} receipts */
  receipts(receipts) {
    this.rollCalls.remember(receipts);
    this.changed();
  }

  /** The notes of a task, which its events add to from now on. @param {string} id @param {Note[]} notes */
  rememberNotes(id, notes) {
    rememberNotes(this.notes, id, notes);
    this.changed();
  }

  /** The socket tells what became of somebody's presence. @param {Presence} presence */
  told(presence) {
    if (this.people.told(presence)) {
      this.changed();
    }
  }

  /** A list is about to be asked for. */
  awaitPresences() {
    this.people.awaitPresences();
  }

  /** Everybody's presence as a list has it. @param {Presence[]} presences */
  listed(presences) {
    this.people.listed(presences);
    this.changed();
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
      if (place.id === URGENT && message.ack_required) {
        this.rollCalls.stress(redacted(message, this.#redactions));
      } else if (place.id === URGENT && ofOther && !this.alerts.some((alert) => alert.seq === message.seq)) {
        this.alerts = [...this.alerts, message];
      }
    }
    if (keyOf(place) !== keyOf(this.place)) {
      trim(found);
    }
  }

  /** @param {{ message_id: string, metadata: Message["metadata"] }} data */
  #redact({ message_id, metadata }) {
    this.#redactions.set(message_id, metadata);
    const without = (/** @type {Message[]} */ messages) =>
      messages.map((message) => redacted(message, this.#redactions));
    for (const found of this.conversations.values()) {
      found.messages = without(found.messages);
    }
    this.alerts = without(this.alerts);
    this.rollCalls.emergencies = without(this.rollCalls.emergencies);
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
