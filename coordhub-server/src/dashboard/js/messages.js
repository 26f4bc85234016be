/** Conversations: what was said on one channel, or between oneself and one other. */

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Place} Place
 */

/** So many messages of one conversation are kept; older ones are read again when somebody scrolls back. */
const KEPT_MAX = 500;

/**
 * @typedef {object} Conversation
 * @property {Place} place
 * @property {Message[]} messages  In the order of `seq`, without a hole from the first to the last.
 * @property {"no" | "loading" | "yes" | "failed"} loaded  Whether what was said before is here.
 * @property {boolean} hasOlder
 * @property {number} unread  Messages of others that were not marked read.
 * @property {number} countedTo  Up to this `seq` the hub itself has counted what is unread.
 */

/** @param {Place} place */
export function keyOf(place) {
  return `${place.kind}:${place.id}`;
}

/** Where a message stands, as `me` sees it. @param {Message} message @param {string} me @returns {Place} */
export function placeOf(message, me) {
  if (message.channel !== null) {
    return { kind: "channel", id: message.channel };
  }
  const other = message.from_entity === me ? message.to_entity : message.from_entity;
  return { kind: "direct", id: other ?? message.from_entity };
}

/** @param {Place} place @returns {Conversation} */
export function conversation(place) {
  return { place, messages: [], loaded: "no", hasOlder: true, unread: 0, countedTo: 0 };
}

/**
 * Puts messages in their places; one that is there already is left as it is.
 *
 * @param {Conversation} conversation
 * @param {Message[]} messages
 */
export function insert(conversation, messages) {
  const known = new Set(conversation.messages.map((message) => message.seq));
  const fresh = messages.filter((message) => !known.has(message.seq));
  if (fresh.length) {
    conversation.messages = [...conversation.messages, ...fresh].sort((a, b) => a.seq - b.seq);
  }
  return fresh;
}

/**
 * What is left of a message whose content was removed, and nothing where it is another message.
 *
 * @param {Message} message
 * @param {ReadonlyMap<string, Message["metadata"]>} redactions  By message id: the metadata from then on.
 */
export function redacted(message, redactions) {
  const metadata = redactions.get(message.message_id);
  return metadata === undefined ? message : { ...message, content: "", metadata };
}

/** Who removed what a message said, if anybody did. @param {Message} message @returns {string | null} */
export function removedBy({ metadata }) {
  const hub = /** @type {{ redacted_by?: string } | undefined} */ (metadata.hub);
  return hub?.redacted_by ?? null;
}

/** Forgets the oldest of a conversation that nobody is reading back in. @param {Conversation} conversation */
export function trim(conversation) {
  if (conversation.messages.length > KEPT_MAX) {
    conversation.messages = conversation.messages.slice(-KEPT_MAX);
    conversation.hasOlder = true;
  }
}

/** What of others follows `seq`. @param {Conversation} conversation @param {string} me @param {number} seq */
export function ofOthersAfter(conversation, me, seq) {
  return conversation.messages.filter((message) => message.seq > seq && message.from_entity !== me);
}
