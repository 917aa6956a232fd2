// The description of the interface (OpenAPI 3.1), for people.

import { el, fill, say } from "./dom.js";
import { anchor, operationCard } from "./operation.js";
import { problemBox } from "./problem.js";
import { prose, schemaCard } from "./schema.js";
import { json } from "./session.js";
import { themeButton } from "./theme.js";

const METHODS = ["get", "post", "put", "delete"];

/** { path, method, operation } of everything there is. */
function operations(description) {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({ path, method, operation: methods[method] })));
}

function draw(main, description) {
  const all = operations(description);
  const groups = description.tags.map((tag) => ({ tag, listed: all.filter(({ operation }) => operation.tags?.includes(tag.name)) }))
    .filter(({ listed }) => listed.length > 0);
  const filter = el("input", { id: "filter", type: "search", placeholder: "cameras, wait, PUT …", autocomplete: "off" });
  const found = el("p", { class: "faint", role: "status" });
  const contents = el("nav", { class: "contents", "aria-label": "Contents" },
    el("div", {}, el("label", { for: "filter" }, "Find"), filter, found),
    el("details", { open: window.matchMedia("(min-width: 901px)").matches }, el("summary", {}, "Contents"), groups.map(({ tag, listed }) => el("section", { "aria-label": tag.description },
      el("h2", {}, tag.description),
      el("ul", {}, listed.map(({ path, method, operation }) => el("li", { data: { words: words(path, method, operation) } },
        el("a", { href: `#${anchor(operation)}` }, el("span", { class: `method ${method}`, "aria-hidden": "true" }, method), operation.summary)))))),
    el("section", { "aria-label": "Forms" }, el("h2", {}, "Forms"),
      el("ul", {}, Object.keys(description.components.schemas).map((name) => el("li", { data: { words: name.toLowerCase() } },
        el("a", { href: `#schema-${name}` }, name)))))));
  const cards = all.map((one) => ({ ...one, words: words(one.path, one.method, one.operation), card: operationCard(description, one) }));
  const sections = groups.map(({ tag }) => el("section", { class: "stack group", "aria-label": tag.description },
    el("h2", {}, tag.description), cards.filter(({ operation }) => operation.tags[0] === tag.name).map(({ card }) => card)));
  const schemas = el("section", { class: "stack group", "aria-label": "Forms of what is sent and answered" },
    el("h2", {}, "Forms of what is sent and answered"),
    Object.entries(description.components.schemas).map(([name, schema]) => schemaCard(description, name, schema)));
  const { title, version, summary, description: about } = description.info;
  fill(main, contents, el("div", { class: "stack" },
    el("div", { class: "view-head" }, el("h1", {}, title), el("p", { class: "faint" }, `version ${version}, OpenAPI ${description.openapi}`)),
    el("section", { class: "card pad stack", "aria-label": "In short" }, el("p", { class: "strong" }, summary), el("p", {}, prose(about))),
    sections, schemas));

  const items = [...contents.querySelectorAll("li")];
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase().split(/\s+/);
    const fits = (text) => wanted.every((word) => text.includes(word));
    for (const item of items) item.hidden = !fits(item.dataset.words);
    for (const one of cards) one.card.hidden = !fits(one.words);
    for (const section of sections) section.hidden = [...section.querySelectorAll("article")].every((card) => card.hidden);
    for (const section of contents.querySelectorAll("section")) section.hidden = [...section.querySelectorAll("li")].every((item) => item.hidden);
    const n = cards.filter(({ card }) => !card.hidden).length;
    say(found, filter.value.trim() ? `${n} of ${cards.length} requests` : "");
  });
}

function words(path, method, operation) {
  return `${method} ${path} ${operation.summary} ${operation.description ?? ""} ${JSON.stringify(operation.parameters ?? [])}`.toLowerCase();
}

/** Shows what the address names, which was not there when the browser looked for it. */
function goToAddress() {
  const there = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  if (!there) return;
  there.scrollIntoView();
  if (there.tagName === "DETAILS") there.open = true;
}

const main = document.getElementById("main");
themeButton(document.getElementById("theme"));
try {
  draw(main, await json("/openapi.json"));
  goToAddress();
  window.addEventListener("hashchange", goToAddress);
} catch (error) {
  fill(main, problemBox(error));
}
