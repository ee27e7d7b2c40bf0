// Import, step 2: each changed option reads the beginning of the file again at once, then all of
// it. Without script, the "Read again" button does it.

import { find, formParameters, parsePage, targetOf } from "./dom.js";
import { morph } from "./morph.js";
import { signInAgain } from "./signedin.js";

const PARTS = ["import-head", "import-options", "import-target", "import-current", "import-found"];
const TARGET = ["import-head", "import-target", "import-current"]; // the parts that depend on the dataset's name
const TYPING_MS = 300; // between two checks whether the user has finished typing
const form = find("[data-import]", HTMLFormElement);
// Number of the newest request of each kind. A changed name does not cancel a reading.
const turns = { read: 0, show: 0 };
// Pending readings. The server completes a reading even if a newer one has started.
/** @type {Set<{ turn: number, isWhole: boolean, answer: Promise<unknown> }>} */
const readings = new Set();
let importing = false; // the user clicked Import while readings were still running

/** @typedef {HTMLInputElement | HTMLSelectElement} Field */

/** @param {string} id */
const fieldsOf = (id) =>
  /** @type {Field[]} */ ([...find(`#${id}`, HTMLElement).querySelectorAll("input, select")]);

/** @param {Field} field */
const fieldValue = (field) =>
  field instanceof HTMLInputElement && field.type === "checkbox"
    ? String(field.checked)
    : field.value;

/**
 * Values of the fields that an answer replaces. A field with the focus has not sent its change
 * event yet.
 */
const values = () =>
  PARTS.flatMap(fieldsOf)
    .filter((field) => field.type !== "radio")
    .map((field) => `${field.name}=${fieldValue(field)}`)
    .join("&");

/**
 * Wait until the fields are as they were sent. Resolves to false if a newer reading has started.
 * @param {string} sent
 * @param {number} turn
 */
async function unchanged(sent, turn) {
  while (turn === turns.read && values() !== sent)
    await new Promise((resolve) => {
      setTimeout(resolve, TYPING_MS);
    });
  return turn === turns.read;
}

/**
 * Post the form. Resolves to the page, or null if there is no answer or a newer request.
 * @param {"read" | "show"} then
 * @param {Record<string, string>} extra
 * @param {number} turn
 * @returns {Promise<Document | null>}
 */
async function post(then, extra, turn) {
  const body = formParameters(form);
  const sent = values();
  body.set("then", then);
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "text/html" },
      credentials: "same-origin",
    });
  } catch {
    return null; // the next change sends it again
  }
  if (turn !== turns[then]) return null;
  if (response.status === 401) return (await signInAgain()) ? post(then, extra, turn) : null;
  if (!response.ok && response.status !== 400) return null;
  const page = await parsePage(response);
  return then === "show" || (await unchanged(sent, turn)) ? page : null;
}

/**
 * Replace parts of the page. The focused field keeps the focus, and radio buttons their choice.
 * @param {Document} page
 * @param {string[]} parts
 */
function replaceParts(page, parts) {
  const radios = () =>
    /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("input[type=radio]")]);
  const types = () =>
    /** @type {HTMLSelectElement[]} */ ([...form.querySelectorAll("select[name=type]")]);
  const chosen = new Map(
    radios()
      .filter((radio) => radio.checked)
      .map((radio) => [radio.name, radio.value]),
  );
  const focused = document.activeElement;
  const column = types().indexOf(/** @type {HTMLSelectElement} */ (focused));
  for (const part of parts) {
    const [here, there] = [document.getElementById(part), page.getElementById(part)];
    if (!here || !there) continue;
    // Keep the button elements, so that a mouse press in progress still becomes a click.
    if (part === "import-head") morph(here, there);
    else here.replaceChildren(...there.childNodes);
  }
  for (const radio of radios()) {
    if (chosen.has(radio.name)) radio.checked = radio.value === chosen.get(radio.name);
  }
  const again = focused?.id ? document.getElementById(focused.id) : null;
  if (again) again.focus({ preventScroll: true });
  else if (column >= 0) types()[column]?.focus({ preventScroll: true });
}

const isRefused = () => document.querySelector("#import-options [aria-invalid]") !== null;

/**
 * Read the file and show the result. Resolves to true if it was shown.
 * @param {number} turn
 * @param {Record<string, string>} extra
 */
async function reading(turn, extra) {
  const answer = post("read", extra, turn).then((page) => {
    if (page) replaceParts(page, PARTS);
    return page !== null;
  });
  const each = { turn, isWhole: !extra.sample, answer };
  readings.add(each);
  try {
    return await answer;
  } finally {
    readings.delete(each);
  }
}

/** Return the pending readings whose options can still replace the displayed ones. */
const unsettled = () => [...readings].filter((each) => !each.isWhole || each.turn !== turns.read);

/**
 * Import after all readings have ended, unless the last one was refused.
 * @param {HTMLButtonElement} button
 */
async function importLater(button) {
  if (importing) return;
  importing = true;
  form.dataset.importing = "";
  while (unsettled().length) await Promise.allSettled(unsettled().map((each) => each.answer));
  importing = false;
  if (!isRefused() && !button.disabled) form.requestSubmit(button);
  else delete form.dataset.importing;
}

/** @param {Record<string, string>} [extra] */
async function readAgain(extra = {}) {
  turns.read += 1;
  const turn = turns.read;
  form.setAttribute("aria-busy", "true");
  const isShown = await reading(turn, { ...extra, sample: "1" });
  if (isShown && !importing && !isRefused()) await reading(turn, {});
  if (turn === turns.read) form.removeAttribute("aria-busy");
}

async function showTarget() {
  turns.show += 1;
  const page = await post("show", {}, turns.show);
  if (page) replaceParts(page, TARGET);
}

form.addEventListener("change", (event) => {
  const name = targetOf(event)?.getAttribute("name") || "";
  if (name === "name" || name === "how") showTarget();
  else if (name !== "make_current" && name !== "view" && !name.startsWith("dataset-")) readAgain();
});
form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!(button instanceof HTMLButtonElement)) return;
  if (button.name === "fix") {
    event.preventDefault();
    readAgain({ fix: button.value });
  } else if (button.name === "tab") {
    event.preventDefault();
    readAgain({ tab: button.value });
  } else if (button.value === "read") {
    event.preventDefault();
    readAgain();
  } else if (button.value === "import" && (importing || unsettled().length)) {
    event.preventDefault();
    importLater(button);
  } else if (button.value === "import") form.dataset.importing = "";
});
window.addEventListener("pageshow", () => {
  delete form.dataset.importing; // after a step back to this page
});
