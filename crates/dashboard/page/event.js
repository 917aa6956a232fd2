// One event of the past: as a card in a list, and as a whole with its pictures and frames.

import { el, fill, say } from "./dom.js";
import { clock, found, madeAt, ms, percent } from "./format.js";
import { Picture } from "./picture.js";
import { problemBox } from "./problem.js";
import { statusBadge, summary, tierBadge } from "./result.js";
import { json } from "./session.js";
import { FILTERS, lasted, question } from "./span.js";

const FRAMES = 25;
const MAX_PICTURES = 40;

const pathOf = (id) => `/history/thumbnails/${encodeURIComponent(id)}`;

/** A picture of the past, for the result or the little that is known of it. */
function pictureOf(life, options) {
  return new Picture(life, { ratio: 4 / 3, path: pathOf, ...options });
}

const noPicture = () => el("div", { class: "picture fixed" }, el("p", { class: "picture-note" }, "No picture was kept"));

/** When an event was, in words. */
function when({ start_ms: start, end_ms: end }) {
  const date = new Date(start).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
  const [from, to] = [clock(start), clock(end)];
  return `${date}, ${from}${from === to ? "" : ` – ${to}`}`;
}

/** Whether two are the same event. */
export function same(a, b) {
  return Boolean(a && b) && ["camera", "class", "start_ms", "end_ms"].every((name) => a[name] === b[name]);
}

/** An event in a list; `href`: its address. */
export function eventCard(life, event, href) {
  let picture = noPicture();
  const [shown] = event.thumbnails ?? [];
  if (shown) {
    const drawn = pictureOf(life, { label: `${event.class} at ${event.camera}` });
    drawn.show({ frame_id: shown, camera: event.camera, detections: [] });
    picture = drawn.element;
  }
  const frames = event.frames === 1 ? "1 frame" : `${event.frames} frames`;
  return el("article", { class: "card tile" },
    // the heading is the link that is read out
    el("a", { class: "tile-picture", href, tabindex: "-1", "aria-hidden": "true" }, picture),
    el("div", { class: "tile-body" },
      el("div", { class: "tile-line" },
        el("h3", {}, el("a", { class: "tile-name", href }, event.most > 1 ? `${event.most} × ${event.class}` : event.class)),
        el("span", { class: "number strong" }, percent(event.best_confidence))),
      el("p", { class: "tile-line" }, el("span", {}, event.camera), el("span", { class: "faint number" }, lasted(event.end_ms - event.start_ms))),
      el("p", { class: "tile-line faint" }, el("span", { class: "number" }, when(event)), el("span", { class: "number" }, frames))));
}

/** An event as a whole. `asked`: what narrows its frames; `back`: the address without it. */
export function eventDetails(life, event, asked, back) {
  const heading = el("h2", { tabindex: "-1" }, `${event.class} at ${event.camera}`);
  const pictures = el("ol", { class: "strip", tabindex: "0", "aria-label": "Pictures" });
  const note = el("p", { class: "faint" }, "…");
  const list = el("tbody", {});
  const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Frames" },
    el("table", {}, el("thead", {}, el("tr", {}, ["Time", "Found", "Surest", "Tier", "Took"].map((name) => el("th", { scope: "col" }, name)))), list));
  const more = el("button", { type: "button", hidden: true }, "More frames");
  const trouble = el("div", { hidden: true });
  const element = el("section", { class: "card pad stack event", "aria-label": `${event.class} at ${event.camera}` },
    el("div", { class: "card-head" }, heading, el("a", { href: back }, "Close")),
    el("p", { class: "faint number" }, `${when(event)}, ${lasted(event.end_ms - event.start_ms)}`),
    note, pictures, table, more, trouble);

  const within = { ...asked, camera: event.camera, class: event.class, from: event.start_ms, to: event.end_ms + 1 };
  const options = { signal: life.signal };
  const entries = new Map();
  const entry = (id) => {
    const picture = pictureOf(life);
    picture.show({ frame_id: id, camera: event.camera, detections: [] });
    entries.set(id, picture);
    return el("li", {}, el("div", { class: "card" }, picture.element, el("div", { class: "strip-text" }, el("span", { class: "number" }, clock(madeAt(id))))));
  };
  const frames = async (cursor) => {
    more.disabled = true;
    const names = ["camera", "class", "zone", "min_confidence", "destination"];
    const page = await json(`/history?${question(within, names, cursor ? { limit: FRAMES, cursor } : { limit: FRAMES })}`, options);
    for (const result of page.results) {
      // with what was found, where its picture is shown
      entries.get(result.frame_id)?.show(result);
      const own = result.detections.filter((one) => one.class === event.class);
      list.append(el("tr", {},
        el("td", { class: "number" }, clock(madeAt(result.frame_id))),
        el("td", {}, result.error ? summary(result) : found(result.detections), " ", statusBadge(result)),
        el("td", { class: "number" }, percent(Math.max(0, ...own.map((one) => one.confidence)))),
        el("td", {}, tierBadge(result)),
        el("td", { class: "number" }, ms(result.timings_ms.end_to_end))));
    }
    more.hidden = !page.next;
    more.disabled = false;
    more.onclick = () => tried(() => frames(page.next));
  };
  const load = async () => {
    const kept = await json(`/history/thumbnails?${question(within, ["camera"], { limit: MAX_PICTURES })}`, options);
    // of a long event the newest pictures are of its end: its own first and surest ones are always there
    const { events } = await json(`/history/events?${question(within, FILTERS, { limit: 1 })}`, options);
    const own = (events ?? []).flatMap((found) => found.thumbnails ?? []);
    const ids = [...new Set([...(kept.thumbnails ?? []), ...own])].sort((a, b) => madeAt(b) - madeAt(a));
    say(note, ids.length === 0
      ? "No picture of it was kept: there was no room, the frame was gone before one could be made, or pictures are off (MLVI_THUMBNAILS_MIB)."
      : "Pictures of its first and its surest frames, and of what else was seen meanwhile.");
    fill(pictures, [...ids].reverse().map(entry));
    pictures.hidden = ids.length === 0;
    await frames(null);
  };
  const tried = async (action) => {
    try {
      await action();
      trouble.hidden = true;
    } catch (error) {
      if (life.over) return;
      trouble.hidden = false;
      fill(trouble, problemBox(error));
    }
  };
  tried(load);
  return { element, heading };
}
