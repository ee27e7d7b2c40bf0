// The form that runs a job: its page is asked for again with what is typed, and says what depends on it, what would run, and the same as curl.
// Nothing is sent twice, and nothing that was typed meanwhile is taken away.

import { morph } from "./morph.js";
import { signInAgain } from "./signedin.js";

const AGAIN_MS = 300; // after an answer to what is no longer in the form

const form = document.querySelector("[data-submit]");
let asked = 0;
let leads = false; // something changed that other fields depend on

const typed = () => new URLSearchParams(new FormData(form)).toString();

async function look(signedIn = false) {
  asked += 1;
  const turn = asked;
  const sent = typed();
  const body = new URLSearchParams(`${sent}&then=preview`);
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST",
      body,
      headers: { Accept: "text/html" },
      credentials: "same-origin",
    });
  } catch {
    return;
  } // the next change asks again
  if (turn !== asked) return;
  if (response.status === 401) {
    if (!signedIn && (await signInAgain())) look(true);
    return;
  }
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (turn !== asked) return;
  if (typed() !== sent) {
    setTimeout(() => {
      if (turn === asked) look();
    }, AGAIN_MS);
    return;
  }
  take(page);
}

function take(page) {
  const rail = page.getElementById("rail");
  if (rail) document.getElementById("rail").replaceChildren(...rail.childNodes);
  const fields = page.getElementById("fields");
  if (!leads || !fields) return;
  leads = false;
  for (const one of fields.querySelectorAll("noscript")) one.remove(); // a page read by script takes them for what they hold
  const shown = document.getElementById("fields");
  morph(shown, fields); // the field in hand stays the same element: focus, an open list, what is typed to find in it
  const answered = [...fields.elements];
  for (const [at, one] of [...shown.elements].entries()) give(one, answered[at]);
}

// What is typed in a field is no attribute of it.
function give(field, other) {
  if (!other || field.name !== other.name) return;
  if (field.type === "checkbox" || field.type === "radio") field.checked = other.checked;
  else if ("value" in field && field.value !== other.value) field.value = other.value;
}

function countPicked(box) {
  const group = box.closest("fieldset");
  const boxes = [...group.querySelectorAll("input[type=checkbox]")];
  const count = boxes.filter((one) => one.checked && one.value).length;
  const told = group.querySelector("[data-picked]");
  if (told) told.textContent = count ? `${count} of ${boxes.length}` : told.dataset.picked;
}

if (form) {
  form.addEventListener("change", (event) => {
    if ("leads" in event.target.dataset) leads = true;
    if (event.target.type === "checkbox") countPicked(event.target);
    look();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}
