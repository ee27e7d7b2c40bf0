// Import, step 2: each changed option reads the beginning of the file again at once, then all of it. Without script, "Read again" does it.

import { signInAgain } from "./signedin.js";

const PARTS = ["import-head", "import-options", "import-target", "import-found"];
const form = document.querySelector("[data-import]");
const turns = { read: 0, show: 0 }; // the newest request of each kind: a changed name does not end a reading

async function ask(then, extra, mine) {
  const body = new URLSearchParams(new FormData(form));
  body.set("then", then);
  for (const [name, value] of Object.entries(extra)) body.set(name, value);
  let response;
  try {
    response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" }, credentials: "same-origin" });
  } catch { return null; } // the next change asks again
  if (mine !== turns[then]) return null;
  if (response.status === 401) return (await signInAgain()) ? ask(then, extra, mine) : null;
  if (!response.ok && response.status !== 400) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return mine === turns[then] ? page : null;
}

// Replace what the answer says; the field in hand keeps the focus.
function take(page, parts) {
  const focused = document.activeElement;
  const id = focused?.id;
  const column = focused?.name === "type" ? [...form.querySelectorAll("select[name=type]")].indexOf(focused) : -1;
  for (const part of parts) {
    const [here, there] = [document.getElementById(part), page.getElementById(part)];
    if (here && there) here.replaceChildren(...there.childNodes);
  }
  if (id && document.getElementById(id)) document.getElementById(id).focus({ preventScroll: true });
  else if (column >= 0) form.querySelectorAll("select[name=type]")[column]?.focus({ preventScroll: true });
}

async function readAgain(extra = {}) {
  const mine = (turns.read += 1);
  form.setAttribute("aria-busy", "true");
  const first = await ask("read", { ...extra, sample: "1" }, mine);
  if (first) {
    take(first, PARTS);
    const all = await ask("read", {}, mine);
    if (all) take(all, PARTS);
  }
  if (mine === turns.read) form.removeAttribute("aria-busy");
}

async function showTarget() {
  const mine = (turns.show += 1);
  const page = await ask("show", {}, mine);
  if (page) take(page, ["import-target"]);
}

if (form) {
  form.addEventListener("change", (event) => {
    const name = event.target.name;
    if (name === "name") showTarget();
    else if (name !== "make_current") readAgain();
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.name === "fix") { event.preventDefault(); readAgain({ fix: button.value }); }
    else if (button?.value === "read") { event.preventDefault(); readAgain(); }
  });
}
