// The past: time lines of cameras, events with their pictures, filters. What is asked for is in the address.

import { el, fill, say } from "./dom.js";
import { eventCard, eventDetails, same } from "./event.js";
import { count } from "./format.js";
import { Lane } from "./lane.js";
import { Life } from "./life.js";
import { colourOf } from "./overlay.js";
import { Problem, problemBox } from "./problem.js";
import { json } from "./session.js";
import { FILTERS, PRESETS, binOf, binsOf, daysOf, href, question, read, toField, words } from "./span.js";
import { colour } from "./theme.js";

const MAX_COUNTS = 10_000;
const MAX_LANES = 12;
const EVENTS = 24;
/** Of the colours of boxes those that are far apart, by rank. */
const COLOURS = [0, 1, 2, 5, 6, 3, 7];
const MAX_COLOURS = COLOURS.length;

/** The colours of classes, the most frequent ones first; all others share one. */
class Colours {
  #ranks;

  constructor(totals) {
    this.#ranks = new Map([...totals].sort((a, b) => b[1] - a[1]).slice(0, MAX_COLOURS).map(([name], i) => [name, i]));
  }

  get names() {
    return [...this.#ranks.keys()];
  }

  of(name) {
    const rank = this.#ranks.get(name);
    return rank === undefined ? colour("--faint") : colourOf(COLOURS[rank]);
  }

  /** Classes and their numbers, in the order in which they are stacked. */
  sorted(bin) {
    const rank = ([name]) => this.#ranks.get(name) ?? MAX_COLOURS;
    return [...bin].sort((a, b) => rank(a) - rank(b));
  }
}

export function show(root, _, life) {
  let asked = read(location.hash);
  /** Of what is shown: it ends with the next question. */
  let shown = null;
  let opened = null;

  const form = new Form((wanted) => {
    const next = href({ ...wanted, event: null });
    if (next === href({ ...asked, event: null })) load();
    else location.hash = next;
  }, life);
  const span = el("p", { class: "faint number", role: "status" });
  const details = el("div", {});
  const lanes = el("div", {});
  const events = el("div", {});
  const downloads = el("p", { class: "faint row" });
  const content = el("div", { class: "stack" }, details, lanes, events, downloads);
  const head = el("div", { class: "view-head" }, el("h1", {}, "History"), span);
  fill(root, head, form.element, content);

  const open = (focuses) => {
    opened?.close();
    opened = null;
    fill(details);
    if (!asked.event) {
      // what had the focus is gone
      if (focuses) root.focus({ preventScroll: true });
      return;
    }
    opened = new Life();
    const { element, heading } = eventDetails(opened, asked.event, asked, href({ ...asked, event: null }));
    fill(details, element);
    if (!focuses) return;
    heading.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  };

  async function load() {
    shown?.close();
    shown = new Life();
    const own = shown;
    if (asked.isOpen) asked = { ...asked, ...read(href(asked)) };
    form.fill(asked);
    say(span, words(asked));
    fill(lanes, el("p", { class: "faint" }, "…"));
    fill(events);
    fill(downloads);
    try {
      const seen = await counts(asked, own);
      const page = await eventsOf(asked, {}, own);
      if (own.over) return;
      form.offer(seen);
      const timeLines = drawLanes(lanes, seen, page.events, asked, own, (event) => { location.hash = href({ ...asked, event }); });
      listEvents(events, page, asked, own, timeLines);
      const frames = question(asked, FILTERS, { limit: 1000 });
      fill(downloads, "The newest 1,000 frames as", el("a", { href: `/history?${frames}&format=csv`, download: "" }, "CSV"), "or",
        el("a", { href: `/history?${frames}&format=ndjson`, download: "" }, "NDJSON"));
    } catch (error) {
      if (own.over) return;
      fill(details);
      fill(lanes, error instanceof Problem && error.kind === "no-history" ? nothingKept(error) : [problemBox(error), again(load)]);
    }
  }

  life.end(() => {
    shown?.close();
    opened?.close();
  });
  load();
  open(false);

  return {
    /** The address is another one, still of this view. */
    update() {
      const before = asked;
      asked = read(location.hash);
      const isSame = href({ ...asked, event: null }) === href({ ...before, event: null });
      // an address without a time goes on with the time that is shown
      if (isSame) asked = { ...before, event: asked.event };
      else load();
      if (!isSame || !same(before.event, asked.event) || Boolean(before.event) !== Boolean(asked.event)) open(isSame);
    },
  };
}

function again(load) {
  return el("p", {}, el("button", { type: "button", on: { click: load } }, "Try again"));
}

function nothingKept(error) {
  return el("section", { class: "empty" },
    el("h2", {}, error.title),
    el("p", {}, "Results are remembered for some minutes only. With a database, every result stays, and this page shows what was seen at any time, with pictures of each event:"),
    el("pre", {}, el("code", {}, "mlvi up --history")),
    el("p", { class: "faint" }, error.detail));
}

/** How often each class was seen by each camera: { bins, cameras, classes }. */
async function counts(asked, life) {
  let bins = binsOf(asked);
  let rows;
  for (;;) {
    const query = question(asked, ["camera", "class"], { by: bins.by, limit: MAX_COUNTS });
    ({ counts: rows } = await json(`/history/counts?${query}`, { signal: life.signal }));
    if (rows.length < MAX_COUNTS || bins.by === "day") break;
    // too many to be told of one by one
    bins = bins.by === "minute" ? binsOf(asked, 3_600_000) : daysOf(asked);
  }
  const [cameras, classes] = [new Map(), new Map()];
  for (const { start_ms: start, camera, class: name, detections } of rows) {
    if (!cameras.has(camera)) cameras.set(camera, []);
    cameras.get(camera).push({ start: binOf(start, bins), name, detections });
    classes.set(name, (classes.get(name) ?? 0) + detections);
  }
  return { bins, cameras, classes };
}

function eventsOf(asked, more, life) {
  return json(`/history/events?${question(asked, FILTERS, { limit: EVENTS, ...more })}`, { signal: life.signal });
}

/** A time line for each camera; gives what takes further events. */
function drawLanes(root, seen, events, asked, life, open) {
  const colours = new Colours(seen.classes);
  const names = new Map([...seen.cameras].map(([camera, rows]) => [camera, rows.reduce((sum, row) => sum + row.detections, 0)]));
  const wanted = [...names].sort((a, b) => b[1] - a[1]).slice(0, MAX_LANES).map(([camera]) => camera).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const made = new Map(wanted.map((camera) => [camera, new Lane(life, { camera, asked, bins: seen.bins, colours, open })]));
  for (const [camera, lane] of made) for (const { start, name, detections } of seen.cameras.get(camera)) lane.add(start, name, detections);
  const take = (more) => {
    for (const [camera, lane] of made) lane.addEvents(more.filter((event) => event.camera === camera));
  };
  take(events);
  if (made.size === 0) {
    fill(root, el("section", { class: "empty" }, el("h2", {}, "Nothing was seen"), el("p", {}, "No detection of that time matches. Choose a longer time, or fewer filters.")));
    return take;
  }
  const hasOthers = asked.zone || asked.min_confidence || asked.destination;
  const legend = el("ul", { class: "legend" }, colours.names.map((name) => {
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--swatch", colours.of(name));
    return el("li", {}, swatch, name);
  }), seen.classes.size > MAX_COLOURS ? el("li", {}, el("span", { class: "swatch", "aria-hidden": "true" }), "others") : null);
  const left = names.size - made.size;
  fill(root, el("section", { class: "card pad stack", "aria-labelledby": "lanes-title" },
    el("div", { class: "card-head" }, el("h2", { id: "lanes-title" }, "Time lines"), legend),
    [...made.values()].map((lane) => lane.element),
    el("p", { class: "faint" }, "Bars are detections, the marks below them events.",
      seen.bins.by === "day" ? " Bars are days of UTC." : "",
      hasOthers ? " Bars count all zones, confidences and tiers." : "",
      left > 0 ? ` ${left} more cameras are not shown: choose one.` : "")));
  return take;
}

function listEvents(root, first, asked, life, take) {
  const grid = el("div", { class: "wall past" });
  const total = el("p", { class: "faint", role: "status" });
  const older = el("button", { type: "button", hidden: true }, "Older events");
  const trouble = el("div", {});
  let shown = 0;
  const add = (page) => {
    for (const event of page.events) grid.append(eventCard(life, event, href({ ...asked, event })));
    shown += page.events.length;
    older.hidden = !page.next;
    say(total, `${count(shown)} ${shown === 1 ? "event" : "events"}${older.hidden ? "" : ", and older ones"}`);
    older.onclick = async () => {
      older.disabled = true;
      try {
        const next = await eventsOf(asked, { cursor: page.next }, life);
        take(next.events);
        add(next);
        fill(trouble);
      } catch (error) {
        if (!life.over) fill(trouble, problemBox(error));
      }
      older.disabled = false;
    };
  };
  add(first);
  fill(root, el("section", { class: "stack", "aria-labelledby": "events-title" },
    el("div", { class: "view-head" }, el("h2", { id: "events-title" }, "Events"), total), grid, trouble, el("div", { class: "row" }, older)));
}

/** The time and the filters. */
class Form {
  #fields = {};
  #presets;
  #asked = null;

  constructor(ask, life) {
    this.ask = ask;
    const field = (name, label, input) => {
      input.id = `history-${name}`;
      this.#fields[name] = input;
      return el("div", {}, el("label", { for: input.id }, label), input);
    };
    const options = (pairs) => el("select", { on: { change: () => this.#submit() } }, pairs.map(([value, text]) => el("option", { value }, text)));
    this.cameras = el("datalist", { id: "history-cameras" });
    this.classes = el("datalist", { id: "history-classes" });
    this.#presets = Object.entries(PRESETS).map(([name, of]) => el("button", { type: "button", on: { click: () => this.#preset(of) } }, name));
    this.element = el("form", { class: "card pad stack history-form", on: { submit: (event) => { event.preventDefault(); this.#submit(); } } },
      el("div", { class: "row", role: "group", "aria-label": "Time" }, this.#presets),
      el("div", { class: "fields" },
        field("from", "From", el("input", { type: "datetime-local", required: true })),
        field("to", "To", el("input", { type: "datetime-local", required: true })),
        field("camera", "Camera", el("input", { list: "history-cameras", maxlength: 64, autocomplete: "off", placeholder: "all" })),
        field("class", "Class", el("input", { list: "history-classes", maxlength: 200, autocomplete: "off", placeholder: "all" })),
        field("zone", "Zone", el("input", { maxlength: 200, autocomplete: "off", placeholder: "all" })),
        field("min_confidence", "At least", options([["", "any"], ["0.3", "30 %"], ["0.5", "50 %"], ["0.7", "70 %"], ["0.9", "90 %"]])),
        field("destination", "Tier", options([["", "both"], ["edge", "edge"], ["cloud", "cloud"]])),
        el("button", { class: "primary", type: "submit" }, "Show")),
      this.cameras, this.classes);
    this.#known(life);
  }

  /** Cameras that there are now, whatever they have seen. */
  async #known(life) {
    const { cameras } = await json("/cameras", { signal: life.signal }).catch(() => ({ cameras: [] }));
    this.#offer(this.cameras, (cameras ?? []).map(({ camera }) => camera));
  }

  #offer(list, names) {
    const before = [...list.options].map((option) => option.value);
    const all = [...new Set([...before, ...names])].sort().slice(0, 200);
    fill(list, all.map((value) => el("option", { value })));
  }

  /** What was seen can be chosen. */
  offer({ cameras, classes }) {
    this.#offer(this.cameras, [...cameras.keys()]);
    this.#offer(this.classes, [...classes.keys()]);
  }

  fill(asked) {
    this.#asked = asked;
    for (const name of ["from", "to"]) this.#fields[name].value = toField(asked[name]);
    for (const name of FILTERS) {
      const field = this.#fields[name];
      const value = asked[name] ?? "";
      // an address may have another number than the ones that are offered
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.append(el("option", { value }, value));
      field.value = value;
    }
  }

  #filters() {
    return Object.fromEntries(FILTERS.map((name) => [name, this.#fields[name].value.trim() || null]));
  }

  #preset(of) {
    const [from, to] = of(Date.now());
    this.ask({ ...this.#filters(), from, to });
  }

  #submit() {
    const at = (name) => Date.parse(this.#fields[name].value);
    const [from, to] = [at("from"), at("to")];
    const field = this.#fields.to;
    field.setCustomValidity(from >= to ? "This is before the start." : "");
    if (!this.element.reportValidity()) return;
    // fields have whole minutes: what was not changed stays as it was
    const kept = (name, value) => (toField(this.#asked[name]) === toField(value) ? this.#asked[name] : value);
    const isOpen = this.#asked.isOpen && kept("from", from) === this.#asked.from && kept("to", to) === this.#asked.to;
    this.ask({ ...this.#filters(), from: kept("from", from), to: kept("to", to), isOpen });
  }
}
