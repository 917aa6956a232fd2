// What the dashboard does where tokens are needed, over HTTPS: one check each, in this order.

import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Suite } from "./suite.mjs";

const PHOTO = "images/coffee.jpg";
const GRANTS = {
  sender: ["--send", "*"],
  viewer: ["--read"],
  operator: ["--send", "*", "--read", "--settings"],
};

/** A suite with HTTPS and tokens, and the tokens by their names. */
export async function lockedSuite({ binary, port, out }) {
  const folder = join(out, "locked");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const file = join(folder, "tokens.toml");
  const tokens = {};
  for (const [name, grants] of Object.entries(GRANTS)) {
    tokens[name] = execFileSync(binary, ["token", "new", "--name", name, ...grants, "--file", file], { encoding: "utf8" }).trim();
  }
  const suite = new Suite({
    binary, port, data: join(folder, "broker"), log: join(out, "locked.log"), args: ["--tls", "--tokens-file", file], token: tokens.operator,
  });
  return Object.assign(suite, { tokens, file });
}

async function logIn(page, token) {
  await page.fill("#token", token);
  await page.keyboard.press("Enter");
}

async function loggedIn(browser, path, token, options) {
  const page = await browser.open(path, options);
  await page.waitForSelector("dialog[open]");
  await logIn(page, token);
  await page.waitForSelector("#account:has-text('Log out')");
  return page;
}

async function aCookieStandsForTheToken({ browser, suite, look }) {
  browser.forgiving = true;
  const page = await browser.open("");
  await page.waitForSelector("dialog[open] >> text=Token");
  await look(page, "locked");
  await logIn(page, "mlvi_no-token");
  await page.waitForSelector("dialog .problem >> text=there is no such token");
  await logIn(page, suite.tokens.viewer);
  await page.waitForSelector("#account:has-text('Log out')");
  browser.forgiving = false;
  const cookies = await page.context().cookies();
  assert.equal(cookies.length, 1);
  const [{ name, value, httpOnly, secure, sameSite, path, expires }] = cookies;
  assert.deepEqual({ name, httpOnly, secure, sameSite, path }, { name: "mlvi_session", httpOnly: true, secure: true, sameSite: "Strict", path: "/" });
  const hours = (expires - Date.now() / 1000) / 3600;
  assert.ok(hours > 11 && hours < 13, `${hours} hours`);
  assert.ok(!value.includes(suite.tokens.viewer), "the token is not in it");
  const kept = await page.evaluate(() => `${document.cookie} ${location.href} ${JSON.stringify(localStorage)} ${JSON.stringify(sessionStorage)}`);
  assert.ok(!kept.includes("mlvi_session") && !kept.includes(suite.tokens.viewer), kept);
  await page.waitForSelector("#state:has-text('live')");
  await page.click("#account");
  browser.forgiving = true;
  await page.waitForSelector("dialog[open] >> text=Token");
  assert.deepEqual(await page.context().cookies(), []);
  await page.context().close();
  browser.forgiving = false;
}

async function aMissingRightIsNamed({ browser, suite, look }) {
  browser.forgiving = true;
  const page = await loggedIn(browser, "#/policy", suite.tokens.viewer);
  await page.selectOption("#policy-choice", "cloud-only");
  await page.click("button:has-text('Set this policy')");
  await page.waitForSelector(".problem >> text=this needs the right 'settings', which you do not have");
  await look(page, "no-right");
  await page.context().close();
  const sender = await loggedIn(browser, "#/charts", suite.tokens.sender);
  await sender.waitForSelector(".problem >> text=this needs the right 'read'");
  await sender.context().close();
  browser.forgiving = false;
}

async function aChangedPolicyIsSeen({ browser, suite, note, look }) {
  browser.forgiving = true;
  const page = await loggedIn(browser, "#/policy", suite.tokens.operator);
  browser.forgiving = false;
  await page.waitForSelector(".facts dd:has-text('alternate')");
  const wall = await page.context().newPage();
  wall.setDefaultTimeout(30_000);
  await wall.goto(`${browser.url}/`);
  for (const [policy, tier] of [["cloud-only", "cloud"], ["edge-only", "edge"]]) {
    await page.selectOption("#policy-choice", policy);
    await page.click("button:has-text('Set this policy')");
    const began = Date.now();
    await page.waitForSelector(".note.good");
    await page.waitForSelector(`.facts dd:has-text("${policy}")`);
    note(`${policy}: said by the page ${((Date.now() - began) / 1000).toFixed(1)} s after the click`);
    // from now on every frame goes there, and its badge says so
    for (let n = 0; n < 3; n += 1) {
      const { frame_id: id, decision } = await suite.send("counter", PHOTO);
      assert.equal(decision.destination, tier);
      await wall.waitForSelector(`.tile:has(h2:has-text("counter")) a[href="#/jobs/${id}"] .badge.${tier}`);
    }
  }
  assert.match(await page.locator("main").innerText(), /Set by operator/);
  await look(page, "policy-set");
  await page.click("button:has-text('Back to the file')");
  await page.waitForSelector(".facts dd:has-text('alternate')");
  await page.context().close();
}

async function aWebcamWorksOverHttps({ browser, suite }) {
  browser.forgiving = true;
  const page = await loggedIn(browser, "#/webcam", suite.tokens.operator, { permissions: ["camera"] });
  browser.forgiving = false;
  await page.fill("#webcam-name", "desk");
  await page.click("button:has-text('Start the webcam')");
  await page.waitForSelector("text=/results per second, .* there and back/");
  await page.click("button:has-text('Stop')");
  await page.context().close();
}

async function aTokenThatIsTakenBackEndsThePage({ browser, suite }) {
  browser.forgiving = true;
  const page = await loggedIn(browser, "", suite.tokens.viewer);
  await page.waitForSelector("#state:has-text('live')");
  const lines = await readFile(suite.file, "utf8");
  const others = lines.split("[[token]]").filter((entry) => !entry.includes('"viewer"'));
  assert.equal(others.length, Object.keys(GRANTS).length, "one entry is gone");
  await writeFile(suite.file, others.join("[[token]]"));
  await page.waitForSelector("dialog[open] >> text=Token");
  await page.context().close();
  browser.forgiving = false;
}

/** Name, what it does, and whether cameras send frames meanwhile. */
export const LOCKED = [
  ["a cookie stands for the token", aCookieStandsForTheToken, false],
  ["a missing right is named", aMissingRightIsNamed, false],
  ["a changed policy is seen in the badges", aChangedPolicyIsSeen, false],
  ["a webcam works over HTTPS", aWebcamWorksOverHttps, false],
  ["a token that is taken back ends the page's stream", aTokenThatIsTakenBackEndsThePage, false],
];
