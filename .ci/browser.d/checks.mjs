// What the dashboard must do, one check each, in this order.

import { strict as assert } from "node:assert";
import { PAST } from "./history.mjs";
import { busy, drop } from "./page.mjs";

const CUP = { name: "coffee.jpg", type: "image/jpeg", path: "images/coffee.jpg" };

async function pageIsSmallAndItsOwn({ browser, note }) {
  const page = await browser.page();
  const client = await page.context().newCDPSession(page);
  let bytes = 0;
  await client.send("Network.enable");
  client.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  const response = await page.goto(`${browser.url}/`);
  await page.waitForSelector("main h1:visible");
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  assert.match(response.headers()["content-security-policy"], /default-src 'none'/);
  assert.ok(bytes > 10_000 && bytes < 150_000, `${bytes} bytes`);
  note(`${Math.round(bytes / 1024)} KiB are sent, first paint after ${Math.round(paint)} ms`);
  await page.context().close();
}

async function droppedPhotoHasItsLabels({ browser, look }) {
  const page = await browser.open("");
  await drop(page, [CUP]);
  await page.waitForSelector(".sent .detections >> text=cup");
  assert.ok(page.url().endsWith("#/send"));
  const canvas = page.locator(".sent canvas").first();
  await page.waitForFunction((node) => node.getAttribute("aria-label").includes("cup"), await canvas.elementHandle());
  assert.match(await page.locator(".sent .facts").first().innerText(), /alternate/);
  await look(page, "send");
  await page.locator(".sent a:has-text('Inspect')").click();
  await page.waitForSelector("h2:has-text('Where the time went')");
  await page.waitForFunction(() => document.querySelector("main canvas").getAttribute("aria-label").includes("cup"));
  await look(page, "job");
  await page.context().close();
}

async function sampleIsSent({ browser }) {
  const page = await browser.open("#/send");
  // by keyboard alone
  await page.locator("button:has-text('Send a sample')").focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".sent .detections >> text=cup");
  await page.context().close();
}

async function refusalsAreTold({ browser, look }) {
  const page = await browser.open("#/send");
  // the browser reports each answer that is an error
  browser.forgiving = true;
  await drop(page, [{ name: "letter.jpg", type: "image/jpeg", text: "this is no picture" }]);
  await page.waitForSelector(".problem >> text=415");
  await look(page, "refused");
  await page.context().close();
  browser.forgiving = false;
}

async function whatComesFromOutsideStaysText({ browser }) {
  const evil = "<img src=x onerror=\"window.owned=1\">";
  const result = (status) => ({
    frame_id: "01a20789-0000-7000-8000-000000000001", camera: evil, sequence: 1, status,
    image: { width: 100, height: 100 },
    detections: [{ class: evil, class_id: 1, confidence: 0.5, box: { x: 1, y: 1, width: 10, height: 10 } }],
    error: status === "failed" ? { type: evil, title: evil, status: 422, detail: evil } : undefined,
    decision: { destination: "edge", reason: evil, policy: evil },
    model: { name: evil, version: evil, input: evil }, served_by: { unit: evil, pod: evil }, timings_ms: { end_to_end: 12 },
  });
  for (const status of ["done", "failed"]) {
    const page = await browser.page();
    const answer = result(status);
    await page.route("**/results", (route) => route.fulfill({
      contentType: "text/event-stream", body: `retry: 60000\n\nevent: result\ndata: ${JSON.stringify(answer)}\n\n`,
    }));
    await page.route("**/jobs/**", (route) => route.fulfill({ json: answer }));
    await page.goto(`${browser.url}/`);
    for (const hash of ["#/", `#/cameras/${encodeURIComponent(evil)}`, `#/jobs/${answer.frame_id}`, "#/policy"]) {
      await page.evaluate((to) => { location.hash = to; }, hash);
      await page.waitForFunction((text) => document.querySelector("main").textContent.includes(text), hash === "#/policy" ? "onerror" : evil);
      const images = await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe").length);
      assert.equal(images, 0, hash);
      assert.equal(await page.evaluate(() => window.owned), undefined, hash);
    }
    await page.context().close();
  }
}

async function webcamIsACamera({ browser, look }) {
  const page = await browser.open("#/webcam", { permissions: ["camera"] });
  await page.fill("#webcam-name", "no name");
  await page.click("button:has-text('Start the webcam')");
  await page.waitForSelector(".problem >> text=no camera");
  await page.fill("#webcam-name", "desk");
  await page.click("button:has-text('Start the webcam')");
  await page.waitForSelector("text=/results per second, .* there and back/");
  await page.waitForSelector("main .badge");
  await look(page, "webcam");
  await page.click("button:has-text('Stop')");
  await page.click("nav >> text=Live");
  await page.waitForSelector(".tile >> text=desk");
  await page.context().close();
}

async function wallFollowsItsCameras({ browser, note, look }) {
  const page = await browser.open("");
  const tiles = ["counter", "field", "garage", "hall"];
  const newest = (name) => page.locator(`.tile:has(h2:has-text("${name}")) a[href^="#/jobs"]`).getAttribute("href");
  await page.waitForFunction((n) => document.querySelectorAll(".tile").length >= n, tiles.length);
  for (const name of tiles) {
    const before = await newest(name);
    await page.waitForFunction(([camera, old]) => {
      const tile = [...document.querySelectorAll(".tile")].find((one) => one.querySelector("h2").textContent === camera);
      return tile.querySelector("a[href^='#/jobs']").getAttribute("href") !== old;
    }, [name, before]);
    await page.waitForSelector(`canvas[aria-label^="Picture of ${name}"]`);
  }
  await page.waitForSelector("#state:has-text('live')");
  await look(page, "live");
  const { share, cpu, heapMiB } = await busy(page, 4000);
  note(`wall of 4 cameras: main thread ${Math.round(share * 100)} % busy (${Math.round(cpu * 100)} % by CPU time), heap ${Math.round(heapMiB)} MiB`);
  await page.click(".tile >> text=garage");
  await page.waitForSelector("h2:has-text('Last frames')");
  await page.waitForSelector(".strip canvas[aria-label^='Picture of garage']");
  await page.waitForSelector(".classes .class");
  await look(page, "camera");
  await page.context().close();
}

async function chartsAreDrawn({ browser, look }) {
  const page = await browser.open("#/charts");
  await page.waitForFunction(() => /^Results per second: edge \d/.test(document.querySelector(".chart canvas").getAttribute("aria-label") ?? ""));
  await page.waitForFunction(() => document.querySelector(".reading .big").textContent !== "–");
  await page.waitForSelector("canvas[aria-label='Circuit breakers: edge closed, cloud closed']");
  await look(page, "charts");
  await page.context().close();
}

async function policyIsShown({ browser, look }) {
  const page = await browser.open("#/policy");
  await page.waitForSelector("main >> text=every second frame");
  await look(page, "policy");
  await page.context().close();
}

async function restartIsSurvived({ browser, suite }) {
  const page = await browser.open("");
  await page.waitForSelector("#state:has-text('live')");
  browser.forgiving = true;
  await suite.stop();
  await page.waitForSelector("#state:has-text('disconnected')");
  await suite.start();
  await page.waitForSelector("#state:has-text('live')");
  browser.forgiving = false;
  await suite.send("after-restart", CUP.path);
  await page.waitForSelector(".tile >> text=after-restart");
  await page.context().close();
}

async function emptyWallHelps({ browser, look }) {
  const page = await browser.page();
  await page.route("**/results", (route) => route.fulfill({ contentType: "text/event-stream", body: "retry: 60000\n\n" }));
  await page.goto(`${browser.url}/`);
  await page.waitForSelector("h1:has-text('No camera has sent anything yet')");
  await look(page, "empty");
  await page.context().close();
}

/** A result as the server gives it. */
function answer(over) {
  return {
    frame_id: "01a20789-0000-7000-8000-000000000002", camera: "gate", sequence: 1, status: "done", image: { width: 600, height: 400 },
    detections: [{ class: "cup", class_id: 41, confidence: 0.6, box: { x: 150, y: 20, width: 280, height: 280 } }],
    decision: { destination: "cloud", reason: "hard-example", policy: "cascade", predicted_ms: { edge: 40, cloud: 90 }, took_ms: 88 },
    attempt: 2, served_by: { unit: "cloud-inference" }, timings_ms: { inference: 30, end_to_end: 95 }, ...over,
  };
}

/** A page whose stream of results is this one. */
async function fed(browser, events) {
  const page = await browser.page();
  const lines = events.map(([name, data]) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  await page.route("**/results", (route) => route.fulfill({ contentType: "text/event-stream", body: `retry: 60000\n\n${lines.join("")}` }));
  await page.route("**/jobs/*/frame", (route) => route.fulfill({ path: CUP.path, contentType: "image/jpeg" }));
  return page;
}

async function bothAnswersAreShown({ browser, look }) {
  const final = answer({});
  const provisional = answer({ status: "provisional", attempt: 1, detections: [], decision: { ...final.decision, destination: "edge" }, served_by: { unit: "edge-inference" } });
  const page = await fed(browser, [["provisional", provisional], ["result", final]]);
  await page.route("**/jobs/*?wait=20s", (route) => route.fulfill({ json: final }));
  await page.goto(`${browser.url}/#/cameras/gate`);
  await page.click(".strip a");
  await page.waitForSelector("h2:has-text('Two answers')");
  await page.waitForSelector("canvas[aria-label*='cup']");
  const text = await page.locator("main").innerText();
  for (const part of ["Provisional", "Final", "attempt 2", "hard example"]) assert.ok(text.includes(part), part);
  await look(page, "answers");
  await page.context().close();
}

async function behindIsSaid({ browser }) {
  const page = await browser.page();
  // without an end of the stream, which would count as a disconnection
  await page.addInitScript(() => {
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => {
          this.onopen();
          this.dispatchEvent(new MessageEvent("lagged", { data: '{"missed":7}' }));
        }, 100);
      }
      close() {}
    };
  });
  await page.goto(`${browser.url}/`);
  await page.waitForSelector("#state:has-text('behind: 7 results missed')");
  await page.context().close();
}

async function insecurePageSaysWhyTheWebcamIsOff({ browser }) {
  const page = await browser.page();
  await page.addInitScript(() => Object.defineProperty(window, "isSecureContext", { value: false }));
  await page.goto(`${browser.url}/#/webcam`);
  await page.waitForSelector(".problem >> text=localhost and over HTTPS alone");
  assert.ok(await page.locator("button:has-text('Start the webcam')").isDisabled());
  await page.context().close();
}

async function apiIsDescribed({ browser, look }) {
  const page = await browser.open("docs");
  await page.waitForSelector("h1:has-text('MLVI')");
  // every request and every form has a place, and every link leads to one
  const described = await (await fetch(`${browser.url}/openapi.json`)).json();
  const requests = Object.values(described.paths).reduce((sum, methods) => sum + Object.keys(methods).length, 0);
  assert.equal(await page.locator("article.operation").count(), requests);
  const lost = await page.evaluate(() => [...document.querySelectorAll("main a[href^='#']")].map((link) => link.hash.slice(1)).filter((id) => !document.getElementById(id)));
  assert.deepEqual(lost, []);
  await look(page, "docs");
  // by keyboard alone
  const jobs = page.locator("#op-job, article:has(code:text-is('/jobs/{id}'))").first();
  await jobs.locator("summary:has-text('Try it')").focus();
  await page.keyboard.press("Enter");
  await jobs.locator("input").first().fill("01a20789-0000-7000-8000-000000000001");
  await page.keyboard.press("Enter");
  browser.forgiving = true;
  await jobs.locator(".badge:has-text('404 Not Found')").waitFor();
  browser.forgiving = false;
  assert.match(await jobs.locator("pre.answer").innerText(), /unknown-job/);
  const cameras = page.locator("article:has(code:text-is('/cameras'))");
  await cameras.locator("summary:has-text('Try it')").click();
  await cameras.locator("button:has-text('Send')").click();
  await cameras.locator(".badge:has-text('200 OK')").waitFor();
  await look(page, "docs-try");
  await page.fill("#filter", "put policy");
  await page.waitForSelector("[role=status]:has-text('1 of')");
  assert.equal(await page.locator("article.operation:visible").count(), 1);
  await page.context().close();
  const place = await browser.open("docs#schema-FrameResult");
  await place.waitForSelector("#schema-FrameResult[open] >> text=frame_id");
  await place.context().close();
}

/** The colour of a picture at a place, both from 0 to 1. */
function colourAt(page, selector, x, y) {
  return page.evaluate(([of, across, down]) => {
    const canvas = document.querySelector(of);
    const { data } = canvas.getContext("2d").getImageData(Math.floor(canvas.width * across), Math.floor(canvas.height * down), 1, 1);
    return Math.max(data[0], data[1], data[2]);
  }, [selector, x, y]);
}

async function masksAreDrawn({ browser, suite, look }) {
  await suite.send("masked", CUP.path);
  const page = await browser.open("#/cameras/masked");
  const newest = "section[aria-label='Newest picture'] canvas";
  await page.waitForSelector(`${newest}[aria-label*='cup']`);
  assert.ok(await colourAt(page, newest, 0.2, 0.9) > 20, "the picture is seen");
  await page.click("button:has-text('Edit masks and zones')");
  await page.click("button:has-text('Add a mask')");
  // one corner by mouse, the others by numbers
  const drawn = page.locator(".polygons-area");
  await page.waitForSelector("section[aria-labelledby='regions-title'] canvas[aria-label*='cup']");
  await drawn.evaluate((node) => node.scrollIntoView({ block: "center" }));
  const area = await drawn.boundingBox();
  const handle = await page.locator(".handle:not(.middle)").first().boundingBox();
  await page.mouse.move(handle.x + handle.width / 2, handle.y + handle.height / 2);
  await page.mouse.down();
  await page.mouse.move(area.x - 5, area.y - 5, { steps: 4 });
  await page.mouse.up();
  for (const [corner, x, y] of [[2, 100, 0], [3, 100, 100], [4, 0, 100]]) {
    await page.fill(`input[aria-label='Corner ${corner}, from the left, per cent']`, String(x));
    await page.fill(`input[aria-label='Corner ${corner}, from the top, per cent']`, String(y));
  }
  await page.click("button:has-text('Add a zone')");
  await page.fill("#region-name", "<b>door</b>");
  // a corner by keys
  await page.locator(".handle:not(.middle)").first().focus();
  await page.keyboard.press("Shift+ArrowLeft");
  assert.equal(await page.inputValue("input[aria-label='Corner 1, from the left, per cent']"), "30");
  await look(page, "regions");
  await page.click("button:has-text('Save')");
  await page.waitForSelector("text=1 mask, 1 zone");
  await page.waitForSelector("text=Zones: <b>door</b>");
  const set = await (await fetch(`${browser.url}/cameras/masked/regions`)).json();
  assert.deepEqual(set.masks, [{ points: [[0, 0], [1, 0], [1, 1], [0, 1]] }]);
  // the frame that is shown is black without a new one
  await page.waitForFunction((of) => {
    const canvas = document.querySelector(of);
    const { data } = canvas.getContext("2d").getImageData(Math.floor(canvas.width * 0.2), Math.floor(canvas.height * 0.9), 1, 1);
    return Math.max(data[0], data[1], data[2]) < 8;
  }, newest);
  await suite.send("masked", CUP.path);
  await page.waitForFunction((of) => !document.querySelector(of).getAttribute("aria-label").includes("cup"), newest);
  await page.click("button:has-text('Back to the file')");
  await page.waitForSelector("text=None: all of the picture is seen");
  await page.context().close();
}

async function wallFollowsVideos({ browser, suite, note }) {
  const videos = await suite.videos(2, note);
  const names = videos.map((_, i) => (i === 0 ? "clip" : `clip-${i + 1}`));
  const page = await browser.open("");
  const played = suite.push("--camera", "clip", "--frames", "40", ...videos);
  await Promise.all(names.map(async (name) => {
    const newest = (camera) => {
      const tile = [...document.querySelectorAll(".tile")].find((one) => one.querySelector("h2").textContent === camera);
      return tile?.querySelector("a[href^='#/jobs']")?.getAttribute("href");
    };
    const first = await (await page.waitForFunction(newest, name)).jsonValue();
    await page.waitForFunction(
      ([camera, old]) => {
        const tile = [...document.querySelectorAll(".tile")].find((one) => one.querySelector("h2").textContent === camera);
        return tile.querySelector("a[href^='#/jobs']").getAttribute("href") !== old;
      },
      [name, first],
    );
    await page.waitForSelector(`canvas[aria-label^="Picture of ${name}"]`);
  }));
  const { code, said } = await played;
  note(`${videos.join(" and ")}: ${said.split("\n").at(-1)}`);
  assert.equal(code, 0, said);
  await page.context().close();
}

/** Name, what it does, and whether cameras send frames meanwhile. */
export const CHECKS = [
  ["the page is small, and all its own", pageIsSmallAndItsOwn, false],
  ["an empty wall says how to begin", emptyWallHelps, false],
  ["a dropped photo gets its labels", droppedPhotoHasItsLabels, false],
  ["the sample is sent, by keyboard", sampleIsSent, false],
  ["a refusal is told in the server's words", refusalsAreTold, false],
  ["hostile names stay text", whatComesFromOutsideStaysText, false],
  ["a provisional answer stands beside the final one", bothAnswersAreShown, false],
  ["a page that is behind says so", behindIsSaid, false],
  ["an insecure page says why the webcam is off", insecurePageSaysWhyTheWebcamIsOff, false],
  ["a mask is drawn, and the picture is black there", masksAreDrawn, false],
  ["the interface is described, and can be tried", apiIsDescribed, false],
  ["the webcam is a camera", webcamIsACamera, false],
  ["the wall follows its cameras", wallFollowsItsCameras, true],
  ["charts are drawn", chartsAreDrawn, true],
  ["the policy is shown", policyIsShown, true],
  ...PAST,
  ["the wall follows videos that are pushed", wallFollowsVideos, false],
  ["a restart of the server is survived", restartIsSurvived, false],
];
