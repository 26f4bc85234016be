/** Messages that ask to be acknowledged, and messages that are removed. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestHub, live, openBrowser, openPage, say, signIn, until } from "./support.js";

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** @type {import("./support.js").WatchedPage} */
let ada;
/** @type {import("./support.js").WatchedPage} */
let ben;

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  await hub.agent("scout");
  ada = await openPage(browser, hub);
  ben = await openPage(browser, hub);
  await signIn(ada, "Ada");
  await signIn(ben, "Ben");
});
after(async () => {
  await browser?.close();
  await hub?.end();
});

/** @param {object} message @returns {Promise<string>} its id */
async function call(message) {
  return (await hub.post("/messages/send", { from_entity: "scout", ack_required: true, ...message })).message_id;
}

/** @param {import("./support.js").WatchedPage} page @param {string} content */
function shown(page, content) {
  return page.locator(".log .message", { hasText: content });
}

test("whoever is asked acknowledges, and everybody sees who has", async () => {
  const deadline = new Date(Date.now() + 3_600_000).toISOString();
  const id = await call({ content: "Read the new rules", ack_deadline: deadline });
  for (const page of [ada, ben]) {
    await shown(page, "Read the new rules").getByText("You are asked to acknowledge this by").waitFor();
  }
  await shown(ada, "Read the new rules")
    .getByRole("button", { name: /^Acknowledge/ })
    .click();
  await shown(ben, "Read the new rules").getByText("1 of 2 have.").waitFor();
  await shown(ada, "Read the new rules")
    .getByRole("button", { name: /^Acknowledge/ })
    .waitFor({ state: "hidden" });
  await shown(ben, "Read the new rules")
    .getByRole("button", { name: /^Show who has/ })
    .click();
  await until(
    async () =>
      /^ada has, .*,ben has/.test(
        String(await shown(ben, "Read the new rules").locator(".receipts li").allTextContents()),
      ),
    async () => String(await shown(ben, "Read the new rules").locator(".receipts li").allTextContents()),
  );
  const { recipients } = await hub.get(`/messages/${id}/receipts`);
  assert.deepEqual(
    recipients.map((/** @type {any} */ receipt) => [receipt.entity_id, receipt.acked_at !== null]),
    [
      ["ada", true],
      ["ben", false],
    ],
  );
});

test("after a reload it is still owed, and its sender or a human ends it", async () => {
  await ben.reload();
  await live(ben);
  const message = shown(ben, "Read the new rules");
  await message.getByRole("button", { name: /^Acknowledge/ }).waitFor();
  await message.getByRole("button", { name: /^Show who has/ }).click();
  await message.getByRole("button", { name: /^Resolve/ }).click();
  for (const page of [ada, ben]) {
    await shown(page, "Read the new rules").getByText("Resolved by ben.").waitFor();
  }
  await message.getByRole("button", { name: /^Acknowledge/ }).waitFor({ state: "hidden" });
});

test("a roll-call on urgent stands above everything until it is acknowledged or resolved", async () => {
  const id = await call({ content: "Evacuate the cluster", channel: "urgent", message_type: "alert" });
  const top = (/** @type {import("./support.js").WatchedPage} */ page) =>
    page.getByRole("alert").locator(".alert", { hasText: "Evacuate the cluster" });
  await top(ada).waitFor();
  await top(ben).waitFor();
  // Reading it is no answer.
  assert.ok(await ada.getByRole("button", { name: "Seen", exact: true }).isHidden());
  await ada.getByRole("button", { name: "Open #urgent" }).click();
  await top(ada)
    .getByRole("button", { name: /^Acknowledge/ })
    .click();
  await top(ada).waitFor({ state: "detached" });
  await top(ben).getByText("1 of 2 have.").waitFor();

  await ben.reload();
  await live(ben);
  await top(ben).waitFor();
  await ada.reload();
  await live(ada);
  await shown(ada, "Evacuate")
    .or(ada.getByRole("button", { name: "#urgent" }))
    .first()
    .waitFor();
  assert.equal(await top(ada).count(), 0, "it was acknowledged");
  const late = await openPage(browser, hub);
  await signIn(late, "Late Lena");
  await top(late).getByText("Asks to be acknowledged").waitFor();
  assert.ok(
    await top(late)
      .getByRole("button", { name: /^Acknowledge/ })
      .isHidden(),
    "who came later was not asked",
  );

  await hub.post(`/messages/${id}/resolve`, { entity_id: "scout" });
  await top(ben).waitFor({ state: "detached" });
  await top(late).waitFor({ state: "detached" });
  await late.context().close();
});

test("who sent a roll-call ends it, and the time that is up is plain to see", async () => {
  const deadline = new Date(Date.now() + 1_000).toISOString();
  await call({ from_entity: "ada", content: "All hands", channel: "urgent", ack_deadline: deadline });
  const top = ada.getByRole("alert").locator(".alert", { hasText: "All hands" });
  await top.getByText("The time is up.").waitFor();
  await top.getByText("0 of 3 have.").waitFor();
  await top.getByRole("button", { name: /^Resolve/ }).click();
  await top.waitFor({ state: "detached" });
  await ben.getByRole("alert").locator(".alert", { hasText: "All hands" }).waitFor({ state: "detached" });
});

test("what was resolved while the connection was lost does not stand there any more", async () => {
  const id = await call({ content: "Over soon", channel: "urgent" });
  const top = ada.getByRole("alert").locator(".alert", { hasText: "Over soon" });
  await top.waitFor();
  await hub.kill();
  await ada.getByText("Connection lost").waitFor();
  await hub.start();
  await hub.post(`/messages/${id}/resolve`, { entity_id: "scout" });
  await live(ada);
  await top.waitFor({ state: "detached" });
  await live(ben);
});

test("a message is removed by its sender, with the keyboard alone, after a second thought", async () => {
  await ada.getByRole("button", { name: "#general" }).click();
  await ben.getByRole("button", { name: "#general" }).click();
  await say(ada, "My password is hunter2");
  await say(ada, "Never mind");
  await shown(ben, "Never mind").waitFor();
  const more = shown(ada, "hunter2").getByRole("button", { name: /^More/ });
  // All menus are one stop; the arrows go through them.
  await shown(ada, "Never mind").getByRole("button", { name: /^More/ }).focus();
  await ada.keyboard.press("ArrowUp");
  await ada.locator(".more:focus").waitFor();
  assert.ok(await more.evaluate((element) => element === document.activeElement));
  assert.equal(await ada.locator(".more[tabindex='0']").count(), 1);
  await ada.keyboard.press("Enter");
  await ada.keyboard.press("Enter");
  await shown(ada, "hunter2").getByText("Remove it for everybody?").waitFor();
  await ada.keyboard.press("Escape");
  await shown(ada, "hunter2").getByText("Remove it for everybody?").waitFor({ state: "hidden" });
  assert.ok(await shown(ben, "hunter2").isVisible(), "nothing was removed yet");
  await ada.keyboard.press("Enter");
  await ada.keyboard.press("Enter");
  await ada.keyboard.press("Shift+Tab");
  await ada.keyboard.press("Enter");
  for (const page of [ada, ben]) {
    await shown(page, "removed by ada").waitFor();
    assert.ok(!(await page.content()).includes("hunter2"));
  }
  await ada.locator(".message:focus", { hasText: "removed by ada" }).waitFor();
  await shown(ada, "removed by ada").getByRole("button", { name: /^More/ }).waitFor({ state: "hidden" });
});

test("a human removes what others said, also an alert and what is read later", async () => {
  await hub.post("/messages/send", { from_entity: "scout", content: "Something rude" });
  await shown(ben, "Something rude").getByRole("button", { name: /^More/ }).click();
  await shown(ben, "Something rude")
    .getByRole("button", { name: /^Remove/ })
    .click();
  await shown(ben, "Something rude").getByRole("button", { name: "Yes, remove it" }).click();
  await shown(ada, "removed by ben").waitFor();
  const { message_id } = await hub.post("/messages/send", {
    from_entity: "scout",
    channel: "urgent",
    content: "Leaked",
  });
  const alert = ada.getByRole("alert").locator(".alert");
  await alert.filter({ hasText: "Leaked" }).waitFor();
  await hub.post(`/messages/${message_id}/redact`, { entity_id: "scout" });
  await alert.filter({ hasText: "removed by scout" }).waitFor();
  await ada.reload();
  await live(ada);
  await shown(ada, "removed by ben").waitFor();
  assert.ok(!(await ada.content()).includes("Leaked"));
});

test("nothing went wrong", () => {
  assert.deepEqual([...ada.faults, ...ben.faults], []);
});
