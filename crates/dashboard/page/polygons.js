// Polygons over a picture, whose corners are moved by mouse, finger or keys.

import { el } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** One press of an arrow key; with Shift ten times as much. */
const STEP = 0.005;

/** Four digits are a tenth of a pixel of any camera. */
export const rounded = (at) => Math.round(Math.max(0, Math.min(1, at)) * 10_000) / 10_000;

export class Polygons {
  #svg = shape("svg", { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", class: "polygons" });
  #handles = el("div", { class: "handles" });
  #items = [];

  /** `onChange(index)`: corners were moved; `onSelect(index)`. */
  constructor({ onChange, onSelect }) {
    Object.assign(this, { onChange, onSelect });
    this.element = el("div", { class: "polygons-area" }, this.#svg, this.#handles);
    this.selected = -1;
  }

  /** Shows these: `{ kind, name, points }`. */
  show(items, selected) {
    this.#items = items;
    this.selected = selected;
    this.#paint();
    const item = items[selected];
    const handles = item ? item.points.map((_, corner) => this.#handle(item, corner)) : [];
    const middles = item && item.points.length < 64 ? item.points.map((_, corner) => this.#middle(item, corner)) : [];
    this.#handles.replaceChildren(...middles, ...handles);
    this.#place();
  }

  #paint() {
    this.#svg.replaceChildren(...this.#items.map(({ kind, points }, index) => {
      const node = shape("polygon", {
        points: points.map(([x, y]) => `${x * 1000},${y * 1000}`).join(" "),
        class: `${kind}${index === this.selected ? " selected" : ""}`,
      });
      node.addEventListener("pointerdown", () => this.onSelect(index));
      return node;
    }));
  }

  #place() {
    const points = this.#items[this.selected]?.points ?? [];
    for (const node of this.#handles.children) {
      const corner = Number(node.dataset.corner);
      const [x, y] = node.classList.contains("middle") ? between(points, corner) : points[corner];
      node.style.left = `${x * 100}%`;
      node.style.top = `${y * 100}%`;
    }
  }

  #moved() {
    this.#paint();
    this.#place();
    this.onChange(this.selected);
  }

  #handle(item, corner) {
    const node = el("button", { type: "button", class: "handle", data: { corner }, "aria-label": `Corner ${corner + 1}: arrow keys move it, Delete removes it` });
    node.addEventListener("keydown", (event) => {
      const by = event.shiftKey ? STEP * 10 : STEP;
      const move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[event.key];
      if (move) {
        const [x, y] = item.points[corner];
        item.points[corner] = [rounded(x + move[0]), rounded(y + move[1])];
        this.#moved();
      } else if (event.key === "Delete" && item.points.length > 3) {
        item.points.splice(corner, 1);
        this.show(this.#items, this.selected);
        this.onChange(this.selected);
        this.#handles.querySelector(`button[data-corner="${Math.min(corner, item.points.length - 1)}"]`)?.focus();
      } else return;
      event.preventDefault();
    });
    this.#drag(node, () => item, () => corner);
    return node;
  }

  /** Pulling the middle of a side makes a corner of it. */
  #middle(item, corner) {
    const node = el("span", { class: "handle middle", data: { corner }, "aria-hidden": "true" });
    this.#drag(node, () => item, () => {
      if (node.classList.contains("middle")) {
        item.points.splice(corner + 1, 0, between(item.points, corner));
        // what is dragged stays; the others are made anew behind it
        node.classList.remove("middle");
        node.dataset.corner = corner + 1;
        for (const other of [...this.#handles.children]) if (other !== node) other.remove();
      }
      return corner + 1;
    });
    return node;
  }

  #drag(node, itemOf, begin) {
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      const corner = begin();
      const item = itemOf();
      node.focus?.();
      const move = ({ clientX, clientY }) => {
        const area = this.element.getBoundingClientRect();
        item.points[corner] = [rounded((clientX - area.left) / area.width), rounded((clientY - area.top) / area.height)];
        this.#moved();
      };
      const end = () => {
        node.removeEventListener("pointermove", move);
        this.show(this.#items, this.selected);
        this.onChange(this.selected);
      };
      node.addEventListener("pointermove", move);
      node.addEventListener("pointerup", end, { once: true });
      node.addEventListener("pointercancel", end, { once: true });
    });
  }
}

function between(points, corner) {
  const [a, b] = [points[corner], points[(corner + 1) % points.length]];
  return [rounded((a[0] + b[0]) / 2), rounded((a[1] + b[1]) / 2)];
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
