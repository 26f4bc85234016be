/**
 * Roll-calls: messages whose recipients are asked to acknowledge them. Who was asked comes with the event that opens
 * one; of older ones it is read where somebody wants to know.
 */

/**
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Receipt} Receipt
 * @typedef {import("./types.js").Receipts} Receipts
 *
 * @typedef {object} RollCall
 * @property {boolean} complete  Whether everybody who was asked is among the recipients.
 * @property {string | null} deadline
 * @property {boolean} overdue
 * @property {string | null} resolvedBy
 * @property {Receipt[]} recipients
 */

/** @type {RollCall} */
const UNKNOWN = { complete: false, deadline: null, overdue: false, resolvedBy: null, recipients: [] };

export class RollCalls {
  /** Those that something is known of, by message id. @type {Map<string, RollCall>} */
  #known = new Map();
  /** The messages of those on the urgent channel that nobody has ended, oldest first. @type {Message[]} */
  emergencies = [];

  /** @param {string} id  Of the message. */
  get(id) {
    return this.#known.get(id);
  }

  /** Makes an event true. Roll-calls are replaced, never changed in place. @param {HubEvent} event */
  apply({ kind, at, data }) {
    switch (kind) {
      case "roll_call_opened":
        this.#set(data.message_id, ({ recipients }) => ({
          complete: true,
          deadline: data.deadline,
          recipients: withAcks(asked(data.recipients), recipients),
        }));
        break;
      case "message_acked":
        this.#set(data.message_id, ({ recipients }) => {
          const others = recipients.filter(({ entity_id }) => entity_id !== data.entity_id);
          const before = recipients.find(({ entity_id }) => entity_id === data.entity_id);
          const receipt = { ...before, entity_id: data.entity_id, acked_at: before?.acked_at ?? at };
          return { recipients: [...others, receipt].sort(byId) };
        });
        break;
      case "roll_call_overdue":
        this.#set(data.message_id, () => ({ overdue: true }));
        break;
      case "roll_call_resolved":
        this.#set(data.message_id, () => ({ resolvedBy: data.resolved_by }));
        break;
    }
  }

  /**
   * Keeps what was read. Acknowledgement and end are never taken back, so neither the older nor the newer is lost.
   *
   * @param {Receipts} read
   */
  remember({ message_id, ack_deadline, resolved_by, recipients }) {
    this.#set(message_id, (known) => ({
      complete: true,
      deadline: ack_deadline,
      overdue: known.overdue || (ack_deadline !== null && Date.parse(ack_deadline) < Date.now()),
      resolvedBy: resolved_by ?? known.resolvedBy,
      recipients: withAcks(recipients, known.recipients),
    }));
  }

  /** A roll-call on the urgent channel that is, or was a moment ago, open. @param {Message} message */
  stress(message) {
    const { message_id } = message;
    if (!isOver(this.get(message_id)) && !this.emergencies.some((known) => known.message_id === message_id)) {
      this.emergencies = [...this.emergencies, message].sort((a, b) => a.seq - b.seq);
    }
  }

  /**
   * The emergencies that are still to be put before somebody: before their sender and whoever was not asked until they
   * are ended, before the others until they have answered.
   *
   * @param {string} me
   */
  pressing(me) {
    return this.emergencies.filter(({ message_id }) => !hasAcked(this.get(message_id), me));
  }

  /**
   * Whether somebody is asked to acknowledge a message and has not. `saidOwed`: the hub said so.
   *
   * @param {string} id
   * @param {string} me
   * @param {boolean} saidOwed
   */
  owes(id, me, saidOwed) {
    const rollCall = this.get(id);
    const isAsked = rollCall?.recipients.some(({ entity_id }) => entity_id === me) ?? false;
    return (isAsked || saidOwed) && !isOver(rollCall) && !hasAcked(rollCall, me);
  }

  /** @param {string} id @param {(known: RollCall) => Partial<RollCall>} change */
  #set(id, change) {
    const known = this.#known.get(id) ?? UNKNOWN;
    const rollCall = { ...known, ...change(known) };
    this.#known.set(id, rollCall);
    if (isOver(rollCall)) {
      this.emergencies = this.emergencies.filter(({ message_id }) => message_id !== id);
    }
  }
}

/**
 * Whether there is still something to be answered, or an emergency to be ended.
 *
 * @param {RollCall} rollCall
 * @param {boolean} isUrgent
 */
export function isOpen({ complete, resolvedBy, recipients }, isUrgent) {
  return complete && resolvedBy === null && (isUrgent || recipients.some(({ acked_at }) => acked_at === null));
}

/** @param {RollCall | undefined} rollCall */
function isOver(rollCall) {
  return (rollCall?.resolvedBy ?? null) !== null;
}

/** @param {RollCall | undefined} rollCall @param {string} who */
function hasAcked(rollCall, who) {
  return rollCall?.recipients.some(({ entity_id, acked_at }) => entity_id === who && acked_at !== null) ?? false;
}

/** @param {string[]} ids @returns {Receipt[]} */
function asked(ids) {
  return ids.map((entity_id) => ({ entity_id, acked_at: null }));
}

/** @param {Receipt[]} recipients @param {Receipt[]} known */
function withAcks(recipients, known) {
  const acks = new Map(known.map(({ entity_id, acked_at }) => [entity_id, acked_at]));
  return recipients.map((receipt) => ({
    ...receipt,
    acked_at: receipt.acked_at ?? acks.get(receipt.entity_id) ?? null,
  }));
}

/** @param {Receipt} a @param {Receipt} b */
function byId(a, b) {
  return a.entity_id < b.entity_id ? -1 : 1;
}
