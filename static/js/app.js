// What every page does: times, theme, copy buttons, questions before what cannot be undone, focus on a form's errors.

import "./signedin.js";
import { keepTicking } from "./time.js";

export function say(text) {
  let box = document.querySelector(".toasts");
  if (!box) {
    box = document.createElement("div");
    box.className = "toasts";
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = text;
  box.append(toast);
  setTimeout(() => toast.remove(), 5000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // no permission, or not a secure page
    return false;
  }
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("mimir-theme", root.dataset.theme);
  } catch {
    /* storage may be off */
  }
}

async function copyFrom(button) {
  const source = button.dataset.copyFrom
    ? document.getElementById(button.dataset.copyFrom)?.textContent
    : button.dataset.copy;
  const done = await copy(source || "");
  say(done ? "Copied" : "This browser does not let the page copy: select the text instead.");
}

// A question as a dialog; the safe answer has the focus. Resolves to whether it was confirmed.
export function confirmed({ title, body, yes, no, kind }) {
  const dialog = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.textContent = title;
  heading.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", heading.id);
  const text = document.createElement("p");
  text.textContent = body || "";
  const row = document.createElement("div");
  row.className = "row";
  const button = (label, kind, value) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `btn ${kind}`;
    made.textContent = label;
    made.addEventListener("click", () => dialog.close(value));
    return made;
  };
  const safe = button(no || "Cancel", "", "no");
  row.append(safe, button(yes || "Continue", kind || "danger", "yes"));
  dialog.append(heading, text, row);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
    safe.focus();
  });
}

async function submitAfterAsking(button) {
  const form = button.form;
  const {
    confirm: title,
    confirmBody: body,
    confirmYes: yes,
    confirmNo: no,
    confirmKind: kind,
  } = button.dataset;
  if (!(await confirmed({ title, body, yes, no, kind })) || !form) return;
  button.dataset.asked = "1";
  form.requestSubmit(button);
}

document.addEventListener("click", (event) => {
  const target =
    event.target instanceof Element
      ? event.target.closest("[data-theme-toggle],[data-copy],[data-copy-from],[data-confirm]")
      : null;
  if (!target) return;
  if ("themeToggle" in target.dataset) toggleTheme();
  else if ("copy" in target.dataset || "copyFrom" in target.dataset) copyFrom(target);
  else if ("confirm" in target.dataset && !target.dataset.asked) {
    event.preventDefault();
    submitAfterAsking(target);
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

for (const select of document.querySelectorAll("[data-filters] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
document.querySelector("[data-focus]")?.focus();
keepTicking();
