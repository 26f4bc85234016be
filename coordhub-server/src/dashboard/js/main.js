/**
 * The page. Start reading at `session.js`: what a person can do; `store.js`: what is known; `views/`: how it looks.
 */

import { rememberName, rememberedName, signIn } from "./identity.js";
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

/** @param {string} name */
async function enter(name) {
  const me = await signIn(name);
  const session = new Session(me, leave);
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
  entrance.ask(why);
}

entrance.onEnter = enter;
follow(null);
const name = rememberedName();
if (name) {
  entrance.resume(name);
} else {
  entrance.ask("");
}
