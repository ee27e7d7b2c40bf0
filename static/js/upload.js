// Upload with progress: the file goes through the proxy to the API. Without script the form posts
// itself. XMLHttpRequest, because fetch reports no upload progress.

import { csrf } from "./api.js";
import { find, findOptional, input } from "./dom.js";
import { size } from "./logtext.js";
import { signInAgain } from "./signedin.js";
import { about } from "./time.js";

/** @type {XMLHttpRequest | null} */
let running = null;
let stopped = false;

/**
 * Show or clear the error of a field.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} message
 */
function fieldError(form, name, message) {
  const control = find(`#f-${name}`, HTMLInputElement, form);
  const field = control.closest(".f");
  if (!field) return;
  field.classList.toggle("bad", Boolean(message));
  let text = field.querySelector(".errm");
  if (!message) {
    text?.remove();
    control.removeAttribute("aria-invalid");
    return;
  }
  if (!text) {
    text = document.createElement("p");
    text.className = "errm";
    text.id = `e-${name}`;
    text.setAttribute("role", "alert");
    field.append(text);
  }
  text.textContent = message;
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", text.id);
}

/**
 * @param {HTMLFormElement} form
 * @param {number} sent Bytes.
 * @param {number} total Bytes.
 * @param {number} startedAt Milliseconds since the epoch.
 */
function showProgress(form, sent, total, startedAt) {
  const bar = find("[data-progress] progress", HTMLProgressElement, form);
  bar.value = total ? (100 * sent) / total : 0;
  const seconds = (Date.now() - startedAt) / 1000;
  const left =
    seconds > 2 && sent > 0 && sent < total
      ? `, about ${about(((total - sent) * seconds) / sent)} left`
      : "";
  find("[data-progress-text]", HTMLElement, form).textContent =
    sent < total
      ? `${size(sent)} of ${size(total)}${left}`
      : "Uploaded. The server is checking the file.";
}

/**
 * @param {HTMLFormElement} form
 * @param {boolean} busy
 */
function setBusy(form, busy) {
  find("[data-progress]", HTMLElement, form).hidden = !busy;
  find("[data-upload-stop]", HTMLElement, form).hidden = !busy;
  find("button[type=submit]", HTMLButtonElement, form).disabled = busy;
}

/**
 * @param {HTMLFormElement} form
 * @param {number} status
 * @param {string} text
 */
function showRefusal(form, status, text) {
  if (status === 401) {
    signInAgain().then((again) => {
      if (again) send(form);
    });
    return;
  }
  /** @type {ApiErrorBody | null} */
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    /* not an answer of the API */
  }
  /** @type {Record<string, unknown>} */
  const detail = body?.detail && typeof body.detail === "object" ? { ...body.detail } : {};
  const known = ["name", "file"].filter((name) => typeof detail[name] === "string");
  for (const name of known) fieldError(form, name, String(detail[name]));
  if (!known.length) {
    const general = status
      ? `The server answered ${status}.`
      : "Connection lost. Nothing was saved. Try again.";
    fieldError(form, "file", body?.message || general);
  }
  findOptional(".bad input", HTMLInputElement, form)?.focus();
}

/** @param {HTMLFormElement} form */
function send(form) {
  const file = input(form, "file").files?.[0];
  if (!file) return;
  const data = new FormData();
  data.append("file", file);
  const request = new XMLHttpRequest();
  running = request;
  stopped = false;
  const startedAt = Date.now();
  request.open("POST", form.dataset.upload || "");
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = (event) => showProgress(form, event.loaded, event.total, startedAt);
  request.onloadend = () => {
    setBusy(form, false);
    running = null;
    delete form.dataset.sent;
    if (request.status === 201) {
      const upload = JSON.parse(request.responseText);
      const name = encodeURIComponent(input(form, "name").value.trim());
      location.assign(`${form.dataset.done}import/${upload.id}/?name=${name}`);
    } else if (stopped) fieldError(form, "file", "Stopped. Nothing was saved.");
    else showRefusal(form, request.status, request.responseText);
  };
  setBusy(form, true);
  showProgress(form, 0, file.size, startedAt);
  request.send(data);
}

/**
 * Suggest the name of the file, until the user types a name.
 * @param {HTMLFormElement} form
 */
function suggestName(form) {
  const name = input(form, "name");
  const file = input(form, "file").files?.[0];
  if (!file || (name.value && !name.dataset.suggested)) return;
  name.value = file.name
    .replace(/\.[A-Za-z0-9]+$/, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "");
  name.dataset.suggested = "1";
}

/** @param {HTMLFormElement} form */
function bind(form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) return;
    const name = input(form, "name").value.trim();
    const chosen = input(form, "file").files?.length;
    fieldError(form, "name", name ? "" : "Enter a dataset name, for example trips.");
    fieldError(form, "file", chosen ? "" : "Choose a file: CSV, Excel, JSON, Parquet or Arrow.");
    if (!form.querySelector(".bad")) send(form);
  });
  find("[data-upload-stop]", HTMLElement, form).addEventListener("click", () => {
    if (!running) return;
    stopped = true;
    running.abort();
  });
  input(form, "file").addEventListener("change", () => suggestName(form));
}

const form = findOptional("[data-upload]", HTMLFormElement);
if (form) bind(form);
window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});
