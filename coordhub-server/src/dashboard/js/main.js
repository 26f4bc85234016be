/**
 * The page. Start reading at `session.js`: what a person can do; `store.js`: what is known; `views/`: how it looks.
 */

import { openSession, whoIsThere } from "./hub.js";
import { join, rememberName, rememberedName, signIn, takeInvite } from "./identity.js";
import { Session } from "./session.js";
import { follow } from "./view.js";
import { Alerts } from "./views/alerts.js";
import { Channels } from "./views/channels.js";
import { Chat } from "./views/chat.js";
import { Composer } from "./views/composer.js";
import { People } from "./views/people.js";
import { ProposalForm } from "./views/proposal-form.js";
import { Proposals } from "./views/proposals.js";
import { Sections } from "./views/sections.js";
import { SignIn } from "./views/sign-in.js";
import { Status } from "./views/status.js";
import { TaskForm } from "./views/task-form.js";
import { Tasks } from "./views/tasks.js";
import { Waiting } from "./views/waiting.js";

// Views that make others come after those.
const views = {
  "hub-proposal-form": ProposalForm,
  "hub-task-form": TaskForm,
  "hub-alerts": Alerts,
  "hub-channels": Channels,
  "hub-chat": Chat,
  "hub-composer": Composer,
  "hub-people": People,
  "hub-proposals": Proposals,
  "hub-sections": Sections,
  "hub-sign-in": SignIn,
  "hub-status": Status,
  "hub-tasks": Tasks,
  "hub-waiting": Waiting,
};
Object.entries(views).forEach(([name, view]) => customElements.define(name, view));

const app = /** @type {HTMLElement} */ (document.querySelector("#app"));
const entrance = /** @type {SignIn} */ (document.querySelector("hub-sign-in"));

/** What a link invited to, until it is used. */
let invite = takeInvite();
/** @type {import("./types.js").Who["auth"]} */
let auth = "open";

/** @param {import("./views/sign-in.js").By} by @param {string} said */
async function enter(by, said) {
  if (by === "name") {
    return begin(await signIn(said));
  }
  if (by === "token") {
    const { entity_id: me } = await openSession(said);
    return begin(me);
  }
  const { me, token } = await join(invite, said);
  invite = "";
  await entrance.tell(token);
  return begin(me);
}

/** @param {string} me */
async function begin(me) {
  const session = new Session(me, leave, auth);
  entrance.hidden = true;
  app.hidden = false;
  follow(session);
  await session.start();
}

/** @param {string} why */
function leave(why) {
  rememberName("");
  follow(null);
  app.hidden = true;
  entrance.ask(auth === "token" ? "token" : "name", why);
}

/** Goes on as whoever was here last, or asks who is there. */
async function open() {
  // Where the hub does not answer, it is asked again for as long as there is a name to enter under.
  const who = await whoIsThere().catch(() => null);
  auth = who?.auth ?? "open";
  if (who?.entity_id) {
    await begin(who.entity_id);
  } else if (auth === "token") {
    entrance.ask(invite ? "invite" : "token", "");
  } else if (rememberedName()) {
    await entrance.resume(rememberedName());
  } else {
    entrance.ask("name", "");
  }
}

entrance.onEnter = enter;
follow(null);
void open();
