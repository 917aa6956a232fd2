// One request: what it takes, what it answers, how it is sent, and sending it.

import { el } from "./dom.js";
import { prose, resolved, sample, table, typeWords } from "./schema.js";
import { tryOut } from "./tryout.js";

/** Answers that every request may get; told once, at the end of the list. */
const COMMON = ["401", "403", "421", "429"];

export function anchor(operation) {
  return `op-${operation.operationId}`;
}

export function operationCard(description, { path, method, operation }) {
  const parameters = (operation.parameters ?? []).map((one) => resolved(description, one).node);
  const body = operation.requestBody ? resolved(description, operation.requestBody).node : null;
  const title = `${anchor(operation)}-title`;
  return el("article", { class: "card pad stack operation", id: anchor(operation), "aria-labelledby": title },
    el("div", { class: "stack tight" },
      el("h3", { id: title }, operation.summary),
      el("p", { class: "request" }, el("span", { class: `method ${method}` }, method), el("code", {}, path))),
    operation.description ? el("p", {}, prose(operation.description)) : null,
    parameters.length > 0 ? table(`Parameters of ${operation.summary}`, ["Parameter", "Where", "Type", "Meaning"], parameters.map((one) => parameterRow(description, one))) : null,
    body ? bodyPart(description, body) : null,
    answers(description, operation),
    el("details", {}, el("summary", {}, "With curl"), el("pre", { tabindex: "0", "aria-label": `${operation.summary}, with curl` }, el("code", {}, curl(path, method, parameters, body)))),
    method === "get" ? tryOut(description, { path, operation, parameters }) : null);
}

function parameterRow(description, one) {
  return el("tr", {},
    el("td", {}, el("code", {}, one.name), one.required ? null : el("span", { class: "faint" }, " optional")),
    el("td", {}, one.in), el("td", {}, typeWords(description, one.schema)), el("td", {}, prose(one.description)));
}

function bodyPart(description, body) {
  const kinds = Object.entries(body.content ?? {});
  return el("div", { class: "stack tight" }, el("h4", {}, "Body"),
    body.description ? el("p", {}, prose(body.description)) : null,
    el("ul", { class: "kinds" }, kinds.map(([kind, { schema }]) => el("li", {}, el("code", {}, kind), " ", contents(description, schema)))));
}

/** What is in a body, in a word; the members of a small object by name. */
function contents(description, schema) {
  const { name, node } = resolved(description, schema);
  if (!name && node.properties) {
    return ["with ", Object.entries(node.properties).flatMap(([member, of], i) => [i > 0 ? ", " : "", el("code", {}, member), " (", typeWords(description, of), ")"])];
  }
  return schema ? typeWords(description, schema) : "";
}

function answers(description, operation) {
  const list = Object.entries(operation.responses ?? {}).map(([status, response]) => ({ status, response: resolved(description, response).node }));
  const row = ({ status, response }) => el("li", {},
    el("span", { class: `badge ${{ 2: "edge", 4: "warn", 5: "bad" }[status[0]] ?? ""}` }, status),
    el("div", {}, el("p", {}, prose(response.description)),
      el("p", { class: "faint" }, Object.entries(response.content ?? {}).flatMap(([kind, { schema }], i) => [i > 0 ? ", " : "", `${kind} `, schema ? typeWords(description, schema) : ""]))));
  const good = list.filter(({ status }) => status < "400");
  const own = list.filter(({ status }) => status >= "400" && !COMMON.includes(status));
  const common = list.filter(({ status }) => COMMON.includes(status));
  const example = good.map(({ response }) => response.content?.["application/json"]?.schema).find(Boolean);
  const isWorthwhile = example && Object.keys(resolved(description, example).node.properties ?? {}).length > 0;
  return el("div", { class: "stack tight" }, el("h4", {}, "Answers"),
    el("ul", { class: "answers" }, good.map(row)),
    isWorthwhile ? el("details", {}, el("summary", {}, "An example of an answer"),
      el("pre", { tabindex: "0", "aria-label": `${operation.summary}: an example of an answer` }, el("code", {}, JSON.stringify(sample(description, example), null, 2)))) : null,
    own.length + common.length > 0 ? el("details", {}, el("summary", {}, `Errors: ${[...own, ...common].map(({ status }) => status).join(", ")}`),
      el("ul", { class: "answers" }, [...own, ...common].map(row))) : null);
}

function curl(path, method, parameters, body) {
  const filled = path.replace("{camera}", "gate").replace("{id}", "JOB").replace("{version}", "any").replace("{file}", "app.js");
  const query = parameters.some(({ name, in: where }) => name === "wait" && where === "query") ? "?wait=10s" : "";
  const url = `'${location.origin}${filled}${query}'`;
  const parts = ["curl", method === "get" ? null : `-X ${method.toUpperCase()}`];
  const kinds = Object.keys(body?.content ?? {});
  if (kinds.includes("multipart/form-data")) parts.splice(1, 1, "-F image=@photo.jpg");
  else if (kinds.includes("application/toml")) parts.push("-H 'content-type: application/toml'", `--data-binary @${path.endsWith("/regions") ? "regions" : "policy"}.toml`);
  else if (kinds.includes("video/x-motion-jpeg")) parts.push("-H 'content-type: video/x-motion-jpeg'", "-T video.mjpeg");
  else if (kinds.includes("application/json")) parts.push("-H 'content-type: application/json'", "-d '{\"token\": \"…\"}'");
  if (path.endsWith("/results") || path.endsWith(".mjpeg")) parts.push("-N");
  if (path.endsWith("/ws")) return `ffmpeg -re -i clip.mp4 -f mjpeg - | …   # any WebSocket client: ${url.replace(/^'http/, "'ws")}`;
  if (path.endsWith(".jpg") || path.endsWith("/annotated") || path.endsWith("/frame")) parts.push("-o picture.jpg");
  return [...parts, url].filter(Boolean).join(" ");
}
