/** The hub over HTTP: every read and every change goes through here. */

import { freshId } from "./format.js";

/** A refusal, or no answer at all (`status` 0). */
export class Problem extends Error {
  /** @param {number} status @param {string} code @param {string} detail */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }

  /** Whether the hub said that nothing was changed, and why. */
  get isRefusal() {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

/** What a person is told of anything that was thrown. @param {unknown} error */
export function wordsFor(error) {
  return error instanceof Error ? error.message : String(error);
}

/** A call that takes longer than this counts as unanswered. */
const PATIENCE_MS = 20_000;

export class Hub {
  /** The last change of each object, unless it was answered. @type {Map<string, { words: string, key: string }>} */
  #unanswered = new Map();

  /** @param {string} me  The entity that calls. */
  constructor(me) {
    this.me = me;
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number | boolean>} [query]
   * @returns {Promise<any>}
   */
  get(path, query = {}) {
    const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
    return this.#call("GET", words.size ? `${path}?${words}` : path);
  }

  /**
   * Changes something, once: under a key by which the hub knows what it was asked for before. Whoever asks for the same
   * again, because there was no answer, does so under the same key; whoever has changed the object otherwise meanwhile
   * means it anew.
   *
   * @param {string} path
   * @param {object} body
   * @param {string} [ownKey]  Where somebody else sees to it that a retry is known.
   * @returns {Promise<any>}
   */
  async post(path, body, ownKey) {
    const json = JSON.stringify({ entity_id: this.me, ...body });
    if (ownKey !== undefined) {
      return this.#call("POST", path, json, ownKey);
    }
    const object = path.slice(0, path.lastIndexOf("/"));
    const words = `${path} ${json}`;
    const before = this.#unanswered.get(object);
    const change = before?.words === words ? before : { words, key: freshId("page-") };
    this.#unanswered.set(object, change);
    const answered = () => {
      if (this.#unanswered.get(object) === change) {
        this.#unanswered.delete(object);
      }
    };
    try {
      const answer = await this.#call("POST", path, json, change.key);
      answered();
      return answer;
    } catch (error) {
      if (error instanceof Problem && error.isRefusal) {
        answered();
      }
      throw error;
    }
  }

  /** Signs out, where somebody signed in. */
  signOut() {
    return ask("DELETE", "/session");
  }

  /** @param {string} method @param {string} path @param {string} [body] @param {string} [key] */
  #call(method, path, body, key) {
    // A header holds no more than Latin letters; an id may hold any. The query takes them all.
    const url =
      method === "GET" ? `${path}${path.includes("?") ? "&" : "?"}entity_id=${encodeURIComponent(this.me)}` : path;
    return ask(method, url, body, key === undefined ? {} : { "Idempotency-Key": key });
  }
}

/**
 * Who is signed in, and whether anybody must.
 *
 * @returns {Promise<import("./types.js").Who>}
 */
export function whoIsThere() {
  return ask("GET", "/session");
}

/**
 * Signs in by a token, or by an invite as the entity that the body describes. From then on a cookie says who calls, which no
 * script can read; the secret is kept nowhere.
 *
 * @param {string} secret
 * @param {object} [body]
 * @returns {Promise<{ entity_id: string, token?: string }>}
 */
export function openSession(secret, body = {}) {
  return ask("POST", "/session", JSON.stringify(body), { Authorization: `Bearer ${secret}` });
}

/**
 * @param {string} method
 * @param {string} url
 * @param {string} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
async function ask(method, url, body, headers = {}) {
  /** @type {Response} */
  let response;
  let text;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    response = await fetch(url, { method, headers, body, signal, credentials: "same-origin", cache: "no-store" });
    text = await response.text();
  } catch {
    throw new Problem(0, "no_answer", "The hub did not answer.");
  }
  if (!response.ok) {
    throw problemOf(response.status, text);
  }
  return JSON.parse(text);
}

/** @param {number} status @param {string} text */
function problemOf(status, text) {
  try {
    const { code, detail } = JSON.parse(text);
    return new Problem(status, String(code), String(detail));
  } catch {
    return new Problem(status, "unreadable", `The hub answered with ${status}.`);
  }
}

/** An id as a segment of a path. @param {string} id */
export function segment(id) {
  return encodeURIComponent(id);
}
