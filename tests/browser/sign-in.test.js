/** Token mode in the page: an invite link, a token, and the way out. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestHub, answered, live, logIs, openBrowser, openPage, say } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {string} */
let admin;
/** What Ada was told to keep. */
let token = "";

before(async () => {
  hub = await TestHub.start(["--auth", "token"]);
  admin = (await readFile(join(hub.folder, "coordination_hub.db.admin-token"), "utf8")).trim();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** @param {string} path @param {object} body */
async function asAdmin(path, body) {
  const headers = { Authorization: `Bearer ${admin}` };
  return answered(await fetch(hub.url + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** What the browser says of a sign-in that is refused. @param {import("./support.js").WatchedPage} page */
function faults(page) {
  return page.faults.filter((fault) => !fault.includes("status of 401"));
}

test("an invite link leads in, and its secret is gone from the address at once", async () => {
  const { link } = await asAdmin("/admin/invites", { name: "for Ada", entity_types: ["human"] });
  const page = await openPage(browser, hub);
  await page.getByLabel("Your token").waitFor();
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByText("You are invited").waitFor();
  assert.equal(page.url(), `${hub.url}/`);
  await page.getByLabel("Your name").fill("Ada");
  await page.getByRole("button", { name: "Take part" }).click();
  await page.getByText("Keep your token").waitFor();
  token = await page.getByLabel("Your token").inputValue();
  assert.match(token, /^cht_/);
  await page.getByRole("button", { name: "I have kept it" }).click();
  await live(page);
  await say(page, "I am in");
  await logIs(page, ["I am in"]);
  // No script can come by what signs her in.
  const kept = await page.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
  assert.ok(!/ch[tis]_/.test(kept), kept);
  assert.deepEqual(faults(page), []);
  await page.context().close();
});

test("a token signs in, shows what was said, and signs out", async () => {
  const page = await openPage(browser, hub);
  await page.getByLabel("Your token").fill("cht_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: /token/ }).waitFor();
  await page.getByLabel("Your token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page);
  await logIs(page, ["I am in"]);
  await page.reload();
  await live(page);
  await logIs(page, ["I am in"]);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Your token").waitFor();
  await page.reload();
  await page.getByLabel("Your token").waitFor();
  assert.ok(!(await page.content()).includes("I am in"));
  assert.deepEqual(faults(page), []);
  await page.context().close();
});

test("a hub that was started anew asks again", async () => {
  const page = await openPage(browser, hub);
  await page.getByLabel("Your token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page);
  await hub.kill();
  await hub.start();
  await page.getByText("You are signed out").waitFor();
  await page.getByLabel("Your token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await live(page);
  await page.context().close();
});
