import { Rows, attribute, fill, h, text } from "../dom.js";
import { typeWord } from "../format.js";
import { View } from "../view.js";
import { showUnread } from "./channels.js";
import { showSection } from "./sections.js";

/**
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../types.js").Entity} Entity
 * @typedef {{ id: string, entity: Entity | undefined, unread: number, current: boolean, isMe: boolean }} Item
 */

const PRESENCE = ["online", "idle", "offline"];

/** Who takes part, and who is there; choosing one opens the direct conversation. */
export class People extends View {
  list = h("ul", { class: "places" });
  heading = h("h2", { id: "people-title" }, "Who is here");
  rows = new Rows(
    this.list,
    (/** @type {Item} */ item) => item.id,
    (item) => this.#row(item),
  );

  /** @override */
  build() {
    fill(this, h("section", { "aria-labelledby": "people-title" }, this.heading, this.list));
  }

  /** @override @param {Session | null} session */
  render(session) {
    if (!session) {
      return;
    }
    const { store, me } = session;
    // Some who wrote never registered: they have a conversation and no entry.
    const direct = [...store.conversations.values()].filter(({ place }) => place.kind === "direct");
    const ids = new Set([...store.entities.keys(), ...direct.map(({ place }) => place.id)]);
    const items = [...ids].map((id) => ({
      id,
      entity: store.entities.get(id),
      unread: store.conversations.get(`direct:${id}`)?.unread ?? 0,
      current: store.place.kind === "direct" && store.place.id === id,
      isMe: id === me,
    }));
    this.rows.show(items.sort(byPresence));
    const online = items.filter(({ entity }) => entity?.status === "online").length;
    text(this.heading, `Who is here (${online} online)`);
  }

  /** @param {Item} item */
  #row({ id }) {
    const count = h("span", { class: "count" });
    const dot = h("span", { class: "dot" });
    const name = h("bdi", { class: "name" });
    const about = h("span", { class: "about" });
    const activity = h("bdi", { class: "about activity" });
    const onclick = () => {
      showSection("talk");
      void this.session.select({ kind: "direct", id });
    };
    const button = h(
      "button",
      { type: "button", class: "place", onclick },
      dot,
      h("span", { class: "who" }, name, about, activity),
      count,
    );
    return {
      element: h("li", {}, button),
      update: (/** @type {Item} */ { entity, unread, current, isMe }) => {
        const presence = entity?.status ?? "offline";
        text(name, entity?.name ?? id);
        const parts = [
          entity && entity.name !== id ? id : "",
          isMe ? "you" : typeWord(entity?.entity_type),
          presence,
        ];
        text(about, parts.filter(Boolean).join(" · "));
        text(activity, entity?.activity ?? "");
        attribute(activity, "title", entity?.activity);
        attribute(activity, "hidden", !entity?.activity);
        attribute(dot, "data-presence", presence);
        attribute(button, "title", id);
        showUnread(button, count, unread, current);
      },
    };
  }
}

/** @param {Item} a @param {Item} b */
function byPresence(a, b) {
  /** @param {Item} item */
  const rank = (item) => PRESENCE.indexOf(item.entity?.status ?? "offline");
  const name = (/** @type {Item} */ item) => (item.entity?.name ?? item.id).toLowerCase();
  return (b.unread > 0 ? 1 : 0) - (a.unread > 0 ? 1 : 0) || rank(a) - rank(b) || (name(a) < name(b) ? -1 : 1);
}
