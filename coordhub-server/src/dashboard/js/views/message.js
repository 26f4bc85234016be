import { attempt } from "../act.js";
import { attribute, fill, h, text } from "../dom.js";
import { time } from "../format.js";
import { segment } from "../hub.js";
import { removedBy } from "../messages.js";
import { RollCallBox } from "./roll-call.js";

/**
 * @typedef {import("../types.js").Message} Message
 * @typedef {import("../view.js").View} View
 */

/**
 * A message in its conversation, with what one may do with it.
 *
 * @param {View} view
 * @param {Message} first
 * @returns {import("../dom.js").Row<Message>}
 */
export function messageRow(view, first) {
  const { message_id, seq, from_entity, timestamp, message_type } = first;
  const name = h("bdi", { class: "from", title: from_entity });
  const content = h("div", { class: "content", dir: "auto" });
  const removed = h("p", { class: "hint removed" });
  const rollCall = first.ack_required ? new RollCallBox(view, first) : null;
  const menu = removalMenu(view, message_id, from_entity);
  const by = h(
    "div",
    { class: "by" },
    name,
    " ",
    message_type === "text" ? null : h("span", { class: "badge" }, message_type),
    " ",
    time(timestamp),
    menu.button,
  );
  const parts = [by, menu.element, content, removed, rollCall?.element];
  const element = h("div", { "data-type": message_type, "data-seq": seq, tabindex: -1 }, ...parts);
  /** @param {Message} message */
  const update = (message) => {
    const { me, store } = view.session;
    const entity = store.entities.get(from_entity);
    const remover = removedBy(message);
    text(name, entity?.name ?? from_entity);
    attribute(name, "data-entity-type", entity?.entity_type ?? "unknown");
    attribute(element, "class", from_entity === me ? "message mine" : "message");
    text(content, message.content);
    removed.hidden = remover === null;
    if (remover !== null && removed.childNodes.length === 0) {
      fill(removed, "removed by ", h("bdi", {}, remover));
    }
    menu.offer(remover === null && (from_entity === me || store.isHuman));
    rollCall?.update(message);
  };
  return { element, update };
}

/**
 * The menu of a message. What it does cannot be taken back, so it asks first.
 *
 * @param {View} view
 * @param {string} id
 * @param {string} from
 */
function removalMenu(view, id, from) {
  const label = `message of ${from}`;
  const problem = h("span", { class: "problem", role: "status" });
  const remove = h("button", { type: "button", "aria-label": `Remove: ${label}`, onclick: () => ask(true) }, "Remove");
  const question = h("span", {}, "Remove it for everybody? It cannot be brought back.");
  const yes = h("button", { type: "button", class: "danger", onclick: () => void act() }, "Yes, remove it");
  const no = h("button", { type: "button", onclick: () => open(false) }, "Keep it");
  const element = h("div", { class: "actions menu" }, remove, question, yes, no, problem);
  const button = h(
    "button",
    {
      type: "button",
      class: "quiet more",
      tabindex: -1,
      "aria-label": `More: ${label}`,
      onclick: () => open(element.hidden),
    },
    "⋯",
  );
  element.hidden = true;
  element.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") {
      open(false);
    }
  });

  /** @param {boolean} asks */
  function ask(asks) {
    remove.hidden = asks;
    [question, yes, no].forEach((part) => (part.hidden = !asks));
    // The one that changes nothing.
    (asks ? no : remove).focus();
  }

  /** @param {boolean} opens */
  function open(opens) {
    element.hidden = !opens;
    attribute(button, "aria-expanded", String(opens));
    text(problem, "");
    ask(false);
    if (!opens) {
      button.focus();
    }
  }

  async function act() {
    await attempt(problem, () => view.session.hub.post(`/messages/${segment(id)}/redact`, {}));
  }

  /** Whether there is anything in it. @param {boolean} may */
  function offer(may) {
    const hadFocus = element.contains(document.activeElement);
    button.hidden = !may;
    if (!may && !element.hidden) {
      element.hidden = true;
      if (hadFocus) {
        element.parentElement?.focus();
      }
    }
  }

  attribute(button, "aria-expanded", "false");
  return { button, element, offer };
}
