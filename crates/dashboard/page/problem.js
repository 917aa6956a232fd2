// Errors, as the server tells them (RFC 9457).

import { el } from "./dom.js";

export class Problem extends Error {
  constructor({ status, title, detail, type, document: members, retryAfter }) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.kind = (type ?? "").replace(/^\/problems\//, "");
    this.members = members ?? {};
    /** Seconds, or null. */
    this.retryAfter = retryAfter ?? null;
  }

  /** What a response that is no success says. */
  static async of(response) {
    let members = {};
    try {
      members = await response.json();
    } catch {
      // a proxy's page, or nothing at all
    }
    const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
    return new Problem({
      status: response.status,
      title: text(members.title) ?? `The server answered ${response.status}`,
      detail: text(members.detail) ?? response.statusText,
      type: text(members.type),
      document: members,
      retryAfter: Number.isFinite(seconds) ? seconds : null,
    });
  }
}

function text(value) {
  return typeof value === "string" && value !== "" ? value : null;
}

/** What went wrong, in words. */
export function words(error) {
  if (error instanceof Problem) return { title: error.title, detail: error.detail };
  if (error?.name === "TypeError") return { title: "The server cannot be reached", detail: "It may be restarting, or the network is away." };
  return { title: "Something went wrong in this page", detail: String(error?.message ?? error) };
}

/** A box that tells of an error. */
export function problemBox(error) {
  const { title, detail } = words(error);
  return el("div", { class: "problem", role: "alert" },
    el("strong", {}, title),
    detail && detail !== title ? el("p", {}, detail) : null,
    error instanceof Problem && error.status ? el("p", { class: "faint" }, `${error.status} ${error.kind}`) : null);
}
