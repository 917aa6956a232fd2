// Numbers and moments for people.

/** Milliseconds: `48 ms`, `1.25 s`. */
export function ms(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 10) return value === 0 ? "0 ms" : `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  return value < 10_000 ? `${(value / 1000).toFixed(2)} s` : `${Math.round(value / 1000)} s`;
}

/** How long ago, from milliseconds. */
export function age(value) {
  if (value < 1500) return "now";
  const seconds = Math.round(value / 1000);
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** A count or rate, short. */
export function count(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 10_000) return `${Math.round(value / 1000)} k`;
  if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toFixed(1);
}

export function bytes(value) {
  return value < 1024 * 1024 ? `${Math.max(1, Math.round(value / 1024))} kB` : `${(value / 1024 / 1024).toFixed(1)} MB`;
}

/** `person, 2 cars` */
export function found(detections) {
  if (detections.length === 0) return "nothing found";
  const counts = new Map();
  for (const { class: name } of detections) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, n]) => (n === 1 ? name : `${n} × ${name}`)).join(", ");
}

export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** When a frame was taken in: a version 7 UUID begins with milliseconds since the epoch. */
export function madeAt(id) {
  return Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
}
