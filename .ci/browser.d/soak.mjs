// The wall of cameras for minutes: what the page holds, whether it grows, and how busy it is.

import { readFile } from "node:fs/promises";
import { busy } from "./page.mjs";

const EVERY_MS = 30_000;
/** Before this the page still fills what it remembers. */
const WARM_UP_MS = 120_000;
const MOST_MIB = 100;
const MOST_BUSY = 0.25;
/** Between the first and the last third of the measurements, in MiB: above what they scatter by. */
const MOST_GROWTH_MIB = 8;

/** Private memory of the process that runs the page, in MiB. */
async function privateMiB(chrome) {
  const client = await chrome.newBrowserCDPSession();
  const { processInfo } = await client.send("SystemInfo.getProcessInfo");
  await client.detach();
  const renderers = processInfo.filter(({ type }) => type === "renderer");
  const sizes = await Promise.all(renderers.map(async ({ id }) => {
    const lines = await readFile(`/proc/${id}/smaps_rollup`, "utf8").catch(() => "");
    const kib = [...lines.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map(([, n]) => Number(n));
    return kib.reduce((sum, n) => sum + n, 0) / 1024;
  }));
  // an idle one is kept for the next page
  return Math.max(...sizes);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Gives whether all stayed within bounds. */
export async function soak({ chrome, browser, minutes }) {
  const page = await browser.open("");
  await page.waitForFunction(() => document.querySelectorAll(".tile").length >= 4);
  const collector = await page.context().newCDPSession(page);
  const rows = [];
  const end = Date.now() + minutes * 60_000;
  const began = Date.now();
  while (Date.now() < end) {
    const { share } = await busy(page, EVERY_MS);
    await collector.send("HeapProfiler.collectGarbage");
    const heap = await page.evaluate(() => performance.memory.usedJSHeapSize / 1024 / 1024);
    const row = { at: Date.now() - began, share, heap, memory: await privateMiB(chrome) };
    rows.push(row);
    console.log(`${(row.at / 60_000).toFixed(1)} min: main thread ${(share * 100).toFixed(1)} % busy, heap ${heap.toFixed(1)} MiB, process ${row.memory.toFixed(1)} MiB`);
  }
  await page.context().close();
  const settled = rows.filter(({ at }) => at >= Math.min(WARM_UP_MS, minutes * 20_000));
  const third = Math.max(1, Math.floor(settled.length / 3));
  const growth = (what) => median(settled.slice(-third).map((row) => row[what])) - median(settled.slice(0, third).map((row) => row[what]));
  const verdicts = [
    [`the page's process holds at most ${MOST_MIB} MiB`, Math.max(...rows.map(({ memory }) => memory)), MOST_MIB],
    [`its heap does not grow by more than ${MOST_GROWTH_MIB} MiB`, growth("heap"), MOST_GROWTH_MIB],
    [`its process does not grow by more than ${MOST_GROWTH_MIB} MiB`, growth("memory"), MOST_GROWTH_MIB],
    [`its main thread is at most ${MOST_BUSY * 100} % busy`, median(rows.map(({ share }) => share)) * 100, MOST_BUSY * 100],
  ];
  for (const [name, value, most] of verdicts) console.log(`${value <= most ? "ok   " : "FAIL "} ${name}: ${value.toFixed(1)}`);
  return verdicts.every(([, value, most]) => value <= most);
}
