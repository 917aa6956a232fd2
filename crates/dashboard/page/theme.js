// Light or dark: the system's, until somebody chooses.

import { el, fill, icon } from "./dom.js";

const KEY = "mlvi-theme";
const SUN = "M12 3v2m0 14v2m9-9h-2M5 12H3m15.400-6.400-1.400 1.400M7 17l-1.400 1.400m0-12.800L7 7m10 10 1.400 1.400M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z";
const MOON = "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

/** Calls whenever the colours change. */
export function onTheme(listener, life) {
  listeners.add(listener);
  life?.end(() => listeners.delete(listener));
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

const probe = el("span", { hidden: true });
const known = new Map();

/** A colour of the style sheet as a canvas takes it. */
export function colour(name) {
  const key = `${isDark()} ${name}`;
  if (!known.has(key)) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${name})`;
    known.set(key, getComputedStyle(probe).color);
  }
  return known.get(key);
}

function read() {
  // a browser may forbid storage altogether
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // it holds until the page is closed
  }
}

export function themeButton(button) {
  const chosen = read();
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  const show = () => {
    const dark = isDark();
    fill(button, icon(dark ? SUN : MOON));
    button.setAttribute("aria-label", dark ? "Light colours" : "Dark colours");
    button.title = dark ? "Light colours" : "Dark colours";
    for (const listener of listeners) listener();
  };
  button.addEventListener("click", () => {
    choose(isDark() ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}
