/** Who is using the page. */

import { idOf } from "./format.js";
import { Hub, Problem, openSession, segment } from "./hub.js";

const SLOT = "coordhub.me";

/** Who used this page last, if anybody. */
export function rememberedName() {
  try {
    return localStorage.getItem(SLOT) ?? "";
  } catch {
    // A browser may forbid storage. The name is then asked for each time.
    return "";
  }
}

/** Remembers a name, or leaves it behind. @param {string} name */
export function rememberName(name) {
  try {
    localStorage.setItem(SLOT, name);
  } catch {
    // See above.
  }
}

const INVITE = "#invite=";

/**
 * The invite of a link, which is taken out of the address at once: addresses are remembered, shown and shared.
 */
export function takeInvite() {
  if (!location.hash.startsWith(INVITE)) {
    return "";
  }
  const invite = location.hash.slice(INVITE.length);
  history.replaceState(null, "", location.pathname + location.search);
  return invite;
}

/**
 * Registers a person by an invite, and signs them in.
 *
 * @param {string} invite
 * @param {string} name
 * @returns {Promise<{ me: string, token: string }>} The id, and the token that is told this once.
 */
export async function join(invite, name) {
  const id = idNeeded(name);
  const { token } = await openSession(invite, { entity_id: id, entity_type: "human", name: name.trim() });
  return { me: id, token: token ?? "" };
}

/** @param {string} name */
function idNeeded(name) {
  const id = idOf(name);
  if (id === "") {
    throw new Problem(422, "invalid_field", "A name needs at least one letter or digit.");
  }
  return id;
}

/**
 * Takes part as a human under the id that goes with a name. Whoever is registered already is left as they are.
 *
 * @param {string} name
 * @returns {Promise<string>} the id
 */
export async function signIn(name) {
  const id = idNeeded(name);
  const hub = new Hub(id);
  try {
    const known = await hub.get(`/entities/${segment(id)}`);
    if (known.entity_type !== "human") {
      throw new Problem(
        409,
        "type_is_fixed",
        `“${id}” is taken by something that is not a person; choose another name.`,
      );
    }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "unknown_entity") {
      throw error;
    }
    await hub.post("/entities/register", { entity_type: "human", name: name.trim() });
  }
  rememberName(name.trim());
  return id;
}
