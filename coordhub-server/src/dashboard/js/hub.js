/** The hub over HTTP: every read and every change goes through here. */

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

  /** @param {string} path @param {object} body @returns {Promise<any>} */
  post(path, body) {
    return this.#call("POST", path, JSON.stringify({ entity_id: this.me, ...body }));
  }

  /** @param {string} method @param {string} path @param {string} [body] */
  async #call(method, path, body) {
    // A header holds no more than Latin letters; an id may hold any. The query takes them all.
    const url =
      method === "GET" ? `${path}${path.includes("?") ? "&" : "?"}entity_id=${encodeURIComponent(this.me)}` : path;
    /** @type {Response} */
    let response;
    let text;
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      response = await fetch(url, { method, body, signal, credentials: "omit", cache: "no-store" });
      text = await response.text();
    } catch {
      throw new Problem(0, "no_answer", "The hub did not answer.");
    }
    if (!response.ok) {
      throw problemOf(response.status, text);
    }
    return JSON.parse(text);
  }
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
