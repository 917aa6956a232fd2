// Lines and areas over time, in a canvas.

import { el, fill, say } from "./dom.js";
import { colour, onTheme } from "./theme.js";

const HEIGHT = 168;
const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;

/**
 * A chart of values over time.
 * `series`: { name, colour (a custom property of the style sheet), area? }; areas are stacked.
 * `format`: a value as text. `most`: the top of the scale, if it is fixed.
 */
export class Chart {
  #times = [];
  #values = [];
  #pointed = -1;
  #stale = false;

  constructor(life, { title, note, series, format, most = null }) {
    this.series = series;
    this.format = format;
    this.most = most;
    this.title = title;
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.when = el("span", { class: "faint number" });
    this.readings = series.map(() => el("span", { class: "number strong" }));
    const legend = el("ul", { class: "legend" }, series.map(({ name, colour, dashed }, i) => {
      const swatch = el("span", { class: dashed ? "swatch dashed" : "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--swatch", `var(${colour})`);
      return el("li", {}, swatch, name, this.readings[i]);
    }));
    this.element = el("figure", { class: "card chart" },
      el("figcaption", {}, el("h2", {}, title), note ? el("span", { class: "faint" }, note) : null, this.when), this.canvas, legend);
    const sized = new ResizeObserver(() => this.#draw());
    sized.observe(this.canvas);
    life.end(() => sized.disconnect());
    onTheme(() => this.#draw(), life);
    this.canvas.addEventListener("pointermove", (event) => this.#point(this.#at(event.offsetX)));
    this.canvas.addEventListener("pointerleave", () => this.#point(-1));
    this.canvas.addEventListener("blur", () => this.#point(-1));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const last = this.#times.length - 1;
      this.#point(Math.max(0, Math.min(last, (this.#pointed < 0 ? last + 1 : this.#pointed) + step)));
    });
  }

  /** `times`: milliseconds, ascending; `values`: one list per series, null where nothing is known. */
  update(times, values) {
    this.#times = times;
    this.#values = values;
    this.#draw();
  }

  #point(index) {
    if (index === this.#pointed) return;
    this.#pointed = index;
    this.#draw();
  }

  #at(x) {
    const share = (x - LEFT) / (this.canvas.clientWidth - LEFT - RIGHT);
    const last = this.#times.length - 1;
    return Math.max(0, Math.min(last, Math.round(share * last)));
  }

  #draw() {
    if (this.#stale) return;
    this.#stale = true;
    requestAnimationFrame(() => {
      this.#stale = false;
      this.#paint();
    });
  }

  #paint() {
    const { canvas, series } = this;
    const width = canvas.clientWidth;
    if (!width || this.#times.length < 2) return;
    const scale = window.devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(HEIGHT * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(HEIGHT * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);

    const stacked = this.#stacked();
    const highest = Math.max(0, ...stacked.flat().filter(Number.isFinite));
    const top = this.most ?? nice(highest);
    const count = this.#times.length;
    const x = (i) => LEFT + (i / (count - 1)) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);

    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colour("--faint");
    context.strokeStyle = colour("--line");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      const at = Math.round(y(top * share)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, at);
      context.lineTo(width - RIGHT, at);
      context.stroke();
      context.fillText(this.format(top * share), LEFT - 6, at);
    }
    context.textBaseline = "alphabetic";
    for (const share of [0, 0.5, 1]) {
      const minutes = Math.round(((this.#times[count - 1] - this.#times[0]) * (1 - share)) / 60_000);
      context.textAlign = share === 0 ? "left" : share === 1 ? "right" : "center";
      context.fillText(minutes === 0 ? "now" : `${minutes} min ago`, x(share * (count - 1)), HEIGHT - 5);
    }

    // the last stack first, so that the ones below are drawn over it
    for (let s = series.length - 1; s >= 0; s -= 1) {
      const values = stacked[s];
      const below = series[s].area ? stacked[s - 1] : null;
      context.strokeStyle = colour(series[s].colour);
      context.lineWidth = 1.75;
      context.lineJoin = "round";
      context.setLineDash(series[s].dashed ? [5, 4] : []);
      for (const [from, to] of runs(values)) {
        context.beginPath();
        for (let i = from; i <= to; i += 1) context.lineTo(x(i), y(Math.min(values[i], top)));
        if (from === to) context.lineTo(x(from) + 1.5, y(values[from]));
        context.stroke();
        if (series[s].area) {
          for (let i = to; i >= from; i -= 1) context.lineTo(x(i), y(below?.[i] ?? 0));
          context.globalAlpha = 0.22;
          context.fillStyle = colour(series[s].colour);
          context.fill();
          context.globalAlpha = 1;
        }
      }
    }
    context.setLineDash([]);

    const pointed = this.#pointed >= 0 && this.#pointed < count;
    const shown = pointed ? this.#pointed : this.#lastKnown();
    if (pointed) {
      context.strokeStyle = colour("--faint");
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(Math.round(x(shown)) + 0.5, TOP);
      context.lineTo(Math.round(x(shown)) + 0.5, HEIGHT - BOTTOM);
      context.stroke();
    }
    const readings = series.map(({ name }, s) => {
      const value = this.#values[s][shown];
      const text = Number.isFinite(value) ? this.format(value) : "–";
      say(this.readings[s], text);
      return `${name} ${text}`;
    });
    say(this.when, pointed ? new Date(this.#times[shown]).toLocaleTimeString() : "");
    const label = `${this.title}: ${readings.join(", ")}`;
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }

  /** The newest moment of which anything is known; the very last one is still growing. */
  #lastKnown() {
    for (let i = this.#times.length - 2; i >= 0; i -= 1) {
      if (this.#values.some((values) => Number.isFinite(values[i]))) return i;
    }
    return this.#times.length - 1;
  }

  #stacked() {
    const sums = [];
    this.series.forEach(({ area }, s) => {
      const below = area && s > 0 ? sums[s - 1] : null;
      sums.push(this.#values[s].map((value, i) => (value === null ? null : value + (below?.[i] ?? 0))));
    });
    return sums;
  }
}

/** Where values follow each other without a gap: pairs of first and last index. */
function runs(values) {
  const found = [];
  let from = -1;
  values.forEach((value, i) => {
    const known = value !== null && Number.isFinite(value);
    if (known && from < 0) from = i;
    if (!known && from >= 0) {
      found.push([from, i - 1]);
      from = -1;
    }
  });
  if (from >= 0) found.push([from, values.length - 1]);
  return found;
}

/** A round number that is not below a value. */
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 1.5, 2, 3, 4, 6, 8, 10]) if (step * power >= value) return step * power;
  return 10 * power;
}
