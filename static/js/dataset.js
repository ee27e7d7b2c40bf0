// Script of a dataset's page: request the column statistics if the page has none. The API computes
// them once, which takes a while on large data. Then the page is read again and the changed parts
// replaced. Their height is reserved: nothing moves.

import { getJson, statusOf, toSignIn } from "./api.js";
import { find, findOptional, parsePage, setText, targetOf } from "./dom.js";
import { morph } from "./morph.js";

const PARTS = ["profile-state", "heads", "columns"];

const place = findOptional("[data-profile]", HTMLElement);
const link = () => find("[data-profile-link]", HTMLAnchorElement);

/** @param {string} text */
const showState = (text) => setText(document.querySelector("[data-profile-text]"), text);

/** @param {string} address */
async function load(address) {
  showState("Computing column statistics…");
  link().hidden = true;
  try {
    await getJson(address);
  } catch (error) {
    const status = statusOf(error);
    if (status === 401) {
      toSignIn();
      return;
    }
    if (!status || status === 429 || status >= 500) throw error;
  } // the page shows other refusals of the API with their reason
  const response = await fetch(new URL(link().href), { credentials: "same-origin" });
  if (!response.ok) throw new Error(String(response.status));
  const page = await parsePage(response);
  for (const id of PARTS) {
    const [from, to] = [document.getElementById(id), page.getElementById(id)];
    if (from && to) morph(from, to);
  }
}

if (place) {
  load(place.dataset.profile || "").catch(() => {
    showState("The column statistics could not be computed.");
    link().textContent = "Try again";
    link().hidden = false;
  });
}

// Close an open menu on a click elsewhere and on Escape.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(targetOf(event))) menu.removeAttribute("open");
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" ? document.querySelector("details.menu[open]") : null;
  if (!menu) return;
  menu.removeAttribute("open");
  find("summary", HTMLElement, menu).focus();
});
