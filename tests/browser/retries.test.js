/** The answer to a change is lost, and what the person does again is done once. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, log, openBrowser, openPage, say, signIn, until } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {import("./support.js").WatchedPage} */
let ada;
/** Each change the page asked for: where, and under which key. @type {{ path: string, key: string | undefined }[]} */
const asked = [];

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  ada = await openPage(browser, hub);
  ada.on("request", (request) => {
    if (request.method() === "POST") {
      asked.push({ path: new URL(request.url()).pathname, key: request.headers()["idempotency-key"] });
    }
  });
  await signIn(ada, "Ada");
  await hub.agent("scout");
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** The hub does what it is asked for next, and the page never hears of it. @param {string} path */
function loseAnswer(path) {
  return ada.route(
    `**${path}`,
    async (route) => {
      await route.fetch();
      await route.abort();
    },
    { times: 1 },
  );
}

/** How often something happened, as the hub's log has it. @param {string} kind @returns {Promise<any[]>} */
async function happened(kind) {
  return (await hub.get(`/events?since=0&limit=1000&kinds=${kind}`)).events;
}

/** The keys of what was asked for there. @param {string} path */
function keysOf(path) {
  return asked.filter((change) => change.path === path).map(({ key }) => key);
}

test("a note whose answer was lost is added once", async () => {
  await hub.post("/tasks/create", { task_id: "t", title: "Write it", created_by: "scout" });
  const card = ada.locator("[data-task=t]");
  await card.getByText("Notes", { exact: true }).click();
  await card.getByLabel("Note on Write it").fill("Begun");
  await loseAnswer("/tasks/t/update");
  await card.getByRole("button", { name: "Add note: Write it" }).click();
  await card.getByText("The hub did not answer.").waitFor();
  assert.equal(await card.getByLabel("Note on Write it").inputValue(), "Begun", "what was written is kept");
  await card.getByRole("button", { name: "Add note: Write it" }).click();
  await until(
    async () => (await card.getByLabel("Note on Write it").inputValue()) === "",
    () => "the second time is not taken",
  );
  const [first, second, ...rest] = keysOf("/tasks/t/update");
  assert.equal(first, second);
  assert.deepEqual(rest, []);
  assert.equal((await happened("task_updated")).length, 1);
  // The same words once more are meant once more.
  await card.getByLabel("Note on Write it").fill("Begun");
  await card.getByRole("button", { name: "Add note: Write it" }).click();
  await card.getByText("Notes (2)").waitFor();
  assert.notEqual(keysOf("/tasks/t/update").at(-1), first);
});

test("what was done otherwise meanwhile is meant anew", async () => {
  const proposal = { proposal_id: "p", title: "Tabs", proposed_by: "scout", early_close: false };
  await hub.post("/proposals/create", proposal);
  const vote = (/** @type {string} */ word) => ada.getByRole("button", { name: `Vote ${word}: Tabs` });
  await loseAnswer("/proposals/p/vote");
  await vote("for").click();
  await ada.locator("[data-proposal=p]").getByText("The hub did not answer.").waitFor();
  await vote("against").click();
  await ada.locator("[data-proposal=p] [aria-pressed=true]", { hasText: "Against" }).waitFor();
  await vote("for").click();
  await ada.locator("[data-proposal=p] [aria-pressed=true]", { hasText: "For" }).waitFor();
  assert.equal(new Set(keysOf("/proposals/p/vote")).size, 3);
  assert.equal((await hub.get("/proposals/p")).tally.for, 1);
});

test("an answer to a question arrives once", async () => {
  const { task_id } = await hub.post("/questions/ask", { question: "Go?", options: ["yes", "no"], asked_by: "scout" });
  await loseAnswer(`/tasks/${task_id}/answer`);
  await ada.getByRole("button", { name: "yes: Go?" }).click();
  await ada.locator(`[data-task="${task_id}"][data-status=completed]`).waitFor({ state: "attached" });
  assert.equal((await happened("task_completed")).length, 1);
});

test("a task that was made and not confirmed is made once", async () => {
  await ada.getByText("New task", { exact: true }).click();
  const form = ada.locator("hub-task-form");
  await form.getByLabel("Title").fill("Only one");
  await loseAnswer("/tasks/create");
  await form.getByRole("button", { name: "Create task" }).click();
  await form.getByText("The hub did not answer.").waitFor();
  await form.getByRole("button", { name: "Create task" }).click();
  await form.getByLabel("Title").waitFor({ state: "hidden" });
  assert.equal((await happened("task_created")).filter(({ data }) => data.task.title === "Only one").length, 1);
});

test("a message is sent under one key, however often, also after a reload", async () => {
  let aborted = 0;
  await ada.route("**/messages/send", async (route) => {
    await route.abort();
    aborted += 1;
  });
  await say(ada, "Once and no more");
  const retry = ada.locator(".unsent").getByRole("button", { name: "Retry" });
  await retry.waitFor();
  await ada.reload();
  await retry.click();
  // The button is there until the page has looked for the message, so the request itself is waited for.
  await until(
    async () => aborted === 2,
    () => "it is not sent again",
  );
  await retry.waitFor();
  await ada.unroute("**/messages/send");
  // Even where the look-up does not find it: the hub knows the key.
  await ada.route("**/messages/recent?**", async (route) => {
    const { after } = Object.fromEntries(new URL(route.request().url()).searchParams);
    await (after === undefined ? route.continue() : route.fulfill({ json: { messages: [], count: 0, next: 0 } }));
  });
  await loseAnswer("/messages/send");
  await retry.click();
  await until(
    async () => (await log(ada)).includes("Once and no more"),
    () => "it does not arrive",
  );
  const keys = keysOf("/messages/send");
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  const again = await fetch(`${hub.url}/messages/send`, {
    method: "POST",
    headers: { "Idempotency-Key": String(keys[0]) },
    body: JSON.stringify({
      entity_id: "ada",
      from_entity: "ada",
      channel: "general",
      content: "Once and no more",
      message_type: "text",
      metadata: { client_ref: keys[0] },
    }),
  });
  assert.equal(again.headers.get("idempotency-replayed"), "true");
  assert.equal((await happened("message_sent")).length, 1);
});

test("every change carries a key", () => {
  assert.ok(asked.length > 8);
  assert.deepEqual(
    asked.filter(({ key }) => !key),
    [],
  );
  assert.deepEqual(ada.faults, []);
});
