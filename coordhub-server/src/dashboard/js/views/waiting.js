import { attempt } from "../act.js";
import { Rows, attribute, fill, h, text } from "../dom.js";
import { segment } from "../hub.js";
import { placeOf } from "../messages.js";
import { View } from "../view.js";
import { showSection } from "./sections.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../store.js").Store} Store
 * @typedef {import("../types.js").Message} Message
 * @typedef {import("../types.js").Task} Task
 *
 * @typedef {object} Item
 * @property {string} key
 * @property {string} verb  What is to be done, in a word.
 * @property {string} what
 * @property {string | null} who  Of whom it comes.
 * @property {(session: Session) => void} go  Shows it where it stands.
 * @property {string} [owed]  The message that is to be acknowledged.
 */

/** So many are shown at once; the next take the place of what is done. */
const SHOWN_MAX = 8;

/** What waits for the person: questions, acknowledgements, messages to them alone, votes, tasks. */
export class Waiting extends View {
  heading = h("h2", { id: "waiting-title" }, "Waiting for you");
  none = h("p", { class: "hint" }, "Nothing waits for you.");
  list = h("ul", { class: "waiting" });
  more = h("p", { class: "hint" });
  problem = h("p", { class: "problem", role: "alert" });
  rows = new Rows(
    this.list,
    (/** @type {Item} */ item) => item.key,
    (item) => this.#row(item),
  );

  /** @override */
  build() {
    const parts = [this.heading, this.none, this.list, this.more, this.problem];
    fill(this, h("section", { "aria-labelledby": "waiting-title" }, ...parts));
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const items = itemsOf(session.store, session.me);
    text(this.heading, items.length ? `Waiting for you (${items.length})` : "Waiting for you");
    this.none.hidden = items.length > 0;
    this.rows.show(items.slice(0, SHOWN_MAX));
    const hidden = items.length - SHOWN_MAX;
    text(this.more, hidden > 0 ? `and ${hidden} more` : "");
  }

  /** @param {Item} first */
  #row(first) {
    const verb = h("span", { class: "badge" });
    const what = h("span", { class: "what", dir: "auto" });
    const who = h("bdi", { class: "about" });
    let item = first;
    const button = h(
      "button",
      { type: "button", class: "place", onclick: () => item.go(this.session) },
      verb,
      h("span", { class: "who" }, what, who),
    );
    const ack = first.owed === undefined ? null : this.#ackButton(first.owed, first.what);
    const update = (/** @type {Item} */ now) => {
      item = now;
      text(verb, now.verb);
      text(what, now.what);
      attribute(what, "title", now.what);
      text(who, now.who ?? "");
      attribute(who, "hidden", !now.who);
    };
    return { element: h("li", {}, button, ack), update };
  }

  /** @param {string} id @param {string} what */
  #ackButton(id, what) {
    const path = `/messages/${segment(id)}/ack`;
    const onclick = () => void attempt(this.problem, () => this.session.hub.post(path, {}));
    return h("button", { type: "button", "aria-label": `Acknowledge: ${what}`, onclick }, "Acknowledge");
  }
}

/**
 * What waits, as the hub said last, without what was acknowledged since.
 *
 * @param {Store} store
 * @param {string} me
 * @returns {Item[]}
 */
function itemsOf(store, me) {
  const { questions, acks_owed, unread_direct, proposals, tasks } = store.attention;
  /** @type {Map<string, Message[]>} */
  const direct = new Map();
  for (const message of unread_direct) {
    direct.set(message.from_entity, [...(direct.get(message.from_entity) ?? []), message]);
  }
  return [
    ...questions.map((task) => taskItem(task, "Answer")),
    ...acks_owed.filter((message) => store.owesAck(message)).map((message) => ackItem(message, me)),
    ...[...direct].map(([from, messages]) => directItem(from, messages)),
    ...proposals.map(({ proposal_id, title, proposed_by }) => ({
      key: `proposal ${proposal_id}`,
      verb: "Vote",
      what: title,
      who: proposed_by,
      go: () => showCard("proposal", proposal_id),
    })),
    ...tasks.map((task) => taskItem(task, task.claimed_by === me ? "Finish" : "Do")),
  ];
}

/** @param {Task} task @param {string} verb @returns {Item} */
function taskItem({ task_id, title, created_by }, verb) {
  return { key: `task ${task_id}`, verb, what: title, who: created_by, go: () => showCard("task", task_id) };
}

/** @param {Message} message @param {string} me @returns {Item} */
function ackItem(message, me) {
  const { message_id, content, from_entity } = message;
  const go = (/** @type {Session} */ session) => {
    showSection("talk");
    void session.select(placeOf(message, me));
  };
  return {
    key: `ack ${message_id}`,
    verb: "Roll-call",
    what: firstLine(content),
    who: from_entity,
    go,
    owed: message_id,
  };
}

/** @param {string} from @param {Message[]} messages @returns {Item} */
function directItem(from, messages) {
  const go = (/** @type {Session} */ session) => {
    showSection("talk");
    void session.select({ kind: "direct", id: from });
  };
  const what = messages.length === 1 ? firstLine(messages[0]?.content ?? "") : `${messages.length} direct messages`;
  return { key: `direct ${from}`, verb: "Read", what, who: from, go };
}

/** @param {string} content */
function firstLine(content) {
  return content.trim().split("\n", 1)[0] || "(no text)";
}

/** Goes to a task or a proposal. @param {"task" | "proposal"} kind @param {string} id */
function showCard(kind, id) {
  const cards = document.querySelectorAll(/** @type {"li"} */ (`#work .card[data-${kind}]`));
  [...cards].find((card) => card.dataset[kind] === id)?.focus();
}
