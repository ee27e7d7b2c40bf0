// Recommended limits below the resources of the form that submits a job: shown from the newest
// preview, and filled in by one press.

import { find, findAll, input, targetOf } from "./dom.js";
import { morph } from "./morph.js";

/**
 * Show the recommended limits of a preview.
 * @param {Document} page
 */
export function showRecommended(page) {
  const served = page.getElementById("recommended");
  if (!served) return;
  // A page parsed with scripts off has real elements inside <noscript>.
  for (const element of findAll("noscript", served)) element.remove();
  morph(find("#recommended", HTMLElement), served);
}

/**
 * Fill in a limit when its button is pressed. The change requests a new preview.
 * @param {HTMLFormElement} form
 */
export function fillRecommended(form) {
  form.addEventListener("click", (event) => {
    const button = targetOf(event)?.closest("[data-use]");
    if (!(button instanceof HTMLButtonElement)) return;
    const field = input(form, button.dataset.use || "");
    field.value = button.dataset.value || "";
    field.focus(); // the button disappears with the next preview
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
