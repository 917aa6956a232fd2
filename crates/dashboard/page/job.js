// The inspector of one frame: picture, boxes, where the time went, why it went where it went.

import { el, fill } from "./dom.js";
import { feed } from "./feed.js";
import { clock, madeAt, ms } from "./format.js";
import { Picture } from "./picture.js";
import { problemBox } from "./problem.js";
import { cameraHref, decisionFacts, detectionList, facts, servedFacts, statusBadge, summary, tierBadge, timeline } from "./result.js";
import { request } from "./session.js";
import { sleep } from "./life.js";

export function show(root, [id], life) {
  const picture = new Picture(life);
  const body = el("div", { class: "stack" }, el("p", { class: "note" }, "Asking for this frame …"));
  const place = el("section", { class: "card pad", "aria-label": "Picture" }, picture.element);
  const title = el("h1", {}, "Frame");
  const back = el("div", { class: "faint" });
  fill(root, el("div", { class: "view-head" }, el("div", {}, back, title)), el("div", { class: "two" }, place, body));

  const draw = ({ final, provisional }) => {
    const shown = final ?? provisional;
    if (!shown) return;
    picture.show(shown);
    fill(title, summary(shown));
    fill(back, el("a", { href: cameraHref(shown.camera), class: "back" }, `Camera ${shown.camera}`));
    fill(body,
      final && provisional ? answers(final, provisional, picture) : null,
      el("section", { class: "card pad stack" },
        el("div", { class: "row" }, statusBadge(shown), tierBadge(shown), el("span", { class: "number strong" }, ms(shown.timings_ms.end_to_end))),
        shown.error ? problemBox(shown.error) : null,
        final && provisional ? null : detectionList(shown, picture)),
      el("section", { class: "card pad stack" }, el("h2", {}, "Where the time went"), timeline(shown)),
      el("section", { class: "card pad stack" }, el("h2", {}, "Decision"), decisionFacts(shown)),
      el("section", { class: "card pad stack" }, el("h2", {}, "Frame"), facts([
        ["Camera", el("a", { href: cameraHref(shown.camera) }, shown.camera)],
        ["Number", String(shown.sequence)],
        ["Taken in", clock(madeAt(shown.frame_id))],
        ...servedFacts(shown),
        ["Same as", shown.same_as ? el("a", { href: `#/jobs/${encodeURIComponent(shown.same_as)}` }, "an earlier frame") : null],
        ["Overtaken by", shown.overtaken_by ? el("a", { href: `#/jobs/${encodeURIComponent(shown.overtaken_by)}` }, "a newer frame") : null],
        ["Trace", trace ? el("code", {}, trace) : null],
        ["Id", el("code", {}, shown.frame_id)],
        ["For programs", el("a", { href: `/jobs/${encodeURIComponent(id)}` }, "JSON")],
      ])));
  };

  let trace = null;
  follow();

  async function follow() {
    while (!life.over) {
      try {
        const response = await request(`/jobs/${encodeURIComponent(id)}?wait=20s`, { signal: life.signal, headers: { accept: "application/json" } });
        trace = response.headers.get("mlvi-trace-id");
        const answer = await response.json();
        const known = feed.job(id);
        if (response.status === 200) {
          draw({ final: answer, provisional: known.provisional });
          return;
        }
        draw({ final: null, provisional: answer.provisional ?? known.provisional });
        if (!answer.provisional) fill(body, el("p", { class: "note" }, "This frame is accepted and has no result yet."));
        await sleep(500, life.signal);
      } catch (error) {
        if (life.over) return;
        const known = feed.job(id);
        if (known.final || known.provisional) draw(known);
        else {
          place.hidden = true;
          fill(body, problemBox(error));
        }
        return;
      }
    }
  }
}

/** What the edge said first, and what came in the end. */
function answers(final, provisional, picture) {
  const column = (name, result) => el("div", { class: "stack" },
    el("div", { class: "row" }, el("h3", {}, name), tierBadge(result), el("span", { class: "number" }, ms(result.timings_ms.end_to_end))),
    detectionList(result, null),
    el("button", { type: "button", on: { click: () => picture.overlay(result) } }, "Show its boxes"));
  return el("section", { class: "card pad stack" }, el("h2", {}, "Two answers"),
    el("div", { class: "two even" }, column("Provisional", provisional), column("Final", final)));
}
