// The parts of a result, as people read them.

import { el } from "./dom.js";
import { found, ms, percent } from "./format.js";
import { colourOf } from "./overlay.js";

/** Where it was sent. */
export function tierBadge(result) {
  const tier = result.decision?.destination;
  if (!tier) return el("span", { class: "badge" }, "undecided");
  return el("span", { class: `badge ${tier === "edge" ? "edge" : "cloud"}` }, tier);
}

/** How it ended; nothing for the usual end. */
export function statusBadge(result) {
  if (result.status === "done") return null;
  const kind = { failed: "bad", expired: "bad", skipped: "", provisional: "warn" }[result.status] ?? "";
  return el("span", { class: `badge ${kind}` }, result.status);
}

/** `every-second-frame` as words. */
export function reasonText(reason) {
  return (reason ?? "").replaceAll("-", " ");
}

/** The sentence that says how it went. */
export function summary(result) {
  if (result.error) return `${result.error.title}: ${result.error.detail}`;
  if (result.status === "skipped") return "skipped: the same picture as before";
  return found(result.detections);
}

/** Detections as a list; pointing at one lets its box stand out. */
export function detectionList(result, picture) {
  if (result.detections.length === 0) {
    return el("p", { class: "faint" }, result.error ? summary(result) : "Nothing was found in this picture.");
  }
  return el("ul", { class: "detections" }, result.detections.map((detection, i) => {
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = colourOf(detection.class_id);
    const bar = el("span", { class: "confidence", "aria-hidden": "true" }, el("span"));
    bar.firstChild.style.width = percent(detection.confidence).replace(" ", "");
    const on = picture && {
      mouseenter: () => picture.highlight(i),
      mouseleave: () => picture.highlight(-1),
    };
    return el("li", { on: on ?? {} }, swatch, el("span", { class: "class" }, detection.class), bar,
      el("span", { class: "number" }, percent(detection.confidence)));
  }));
}

const STAGES = [
  ["upload", "upload"],
  ["queue_frames", "wait for the preprocessor"],
  ["preprocess", "preprocess and decide"],
  ["queue_inference", "wait for the model"],
  ["decode", "decode"],
  ["inference", "inference"],
  ["postprocess", "boxes"],
];

/** Where the time went: a bar and its legend. */
export function timeline(result) {
  const timings = result.timings_ms;
  const stages = STAGES.map(([key, name], i) => ({ name, i, value: timings[key] })).filter(({ value }) => Number.isFinite(value));
  if (stages.length === 0) return el("p", { class: "faint" }, "No timings.");
  const known = stages.reduce((sum, stage) => sum + stage.value, 0);
  const total = Math.max(timings.end_to_end ?? 0, known);
  const rest = total - known;
  if (rest > total * 0.01) stages.push({ name: "on the way", i: 7, value: rest });
  const bar = el("div", { class: "timeline", role: "img", "aria-label": `${ms(total)} from receipt to result` }, stages.map((stage) => {
    const part = el("span", { class: `stage stage-${stage.i}`, title: `${stage.name}: ${ms(stage.value)}` });
    part.style.flexGrow = String(Math.max(stage.value, total * 0.004));
    return part;
  }));
  return el("div", {}, bar, el("ul", { class: "legend" }, stages.map((stage) => el("li", {},
    el("span", { class: `swatch stage-${stage.i}`, "aria-hidden": "true" }), stage.name, el("span", { class: "number" }, ms(stage.value))))));
}

/** Names and values, side by side. */
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** The decision with what was expected of both tiers. */
export function decisionFacts(result) {
  const decision = result.decision;
  if (!decision) return el("p", { class: "faint" }, "It never came to a decision.");
  const predicted = decision.predicted_ms ?? {};
  return facts([
    ["Sent to", el("span", { class: "row" }, tierBadge(result), result.attempt > 1 ? el("span", { class: "badge warn" }, `attempt ${result.attempt}`) : null)],
    ["Because", reasonText(decision.reason)],
    ["Policy", decision.policy],
    ["Edge, predicted", Number.isFinite(predicted.edge) ? ms(predicted.edge) : "unknown"],
    ["Cloud, predicted", Number.isFinite(predicted.cloud) ? ms(predicted.cloud) : "unknown"],
    ["Took", Number.isFinite(decision.took_ms) ? ms(decision.took_ms) : null],
  ]);
}

/** Who answered. */
export function servedFacts(result) {
  const { unit, pod, node } = result.served_by;
  const model = result.model;
  return [
    ["Answered by", [unit, pod, node].filter(Boolean).join(" · ")],
    ["Model", model ? `${model.name} (${model.input}, ${model.version})` : null],
    ["Picture", result.image ? `${result.image.width} × ${result.image.height} pixels` : null],
  ];
}

/** The address of a job's inspector. */
export function jobHref(id) {
  return `#/jobs/${encodeURIComponent(id)}`;
}

/** The address of a camera's own page. */
export function cameraHref(name) {
  return `#/cameras/${encodeURIComponent(name)}`;
}
