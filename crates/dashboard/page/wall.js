// The wall: every camera with its newest picture.

import { el, fill, say } from "./dom.js";
import { feed } from "./feed.js";
import { age, count, ms } from "./format.js";
import { Picture } from "./picture.js";
import { cameraHref, jobHref, reasonText, statusBadge, summary, tierBadge } from "./result.js";
import { chooser } from "./send.js";

export function show(root, _, life) {
  const tiles = new Map();
  const grid = el("div", { class: "wall" });
  const totals = el("p", { class: "faint" });
  const head = el("div", { class: "view-head" }, el("h1", {}, "Live"), totals);
  const empty = emptyWall();
  fill(root, head, grid);

  const update = () => {
    const cameras = [...feed.cameras.values()].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    for (const [name, tile] of tiles) {
      if (!feed.cameras.has(name)) {
        tile.close();
        tiles.delete(name);
      }
    }
    cameras.forEach((camera, i) => {
      let tile = tiles.get(camera.name);
      if (!tile) {
        tile = new Tile(camera, life);
        tiles.set(camera.name, tile);
      }
      tile.update();
      if (grid.children[i] !== tile.element) grid.insertBefore(tile.element, grid.children[i] ?? null);
    });
    if (cameras.length === 0) {
      if (!empty.isConnected) grid.after(empty);
    } else {
      empty.remove();
    }
    head.hidden = cameras.length === 0;
  };
  // texts change at most ten times a second, however fast results come
  feed.onResult(life.soon(100, update), life);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); }, { signal: life.signal });
  life.every(1000, () => {
    update();
    const now = Date.now();
    let rate = 0;
    for (const camera of feed.cameras.values()) rate += camera.rate(now);
    const forgotten = feed.forgotten > 0 ? `, ${feed.forgotten} more are not shown` : "";
    say(totals, `${feed.cameras.size} ${feed.cameras.size === 1 ? "camera" : "cameras"}, ${count(rate)} results per second${forgotten}`);
    for (const tile of tiles.values()) tile.tick(now);
  });
}

function emptyWall() {
  const go = () => { location.hash = "#/send"; };
  return el("section", { class: "empty" },
    el("h1", {}, "No camera has sent anything yet"),
    el("p", {}, "Every camera appears here with its newest picture, what was found in it, and whether the edge or the cloud has looked."),
    chooser(go),
    el("p", { class: "faint" }, "or use ", el("a", { href: "#/webcam" }, "this device’s webcam"), ", or send from a terminal:"),
    el("pre", { tabindex: "0" }, el("code", {}, `mlvi push images/*.jpg --camera gate\ncurl -F image=@photo.jpg '${location.origin}/inference?wait=10s'`)));
}

class Tile {
  #drawn = null;

  constructor(camera, life) {
    this.camera = camera;
    this.picture = new Picture(life, { ratio: 4 / 3 });
    this.badges = el("div", { class: "tile-badges" });
    this.name = el("a", { class: "tile-name", href: cameraHref(camera.name) }, camera.name);
    this.latency = el("span", { class: "number strong" });
    this.what = el("p", { class: "tile-what" });
    this.reason = el("span", {});
    this.age = el("span", { class: "number" });
    this.inspect = el("a", { class: "tile-picture", title: "Inspect this frame" }, this.picture.element, this.badges);
    this.element = el("article", { class: "card tile" },
      this.inspect,
      el("div", { class: "tile-body" },
        el("div", { class: "tile-line" }, el("h2", {}, this.name), this.latency),
        this.what,
        el("div", { class: "tile-line faint" }, this.reason, this.age)));
  }

  update() {
    const result = this.camera.latest;
    if (!result || this.#drawn === result) return;
    this.#drawn = result;
    this.picture.show(result);
    fill(this.badges, statusBadge(result), tierBadge(result));
    say(this.latency, ms(result.timings_ms.end_to_end));
    say(this.what, summary(result));
    say(this.reason, reasonText(result.decision?.reason ?? result.error?.title ?? ""));
    this.inspect.href = jobHref(result.frame_id);
    this.tick(Date.now());
  }

  tick(now) {
    if (!this.camera.latestAt) return;
    const old = now - this.camera.latestAt;
    say(this.age, age(old));
    this.element.classList.toggle("stale", old > 15_000);
  }

  close() {
    this.picture.close();
    this.element.remove();
  }
}
