// The one stream of results of this page, and what is remembered of it. Everything has a bound.

import { request } from "./session.js";
import { madeAt } from "./format.js";

const MAX_CAMERAS = 100;
const POINTS = 900;
const RECENT = 48;
const MAX_JOBS = 600;
/** Longer than the server's comment on a silent stream. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 10_000;

/** What is known of one camera. */
class Camera {
  constructor(name) {
    this.name = name;
    this.latest = null;
    this.latestAt = 0;
    /** Newest last: { at, tier, ms, status, classes, id, reason, predicted } */
    this.points = [];
    /** Whole results, newest last. */
    this.recent = [];
  }

  take(result, at) {
    this.latest = result;
    this.latestAt = at;
    if (result.status !== "provisional") {
      this.points.push({
        at,
        id: result.frame_id,
        tier: result.decision?.destination ?? null,
        reason: result.decision?.reason ?? null,
        status: result.status,
        ms: result.timings_ms.end_to_end ?? null,
        classes: result.detections.map((detection) => detection.class),
      });
      if (this.points.length > POINTS) this.points.splice(0, this.points.length - POINTS);
    }
    const old = this.recent.findIndex((known) => known.frame_id === result.frame_id);
    if (old >= 0) this.recent[old] = result;
    else this.recent.push(result);
    if (this.recent.length > RECENT) this.recent.shift();
  }

  /** Results per second over the last ten. */
  rate(now) {
    const from = now - 10_000;
    let n = 0;
    for (let i = this.points.length - 1; i >= 0 && this.points[i].at >= from; i -= 1) n += 1;
    return n / 10;
  }
}

class Feed {
  cameras = new Map();
  /** Cameras that are no longer remembered, because others are newer. */
  forgotten = 0;
  /** connecting, live, behind or away */
  state = "connecting";
  since = Date.now();
  missed = 0;
  why = null;
  #jobs = new Map();
  #onResult = new Set();
  #onState = new Set();
  #source = null;
  #retry = FIRST_RETRY_MS;
  #behindTimer = 0;

  start() {
    this.#open();
    // a laptop that wakes up should not wait for the next try
    window.addEventListener("online", () => this.#again(0));
  }

  onResult(listener, life) {
    this.#onResult.add(listener);
    life?.end(() => this.#onResult.delete(listener));
  }

  onState(listener, life) {
    this.#onState.add(listener);
    life?.end(() => this.#onState.delete(listener));
    listener();
  }

  /** { final, provisional } of a job, as far as this page has seen them. */
  job(id) {
    return this.#jobs.get(id) ?? { final: null, provisional: null };
  }

  /** Takes in a result that came on another way than the stream. */
  take(result) {
    const at = Date.now();
    const job = this.#jobs.get(result.frame_id) ?? { final: null, provisional: null };
    if (job.final) return;
    job[result.status === "provisional" ? "provisional" : "final"] = result;
    this.#jobs.delete(result.frame_id);
    this.#jobs.set(result.frame_id, job);
    if (this.#jobs.size > MAX_JOBS) this.#jobs.delete(this.#jobs.keys().next().value);
    this.#camera(result.camera).take(result, at);
    for (const listener of this.#onResult) listener(result);
  }

  /** A camera that was heard of before this page was opened. */
  know(name, result) {
    if (this.cameras.has(name)) return;
    const camera = this.#camera(name);
    if (result) {
      camera.take(result, madeAt(result.frame_id));
      this.#jobs.set(result.frame_id, { final: result.status === "provisional" ? null : result, provisional: null });
    }
  }

  #camera(name) {
    let camera = this.cameras.get(name);
    if (!camera) {
      if (this.cameras.size >= MAX_CAMERAS) {
        const [oldest] = [...this.cameras.values()].sort((a, b) => a.latestAt - b.latestAt);
        this.cameras.delete(oldest.name);
        this.forgotten += 1;
      }
      camera = new Camera(name);
      this.cameras.set(name, camera);
    }
    return camera;
  }

  #open() {
    this.#source?.close();
    const source = new EventSource("/results");
    this.#source = source;
    source.onopen = () => {
      this.#retry = FIRST_RETRY_MS;
      this.#is("live");
    };
    const take = (event) => {
      try {
        this.take(JSON.parse(event.data));
      } catch (error) {
        console.warn("an event that is no result", error);
      }
    };
    source.addEventListener("result", take);
    source.addEventListener("provisional", take);
    source.addEventListener("lagged", (event) => {
      const { missed } = JSON.parse(event.data);
      this.missed += missed ?? 0;
      this.#is("behind");
      clearTimeout(this.#behindTimer);
      this.#behindTimer = setTimeout(() => {
        if (this.state === "behind") this.#is("live");
      }, 10_000);
    });
    source.onerror = () => {
      this.#is("away");
      // the browser tries again by itself, unless the server has answered with an error
      if (source.readyState === EventSource.CLOSED) this.#ask(source);
    };
  }

  /** Why there is no stream: an EventSource does not tell. */
  async #ask(source) {
    const abort = new AbortController();
    try {
      await request("/results", { headers: { accept: "text/event-stream" }, signal: abort.signal });
      this.why = null;
    } catch (error) {
      this.why = error.detail ?? null;
    }
    abort.abort();
    if (this.#source !== source) return;
    for (const listener of this.#onState) listener();
    this.#again(this.#retry * (0.75 + Math.random() / 2));
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY_MS);
  }

  #again(after) {
    const source = this.#source;
    setTimeout(() => {
      if (this.#source === source && source.readyState === EventSource.CLOSED) this.#open();
    }, after);
  }

  #is(state) {
    if (state !== this.state) {
      this.state = state;
      this.since = Date.now();
    }
    if (state !== "away") this.why = null;
    for (const listener of this.#onState) listener();
  }
}

export const feed = new Feed();
