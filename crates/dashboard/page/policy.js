// What decides, and where it is allowed: a change of it.

import { el, fill } from "./dom.js";
import { feed } from "./feed.js";
import { ms, percent } from "./format.js";
import { Problem, problemBox } from "./problem.js";
import { facts, reasonText } from "./result.js";
import { has, json, request } from "./session.js";

const REFRESH_MS = 5000;

export function show(root, _, life) {
  const panel = el("div", { class: "stack" });
  const reasons = el("div", { class: "stack" });
  const promised = el("div", { class: "stack" });
  fill(root,
    el("div", { class: "view-head" }, el("h1", {}, "Policy"), el("p", { class: "faint" }, "What decides whether the edge or the cloud looks")),
    el("div", { class: "two even" }, panel,
      el("section", { class: "card pad stack", "aria-labelledby": "reasons-title" },
        el("h2", { id: "reasons-title" }, "Decisions seen by this page"), reasons, promised)));
  life.every(1000, () => fill(reasons, seen()));

  const force = el("div", {});
  let change = null;
  let asking = false;
  const load = async () => {
    if (asking) return;
    asking = true;
    try {
      const answer = (await has("GET /policy")) ? await json("/policy", { signal: life.signal }) : null;
      if (life.over) return;
      const contracts = (await has("GET /contracts")) ? await json("/contracts", { signal: life.signal }) : null;
      if (life.over) return;
      fill(promised, contracts?.contracts.length ? kept(contracts.contracts) : null);
      if (!answer) fill(panel, elsewhere());
      else {
        change ??= answer.changes === "on" ? editor(answer, load) : fixed();
        fill(force, inForce(answer));
        if (!force.isConnected) fill(panel, force, change);
      }
    } catch (error) {
      if (!life.over) fill(panel, problemBox(error));
    } finally {
      asking = false;
    }
  };
  life.every(REFRESH_MS, load);
}

function elsewhere() {
  return el("section", { class: "card pad stack" }, el("h2", {}, "Set from outside"),
    el("p", {}, "This server only shows decisions. The policy is set where the preprocessor is started: ", el("code", {}, "MLVI_POLICY"), ", or a policy file that is read again whenever it changes."));
}

function fixed() {
  return el("section", { class: "card pad stack" }, el("h2", {}, "Changes are off"),
    el("p", {}, "This server shows the policy and does not change it. ", el("code", {}, "MLVI_SETTINGS_CHANGES=on"), " of the web-server allows it."));
}

/** Policies and reasons of the results that this page has seen. */
function seen() {
  const counts = new Map();
  let all = 0;
  let newest = null;
  for (const camera of feed.cameras.values()) {
    if (camera.latest?.decision && camera.latestAt >= (newest?.latestAt ?? 0)) newest = camera;
    for (const { tier, reason } of camera.points) {
      if (!tier) continue;
      const key = `${tier} ${reason}`;
      counts.set(key, { tier, reason, n: (counts.get(key)?.n ?? 0) + 1 });
      all += 1;
    }
  }
  if (all === 0) return [el("p", { class: "faint" }, "None yet: send a frame, and its decision is counted here.")];
  return [
    newest ? el("p", {}, "Decided by ", el("strong", {}, newest.latest.decision.policy), `, ${all} results`) : null,
    el("ul", { class: "classes" }, [...counts.values()].sort((a, b) => b.n - a.n).map(({ tier, reason, n }) => {
      const bar = el("span", { class: `confidence ${tier}`, "aria-hidden": "true" }, el("span"));
      bar.firstChild.style.width = `${(n / all) * 100}%`;
      return el("li", {}, el("span", { class: "class" }, el("span", { class: `badge ${tier}` }, tier), ` ${reasonText(reason)}`), bar, el("span", { class: "number" }, percent(n / all)));
    })),
  ];
}

/** What the server tells of the policy in force, by preprocessor. */
function inForce({ record, preprocessors = [] }) {
  return el("section", { class: "card pad stack" },
    el("h2", {}, "In force"),
    record?.problem ? problemBox(new Problem({ title: "What was set cannot be used", detail: record.problem })) : null,
    record
      ? el("p", {}, `Set by ${record.changed_by ?? "somebody"}${when(record.changed_at)}${record.note ? `: ${record.note}` : ""}`)
      : el("p", { class: "faint" }, "As the preprocessors were started with, or by their policy file."),
    preprocessors.length === 0 ? el("p", { class: "faint" }, "No preprocessor has announced itself.") : null,
    preprocessors.map((one) => el("div", { class: "stack" },
      el("h3", {}, one.instance),
      facts([
        ["Policy", one.policy],
        ["Source", text(one.source)],
        ["Breaker, edge", breaker(one.breakers?.edge)],
        ["Breaker, cloud", breaker(one.breakers?.cloud)],
        ["Edge agrees with cloud, frames that stay", within(one.agreement?.all?.easy)],
        ["Edge agrees with cloud, all frames", within(one.agreement?.all?.all)],
        ["Learned which frames to send from", lessons(one.agreement?.learned)],
      ]),
      agreements(one.agreement?.cameras ?? []),
      one.error ? problemBox(new Problem({ title: "Its last change is not in force", detail: text(one.error.problem ?? one.error) })) : null,
      el("details", {}, el("summary", {}, "Its settings"), el("pre", { tabindex: "0" }, el("code", {}, text(one.settings)))))));
}

/** A mean with its interval, in percent; null when it is not known. */
function within(known) {
  if (!known) return null;
  const percent = (share) => (100 * share).toFixed(1);
  return `${percent(known.mean)} % (${percent(known.low)} to ${percent(known.high)})`;
}

/** What the learned measure rests on; null where nothing is learned. */
function lessons(learned) {
  if (!learned) return null;
  return `${learned.lessons} answers of the cloud, of ${learned.cameras} cameras, ${learned.found_again} known from before`;
}

/** How far edge and cloud agree, camera by camera. */
function agreements(cameras) {
  if (cameras.length === 0) return null;
  return el("details", {}, el("summary", {}, "Agreement by camera"),
    facts(cameras.map((one) => [one.camera, within(one.easy) ?? "no audits yet"])));
}

/** Whether the contracts are kept: what is promised, and what came of it. */
function kept(contracts) {
  return [el("h2", {}, "Contracts"), contracts.map(({ name, cameras, within_ms, share, attainment, error_budget_left: left, violated, set_aside: aside }) => {
    const bar = el("span", { class: "confidence", "aria-hidden": "true" }, el("span"));
    bar.firstChild.style.width = `${(attainment?.share ?? 0) * 100}%`;
    return el("div", { class: "stack", data: { contract: name } },
      el("h3", {}, name, " ", violated ? el("span", { class: "badge bad" }, "violated") : null),
      el("p", { class: "faint" }, cameras.join(", "), within_ms ? `: ${share ? percent(share) : "frames"} within ${ms(within_ms)}` : ""),
      bar,
      facts([
        ["In time", attainment ? `${percent(attainment.share)} (${percent(attainment.low)} to ${percent(attainment.high)})` : "no frame yet"],
        ["Error budget left", left === undefined ? null : percent(left)],
        ["Set aside", aside > 0 ? String(aside) : null],
      ]));
  })];
}

function breaker(state) {
  if (!state) return null;
  return el("span", { class: `badge ${{ open: "bad", "half-open": "warn" }[state] ?? ""}` }, state);
}

function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A moment, in microseconds since the epoch or as RFC 3339. */
function when(moment) {
  if (moment === null || moment === undefined) return "";
  const date = new Date(typeof moment === "number" ? moment / 1000 : moment);
  return Number.isNaN(date.getTime()) ? "" : `, ${date.toLocaleString()}`;
}

function editor({ record, policies = [], preprocessors = [] }, reload) {
  const area = el("textarea", { id: "policy-text", rows: "9", spellcheck: "false" });
  area.value = record?.value ?? preprocessors[0]?.settings ?? policies[0]?.settings ?? "";
  const about = el("p", { class: "faint" });
  const choice = el("select", { id: "policy-choice" }, el("option", { value: "" }, "Start from …"), policies.map(({ name }) => el("option", { value: name }, name)));
  choice.addEventListener("change", () => {
    const chosen = policies.find(({ name }) => name === choice.value);
    if (chosen) area.value = chosen.settings;
    fill(about, chosen?.about ?? "");
  });
  const outcome = el("div", { role: "status" });
  const change = async (options, done) => {
    try {
      await request("/policy?by=dashboard", options);
      fill(outcome, el("p", { class: "note good" }, done));
      setTimeout(reload, 1000);
    } catch (error) {
      fill(outcome, problemBox(error), explain(error));
    }
  };
  const headers = { "content-type": "application/toml" };
  return el("section", { class: "card pad stack" },
    el("h2", {}, "Change it"),
    el("div", {}, el("label", { for: "policy-choice" }, "Policy"), choice, about),
    el("div", {}, el("label", { for: "policy-text" }, "Policy file (TOML)"), area),
    el("div", { class: "row" },
      el("button", { type: "button", class: "primary", on: { click: () => change({ method: "PUT", headers, body: area.value }, "Set: every preprocessor takes it up within seconds.") } }, "Set this policy"),
      el("button", { type: "button", on: { click: () => change({ method: "DELETE", headers }, "Back to what each preprocessor was started with.") } }, "Back to the file")),
    outcome);
}

function explain(error) {
  const words = {
    401: "Log in with a token that may change settings.",
    404: "This server cannot change the policy.",
    422: "Nothing was changed.",
  }[error instanceof Problem ? error.status : 0];
  return words ? el("p", { class: "faint" }, words) : null;
}
