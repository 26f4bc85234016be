/** What the tests share: a hub of one's own, people with browsers, an agent without one. */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

/**
 * @typedef {import("playwright-core").Browser} Browser
 * @typedef {import("playwright-core").Page} Page
 */

const BINARY = process.env.COORDHUB_BIN;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];
const START_MS = 15_000;

/** A hub with a folder of its own, which can be killed and come back on the same port. */
export class TestHub {
  /** @type {import("node:child_process").ChildProcess | null} */
  #child = null;
  #port = 0;

  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
    /** @type {string[]} */
    this.options = [];
  }

  /** @param {string[]} [options]  Further ones of `coordhub serve`. */
  static async start(options = []) {
    const hub = new TestHub(await mkdtemp(join(tmpdir(), "coordhub-page-")));
    hub.options = options;
    await hub.start();
    return hub;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start() {
    if (!BINARY) {
      throw new Error("COORDHUB_BIN names no hub");
    }
    const child = spawn(BINARY, ["serve", "--bind", `127.0.0.1:${this.#port}`, ...this.options], {
      cwd: this.folder,
      env: { HOME: this.folder, PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    this.#port = await port(child);
  }

  /** As the power would. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (child && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  async end() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** @param {string} path @returns {Promise<any>} */
  async get(path) {
    return answered(await fetch(this.url + path));
  }

  /** @param {string} path @param {object} [body] @returns {Promise<any>} */
  async post(path, body = {}) {
    return answered(await fetch(this.url + path, { method: "POST", body: JSON.stringify(body) }));
  }

  /** An agent that is driven from here, and speaks HTTP alone. @param {string} id */
  async agent(id) {
    await this.post("/entities/register", { entity_id: id, entity_type: "ai_agent", name: `Agent ${id}` });
    return {
      id,
      /** @param {string} channel @param {string} content */
      say: (channel, content) => this.post("/messages/send", { from_entity: id, channel, content }),
      /** @param {string} to_entity @param {string} content */
      tell: (to_entity, content) => this.post("/messages/send", { from_entity: id, to_entity, content }),
    };
  }
}

/** @param {Response} response */
export async function answered(response) {
  const body = await response.json();
  if (!response.ok) {
    throw new Error(`${response.url}: ${response.status} ${body.detail}`);
  }
  return body;
}

/** The port that the hub says it listens on. @param {import("node:child_process").ChildProcess} child @returns {Promise<number>} */
function port(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`the hub did not start: ${said}`)), START_MS);
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      said += text;
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
      if (found) {
        clearTimeout(timer);
        resolve(Number(found[1]));
      }
    });
    child.once("exit", (code) => reject(new Error(`the hub ended with ${code}: ${said}`)));
  });
}

export function openBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS, chromiumSandbox: false });
}

/** @typedef {Page & { faults: string[] }} WatchedPage */

/**
 * A window of one person: its own storage, and a list of everything that went wrong in it.
 *
 * @param {Browser} browser
 * @param {TestHub} hub
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<WatchedPage>}
 */
export async function openPage(browser, hub, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options });
  const page = /** @type {WatchedPage} */ (await context.newPage());
  page.setDefaultTimeout(10_000);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    // That a lost connection cannot be made is said by the browser, not by the page.
    if (
      message.type() === "error" &&
      !/ERR_CONNECTION_REFUSED|ERR_FAILED|ERR_INCOMPLETE|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|status of 404/.test(
        message.text(),
      )
    ) {
      page.faults.push(message.text());
    }
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(hub.url) && !request.url().startsWith("data:")) {
      page.faults.push(`a request to ${request.url()}`);
    }
  });
  await page.goto(hub.url);
  return page;
}

/** @param {Page} page @param {string} name */
export async function signIn(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Enter" }).click();
  await live(page);
}

/** @param {Page} page */
export async function live(page) {
  await page.locator(".connection[data-state=live]").waitFor();
}

/** @param {Page} page @param {string} text */
export async function say(page, text) {
  await page.locator("#message").fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** What the log shows, in its order. @param {Page} page @returns {Promise<string[]>} */
export function log(page) {
  return page.locator(".log .message > .content").allTextContents();
}

/**
 * Waits until something is so. The page's policy forbids the browser to evaluate what it is told to wait for itself.
 *
 * @param {() => Promise<boolean>} condition
 * @param {() => Promise<string> | string} otherwise  What to say where it never is.
 */
export async function until(condition, otherwise) {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      throw new Error(await otherwise());
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the log shows just this. @param {Page} page @param {string[]} expected */
export async function logIs(page, expected) {
  const wanted = JSON.stringify(expected);
  await until(
    async () => JSON.stringify(await log(page)) === wanted,
    async () => `the log shows ${JSON.stringify(await log(page))} instead of ${wanted}`,
  );
}
