// Fetches the pictures of frames: only what can be seen, the newest first, and never too many.

import { request } from "./session.js";

/** Pictures per second, over the whole page. */
const PER_SECOND = 24;
const AT_ONCE = 4;
/** A fetch that takes longer is given up as soon as a newer picture is wanted in its place. */
const PATIENCE_MS = 2000;

class Pictures {
  /** key → { id, width, take, fail, path }; one place each, in the order in which they began to wait */
  #wanted = new Map();
  /** key → { id, began, abort } */
  #running = new Map();
  #allowance = PER_SECOND;
  #filledAt = performance.now();
  #timer = 0;

  /**
   * Wants a frame's picture for a place of the page, instead of what was wanted there before.
   * `width`: pixels that are shown; a larger picture is made smaller. `path`: where it is, by its id.
   */
  want(key, id, width, take, fail = () => {}, path = (of) => `/jobs/${encodeURIComponent(of)}/frame`) {
    const running = this.#running.get(key);
    if (running?.id === id) {
      this.#wanted.delete(key);
      return;
    }
    if (running && performance.now() - running.began > PATIENCE_MS) running.abort.abort();
    // keeps its place in the queue
    this.#wanted.set(key, { id, width, take, fail, path });
    this.#pump();
  }

  /** Nothing is wanted there any more. */
  drop(key) {
    this.#wanted.delete(key);
    this.#running.get(key)?.abort.abort();
  }

  #pump() {
    const now = performance.now();
    this.#allowance = Math.min(PER_SECOND / 4, this.#allowance + ((now - this.#filledAt) / 1000) * PER_SECOND);
    this.#filledAt = now;
    for (const [key, wanted] of this.#wanted) {
      if (this.#running.size >= AT_ONCE) return;
      if (this.#running.has(key)) continue;
      if (this.#allowance < 1) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#pump(), ((1 - this.#allowance) / PER_SECOND) * 1000 + 1);
        return;
      }
      this.#allowance -= 1;
      this.#wanted.delete(key);
      this.#fetch(key, wanted);
    }
  }

  async #fetch(key, { id, width, take, fail, path }) {
    const abort = new AbortController();
    this.#running.set(key, { id, began: performance.now(), abort });
    try {
      const response = await request(path(id), { signal: abort.signal });
      const bitmap = await decode(await response.blob(), width);
      if (abort.signal.aborted) bitmap.close();
      else take(bitmap);
    } catch (error) {
      if (!abort.signal.aborted) fail(error);
    }
    this.#running.delete(key);
    this.#pump();
  }
}

/** A picture, upright, and not much wider than it is shown. */
export async function decode(blob, width) {
  const bitmap = await createImageBitmap(blob);
  if (!width || bitmap.width <= width * 1.5) return bitmap;
  const smaller = await createImageBitmap(bitmap, { resizeWidth: Math.round(width), resizeQuality: "medium" });
  bitmap.close();
  return smaller;
}

export const pictures = new Pictures();
