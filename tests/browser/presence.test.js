/** Who is there and doing what, told by the hub and not asked for. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, live, openBrowser, openPage, signIn } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** @param {string} id @param {string} activity */
function says(id, activity) {
  return hub.post(`/entities/${id}/heartbeat`, { activity });
}

test("what an agent does shows beside its name, as it happens", async () => {
  await hub.agent("scout");
  await says("scout", "reading the plan");
  const page = await openPage(browser, hub);
  await signIn(page, "Ada");
  const scout = page.locator("hub-people li", { hasText: "Agent scout" });
  const activity = scout.locator(".activity");
  await activity.getByText("reading the plan").waitFor();

  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await says("scout", "running the tests");
  await activity.getByText("running the tests").waitFor();
  await says("scout", "");
  await activity.waitFor({ state: "hidden" });
  await hub.agent("newcomer");
  await says("newcomer", "looking round");
  const newcomer = page.locator("hub-people li", { hasText: "Agent newcomer" });
  await newcomer.locator(".activity").getByText("looking round").waitFor();
  await newcomer.locator(".dot[data-presence=online]").waitFor();
  await fetch(`${hub.url}/entities/newcomer?entity_id=newcomer`, { method: "DELETE" });
  await newcomer.waitFor({ state: "detached" });
  assert.deepEqual(asked, [], "all of that was told");
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("what changed while the connection was lost shows when it is back", async () => {
  const page = await openPage(browser, hub);
  await signIn(page, "Ben");
  await says("scout", "before");
  const scout = page.locator("hub-people li", { hasText: "Agent scout" });
  await scout.locator(".activity").getByText("before").waitFor();
  await hub.kill();
  await page.getByRole("status").filter({ hasText: "Connection lost" }).waitFor();
  await hub.start();
  await says("scout", "after");
  await live(page);
  await scout.locator(".activity").getByText("after").waitFor();
  await page.context().close();
});
