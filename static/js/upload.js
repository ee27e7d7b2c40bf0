// Upload with progress: the file goes straight through the proxy to the API. Without script the form posts itself.
// XMLHttpRequest, because fetch still tells nothing of what was sent.

import { csrf } from "./api.js";
import { size } from "./logtext.js";
import { signInAgain } from "./signedin.js";
import { about } from "./time.js";

const form = document.querySelector("[data-upload]");
let running = null;

function fieldError(name, message) {
  const input = form.querySelector(`#f-${name}`);
  const field = input.closest(".f");
  field.classList.toggle("bad", Boolean(message));
  let text = field.querySelector(".errm");
  if (!message) {
    text?.remove();
    input.removeAttribute("aria-invalid");
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
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", text.id);
}

function show(sent, total, began) {
  const bar = form.querySelector("[data-progress] progress");
  bar.value = total ? (100 * sent) / total : 0;
  const seconds = (Date.now() - began) / 1000;
  const left =
    seconds > 2 && sent > 0 && sent < total
      ? `, about ${about(((total - sent) * seconds) / sent)} left`
      : "";
  form.querySelector("[data-progress-text]").textContent =
    sent < total
      ? `${size(sent)} of ${size(total)}${left}`
      : "Sent. The file is being read and checked.";
}

function busy(on) {
  form.querySelector("[data-progress]").hidden = !on;
  form.querySelector("[data-upload-stop]").hidden = !on;
  form.querySelector("button[type=submit]").disabled = on;
}

function refused(status, text) {
  if (status === 401) {
    signInAgain().then((again) => {
      if (again) send();
    });
    return;
  }
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    /* no answer of the API */
  }
  const detail = body?.detail && typeof body.detail === "object" ? body.detail : {};
  const known = ["name", "file"].filter((name) => typeof detail[name] === "string");
  for (const name of known) fieldError(name, detail[name]);
  if (!known.length)
    fieldError(
      "file",
      body?.message ||
        (status
          ? `The server answered ${status}.`
          : "The connection broke. Nothing was saved: try again."),
    );
  form.querySelector(".bad input")?.focus();
}

function send() {
  const data = new FormData();
  data.append("file", form.elements.file.files[0]);
  const request = new XMLHttpRequest();
  running = request;
  const began = Date.now();
  request.open("POST", form.dataset.upload);
  request.setRequestHeader("X-CSRFToken", csrf());
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = (event) => show(event.loaded, event.total, began);
  request.onloadend = () => {
    busy(false);
    running = null;
    delete form.dataset.sent;
    if (request.status === 201) {
      const made = JSON.parse(request.responseText);
      location.assign(
        `${form.dataset.done}import/${made.id}/?name=${encodeURIComponent(form.elements.name.value.trim())}`,
      );
    } else if (request.stopped) fieldError("file", "Stopped. Nothing was saved.");
    else refused(request.status, request.responseText);
  };
  busy(true);
  show(0, form.elements.file.files[0].size, began);
  request.send(data);
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) return;
  fieldError(
    "name",
    form.elements.name.value.trim() ? "" : "Enter a dataset name, for example trips.",
  );
  fieldError(
    "file",
    form.elements.file.files.length ? "" : "Choose a file: CSV, Excel, JSON, Parquet or Arrow.",
  );
  if (!form.querySelector(".bad")) send();
});
form?.querySelector("[data-upload-stop]").addEventListener("click", () => {
  if (!running) return;
  running.stopped = true;
  running.abort();
});
// The name is suggested by the file, until somebody typed one.
form?.elements.file.addEventListener("change", () => {
  const name = form.elements.name;
  const file = form.elements.file.files[0];
  if (!file || (name.value && !name.dataset.suggested)) return;
  name.value = file.name
    .replace(/\.[A-Za-z0-9]+$/, "")
    .replace(/[^A-Za-z0-9_.-]+/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "");
  name.dataset.suggested = "1";
});
window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});
