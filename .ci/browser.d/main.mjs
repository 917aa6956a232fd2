// Runs the checks of the dashboard against `mlvi up` in Chromium.
//
// Environment: MLVI_BINARY, CHROMIUM, BROWSER_PORT, BROWSER_OUT (a folder for logs, data and
// screenshots) and BROWSER_MODULES (a folder with playwright-core and axe-core).
// Arguments: words of the checks that are wanted; all without.

import { createRequire } from "node:module";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CHECKS } from "./checks.mjs";
import { Browser } from "./page.mjs";
import { Suite } from "./suite.mjs";

const EVERY_MS = 250;
const PHOTOS = { counter: "images/coffee.jpg", garage: "images/motorcycle_left.jpg", field: "images/camera.jpg", hall: "images/coffee.jpg" };

const out = resolve(process.env.BROWSER_OUT);
const modules = createRequire(pathToFileURL(join(resolve(process.env.BROWSER_MODULES), "package.json")));
const { chromium } = modules("playwright-core");
const screenshots = join(out, "screenshots");

await rm(out, { recursive: true, force: true });
await mkdir(screenshots, { recursive: true });
const suite = new Suite({ binary: process.env.MLVI_BINARY, port: process.env.BROWSER_PORT, data: join(out, "broker"), log: join(out, "up.log") });

/** Screenshots of a page in both colours and on a phone, each looked at by axe. */
async function look(browser, page, name) {
  await page.emulateMedia({ colorScheme: "light" });
  const wide = page.viewportSize();
  for (const [suffix, scheme, size] of [["light", "light", wide], ["dark", "dark", wide], ["phone", "light", { width: 390, height: 844 }]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(size);
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(screenshots, `${name}-${suffix}.png`), fullPage: suffix === "phone" });
    await browser.accessible(page, `${name}, ${suffix}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) throw new Error(`${name}, ${suffix}: wider than the screen by ${wider} pixels`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(wide);
}

const wanted = process.argv.slice(2).join(" ");
let failed = 0;
let stopPlaying = null;
const chrome = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // root may not have Chromium's sandbox; a container's /dev/shm may be small
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});
try {
  await suite.start();
  const browser = new Browser(chrome, suite.url, modules.resolve("axe-core/axe.min.js"));
  for (const [name, check, playing] of CHECKS) {
    if (!name.includes(wanted)) continue;
    if (playing) stopPlaying ??= suite.play(PHOTOS, EVERY_MS);
    else {
      await stopPlaying?.();
      stopPlaying = null;
    }
    const began = Date.now();
    const notes = [];
    try {
      await check({ browser, suite, note: (text) => notes.push(text), look: (page, as) => look(browser, page, as) });
      const complaints = browser.complaints.splice(0);
      if (complaints.length > 0) throw new Error(`the page complains:\n  ${complaints.join("\n  ")}`);
      console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      browser.forgiving = false;
      browser.complaints.splice(0);
      console.log(`FAIL  ${name}\n${error.stack ?? error}`);
      const pages = chrome.contexts().flatMap((context) => context.pages());
      for (const [i, page] of pages.entries()) await page.screenshot({ path: join(screenshots, `failed-${failed}-${i}.png`) }).catch(() => {});
      for (const context of chrome.contexts()) await context.close();
    }
    for (const note of notes) console.log(`      ${note}`);
  }
} finally {
  await stopPlaying?.();
  await chrome.close();
  await suite.stop();
}
console.log(failed === 0 ? `all is well; screenshots are in ${screenshots}` : `${failed} failed; the suite's log is ${suite.log}`);
process.exitCode = failed === 0 ? 0 : 1;
