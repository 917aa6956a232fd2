// The frame around the views: which one is shown, the state of the connection, colours, login.

import { fill, say, el } from "./dom.js";
import { feed } from "./feed.js";
import { age } from "./format.js";
import { Life } from "./life.js";
import { account } from "./login.js";
import { problemBox } from "./problem.js";
import { has, json } from "./session.js";
import { themeButton } from "./theme.js";
import * as camera from "./camera.js";
import * as charts from "./charts.js";
import * as history from "./history.js";
import * as job from "./job.js";
import * as policy from "./policy.js";
import * as send from "./send.js";
import * as wall from "./wall.js";
import * as webcam from "./webcam.js";

const VIEWS = [
  [/^#?\/?$/, wall, "Live", "#/"],
  [/^#\/send$/, send, "Send", "#/send"],
  [/^#\/webcam$/, webcam, "Webcam", "#/webcam"],
  [/^#\/history(?:\?.*)?$/, history, "History", "#/history"],
  [/^#\/charts$/, charts, "Charts", "#/charts"],
  [/^#\/policy$/, policy, "Policy", "#/policy"],
  [/^#\/cameras\/([^/]+)$/, camera, "Camera", "#/"],
  [/^#\/jobs\/([^/]+)$/, job, "Frame", "#/"],
];

/** Cameras of before whose newest result is asked for. */
const MAX_KNOWN = 24;

const main = document.getElementById("main");
let life = null;
/** The view that is shown, if it takes other addresses of its own by itself: { view, update }. */
let current = null;

function route(isFirst) {
  const hash = location.hash;
  const found = VIEWS.map(([pattern, view, title, tab]) => ({ parts: pattern.exec(hash), view, title, tab })).find(({ parts }) => parts);
  if (found && current?.view === found.view) {
    current.update();
    return;
  }
  current = null;
  life?.close();
  life = new Life();
  main.replaceChildren();
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === found?.tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!found) {
    document.title = "MLVI";
    fill(main, el("section", { class: "empty" }, el("h1", {}, "There is nothing here"), el("p", {}, el("a", { href: "#/" }, "All cameras"))));
    return;
  }
  const args = found.parts.slice(1).map(decoded);
  document.title = `${args[0] && found.title === "Camera" ? args[0] : found.title} · MLVI`;
  try {
    const shown = found.view.show(main, args, life);
    if (shown?.update) current = { view: found.view, update: shown.update };
  } catch (error) {
    fill(main, problemBox(error));
    console.error(error);
  }
  if (!isFirst) {
    window.scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function connection() {
  const node = document.getElementById("state");
  const show = () => {
    const { state, since, missed, why } = feed;
    const words = {
      connecting: "connecting",
      live: "live",
      behind: missed > 0 ? `behind: ${missed} results missed` : "behind: results were missed",
      away: Date.now() - since < 1500 ? "disconnected" : `disconnected ${age(Date.now() - since).replace(" ago", "")}`,
    }[state];
    say(node, words);
    node.dataset.state = state;
    node.title = why ?? "";
  };
  feed.onState(show);
  setInterval(() => { if (feed.state === "away") show(); }, 1000);
}

/** Photos that are dropped or pasted anywhere are sent. */
function photos() {
  const take = (files, event) => {
    const images = [...(files ?? [])].filter((file) => file.type.startsWith("image/") || file.type === "");
    if (images.length === 0) return;
    event.preventDefault();
    send.add(images);
    if (location.hash !== "#/send") location.hash = "#/send";
  };
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => { if (hasFiles(event)) over(1); });
  window.addEventListener("dragleave", (event) => { if (hasFiles(event)) over(-1); });
  window.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  window.addEventListener("drop", (event) => {
    over(-depth);
    if (hasFiles(event)) event.preventDefault();
    take(event.dataTransfer?.files, event);
  });
  window.addEventListener("paste", (event) => take(event.clipboardData?.files, event));
}

/** Cameras that were there before this page was opened. */
async function known() {
  try {
    if (!(await has("GET /cameras"))) return;
    const answer = await json("/cameras");
    for (const one of (answer.cameras ?? []).slice(0, MAX_KNOWN)) {
      const name = one.camera;
      const last = one.last_result?.frame_id;
      if (typeof name !== "string" || typeof last !== "string") continue;
      const result = await json(`/jobs/${encodeURIComponent(last)}`);
      if (result.timings_ms) feed.know(name, result);
    }
  } catch (error) {
    console.info("cameras of before are not known", error.message);
  }
}

themeButton(document.getElementById("theme"));
connection();
account(document.getElementById("account"));
photos();
feed.start();
known();
window.addEventListener("hashchange", () => route(false));
route(true);
