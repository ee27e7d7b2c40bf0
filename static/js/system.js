// The system page keeps itself true: it is asked for again every few seconds, and what differs is taken over in place.

import { toSignIn } from "./api.js";
import { morph } from "./morph.js";
import { tick } from "./time.js";

const EVERY_MS = 5000;
const WAIT_MS = 15_000; // for an answer

const root = document.getElementById("system");
const banner = document.getElementById("lost");
let reading = false,
  timer = 0,
  readAt = Date.now(),
  lostAt = null;

async function read() {
  const response = await fetch(location.href, {
    headers: { Accept: "text/html" },
    credentials: "same-origin",
    signal: AbortSignal.timeout(WAIT_MS),
  });
  if (response.redirected && new URL(response.url).pathname === "/signin/") {
    toSignIn();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const next = page.getElementById("system");
  if (!next) throw new Error("another page");
  const before = root.dataset.level;
  hold(next);
  morph(root, next);
  document.title = page.title;
  tick(root);
  if (root.dataset.level !== before)
    document.getElementById("say").textContent =
      root.querySelector(".st.pill, .why h2").textContent;
}

// Under the pointer and around the focus no row comes or goes: those that are there only change.
function hold(next) {
  const nexts = [...next.querySelectorAll("[data-rows]")];
  for (const rows of root.querySelectorAll("[data-rows]")) {
    if (!rows.matches(":hover, :focus-within")) continue;
    const label = rows.closest("section").getAttribute("aria-labelledby");
    const other = nexts.find(
      (one) => one.closest("section").getAttribute("aria-labelledby") === label,
    );
    if (!other) {
      keep(rows.closest("section"), next.querySelector(`section[aria-labelledby="${label}"]`));
      continue;
    }
    const fresh = new Map([...other.children].map((row) => [row.dataset.seq, row]));
    other.replaceChildren(
      ...[...rows.children].map((row) => fresh.get(row.dataset.seq) || gone(row)),
    );
  }
}

// The last row has ended, and with it the table: the section stays as it is, its rows as gone ones.
function keep(section, other) {
  const kept = section.cloneNode(true);
  for (const row of kept.querySelectorAll("[data-rows] > *")) row.classList.add("gone");
  other?.replaceWith(kept);
}

function gone(row) {
  const kept = row.cloneNode(true);
  kept.classList.add("gone");
  return kept;
}

async function refresh() {
  clearTimeout(timer);
  if (reading || document.hidden) return; // a hidden tab does nothing; it reads when it is seen again
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
  for (const element of document.querySelectorAll("[data-live]")) {
    element.hidden = false;
    element.classList.toggle("off", lostAt !== null);
    element.querySelector("span").textContent = lostAt ? "Reconnecting" : "Live";
  }
  banner.hidden = !lostAt;
  const at = lostAt?.toLocaleTimeString("en-GB");
  if (at)
    banner.querySelector("[data-lost-text]").textContent =
      `There is no answer. What you see is from ${at}; the page goes on asking.`;
}

banner.querySelector("[data-lost-now]").addEventListener("click", refresh);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
window.addEventListener("pagehide", () => clearTimeout(timer));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
show();
timer = setTimeout(refresh, EVERY_MS);
