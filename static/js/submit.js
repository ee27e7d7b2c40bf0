// The form that submits a job. After a change its page is requested again with the current values,
// and shows the dependent fields, the planned run and the same request as curl. Nothing is sent
// twice, and typed text is never replaced.

import { find, findAll, formParameters, parsePage } from "./dom.js";
import { morph } from "./morph.js";
import { fillRecommended, showRecommended } from "./recommended.js";
import { signInAgain } from "./signedin.js";

const AGAIN_MS = 300; // before the next request if the form changed during the last one

const form = find("[data-submit]", HTMLFormElement);
let turn = 0; // number of the newest request
let dependentFields = false; // a field that others depend on has changed

const values = () => formParameters(form).toString();

async function refresh(signedIn = false) {
  turn += 1;
  const mine = turn;
  const sent = values();
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(`${sent}&then=preview`),
      headers: { Accept: "text/html" },
      credentials: "same-origin",
    });
  } catch {
    return; // the next change sends it again
  }
  if (mine !== turn) return;
  if (response.status === 401) {
    if (!signedIn && (await signInAgain())) refresh(true);
    return;
  }
  if (!response.ok) return;
  const page = await parsePage(response);
  if (mine !== turn) return;
  if (values() !== sent) {
    setTimeout(() => {
      if (mine === turn) refresh();
    }, AGAIN_MS);
    return;
  }
  show(page);
}

/** @param {Document} page */
function show(page) {
  const rail = page.getElementById("rail");
  if (rail) find("#rail", HTMLElement).replaceChildren(...rail.childNodes);
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

form.addEventListener("change", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLElement)) return;
  if ("leads" in field.dataset) dependentFields = true;
  if (field instanceof HTMLInputElement && field.type === "checkbox") countPicked(field);
  refresh();
});
fillRecommended(form);
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
