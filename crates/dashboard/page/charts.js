// Charts of the last ten minutes, over all cameras.

import { el, fill, say } from "./dom.js";
import { Chart } from "./chart.js";
import { count, ms, percent } from "./format.js";
import { problemBox } from "./problem.js";
import { json } from "./session.js";

const BIN_S = 5;
const TIERS = ["edge", "cloud"];
/** The states of a circuit breaker, from no frame held back to all. */
const BREAKERS = ["closed", "half-open", "open"];

/** What the server has told, by second; kept while the page is open, and bounded by what it keeps. */
const seconds = new Map();
let latest = null;

export function show(root, _, life) {
  const charts = {
    rate: new Chart(life, { title: "Results per second", series: [{ name: "edge", colour: "--edge", area: true }, { name: "cloud", colour: "--cloud", area: true }], format: count }),
    share: new Chart(life, { title: "Share of the cloud", series: [{ name: "cloud", colour: "--cloud", area: true }], format: percent, most: 1 }),
    latency: new Chart(life, { title: "Latency", note: "from receipt to result", series: [{ name: "median", colour: "--ink-2" }, { name: "95 %", colour: "--warn-line" }], format: ms }),
    predicted: new Chart(life, {
      title: "Predicted and actual",
      note: "from the decision to the result, mean",
      series: [
        { name: "edge, predicted", colour: "--edge", dashed: true }, { name: "edge, actual", colour: "--edge" },
        { name: "cloud, predicted", colour: "--cloud", dashed: true }, { name: "cloud, actual", colour: "--cloud" },
      ],
      format: ms,
    }),
    backlog: new Chart(life, { title: "Backlog", note: "messages that wait", series: [{ name: "frames", colour: "--ink-2" }, { name: "edge", colour: "--edge" }, { name: "cloud", colour: "--cloud" }], format: count }),
    trouble: new Chart(life, { title: "Sent again or not answered", note: "results per second", series: [{ name: "second attempts", colour: "--warn-line" }, { name: "failed or expired", colour: "--bad-line" }, { name: "skipped", colour: "--ink-2" }], format: count }),
  };
  charts.breakers = new Chart(life, {
    title: "Circuit breakers",
    note: "the worst of all preprocessors",
    series: [{ name: "edge", colour: "--edge" }, { name: "cloud", colour: "--cloud", dashed: true }],
    format: (value) => BREAKERS[Math.round(value * 2)],
    most: 1,
  });
  const tiles = ["Results per second", "Cloud", "Median latency", "95 % within", "Backlog"].map((name) => {
    const value = el("span", { class: "big number" }, "–");
    return { value, element: el("div", { class: "card reading" }, el("span", { class: "faint" }, name), value) };
  });
  const trouble = el("div", {});
  fill(root,
    el("div", { class: "view-head" }, el("h1", {}, "Charts"), el("p", { class: "faint" }, "The last ten minutes, all cameras")),
    trouble,
    el("div", { class: "readings" }, tiles.map((tile) => tile.element)),
    el("div", { class: "charts" }, Object.values(charts).map((chart) => chart.element)));

  let asking = false;
  life.every(2000, async () => {
    if (asking) return;
    asking = true;
    try {
      await ask(life.signal);
      if (!life.over) {
        fill(trouble);
        draw(charts, tiles);
      }
    } catch (error) {
      if (!life.over) fill(trouble, problemBox(error));
    }
    asking = false;
  });
}

async function ask(signal) {
  // the last seconds may still have changed
  const since = latest ? Math.max(0, latest.now_s - 6) : 0;
  const answer = await json(`/stats?since=${since}`, { signal });
  for (const second of answer.seconds) seconds.set(second.at_s, second);
  for (const at of seconds.keys()) if (at <= answer.now_s - answer.kept_s) seconds.delete(at);
  latest = answer;
}

function draw(charts, tiles) {
  const end = Math.floor(latest.now_s / BIN_S);
  const bins = [];
  for (let at = end - latest.kept_s / BIN_S + 1; at <= end; at += 1) {
    bins.push(new Bin([...Array(BIN_S).keys()].map((i) => seconds.get(at * BIN_S + i)), at === end ? (latest.now_s % BIN_S) + 1 : BIN_S));
  }
  const first = (end - bins.length + 1) * BIN_S * 1000;
  const times = bins.map((_, i) => first + i * BIN_S * 1000);
  const of = (read) => bins.map(read);
  charts.rate.update(times, TIERS.map((tier) => of((bin) => bin.rate(tier))));
  charts.share.update(times, [of((bin) => bin.share())]);
  charts.latency.update(times, [of((bin) => bin.quantile(0.5)), of((bin) => bin.quantile(0.95))]);
  charts.predicted.update(times, TIERS.flatMap((tier) => ["predicted_ms", "took_ms"].map((what) => of((bin) => bin.mean(tier, what)))));
  charts.backlog.update(times, ["frames", "edge", "cloud"].map((queue) => of((bin) => bin.backlog(queue))));
  charts.trouble.update(times, [["redispatched"], ["failed", "expired"], ["skipped"]].map((names) => of((bin) => bin.sum(names) / bin.seconds)));
  charts.breakers.update(times, TIERS.map((tier) => of((bin) => bin.breaker(tier))));

  const recent = new Bin(seconds.size === 0 ? [] : [...Array(30).keys()].map((i) => seconds.get(latest.now_s - 1 - i)), 30);
  const waits = latest.backlog;
  const readings = [
    count(recent.rate("edge") + recent.rate("cloud")),
    recent.share() === null ? "–" : percent(recent.share()),
    ms(recent.quantile(0.5) ?? NaN),
    ms(recent.quantile(0.95) ?? NaN),
    waits ? count(waits.frames + waits.edge + waits.cloud) : "–",
  ];
  tiles.forEach((tile, i) => say(tile.value, readings[i]));
}

/** Some seconds together. */
class Bin {
  constructor(list, length) {
    this.list = list.filter(Boolean);
    this.seconds = length;
  }

  sum(names, tiers = ["edge", "cloud", "undecided"]) {
    let sum = 0;
    for (const second of this.list) for (const tier of tiers) for (const name of names) sum += second[tier]?.[name] ?? 0;
    return sum;
  }

  rate(tier) {
    return this.sum(["done", "failed", "expired", "skipped"], [tier]) / this.seconds;
  }

  share() {
    const [edge, cloud] = TIERS.map((tier) => this.sum(["done", "failed", "expired"], [tier]));
    return edge + cloud > 0 ? cloud / (edge + cloud) : null;
  }

  mean(tier, what) {
    let [sum, n] = [0, 0];
    for (const second of this.list) {
      const compared = second[tier]?.compared;
      if (compared) {
        sum += compared[what];
        n += compared.results;
      }
    }
    return n > 0 ? sum / n : null;
  }

  backlog(queue) {
    const known = this.list.filter((second) => second.backlog);
    return known.length > 0 ? Math.max(...known.map((second) => second.backlog[queue])) : null;
  }

  /** 0: closed, 0.5: half-open, 1: open; the worst of these seconds. */
  breaker(tier) {
    const known = this.list.map((second) => BREAKERS.indexOf(second.breakers?.[tier])).filter((state) => state >= 0);
    return known.length > 0 ? Math.max(...known) / 2 : null;
  }

  quantile(share) {
    const steps = new Map();
    let all = 0;
    for (const second of this.list) {
      for (const tier of TIERS) {
        for (const [bound, n] of second[tier]?.latency_ms?.steps ?? []) {
          steps.set(bound, (steps.get(bound) ?? 0) + n);
          all += n;
        }
      }
    }
    let below = 0;
    for (const [bound, n] of [...steps].sort(([a], [b]) => a - b)) {
      below += n;
      if (below >= all * share) return bound;
    }
    return null;
  }
}
