// Send: photos from this device, one after the other, and what is seen in them.

import { el, fill, icon } from "./dom.js";
import { feed } from "./feed.js";
import { bytes, ms } from "./format.js";
import { Picture } from "./picture.js";
import { Problem, problemBox } from "./problem.js";
import { decisionFacts, detectionList, jobHref, statusBadge, summary, tierBadge, timeline } from "./result.js";
import { request } from "./session.js";
import { sleep } from "./life.js";

const CAMERA = "dashboard";
const WAIT = "30s";
/** Photos that wait to be sent; further ones are refused. */
const MAX_WAITING = 50;
const MAX_SHOWN = 12;
const MAX_TRIES = 6;
const UPLOAD = "M12 16V4m0 0L7 9m5-5 5 5M4 16v2.500A1.500 1.500 0 0 0 5.500 20h13a1.500 1.500 0 0 0 1.500-1.500V16";

/** Cards of what was sent: they outlive a change of view, newest first. */
const sent = [];
const waiting = [];
let sending = false;
let changed = () => {};

/** The photo that comes with this page. */
export async function sendSample() {
  const address = new URL("./sample.jpg", import.meta.url);
  const blob = await (await request(address)).blob();
  add([new File([blob], "sample.jpg", { type: "image/jpeg" })]);
}

/** Sends photos, as many as there is room for. */
export function add(files) {
  for (const file of files) {
    const entry = { file, state: "waiting", result: null, error: null, tookMs: null, traceId: null };
    if (waiting.length >= MAX_WAITING) {
      entry.state = "failed";
      entry.error = new Problem({ title: "Too many photos at once", detail: `At most ${MAX_WAITING} wait here; send the others later.` });
    } else {
      waiting.push(entry);
    }
    sent.unshift(entry);
  }
  sent.splice(MAX_SHOWN + MAX_WAITING);
  changed();
  work();
}

async function work() {
  if (sending) return;
  sending = true;
  for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
    await send(entry);
    changed();
  }
  sending = false;
}

async function send(entry) {
  entry.state = "sending";
  changed();
  for (let tries = 1; ; tries += 1) {
    const began = performance.now();
    try {
      const response = await request(`/cameras/${CAMERA}/frames?wait=${WAIT}`, {
        method: "POST",
        headers: { "content-type": entry.file.type || "application/octet-stream" },
        body: entry.file,
      });
      entry.tookMs = performance.now() - began;
      entry.traceId = response.headers.get("traceparent")?.split("-")[1] ?? null;
      const answer = await response.json();
      if (answer.status === "pending") {
        entry.state = "pending";
        entry.id = answer.frame_id;
        return;
      }
      entry.result = answer;
      entry.state = "done";
      feed.take(answer);
      return;
    } catch (error) {
      if (error instanceof Problem && error.status === 429 && tries < MAX_TRIES) {
        entry.state = "held";
        changed();
        await sleep((error.retryAfter ?? 1) * 1000);
        continue;
      }
      entry.state = "failed";
      entry.error = error;
      entry.result = error.members?.result ?? null;
      return;
    }
  }
}

/** The buttons that send something, for other views, too. */
export function chooser(go = () => {}) {
  const input = el("input", { type: "file", accept: "image/jpeg,image/png,image/webp", multiple: true, class: "hidden", tabindex: "-1", "aria-hidden": "true" });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length > 0) {
      add(files);
      go();
    }
  });
  const choose = el("button", { type: "button", class: "primary", on: { click: () => input.click() } }, "Choose photos");
  const sample = el("button", {
    type: "button",
    on: {
      click: async () => {
        sample.disabled = true;
        try {
          await sendSample();
          go();
        } finally {
          sample.disabled = false;
        }
      },
    },
  }, "Send a sample");
  return el("div", { class: "row" }, choose, sample, input);
}

export function show(root, _, life) {
  const cards = new Map();
  const list = el("div", { class: "cards", "aria-live": "polite" });
  const zone = el("section", { class: "drop", "aria-labelledby": "send-title" },
    icon(UPLOAD),
    el("h1", { id: "send-title" }, "Send a photo"),
    el("p", {}, "Drop photos anywhere on this page, paste one, or choose some. JPEG, PNG or WebP, up to 8 MB."),
    chooser());
  fill(root, zone, list);

  changed = () => {
    for (const entry of sent) if (!cards.has(entry)) cards.set(entry, new Card(entry, life));
    for (const [entry, card] of cards) {
      const at = sent.indexOf(entry);
      if (at < 0 || at >= MAX_SHOWN) {
        card.close();
        cards.delete(entry);
      }
    }
    const wanted = sent.slice(0, MAX_SHOWN).map((entry) => cards.get(entry)).filter(Boolean);
    wanted.forEach((card, i) => {
      card.update();
      if (list.children[i] !== card.element) list.insertBefore(card.element, list.children[i] ?? null);
    });
  };
  life.end(() => { changed = () => {}; });
  changed();
}

class Card {
  #drawn = null;

  constructor(entry, life) {
    this.entry = entry;
    this.picture = new Picture(life);
    this.picture.showBlob(entry.file, null).catch(() => {
      this.picture.note.textContent = "This browser cannot show the file";
    });
    this.head = el("div", { class: "card-head" });
    this.body = el("div", { class: "stack" });
    this.element = el("article", { class: "card sent" }, this.picture.element, el("div", { class: "card-body" }, this.head, this.body));
  }

  update() {
    const { entry } = this;
    if (this.#drawn === entry.state) return;
    this.#drawn = entry.state;
    const { result } = entry;
    if (entry.state === "done") {
      this.picture.overlay(result);
      fill(this.head, el("h2", {}, summary(result)), el("div", { class: "row" }, statusBadge(result), tierBadge(result)));
      fill(this.body,
        detectionList(result, this.picture),
        decisionFacts(result),
        timeline(result),
        el("p", { class: "row faint" },
          el("a", { href: jobHref(result.frame_id) }, "Inspect this frame"),
          el("span", {}, `${bytes(entry.file.size)}, ${ms(entry.tookMs)} as seen from here`)));
      return;
    }
    const words = {
      waiting: "waiting for its turn",
      sending: "sending …",
      held: "the server is busy, trying again …",
      pending: "accepted, its result takes longer",
      failed: "not processed",
    }[entry.state];
    fill(this.head, el("h2", {}, entry.file.name || "photo"), el("span", { class: entry.state === "failed" ? "badge bad" : "badge" }, words));
    fill(this.body,
      entry.state === "sending" ? el("div", { class: "progress", "aria-hidden": "true" }, el("span")) : null,
      entry.error ? problemBox(entry.error) : null,
      entry.state === "pending" ? el("a", { href: jobHref(entry.id) }, "Watch this frame") : null);
  }

  close() {
    this.picture.close();
    this.element.remove();
  }
}
