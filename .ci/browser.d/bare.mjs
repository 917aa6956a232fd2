// A page that nothing looks into: Playwright has the browser keep what a page has fetched, which would count as the page's memory.

import { setTimeout as sleep } from "node:timers/promises";

export class BarePage {
  #client;
  #session;
  #number = 0;
  #waiting = new Map();

  static async open(chrome, url) {
    const page = new BarePage();
    page.#client = await chrome.newBrowserCDPSession();
    page.#client.on("Target.receivedMessageFromTarget", ({ message }) => {
      const { id, result, error } = JSON.parse(message);
      const waiting = page.#waiting.get(id);
      page.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result);
    });
    const { targetId } = await page.#client.send("Target.createTarget", { url, width: 1280, height: 860 });
    page.target = targetId;
    ({ sessionId: page.#session } = await page.#client.send("Target.attachToTarget", { targetId, flatten: false }));
    await page.send("Performance.enable");
    return page;
  }

  send(method, params = {}) {
    const id = (this.#number += 1);
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    return this.#client.send("Target.sendMessageToTarget", { sessionId: this.#session, message: JSON.stringify({ id, method, params }) }).then(() => answer);
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  }

  async until(expression, limitMs = 30_000) {
    for (const end = Date.now() + limitMs; Date.now() < end; await sleep(100)) if (await this.evaluate(expression)) return;
    throw new Error(`not within ${limitMs} ms: ${expression}`);
  }

  /** Seconds, but for `heap`, which is in bytes. */
  async metrics() {
    const { metrics } = await this.send("Performance.getMetrics");
    const value = (name) => metrics.find((metric) => metric.name === name).value;
    return { at: value("Timestamp"), task: value("TaskDuration"), cpu: value("ThreadTime"), heap: value("JSHeapUsedSize") };
  }

  async close() {
    await this.#client.send("Target.closeTarget", { targetId: this.target });
    await this.#client.detach();
  }
}
