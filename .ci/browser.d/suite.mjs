// `mlvi up` as a process of its own, and what sends frames to it.

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_S = 120;
/** Clips of people, cars and bottles: in a folder that is named, or beside the reference data; else a test picture that moves. */
const { MLVI_VIDEOS_DIR: NAMED, MLVI_REFERENCE_DIR: REFERENCE } = process.env;
const VIDEOS = NAMED ?? (REFERENCE ? join(REFERENCE, "..", "videos") : null);
const SYNTHETIC = "synthetic:640x480";

export class Suite {
  #process = null;

  /** `args`: more for `mlvi up`; `token`: what this side sends, where one is needed. */
  constructor({ binary, port, data, log, args = [], token = null }) {
    Object.assign(this, { binary, port, data, log, args, token });
    this.url = `${args.includes("--tls") ? "https" : "http"}://127.0.0.1:${port}`;
  }

  async start() {
    const log = createWriteStream(this.log, { flags: "a" });
    const child = spawn(this.binary, ["up", "--port", String(this.port), "--data-dir", this.data, ...this.args], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    let ended = false;
    child.once("exit", () => { ended = true; });
    for (let tries = 0; tries < START_S * 5; tries += 1) {
      if (ended) throw new Error(`mlvi up has ended, see ${this.log}`);
      // a stream is given as soon as the older results are read
      const status = await this.ask("/results", { headOnly: true }).then((answer) => answer.status, () => null);
      if (status === 200) return;
      await sleep(200);
    }
    throw new Error(`mlvi up did not come up within ${START_S} s, see ${this.log}`);
  }

  async stop() {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    const forced = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(forced);
  }

  /** Asks for something: { status, body }. The certificate is one that `mlvi up` has made itself. */
  ask(path, { method = "GET", headers = {}, body = null, headOnly = false } = {}) {
    const { request } = this.url.startsWith("https") ? https : http;
    const login = this.token ? { authorization: `Bearer ${this.token}` } : {};
    return new Promise((resolve, reject) => {
      const asked = request(`${this.url}${path}`, { method, headers: { ...login, ...headers }, rejectUnauthorized: false }, (answer) => {
        if (headOnly) {
          resolve({ status: answer.statusCode, body: null });
          asked.destroy();
          return;
        }
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode, body: Buffer.concat(chunks) }));
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }

  /** Sends one photo and waits for its result. */
  async send(camera, photo) {
    const options = { method: "POST", headers: { "content-type": "image/jpeg" }, body: await readFile(photo) };
    const { body } = await this.ask(`/cameras/${camera}/frames?wait=30s`, options);
    return JSON.parse(body);
  }

  /** Lets cameras send photos again and again, one frame each on its way; gives what ends it. */
  play(photos, everyMs) {
    let over = false;
    const loops = Object.entries(photos).map(async ([camera, photo]) => {
      while (!over) {
        const next = sleep(everyMs);
        // the suite may be down for a while: that is one of the checks
        await this.send(camera, photo).catch(() => {});
        await next;
      }
    });
    return async () => {
      over = true;
      await Promise.all(loops);
    };
  }

  /** What `mlvi push` can play: at most `most` videos. `note` is told when there are none. */
  async videos(most, note) {
    const names = VIDEOS === null ? [] : (await readdir(VIDEOS).catch(() => [])).filter((name) => name.endsWith(".mp4")).sort();
    if (names.length > 0) return names.slice(0, most).map((name) => join(VIDEOS, name));
    note(`no videos ${VIDEOS === null ? "are named" : `in ${VIDEOS}`} (MLVI_VIDEOS_DIR, or MLVI_REFERENCE_DIR with videos/ beside it): a test picture moves instead`);
    return [SYNTHETIC];
  }

  /** Runs `mlvi push`; gives its exit code and what it said once it has ended. */
  push(...args) {
    const child = spawn(this.binary, ["push", "--server", this.url, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (bytes) => { said += bytes; });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, said: said.trim() }));
    });
  }
}
