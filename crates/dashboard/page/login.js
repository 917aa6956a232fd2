// Who is using this page, where the server wants to know.

import { el, fill, say } from "./dom.js";
import { problemBox } from "./problem.js";
import { has, json, onRefused, request } from "./session.js";

/** The button that logs in or out; hidden where nobody has to. */
export async function account(button) {
  const dialog = makeDialog();
  document.body.append(dialog);
  const offer = () => {
    button.hidden = false;
    say(button, "Log in");
    button.onclick = () => dialog.showModal();
  };
  let asked = false;
  onRefused(() => {
    offer();
    // once: the stream is tried again and again, and each time refused
    if (!asked) dialog.showModal();
    asked = true;
  });
  try {
    if (!(await has("GET /session"))) return;
    const session = await json("/session");
    if (session.by === "cookie") {
      button.hidden = false;
      say(button, "Log out");
      button.title = session.name ? `logged in as ${session.name}` : "";
      button.onclick = async () => {
        await request("/logout", { method: "POST" });
        location.reload();
      };
    } else if (session.login) {
      offer();
      if (!session.rights?.includes("read") && !asked) dialog.showModal();
      asked = true;
    }
  } catch (error) {
    console.info("nobody knows who is asking", error.message);
  }
}

function makeDialog() {
  const token = el("input", { id: "token", type: "password", autocomplete: "current-password", required: true });
  const trouble = el("div", {});
  const dialog = el("dialog", { "aria-labelledby": "login-title" });
  const form = el("form", { class: "stack", method: "dialog" },
    el("h2", { id: "login-title" }, "Log in"),
    el("p", { class: "faint" }, "This server wants a token. It is kept as a cookie that no script can read."),
    el("div", {}, el("label", { for: "token" }, "Token"), token),
    trouble,
    el("div", { class: "row" },
      el("button", { type: "submit", class: "primary" }, "Log in"),
      el("button", { type: "button", on: { click: () => dialog.close() } }, "Not now")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await request("/login", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token: token.value }) });
      location.reload();
    } catch (error) {
      token.value = "";
      fill(trouble, problemBox(error));
      token.focus();
    }
  });
  dialog.append(form);
  return dialog;
}
