/** The notes of tasks: read where somebody opens them, and followed from then on. */

/**
 * @typedef {import("./types.js").HubEvent} HubEvent
 * @typedef {import("./types.js").Note} Note
 */

/**
 * Makes an event true, for tasks whose notes were read.
 *
 * @param {Map<string, Note[]>} notes
 * @param {HubEvent} event
 */
export function applyToNotes(notes, { seq, at, kind, actor, data }) {
  const known = kind === "task_updated" ? notes.get(data.task_id) : undefined;
  if (known && typeof data.note === "string" && lastOf(known) < seq) {
    notes.set(data.task_id, [...known, { seq, entity_id: actor, note: data.note, at }]);
  }
}

/**
 * Keeps what was read, and what came after it.
 *
 * @param {Map<string, Note[]>} notes
 * @param {string} id
 * @param {Note[]} read
 */
export function rememberNotes(notes, id, read) {
  const later = (notes.get(id) ?? []).filter(({ seq }) => seq > lastOf(read));
  notes.set(id, [...read, ...later]);
}

/** @param {Note[]} notes */
function lastOf(notes) {
  return notes.at(-1)?.seq ?? 0;
}
