// This device's webcam as a camera.

import { el, fill, say } from "./dom.js";
import { feed } from "./feed.js";
import { count, found, ms } from "./format.js";
import { drawBoxes } from "./overlay.js";
import { Problem, problemBox } from "./problem.js";
import { jobHref, reasonText, tierBadge } from "./result.js";
import { has, request } from "./session.js";
import { sleep } from "./life.js";

const WIDTH = 640;
const QUALITY = 0.8;
const OPEN_MS = 3000;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** The longest pause after the server has refused a frame. */
const LONGEST_PAUSE_MS = 5000;

export function show(root, _, life) {
  const name = el("input", { id: "webcam-name", value: "webcam", maxlength: "64", autocomplete: "off", spellcheck: "false" });
  const rate = el("select", { id: "webcam-rate" }, [1, 2, 5, 10, 15].map((fps) => el("option", { value: String(fps), selected: fps === 5 }, `up to ${fps} per second`)));
  const button = el("button", { type: "button", class: "primary" }, "Start the webcam");
  const trouble = el("div", { role: "alert" });
  const video = el("video", { playsinline: true, muted: true, "aria-label": "What the webcam sees" });
  video.muted = true;
  const boxes = el("canvas", { "aria-hidden": "true" });
  const stage = el("div", { class: "webcam", hidden: true }, video, boxes);
  const what = el("p", { class: "tile-what", "aria-live": "off" });
  const badges = el("span", { class: "row" });
  const numbers = el("p", { class: "faint" });
  const off = unavailable();
  fill(root,
    el("div", { class: "view-head" }, el("h1", {}, "Webcam"), el("p", { class: "faint" }, "This device as a camera")),
    el("section", { class: "card pad stack" },
      off ? el("div", { class: "problem" }, el("strong", {}, off.title), el("p", {}, off.detail)) : null,
      el("div", { class: "fields" },
        el("div", {}, el("label", { for: "webcam-name" }, "Camera’s name"), name),
        el("div", {}, el("label", { for: "webcam-rate" }, "Frames"), rate),
        button),
      trouble, stage, el("div", { class: "row" }, badges, what), numbers));
  button.disabled = Boolean(off);
  video.hidden = false;

  let running = null;
  const stop = () => {
    running?.stop();
    running = null;
    say(button, "Start the webcam");
    button.classList.add("primary");
    stage.hidden = true;
    say(numbers, "");
    say(what, "");
    fill(badges);
    name.disabled = false;
  };
  life.end(stop);
  button.addEventListener("click", async () => {
    fill(trouble);
    if (running) {
      stop();
      return;
    }
    if (!NAME.test(name.value)) {
      fill(trouble, problemBox(new Problem({ title: "That is no camera’s name", detail: "1 to 64 characters out of A–Z a–z 0–9 . _ -" })));
      name.focus();
      return;
    }
    button.disabled = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH }, facingMode: "environment" }, audio: false });
      if (life.over) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      stage.hidden = false;
      video.srcObject = stream;
      await video.play();
      running = new Sender({ name: name.value, stream, video, fps: () => Number(rate.value), onResult: shown, onNumbers, onTrouble });
      name.disabled = true;
      say(button, "Stop");
      button.classList.remove("primary");
      running.run();
    } catch (error) {
      stop();
      fill(trouble, refused(error));
    }
    button.disabled = false;
  });

  function shown(result) {
    const [width, height] = [video.clientWidth, video.clientHeight];
    const scale = window.devicePixelRatio;
    boxes.width = Math.round(width * scale);
    boxes.height = Math.round(height * scale);
    const context = boxes.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    drawBoxes(context, result.detections, result.image, width, height);
    say(what, result.error ? `${result.error.title}: ${result.error.detail}` : found(result.detections));
    fill(badges, tierBadge(result), el("a", { href: jobHref(result.frame_id) }, reasonText(result.decision?.reason) || "inspect"));
  }

  function onNumbers({ perSecond, latency, dropped, way }) {
    say(numbers, `${count(perSecond)} results per second, ${ms(latency)} there and back, ${dropped} frames left out, by ${way}`);
  }

  function onTrouble(error) {
    if (error) fill(trouble, problemBox(error));
    else fill(trouble);
  }
}

/** Why a browser does not give a webcam here, or null. */
function unavailable() {
  if (!window.isSecureContext) {
    return {
      title: "The webcam is off: this page was not opened securely",
      detail: `Browsers give a webcam to pages on localhost and over HTTPS alone, and this is ${location.origin}. Open it on the machine itself, through an SSH tunnel to localhost, or over HTTPS.`,
    };
  }
  if (!navigator.mediaDevices?.getUserMedia) {
    return { title: "The webcam is off", detail: "This browser gives no access to cameras." };
  }
  return null;
}

function refused(error) {
  const known = {
    NotAllowedError: ["The webcam was refused", "Allow the camera for this page in the browser’s settings, and start again."],
    NotFoundError: ["There is no webcam", "No camera is connected to this device."],
    NotReadableError: ["The webcam is in use", "Another program uses the camera."],
  }[error?.name];
  return problemBox(known ? new Problem({ title: known[0], detail: known[1] }) : error);
}

/** Takes pictures off the video and sends them: the next one when the server has taken the last. */
class Sender {
  #abort = new AbortController();
  #socket = null;
  #times = [];
  #latency = null;
  #dropped = 0;
  #canvas = document.createElement("canvas");

  constructor(options) {
    Object.assign(this, options);
  }

  stop() {
    this.#abort.abort();
    this.#socket?.close();
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }

  async run() {
    this.#socket = await this.#open();
    const way = this.#socket ? "WebSocket" : "uploads";
    let pause = 0;
    while (!this.#abort.signal.aborted) {
      const began = performance.now();
      try {
        // it may have been closed between two pictures
        if (this.#socket && this.#socket.readyState !== WebSocket.OPEN) this.#socket = await this.#open();
        const blob = await this.#picture();
        if (!blob) {
          await sleep(100, this.#abort.signal);
          continue;
        }
        const result = this.#socket ? await this.#bySocket(blob) : await this.#byUpload(blob);
        pause = 0;
        this.onTrouble(null);
        if (result) this.#answered(result, performance.now() - began);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.#dropped += 1;
        // a full server is asked less and less often
        const wanted = error instanceof Problem && error.retryAfter ? error.retryAfter * 1000 : 250;
        pause = Math.min(LONGEST_PAUSE_MS, Math.max(wanted, pause * 2));
        if (!(error instanceof Problem) || error.status !== 429) this.onTrouble(error);
        if (this.#socket && this.#socket.readyState !== WebSocket.OPEN) {
          this.#socket = await this.#open();
        }
      }
      this.onNumbers({ perSecond: this.#rate(), latency: this.#latency ?? NaN, dropped: this.#dropped, way });
      const left = 1000 / this.fps() - (performance.now() - began);
      // what the camera showed meanwhile is never sent: counted by the rate that was wished for
      if (left < 0) this.#dropped += Math.floor((-left * this.fps()) / 1000);
      await sleep(Math.max(left, pause, 0), this.#abort.signal);
    }
  }

  /** A WebSocket, where the server has them. */
  async #open() {
    try {
      if (!(await has("GET /cameras/{camera}/ws"))) return null;
    } catch {
      return null;
    }
    return openSocket(`/cameras/${encodeURIComponent(this.name)}/ws`, this.#abort.signal);
  }

  #answered(result, took) {
    const now = performance.now();
    this.#times.push(now);
    this.#times = this.#times.filter((at) => at > now - 5000);
    this.#latency = this.#latency === null ? took : this.#latency * 0.8 + took * 0.2;
    feed.take(result);
    this.onResult(result);
  }

  #rate() {
    const from = performance.now() - 5000;
    return this.#times.filter((at) => at > from).length / 5;
  }

  #picture() {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return null;
    const width = Math.min(WIDTH, videoWidth);
    this.#canvas.width = width;
    this.#canvas.height = Math.round((width * videoHeight) / videoWidth);
    this.#canvas.getContext("2d").drawImage(this.video, 0, 0, this.#canvas.width, this.#canvas.height);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", QUALITY));
  }

  async #byUpload(blob) {
    const response = await request(`/cameras/${encodeURIComponent(this.name)}/frames?wait=10s`, {
      method: "POST", headers: { "content-type": "image/jpeg" }, body: blob, signal: this.#abort.signal,
    });
    const answer = await response.json();
    return answer.status === "pending" ? null : answer;
  }

  /** Sends one picture and waits for its result; what was dropped on the way is an answer, too. */
  #bySocket(blob) {
    const socket = this.#socket;
    const number = socket.frames ?? 0;
    socket.frames = number + 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => resolve(null)), 10_000);
      const finish = (end) => {
        clearTimeout(timer);
        socket.onmessage = null;
        socket.onclose = null;
        end();
      };
      socket.onmessage = ({ data }) => {
        let message;
        try {
          message = JSON.parse(data);
        } catch {
          return;
        }
        // an answer to an earlier picture comes late
        if (message.frame !== undefined && message.frame !== number) return;
        const result = message.result ?? message;
        if (result.status === "provisional") this.onResult(result);
        else if (result.frame_id && result.timings_ms) finish(() => resolve(result));
        else if (message.type === "dropped") finish(() => reject(new Problem({ status: 429, title: "Left out", detail: "The server left this frame out." })));
      };
      socket.onclose = () => finish(() => reject(new Problem({ title: "The connection was closed", detail: "Trying again." })));
      socket.send(blob);
    });
  }
}

/** An open WebSocket, or null where the server has none. */
function openSocket(path, signal) {
  return new Promise((resolve) => {
    const address = new URL(path, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      resolve(null);
      return;
    }
    const timer = setTimeout(() => socket.close(), OPEN_MS);
    signal.addEventListener("abort", () => socket.close(), { once: true });
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(socket);
    };
    socket.onclose = () => {
      clearTimeout(timer);
      resolve(null);
    };
  });
}
