// Import, step 2: each changed option reads the beginning of the file again at once, then all of it. Without script, "Read again" does it.

import { signInAgain } from "./signedin.js";

const PARTS = ["import-head", "import-options", "import-target", "import-found"];
const TARGET = ["import-head", "import-target"]; // what the dataset's name changes
const LATER_MS = 300; // until a field that is being typed in is looked at again
const form = document.querySelector("[data-import]");
const turns = { read: 0, show: 0 }; // the newest request of each kind: a changed name does not end a reading

// The values of the fields that an answer replaces. A field with the focus has not sent its change event yet.
const typed = () =>
  PARTS.flatMap((part) => [...document.getElementById(part).querySelectorAll("input, select")])
    .filter((field) => field.type !== "radio")
    .map((field) => `${field.name}=${field.type === "checkbox" ? field.checked : field.value}`)
    .join("&");

// Resolves to whether a reading may be taken: as soon as what is typed is what was asked with, never when something newer was asked.
async function untouched(sent, mine) {
  while (mine === turns.read && typed() !== sent)
    await new Promise((resolve) => {
      setTimeout(resolve, LATER_MS);
    });
  return mine === turns.read;
}

async function ask(then, extra, mine) {
  const body = new URLSearchParams(new FormData(form)),
    sent = typed();
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
    return null;
  } // the next change asks again
  if (mine !== turns[then]) return null;
  if (response.status === 401) return (await signInAgain()) ? ask(then, extra, mine) : null;
  if (!response.ok && response.status !== 400) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return then === "show" || (await untouched(sent, mine)) ? page : null;
}

// Replace what the answer says; the field in hand keeps the focus, and a radio button what is chosen by now.
function take(page, parts) {
  const chosen = [...form.querySelectorAll("input[type=radio]:checked")].map((one) => [
    one.name,
    one.value,
  ]);
  const focused = document.activeElement;
  const id = focused?.id;
  const column =
    focused?.name === "type"
      ? [...form.querySelectorAll("select[name=type]")].indexOf(focused)
      : -1;
  for (const part of parts) {
    const [here, there] = [document.getElementById(part), page.getElementById(part)];
    if (here && there) here.replaceChildren(...there.childNodes);
  }
  for (const [name, value] of chosen)
    for (const one of form.querySelectorAll(`input[type=radio][name=${name}]`))
      one.checked = one.value === value;
  if (id && document.getElementById(id)) document.getElementById(id).focus({ preventScroll: true });
  else if (column >= 0)
    form.querySelectorAll("select[name=type]")[column]?.focus({ preventScroll: true });
}

async function readAgain(extra = {}) {
  turns.read += 1;
  const mine = turns.read;
  form.setAttribute("aria-busy", "true");
  const first = await ask("read", { ...extra, sample: "1" }, mine);
  if (first) {
    take(first, PARTS);
    const refused = document.querySelector("#import-options [aria-invalid]"); // the file was not read
    const all = refused ? null : await ask("read", {}, mine);
    if (all) take(all, PARTS);
  }
  if (mine === turns.read) form.removeAttribute("aria-busy");
}

async function showTarget() {
  turns.show += 1;
  const mine = turns.show;
  const page = await ask("show", {}, mine);
  if (page) take(page, TARGET);
}

if (form) {
  form.addEventListener("change", (event) => {
    const name = event.target.name;
    if (name === "name" || name === "how") showTarget();
    else if (name !== "make_current" && name !== "view" && !name.startsWith("dataset-"))
      readAgain();
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.name === "fix") {
      event.preventDefault();
      readAgain({ fix: button.value });
    } else if (button?.name === "tab") {
      event.preventDefault();
      readAgain({ tab: button.value });
    } else if (button?.value === "read") {
      event.preventDefault();
      readAgain();
    }
  });
}
