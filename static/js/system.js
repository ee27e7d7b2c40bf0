// The system page is requested again every few seconds and changed in place.

import { toSignIn } from "./api.js";
import { find, findAll, parsePage, targetOf } from "./dom.js";
import { morph } from "./morph.js";
import { tick } from "./time.js";

const EVERY_MS = 5000;
const TIMEOUT_MS = 15_000;

const root = find("#system", HTMLElement);
const banner = find("#lost", HTMLElement);
let reading = false;
let timer = 0;
let readAt = Date.now();
/** @type {Date | null} */
let lostAt = null;

async function read() {
  const response = await fetch(location.href, {
    headers: { Accept: "text/html" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.redirected && new URL(response.url).pathname === "/signin/") {
    toSignIn();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const page = await parsePage(response);
  const next = page.getElementById("system");
  if (!next) throw new Error("another page");
  const before = root.dataset.level;
  holdRows(next);
  morph(root, next);
  document.title = page.title;
  tick(root);
  if (root.dataset.level !== before) {
    const headline = find(".st.pill, .why h2", HTMLElement, root);
    find("#say", HTMLElement).textContent = headline.textContent;
  }
}

/** @param {Element} rows */
const labelOf = (rows) => rows.closest("section")?.getAttribute("aria-labelledby") || "";

/**
 * Keep the set of rows under the pointer and around the focus: they change, but none is added or
 * removed.
 * @param {HTMLElement} next The new page, which is changed.
 */
function holdRows(next) {
  const tables = findAll("[data-rows]", next);
  for (const rows of findAll("[data-rows]", root)) {
    if (!rows.matches(":hover, :focus-within")) continue;
    const label = labelOf(rows);
    const other = tables.find((table) => labelOf(table) === label);
    if (!other) {
      const section = rows.closest("section");
      if (section) holdSection(section, next.querySelector(`section[aria-labelledby="${label}"]`));
      continue;
    }
    const newRows = new Map([...other.children].map((row) => [row.getAttribute("data-seq"), row]));
    other.replaceChildren(
      ...[...rows.children].map((row) => newRows.get(row.getAttribute("data-seq")) || ended(row)),
    );
  }
}

/**
 * The new page has no table because the last row ended: keep the section with its rows as ended.
 * @param {Element} section
 * @param {Element | null} other
 */
function holdSection(section, other) {
  const copy = /** @type {Element} */ (section.cloneNode(true));
  for (const row of copy.querySelectorAll("[data-rows] > *")) row.classList.add("gone");
  other?.replaceWith(copy);
}

/** @param {Element} row */
function ended(row) {
  const copy = /** @type {Element} */ (row.cloneNode(true));
  copy.classList.add("gone");
  return copy;
}

async function refresh() {
  clearTimeout(timer);
  if (reading || document.hidden) return; // a hidden tab reads when it is shown again
  reading = true;
  try {
    await read();
    readAt = Date.now();
    lostAt = null;
    show();
  } catch {
    lostAt = lostAt || new Date(readAt);
    show();
  }
  reading = false;
  timer = setTimeout(refresh, EVERY_MS);
}

function show() {
  for (const element of findAll("[data-live]")) {
    element.hidden = false;
    element.classList.toggle("off", lostAt !== null);
    find("span", HTMLElement, element).textContent = lostAt ? "Reconnecting" : "Live";
  }
  banner.hidden = !lostAt;
  const at = lostAt?.toLocaleTimeString("en-GB");
  if (at) {
    const text = find("[data-lost-text]", HTMLElement, banner);
    text.textContent = `The server does not answer. Retrying. This page shows the state of ${at}.`;
  }
}

banner.addEventListener("click", (event) => {
  if (targetOf(event)?.closest("[data-lost-now]")) refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
window.addEventListener("pagehide", () => clearTimeout(timer));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
show();
timer = setTimeout(refresh, EVERY_MS);
