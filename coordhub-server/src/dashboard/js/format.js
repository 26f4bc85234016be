/** How times, names and values are written. */

import { h } from "./dom.js";

/** @typedef {import("./types.js").Entity} Entity */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** @param {string} rfc3339 */
export function localTime(rfc3339) {
  const at = new Date(rfc3339);
  if (Number.isNaN(at.getTime())) {
    return rfc3339;
  }
  const today = new Date().toDateString() === at.toDateString();
  return today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

/** A time as people here read it, with the whole of it where one points. @param {string} rfc3339 */
export function time(rfc3339) {
  return h("time", { datetime: rfc3339, title: rfc3339 }, localTime(rfc3339));
}

/** @param {string} rfc3339 */
export function until(rfc3339) {
  const minutes = Math.round((Date.parse(rfc3339) - Date.now()) / 60_000);
  if (minutes < 1) {
    return minutes < 0 ? "due" : "in less than a minute";
  }
  if (minutes < 120) {
    return `in ${minutes} min`;
  }
  return minutes < 60 * 48 ? `in ${Math.round(minutes / 60)} h` : `in ${Math.round(minutes / 60 / 24)} days`;
}

/** @type {Record<string, string>} */
const TYPES = { claude_session: "session", ai_agent: "agent", human: "human", service: "service" };

/** @param {string | undefined} type */
export function typeWord(type) {
  return (type && TYPES[type]) ?? type ?? "not registered";
}

/** Any JSON as text. @param {unknown} value */
export function plain(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

/** `for` 0.75: "more than 75 %"; 1 is the one threshold that need not be exceeded. @param {number} threshold */
export function thresholdWords(threshold) {
  return threshold === 1 ? "all votes for" : `more than ${Number((threshold * 100).toFixed(4))} % for`;
}

/**
 * An id for something made here: sorts by nothing, guessed by nobody. `crypto.randomUUID` is missing where the page
 * comes over plain HTTP from another machine.
 *
 * @param {string} prefix
 */
export function freshId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The id that goes with a name: "Ada Lovelace" is `ada-lovelace`. What an id may not hold falls away.
 *
 * @param {string} name
 */
export function idOf(name) {
  const words = name
    .toLowerCase()
    .normalize("NFC")
    .replace(/[\p{C}/]/gu, " ");
  return Array.from(words.trim().replace(/\s+/gu, "-")).slice(0, 128).join("");
}
