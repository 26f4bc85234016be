/** Leases, attempts, times, notes: how a task is going. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, live, openBrowser, openPage, signIn, until } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {import("./support.js").WatchedPage} */
let ada;

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  await hub.agent("scout");
  await hub.agent("builder");
  ada = await openPage(browser, hub);
  await signIn(ada, "Ada");
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** @param {string} id */
function card(id) {
  return ada.locator(`hub-tasks [data-task="${id}"]`);
}

test("a lease shows with its end, and a lapse with its attempt", async () => {
  await hub.post("/tasks/create", { task_id: "build", title: "Build it", created_by: "scout", max_attempts: 3 });
  await hub.post("/tasks/build/claim", { entity_id: "builder", lease_seconds: 5 });
  await card("build").filter({ hasText: "held by builder" }).filter({ hasText: "lease until" }).waitFor();
  const lease = () => card("build").locator(".lease time").getAttribute("datetime");
  assert.equal(await lease(), (await hub.get("/tasks/build")).lease_expires_at);
  // Nobody renews it.
  await card("build").filter({ hasText: "1 of 3 attempts failed" }).waitFor();
  assert.equal(await card("build").getAttribute("data-status"), "open");
  assert.equal(await card("build").locator(".lease").count(), 0);
});

test("a renewal moves the end that is shown", async () => {
  await hub.post("/tasks/create", { task_id: "renew", title: "Renew it", created_by: "scout" });
  const { claim_token } = await hub.post("/tasks/renew/claim", { entity_id: "builder", lease_seconds: 6 });
  await card("renew").locator(".lease").waitFor();
  const lease = () => card("renew").locator(".lease time").getAttribute("datetime");
  const first = await lease();
  await until(
    async () => {
      await hub.post("/tasks/renew/heartbeat", { claim_token });
      return (await lease()) !== first;
    },
    () => "the lease does not move",
  );
  assert.ok(Date.parse(String(await lease())) > Date.parse(String(first)));
});

test("a leased task is freed by a human, and its holder has lost it", async () => {
  const before = await hub.get("/tasks/renew");
  assert.equal(before.status, "in_progress");
  await ada.getByRole("button", { name: "Free: Renew it" }).click();
  await card("renew").filter({ hasText: "open" }).locator(".lease").waitFor({ state: "detached" });
  const { status, claimed_by, history } = await hub.get("/tasks/renew");
  assert.deepEqual([status, claimed_by, history.at(-1).data.reason], ["open", null, "reassigned"]);
});

test("a task that is tried again waits for its time", async () => {
  await hub.post("/tasks/create", {
    task_id: "retry",
    title: "Try it",
    created_by: "scout",
    max_attempts: 2,
    retry_delay_seconds: 3_600,
  });
  await hub.post("/tasks/retry/claim", { entity_id: "builder" });
  await hub.post("/tasks/retry/fail", { entity_id: "builder", reason: "flaky" });
  await card("retry").filter({ hasText: "scheduled" }).filter({ hasText: "1 of 2 attempts failed" }).waitFor();
  await card("retry").getByText("not before").waitFor();
  const not_before = new Date(Date.now() + 1_000).toISOString();
  await hub.post("/tasks/create", { task_id: "later", title: "Later", created_by: "scout", not_before });
  await card("later").getByText("not before").waitFor();
  await ada.getByRole("button", { name: "Claim: Later" }).click();
  await card("later").filter({ hasText: "held by you" }).waitFor();
});

test("notes are read when somebody opens them, follow, and are added", async () => {
  await hub.post("/tasks/later/update", { entity_id: "scout", note: "Begin with the tests" });
  await card("later").getByText("Notes", { exact: true }).click();
  const notes = card("later").locator(".notes li");
  await notes.filter({ hasText: "Begin with the tests" }).waitFor();
  await card("later").getByLabel("Note on Later").fill("Half done");
  await card("later").getByRole("button", { name: "Add note: Later" }).click();
  await notes.filter({ hasText: "Half done" }).waitFor();
  await until(
    async () => (await card("later").getByLabel("Note on Later").inputValue()) === "",
    () => "the field keeps what was taken",
  );
  await hub.post("/tasks/later/update", { entity_id: "scout", note: "Thanks" });
  await card("later").getByText("Notes (3)").waitFor();
  assert.deepEqual(await notes.locator(".content").allTextContents(), ["Begin with the tests", "Half done", "Thanks"]);
  const task = await hub.get("/tasks/later");
  assert.deepEqual(
    task.notes.map((/** @type {any} */ note) => [note.entity_id, note.note]),
    [
      ["scout", "Begin with the tests"],
      ["ada", "Half done"],
      ["scout", "Thanks"],
    ],
  );
  await hub.post("/tasks/later/complete", { entity_id: "ada" });
  await ada.locator("[data-task=later][data-status=completed]").waitFor({ state: "attached" });
});

test("a claim whose holder is away can be freed", async () => {
  await hub.post("/tasks/create", { task_id: "left", title: "Left alone", created_by: "scout" });
  await hub.post("/tasks/left/claim", { entity_id: "builder" });
  await card("left").filter({ hasText: "held by builder" }).waitFor();
  const free = ada.getByRole("button", { name: "Free: Left alone" });
  assert.ok(await free.isHidden(), "its holder is there");
  // The hub itself waits three minutes before it says so.
  await ada.route("**/entities/list?**", async (route) => {
    const response = await route.fetch();
    const list = await response.json();
    const entities = list.entities.map((/** @type {any} */ entity) =>
      entity.entity_id === "builder" ? { ...entity, status: "offline" } : entity,
    );
    await route.fulfill({ response, json: { ...list, entities } });
  });
  await ada.reload();
  await live(ada);
  await card("left").filter({ hasText: "its holder is away" }).waitFor();
  await free.click();
  await card("left").getByText("its holder is away").waitFor({ state: "detached" });
  assert.equal((await hub.get("/tasks/left")).status, "open");
});

test("nothing went wrong", () => {
  assert.deepEqual(ada.faults, []);
});
