/** Markup and scripts in every field: they are shown as they were written, and do nothing. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, openBrowser, openPage, say, signIn, until } from "./support.js";

const EVIL = [
  '<img src=x onerror="window.pwned=1">',
  '"><svg onload=window.pwned=1>',
  "<script>window.pwned=1</script>",
  "</textarea><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
  "javascript:window.pwned=1",
  "{{constructor.constructor('window.pwned=1')()}}",
];
const IDS = EVIL.filter((text) => !text.includes("/"));

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

/** Fills the hub with it, field by field. */
async function poison() {
  for (const [index, evil] of IDS.entries()) {
    await hub.post("/entities/register", {
      entity_id: evil,
      entity_type: "ai_agent",
      name: evil,
      capabilities: [evil],
      metadata: { [evil]: evil },
    });
    await hub.post(`/entities/${encodeURIComponent(evil)}/heartbeat`, { activity: evil });
    await hub.post("/messages/send", {
      from_entity: evil,
      channel: "general",
      content: evil,
      message_type: evil,
      metadata: { client_ref: evil },
    });
    await hub.post("/messages/send", { from_entity: evil, channel: "urgent", content: evil, message_type: "alert" });
    await hub.post("/tasks/create", {
      task_id: evil,
      title: evil,
      description: evil,
      created_by: evil,
      tags: [evil],
      metadata: { evil },
      requires_human: index % 2 === 0,
      depends_on: index ? [/** @type {string} */ (IDS[index - 1])] : [],
    });
    await hub.post("/proposals/create", {
      proposal_id: evil,
      title: evil,
      description: evil,
      proposed_by: evil,
      early_close: false,
    });
  }
  for (const evil of EVIL) {
    await hub.post("/messages/send", { from_entity: IDS[0], channel: "general", content: evil });
    await hub.post("/tasks/create", { task_id: `done-${EVIL.indexOf(evil)}`, title: evil, description: evil });
    await hub.post(`/tasks/done-${EVIL.indexOf(evil)}/claim`, { entity_id: "someone" });
    await hub.post(`/tasks/done-${EVIL.indexOf(evil)}/complete`, { result: { [evil]: [evil] } });
  }
  await hub.post(`/proposals/${encodeURIComponent(/** @type {string} */ (IDS[0]))}/vote`, {
    entity_id: IDS[1],
    vote: "for",
    comment: EVIL[0],
  });
}

/** @param {import("./support.js").WatchedPage} page */
async function assertHarmless(page) {
  const found = await page.evaluate(() => ({
    pwned: /** @type {any} */ (window).pwned,
    foreign: document.querySelectorAll(
      "body img, body svg, body script, body iframe, body object, body a[href^='javascript:'], [onerror], [onload]",
    ).length,
  }));
  assert.deepEqual(found, { pwned: undefined, foreign: 0 });
  assert.deepEqual(page.faults, []);
}

test("what stands in the hub already, what comes live, and what is written here", async () => {
  const early = await openPage(browser, hub);
  await signIn(early, "Early Eve");
  await poison();
  const late = await openPage(browser, hub);
  await signIn(late, /** @type {string} */ (IDS[0]).replace("window", "w"));
  const shown = EVIL.length + IDS.length;
  for (const page of [early, late]) {
    await until(
      async () => (await page.locator(".log .message").count()) === shown,
      () => "not all messages show",
    );
    for (const evil of EVIL) {
      assert.ok(await page.locator(".log .content", { hasText: evil }).count(), `${evil} is shown as it was written`);
    }
    for (const evil of IDS) {
      await page.locator("hub-people .activity", { hasText: evil }).waitFor();
    }
    await page.locator("hub-tasks summary", { hasText: "Finished" }).click();
    await page.locator("hub-tasks .outcome", { hasText: "window.pwned" }).first().waitFor();
    await page.locator("hub-proposals .votes li").first().waitFor();
    await page.locator("hub-people button", { hasText: "onerror" }).first().click();
    await assertHarmless(page);
  }
  await writeOnPage(late);
  await assertHarmless(early);
  await assertHarmless(late);
});

/** @param {import("./support.js").WatchedPage} page */
async function writeOnPage(page) {
  await page.getByRole("button", { name: "#general" }).click();
  for (const evil of EVIL) {
    await say(page, evil);
  }
  const evil = /** @type {string} */ (EVIL[0]);
  await page.getByText("New task", { exact: true }).click();
  const task = page.locator("hub-task-form");
  await task.getByLabel("Title").fill(`here ${evil}`);
  await task.getByLabel("Description").fill(evil);
  await task.getByLabel("Tags").fill(evil);
  await task.getByRole("button", { name: "Create task" }).click();
  await page.locator("hub-tasks h3", { hasText: "here <img" }).waitFor();
  await page.getByText("New proposal", { exact: true }).click();
  const proposal = page.locator("hub-proposal-form");
  await proposal.getByLabel("Title").fill(`here ${evil}`);
  await proposal.getByLabel("Description").fill(evil);
  await proposal.getByRole("button", { name: "Put to the vote" }).click();
  const card = page.locator("hub-proposals .card", { hasText: "here <img" });
  await card.getByPlaceholder("Comment").fill(evil);
  await card.getByRole("button", { name: /^Vote abstain/ }).click();
  await card.locator(".votes", { hasText: evil }).waitFor();
}
