// What is known of cameras' masks and zones: asked for where pictures are shown, and drawn on them.

import { has, json } from "./session.js";

/** How long an answer holds, and a refusal. */
const FRESH_MS = 20_000;
const AFTER_REFUSAL_MS = 300_000;
const MAX_CAMERAS = 256;
/** What the server takes as a camera's name. */
const NAME = /^[A-Za-z0-9._-]{1,64}$/;

export const isCamera = (name) => NAME.test(name ?? "");

export const pathOf = (camera) => `/cameras/${encodeURIComponent(camera)}/regions`;

class Regions {
  /** camera → { until, asking, regions } */
  #known = new Map();
  #listeners = new Set();

  /** Calls with a camera, and whether its masks are others, when its regions have changed; gives what ends that. */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A camera's `masks` and `zones` as far as they are known; they are asked for. */
  of(camera) {
    if (!isCamera(camera)) return null;
    let entry = this.#known.get(camera);
    if (!entry) {
      if (this.#known.size >= MAX_CAMERAS) this.#known.delete(this.#known.keys().next().value);
      entry = { until: 0, asking: false, regions: null };
      this.#known.set(camera, entry);
    }
    if (!entry.asking && Date.now() > entry.until) this.#ask(camera, entry);
    return entry.regions;
  }

  /** The server has told of them. */
  take(camera, { masks = [], zones = [] }) {
    const before = this.#known.get(camera)?.regions;
    const regions = { masks, zones };
    this.#known.set(camera, { until: Date.now() + FRESH_MS, asking: false, regions });
    const differs = (name) => JSON.stringify(before?.[name] ?? []) !== JSON.stringify(regions[name]);
    const others = differs("masks");
    if (others || differs("zones")) for (const listener of this.#listeners) listener(camera, others && before !== undefined && before !== null);
  }

  async #ask(camera, entry) {
    entry.asking = true;
    try {
      if (await has("GET /cameras/{camera}/regions")) this.take(camera, await json(pathOf(camera)));
      else entry.until = Infinity;
    } catch {
      // pictures are shown without
      entry.until = Date.now() + AFTER_REFUSAL_MS;
    }
    entry.asking = false;
  }
}

export const regions = new Regions();

/** Outlines zones faintly, with their names, in an area of CSS pixels. */
export function drawZones(context, zones, width, height) {
  const font = Math.max(9, Math.min(13, width / 36));
  context.font = `500 ${font}px system-ui, sans-serif`;
  context.textBaseline = "top";
  context.lineJoin = "round";
  for (const { name, points } of zones) {
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * width, y * height);
    context.closePath();
    for (const [colour, line] of [["rgba(0, 0, 0, 0.35)", 2.5], ["rgba(255, 255, 255, 0.6)", 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.stroke();
    }
    const [x, y] = points.reduce((best, point) => (point[1] < best[1] ? point : best));
    const left = Math.max(2, Math.min(x * width + 4, width - context.measureText(name).width - 4));
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, 0.55)";
    context.strokeText(name, left, y * height + 4);
    context.fillStyle = "rgba(255, 255, 255, 0.85)";
    context.fillText(name, left, y * height + 4);
  }
}
