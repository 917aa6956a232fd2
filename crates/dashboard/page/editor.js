// A camera's masks and zones, to be looked at and drawn: over its newest picture, and as a list of numbers.

import { el, fill } from "./dom.js";
import { feed } from "./feed.js";
import { Picture } from "./picture.js";
import { Polygons, rounded } from "./polygons.js";
import { Problem, problemBox } from "./problem.js";
import { isCamera, pathOf, regions } from "./regions.js";
import { has, request } from "./session.js";

/** A new one: a square in the middle, whose corners are moved from there. */
const SQUARE = [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]];
const MOST = { mask: 32, zone: 32 };

/** The section of a camera's page. */
export function regionsSection(camera, life) {
  const body = el("div", { class: "stack" });
  const section = el("section", { class: "card pad stack", "aria-labelledby": "regions-title", hidden: true },
    el("h2", { id: "regions-title" }, "Masks and zones"), body);
  const load = async () => {
    // others are names that no server has taken
    if (!isCamera(camera)) return;
    try {
      if (!(await has("GET /cameras/{camera}/regions"))) return;
      const answer = await ask(camera, { signal: life.signal });
      if (life.over) return;
      section.hidden = false;
      fill(body, overview(camera, answer, () => edit(answer), load));
    } catch (error) {
      if (life.over) return;
      section.hidden = false;
      fill(body, problemBox(error));
    }
  };
  const edit = (answer) => fill(body, editor(camera, answer, life, load));
  load();
  return section;
}

/** What the server says, with its entity tag. */
async function ask(camera, options = {}) {
  const response = await request(pathOf(camera), options);
  const answer = await response.json();
  regions.take(camera, answer);
  return { ...answer, tag: response.headers.get("etag") };
}

function overview(camera, { source, masks, zones, changes, changed_by: by, note, problem, tag }, edit, reload) {
  const from = { topic: `Set by ${by ?? "somebody"}${note ? `: ${note}` : ""}.`, file: "From the regions file.", none: "None: all of the picture is seen, and nothing in it has a name." }[source] ?? "";
  const outcome = el("div", { role: "status" });
  const clear = async () => {
    try {
      await ask(camera, { method: "DELETE", headers: { "if-match": tag } });
      reload();
    } catch (error) {
      fill(outcome, problemBox(error));
    }
  };
  const count = (list, one) => `${list.length} ${one}${list.length === 1 ? "" : "s"}`;
  return [
    el("p", {}, source === "none" ? from : `${count(masks, "mask")}, ${count(zones, "zone")}. ${from}`),
    zones.length > 0 ? el("p", { class: "faint" }, `Zones: ${[...new Set(zones.map(({ name }) => name))].join(", ")}`) : null,
    problem ? problemBox(new Problem({ title: "What was set cannot be used", detail: problem })) : null,
    changes === "on"
      ? el("div", { class: "row" },
        el("button", { type: "button", on: { click: edit } }, "Edit masks and zones"),
        source === "topic" || problem ? el("button", { type: "button", on: { click: clear } }, "Back to the file") : null)
      : el("p", { class: "faint" }, "This server shows them and does not change them (", el("code", {}, "MLVI_SETTINGS_CHANGES"), ")."),
    outcome,
  ];
}

function editor(camera, answer, life, done) {
  const items = [
    ...answer.masks.map((mask) => ({ kind: "mask", name: mask.name ?? "", points: mask.points.map(([...point]) => point) })),
    ...answer.zones.map((zone) => ({ kind: "zone", name: zone.name, points: zone.points.map(([...point]) => point) })),
  ];
  let selected = items.length > 0 ? 0 : -1;
  /** The numbers of the selected one, a pair for each corner. */
  let fields = [];
  const list = el("ol", { class: "regions" });
  const outcome = el("div", { role: "status" });
  const polygons = new Polygons({
    onChange: () => numbers(),
    onSelect: (index) => {
      if (index !== selected) select(index);
    },
  });

  const picture = new Picture(life, { plain: true, onPicture: () => fit() });
  const canvas = picture.element.querySelector("canvas");
  picture.element.append(polygons.element);
  const fit = () => {
    for (const [side, value] of [["left", canvas.offsetLeft], ["top", canvas.offsetTop], ["width", canvas.offsetWidth], ["height", canvas.offsetHeight]]) {
      polygons.element.style[side] = `${value}px`;
    }
  };
  const sized = new ResizeObserver(fit);
  sized.observe(canvas);
  sized.observe(picture.element);
  const latest = feed.cameras.get(camera)?.latest;
  if (latest) picture.show(latest);
  const close = () => {
    sized.disconnect();
    picture.close();
    done();
  };

  const select = (index) => {
    selected = index;
    polygons.show(items, selected);
    write();
  };
  /** The list, as it is selected. */
  const write = () => {
    fields = [];
    fill(list, items.map((item, index) => (index === selected ? opened(item, index) : closed(item, index))));
  };
  const title = (item, index) => `${item.kind === "mask" ? "Mask" : "Zone"} ${index + 1}${item.name ? `: ${item.name}` : ""}`;
  const closed = (item, index) => el("li", { class: item.kind },
    el("button", { type: "button", class: "quiet", on: { click: () => select(index) } }, title(item, index)));
  const remove = (index) => {
    items.splice(index, 1);
    select(Math.min(index, items.length - 1));
  };
  const opened = (item, index) => {
    const name = el("input", { type: "text", maxlength: "64", id: "region-name", autocomplete: "off" });
    name.value = item.name;
    name.addEventListener("input", () => { item.name = name.value; });
    fields = item.points.map((_, corner) => [0, 1].map((axis) => {
      const field = el("input", { type: "number", min: "0", max: "100", step: "0.1", "aria-label": `Corner ${corner + 1}, ${axis === 0 ? "from the left" : "from the top"}, per cent` });
      field.addEventListener("change", () => {
        const value = Number.parseFloat(field.value);
        if (Number.isFinite(value)) item.points[corner][axis] = rounded(value / 100);
        polygons.show(items, selected);
        numbers();
      });
      return field;
    }));
    const corners = el("ol", { class: "corners" }, fields.map((pair, corner) => el("li", {}, pair,
      el("button", { type: "button", disabled: item.points.length <= 3, "aria-label": `Remove corner ${corner + 1}`, on: { click: () => { item.points.splice(corner, 1); select(index); } } }, "−"))));
    setTimeout(numbers);
    return el("li", { class: `${item.kind} selected` },
      el("fieldset", {}, el("legend", {}, title(item, index)),
        el("div", {}, el("label", { for: "region-name" }, item.kind === "zone" ? "Name" : "Name (for people)"), name),
        corners,
        el("div", { class: "row" },
          el("button", { type: "button", disabled: item.points.length >= 64, on: { click: () => { addCorner(item); select(index); } } }, "Add a corner"),
          el("button", { type: "button", on: { click: () => remove(index) } }, "Remove it"))));
  };
  /** Numbers follow what is dragged. */
  const numbers = () => {
    const points = items[selected]?.points ?? [];
    if (points.length !== fields.length) {
      write();
      return;
    }
    fields.forEach((pair, corner) => pair.forEach((field, axis) => {
      const text = String(Math.round(points[corner][axis] * 1000) / 10);
      if (document.activeElement !== field && field.value !== text) field.value = text;
    }));
  };
  const add = (kind) => {
    if (items.filter((item) => item.kind === kind).length >= MOST[kind]) return;
    items.push({ kind, name: kind === "zone" ? `zone ${items.length + 1}` : "", points: SQUARE.map(([...point]) => point) });
    select(items.length - 1);
  };
  const save = async () => {
    const of = (kind) => items.filter((item) => item.kind === kind).map(({ name, points }) => (name.trim() ? { name: name.trim(), points } : { points }));
    const body = JSON.stringify({ masks: of("mask"), zones: of("zone") });
    try {
      await ask(camera, { method: "PUT", headers: { "content-type": "application/json", "if-match": answer.tag }, body });
      close();
    } catch (error) {
      const words = { 412: "Somebody else has changed them meanwhile: cancel, and begin with theirs.", 422: "Nothing was changed." }[error.status];
      fill(outcome, problemBox(error), words ? el("p", { class: "faint" }, words) : null);
    }
  };
  polygons.show(items, selected);
  write();
  return el("div", { class: "two" },
    picture.element,
    el("div", { class: "stack" },
      el("p", { class: "faint" }, "Masks are black in everything that is inferred, shown and sent on. Detections name the zones in which they stand. Pull corners, or the middle of a side for a new one."),
      list,
      el("div", { class: "row" },
        el("button", { type: "button", on: { click: () => add("mask") } }, "Add a mask"),
        el("button", { type: "button", on: { click: () => add("zone") } }, "Add a zone")),
      el("div", { class: "row" },
        el("button", { type: "button", class: "primary", on: { click: save } }, "Save"),
        el("button", { type: "button", on: { click: close } }, "Cancel")),
      outcome));
}

/** In the middle of the longest side. */
function addCorner({ points }) {
  const length = (corner) => Math.hypot(...[0, 1].map((axis) => points[corner][axis] - points[(corner + 1) % points.length][axis]));
  const longest = points.reduce((best, _, corner) => (length(corner) > length(best) ? corner : best), 0);
  const next = points[(longest + 1) % points.length];
  points.splice(longest + 1, 0, [0, 1].map((axis) => rounded((points[longest][axis] + next[axis]) / 2)));
}
