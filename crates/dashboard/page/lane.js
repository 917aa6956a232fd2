// One camera's time line: how often each class was seen, as bars, and its events below them.

import { el, say } from "./dom.js";
import { binEnd, ticks } from "./span.js";
import { colour, onTheme } from "./theme.js";

const BARS = 64;
const EVENTS = 12;
const AXIS = 18;
const HEIGHT = BARS + EVENTS + AXIS;

export class Lane {
  #asked;
  #bins = new Map();
  #events = [];
  #stale = false;
  #pointed = null;

  /** `open`: what is done with an event that is chosen; `colours`: a class's colour. */
  constructor(life, { camera, asked, bins, colours, open }) {
    Object.assign(this, { camera, bins, colours, open });
    this.#asked = asked;
    this.total = 0;
    this.canvas = el("canvas", { role: "img", tabindex: "0" });
    this.reading = el("span", { class: "faint number" });
    this.element = el("section", { class: "lane", "aria-label": `Time line of ${camera}` },
      el("div", { class: "tile-line" }, el("h3", {}, camera), this.reading), this.canvas);
    const sized = new ResizeObserver(() => this.#draw());
    sized.observe(this.canvas);
    life.end(() => sized.disconnect());
    onTheme(() => this.#draw(), life);
    this.canvas.addEventListener("pointermove", (event) => {
      this.#point(event.offsetX);
      this.canvas.style.cursor = this.#eventAt(event.offsetX) ? "pointer" : "";
    });
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    this.canvas.addEventListener("click", (event) => {
      const chosen = this.#eventAt(event.offsetX);
      if (chosen) this.open(chosen);
    });
    this.canvas.addEventListener("blur", () => this.#point(null));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const room = this.canvas.clientWidth;
      const bin = (room * this.bins.width) / (this.#asked.to - this.#asked.from);
      this.#point(Math.max(0, Math.min(room - 1, (this.#pointed ?? (step < 0 ? room : -bin / 2)) + step * bin)));
    });
  }

  /** So many of a class were seen in the bar that begins then. */
  add(start, name, detections) {
    const bin = this.#bins.get(start) ?? new Map();
    bin.set(name, (bin.get(name) ?? 0) + detections);
    this.#bins.set(start, bin);
    this.total += detections;
    this.#draw();
  }

  addEvents(events) {
    this.#events.push(...events);
    this.#draw();
  }

  #x(at) {
    return ((at - this.#asked.from) / (this.#asked.to - this.#asked.from)) * this.canvas.clientWidth;
  }

  #at(x) {
    return this.#asked.from + (x / this.canvas.clientWidth) * (this.#asked.to - this.#asked.from);
  }

  #eventAt(x) {
    const distance = ({ start_ms: start, end_ms: end }) => Math.max(this.#x(start) - x, x - this.#x(end), 0);
    const [nearest] = [...this.#events].sort((a, b) => distance(a) - distance(b));
    return nearest && distance(nearest) < 8 ? nearest : null;
  }

  #point(x) {
    if (x === this.#pointed) return;
    this.#pointed = x;
    this.#draw();
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
    const { canvas } = this;
    const room = canvas.clientWidth;
    if (!room) return;
    const scale = window.devicePixelRatio;
    canvas.width = Math.round(room * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "alphabetic";
    let free = 0;
    for (const [at, name] of ticks(this.#asked, Math.max(2, Math.floor(room / 80)))) {
      const x = Math.round(this.#x(at)) + 0.5;
      context.strokeStyle = colour("--line");
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, BARS + EVENTS);
      context.stroke();
      const wide = context.measureText(name).width;
      const left = Math.max(0, Math.min(room - wide, x - wide / 2));
      if (left < free) continue;
      free = left + wide + 8;
      context.fillStyle = colour("--faint");
      context.fillText(name, left, HEIGHT - 4);
    }
    const sums = [...this.#bins.values()].map((bin) => [...bin.values()].reduce((a, b) => a + b, 0));
    const most = Math.max(1, ...sums);
    const pointed = this.#pointed === null ? null : this.#at(this.#pointed);
    for (const [start, bin] of this.#bins) {
      const [left, right] = [Math.max(0, this.#x(start)), Math.min(room, this.#x(binEnd(start, this.bins)))];
      const isPointed = pointed !== null && pointed >= start && pointed < binEnd(start, this.bins);
      let top = BARS;
      for (const [name, n] of this.colours.sorted(bin)) {
        const height = (n / most) * (BARS - 6);
        context.globalAlpha = pointed === null || isPointed ? 1 : 0.55;
        context.fillStyle = this.colours.of(name);
        context.fillRect(left + 0.5, top - height, Math.max(1.5, right - left - 1), Math.max(1, height));
        top -= height;
      }
    }
    context.globalAlpha = 1;
    for (const event of this.#events) {
      const [left, right] = [this.#x(event.start_ms), this.#x(event.end_ms)];
      context.fillStyle = this.colours.of(event.class);
      context.beginPath();
      context.roundRect(left - 1, BARS + 4, Math.max(4, right - left + 2), EVENTS - 6, 3);
      context.fill();
    }
    context.fillStyle = colour("--line");
    context.fillRect(0, BARS, room, 1);
    this.#tell(pointed);
  }

  #tell(pointed) {
    const list = (bin) => [...bin].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${n} × ${name}`).join(", ");
    const found = pointed === null ? null : [...this.#bins].find(([start]) => pointed >= start && pointed < binEnd(start, this.bins));
    const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const all = new Map();
    for (const bin of this.#bins.values()) for (const [name, n] of bin) all.set(name, (all.get(name) ?? 0) + n);
    let text = all.size === 0 ? "nothing was seen" : list([...all].slice(0, 6));
    if (pointed !== null) text = found ? `${time(found[0])}: ${list(found[1])}` : `${time(pointed)}: nothing`;
    say(this.reading, text);
    const label = `${this.camera}: ${text}; ${this.#events.length} events`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
  }
}
