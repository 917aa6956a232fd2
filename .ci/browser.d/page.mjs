// A browser's page, and what every page must fulfil.

import { readFile } from "node:fs/promises";
import { strict as assert } from "node:assert";

const PATIENCE_MS = 30_000;

/** Opens pages, and remembers what they complain of. */
export class Browser {
  complaints = [];
  /** While the server is away on purpose, a browser may say so. */
  forgiving = false;

  constructor(browser, url, axe) {
    Object.assign(this, { browser, url, axe });
  }

  async page({ width = 1280, height = 860, dark = false, permissions = [], timezoneId } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      deviceScaleFactor: width < 600 ? 2 : 1,
      permissions,
      timezoneId,
      // of the certificate that `mlvi up` makes itself
      ignoreHTTPSErrors: true,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("console", (message) => {
      if (message.type() === "error" && !this.forgiving) this.complaints.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.complaints.push(`${page.url()}: ${error.stack ?? error}`));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith("http") && origin !== this.url) this.complaints.push(`asks elsewhere: ${request.url()}`);
    });
    return page;
  }

  async open(path, options) {
    const page = await this.page(options);
    await page.goto(`${this.url}/${path}`);
    return page;
  }

  /** No serious finding of axe. */
  async accessible(page, name) {
    await page.evaluate(await this.#axe());
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} (${node.failureSummary})`).join("; ")}`);
    assert.deepEqual(told, [], `${name}: axe finds`);
  }

  #source = null;
  async #axe() {
    this.#source ??= await readFile(this.axe, "utf8");
    return this.#source;
  }
}

/** Drops files on a page, as a person would. */
export async function drop(page, files) {
  const given = await Promise.all(files.map(async ({ name, type, path, text }) => ({
    name, type, base64: (path ? await readFile(path) : Buffer.from(text)).toString("base64"),
  })));
  const transfer = await page.evaluateHandle((list) => {
    const data = new DataTransfer();
    for (const { name, type, base64 } of list) {
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
    }
    return data;
  }, given);
  for (const event of ["dragenter", "dragover", "drop"]) await page.dispatchEvent("body", event, { dataTransfer: transfer });
}

/**
 * The share of the time in which a page's main thread was busy, over some milliseconds: with tasks, which on a machine that is busy itself
 * take longer, and by its CPU time.
 */
export async function busy(page, milliseconds) {
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  const taken = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    const value = (name) => metrics.find((metric) => metric.name === name).value;
    return { at: value("Timestamp"), task: value("TaskDuration"), cpu: value("ThreadTime"), heap: value("JSHeapUsedSize") };
  };
  const before = await taken();
  await page.waitForTimeout(milliseconds);
  const after = await taken();
  await client.detach();
  const of = (what) => (after[what] - before[what]) / (after.at - before.at);
  return { share: of("task"), cpu: of("cpu"), heapMiB: after.heap / 1024 / 1024 };
}
