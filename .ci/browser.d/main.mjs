// Runs the checks of the dashboard against `mlvi up` in Chromium.
//
// Environment: MLVI_BINARY, CHROMIUM, BROWSER_PORT, BROWSER_OUT (a folder for logs, data and
// screenshots) and BROWSER_MODULES (a folder with playwright-core and axe-core).
// Arguments: words of the checks that are wanted; all without. Or --soak [MINUTES].

import { createRequire } from "node:module";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CHECKS } from "./checks.mjs";
import { LOCKED, lockedSuite } from "./locked.mjs";
import { Browser } from "./page.mjs";
import { soak } from "./soak.mjs";
import { Suite } from "./suite.mjs";

const EVERY_MS = 250;
const PHOTOS = { counter: "images/coffee.jpg", garage: "images/motorcycle_left.jpg", field: "images/camera.jpg", hall: "images/coffee.jpg" };

const out = resolve(process.env.BROWSER_OUT);
const modules = createRequire(pathToFileURL(join(resolve(process.env.BROWSER_MODULES), "package.json")));
const { chromium } = modules("playwright-core");
const screenshots = join(out, "screenshots");

await rm(out, { recursive: true, force: true });
await mkdir(screenshots, { recursive: true });
const binary = process.env.MLVI_BINARY;
const port = Number(process.env.BROWSER_PORT);
const suite = new Suite({ binary, port, data: join(out, "broker"), log: join(out, "up.log"), args: ["--settings-changes", "--history"] });

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
    const cut = await page.evaluate(() => [...document.querySelectorAll("header nav")].some((nav) => nav.scrollWidth > nav.clientWidth));
    if (cut) throw new Error(`${name}, ${suffix}: the views in the bar do not fit`);
    if (wider > 0) throw new Error(`${name}, ${suffix}: wider than the screen by ${wider} pixels`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(wide);
}

/** Runs the checks that are wanted, one after the other; gives how many have failed. */
async function run(checks, suite, browser) {
  let stopPlaying = null;
  let failed = 0;
  try {
    await suite.start();
    for (const [name, check, playing] of checks) {
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
        for (const [i, page] of pages.entries()) await page.screenshot({ path: join(screenshots, `failed-${name.replaceAll(/\W+/g, "-")}-${i}.png`) }).catch(() => {});
        for (const context of chrome.contexts()) await context.close();
      }
      for (const note of notes) console.log(`      ${note}`);
    }
  } finally {
    await stopPlaying?.();
    await suite.stop();
  }
  return failed;
}

/** The wall for minutes, without the checks. */
async function soaked(minutes) {
  try {
    await suite.start();
    const stopPlaying = suite.play(PHOTOS, EVERY_MS);
    const isWell = await soak({ chrome, url: suite.url, minutes });
    await stopPlaying();
    return isWell ? 0 : 1;
  } finally {
    await suite.stop();
  }
}

const axe = modules.resolve("axe-core/axe.min.js");
const chrome = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // root may not have Chromium's sandbox; a container's /dev/shm may be small
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});
let failed = 0;
try {
  const [first, minutes] = process.argv.slice(2);
  if (first === "--soak") {
    failed = await soaked(Number(minutes ?? 10));
  } else {
    const wanted = process.argv.slice(2).join(" ");
    const of = (checks) => checks.filter(([name]) => name.includes(wanted));
    if (of(CHECKS).length + of(LOCKED).length === 0) throw new Error(`no check has '${wanted}' in its name`);
    if (of(CHECKS).length > 0) failed += await run(of(CHECKS), suite, new Browser(chrome, suite.url, axe));
    if (of(LOCKED).length > 0) {
      const locked = await lockedSuite({ binary, port: port + 1, out });
      failed += await run(of(LOCKED), locked, new Browser(chrome, locked.url, axe));
    }
  }
} finally {
  await chrome.close();
}
console.log(failed === 0 ? `all is well; screenshots are in ${screenshots}` : `${failed} failed; the suites' logs are ${join(out, "*.log")}`);
process.exitCode = failed === 0 ? 0 : 1;
