/** Why somebody is here no longer. */

import { Problem, whoIsThere } from "./hub.js";

/** @typedef {import("./types.js").Who["auth"]} Auth */

export const SIGNED_OUT = "You are signed out. Sign in to go on.";
const NOT_REGISTERED = "Nobody is registered under this token. Take part with another.";
const UNKNOWN = "The hub does not know you any more. Enter again to take part.";

/**
 * What to say where a refusal means that one must enter anew; nothing where trying again may help.
 *
 * @param {unknown} error
 * @param {Auth} auth
 */
export function whyEnded(error, auth) {
  const code = error instanceof Problem ? error.code : "";
  if (code === "unknown_entity") {
    return auth === "token" ? NOT_REGISTERED : UNKNOWN;
  }
  return code === "unauthorized" ? SIGNED_OUT : "";
}

/**
 * A hub that was started anew knows no sessions, and a socket is not told why it is refused: so the hub is asked.
 *
 * @param {{ me: string, auth: Auth }} session
 * @param {() => void} then
 */
export async function ifSignedOut({ me, auth }, then) {
  const who = auth === "token" ? await whoIsThere().catch(() => null) : null;
  if (who && who.entity_id !== me) {
    then();
  }
}
