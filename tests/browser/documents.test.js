/** The API documents: they can be unfolded without the internet and without breaking their policy. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, openBrowser, openPage } from "./support.js";

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

test("every operation is shown, and nothing is asked for elsewhere", async () => {
  const page = await openPage(browser, hub);
  await page.goto(`${hub.url}/docs`);
  await page.locator(".opblock").first().waitFor();
  const document = await (await fetch(`${hub.url}/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((path) => Object.keys(/** @type {object} */ (path)));
  assert.ok(operations.length > 30);
  assert.equal(await page.locator(".opblock").count(), operations.length);
  await page.locator("#operations-tasks-post_tasks_create .opblock-summary-control").click();
  await page.locator("#operations-tasks-post_tasks_create .opblock-body").waitFor();
  assert.deepEqual(page.faults, []);
});
