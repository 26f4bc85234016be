/** Who takes part, and who is there. What is soft of them comes beside the events, in no order with these. */

/**
 * @typedef {import("./types.js").Entity} Entity
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Presence} Presence
 */

export class People {
  /** @type {Map<string, Entity>} */
  entities;
  /** Presence that is known before the registration is. @type {Map<string, Presence>} */
  #early = new Map();
  /** Who was told of since a list was asked for: the list may be older. @type {Set<string>} */
  #told = new Set();

  /** @param {Entity[]} [entities] */
  constructor(entities = []) {
    this.entities = new Map(entities.map((entity) => [entity.entity_id, entity]));
  }

  /** @param {HubEvent} event */
  apply({ kind, data }) {
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

  /** Makes true what became of somebody's presence, where it is anybody's. @param {Presence} presence */
  told(presence) {
    this.#told.add(presence.entity_id);
    // Whoever is not known and leaves was removed.
    const isSomebodys = this.entities.has(presence.entity_id) || presence.status !== "offline";
    if (isSomebodys) {
      this.#setPresence(presence);
    }
    return isSomebodys;
  }

  /** A list is about to be asked for. */
  awaitPresences() {
    this.#told.clear();
  }

  /** Everybody's presence as a list has it. The rest is for the events to say. @param {Presence[]} presences */
  listed(presences) {
    presences.filter(({ entity_id }) => !this.#told.has(entity_id)).forEach((presence) => this.#setPresence(presence));
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
}
