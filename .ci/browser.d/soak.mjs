// The wall of cameras for minutes: what the page holds, whether it grows, and how busy it is.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { BarePage } from "./bare.mjs";

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
export async function soak({ chrome, url, minutes }) {
  const page = await BarePage.open(chrome, `${url}/`);
  await page.until("document.querySelectorAll('.tile').length >= 4");
  const rows = [];
  const end = Date.now() + minutes * 60_000;
  const began = Date.now();
  while (Date.now() < end) {
    const before = await page.metrics();
    await sleep(EVERY_MS);
    const after = await page.metrics();
    const [share, cpu] = ["task", "cpu"].map((what) => (after[what] - before[what]) / (after.at - before.at));
    await page.send("HeapProfiler.collectGarbage");
    const heap = (await page.metrics()).heap / 1024 / 1024;
    const row = { at: Date.now() - began, cpu, heap, memory: await privateMiB(chrome) };
    rows.push(row);
    console.log(`${(row.at / 60_000).toFixed(1)} min: main thread ${(share * 100).toFixed(1)} % busy (${(cpu * 100).toFixed(1)} % by CPU time), heap ${heap.toFixed(1)} MiB, process ${row.memory.toFixed(1)} MiB`);
  }
  await page.close();
  const settled = rows.filter(({ at }) => at >= Math.min(WARM_UP_MS, minutes * 20_000));
  const third = Math.max(1, Math.floor(settled.length / 3));
  const growth = (what) => median(settled.slice(-third).map((row) => row[what])) - median(settled.slice(0, third).map((row) => row[what]));
  const verdicts = [
    [`the page's process holds at most ${MOST_MIB} MiB`, Math.max(...rows.map(({ memory }) => memory)), MOST_MIB],
    [`its heap does not grow by more than ${MOST_GROWTH_MIB} MiB`, growth("heap"), MOST_GROWTH_MIB],
    [`its process does not grow by more than ${MOST_GROWTH_MIB} MiB`, growth("memory"), MOST_GROWTH_MIB],
    [`its main thread is at most ${MOST_BUSY * 100} % busy, by CPU time`, median(rows.map(({ cpu }) => cpu)) * 100, MOST_BUSY * 100],
  ];
  for (const [name, value, most] of verdicts) console.log(`${value <= most ? "ok   " : "FAIL "} ${name}: ${value.toFixed(1)}`);
  return verdicts.every(([, value, most]) => value <= most);
}
