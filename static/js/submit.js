// The form that submits a job. After a change its page is requested again with the current values,
// and shows the dependent fields, the planned run, its start and the same request as curl. Nothing
// is sent twice, and typed text is replaced only by a change that the reader chose.

import { find, findAll, formParameters, parsePage, targetOf } from "./dom.js";
import { bindSliders } from "./memoryslider.js";
import { morph } from "./morph.js";
import { fillRecommended, showRecommended } from "./recommended.js";
import { signInAgain } from "./signedin.js";

const AGAIN_MS = 300; // before the next request if the form changed during the last one
const TYPING_MS = 400; // after the last key in a resource, before the request

const form = find("[data-submit]", HTMLFormElement);
let turn = 0; // number of the newest request
let dependentFields = false; // a field that others depend on has changed
let typing = 0; // the timer of a refresh
let running = new AbortController();

const values = () => formParameters(form).toString();

/**
 * Request the page with the current values and show it.
 * @param {{ change?: string, signedIn?: boolean }} [options] `change`: of the request, as JSON
 * @returns {Promise<boolean>} whether the answer is shown; false after a newer change
 */
async function refresh(options = {}) {
  clearTimeout(typing);
  running.abort(); // its answer would be older than this one
  running = new AbortController();
  turn += 1;
  const mine = turn;
  const sent = values();
  const change = options.change ? `&change=${encodeURIComponent(options.change)}` : "";
  let response;
  let page;
  try {
    response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(`${sent}&then=preview${change}`),
      headers: { Accept: "text/html" },
      credentials: "same-origin",
      signal: running.signal,
    });
    if (response.ok) page = await parsePage(response);
  } catch {
    return false; // cancelled or lost; the next change sends it again
  }
  if (mine !== turn) return false;
  if (response.status === 401 && !options.signedIn && (await signInAgain())) {
    return refresh({ ...options, signedIn: true });
  }
  if (!page) return false;
  if (values() !== sent) {
    setTimeout(() => {
      if (mine === turn) refresh(options);
    }, AGAIN_MS);
    return false;
  }
  show(page);
  return true;
}

/** @param {Document} page */
function show(page) {
  const rail = page.getElementById("rail");
  if (rail) find("#rail", HTMLElement).replaceChildren(...rail.childNodes);
  const line = page.getElementById("start");
  // Only differences, so that a screen reader says an unchanged answer once.
  if (line) morph(find("#start", HTMLElement), line);
  askAgainIfBusy();
  showRecommended(page);
  const fields = page.getElementById("fields");
  if (!dependentFields || !(fields instanceof HTMLFieldSetElement)) return;
  dependentFields = false;
  // A page parsed with scripts off has real elements inside <noscript>.
  for (const element of findAll("noscript", fields)) element.remove();
  const shown = find("#fields", HTMLFieldSetElement);
  // The current field stays the same element: focus, an open list and the typed text are kept.
  morph(shown, fields);
  const served = [...fields.elements];
  for (const [at, element] of [...shown.elements].entries()) copyValue(element, served[at]);
}

/**
 * Copy the value, which is not an attribute.
 * @param {Element} field
 * @param {Element | undefined} other
 */
function copyValue(field, other) {
  if (!other || field.getAttribute("name") !== other.getAttribute("name")) return;
  if (field instanceof HTMLInputElement && other instanceof HTMLInputElement) {
    if (field.type === "checkbox" || field.type === "radio") field.checked = other.checked;
    else if (field.value !== other.value) field.value = other.value;
  } else if (
    (field instanceof HTMLSelectElement && other instanceof HTMLSelectElement) ||
    (field instanceof HTMLTextAreaElement && other instanceof HTMLTextAreaElement) ||
    (field instanceof HTMLButtonElement && other instanceof HTMLButtonElement)
  ) {
    if (field.value !== other.value) field.value = other.value;
  }
}

/** Request the start again after the delay of the server; a hidden page waits until it is shown. */
function askAgainIfBusy() {
  const seconds = Number(document.getElementById("start")?.dataset.retry);
  const mine = turn;
  if (!seconds) return;
  setTimeout(
    () => {
      if (mine === turn && !document.hidden) refresh();
    },
    (seconds + Math.random()) * 1000,
  );
}

/** @param {HTMLInputElement} box */
function countPicked(box) {
  const group = box.closest("fieldset");
  if (!group) return;
  const boxes = /** @type {HTMLInputElement[]} */ ([
    ...group.querySelectorAll("input[type=checkbox]"),
  ]);
  const count = boxes.filter((one) => one.checked && one.value).length;
  const [label] = findAll("[data-picked]", group);
  if (label) label.textContent = count ? `${count} of ${boxes.length}` : label.dataset.picked || "";
}

/**
 * Make a change that the page proposes, and move the focus to the field that shows it.
 * @param {HTMLButtonElement} button
 */
async function use(button) {
  const name = button.dataset.field || "";
  dependentFields = true;
  if (!(await refresh({ change: button.value }))) return;
  const named = form.elements.namedItem(name);
  const field =
    named instanceof RadioNodeList ? form.querySelector(`[name="${name}"]:checked`) : named;
  if (!(field instanceof HTMLElement)) return;
  const section = field.closest("details");
  if (section) section.open = true;
  field.focus();
}

bindSliders(form);
form.addEventListener("click", (event) => {
  const button = targetOf(event)?.closest("button[name=change]");
  if (!(button instanceof HTMLButtonElement)) return;
  event.preventDefault();
  use(button);
});
form.addEventListener("input", ({ target }) => {
  if (!(target instanceof HTMLInputElement)) return;
  if (!target.dataset.slider && !target.name.startsWith("resources.")) return;
  clearTimeout(typing);
  typing = setTimeout(() => refresh(), TYPING_MS);
});
form.addEventListener("change", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLElement)) return;
  if ("leads" in field.dataset) dependentFields = true;
  if (field instanceof HTMLInputElement && field.type === "checkbox") countPicked(field);
  refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh(); // what it says about the start is old
});
fillRecommended(form);
askAgainIfBusy();
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
