/** What people are asked: they answer with one click, and see in one place what waits for them. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, live, openBrowser, openPage, signIn, until } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {import("./support.js").WatchedPage} */
let ada;
/** @type {Awaited<ReturnType<TestHub["agent"]>>} */
let scout;

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  scout = await hub.agent("scout");
  ada = await openPage(browser, hub);
  await signIn(ada, "Ada");
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** @param {object} question @returns {Promise<string>} its id */
async function ask(question) {
  return (await hub.post("/questions/ask", { asked_by: "scout", ...question })).task_id;
}

/** @param {import("./support.js").WatchedPage} page @param {string} id */
function card(page, id) {
  return page.locator(`hub-tasks [data-task="${id}"]`);
}

/** What the page says waits, row by row. @param {import("./support.js").WatchedPage} page */
function waiting(page) {
  return page.locator("hub-waiting li .what").allTextContents();
}

/** @param {import("./support.js").WatchedPage} page @param {string[]} expected */
async function waitingIs(page, expected) {
  const wanted = JSON.stringify(expected);
  await until(
    async () => JSON.stringify(await waiting(page)) === wanted,
    async () => `${JSON.stringify(await waiting(page))} waits instead of ${wanted}`,
  );
}

const inMillis = (/** @type {number} */ millis) => new Date(Date.now() + millis).toISOString();

test("a question with options is answered with one click", async () => {
  const deadline = inMillis(3_600_000);
  const id = await ask({ question: "Which region?", options: ["eu-west", "us-east"], deadline, default: "eu-west" });
  const question = card(ada, id);
  await question.getByText("Answer by").waitFor();
  const terms = await question.locator(".answer .hint").textContent();
  assert.match(terms ?? "", /Answer by .*\(in 60 min\)\.Then eu-west is taken\./);
  await question.getByRole("button", { name: "us-east: Which region?" }).click();
  await ada.locator(`[data-task="${id}"][data-status=completed]`).waitFor({ state: "attached" });
  const task = await hub.get(`/tasks/${id}`);
  assert.deepEqual([task.status, task.claimed_by, task.result], ["completed", "ada", "us-east"]);
});

test("a question without options, and a task that needs a human, take words", async () => {
  const id = await ask({ question: "What shall we call it?\nIt is a hub." });
  await card(ada, id).getByText("It is a hub.").waitFor();
  await card(ada, id).getByLabel("Answer to What shall we call it?").fill("Coordination Hub");
  await card(ada, id).getByRole("button", { name: "Answer: What shall we call it?" }).click();
  await ada.locator(`[data-task="${id}"][data-status=completed]`).waitFor({ state: "attached" });
  assert.equal((await hub.get(`/tasks/${id}`)).result, "Coordination Hub");

  await hub.post("/tasks/create", {
    task_id: "spend",
    title: "Approve $10K",
    requires_human: true,
    created_by: "scout",
  });
  await card(ada, "spend").getByLabel("Answer to Approve $10K").fill("approved");
  await ada.keyboard.press("Enter");
  await ada.locator("[data-task=spend][data-status=completed]").waitFor({ state: "attached" });
  const task = await hub.get("/tasks/spend");
  assert.deepEqual([task.claimed_by, task.result], ["ada", "approved"]);
});

test("at the deadline the default is taken, and the buttons go", async () => {
  const id = await ask({ question: "Go on?", options: ["yes", "no"], deadline: inMillis(1_000), default: "no" });
  await ada.locator(`[data-task="${id}"][data-status=completed]`).waitFor({ state: "attached" });
  await ada.locator("hub-tasks summary", { hasText: "Finished" }).click();
  const past = card(ada, id);
  await past.getByText("nobody answered in time").waitFor();
  await past.getByText("Result: no").waitFor();
  assert.equal(await past.locator(".options button").count(), 0);
});

test("who is no human sees what there is to choose from, and no buttons", async () => {
  const page = await openPage(browser, hub);
  await page.route("**/entities/list?**", async (route) => {
    const response = await route.fetch();
    const list = await response.json();
    const entities = list.entities.map((/** @type {any} */ entity) => ({ ...entity, entity_type: "service" }));
    await route.fulfill({ response, json: { ...list, entities } });
  });
  const id = await ask({ question: "For people?", options: ["yes", "no"], deadline: inMillis(3_600_000) });
  await signIn(page, "Not A Person");
  await card(page, id).getByText("Answers to choose from: yes, no.").waitFor();
  await card(page, id).getByText("Then it fails.").waitFor();
  assert.equal(await card(page, id).locator(".answer button:visible").count(), 0);
  await page.context().close();
  await hub.post(`/tasks/${id}/cancel`, { entity_id: "scout" });
});

test("what waits shows as it comes, and goes as it is done", async () => {
  await waitingIs(ada, []);
  await ada.getByText("Nothing waits for you.").waitFor();
  const id = await ask({ question: "Ship it?", options: ["yes", "no"] });
  await waitingIs(ada, ["Ship it?"]);
  await scout.tell("ada", "Are you there?\nSecond line");
  await waitingIs(ada, ["Ship it?", "Are you there?"]);
  const { message_id } = await hub.post("/messages/send", {
    from_entity: "scout",
    content: "Read the plan",
    ack_required: true,
  });
  await waitingIs(ada, ["Ship it?", "Read the plan", "Are you there?"]);
  await hub.post("/proposals/create", { proposal_id: "p", title: "Deploy on Friday", proposed_by: "scout" });
  await waitingIs(ada, ["Ship it?", "Read the plan", "Are you there?", "Deploy on Friday"]);
  await hub.post("/tasks/create", { task_id: "sign", title: "Sign here", requires_human: true });
  await waitingIs(ada, ["Ship it?", "Read the plan", "Are you there?", "Deploy on Friday", "Sign here"]);
  const attention = await hub.get("/entities/ada/attention");
  assert.deepEqual(
    [attention.questions.length, attention.acks_owed.length, attention.unread_direct.length],
    [1, 1, 1],
    "as the hub says",
  );

  const row = (/** @type {string} */ text) => ada.locator("hub-waiting .place", { hasText: text });
  await row("Ship it?").click();
  await ada.locator(`[data-task="${id}"]:focus`).waitFor();
  await row("Deploy on Friday").click();
  await ada.locator("[data-proposal=p]:focus").waitFor();
  await ada.getByRole("button", { name: "yes: Ship it?" }).click();
  await waitingIs(ada, ["Read the plan", "Are you there?", "Deploy on Friday", "Sign here"]);
  await ada.getByRole("button", { name: "Acknowledge: Read the plan" }).click();
  await waitingIs(ada, ["Are you there?", "Deploy on Friday", "Sign here"]);
  const { recipients } = await hub.get(`/messages/${message_id}/receipts`);
  assert.ok(recipients.find((/** @type {any} */ receipt) => receipt.entity_id === "ada").acked_at);
  await row("Are you there?").click();
  await ada.getByRole("heading", { name: "Direct with Agent scout" }).waitFor();
  await waitingIs(ada, ["Deploy on Friday", "Sign here"]);
  await ada.getByRole("button", { name: "Vote for: Deploy on Friday" }).click();
  await waitingIs(ada, ["Sign here"]);
  await hub.post("/tasks/sign/cancel", { entity_id: "ada" });
  await waitingIs(ada, []);
  // It would wait for whoever comes later, too.
  await hub.post("/proposals/p/withdraw", { entity_id: "scout" });
});

test("what waits is read once for many events, and not at all while nothing concerns one", async () => {
  const page = await openPage(browser, hub);
  await page.clock.install();
  await page.reload();
  await signIn(page, "Busy Bea");
  await page.clock.runFor(2_000);
  await page.waitForLoadState("networkidle");
  let reads = 0;
  page.on("request", (request) => (reads += request.url().includes("/attention") ? 1 : 0));
  for (let number = 1; number <= 20; number += 1) {
    await scout.tell("busy-bea", `note ${number}`);
  }
  const from = page.locator("hub-people li", { hasText: "Agent scout" });
  await from.locator(".count").getByText("20", { exact: true }).waitFor();
  await page.clock.runFor(1_100);
  await waitingIs(page, ["20 direct messages"]);
  assert.ok(reads >= 1 && reads <= 3, `read ${reads} times for 20 messages`);
  const before = reads;
  await scout.say("general", "Nothing to do with it");
  await hub.post("/tasks/create", { task_id: "others", title: "For agents", created_by: "scout" });
  await page.locator("[data-task=others]").waitFor();
  await page.clock.runFor(5_000);
  assert.equal(reads, before);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("what came while the connection was lost waits when it is back", async () => {
  await hub.kill();
  await ada.getByText("Connection lost").waitFor();
  await hub.start();
  const id = await ask({ question: "Still there?", options: ["yes"] });
  await live(ada);
  await waitingIs(ada, ["Still there?"]);
  await ada.getByRole("button", { name: "yes: Still there?" }).click();
  await waitingIs(ada, []);
  assert.equal((await hub.get(`/tasks/${id}`)).result, "yes");
});

test("nothing went wrong", () => {
  assert.deepEqual(ada.faults, []);
});
