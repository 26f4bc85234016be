/** The page's store against the hub: applying the whole log gives what the hub's own lists say. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Store } from "../../coordhub-server/src/dashboard/js/store.js";
import { TestHub } from "./support.js";

/** @type {TestHub} */
let hub;
before(async () => {
  hub = await TestHub.start();
});
after(() => hub?.end());

/** Does what may be refused. @param {string} path @param {object} [body] */
async function attempt(path, body) {
  await hub.post(path, body).catch(() => {});
}

/** Numbers that are the same each time. @param {number} seed */
function numbers(seed) {
  return (/** @type {number} */ below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
}

/** Everything that people and agents do, in an order that the seed decides. @param {number} seed @param {number} steps */
async function live(seed, steps) {
  const next = numbers(seed);
  const who = () => `e${next(5)}`;
  const task = () => `/tasks/t${next(12)}`;
  const proposal = () => `/proposals/p${next(5)}`;
  const acts = [
    () =>
      attempt("/entities/register", {
        entity_id: who(),
        entity_type: next(2) ? "human" : "ai_agent",
        name: `n${next(9)}`,
      }),
    () => fetch(`${hub.url}/entities/e4?entity_id=e4`, { method: "DELETE" }),
    () =>
      attempt("/tasks/create", {
        task_id: `t${next(12)}`,
        title: "t",
        created_by: who(),
        depends_on: next(3) ? [] : [`t${next(12)}`],
        max_attempts: next(2) ? 2 : null,
        retry_delay_seconds: next(2) ? 3_600 : null,
        not_before: next(6) ? null : "2099-01-01T00:00:00Z",
        on_blocker_failed: next(2) ? "cancel" : "hold",
        requires_human: next(4) === 0,
      }),
    () =>
      attempt("/questions/ask", {
        question: "q",
        asked_by: who(),
        options: next(2) ? [] : ["a"],
        deadline: next(2) ? null : new Date(Date.now() + 100).toISOString(),
        default: null,
      }),
    () => attempt(`${task()}/answer`, { entity_id: who(), answer: "a" }),
    () => attempt(`${task()}/claim`, { entity_id: who(), lease_seconds: 600 }),
    () => attempt(`${task()}/complete`, { claim_token: 1 }),
    () => attempt(`${task()}/fail`, { reason: "r", claim_token: 1 }),
    () => attempt(`${task()}/reassign`, { entity_id: who() }),
    () => attempt(`${task()}/update`, { entity_id: who(), note: `n${next(9)}` }),
    () => attempt(`${task()}/claim`, { entity_id: who() }),
    () => attempt(`${task()}/claim`, { entity_id: who() }),
    () => attempt(`${task()}/complete`, { result: { n: next(9) } }),
    () => attempt(`${task()}/fail`, { reason: "r" }),
    () => attempt(`${task()}/release`),
    () => attempt(`${task()}/cancel`, { entity_id: who() }),
    () => attempt(`${task()}/reopen`, { entity_id: who() }),
    () => attempt(`${task()}/update`, { entity_id: who(), priority: next(2) ? "high" : "low", tags: [`g${next(3)}`] }),
    () =>
      attempt("/proposals/create", {
        proposal_id: `p${next(5)}`,
        title: "p",
        proposed_by: who(),
        quorum: next(2) ? 2 : null,
      }),
    () => attempt(`${proposal()}/vote`, { entity_id: who(), vote: ["for", "against", "abstain"][next(3)] }),
    () => attempt(`${proposal()}/withdraw`, { entity_id: who() }),
    () =>
      attempt("/messages/send", {
        from_entity: who(),
        content: "m",
        ...(next(2) ? { to_entity: who() } : { channel: `c${next(3)}` }),
      }),
  ];
  for (let step = 0; step < steps; step += 1) {
    await acts[next(acts.length)]?.();
  }
}

/** @param {any[]} rows @param {string} id @param {string[]} without */
function byId(rows, id, without) {
  const bare = rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !without.includes(name))));
  return bare.sort((a, b) => (a[id] < b[id] ? -1 : 1));
}

test("the log makes what the lists say", async () => {
  await live(7, 600);
  const { events } = await hub.get("/events?since=0&limit=1000");
  const store = new Store("observer");
  events.forEach((/** @type {import("../../coordhub-server/src/dashboard/js/types.js").HubEvent} */ event) => {
    assert.ok(store.apply(event));
    assert.ok(!store.apply(event), "an event counts once");
  });
  const { tasks } = await hub.get("/tasks/list");
  const { proposals } = await hub.get("/proposals/list");
  const { entities } = await hub.get("/entities/list");
  assert.ok(tasks.length > 5 && proposals.length > 2, "something happened");
  // Whether a claim is stale is soft, as presence is.
  assert.deepEqual(byId([...store.tasks.values()], "task_id", ["stale"]), byId(tasks, "task_id", ["stale"]));
  // The quorum of what is outdated is read again by the page.
  const same = ["quorum"];
  assert.deepEqual(byId([...store.proposals.values()], "proposal_id", same), byId(proposals, "proposal_id", same));
  for (const { proposal_id, quorum } of proposals) {
    const known = store.proposals.get(proposal_id);
    assert.ok(known?.quorum === quorum || store.outdated.proposals.has(proposal_id), `the quorum of ${proposal_id}`);
  }
  const soft = ["status", "activity", "last_seen"];
  assert.deepEqual(byId([...store.entities.values()], "entity_id", soft), byId(entities, "entity_id", soft));
});

test("lists that are ahead of their position come right with the stream", async () => {
  const { events } = await hub.get("/events?since=0&limit=1000");
  const tasks = (await hub.get("/tasks/list")).tasks;
  const proposals = (await hub.get("/proposals/list")).proposals;
  const entities = (await hub.get("/entities/list")).entities;
  for (const position of [0, 50, Math.floor(events.length / 2)]) {
    const store = new Store("observer");
    store.reset({ epoch: "e", position, entities, channels: [], tasks, proposals, unreadDirect: [], urgent: [] });
    events.forEach((/** @type {any} */ event) => store.apply(event));
    assert.deepEqual(byId([...store.tasks.values()], "task_id", ["stale"]), byId(tasks, "task_id", ["stale"]));
    assert.deepEqual(
      byId([...store.proposals.values()], "proposal_id", ["quorum"]),
      byId(proposals, "proposal_id", ["quorum"]),
    );
  }
});

test("a message stands in its conversation once, wherever it came from", () => {
  const store = new Store("ada");
  const message = (/** @type {number} */ seq, from = "bob", to = /** @type {string | null} */ (null)) => ({
    message_id: `m${seq}`,
    seq,
    from_entity: from,
    to_entity: to,
    channel: to ? null : "general",
    content: "x",
    message_type: "text",
    metadata: {},
    reply_to: null,
    ack_required: false,
    timestamp: "2026-01-01T00:00:00.000Z",
  });
  const said = (/** @type {any} */ data) => ({
    seq: data.seq,
    at: data.timestamp,
    kind: "message_sent",
    actor: data.from_entity,
    data,
  });
  const general = /** @type {const} */ ({ kind: "channel", id: "general" });
  store.remember(general, [message(3), message(1)]);
  store.apply(said(message(2)));
  store.apply(said(message(3)));
  store.remember(general, [message(2)]);
  assert.deepEqual(
    store.at(general).messages.map(({ seq }) => seq),
    [1, 2, 3],
  );
  store.apply(said(message(4, "bob", "ada")));
  store.apply(said(message(5, "ada", "bob")));
  assert.deepEqual(
    store.at({ kind: "direct", id: "bob" }).messages.map(({ seq }) => seq),
    [4, 5],
  );
  assert.equal(store.at({ kind: "direct", id: "bob" }).unread, 1);
});

test("a roll-call comes right, whether its event or its receipts come first", () => {
  const at = "2026-01-01T00:00:00.000Z";
  const opened = { message_id: "m", recipients: ["ada", "bob"], deadline: null };
  const receipts = (/** @type {string | null} */ acked_at, /** @type {string | null} */ resolved_by = null) => ({
    message_id: "m",
    ack_deadline: null,
    resolved_at: resolved_by && at,
    resolved_by,
    recipients: ["ada", "bob"].map((entity_id) => ({ entity_id, acked_at: entity_id === "bob" ? acked_at : null })),
  });
  const orders = [
    (/** @type {Store} */ store, /** @type {any} */ happened) => {
      happened("roll_call_opened", opened);
      happened("message_acked", { message_id: "m", entity_id: "bob" });
      store.receipts(receipts(null));
    },
    (/** @type {Store} */ store, /** @type {any} */ happened) => {
      store.receipts(receipts(at));
      happened("roll_call_opened", opened);
      happened("message_acked", { message_id: "m", entity_id: "bob" });
    },
    (/** @type {Store} */ store, /** @type {any} */ happened) => {
      happened("message_acked", { message_id: "m", entity_id: "bob" });
      store.receipts(receipts(null));
    },
  ];
  for (const order of orders) {
    const store = new Store("ada");
    let seq = 0;
    const happened = (/** @type {string} */ kind, /** @type {any} */ data) =>
      store.apply({ seq: (seq += 1), at, kind, actor: null, data });
    order(store, happened);
    const rollCall = store.rollCalls.get("m");
    assert.deepEqual(
      rollCall?.recipients.map(({ entity_id, acked_at }) => [entity_id, acked_at]),
      [
        ["ada", null],
        ["bob", at],
      ],
    );
    assert.ok(store.rollCalls.owes("m", "ada", false));
    assert.ok(!store.rollCalls.owes("m", "bob", true), "what the hub said is older");
    happened("roll_call_resolved", { message_id: "m", resolved_by: "bob" });
    store.receipts(receipts(at));
    assert.ok(!store.rollCalls.owes("m", "ada", true));
    assert.equal(store.rollCalls.get("m")?.resolvedBy, "bob");
  }
});

test("what was removed stays removed, however old the page of history", () => {
  const store = new Store("ada");
  const at = "2026-01-01T00:00:00.000Z";
  const message = {
    message_id: "m1",
    seq: 1,
    from_entity: "bob",
    to_entity: null,
    channel: "general",
    content: "secret",
    message_type: "text",
    metadata: {},
    reply_to: null,
    ack_required: false,
    timestamp: at,
  };
  const metadata = { hub: { redacted_at: at, redacted_by: "bob" } };
  store.apply({ seq: 2, at, kind: "message_redacted", actor: "bob", data: { message_id: "m1", metadata } });
  store.remember({ kind: "channel", id: "general" }, [message]);
  assert.deepEqual(store.current.messages, [{ ...message, content: "", metadata }]);
});

test("presence comes right in whatever order it comes", () => {
  const store = new Store("ada");
  let seq = 0;
  const happened = (/** @type {string} */ kind, /** @type {any} */ data) =>
    store.apply({ seq: (seq += 1), at: "2026-01-01T00:00:00.000Z", kind, actor: null, data });
  const registered = () => happened("entity_registered", { entity: { entity_id: "bob", name: "Bob" }, joins: [] });
  const removed = () => happened("entity_removed", { entity_id: "bob", name: "Bob" });
  /** @param {"online" | "idle" | "offline"} status @param {string | null} [activity] */
  const is = (status, activity = null) => ({
    entity_id: "bob",
    status,
    activity,
    last_seen: "2026-01-01T00:00:00.000Z",
  });
  const shown = () => [store.entities.get("bob")?.status, store.entities.get("bob")?.activity];

  registered();
  assert.deepEqual(shown(), ["online", null], "whoever registers is there");
  store.told(is("online", "reading"));
  assert.deepEqual(shown(), ["online", "reading"]);
  store.awaitPresences();
  store.told(is("idle", "reading"));
  store.listed([is("online", "reading")]);
  assert.deepEqual(shown(), ["idle", "reading"], "the list may be older than what was told meanwhile");
  store.awaitPresences();
  store.listed([is("offline")]);
  assert.deepEqual(shown(), ["offline", null]);

  removed();
  store.told(is("offline"));
  registered();
  assert.deepEqual(shown(), ["online", null], "the end of the one before is not the newcomer's");

  removed();
  store.told(is("online", "early"));
  registered();
  assert.deepEqual(shown(), ["online", "early"], "told before the registration came");

  removed();
  store.awaitPresences();
  store.listed([is("offline", "late")]);
  registered();
  assert.deepEqual(shown(), ["offline", "late"], "a registration that was missed is not of this moment");
});
