/** Without a mouse, without eyes, on a small screen, in the dark. */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestHub, live, logIs, openBrowser, openPage, signIn } from "./support.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const WIDE = { width: 1360, height: 900 };
const NARROW = { width: 360, height: 740 };
const LONG = "Averylongwordwithoutanyspacethatmustnotpushthepageasunderatanywidth".repeat(3);

/** @type {TestHub} */
let hub;
/** @type {import("./support.js").Browser} */
let browser;
/** Where the screenshots go. */
let pictures = process.env.COORDHUB_SCREENSHOTS ?? "";

before(async () => {
  hub = await TestHub.start();
  browser = await openBrowser();
  pictures ||= await mkdtemp(join(tmpdir(), "coordhub-screenshots-"));
  await mkdir(pictures, { recursive: true });
  await fill();
});
after(async () => {
  console.log(`screenshots, to be looked at: ${pictures}`);
  await browser?.close();
  await hub?.end();
});

/** Something of everything. */
async function fill() {
  const scout = await hub.agent("scout");
  const builder = await hub.agent("builder-with-a-long-name-7");
  await hub.post("/entities/register", { entity_id: "james", entity_type: "human", name: "James" });
  await hub.post("/entities/register", { entity_id: "backup", entity_type: "service", name: "Backup" });
  await hub.post("/entities/scout/heartbeat", { activity: "running the tests" });
  await scout.say("general", "API endpoints are ready at localhost:8401.");
  await builder.say(
    "general",
    "Thanks! Integrating the UI now.\nSecond line, and a link that is none: https://example.org/a/b",
  );
  await builder.say("general", LONG);
  await hub.post("/messages/send", {
    from_entity: "james",
    channel: "general",
    content: "صباح الخير",
    message_type: "greeting",
  });
  await scout.say("technical", "Build 12 is green.");
  const tasks = [
    {
      task_id: "spend",
      title: "Approve $10K marketing spend",
      requires_human: true,
      priority: "high",
      description: "For the launch in May. The offer is in the shared folder.",
    },
    { task_id: "deploy", title: "Deploy to production", priority: "urgent", tags: ["deploy", "release"] },
    { task_id: "after", title: "Announce it", depends_on: ["deploy"] },
    { task_id: "long", title: LONG, priority: "low", description: LONG },
    { task_id: "done", title: "Write the guide" },
    { task_id: "not", title: "Rewrite it in another language" },
  ];
  for (const task of tasks) {
    await hub.post("/tasks/create", { created_by: "scout", ...task });
  }
  const hour = new Date(Date.now() + 3_600_000).toISOString();
  await hub.post("/questions/ask", {
    question: "Which region do we deploy to first?\nBoth are ready; moving later costs a day.",
    options: ["eu-west", "us-east", "Both at once, and we watch the error rate together"],
    deadline: hour,
    default: "eu-west",
    asked_by: "scout",
  });
  await hub.post("/questions/ask", { question: "What do we call the release?", asked_by: "scout" });
  await hub.post("/tasks/create", {
    task_id: "leased",
    title: "Measure the latency",
    created_by: "scout",
    max_attempts: 3,
  });
  await hub.post("/tasks/leased/claim", { entity_id: "builder-with-a-long-name-7", lease_seconds: 3_600 });
  await hub.post("/tasks/leased/update", { entity_id: "scout", note: "Half of the runs are done." });
  await hub.post("/tasks/create", {
    task_id: "later",
    title: "Rotate the keys",
    created_by: "scout",
    not_before: hour,
  });
  const rude = await scout.say("general", "Something that should not stand here");
  await hub.post(`/messages/${rude.message_id}/redact`, { entity_id: "james" });
  await hub.post("/tasks/deploy/claim", { entity_id: "scout" });
  await hub.post("/tasks/done/claim", { entity_id: "scout" });
  await hub.post("/tasks/done/complete", { result: { pages: 12, where: "docs/" } });
  await hub.post("/tasks/not/cancel", { entity_id: "scout" });
  await hub.post("/proposals/create", {
    proposal_id: "p1",
    title: "Deploy on Friday",
    proposed_by: "scout",
    requires_human: true,
    description: "The week after is a holiday.",
    early_close: false,
  });
  await hub.post("/proposals/p1/vote", { entity_id: "scout", vote: "for", comment: "Ready when you are" });
  await hub.post("/proposals/p1/vote", { entity_id: "james", vote: "against" });
  await hub.post("/proposals/create", {
    proposal_id: "p2",
    title: "Use tabs",
    proposed_by: "james",
    electorate: ["scout"],
  });
  await hub.post("/proposals/p2/vote", { entity_id: "scout", vote: "against" });
}

/** @param {import("./support.js").WatchedPage} page @param {string} state */
async function assertAccessible(page, state) {
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() =>
    /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] }),
  );
  const found = violations.map(
    (/** @type {any} */ rule) =>
      `${rule.id}: ${rule.nodes.map((/** @type {any} */ node) => `${node.html} ${node.failureSummary}`).join("; ")}`,
  );
  assert.deepEqual(found, [], state);
}

/** @param {import("./support.js").WatchedPage} page @param {string} state */
async function assertFits(page, state) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(Number(content) <= Number(window), `${state}: ${content} in ${window} pixels`);
}

for (const [size, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`${size}, ${colorScheme}`, async () => {
      const look = `${size}-${colorScheme}`;
      /** @type {string[]} */
      const calls = [];
      const page = await openPage(browser, hub, { viewport, colorScheme });
      /** @param {string} state */
      const inspect = async (state) => {
        await assertAccessible(page, `${look} ${state}`);
        await assertFits(page, `${look} ${state}`);
        await page.screenshot({ path: join(pictures, `${look}-${state}.png`) });
      };
      await page.getByLabel("Your name").waitFor();
      await inspect("entrance");
      await signIn(page, `Ada ${look}`);
      await page.locator(".log .message").first().waitFor();
      await inspect("begin");
      await hub.post("/messages/send", {
        from_entity: "scout",
        channel: "urgent",
        content: "CPU at 95 %, need immediate action",
        message_type: "alert",
      });
      await hub.post("/messages/send", {
        from_entity: "james",
        to_entity: `ada-${look}`,
        content: "Do you have a minute?",
      });
      await page.locator("hub-alerts .alert").first().waitFor();
      for (const channel of ["general", "urgent"]) {
        const content = `Please read the rules for ${channel}, they are new`;
        const deadline = new Date(Date.now() + 3_600_000).toISOString();
        const call = { from_entity: "scout", channel, content, ack_required: true, ack_deadline: deadline };
        const { message_id } = await hub.post("/messages/send", call);
        await hub.post(`/messages/${message_id}/ack`, { entity_id: "james" });
        calls.push(message_id);
      }
      await page.locator("hub-alerts .roll-call").getByText("1 of").waitFor();
      if (size === "narrow") {
        await inspect("talk");
        const shown = await page.locator(".column:visible").evaluateAll((columns) => columns.map(({ id }) => id));
        assert.deepEqual(shown, ["talk"], "one column at a time");
        await page.getByRole("button", { name: /^Channels/ }).click();
        await inspect("who");
        await page.getByRole("button", { name: /^Work/ }).click();
      }
      await page.locator("hub-waiting li").first().waitFor();
      await inspect("waiting");
      await page.locator("[data-task=leased] .notes-box summary").click();
      await page.locator("[data-task=leased] .notes li").waitFor();
      await page.locator("[data-task=leased]").scrollIntoViewIfNeeded();
      await inspect("notes");
      await page.getByText("Finished (", { exact: false }).click();
      await page.getByText("Decided (", { exact: false }).click();
      await inspect("work");
      await page.getByText("New task", { exact: true }).click();
      await page.getByText("New proposal", { exact: true }).click();
      await inspect("forms");
      if (size === "narrow") {
        await page.getByRole("button", { name: /^Talk/ }).click();
      }
      await page.locator("hub-chat .more").last().click();
      await page.locator("hub-chat .menu:visible button").first().click();
      await page
        .locator("hub-chat")
        .getByRole("button", { name: /^Show who has/ })
        .last()
        .click();
      await page.locator("hub-chat .receipts li").first().waitFor();
      await page.locator("hub-chat .roll-call").last().scrollIntoViewIfNeeded();
      await inspect("roll-call");
      for (const id of calls) {
        await hub.post(`/messages/${id}/resolve`, { entity_id: "scout" });
      }
      await page.locator("hub-alerts .roll-call").waitFor({ state: "detached" });
      await page.route("**/messages/send", (route) => route.abort());
      await page.locator("#message").fill("This does not get through");
      await page.getByRole("button", { name: "Send", exact: true }).click();
      await page.getByRole("button", { name: "Retry" }).waitFor();
      await inspect("unsent");
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  }
}

test("a lost connection is plain to see, and to hear", async () => {
  const page = await openPage(browser, hub, { viewport: NARROW });
  await signIn(page, "Lost Lou");
  await hub.kill();
  await page.getByRole("status").filter({ hasText: "Connection lost" }).waitFor();
  await assertAccessible(page, "lost");
  await assertFits(page, "lost");
  await page.screenshot({ path: join(pictures, "narrow-light-lost.png") });
  await hub.start();
  await live(page);
  await page.context().close();
});

/** Tabs on until the focus is where it should be, and sees that it can be seen. */
/** @param {import("./support.js").WatchedPage} page @param {string} selector */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press("Tab");
    const { there, outline } = await page.evaluate((selector) => {
      const element = document.activeElement;
      return {
        there: element?.matches(selector) ?? false,
        outline: element ? getComputedStyle(element).outlineStyle : "none",
      };
    }, selector);
    if (there) {
      assert.notEqual(outline, "none", `the focus on ${selector} cannot be seen`);
      return;
    }
  }
  throw new Error(`the keyboard does not reach ${selector}`);
}

test("everything can be done with the keyboard alone", async () => {
  const page = await openPage(browser, hub);
  const { keyboard } = page;
  await page.locator("#name").waitFor();
  await keyboard.type("Keyboard Kim");
  await keyboard.press("Enter");
  await live(page);

  await tabTo(page, "hub-channels li:nth-child(2) button");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "#technical" }).waitFor();
  await logIs(page, ["Build 12 is green."]);
  await tabTo(page, "#message");
  await keyboard.type("First line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await logIs(page, ["Build 12 is green.", "First line\nsecond line"]);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "message", "one can go on writing");

  await tabTo(page, "hub-waiting .place");
  await keyboard.press("Enter");
  await page.locator("#work .card:focus").waitFor();
  await tabTo(page, ".options button[aria-label^='us-east']");
  await keyboard.press("Space");
  await page.locator(".options button[aria-label^='us-east']").waitFor({ state: "detached" });
  const { tasks } = await hub.get("/tasks/list?status=completed");
  assert.ok(tasks.some((/** @type {any} */ task) => task.result === "us-east" && task.claimed_by === "keyboard-kim"));

  await tabTo(page, "[data-task=spend] [aria-label^=Claim]");
  await keyboard.press("Enter");
  await page.locator("[data-task=spend][data-status=in_progress]").waitFor();
  // The focus goes where one goes on.
  await page.locator("[data-task=spend] input:focus").waitFor();
  await keyboard.type("approved");
  await tabTo(page, "[data-task=spend] [aria-label^=Complete]");
  await keyboard.press("Space");
  await page.locator("[data-task=spend][data-status=completed]").waitFor({ state: "attached" });
  assert.equal((await hub.get("/tasks/spend")).result, "approved");
  assert.ok(
    await page
      .locator("hub-tasks .cards")
      .first()
      .evaluate((list) => list.contains(document.activeElement)),
  );

  await tabTo(page, "hub-task-form summary");
  await keyboard.press("Enter");
  await keyboard.press("Tab");
  await keyboard.type("Made without a mouse");
  await keyboard.press("Enter");
  await page.locator("hub-tasks h3", { hasText: "Made without a mouse" }).waitFor();

  await tabTo(page, "[data-proposal=p1] [aria-label^='Vote for']");
  await keyboard.press("Enter");
  await page.locator("[data-proposal=p1] [aria-pressed=true]").waitFor();

  await hub.post("/messages/send", { from_entity: "scout", channel: "urgent", content: "Wake up" });
  await page.getByRole("alert").filter({ hasText: "Wake up" }).waitFor();
  await tabTo(page, "hub-alerts .primary");
  await keyboard.press("Enter");
  await page.locator("hub-alerts").waitFor({ state: "hidden" });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
