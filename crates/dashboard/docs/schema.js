// Forms of what is sent and answered: as tables, and as samples.

import { el } from "./dom.js";

const MAX_DEPTH = 6;
/** Samples of texts by what their name or format says. */
const SAMPLES = {
  uuid: "01a20789-5d5c-7f3e-8a4b-2f1c6d7e8f90",
  "date-time": "2027-01-01T00:00:00Z",
  camera: "gate", class: "cup", label: "cup", reason: "every-second-frame", policy: "alternate", service: "mlvi web-server",
  unit: "edge-inference", value: "policy = \"ratio\"\n", settings: "policy = \"ratio\"\n", type: "/problems/unknown-job",
};

/** Text with `code` in it. */
export function prose(text) {
  return String(text ?? "").split("`").map((part, i) => (i % 2 === 1 ? el("code", {}, part) : part));
}

/** What a reference leads to, or the thing itself; `name`: of the component, if it is one. */
export function resolved(description, node) {
  const reference = node?.$ref;
  if (!reference) return { name: null, node: node ?? {} };
  const path = reference.replace(/^#\//, "").split("/");
  return { name: path.at(-1), node: path.reduce((at, part) => at?.[part], description) ?? {} };
}

/** A type in a word or two, with a link where it has a name. */
export function typeWords(description, node) {
  const { name, node: schema } = resolved(description, node);
  if (schema.type === "array") return el("span", {}, "list of ", typeWords(description, schema.items));
  if (name) return el("a", { href: `#schema-${name}` }, name);
  const kind = schema.format ?? schema.type ?? "anything";
  const least = schema.minimum !== undefined ? ` from ${schema.minimum}` : "";
  const most = schema.maximum !== undefined ? ` to ${schema.maximum}` : "";
  return schema.enum ? el("span", {}, schema.enum.flatMap((value, i) => [i > 0 ? " · " : "", el("code", {}, String(value))])) : `${kind}${least}${most}`;
}

/** The members of an object, those of its unnamed objects indented below. */
function members(description, schema, depth = 0) {
  const rows = Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const { name: component, node } = resolved(description, value);
    const list = node.type === "array" ? resolved(description, node.items) : null;
    const inner = [list?.name ? null : list?.node, component ? null : node].find((one) => one?.properties);
    const cell = el("td", {}, el("code", {}, name), schema.required?.includes(name) ? null : el("span", { class: "faint" }, " optional"));
    cell.style.paddingLeft = `${depth * 18}px`;
    return [
      el("tr", {}, cell, el("td", {}, typeWords(description, value)), el("td", {}, prose(value.description ?? (component ? "" : node.description)))),
      inner ? members(description, inner, depth + 1) : [],
    ];
  });
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    rows.push(el("tr", {}, el("td", {}, el("i", {}, "any name")), el("td", {}, typeWords(description, schema.additionalProperties)), el("td", {})));
  }
  return rows;
}

/** A table with a heading for those who cannot see it. */
export function table(label, heads, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows)));
}

export function schemaCard(description, name, schema) {
  const rows = members(description, schema);
  return el("details", { class: "card pad", id: `schema-${name}` },
    el("summary", {}, el("span", { class: "strong" }, name)),
    el("div", { class: "stack inside" },
      schema.description ? el("p", {}, prose(schema.description)) : null,
      rows.length > 0 ? table(`Members of ${name}`, ["Member", "Type", "Meaning"], rows) : el("p", {}, typeWords(description, schema), schema.pattern ? [", ", el("code", {}, schema.pattern)] : null),
      schema.type === "object" ? el("pre", { tabindex: "0", "aria-label": `A sample of ${name}` }, el("code", {}, JSON.stringify(sample(description, schema), null, 2))) : null));
}

/** A value of a form, made up where the description has no example. */
export function sample(description, node, name = "", depth = 0) {
  const { node: schema } = resolved(description, node);
  if (schema.examples?.length > 0) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  if (depth > MAX_DEPTH) return null;
  switch (schema.type) {
    case "object": {
      const given = Object.entries(schema.properties ?? {}).map(([key, value]) => [key, sample(description, value, key, depth + 1)]);
      const other = schema.additionalProperties;
      if (given.length === 0 && other && typeof other === "object") given.push(["…", sample(description, other, "", depth + 1)]);
      return Object.fromEntries(given);
    }
    case "array": return [sample(description, schema.items, name, depth + 1)];
    case "integer": return Math.max(1, schema.minimum ?? 1);
    case "number": return 0.5;
    case "boolean": return true;
    default: return SAMPLES[schema.format] ?? SAMPLES[name] ?? "…";
  }
}
