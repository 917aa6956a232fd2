// One picture with its boxes, in a canvas that fits its place.

import { el } from "./dom.js";
import { drawBoxes } from "./overlay.js";
import { found } from "./format.js";
import { decode, pictures } from "./pictures.js";
import { drawZones, regions } from "./regions.js";

let keys = 0;

export class Picture {
  #key = `picture-${(keys += 1)}`;
  #canvas = el("canvas", { role: "img", "aria-label": "no picture yet" });
  #bitmap = null;
  #shown = null;
  #wanted = null;
  #visible = false;
  #highlighted = -1;
  #stale = false;
  #observers = [];
  #forget = () => {};
  #unsubscribe = () => {};

  /**
   * `ratio`: width to height of the place, or null: as the picture is.
   * `plain`: nothing is drawn on it. `path`: where a frame's picture is, by its id. `label`: what is on it, where no result says so.
   * Only what can be seen is fetched.
   */
  constructor(life, { ratio = null, plain = false, path, label = null, onPicture = () => {} } = {}) {
    Object.assign(this, { path, label });
    this.ratio = ratio;
    this.plain = plain;
    this.onPicture = onPicture;
    this.note = el("p", { class: "picture-note" }, "…");
    this.element = el("div", { class: ratio ? "picture fixed" : "picture" }, this.#canvas, this.note);
    const seen = new IntersectionObserver(([entry]) => {
      this.#visible = entry.isIntersecting;
      if (this.#visible) this.#fetch();
      else pictures.drop(this.#key);
    }, { rootMargin: "80px" });
    const sized = new ResizeObserver(() => this.#draw());
    seen.observe(this.element);
    sized.observe(this.element);
    this.#observers.push(seen, sized);
    this.#unsubscribe = regions.onChange((camera, otherMasks) => {
      if (this.#shown?.camera !== camera) return;
      if (otherMasks) this.#again();
      else this.#draw();
    });
    this.#forget = life.end(() => this.close());
  }

  close() {
    this.#forget();
    this.#unsubscribe();
    for (const observer of this.#observers.splice(0)) observer.disconnect();
    pictures.drop(this.#key);
    this.#bitmap?.close();
    this.#bitmap = null;
  }

  /** Shows the frame of a result with its detections, as soon as it is there. */
  show(result) {
    this.#wanted = result;
    if (this.#shown?.frame_id === result.frame_id) {
      // the same picture, other boxes
      this.#shown = result;
      this.#draw();
      return;
    }
    this.#fetch();
  }

  /** Shows a picture that is here already. */
  async showBlob(blob, result) {
    this.#wanted = result;
    const bitmap = await decode(blob, 1600);
    this.#take(bitmap, result);
  }

  /** Shows boxes of another result over the same picture. */
  overlay(result) {
    this.#shown = result;
    this.#wanted = result;
    this.#draw();
  }

  /** Lets one detection stand out; -1: none. */
  highlight(index) {
    this.#highlighted = index;
    this.#draw();
  }

  /** Which frame is shown. */
  get shown() {
    return this.#shown;
  }

  /** The same picture is another one now. */
  #again() {
    this.#wanted ??= this.#shown;
    this.#shown = null;
    this.#fetch();
  }

  #fetch() {
    const result = this.#wanted;
    if (!result || !this.#visible || document.hidden || result.frame_id === this.#shown?.frame_id) return;
    const width = this.element.clientWidth * window.devicePixelRatio;
    pictures.want(this.#key, result.frame_id, width, (bitmap) => {
      // a final answer may have come while its picture did
      const current = this.#wanted?.frame_id === result.frame_id ? this.#wanted : result;
      this.#take(bitmap, current);
    }, (error) => {
      const isGone = error.status === 410 || error.kind === "no-thumbnail";
      if (!this.#bitmap) this.note.textContent = isGone ? "The picture is no longer kept" : "The picture cannot be had now";
    }, this.path);
  }

  #take(bitmap, result) {
    if (this.#observers.length === 0) {
      bitmap.close();
      return;
    }
    this.#bitmap?.close();
    this.#bitmap = bitmap;
    this.#shown = result;
    this.note.textContent = "";
    this.#draw();
    this.onPicture(result);
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
    const bitmap = this.#bitmap;
    if (!bitmap) return;
    const canvas = this.#canvas;
    const scale = window.devicePixelRatio;
    const room = this.element.clientWidth;
    if (!room) return;
    let width = room;
    let height = (room * bitmap.height) / bitmap.width;
    const tallest = this.ratio ? room / this.ratio : Math.max(240, window.innerHeight * 0.68);
    if (height > tallest) {
      width *= tallest / height;
      height = tallest;
    }
    const [pixelWidth, pixelHeight] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      canvas.width = pixelWidth;
      canvas.height = pixelHeight;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.drawImage(bitmap, 0, 0, width, height);
    const result = this.#shown;
    const zones = result && !this.plain ? regions.of(result.camera)?.zones ?? [] : [];
    if (zones.length > 0) drawZones(context, zones, width, height);
    if (result?.image && !this.plain) drawBoxes(context, result.detections, result.image, width, height, this.#highlighted);
    const label = this.label ? `Picture of ${this.label}` : result ? `Picture of ${result.camera}: ${found(result.detections ?? [])}` : "Picture";
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
  }
}
