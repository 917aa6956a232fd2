// Spans of time of the past, and what of it is asked for: as an address, as a form, as a question.

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

/** The bars of a time line are so wide, in milliseconds, and there are at most so many. */
const BINS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY];
const MAX_BINS = 96;
const TICKS = [...BINS.slice(2, 6), HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY];

/** What narrows the frames, by the server's names. */
export const FILTERS = ["camera", "class", "zone", "min_confidence", "destination"];

/** Local midnight of a moment's day. */
function midnight(at) {
  const day = new Date(at);
  day.setHours(0, 0, 0, 0);
  return day;
}

/** Spans that people ask for, by name: from `now` in milliseconds to [from, to]. */
export const PRESETS = {
  "Last hour": (now) => [now - HOUR, now],
  "Last night": (now) => {
    const from = midnight(now);
    from.setDate(from.getDate() - 1);
    from.setHours(22);
    const to = midnight(now);
    to.setHours(6);
    return [from.getTime(), to.getTime()];
  },
  Today: (now) => [midnight(now).getTime(), now],
  "Last 24 hours": (now) => [now - DAY, now],
  "Last 7 days": (now) => [now - 7 * DAY, now],
};

/** What an address asks for; without a time it is of the last 24 hours. */
export function read(hash, now = Date.now()) {
  const query = new URLSearchParams(hash.split("?").slice(1).join("?"));
  const at = (name) => {
    const moment = Date.parse(query.get(name) ?? "");
    return Number.isFinite(moment) ? moment : null;
  };
  let [from, to] = [at("from"), at("to")];
  const isOpen = from === null && to === null;
  to ??= from === null ? now : Math.max(now, from + HOUR);
  from ??= to - DAY;
  if (from >= to) [from, to] = [to - HOUR, to];
  const asked = { from, to, isOpen };
  for (const name of FILTERS) asked[name] = query.get(name) || null;
  const event = /^(\d{1,15}),(\d{1,15}),([^,]{1,64}),(.{1,200})$/s.exec(query.get("event") ?? "");
  asked.event = event && { start_ms: Number(event[1]), end_ms: Number(event[2]), camera: event[3], class: event[4] };
  return asked;
}

/** The address of what is asked for. */
export function href(asked) {
  const query = new URLSearchParams();
  if (!asked.isOpen && asked.from !== undefined) {
    query.set("from", moment(asked.from));
    query.set("to", moment(asked.to));
  }
  for (const name of FILTERS) if (asked[name]) query.set(name, asked[name]);
  if (asked.event) query.set("event", [asked.event.start_ms, asked.event.end_ms, asked.event.camera, asked.event.class].join(","));
  const text = query.toString();
  return text ? `#/history?${text}` : "#/history";
}

/** The same as the server's query, with these names alone. */
export function question(asked, names, more = {}) {
  const query = new URLSearchParams({ from: moment(asked.from), to: moment(asked.to) });
  for (const name of names) if (asked[name]) query.set(name, asked[name]);
  for (const [name, value] of Object.entries(more)) query.set(name, String(value));
  return query.toString();
}

function moment(milliseconds) {
  return new Date(milliseconds).toISOString();
}

/** A moment as a field of local time has it. */
export function toField(milliseconds) {
  const local = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * MINUTE);
  return local.toISOString().slice(0, 16);
}

/** How wide bars are, and what counts are asked by for it. */
export function binsOf({ from, to }, least = 0) {
  const width = BINS.find((bin) => bin >= least && (to - from) / bin <= MAX_BINS) ?? BINS.at(-1);
  return { width, by: width < HOUR ? "minute" : "hour" };
}

/** Bars that are counted by the day, which are days of UTC. */
export function daysOf({ from, to }) {
  return { width: (to - from) / DAY <= MAX_BINS ? DAY : 7 * DAY, by: "day" };
}

/** How far an hour of UTC begins into an hour of local time; what is counted by the hour begins there. */
function phaseOf(at, by) {
  return by === "hour" ? (((-new Date(at).getTimezoneOffset() % 60) + 60) % 60) * MINUTE : 0;
}

/**
 * Where a bar begins that has this moment: at a local time, which is so many hours or days of the calendar after the
 * one before it, also where a clock is set; at midnight in UTC where it is counted by the day.
 */
export function binOf(at, { width, by }) {
  if (by === "day") return Math.floor(at / width) * width;
  const phase = phaseOf(at, by);
  if (width <= HOUR) {
    const shift = new Date(at).getTimezoneOffset() * MINUTE + phase;
    return Math.floor((at - shift) / width) * width + shift;
  }
  const local = new Date(at - phase);
  if (width < DAY) {
    const hours = width / HOUR;
    local.setHours(Math.floor(local.getHours() / hours) * hours, 0, 0, 0);
  } else {
    local.setDate(local.getDate() - (dayOf(local) % (width / DAY)));
    local.setHours(0, 0, 0, 0);
  }
  return local.getTime() + phase;
}

/** Where the bar ends that begins then. */
export function binEnd(start, { width, by }) {
  if (by === "day" || width <= HOUR) return start + width;
  const phase = phaseOf(start, by);
  const local = new Date(start - phase);
  if (width < DAY) {
    const hours = width / HOUR;
    local.setHours((Math.floor(local.getHours() / hours) + 1) * hours, 0, 0, 0);
  } else {
    local.setDate(local.getDate() + width / DAY);
    local.setHours(0, 0, 0, 0);
  }
  return local.getTime() + phase;
}

/** The number of a local day; those of Mondays are divided by 7. */
function dayOf(local) {
  return Date.UTC(local.getFullYear(), local.getMonth(), local.getDate()) / DAY + 3;
}

/** Moments to be named on an axis, at most so many, with their names. */
export function ticks({ from, to }, most) {
  const step = TICKS.find((one) => (to - from) / one <= most) ?? TICKS.at(-1);
  const named = [];
  const bins = { width: step, by: "minute" };
  for (let at = binOf(from, bins); at < to && named.length <= most; at = binEnd(at, bins)) {
    if (at < from) continue;
    const day = new Date(at);
    const isDay = step >= DAY || (day.getHours() === 0 && day.getMinutes() === 0);
    named.push([at, isDay ? day.toLocaleDateString([], { day: "numeric", month: "short" }) : day.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })]);
  }
  return named;
}

/** A span in words, with no more of the dates than is needed. */
export function words({ from, to }) {
  const date = (at) => new Date(at).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
  const time = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const end = date(from) === date(to) ? time(to) : `${date(to)}, ${time(to)}`;
  return `${date(from)}, ${time(from)} – ${end}`;
}

/** How long something lasted. */
export function lasted(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 1) return "one moment";
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
