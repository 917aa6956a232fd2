// Sends a GET and shows its answer.

import { el, fill } from "./dom.js";
import { problemBox } from "./problem.js";
import { resolved } from "./schema.js";

const MAX_SHOWN = 20_000;
/** Answers without an end, and such that no page can read. */
const ENDLESS = ["text/event-stream", "multipart/x-mixed-replace"];
const SHOWN_HEADERS = ["content-type", "content-length", "etag", "location", "retry-after", "x-request-id", "mlvi-trace-id"];
/** What is filled in where nothing else is. */
const FIRST = { version: "any", file: "style.css", camera: "gate" };

export function tryOut(description, { path, operation, parameters }) {
  const kinds = Object.values(operation.responses).flatMap((response) => Object.keys(resolved(description, response).node.content ?? {}));
  if (kinds.some((kind) => ENDLESS.some((endless) => kind.startsWith(endless))) || operation.responses["101"]) return null;
  const asked = parameters.filter((one) => one.in === "path" || one.in === "query");
  const fields = asked.map((one) => field(description, operation, one));
  const outcome = el("div", { class: "stack tight", role: "status" });
  const form = el("form", { class: "stack" },
    fields.length > 0 ? el("div", { class: "fields" }, fields.map(({ element }) => element)) : null,
    el("div", { class: "row" }, el("button", { type: "submit", class: "primary" }, "Send")), outcome);
  let shown = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = filled(path, fields);
    fill(outcome, el("p", { class: "faint" }, `GET ${address}`));
    const began = performance.now();
    try {
      // as any page may: with the cookie of who is logged in here
      const response = await fetch(address, { credentials: "same-origin", headers: { accept: kinds.includes("application/json") ? "application/json" : "*/*" } });
      if (shown) URL.revokeObjectURL(shown);
      shown = null;
      const type = response.headers.get("content-type") ?? "";
      const body = type.startsWith("image/jpeg") ? picture(shown = URL.createObjectURL(await response.blob())) : text(await response.text(), type);
      const headers = SHOWN_HEADERS.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
      fill(outcome,
        el("p", {}, el("span", { class: `badge ${response.ok ? "edge" : "warn"}` }, `${response.status} ${response.statusText}`), ` after ${Math.round(performance.now() - began)} ms`),
        el("p", { class: "faint address" }, `GET ${address}`),
        el("pre", { tabindex: "0", "aria-label": "Headers of the answer" }, el("code", {}, headers.join("\n"))), body);
    } catch (error) {
      fill(outcome, problemBox(error));
    }
  });
  return el("details", { class: "try" }, el("summary", {}, "Try it"), form);
}

function field(description, operation, one) {
  const id = `try-${operation.operationId}-${one.name}`;
  const { node: schema } = resolved(description, one.schema);
  const input = schema.enum
    ? el("select", { id }, one.required ? null : el("option", { value: "" }, ""), schema.enum.map((value) => el("option", { value }, value)))
    : el("input", { id, type: "text", required: one.required, autocomplete: "off", spellcheck: "false" });
  if (one.required) input.value = FIRST[one.name] ?? "";
  return { name: one.name, in: one.in, input, element: el("div", {}, el("label", { for: id }, one.name), input) };
}

function filled(path, fields) {
  let address = path;
  const query = new URLSearchParams();
  for (const { name, in: where, input } of fields) {
    const value = input.value.trim();
    if (where === "path") address = address.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "") query.set(name, value);
  }
  return query.size > 0 ? `${address}?${query}` : address;
}

function picture(url) {
  return el("img", { src: url, alt: "The picture that was answered", class: "answer" });
}

function text(answer, type) {
  let shown = answer;
  try {
    if (type.includes("json")) shown = JSON.stringify(JSON.parse(answer), null, 2);
  } catch {
    // shown as it came
  }
  const cut = shown.length > MAX_SHOWN;
  return el("pre", { tabindex: "0", "aria-label": "The answer", class: "answer" },
    el("code", {}, cut ? `${shown.slice(0, MAX_SHOWN)}\n… and ${shown.length - MAX_SHOWN} more characters` : shown));
}
