// A dataset's page: the profile of its columns, when it was not there yet. The API makes it once, which takes a while on much data;
// then the page is asked for again, and what differs in the heads is taken over. Their place is kept, so nothing moves.

import { getJson, toSignIn } from "./api.js";
import { morph } from "./morph.js";

const PARTS = ["profile-state", "heads", "columns"];

const place = document.querySelector("[data-profile]");
const tell = (text) => {
  const words = document.querySelector("[data-profile-text]");
  if (words) words.textContent = text;
};

async function load(address) {
  tell("The columns are being counted, all rows of them.");
  document.querySelector("[data-profile-link]").hidden = true;
  try {
    await getJson(address);
  } catch (error) {
    if (error.status === 401) {
      toSignIn();
      return;
    }
    if (!error.status || error.status === 429 || error.status >= 500) throw error;
  } // what the API refuses the page says, with its reason
  const again = new URL(document.querySelector("[data-profile-link]").href);
  const response = await fetch(again, { credentials: "same-origin" });
  if (!response.ok) throw new Error(String(response.status));
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of PARTS) {
    const [from, to] = [document.getElementById(id), fresh.getElementById(id)];
    if (from && to) morph(from, to);
  }
}

if (place) {
  load(place.dataset.profile).catch(() => {
    tell("The columns could not be counted now.");
    const link = document.querySelector("[data-profile-link]");
    link.textContent = "Try again";
    link.hidden = false;
  });
}

// A menu closes when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" ? document.querySelector("details.menu[open]") : null;
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
