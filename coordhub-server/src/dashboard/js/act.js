/** What a button does: it asks the hub for a change, and shows why it was not made. */

import { text } from "./dom.js";
import { wordsFor } from "./hub.js";

/**
 * @param {HTMLElement} problem  Where to say what went wrong.
 * @param {() => Promise<unknown>} work
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(problem, work) {
  text(problem, "");
  try {
    await work();
    return true;
  } catch (error) {
    text(problem, wordsFor(error));
    return false;
  }
}
