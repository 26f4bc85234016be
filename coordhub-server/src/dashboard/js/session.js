/**
 * One person at the hub: who that is, what is known, and what is under way. The views read it and call its methods.
 */

import { AttentionReader, concerns } from "./attention.js";
import { Hub, segment } from "./hub.js";
import { ifSignedOut, SIGNED_OUT, whyEnded } from "./leaving.js";
import { all, loadMessages, loadSnapshot, readAgain } from "./load.js";
import { trim } from "./messages.js";
import { Once } from "./once.js";
import { Outbox } from "./outbox.js";
import { HubSocket } from "./socket.js";
import { Store, URGENT } from "./store.js";

/**
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Place} Place
 */

const RELOAD_MOST_MS = 8_000;

export class Session {
  /** @type {HubSocket | null} */
  #socket = null;
  #ended = false;
  #once = new Once();
  #attention = new AttentionReader(() => this.#readAttention());

  /**
   * @param {string} me
   * @param {(why: string) => void} onEnd
   * @param {import("./types.js").Who["auth"]} auth  Whether the person signed in, or only said a name.
   */
  constructor(me, onEnd, auth = "open") {
    this.me = me;
    this.auth = auth;
    this.onEnd = onEnd;
    this.hub = new Hub(me);
    this.store = new Store(me);
    this.outbox = new Outbox(
      this.hub,
      () => this.store.changed(),
      (message) => this.store.remember(this.#placeOf(message), [message]),
    );
  }

  /** Begins: reads what there is, then follows. */
  async start() {
    document.addEventListener("visibilitychange", this.#onVisible);
    addEventListener("online", this.#onVisible);
    await this.#load();
  }

  end(why = "") {
    this.#ended = true;
    this.#once.end();
    this.#attention.end();
    this.#socket?.end();
    document.removeEventListener("visibilitychange", this.#onVisible);
    removeEventListener("online", this.#onVisible);
    this.onEnd(why);
  }

  /** Tries again now, where the connection is lost. */
  reconnect() {
    this.#socket?.connect();
  }

  /** Goes to a conversation. @param {Place} place */
  async select(place) {
    trim(this.store.current);
    this.store.place = place;
    this.store.changed();
    await this.readHistory();
    await this.markRead();
  }

  /** Reads the last messages of the present conversation where they were not read yet. */
  async readHistory() {
    const place = this.store.place;
    const found = this.store.current;
    if (found.loaded === "yes" || found.loaded === "loading") {
      return;
    }
    found.loaded = "loading";
    this.store.changed();
    try {
      const { messages, hasOlder } = await loadMessages(this.hub, place);
      found.hasOlder = hasOlder;
      found.loaded = "yes";
      this.store.remember(place, messages);
      messages.forEach((message) => this.outbox.heard(message));
    } catch {
      found.loaded = "failed";
      this.store.changed();
    }
  }

  /** Reads a page of older messages. */
  async readOlder() {
    const place = this.store.place;
    const found = this.store.current;
    const { messages, hasOlder } = await loadMessages(this.hub, place, found.messages[0]?.seq);
    found.hasOlder = hasOlder;
    this.store.remember(place, messages);
  }

  /** Says what the person has read: the present conversation, where the page can be seen. */
  async markRead() {
    const found = this.store.current;
    if (document.hidden || found.unread === 0 || found.loaded !== "yes" || !found.messages.length) {
      return;
    }
    found.unread = 0;
    this.store.changed();
    const upTo = () => found.messages.at(-1)?.seq ?? 0;
    if (found.place.kind === "channel") {
      await this.#once.run(`read ${found.place.id}`, () =>
        this.#moveCursor({ up_to: upTo(), channel: found.place.id }),
      );
      return;
    }
    // All direct messages share one cursor: it may move when nothing before it is unread.
    const conversations = [...this.store.conversations.values()];
    const direct = conversations.filter(({ place }) => place.kind === "direct");
    if (direct.every(({ unread }) => unread === 0)) {
      await this.#once.run("read direct", () => this.#moveCursor({ up_to: upTo(), direct: true }));
    }
  }

  /** Puts the urgent messages away that are shown now. */
  async putAlertsAway() {
    const last = this.store.alerts.at(-1);
    if (last) {
      await this.#moveCursor({ up_to: last.seq, channel: URGENT });
    }
  }

  /** @param {string} content */
  send(content) {
    return this.outbox.send(this.store.place, content, this.store);
  }

  /** Reads who has seen a message. @param {string} id */
  async readReceipts(id) {
    this.store.receipts(await this.hub.get(`/messages/${segment(id)}/receipts`));
  }

  /** Reads the notes of a task, unless they were read already. @param {string} id */
  async readNotes(id) {
    const { notes } = this.store;
    if (notes.has(id)) {
      return;
    }
    // What comes while they are read is kept.
    notes.set(id, []);
    try {
      const task = await this.hub.get(`/tasks/${segment(id)}`);
      this.store.rememberNotes(id, task.notes);
    } catch (error) {
      notes.delete(id);
      throw error;
    }
  }

  /** @param {object} cursor */
  #moveCursor(cursor) {
    return this.hub.post(`/messages/for/${segment(this.me)}/ack`, cursor);
  }

  /** @param {import("./types.js").Message} message @returns {Place} */
  #placeOf(message) {
    return message.channel === null
      ? { kind: "direct", id: message.to_entity ?? message.from_entity }
      : { kind: "channel", id: message.channel };
  }

  /** Fills the store, trying until the hub answers, and follows from there. */
  async #load() {
    this.#socket?.end();
    this.#socket = null;
    this.#setConnection("loading");
    for (let wait = 250; !this.#ended; wait = Math.min(wait * 2, RELOAD_MOST_MS)) {
      try {
        this.store.reset(await loadSnapshot(this.hub));
        break;
      } catch (error) {
        const why = whyEnded(error, this.auth);
        if (why) {
          this.end(why);
          return;
        }
        this.#setConnection("lost");
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    if (this.#ended) {
      return;
    }
    this.#follow();
    await this.readHistory();
    await this.markRead();
  }

  #follow() {
    const { store } = this;
    this.#socket = new HubSocket(this.me, {
      resumeFrom: () => `${store.epoch}:${store.position}`,
      onLive: () => {
        this.#setConnection("live");
        void this.#readPresence();
        void this.readHistory();
        void this.#readOutdated();
        this.#attention.touch();
      },
      onUnresolved: (messages) => messages.forEach((message) => void this.#remind(message)),
      onEvent: (event) => this.#happened(event),
      onPresence: (presence) => store.told(presence),
      onCursor: (seq) => store.passed(seq),
      onGap: () => void this.#load(),
      onLost: () => {
        this.#setConnection("lost");
        void ifSignedOut(this, () => this.#ended || this.end(SIGNED_OUT));
      },
      onSignedOut: () => this.end(SIGNED_OUT),
      onRemoved: () => this.end("You were removed from the hub."),
    });
    this.#socket.connect();
  }

  /** @param {HubEvent} event */
  #happened(event) {
    if (!this.store.apply(event)) {
      return;
    }
    if (event.kind === "message_sent") {
      this.outbox.heard(event.data);
      void this.markRead().catch(() => {});
    }
    void this.#readOutdated();
    if (concerns(event, this.me, this.store.tasks)) {
      this.#attention.touch();
    }
  }

  /**
   * Who has acknowledged it says whether it is still for this person, so that is read first.
   *
   * @param {import("./types.js").Message} message
   */
  async #remind(message) {
    await this.readReceipts(message.message_id).catch(() => {});
    this.store.remind(message);
  }

  async #readAttention() {
    this.store.attention = await this.hub.get(`/entities/${segment(this.me)}/attention`);
    this.store.changed();
  }

  /** Reads who is there, as often as the connection begins: the socket tells what changes from then on. */
  #readPresence() {
    return this.#once.run("presence", async () => {
      this.store.awaitPresences();
      this.store.listed(await all(this.hub, "/entities/list", "entities"));
    });
  }

  /** Reads again what the events do not tell in full. */
  #readOutdated() {
    const { outdated } = this.store;
    if (outdated.tasks.size + outdated.proposals.size === 0) {
      return Promise.resolve();
    }
    return this.#once.run("outdated", async () => {
      await readAgain(this.hub, outdated.tasks, this.store.tasks, "/tasks/");
      await readAgain(this.hub, outdated.proposals, this.store.proposals, "/proposals/");
      this.store.changed();
    });
  }

  #onVisible = () => {
    if (!document.hidden) {
      this.reconnect();
      void this.markRead().catch(() => {});
    }
  };

  /** @param {import("./types.js").Connection} connection */
  #setConnection(connection) {
    this.store.connection = connection;
    this.store.changed();
  }
}
