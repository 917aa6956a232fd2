// What the dashboard tells of the past: a suite with a history, and frames that came in a moment ago.

import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const CUP = "images/coffee.jpg";
const BIKE = "images/motorcycle_left.jpg";
const HOUR = 3_600_000;
/** Left of this nobody may see anything of the camera `porch`. */
const MASKED = 0.4;

/** A time zone in which it is one o'clock in the night, or two, so that what comes now comes in the night. */
function nightZone() {
  const behind = (new Date().getUTCHours() - 1 + 24) % 24;
  // the names have the signs of POSIX: Etc/GMT+5 is five hours behind UTC
  return behind <= 12 ? `Etc/GMT+${behind}` : `Etc/GMT-${24 - behind}`;
}

async function asked(suite, path) {
  const { status, body } = await suite.ask(path);
  assert.equal(status, 200, `${path}: ${body}`);
  return JSON.parse(body);
}

let planted = null;

/** What the night was about is there, once, whichever check comes first. */
function plant(suite) {
  planted ??= send(suite);
  return planted;
}

/** Frames of a camera with a mask, and of one without. */
async function send(suite) {
  const points = [[0, 0], [MASKED, 0], [MASKED, 1], [0, 1]];
  const set = { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ masks: [{ points }] }) };
  const { status, body } = await suite.ask("/cameras/porch/regions?by=browser", set);
  assert.equal(status, 200, String(body));
  // the mask holds in every preprocessor within a second; until then a frame would not be masked for inference
  await sleep(1500);
  for (let i = 0; i < 3; i += 1) await suite.send("porch", CUP);
  for (let i = 0; i < 3; i += 1) await suite.send("drive", BIKE);
}

/** Waits until the events of these cameras have pictures. */
async function pictured(suite, cameras) {
  for (let tries = 0; tries < 100; tries += 1) {
    const { events } = await asked(suite, "/history/events?limit=200");
    if (cameras.every((camera) => events.some((event) => event.camera === camera && event.thumbnails.length > 0))) return events;
    await sleep(200);
  }
  throw new Error(`no pictures of ${cameras} within 20 s`);
}

/** The brightest of a pixel's colours in a picture's canvas, at a place from 0 to 1. */
function brightness(page, selector, x, y) {
  return page.evaluate(([of, across, down]) => {
    const canvas = document.querySelector(of);
    const { data } = canvas.getContext("2d").getImageData(Math.floor(canvas.width * across), Math.floor(canvas.height * down), 1, 1);
    return Math.max(data[0], data[1], data[2]);
  }, [selector, x, y]);
}

/** Waits until all pictures in sight are drawn. */
async function drawn(page) {
  await page.waitForFunction(() => [...document.querySelectorAll("main .picture-note")].every((note) => {
    const { top, bottom } = note.getBoundingClientRect();
    return bottom < 0 || top > window.innerHeight || note.textContent !== "…";
  }));
}

async function lastNightTakesThreeClicks({ browser, suite, note, look }) {
  await plant(suite);
  const [first] = await pictured(suite, ["porch", "drive"]);
  const zone = nightZone();
  const page = await browser.open("", { timezoneId: zone });
  await page.waitForSelector("main h1:visible");
  const began = Date.now();
  await page.click("header nav >> text=History");
  await page.click("button:has-text('Last night')");
  const card = page.locator(".tile:has(p:has-text('porch')) a").first();
  await card.click();
  await page.waitForSelector(".event h2:has-text('at porch')");
  note(`three clicks in ${Date.now() - began} ms, where it is night: ${zone}`);
  const query = new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
  assert.equal(Date.parse(query.get("to")) - Date.parse(query.get("from")), 8 * HOUR);
  assert.equal(await page.inputValue("#history-from").then((value) => value.slice(11)), "22:00");
  assert.ok(Date.parse(query.get("from")) < first.start_ms && first.start_ms < Date.parse(query.get("to")));

  // its picture shows what may be seen, and nothing else
  const picture = ".event .strip canvas";
  await page.waitForSelector(`${picture}[aria-label^='Picture of porch']`);
  await drawn(page);
  for (const y of [0.2, 0.5, 0.8]) {
    assert.ok(await brightness(page, picture, MASKED / 2, y) < 8, `the mask is black at ${y}`);
  }
  assert.ok(await brightness(page, picture, 0.8, 0.5) > 20, "the rest is seen");
  await page.waitForSelector(".event td >> text=cup");
  await page.waitForSelector("canvas[aria-label^='porch: ']");
  await look(page, "history-event");
  await page.click(".event >> text=Close");
  await page.waitForSelector(".event", { state: "detached" });
  // pictures are fetched where they can be seen
  await page.setViewportSize({ width: 1280, height: 1400 });
  await page.locator(".wall .tile").first().scrollIntoViewIfNeeded();
  await page.waitForSelector(".wall canvas[aria-label^='Picture of ']");
  await drawn(page);
  await look(page, "history");
  await page.goBack();
  await page.waitForSelector(".event h2:has-text('at porch')");

  // whoever is given the address sees the same
  const again = await browser.open(new URL(page.url()).hash, { timezoneId: zone });
  await again.waitForSelector(".event h2:has-text('at porch')");
  await again.waitForSelector(".event td >> text=cup");
  await again.context().close();
  await page.context().close();
}

async function storedPicturesAreMasked({ browser, suite }) {
  await plant(suite);
  // a surest frame's picture is made two seconds after the frame, without what is masked then
  await sleep(4000);
  const events = await pictured(suite, ["porch", "drive"]);
  const of = (camera) => events.find((event) => event.camera === camera && event.thumbnails.length > 0).thumbnails[0];
  const { status, body } = await suite.ask(`/history/thumbnails/${of("porch")}`);
  assert.equal(status, 200);
  assert.ok(body.length > 500 && body.length < 60_000, `${body.length} bytes`);
  // the mask is taken away: what was hidden when the picture was stored stays hidden
  const cleared = await suite.ask("/cameras/porch/regions?by=browser", { method: "DELETE" });
  assert.ok(cleared.status < 300, String(cleared.body));
  await sleep(1500);
  const page = await browser.open("#/history?camera=porch");
  const picture = ".wall canvas[aria-label*='porch']";
  await page.waitForSelector(picture);
  await drawn(page);
  const hidden = await brightness(page, picture, MASKED / 2, 0.5);
  assert.ok(hidden < 8, `what was hidden is black, not ${hidden}`);
  assert.ok(await brightness(page, picture, 0.8, 0.5) > 20);
  // a mask that is set now hides what was stored before
  const points = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const set = { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ masks: [{ points }] }) };
  assert.equal((await suite.ask("/cameras/drive/regions?by=browser", set)).status, 200);
  await sleep(1500);
  await page.goto(`${browser.url}/#/history?camera=drive`);
  const other = ".wall canvas[aria-label*='drive']";
  await page.waitForSelector(other);
  await drawn(page);
  for (const x of [0.2, 0.5, 0.8]) assert.ok(await brightness(page, other, x, 0.5) < 8);
  await suite.ask("/cameras/drive/regions?by=browser", { method: "DELETE" });
  await page.context().close();
}

async function thePastIsFiltered({ browser, suite }) {
  await plant(suite);
  await pictured(suite, ["porch", "drive"]);
  const page = await browser.open("#/history");
  const cameras = () => page.locator(".wall .tile p:first-of-type span:first-child").allInnerTexts();
  await page.waitForSelector(".wall .tile");
  const all = new Set(await cameras());
  assert.ok(all.has("porch") && all.has("drive"), [...all].join(", "));
  // by keyboard alone
  await page.locator("#history-camera").focus();
  await page.keyboard.type("porch");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => [...document.querySelectorAll(".wall .tile p:first-of-type span:first-child")].every((node) => node.textContent === "porch")
    && document.querySelectorAll(".lane").length === 1);
  assert.match(page.url(), /camera=porch/);
  await page.selectOption("#history-min_confidence", "0.9");
  await page.waitForSelector("text=0 events");
  await page.goBack();
  await page.waitForSelector(".wall .tile");
  assert.equal(await page.inputValue("#history-min_confidence"), "");
  // the time line tells its bars by keys
  const lane = page.locator(".lane canvas").first();
  await lane.focus();
  const before = await lane.getAttribute("aria-label");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((old) => document.querySelector(".lane canvas").getAttribute("aria-label") !== old, before);
  // what is kept can be taken along
  for (const [form, start] of [["CSV", "frame_id,"], ["NDJSON", "{"]]) {
    const address = await page.locator(`a:has-text("${form}")`).last().getAttribute("href");
    const { status, body } = await suite.ask(address);
    assert.ok(status === 200 && String(body).startsWith(start), `${form}: ${status} ${body}`);
  }
  await page.context().close();
}

async function hostileNamesOfThePastStayText({ browser }) {
  const evil = "<img src=x onerror=\"window.owned=1\">";
  const now = Date.now();
  const id = "01a20789-0000-7000-8000-000000000003";
  const event = { camera: "gate", class: evil, start_ms: now - 60_000, end_ms: now - 30_000, frames: 2, most: 1, first_frame: id, best_frame: id, best_confidence: 0.5, thumbnails: [] };
  const frame = {
    frame_id: id, camera: "gate", sequence: 1, status: "done", timings_ms: { end_to_end: 3 }, served_by: { unit: "edge-inference" },
    detections: [{ class: evil, class_id: 1, confidence: 0.5, box: { x: 1, y: 1, width: 9, height: 9 }, zones: [evil] }],
  };
  const page = await browser.page();
  await page.route("**/history/counts?*", (route) => route.fulfill({ json: { counts: [{ start_ms: now - 60_000, camera: "gate", class: evil, detections: 2, frames: 2 }] } }));
  await page.route("**/history/events?*", (route) => route.fulfill({ json: { events: [event], looked_back_to_ms: null } }));
  await page.route("**/history/thumbnails?*", (route) => route.fulfill({ json: { thumbnails: [] } }));
  await page.route("**/history?*", (route) => route.fulfill({ json: { results: [frame], next: null } }));
  await page.goto(`${browser.url}/#/history?class=${encodeURIComponent(evil)}`);
  await page.waitForSelector(".wall .tile h3 >> text=onerror");
  await page.click(".wall .tile a");
  await page.waitForSelector(".event td >> text=onerror");
  await page.waitForSelector(".event >> text=No picture of it was kept");
  assert.equal(await page.inputValue("#history-class"), evil);
  assert.equal(await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe").length), 0);
  assert.equal(await page.evaluate(() => window.owned), undefined);
  await page.context().close();
}

async function withoutADatabaseItSaysHow({ browser, look }) {
  const problem = { type: "/problems/no-history", title: "No history is kept", status: 404, detail: "no results are kept here" };
  const page = await browser.page();
  browser.forgiving = true;
  await page.route("**/history/**", (route) => route.fulfill({ status: 404, contentType: "application/problem+json", body: JSON.stringify(problem) }));
  await page.goto(`${browser.url}/#/history`);
  await page.waitForSelector("h2:has-text('No history is kept')");
  await page.waitForSelector("code:has-text('mlvi up --history')");
  await look(page, "no-history");
  await page.context().close();
  browser.forgiving = false;
}

/** Bars and ticks where clocks are set, and where hours are not those of UTC: all of the span once, none twice. */
async function barsFollowTheCalendar() {
  const text = await readFile("crates/dashboard/page/span.js", "utf8");
  const { binEnd, binOf, binsOf, ticks } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  const zone = process.env.TZ;
  try {
    for (const name of ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu"]) {
      process.env.TZ = name;
      for (const hours of [1, 2, 3, 6, 12, 24, 168]) {
        const bins = { width: hours * HOUR, by: "hour" };
        const from = Date.UTC(2026, 2, 1);
        let last = -Infinity;
        for (let at = from; at < from + 300 * 24 * HOUR; at += HOUR) {
          const start = binOf(at, bins);
          const end = binEnd(start, bins);
          assert.ok(start <= at && at + HOUR <= end, `${name}, bars of ${hours} h: ${new Date(at).toISOString()}`);
          assert.ok(start >= last || end === last, `${name}, bars of ${hours} h overlap at ${new Date(at).toISOString()}`);
          last = end;
        }
      }
      for (const month of [2, 9]) {
        const names = ticks({ from: Date.UTC(2026, month, 22), to: Date.UTC(2026, month + 1, 4) }, 14).map(([, text]) => text);
        assert.equal(new Set(names).size, names.length, names.join(", "));
      }
    }
    process.env.TZ = "America/Los_Angeles";
    const bins = binsOf({ from: Date.UTC(2026, 4, 1), to: Date.UTC(2026, 6, 1) });
    assert.equal(binOf(Date.UTC(2026, 5, 10, 8), bins), Date.UTC(2026, 5, 10, 7), "10 June begins at its midnight");
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
}

/** Name, what it does, and whether cameras send frames meanwhile. */
export const PAST = [
  ["last night takes three clicks, with its pictures", lastNightTakesThreeClicks, false],
  ["stored pictures hide what was masked, and what is", storedPicturesAreMasked, false],
  ["the past is filtered, by keyboard, and can be taken along", thePastIsFiltered, false],
  ["hostile names of the past stay text", hostileNamesOfThePastStayText, false],
  ["bars of the past follow the calendar", barsFollowTheCalendar, false],
  ["without a database the page says how to have one", withoutADatabaseItSaysHow, false],
];
