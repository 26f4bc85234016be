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
  const deadline = new Date(Date.now() + 3_600_000).toISOString();
  const [first] = /** @type {[string]} */ (IDS);
  for (const evil of EVIL) {
    await hub.post("/questions/ask", {
      question: `${evil}\n${evil}`,
      asked_by: first,
      options: [evil, `not ${evil}`],
      deadline,
      default: evil,
      metadata: { evil },
    });
    await hub.post(`/tasks/${encodeURIComponent(first)}/update`, { entity_id: first, note: evil });
  }
  for (const [index, evil] of IDS.entries()) {
    const content = `roll-call ${evil}`;
    const { message_id } = await hub.post("/messages/send", {
      from_entity: evil,
      channel: index ? "technical" : "urgent",
      content,
      ack_required: true,
    });
    await hub.post(`/messages/${message_id}/ack`, { entity_id: IDS[index ? 0 : 1] });
    const removed = await hub.post("/messages/send", { from_entity: evil, channel: "technical", content });
    await hub.post(`/messages/${removed.message_id}/redact`, { entity_id: evil });
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
    await openWhatIsAsked(page);
    await page.locator("hub-people button", { hasText: "onerror" }).first().click();
    await assertHarmless(page);
  }
  await writeOnPage(late);
  await assertHarmless(early);
  await assertHarmless(late);
});

/** Questions, notes, roll-calls, removed messages. @param {import("./support.js").WatchedPage} page */
async function openWhatIsAsked(page) {
  const [first] = /** @type {[string]} */ (IDS);
  for (const evil of EVIL) {
    const question = page.locator("hub-tasks .card", { has: page.getByRole("heading", { name: evil, exact: true }) });
    await question.locator(".options button", { hasText: evil }).first().waitFor();
    await question.locator(".answer q", { hasText: evil }).waitFor();
  }
  const poisoned = page.locator(`hub-tasks [data-task="${quoted(first)}"]`);
  await poisoned.getByText("Notes", { exact: true }).click();
  for (const evil of EVIL) {
    await poisoned.locator(".notes .content", { hasText: evil }).waitFor();
  }
  await page.locator("hub-waiting .what", { hasText: "<img" }).first().waitFor();
  await page.locator("hub-alerts .alert", { hasText: `roll-call ${first}` }).waitFor();
  await page
    .locator("hub-alerts")
    .getByRole("button", { name: /^Show who has/ })
    .first()
    .click();
  await page.locator("hub-alerts .receipts", { hasText: IDS[1] }).waitFor();
  await page.getByRole("button", { name: "#technical" }).click();
  for (const evil of IDS) {
    await page.locator(".log .removed", { hasText: `removed by ${evil}` }).waitFor();
  }
  for (const evil of IDS.slice(1)) {
    await page
      .locator(".log .content", { hasText: `roll-call ${evil}` })
      .first()
      .waitFor();
  }
}

/** @param {string} text */
function quoted(text) {
  return text.replace(/["\\]/g, "\\$&");
}

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
  const made = page.locator("hub-tasks .card", { hasText: "here <img" });
  await made.getByText("Notes", { exact: true }).click();
  await made.getByLabel(/^Note on/).fill(evil);
  await made.getByRole("button", { name: /^Add note/ }).click();
  await made.locator(".notes .content", { hasText: evil }).waitFor();
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
