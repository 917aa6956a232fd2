// One camera: its newest picture, its last results, how long they took, and what was seen.

import { el, fill, say } from "./dom.js";
import { Chart } from "./chart.js";
import { regionsSection } from "./editor.js";
import { feed } from "./feed.js";
import { age, clock, count, found, ms } from "./format.js";
import { Picture } from "./picture.js";
import { href as historyHref } from "./span.js";
import { decisionFacts, detectionList, jobHref, statusBadge, summary, tierBadge } from "./result.js";

const MINUTES = 5;
const BIN_MS = 2500;
const STRIP = 12;

export function show(root, [name], life) {
  const picture = new Picture(life);
  const head = el("div", { class: "row" });
  const what = el("p", { class: "tile-what" });
  const facts = el("div", { class: "stack" });
  const when = el("p", { class: "faint" });
  const strip = el("ol", { class: "strip" });
  const classes = el("ul", { class: "classes" });
  const chart = new Chart(life, {
    title: "Latency",
    note: "from receipt to result, the slowest within 2.5 s",
    series: [{ name: "edge", colour: "--edge" }, { name: "cloud", colour: "--cloud" }],
    format: ms,
  });
  const empty = el("p", { class: "note" }, "Nothing has come from this camera since this page was opened.");
  const content = el("div", { class: "stack" },
    el("div", { class: "two" },
      el("section", { class: "card pad", "aria-label": "Newest picture" }, picture.element),
      el("section", { class: "card pad stack", "aria-label": "Newest result" }, head, what, facts, when)),
    regionsSection(name, life),
    el("section", { "aria-labelledby": "strip-title" }, el("h2", { id: "strip-title" }, "Last frames"), strip),
    el("div", { class: "two even" }, chart.element,
      el("section", { class: "card pad", "aria-labelledby": "classes-title" }, el("h2", { id: "classes-title" }, "Classes seen"),
        el("p", { class: "faint" }, `in the last ${MINUTES} minutes, by frames`), classes)));
  const title = el("h1", {}, name);
  const rate = el("p", { class: "faint" });
  fill(root, el("div", { class: "view-head" }, el("div", {}, el("a", { href: "#/", class: "back" }, "All cameras"), title),
    el("div", { class: "row" }, el("a", { href: historyHref({ isOpen: true, camera: name }) }, "History"), rate)), empty, content);

  const entries = new Map();
  let drawn = null;
  const update = () => {
    const camera = feed.cameras.get(name);
    empty.hidden = Boolean(camera?.latest);
    content.hidden = !camera?.latest;
    if (!camera?.latest || camera.latest === drawn) return;
    drawn = camera.latest;
    picture.show(drawn);
    fill(head, statusBadge(drawn), tierBadge(drawn), el("span", { class: "number strong" }, ms(drawn.timings_ms.end_to_end)));
    say(what, summary(drawn));
    what.hidden = drawn.detections.length > 0;
    fill(facts, detectionList(drawn, picture), decisionFacts(drawn));
    const wanted = camera.recent.slice(-STRIP).reverse();
    for (const [id, entry] of entries) {
      if (!wanted.some((result) => result.frame_id === id)) {
        entry.close();
        entries.delete(id);
      }
    }
    wanted.forEach((result, i) => {
      let entry = entries.get(result.frame_id);
      if (!entry) {
        entry = new Entry(life);
        entries.set(result.frame_id, entry);
      }
      entry.update(result);
      if (strip.children[i] !== entry.element) strip.insertBefore(entry.element, strip.children[i] ?? null);
    });
  };
  const minutes = () => {
    const camera = feed.cameras.get(name);
    if (!camera?.latest) return;
    const now = Date.now();
    say(when, `${clock(camera.latestAt)}, ${age(now - camera.latestAt)}`);
    say(rate, `${count(camera.rate(now))} results per second`);
    const bins = (MINUTES * 60_000) / BIN_MS;
    const end = Math.floor(now / BIN_MS);
    const values = { edge: Array(bins).fill(null), cloud: Array(bins).fill(null) };
    const seen = new Map();
    for (const point of camera.points) {
      const i = Math.floor(point.at / BIN_MS) - end + bins - 1;
      if (i < 0 || i >= bins) continue;
      for (const one of new Set(point.classes)) seen.set(one, (seen.get(one) ?? 0) + 1);
      if (values[point.tier] && point.ms !== null) values[point.tier][i] = Math.max(values[point.tier][i] ?? 0, point.ms);
    }
    chart.update(values.edge.map((_, i) => (end - bins + 1 + i) * BIN_MS), [values.edge, values.cloud]);
    const most = Math.max(1, ...seen.values());
    fill(classes, [...seen].sort((a, b) => b[1] - a[1]).slice(0, 10).map(([one, n]) => {
      const bar = el("span", { class: "confidence", "aria-hidden": "true" }, el("span"));
      bar.firstChild.style.width = `${(n / most) * 100}%`;
      return el("li", {}, el("span", { class: "class" }, one), bar, el("span", { class: "number" }, count(n)));
    }), seen.size === 0 ? el("li", { class: "faint" }, "nothing yet") : null);
  };
  life.every(1000, () => {
    update();
    minutes();
  });
  const soon = life.soon(150, update);
  feed.onResult((result) => {
    if (result.camera === name) soon();
  }, life);
}

class Entry {
  constructor(life) {
    this.picture = new Picture(life, { ratio: 4 / 3 });
    this.link = el("a", {});
    this.badge = el("span", {});
    this.element = el("li", {}, el("div", { class: "card" }, this.picture.element, el("div", { class: "strip-text" }, this.link, this.badge)));
  }

  update(result) {
    if (this.result === result) return;
    this.result = result;
    this.picture.show(result);
    say(this.link, result.detections.length > 0 ? found(result.detections) : result.status);
    this.link.href = jobHref(result.frame_id);
    fill(this.badge, tierBadge(result));
  }

  close() {
    this.picture.close();
    this.element.remove();
  }
}
