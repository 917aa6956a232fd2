// What the dashboard must do, one check each, in this order.

import { strict as assert } from "node:assert";
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
  const { share, heapMiB } = await busy(page, 4000);
  note(`wall of 4 cameras: main thread ${Math.round(share * 100)} % busy, heap ${Math.round(heapMiB)} MiB`);
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

async function loginIsAskedFor({ browser, look }) {
  const page = await browser.page();
  const refusal = { status: 401, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/unauthorized", title: "Who are you?", status: 401, detail: "a token is needed" }) };
  let sent = null;
  browser.forgiving = true;
  await page.route("**/results", (route) => route.fulfill(refusal));
  await page.route("**/login", (route) => {
    sent = route.request().postDataJSON();
    return route.fulfill(refusal);
  });
  await page.goto(`${browser.url}/`);
  await page.waitForSelector("dialog[open] >> text=Token");
  await look(page, "login");
  await page.fill("#token", "a secret");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog .problem >> text=a token is needed");
  assert.deepEqual(sent, { token: "a secret" });
  assert.ok(!page.url().includes("secret"));
  await page.context().close();
  browser.forgiving = false;
}

async function policyIsChanged({ browser, look }) {
  const page = await browser.page();
  const policy = {
    changes: "on", settings_topic: true,
    preprocessors: [{ instance: "edge-box-1", policy: "alternate", source: "default", settings: 'policy = "alternate"\n', breakers: { edge: "closed", cloud: "half-open" } }],
    policies: [{ name: "alternate", about: "every second frame to the cloud", settings: 'policy = "alternate"\n' }, { name: "edge-only", about: "always the edge", settings: 'policy = "edge-only"\n' }],
  };
  let put = null;
  await page.route((address) => address.pathname === "/", async (route) => {
    if (route.request().isNavigationRequest()) return route.continue();
    const index = await (await route.fetch()).json();
    index.endpoints.policy = "GET /policy";
    return route.fulfill({ json: index });
  });
  await page.route((address) => address.pathname === "/policy", (route) => {
    const request = route.request();
    if (request.method() === "PUT") put = { body: request.postData(), type: request.headers()["content-type"] };
    return route.fulfill({ json: policy });
  });
  await page.goto(`${browser.url}/#/policy`);
  await page.waitForSelector("main >> text=half-open");
  await page.selectOption("#policy-choice", "edge-only");
  await look(page, "policy-change");
  await page.click("button:has-text('Set this policy')");
  await page.waitForSelector(".note.good");
  assert.deepEqual(put, { body: 'policy = "edge-only"\n', type: "application/toml" });
  await page.context().close();
}

async function wallFollowsVideos({ browser, suite, note }) {
  const videos = await suite.videos(2);
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
  ["a login is asked for where the server wants one", loginIsAskedFor, false],
  ["the policy is changed", policyIsChanged, false],
  ["the webcam is a camera", webcamIsACamera, false],
  ["the wall follows videos that are pushed", wallFollowsVideos, false],
  ["the wall follows its cameras", wallFollowsItsCameras, true],
  ["charts are drawn", chartsAreDrawn, true],
  ["the policy is shown", policyIsShown, true],
  ["a restart of the server is survived", restartIsSurvived, false],
];
