// Script of every page: times, theme, copy buttons, confirmation dialogs, one submit per form, focus
// on the errors of a form.

import "./signedin.js";
import { targetOf } from "./dom.js";
import { keepTicking } from "./time.js";

const TOAST_MS = 5000;

/**
 * Show a short message at the edge of the page.
 * @param {string} text
 */
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
  setTimeout(() => toast.remove(), TOAST_MS);
}

/**
 * Copy to the clipboard. Resolves to false without permission and on an insecure page.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
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

/** @param {HTMLElement} button */
async function copyFrom(button) {
  const source = button.dataset.copyFrom
    ? document.getElementById(button.dataset.copyFrom)?.textContent
    : button.dataset.copy;
  const copied = await copy(source || "");
  say(copied ? "Copied" : "The browser blocked copying. Select the text instead.");
}

/**
 * @typedef {object} Question
 * @property {string} [title]
 * @property {string} [body]
 * @property {string} [yes]
 * @property {string} [no]
 * @property {string} [kind] Class of the confirming button.
 */

/**
 * Ask for confirmation in a dialog. The safe answer has the focus. Resolves to true if confirmed.
 * @param {Question} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, body, yes, no, kind }) {
  const dialog = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.textContent = title || "";
  heading.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", heading.id);
  const text = document.createElement("p");
  text.textContent = body || "";
  const row = document.createElement("div");
  row.className = "row";
  /**
   * @param {string} label
   * @param {string} kind
   * @param {string} value
   */
  const button = (label, kind, value) => {
    const element = document.createElement("button");
    element.type = "button";
    element.className = `btn ${kind}`;
    element.textContent = label;
    element.addEventListener("click", () => dialog.close(value));
    return element;
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

/** @param {HTMLButtonElement} button */
async function submitAfterConfirmation(button) {
  const form = button.form;
  const {
    confirm: title,
    confirmBody: body,
    confirmYes: yes,
    confirmNo: no,
    confirmKind: kind,
  } = button.dataset;
  if (!(await confirmed({ title, body, yes, no, kind })) || !form) return;
  button.dataset.confirmed = "1";
  form.requestSubmit(button);
}

document.addEventListener("click", (event) => {
  const target = targetOf(event)?.closest(
    "[data-theme-toggle],[data-copy],[data-copy-from],[data-confirm]",
  );
  if (!(target instanceof HTMLElement)) return;
  if ("themeToggle" in target.dataset) toggleTheme();
  else if ("copy" in target.dataset || "copyFrom" in target.dataset) copyFrom(target);
  else if (target instanceof HTMLButtonElement && !target.dataset.confirmed) {
    event.preventDefault();
    submitAfterConfirmation(target);
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]"))
    form.removeAttribute("data-sent");
});

for (const select of document.querySelectorAll("[data-filters] select")) {
  if (!(select instanceof HTMLSelectElement)) continue;
  select.addEventListener("change", () => select.form?.requestSubmit());
}
const focused = document.querySelector("[data-focus]");
if (focused instanceof HTMLElement) focused.focus();
keepTicking();
