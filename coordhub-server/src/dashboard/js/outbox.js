/**
 * Messages that were written and are not known to be sent. They outlive a reload of the page.
 *
 * Each carries a mark: the key under which it is sent, however often, and a word in its metadata. The hub knows a key
 * for a day; whether an older one arrived whose answer was lost is looked up by the mark. A retry never doubles it.
 */

import { Problem, wordsFor } from "./hub.js";
import { findSent, isMarked } from "./load.js";
import { freshId } from "./format.js";
import { keyOf } from "./messages.js";

/**
 * @typedef {import("./hub.js").Hub} Hub
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Place} Place
 *
 * @typedef {object} Pending
 * @property {string} mark
 * @property {Place} place
 * @property {string} content
 * @property {"text" | "alert"} type
 * @property {string} epoch  Of which history the position is.
 * @property {number} position  The message can only stand after this.
 * @property {"sending" | "failed"} state
 * @property {string} why  In words, where it failed.
 */

export class Outbox {
  /** @type {Pending[]} */
  #pending;

  /**
   * @param {Hub} hub
   * @param {() => void} changed
   * @param {(message: Message) => void} arrived  Called with what the hub says it has taken.
   */
  constructor(hub, changed, arrived) {
    this.hub = hub;
    this.changed = changed;
    this.arrived = arrived;
    this.#pending = restore(this.#slot);
  }

  /** What waits at a place. @param {Place} place */
  at(place) {
    return this.#pending.filter((item) => keyOf(item.place) === keyOf(place));
  }

  /**
   * @param {Place} place
   * @param {string} content
   * @param {{ epoch: string, position: number }} since
   */
  send(place, content, { epoch, position }) {
    const type = place.kind === "channel" && place.id === "urgent" ? "alert" : "text";
    /** @type {Pending} */
    const item = { mark: freshId("page-"), place, content, type, epoch, position, state: "sending", why: "" };
    this.#pending.push(item);
    return this.#post(item);
  }

  /** Sends again what failed, unless it has arrived after all. @param {Pending} item @param {string} epoch */
  async retry(item, epoch) {
    item.state = "sending";
    this.#keep();
    try {
      // In another history nothing of this one arrived.
      const position = item.epoch === epoch ? item.position : 0;
      const found = await findSent(this.hub, item.place, position, item.mark);
      if (found) {
        this.#drop(item);
        this.arrived(found);
        return;
      }
    } catch (error) {
      this.#failed(item, error);
      return;
    }
    await this.#post(item);
  }

  /** @param {Pending} item */
  discard(item) {
    this.#drop(item);
  }

  /** The hub shows a message: it may be one that waits here. @param {Message} message */
  heard(message) {
    const item = this.#pending.find((item) => isMarked(message, this.hub.me, item.mark));
    if (item) {
      this.#drop(item);
    }
  }

  /** @param {Pending} item */
  async #post(item) {
    this.#keep();
    const { place, content, type: message_type, mark } = item;
    const to = place.kind === "channel" ? { channel: place.id } : { to_entity: place.id };
    try {
      const metadata = { client_ref: mark };
      const body = { from_entity: this.hub.me, ...to, content, message_type, metadata };
      const { message } = await this.hub.post("/messages/send", body, mark);
      this.#drop(item);
      this.arrived(message);
    } catch (error) {
      this.#failed(item, error);
    }
  }

  /** @param {Pending} item @param {unknown} error */
  #failed(item, error) {
    // It may have been heard meanwhile, by the socket.
    if (this.#pending.includes(item)) {
      item.state = "failed";
      item.why = error instanceof Problem && error.isRefusal ? error.message : `Not sent: ${wordsFor(error)}`;
      this.#keep();
    }
  }

  /** @param {Pending} item */
  #drop(item) {
    this.#pending = this.#pending.filter((other) => other !== item);
    this.#keep();
  }

  get #slot() {
    return `coordhub.outbox.${this.hub.me}`;
  }

  #keep() {
    try {
      sessionStorage.setItem(this.#slot, JSON.stringify(this.#pending));
    } catch {
      // A full or forbidden storage costs the safety of a reload, no more.
    }
    this.changed();
  }
}

/** What was under way when the page went is not known to have arrived. @param {string} slot @returns {Pending[]} */
function restore(slot) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(slot) ?? "[]");
    return kept.map((/** @type {Pending} */ item) =>
      item.state === "sending" ? { ...item, state: "failed", why: "Not known to be sent." } : item,
    );
  } catch {
    return [];
  }
}
