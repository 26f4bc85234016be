/** What the hub serves the page with. */

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { TestHub } from "./support.js";

const SOURCES = new URL("../../coordhub-server/src/dashboard/", import.meta.url);

/** @type {TestHub} */
let hub;
before(async () => {
  hub = await TestHub.start();
});
after(() => hub?.end());

test("every file comes with the headers that keep it harmless", async () => {
  for (const [path, kind] of [
    ["/", "text/html"],
    ["/assets/main.js", "text/javascript"],
    ["/assets/style.css", "text/css"],
    ["/assets/views/chat.js", "text/javascript"],
    ["/assets/icon.svg", "image/svg+xml"],
  ]) {
    const { status, headers } = await fetch(`${hub.url}${path}`);
    assert.equal(status, 200, path);
    assert.ok(headers.get("content-type")?.startsWith(/** @type {string} */ (kind)), path);
    const policy = headers.get("content-security-policy") ?? "";
    assert.ok(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"), policy);
    assert.ok(!policy.includes("unsafe"), policy);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    const again = await fetch(`${hub.url}${path}`, { headers: { "if-none-match": headers.get("etag") ?? "" } });
    assert.equal(again.status, 304, path);
  }
  const missing = await fetch(`${hub.url}/assets/nothing.js`);
  assert.equal(missing.status, 404);
});

test("no script reads markup out of text or code out of words", async () => {
  const files = await readdir(SOURCES, { recursive: true });
  const scripts = files.filter((name) => name.endsWith(".js"));
  assert.ok(scripts.length > 15);
  for (const name of scripts) {
    const source = await readFile(new URL(name, SOURCES), "utf8");
    const found =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|DOMParser|\beval\(|new Function|createContextualFragment/.exec(
        source,
      );
    assert.equal(found, null, `${name}: ${found?.[0]}`);
    assert.ok(source.split("\n").length < 300, `${name} is long`);
  }
});
