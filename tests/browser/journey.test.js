/** Two people with browsers and an agent without one, through a working day on which the hub dies. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, live, log, logIs, openBrowser, openPage, say, signIn, until } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {import("./support.js").WatchedPage} */
let ada;
/** @type {import("./support.js").WatchedPage} */
let ben;
/** @type {Awaited<ReturnType<TestHub["agent"]>>} */
let scout;

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  scout = await hub.agent("scout");
  ada = await openPage(browser, hub);
  ben = await openPage(browser, hub);
  await signIn(ada, "Ada");
  await signIn(ben, "Ben Bitdiddle");
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** What the hub itself says was said. @param {string} query */
async function said(query) {
  const { messages } = await hub.get(`/messages/recent?limit=1000&${query}`);
  return messages.map((/** @type {any} */ message) => message.content);
}

test("they are people to the hub", async () => {
  const { entities } = await hub.get("/entities/list?entity_type=human");
  assert.deepEqual(
    entities.map((/** @type {any} */ entity) => [entity.entity_id, entity.name, entity.status]),
    [
      ["ada", "Ada", "online"],
      ["ben-bitdiddle", "Ben Bitdiddle", "online"],
    ],
  );
  await ada.getByRole("button", { name: /Ben Bitdiddle/ }).waitFor();
});

test("what one says, the others see", async () => {
  await say(ada, "Good morning");
  await logIs(ben, ["Good morning"]);
  await say(ben, "Good morning, Ada");
  await scout.say("general", "All tests are green");
  const all = ["Good morning", "Good morning, Ada", "All tests are green"];
  await logIs(ada, all);
  await logIs(ben, all);
});

test("a new channel shows up with what is unread, and is read once it was opened", async () => {
  await scout.say("release-notes", "1.0 is out");
  const channel = ben.getByRole("button", { name: /#release-notes/ });
  await channel.locator(".count").filter({ hasText: "1" }).waitFor();
  await channel.click();
  await logIs(ben, ["1.0 is out"]);
  await channel.locator(".count").waitFor({ state: "hidden" });
  await ben.getByRole("button", { name: "#general" }).click();
});

test("what is said directly stays between two", async () => {
  await scout.tell("ada", "May I deploy?");
  const from = ada.locator("hub-people").getByRole("button", { name: /Agent scout/ });
  await from.locator(".count").filter({ hasText: "1" }).waitFor();
  await from.click();
  await logIs(ada, ["May I deploy?"]);
  await say(ada, "Go ahead");
  await logIs(ada, ["May I deploy?", "Go ahead"]);
  const inbox = await hub.get("/messages/for/scout?direct=true");
  assert.equal(inbox.messages.at(-1).content, "Go ahead");
  assert.ok(!(await ben.content()).includes("Go ahead"));
  await ada.getByRole("button", { name: "#general" }).click();
});

test("a task that needs a human is claimed and completed by one, and the agent hears of it", async () => {
  await hub.post("/tasks/create", { title: "Tidy the logs", created_by: "scout", priority: "urgent" });
  await hub.post("/tasks/create", {
    task_id: "spend",
    title: "Approve $10K",
    requires_human: true,
    created_by: "scout",
  });
  const cards = ada.locator("hub-tasks .card");
  await cards.filter({ hasText: "Approve $10K" }).waitFor();
  assert.equal(await cards.first().getAttribute("data-task"), "spend", "what needs a human comes first");
  assert.equal(await cards.first().getAttribute("data-needs-human"), "");
  await assert.rejects(hub.post("/tasks/spend/claim", { entity_id: "scout" }), /403/);
  await ada.getByRole("button", { name: "Claim: Approve $10K" }).click();
  await ben.locator("[data-task=spend]").filter({ hasText: "held by ada" }).waitFor();
  await ada.getByLabel("Result of Approve $10K").fill("approved");
  await ada.getByRole("button", { name: "Complete: Approve $10K" }).click();
  await ben.locator("[data-task=spend][data-status=completed]").waitFor({ state: "attached" });
  const task = await hub.get("/tasks/spend");
  assert.deepEqual([task.status, task.claimed_by, task.result], ["completed", "ada", "approved"]);
});

test("a task is made on the page, taken by the agent, and followed", async () => {
  await ben.getByText("New task", { exact: true }).click();
  const form = ben.locator("hub-task-form");
  await form.getByLabel("Title").fill("Write the changelog");
  await form.getByLabel("Tags").fill("docs, release");
  await form.getByRole("button", { name: "Create task" }).click();
  const card = ada.locator("hub-tasks .card").filter({ hasText: "Write the changelog" });
  await card.waitFor();
  const id = await card.getAttribute("data-task");
  await hub.post(`/tasks/${id}/claim`, { entity_id: "scout" });
  await card.filter({ hasText: "held by scout" }).waitFor();
  await hub.post(`/tasks/${id}/complete`, { entity_id: "scout", result: { lines: 12 } });
  await ada.locator(`[data-task="${id}"][data-status=completed]`).waitFor({ state: "attached" });
});

test("a vote is counted as it is cast, and decided for everybody", async () => {
  await ada.getByText("New proposal", { exact: true }).click();
  const form = ada.locator("hub-proposal-form");
  await form.getByLabel("Title").fill("Deploy on Friday");
  await form.getByRole("button", { name: "Put to the vote" }).click();
  const card = ben.locator("hub-proposals .card").filter({ hasText: "Deploy on Friday" });
  await card.waitFor();
  const id = await card.getAttribute("data-proposal");
  await hub.post(`/proposals/${id}/vote`, { entity_id: "scout", vote: "for", comment: "Ready" });
  await card.filter({ hasText: "1 of 3 have voted, quorum 2; approved by more than 75 % for." }).waitFor();
  await ben.getByRole("button", { name: "Vote for: Deploy on Friday" }).click();
  await ada.getByRole("button", { name: "Vote for: Deploy on Friday" }).click();
  for (const page of [ada, ben]) {
    await page.locator(`[data-proposal="${id}"][data-status=approved]`).waitFor({ state: "attached" });
  }
  assert.equal((await hub.get(`/proposals/${id}`)).status, "approved");
});

test("an urgent message reaches everybody and stays until it was seen", async () => {
  await scout.say("urgent", "CPU at 95 %");
  for (const page of [ada, ben]) {
    await page.getByRole("alert").filter({ hasText: "CPU at 95 %" }).waitFor();
  }
  await ada.getByRole("button", { name: "Seen" }).click();
  await ada.locator("hub-alerts").waitFor({ state: "hidden" });
  await ben.reload();
  await live(ben);
  await ben.getByRole("alert").filter({ hasText: "CPU at 95 %" }).waitFor();
  await ada.reload();
  await live(ada);
  assert.ok(await ada.locator("hub-alerts").isHidden());
});

test("the hub is killed under load and comes back: nothing is missing, nothing is doubled", async () => {
  /** @type {string[]} */
  const acknowledged = [];
  let stop = false;
  const flood = (async () => {
    for (let number = 1; !stop && number <= 2_000; number += 1) {
      await scout.say("general", `load ${number}`).then(
        () => acknowledged.push(`load ${number}`),
        () => {},
      );
    }
  })();
  await until(
    async () => (await log(ben)).length > 40,
    () => "the load does not show",
  );
  await hub.kill();
  for (const page of [ada, ben]) {
    await page.getByText("Connection lost").waitFor();
  }
  await say(ada, "Written in the dark");
  await ada.locator(".unsent").getByRole("button", { name: "Retry" }).waitFor();
  stop = true;
  await flood;
  await hub.start();
  await scout.say("general", "Said before anybody was back");
  await hub.post("/tasks/create", { task_id: "meanwhile", title: "Made meanwhile", created_by: "scout" });
  await hub.post("/tasks/meanwhile/claim", { entity_id: "scout" });
  await live(ada);
  await live(ben);
  await ada.locator(".unsent").getByRole("button", { name: "Retry" }).click();
  await ada.locator(".unsent").waitFor({ state: "detached" });
  for (const page of [ada, ben]) {
    await page.locator("[data-task=meanwhile][data-status=in_progress]").waitFor();
    assert.equal(await page.locator("[data-task=meanwhile]").count(), 1);
  }
  await say(ben, "The hub is back");
  for (const page of [ada, ben]) {
    await until(
      async () => (await log(page)).at(-1) === "The hub is back",
      () => "the last message does not show",
    );
  }
  const all = await said("channel=general");
  assert.equal(all.filter((/** @type {string} */ line) => line === "Written in the dark").length, 1);
  acknowledged.forEach((line) => assert.ok(all.includes(line), `${line} was acknowledged`));
  for (const page of [ada, ben]) {
    const shown = await log(page);
    assert.equal(new Set(shown).size, shown.length, "nothing is doubled");
    assert.deepEqual(shown, all.slice(-shown.length));
    assert.ok(shown.length >= acknowledged.length);
  }
});

test("whoever reads further up stays there, reads back to the beginning, and hears of what is new", async () => {
  const scroller = ben.locator("hub-chat .scroller");
  await ben.reload();
  await live(ben);
  await ben.locator(".log .message").first().waitFor();
  const older = ben.getByRole("button", { name: "Older messages" });
  const all = await said("channel=general");
  while ((await log(ben)).length < all.length) {
    const before = (await log(ben)).length;
    await older.click();
    await until(
      async () => (await log(ben)).length > before,
      () => "no older messages show",
    );
  }
  assert.deepEqual(await log(ben), all);
  await scroller.evaluate((element) => element.scrollTo(0, 0));
  await scout.say("general", "While you read");
  const newest = ben.getByRole("button", { name: "New messages" });
  await newest.waitFor();
  assert.equal(await scroller.evaluate((element) => element.scrollTop), 0);
  await newest.click();
  await newest.waitFor({ state: "hidden" });
  assert.ok(await ben.locator(".log .message").last().isVisible());
});

test("a message whose answer was lost is not sent twice", async () => {
  await ada.route("**/messages/send", async (route) => {
    // The hub takes it while the page cannot hear it: at another address.
    await hub.kill();
    const elsewhere = new TestHub(hub.folder);
    await elsewhere.start();
    await elsewhere.post("/messages/send", route.request().postDataJSON());
    await elsewhere.kill();
    await route.abort();
  });
  await say(ada, "Only once");
  await ada.locator(".unsent").getByRole("button", { name: "Retry" }).waitFor();
  await ada.unroute("**/messages/send");
  await hub.start();
  await live(ada);
  // Once the page hears of it, it need not be sent again.
  await ada.locator(".unsent").waitFor({ state: "detached" });
  const all = await said("channel=general");
  assert.equal(all.filter((/** @type {string} */ line) => line === "Only once").length, 1);
  assert.equal((await log(ada)).filter((line) => line === "Only once").length, 1);
});

test("what waits to be sent outlives a reload, and a retry looks first whether it arrived", async () => {
  // More than the page reads at first, so that it does not meet the message by itself.
  for (let number = 1; number <= 60; number += 1) {
    await scout.say("general", `later ${number}`);
  }
  const before = await said("channel=general");
  const [first] = (await hub.get("/messages/recent?channel=general&after=0&limit=1")).messages;
  await ada.evaluate((mark) => {
    const item = {
      mark,
      place: { kind: "channel", id: "general" },
      content: "Good morning",
      type: "text",
      epoch: "",
      position: 0,
      state: "sending",
      why: "",
    };
    sessionStorage.setItem("coordhub.outbox.ada", JSON.stringify([item]));
  }, first.metadata.client_ref);
  await ada.reload();
  await live(ada);
  await ada.locator(".unsent").getByRole("button", { name: "Retry" }).click();
  await ada.locator(".unsent").waitFor({ state: "detached" });
  assert.deepEqual(await said("channel=general"), before);
});

test("nothing is asked for while nothing happens", async () => {
  const page = await openPage(browser, hub);
  await page.clock.install();
  await page.reload();
  await signIn(page, "Idle Ida");
  await page.waitForLoadState("networkidle");
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.clock.runFor(24_000);
  assert.deepEqual(asked, []);
  await page.context().close();
});

test("another history is read afresh, and whoever it does not know is told", async () => {
  await hub.kill();
  const { rm, readdir } = await import("node:fs/promises");
  for (const name of await readdir(hub.folder)) {
    if (name.startsWith("coordination_hub.db")) {
      await rm(`${hub.folder}/${name}`);
    }
  }
  await hub.start();
  await ben.getByText("The hub does not know you any more.").waitFor();
  await ben.getByRole("button", { name: "Enter" }).click();
  await live(ben);
  await logIs(ben, []);
});

test("nothing went wrong in any window", () => {
  assert.deepEqual([...ada.faults, ...ben.faults], []);
});
