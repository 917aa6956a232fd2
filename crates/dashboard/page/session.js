// Requests to the server, and who is asking.

import { Problem } from "./problem.js";

const refused = new Set();

/** Calls whenever the server asks for a login. */
export function onRefused(listener) {
  refused.add(listener);
}

/** A request; anything but a success is thrown as a `Problem`. */
export async function request(path, options = {}) {
  const response = await fetch(path, { credentials: "same-origin", ...options });
  if (response.ok || response.status === 304) return response;
  const problem = await Problem.of(response);
  if (response.status === 401) for (const listener of refused) listener(problem);
  throw problem;
}

let abilities = null;

/** Whether the server has an endpoint, e.g. `GET /policy`: asked once, so that nothing is tried in vain. */
export async function has(endpoint) {
  abilities ??= json("/").then((index) => Object.values(index.endpoints ?? {}));
  try {
    return (await abilities).some((known) => known === endpoint || known.startsWith(`${endpoint} `));
  } catch (error) {
    abilities = null;
    throw error;
  }
}

/** JSON by GET. */
export async function json(path, options = {}) {
  const response = await request(path, { ...options, headers: { accept: "application/json", ...options.headers } });
  return response.json();
}
