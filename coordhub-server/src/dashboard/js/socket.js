/**
 * The hub's socket: everything as it happens, once and in order, for as long as the page is open.
 *
 * No channel is subscribed to: with `events=true` what no message frame shows comes as an event, a message on any
 * channel one may read included, one that is made tomorrow, too. Presence comes beside it, in no order with it.
 */

/**
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Presence} Presence
 *
 * @typedef {object} Listener
 * @property {() => string} resumeFrom  `<epoch>:<seq>` of what was applied last.
 * @property {() => void} onLive
 * @property {(messages: import("./types.js").Message[]) => void} onUnresolved  A reminder, in no order with the events.
 * @property {(event: HubEvent) => void} onEvent
 * @property {(presence: Presence) => void} onPresence
 * @property {(seq: number) => void} onCursor
 * @property {() => void} onGap  The position cannot be resumed: read everything afresh.
 * @property {() => void} onLost
 * @property {() => void} onRemoved
 * @property {() => void} onSignedOut
 */

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 8_000;
/** A socket that is silent for this long is asked for a sign of life, and is given up when it stays silent. */
const SILENCE_MS = 25_000;
const CLOSE_REMOVED = 4404;
const CLOSE_SIGNED_OUT = 4401;

export class HubSocket {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watch;
  #failures = 0;
  #heard = true;
  #ended = false;

  /** @param {string} me @param {Listener} listener */
  constructor(me, listener) {
    this.me = me;
    this.listener = listener;
  }

  /** Connects now, where it is not connected or about to be. */
  connect() {
    clearTimeout(this.#retry);
    if (this.#ended || this.#socket) {
      return;
    }
    const { protocol, host } = location;
    const shown = { events: "true", notices: "none", presence: "true" };
    const query = new URLSearchParams({ since: this.listener.resumeFrom(), ...shown });
    const url = `${protocol === "https:" ? "wss" : "ws"}://${host}/ws/${encodeURIComponent(this.me)}?${query}`;
    const socket = new WebSocket(url);
    this.#socket = socket;
    // What is missed begins to come when this is said.
    socket.addEventListener("open", () => socket.send('{"type":"ready"}'));
    socket.addEventListener("message", ({ data }) => {
      this.#heard = true;
      if (socket === this.#socket) {
        this.#take(JSON.parse(data));
      }
    });
    socket.addEventListener("close", ({ code }) => this.#closed(socket, code));
    clearInterval(this.#watch);
    this.#heard = true;
    this.#watch = setInterval(() => this.#checkLife(socket), SILENCE_MS);
  }

  /** Ends it for good. */
  end() {
    this.#ended = true;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#socket?.close();
    this.#socket = null;
  }

  /** @param {any} frame */
  #take(frame) {
    switch (frame.type) {
      case "hello":
        this.#failures = 0;
        this.listener.onLive();
        break;
      case "message":
        if (!frame.notice) {
          const { timestamp: at, from_entity: actor } = frame.message;
          this.listener.onEvent({ seq: frame.seq, at, kind: "message_sent", actor, data: frame.message });
        }
        break;
      case "unresolved":
        this.listener.onUnresolved(frame.messages);
        break;
      case "event":
        this.listener.onEvent(frame);
        break;
      case "presence":
        this.listener.onPresence(frame);
        break;
      case "cursor":
        this.listener.onCursor(frame.seq);
        break;
      case "gap":
        this.listener.onGap();
        break;
    }
  }

  /** @param {WebSocket} socket */
  #checkLife(socket) {
    if (!this.#heard) {
      // A close needs the other side; there seems to be none.
      this.#closed(socket, 0);
      socket.close();
      return;
    }
    this.#heard = false;
    if (socket.readyState === WebSocket.OPEN) {
      socket.send('{"type":"ping"}');
    }
  }

  /** @param {WebSocket} socket @param {number} code */
  #closed(socket, code) {
    if (socket !== this.#socket) {
      return;
    }
    this.#socket = null;
    clearInterval(this.#watch);
    if (code === CLOSE_REMOVED) {
      this.end();
      this.listener.onRemoved();
      return;
    }
    if (code === CLOSE_SIGNED_OUT) {
      this.end();
      this.listener.onSignedOut();
      return;
    }
    this.listener.onLost();
    const wait = Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_MOST_MS);
    this.#failures += 1;
    // Many pages lose the hub at once; they should not all come back at once.
    this.#retry = setTimeout(() => this.connect(), wait * (0.75 + Math.random() / 2));
  }
}
