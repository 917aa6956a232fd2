// What decides, and where it is allowed: a change of it.

import { el, fill } from "./dom.js";
import { feed } from "./feed.js";
import { percent } from "./format.js";
import { Problem, problemBox } from "./problem.js";
import { reasonText } from "./result.js";
import { has, json, request } from "./session.js";

const TEMPLATES = {
  alternate: 'policy = "alternate"\n',
  "edge-only": 'policy = "edge-only"\n',
  "cloud-only": 'policy = "cloud-only"\n',
  ratio: 'policy = "ratio"\n\n[ratio]\ncloud_share = 0.3\n',
  deadline: 'policy = "deadline"\n\n[deadline]\ntarget_ms = 1000\n',
  cascade: 'policy = "cascade"\n\n[cascade]\nhardness = "mean-confidence<0.5,empty=hard"\n',
  bandit: 'policy = "bandit"\n',
  expression: 'policy = "expression"\n\n[expression]\nrule = "edge.backlog > 3"\nfallback = "deadline"\n',
};

export function show(root, _, life) {
  const panel = el("div", { class: "stack" });
  const reasons = el("div", {});
  fill(root,
    el("div", { class: "view-head" }, el("h1", {}, "Policy"), el("p", { class: "faint" }, "What decides whether the edge or the cloud looks")),
    el("div", { class: "two even" },
      panel,
      el("section", { class: "card pad stack", "aria-labelledby": "reasons-title" },
        el("h2", { id: "reasons-title" }, "Decisions seen by this page"), reasons)));
  life.every(1000, () => fill(reasons, seen()));

  const load = async () => {
    try {
      const answer = (await has("GET /policy")) ? await json("/policy", { signal: life.signal }) : null;
      if (life.over) return;
      if (answer === null) fill(panel, el("section", { class: "card pad stack" }, el("h2", {}, "Set from outside"), el("p", {}, "This server only shows decisions. The policy is set where the preprocessor is started: ", el("code", {}, "MLVI_POLICY"), ", or a policy file that is read again whenever it changes.")));
      else fill(panel, inForce(answer), editor(answer, load));
    } catch (error) {
      if (!life.over) fill(panel, problemBox(error));
    }
  };
  load();
}

/** Policies and reasons of the results that this page has seen. */
function seen() {
  const counts = new Map();
  let all = 0;
  let policy = null;
  for (const camera of feed.cameras.values()) {
    policy = camera.latest?.decision?.policy ?? policy;
    for (const { tier, reason } of camera.points) {
      if (!tier) continue;
      const key = `${tier} ${reason}`;
      counts.set(key, { tier, reason, n: (counts.get(key)?.n ?? 0) + 1 });
      all += 1;
    }
  }
  if (all === 0) return [el("p", { class: "faint" }, "None yet: send a frame, and its decision is counted here.")];
  return [
    policy ? el("p", {}, "Decided by ", el("strong", {}, policy), `, ${all} results`) : null,
    el("ul", { class: "classes" }, [...counts.values()].sort((a, b) => b.n - a.n).map(({ tier, reason, n }) => {
      const bar = el("span", { class: `confidence ${tier}`, "aria-hidden": "true" }, el("span"));
      bar.firstChild.style.width = `${(n / all) * 100}%`;
      return el("li", {}, el("span", { class: "class" }, el("span", { class: `badge ${tier}` }, tier), ` ${reasonText(reason)}`), bar, el("span", { class: "number" }, percent(n / all)));
    })),
  ];
}

/** Whatever the server tells of the policy in force, as text. */
function inForce(answer) {
  const record = answer.record ?? null;
  const announced = Array.isArray(answer.preprocessors) ? answer.preprocessors : [];
  const rows = announced.map((one) => el("tr", {}, ["instance", "policy", "source", "error"].map((key) => el("td", {}, text(one[key] ?? one.last_error)))));
  return el("section", { class: "card pad stack" },
    el("h2", {}, "In force"),
    record ? el("p", {}, `Set by ${text(record.changed_by) || "somebody"} ${text(record.changed_at)}`) : el("p", {}, "As the preprocessors were started with, or by their file."),
    rows.length > 0 ? el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Preprocessors" }, el("table", {}, el("thead", {}, el("tr", {}, ["Preprocessor", "Policy", "Source", "Error"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows))) : null,
    el("details", {}, el("summary", {}, "Everything the server tells"), el("pre", { tabindex: "0" }, el("code", {}, JSON.stringify(answer, null, 2)))));
}

function text(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function editor(answer, reload) {
  const current = typeof answer.record?.value === "string" ? answer.record.value : TEMPLATES.alternate;
  const area = el("textarea", { id: "policy-text", rows: "10", spellcheck: "false" });
  area.value = current;
  const choice = el("select", { id: "policy-choice" }, el("option", { value: "" }, "Start from …"), Object.keys(TEMPLATES).map((name) => el("option", { value: name }, name)));
  choice.addEventListener("change", () => {
    if (choice.value) area.value = TEMPLATES[choice.value];
  });
  const outcome = el("div", { role: "status" });
  const change = async (options, done) => {
    try {
      await request("/policy", options);
      fill(outcome, el("p", { class: "note good" }, done));
      setTimeout(reload, 1500);
    } catch (error) {
      fill(outcome, problemBox(error), explain(error));
    }
  };
  return el("section", { class: "card pad stack" },
    el("h2", {}, "Change it"),
    el("label", { for: "policy-choice" }, "Policy"), choice,
    el("label", { for: "policy-text" }, "Policy file (TOML)"), area,
    el("div", { class: "row" },
      el("button", { type: "button", class: "primary", on: { click: () => change({ method: "PUT", headers: { "content-type": "application/toml" }, body: area.value }, "Set: every preprocessor takes it up within seconds.") } }, "Set this policy"),
      el("button", { type: "button", on: { click: () => change({ method: "DELETE", headers: { "content-type": "application/toml" } }, "Back to the file of each preprocessor.") } }, "Back to the file")),
    outcome);
}

function explain(error) {
  if (!(error instanceof Problem)) return null;
  const words = {
    401: "Log in with a token that may change settings.",
    403: "Changes are off on this server, or your token has no right to make them.",
    404: "This server cannot change the policy.",
    422: "Nothing was changed.",
  }[error.status];
  return words ? el("p", { class: "faint" }, words) : null;
}
